"""The index of a run: ``run.db``, one writer, any number of readers.

Lists come in pages that go on from a key, totals are kept and not counted, so a call
costs the same for ten frames and for a million.
"""

import contextlib
import json
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypeVar,
)

from openflexure_timelapse.errors import ConflictError, DamagedRunError, StorageError
from openflexure_timelapse.frame import Event, Frame, Outcome, Slot, Visit
from openflexure_timelapse.json_text import read_value
from openflexure_timelapse.names import slug
from openflexure_timelapse.store import blocks, rows
from openflexure_timelapse.store.database import (
    Readers,
    WriteAhead,
    connect_writer,
    translated,
)
from openflexure_timelapse.store.exif import jsonable
from openflexure_timelapse.store.layout import FrameName

__all__ = ["Index", "Totals"]

Record = TypeVar("Record")

TOTAL_COLUMNS = ("frames", "bytes", "next_slot", *(item.value for item in Outcome))


@dataclass(frozen=True)
class Totals:
    """The counts of a run.

    Attributes
    ----------
    frames, bytes : int
        Acknowledged frames and the size of their files.
    next_slot : int
        The first slot without an outcome.
    counts : mapping of str to int
        Slots by outcome: ``captured``, ``late``, ``skipped``, ``failed``.
    """

    frames: int
    bytes: int
    next_slot: int
    counts: Mapping[str, int]


