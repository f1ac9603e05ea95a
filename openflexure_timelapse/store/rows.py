"""The tables of ``run.db``, and how records become rows and rows records; pure.

``totals`` has one row that every change keeps up to date in its own transaction, so
that a count never walks a table. A frame's row carries a CRC of itself: a damaged row
is never taken as evidence against a sound file. A slot has one outcome because the
trigger refuses a range that overlaps another one.
"""

import json
import math
import sqlite3
import zlib
from contextlib import closing
from dataclasses import fields
from functools import lru_cache
from typing import (
    Any,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    cast,
)

from openflexure_timelapse.frame import (
    Event,
    Flag,
    Frame,
    FrameDraft,
    Outcome,
    Reason,
    Slot,
    Visit,
)
from openflexure_timelapse.json_text import read_value
from openflexure_timelapse.store import blocks
from openflexure_timelapse.store.exif import jsonable
from openflexure_timelapse.store.layout import (
    LARGEST_COUNT,
    frame_file,
    is_possible,
)

__all__ = [
    "EVENT_COLUMNS",
    "FRAME_COLUMNS",
    "SCHEMA",
    "SCHEMA_VERSION",
    "SELECT_EVENTS",
    "SELECT_FRAMES",
    "SELECT_SLOTS",
    "SELECT_VISITS",
    "SLOT_COLUMNS",
    "VISIT_COLUMNS",
    "can_be_read",
    "check_entries",
    "event_from_row",
    "event_row",
    "frame_filter",
    "frame_from_row",
    "frame_row",
    "insert",
    "slot_from_row",
    "slot_row",
    "visit_from_row",
    "visit_row",
    "whole_numbers",
]

Row = Sequence[Any]
Record = TypeVar("Record")

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE positions (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    slug TEXT NOT NULL UNIQUE
);
CREATE TABLE frames (
    n INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL CHECK (slot >= 0),
    position INTEGER NOT NULL,
    plane INTEGER NOT NULL CHECK (plane >= 0),
    sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    due_ns INTEGER NOT NULL,
    elapsed_ns INTEGER NOT NULL,
    wall_ns INTEGER NOT NULL,
    utc_offset_s INTEGER NOT NULL,
    wall_trusted INTEGER NOT NULL,
    x INTEGER NOT NULL,
    y INTEGER NOT NULL,
    z INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    mean_grey REAL,
    sharpness REAL,
    flags TEXT NOT NULL,
    metadata TEXT NOT NULL,
    crc INTEGER NOT NULL,
    UNIQUE (slot, position, plane)
);
CREATE INDEX frames_of_position ON frames (position);
CREATE INDEX frames_of_stack ON frames (position, plane);
CREATE INDEX frames_of_plane ON frames (plane);
CREATE TABLE visits (
    n INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL CHECK (slot >= 0),
    position INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    detail TEXT NOT NULL,
    lateness_ns INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    focus TEXT,
    drift TEXT,
    UNIQUE (slot, position)
);
CREATE TABLE slots (
    n INTEGER PRIMARY KEY,
    first INTEGER NOT NULL UNIQUE CHECK (first >= 0),
    last INTEGER NOT NULL CHECK (last >= first),
    outcome TEXT NOT NULL,
    reason TEXT,
    detail TEXT NOT NULL,
    lateness_ns INTEGER NOT NULL
);
CREATE TRIGGER one_outcome BEFORE INSERT ON slots
WHEN (SELECT last FROM slots WHERE first <= NEW.last ORDER BY first DESC LIMIT 1)
     >= NEW.first