class Index:
    """The index at `path`.

    Parameters
    ----------
    path : Path
        The SQLite file; it must exist.
    writable : bool
        Whether `write` is allowed; the caller holds the run's lock then.

    Raises
    ------
    DamagedRunError
        When it is missing, no index, or visibly damaged.
    StorageError
        When it cannot be opened, or a newer version wrote it.
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._writer: Optional[sqlite3.Connection] = None
        self._ahead = WriteAhead(path)
        # What only the writer may remember: nobody else changes it.
        self._last_n: Optional[int] = None
        self._positions: Set[str] = set()
        # SQLite would take an empty file for a new index and drop the rows of its WAL.
        if not path.is_file() or not path.stat().st_size:
            message = f"The index {path} is missing or empty; run repair on its run."
            raise DamagedRunError(message)
        self.readers = Readers(path)
        try:
            self._check_version()
            if writable:
                with translated(path):
                    self._writer = connect_writer(path)
                self._last_n = self.last_n()
        except StorageError:
            self.close()
            raise

    @classmethod
    def create(cls, path: Path) -> None:
        """Make an empty index at `path`, which must be free.

        Raises
        ------
        DiskFullError, StorageError
            When it cannot be written.
        """
        with translated(path), contextlib.closing(
            connect_writer(path, create=True)
        ) as connection:
            connection.executescript(
                f"BEGIN; {rows.SCHEMA} {blocks.SCHEMA}"
                f"PRAGMA user_version={rows.SCHEMA_VERSION}; COMMIT;"
            )

    def _check_version(self) -> None:
        """Refuse what this program would misread."""
        with self.readers.borrow() as reader:
            version = reader.execute("PRAGMA user_version").fetchone()[0]
            if version <= rows.SCHEMA_VERSION:
                rows.check_entries(reader)
        if version != rows.SCHEMA_VERSION:
            message = f"The index {self.path} has version {version}, and this program "
            message += f"reads version {rows.SCHEMA_VERSION}; update the program."
            raise StorageError(message)

    def close(self) -> None:
        """Close all connections; the last one folds the WAL into the file."""
        self.readers.close()
        with self._guard:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    # ------------------------------------------------------------------------ writing

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Run the block as one durable change, or not at all."""
        with self._guard, translated(self.path):
            if self._writer is None:
                message = f"The index {self.path} is open for reading only."
                raise StorageError(message)
            writer = self._writer
            writer.execute("BEGIN IMMEDIATE")
            try:
                yield writer
                writer.execute("COMMIT")
            except BaseException:  # raised again: no half change stays open
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise
            self._ahead.tend(writer)

    def write(  # noqa: PLR0913 - one argument for each kind of record
        self,
        *,
        frames: Iterable[Frame] = (),
        visits: Iterable[Visit] = (),
        slots: Iterable[Slot] = (),
        events: Iterable[Event] = (),
        values: Optional[Mapping[str, Any]] = None,
        set_aside: Iterable[Tuple[str, str, Optional[str]]] = (),
        last_n: int = 0,
    ) -> None:
        """Add records in one durable transaction: all of them or none.

        Parameters
        ----------
        frames, visits, slots, events : iterable
            Records.
        values : mapping, optional
            JSON-able values by key; an old value is replaced.
        set_aside : iterable of (file, reason, sha256 or None)
            Files known not to be frames, or frames known to be lost.
        last_n : int
            A number that no later frame may have, nor any below it.

        Raises
        ------
        ConflictError
            When a frame, visit or slot outcome is already there.
        DiskFullError, StorageError
            When the change was not made.
        """
        frames, visits = tuple(frames), tuple(visits)
        names = {frame.draft.position for frame in frames}
        names.update(visit.position for visit in visits)
        try:
            with self._transaction() as writer:
                for name in sorted(names - self._positions):
                    _add_position(writer, name)
                _add_frames(writer, frames, last_n)
                for visit in visits:
                    writer.execute(INSERT_VISIT, rows.visit_row(visit))
                for slot in slots:
                    _add_slot(writer, slot)
                for event in events:
                    writer.execute(INSERT_EVENT, rows.event_row(event))
                for key, value in (values or {}).items():
                    text = json.dumps(jsonable(value), separators=(",", ":"))
                    writer.execute("REPLACE INTO meta VALUES (?, ?)", (key, text))
                writer.executemany("REPLACE INTO set_aside VALUES (?, ?, ?)", set_aside)
        except (sqlite3.IntegrityError, OverflowError) as exc:
            message = f"The run {self.path.parent.name} already has this record or "
            message += f"cannot hold it ({exc}); each is recorded once."
            raise ConflictError(message) from exc
        self._positions |= names
        self._last_n = max([self._last_n or 0, last_n, *(frame.n for frame in frames)])

    # ------------------------------------------------------------------------ reading

    def value(self, key: str) -> Any:
        """Return what was last written under `key`, None when nothing was."""
        query = "SELECT value FROM meta WHERE key = ?"
        with self.readers.borrow() as reader:
            row = reader.execute(query, (key,)).fetchone()
        return None if row is None else self._decoded(read_value, row)[0]

    def totals(self) -> Totals:
        """Return the counts."""
        with self.readers.borrow() as reader:
            row = reader.execute(SELECT_TOTALS).fetchone()
        (whole,) = self._decoded(rows.whole_numbers, [row])
        values: Dict[str, int] = dict(zip(TOTAL_COLUMNS, whole))
        counts = {outcome.value: values[outcome.value] for outcome in Outcome}
        return Totals(values["frames"], values["bytes"], values["next_slot"], counts)

    def frames(
        self,
        after: int,
        limit: int,
        position: Optional[str] = None,
        plane: Optional[int] = None,
    ) -> List[Frame]:
        """Return at most `limit` frames with a number above `after`, in order."""
        where, values = rows.frame_filter(position, plane)
        query = f"{rows.SELECT_FRAMES} WHERE n > ?{where} ORDER BY n LIMIT ?"
        with self.readers.borrow() as reader:
            found = reader.execute(query, (after, *values, limit)).fetchall()
        return self._decoded(rows.frame_from_row, found)

    def last_frame(
        self, position: Optional[str] = None, plane: Optional[int] = None
    ) -> Optional[Frame]:
        """Return the frame with the largest number, None when there is none."""
        where, values = rows.frame_filter(position, plane)
        query = f"{rows.SELECT_FRAMES} WHERE n > 0{where} ORDER BY n DESC LIMIT 1"
        return self._one(rows.frame_from_row, query, values)

    def count_frames(self, position: str, plane: int) -> int:
        """Return the number of frames of a position and plane, counted anew."""
        where, values = rows.frame_filter(position, plane)
        query = f"SELECT count(*) FROM frames WHERE n > 0{where}"  # noqa: S608 - ours
        with self.readers.borrow() as reader:
            return int(reader.execute(query, values).fetchone()[0])

    def last_n(self) -> int:
        """Return the largest number that a frame ever had, 0 before the first."""
        if self._last_n is not None:
            return self._last_n
        with self.readers.borrow() as reader:
            row = reader.execute("SELECT last_n FROM totals").fetchone()
        return int(self._decoded(rows.whole_numbers, [row])[0][0])

    def frame(self, n: int) -> Optional[Frame]:
        """Return the frame with number `n`, None when there is none."""
        return self._one(rows.frame_from_row, f"{rows.SELECT_FRAMES} WHERE n = ?", (n,))

    def lists(self, name: FrameName) -> bool:
        """Tell whether a file's frame has its row."""
        query = "SELECT 1 FROM frames WHERE slot = ? AND plane = ? AND position = "
        query += "(SELECT id FROM positions WHERE slug = ?)"
        values = (name.slot, name.plane, name.position)
        with self.readers.borrow() as reader:
            return reader.execute(query, values).fetchone() is not None

    def set_aside(self, file: str) -> Optional[Tuple[str, Optional[str]]]:
        """Return why a file is known not to be listed, and its SHA-256 if it had one.

        None when nothing is known of it.
        """
        query = "SELECT reason, sha256 FROM set_aside WHERE file = ?"
        with self.readers.borrow() as reader:
            row = reader.execute(query, (file,)).fetchone()
        return None if row is None else (row[0], row[1])

    def frame_at(self, slot: int, position: str, plane: int) -> Optional[Frame]:
        """Return the frame of a slot, position and plane, None when there is none."""
        query = f"{rows.SELECT_FRAMES} {rows.OF_VISIT} AND plane = ?"
        return self._one(rows.frame_from_row, query, (slot, position, plane))

    def _one(
        self, decode: Callable[[Any], Record], query: str, values: Tuple[Any, ...]
    ) -> Optional[Record]:
        """Return the first record of a query."""
        with self.readers.borrow() as reader:
            found = reader.execute(query, values).fetchmany(1)
        return next(iter(self._decoded(decode, found)), None)

    def visits(self, after: int, limit: int) -> List[Visit]:
        """Return at most `limit` visits after the first `after`, as recorded."""
        found = self._page(rows.SELECT_VISITS, after, limit)
        return self._decoded(rows.visit_from_row, found)

    def visit_at(self, slot: int, position: str) -> Optional[Visit]:
        """Return the visit of a slot and position, None when there was none."""
        query = f"{rows.SELECT_VISITS} {rows.OF_VISIT}"
        return self._one(rows.visit_from_row, query, (slot, position))

    def slots(self, after: int, limit: int) -> List[Slot]:
        """Return at most `limit` slot outcomes after the first `after`, as recorded."""
        found = self._page(rows.SELECT_SLOTS, after, limit)
        return self._decoded(rows.slot_from_row, found)

    def slot_at(self, slot: int) -> Optional[Slot]:
        """Return the outcome that covers `slot`, None when it has none yet."""
        query = f"{rows.SELECT_SLOTS} WHERE first <= ? ORDER BY first DESC LIMIT 1"
        with self.readers.borrow() as reader:
            found = reader.execute(query, (slot,)).fetchall()
        covering = self._decoded(rows.slot_from_row, found)
        return covering[0] if covering and slot <= covering[0].last else None

    def events(self, after: int, limit: int) -> List[Event]:
        """Return at most `limit` events after the first `after`, as recorded."""
        found = self._page(rows.SELECT_EVENTS, after, limit)
        return self._decoded(rows.event_from_row, found)

    def _decoded(
        self, decode: Callable[[Any], Record], found: Iterable[Any]
    ) -> List[Record]:
        """Return the records of rows; one that makes no sense is damage."""
        try:
            return [decode(row) for row in found]
        except (ValueError, TypeError, AttributeError) as exc:
            message = f"The index {self.path} is damaged ({exc}); run repair on its run"
            raise DamagedRunError(f"{message}.") from exc

    def _page(self, select: str, after: int, limit: int) -> List[rows.Row]:
        """Return the rows of a page."""
        query = f"{select} WHERE n > ? ORDER BY n LIMIT ?"
        with self.readers.borrow() as reader:
            return reader.execute(query, (after, limit)).fetchall()