BEGIN SELECT RAISE(ABORT, 'the slot has its outcome'); END;
CREATE TABLE events (
    n INTEGER PRIMARY KEY,
    wall_ns INTEGER NOT NULL,
    elapsed_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE TABLE set_aside (
    file TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    sha256 TEXT
) WITHOUT ROWID;
CREATE TABLE totals (
    frames INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    last_n INTEGER NOT NULL DEFAULT 0,
    next_slot INTEGER NOT NULL DEFAULT 0,
    captured INTEGER NOT NULL DEFAULT 0,
    late INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0
);
INSERT INTO totals DEFAULT VALUES;
"""

ENTRIES = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"


@lru_cache(maxsize=2)
def _own_entries(schema: str) -> Dict[str, str]:
    """Return what SQLite keeps of our tables, indexes and triggers, by name."""
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(schema)
        return dict(empty.execute(ENTRIES).fetchall())


def check_entries(reader: sqlite3.Connection) -> None:
    """Refuse an index that is not of our making, before anything of it is asked.

    A view in a table's place can compute for ever, a trigger can change what is
    written.

    Raises
    ------
    sqlite3.DatabaseError
        When its entries are not exactly ours. Those of blocks may be missing.
    """
    found = dict(reader.execute(ENTRIES).fetchall())
    needed, own = _own_entries(SCHEMA), _own_entries(SCHEMA + blocks.SCHEMA)
    strange = [name for name in {**needed, **found} if found.get(name) != own.get(name)]
    if strange:
        names = ", ".join(sorted(name[:40] for name in strange)[:5])
        raise sqlite3.DatabaseError(f"malformed: {names} is not as it should be")


def can_be_read(reader: sqlite3.Connection) -> bool:
    """Tell whether what has the names of our tables is our tables.

    Others may be missing, or stand beside them.
    """
    found = dict(reader.execute(ENTRIES).fetchall())
    own = _own_entries(SCHEMA + blocks.SCHEMA)
    return all(found[name] == sql for name, sql in own.items() if name in found)


DRAFT_FIELDS = tuple(field.name for field in fields(FrameDraft))
FRAME_COLUMNS = ("n", "sha256", "size_bytes", *DRAFT_FIELDS, "crc")
VISIT_COLUMNS = tuple(field.name for field in fields(Visit))
SLOT_COLUMNS = tuple(field.name for field in fields(Slot))
EVENT_COLUMNS = tuple(field.name for field in fields(Event))


def _select(table: str, columns: Sequence[str]) -> str:
    """Return a SELECT of `columns` in which positions have their names."""
    name = f"(SELECT name FROM positions WHERE id = {table}.position)"  # noqa: S608
    shown = ", ".join(name if column == "position" else column for column in columns)
    return f"SELECT {shown} FROM {table}"  # noqa: S608 - our own names only


SELECT_FRAMES = _select("frames", FRAME_COLUMNS)
SELECT_VISITS = _select("visits", VISIT_COLUMNS)
OF_VISIT = "WHERE slot = ? AND position = (SELECT id FROM positions WHERE name = ?)"
SELECT_SLOTS = _select("slots", SLOT_COLUMNS)
SELECT_EVENTS = _select("events", EVENT_COLUMNS)


def insert(table: str, columns: Sequence[str]) -> str:
    """Return an INSERT whose position parameter is the position's name."""
    number = "(SELECT id FROM positions WHERE name = ?)"
    values = ", ".join(number if column == "position" else "?" for column in columns)
    names = ", ".join(columns)
    return f"INSERT INTO {table} ({names}) VALUES ({values})"  # noqa: S608 - as above


def _json(value: Any) -> str:
    """Return compact JSON."""
    return json.dumps(jsonable(value), separators=(",", ":"))


def _optional_json(value: Optional[Mapping[str, Any]]) -> Optional[str]:
    """Return compact JSON, None for None."""
    return None if value is None else _json(value)


def _number(value: float) -> Optional[float]:
    """Return what SQLite stores: it has no NaN."""
    return value if math.isfinite(value) else None


def frame_row(frame: Frame) -> Tuple[Any, ...]:
    """Return the values of ``FRAME_COLUMNS``."""
    draft: Dict[str, Any] = {name: getattr(frame.draft, name) for name in DRAFT_FIELDS}
    draft["wall_trusted"] = int(draft["wall_trusted"])
    draft["mean_grey"] = _number(draft["mean_grey"])
    draft["sharpness"] = _number(draft["sharpness"])
    draft["flags"] = ",".join(flag.value for flag in draft["flags"])
    draft["metadata"] = _json(draft["metadata"])
    row = (frame.n, frame.sha256, frame.size_bytes, *draft.values())
    return (*row, _crc(row))


def _crc(row: Row) -> int:
    """Return a check number of the values of a row."""
    return zlib.crc32(json.dumps(row, separators=(",", ":")).encode())


def frame_from_row(row: Row) -> Frame:
    """Return the frame of a row of ``SELECT_FRAMES``.

    Raises
    ------
    ValueError
        When the row is damaged.
    """
    if row[-1] != _crc(tuple(row[:-1])):
        message = f"the row of frame {row[0]} is damaged"
        raise ValueError(message)
    draft: Dict[str, Any] = dict(zip(DRAFT_FIELDS, row[3:-1]))
    draft["wall_trusted"] = bool(draft["wall_trusted"])
    for name in ("mean_grey", "sharpness"):
        draft[name] = math.nan if draft[name] is None else float(draft[name])
    draft["flags"] = tuple(Flag(flag) for flag in draft["flags"].split(",") if flag)
    draft["metadata"] = dict(read_value(draft["metadata"]))
    told = _checked(FrameDraft(**draft))
    if not is_possible(told):
        message = f"the row of frame {row[0]} says what no frame can"
        raise ValueError(message)
    file = frame_file(told.position, told.slot, told.plane)
    return _checked(Frame(row[0], file, row[1], row[2], told))


def frame_filter(
    position: Optional[str], plane: Optional[int]
) -> Tuple[str, Tuple[Any, ...]]:
    """Return the end of a WHERE clause for frames, and its values."""
    where = ""
    values: List[Any] = []
    if position is not None:
        where += " AND position = (SELECT id FROM positions WHERE name = ?)"
        values.append(position)
    if plane is not None:
        where += " AND plane = ?"
        values.append(plane)
    return where, tuple(values)


def visit_row(visit: Visit) -> Tuple[Any, ...]:
    """Return the values of ``VISIT_COLUMNS``."""
    return (
        visit.slot,
        visit.position,
        visit.outcome.value,
        visit.reason.value if visit.reason else None,
        visit.detail,
        visit.lateness_ns,
        visit.duration_ns,
        visit.retries,
        _optional_json(visit.focus),
        _optional_json(visit.drift),
    )


def visit_from_row(row: Row) -> Visit:
    """Return the visit of a row of ``SELECT_VISITS``."""
    values = dict(zip(VISIT_COLUMNS, row))
    values["outcome"] = Outcome(values["outcome"])
    values["reason"] = Reason(values["reason"]) if values["reason"] else None
    for name in ("focus", "drift"):
        values[name] = None if values[name] is None else dict(read_value(values[name]))
    return _checked(Visit(**values))


def slot_row(slot: Slot) -> Tuple[Any, ...]:
    """Return the values of ``SLOT_COLUMNS``."""
    reason = slot.reason.value if slot.reason else None
    return (
        slot.first,
        slot.last,
        slot.outcome.value,
        reason,
        slot.detail,
        slot.lateness_ns,
    )


def slot_from_row(row: Row) -> Slot:
    """Return the slot of a row of ``SELECT_SLOTS``."""
    values = dict(zip(SLOT_COLUMNS, row))
    values["outcome"] = Outcome(values["outcome"])
    values["reason"] = Reason(values["reason"]) if values["reason"] else None
    slot = _checked(Slot(**values))
    if not 0 <= slot.first <= slot.last <= LARGEST_COUNT:
        message = f"the slots {slot.first} to {slot.last} cannot be"
        raise ValueError(message)
    return slot


def event_row(event: Event) -> Tuple[Any, ...]:
    """Return the values of ``EVENT_COLUMNS``."""
    return (event.wall_ns, event.elapsed_ns, event.kind, _json(event.details))


def event_from_row(row: Row) -> Event:
    """Return the event of a row of ``SELECT_EVENTS``."""
    return _checked(Event(row[0], row[1], row[2], dict(read_value(row[3]))))


def _checked(record: Record) -> Record:
    """Return the record of a row, whose plain fields have their types.

    Raises
    ------
    ValueError
        When the row is damaged.
    """
    for field in fields(cast("Any", record)):
        if field.type in (int, str):
            value = getattr(record, field.name)
            if type(value) is not field.type:
                message = f"the {field.name} of a {type(record).__name__} is {value!r}"
                raise ValueError(message)
    return record


def whole_numbers(row: Row) -> Row:
    """Return a row of whole numbers.

    Raises
    ------
    ValueError, TypeError
        When it holds anything else, or there is none.
    """
    for value in row:
        if type(value) is not int:
            raise ValueError(f"a total is {value!r}")
    return row