INSERT_FRAME = rows.insert("frames", rows.FRAME_COLUMNS)
INSERT_VISIT = rows.insert("visits", rows.VISIT_COLUMNS)
INSERT_SLOT = rows.insert("slots", rows.SLOT_COLUMNS)
INSERT_EVENT = rows.insert("events", rows.EVENT_COLUMNS)
SELECT_TOTALS = f"SELECT {', '.join(TOTAL_COLUMNS)} FROM totals"  # noqa: S608 - ours
COUNT_SLOTS = {
    outcome: f"UPDATE totals SET {outcome.value} = {outcome.value} + ?"  # noqa: S608
    for outcome in Outcome
}


def _add_position(writer: sqlite3.Connection, name: str) -> None:
    """Give a position its number; two of one folder are refused."""
    query = "SELECT 1 FROM positions WHERE name = ?"
    if writer.execute(query, (name,)).fetchone() is None:
        insert = "INSERT INTO positions (name, slug) VALUES (?, ?)"
        writer.execute(insert, (name, slug(name)))


def _add_frames(
    writer: sqlite3.Connection, frames: Sequence[Frame], last_n: int
) -> None:
    """Insert frames, count them, and remember the largest number."""
    if frames or last_n:
        writer.executemany(INSERT_FRAME, map(rows.frame_row, frames))
        size = sum(frame.size_bytes for frame in frames)
        largest = max([last_n, *(frame.n for frame in frames)])
        change = "UPDATE totals SET frames = frames + ?, bytes = bytes + ?, "
        change += "last_n = max(last_n, ?)"
        writer.execute(change, (len(frames), size, largest))


def _add_slot(writer: sqlite3.Connection, slot: Slot) -> None:
    """Insert an outcome, count it, and move on the first slot without one."""
    writer.execute(INSERT_SLOT, rows.slot_row(slot))
    writer.execute(COUNT_SLOTS[slot.outcome], (slot.last - slot.first + 1,))
    following = writer.execute("SELECT next_slot FROM totals").fetchone()[0]
    found = following == slot.first
    while found:
        query = "SELECT last FROM slots WHERE first = ?"
        row = writer.execute(query, (following,)).fetchone()
        found = row is not None
        following = row[0] + 1 if row else following
    writer.execute("UPDATE totals SET next_slot = ?", (following,))
