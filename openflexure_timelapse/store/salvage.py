"""Reading what can still be read of a damaged index, without writing to it."""

import contextlib
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Tuple,
    TypeVar,
)

from openflexure_timelapse.frame import Event, Frame, Slot, Visit
from openflexure_timelapse.json_text import read_value
from openflexure_timelapse.store import rows
from openflexure_timelapse.store.database import (
    FAILURES,
    Connection,
    connect_reader,
)
from openflexure_timelapse.store.verify import wrong_counts

__all__ = ["Salvage"]

Record = TypeVar("Record")

PAGE = 500
LOWEST = -(2**63)
NONSENSE = (ValueError, TypeError, AttributeError, KeyError)


class Salvage:
    """The readable part of the index at `path`; all of it when it is sound.

    Attributes
    ----------
    damage : list of str
        What could not be read so far, in sentences, each once; grows while reading.
    """

    def __init__(self, path: Path) -> None:
        self.damage: List[str] = []
        self._connections = contextlib.ExitStack()
        self._reader: Optional[Connection] = None
        # SQLite drops the WAL of an empty file, and nothing is to be dropped here.
        if not path.is_file() or not path.stat().st_size:
            self.damage.append(f"{path.name} is missing or empty")
            return
        try:
            self._reader = connect_reader(path)
            self._connections.callback(self._reader.close)
            if not rows.can_be_read(self._reader):
                self._note("its tables are not those of an index")
                self._reader = None  # a view may compute for ever
                return
            for (said,) in self._reader.execute("PRAGMA integrity_check(1)"):
                if said != "ok":
                    self._note(said)
            self.damage += wrong_counts(self._reader)
            rows.check_entries(self._reader)
        except (*FAILURES, OSError) as exc:
            self._note(str(exc))

    def close(self) -> None:
        """Close the file."""
        self._connections.close()

    def frames(self) -> Iterator[Frame]:
        """Yield every frame whose row is whole, in the order of their numbers."""
        return self._records(rows.SELECT_FRAMES, rows.frame_from_row)

    def visits(self) -> Iterator[Visit]:
        """Yield the visits as recorded."""
        return self._records(rows.SELECT_VISITS, rows.visit_from_row)

    def slots(self) -> Iterator[Slot]:
        """Yield the outcomes as recorded."""
        return self._records(rows.SELECT_SLOTS, rows.slot_from_row)

    def events(self) -> Iterator[Event]:
        """Yield the events as recorded."""
        return self._records(rows.SELECT_EVENTS, rows.event_from_row)

    def values(self) -> Dict[str, Any]:
        """Return the values by key."""
        select = "SELECT key, value FROM meta"
        return dict(self._decoded(self._rows(select, "key", ""), _value))

    def set_aside(self) -> Iterator[rows.Row]:
        """Yield what earlier repairs set aside: file, reason, SHA-256 or None."""
        select = "SELECT file, file, reason, sha256 FROM set_aside"
        return (row[1:] for row in self._rows(select, "file", ""))

    def last_n(self) -> int:
        """Return the largest number that a frame ever had, 0 when unknown."""
        found = list(self._rows("SELECT rowid, last_n FROM totals", "rowid", 0))
        numbers = [row[1] for row in found if isinstance(row[1], int)]
        return max(numbers, default=0)

    def _records(
        self, select: str, decode: Callable[[rows.Row], Record]
    ) -> Iterator[Record]:
        """Yield the records of a table with numbered rows."""
        numbered = select.replace("SELECT ", "SELECT n, ", 1)
        found = (row[1:] for row in self._rows(numbered, "n", LOWEST))
        return self._decoded(found, decode)

    def _decoded(
        self, found: Iterable[rows.Row], decode: Callable[[rows.Row], Record]
    ) -> Iterator[Record]:
        """Yield what makes sense."""
        for row in found:
            yield from self._attempt(row, decode)

    def _attempt(
        self, row: rows.Row, decode: Callable[[rows.Row], Record]
    ) -> List[Record]:
        """Return the record of a row, or nothing."""
        try:
            return [decode(row)]
        except NONSENSE as exc:
            self._note(f"a row is damaged ({exc})")
            return []

    def _rows(self, select: str, key: str, lowest: Any) -> Iterator[rows.Row]:
        """Yield rows, their key first: from the start up to damage, then from the end.

        Whatever lies between two damaged places is not found.
        """
        query = f"{select} WHERE {key} > ? ORDER BY {key} LIMIT ?"
        while True:
            page = self._page(query, (lowest, PAGE)) or self._page(query, (lowest, 1))
            if not page or not _is_above(page[-1][0], lowest):
                break
            yield from page
            lowest = page[-1][0]
        if page is not None and not page:
            return
        last = f"{select} WHERE {key} > ? ORDER BY {key} DESC LIMIT 1"
        before = f"{select} WHERE {key} > ? AND {key} < ? ORDER BY {key} DESC LIMIT 1"
        behind: List[rows.Row] = []
        page = self._page(last, (lowest,))
        while page and _is_above(page[0][0], lowest):
            if behind and not _is_above(behind[-1][0], page[0][0]):
                break
            behind += page
            page = self._page(before, (lowest, page[0][0]))
        yield from reversed(behind)

    def _page(self, query: str, values: Tuple[Any, ...]) -> Optional[List[rows.Row]]:
        """Return the rows of a query, None when they cannot be read."""
        if self._reader is None:
            return None
        try:
            return self._reader.execute(query, values).fetchall()
        except FAILURES as exc:
            self._note(str(exc))
            return None

    def _note(self, said: str) -> None:
        """Remember damage; one damaged page is met again and again."""
        if said not in self.damage:
            self.damage.append(said)


def _is_above(key: Any, other: Any) -> bool:
    """Tell whether a key comes after another.

    A damaged tree can answer out of order, even in a circle: a walk that does not
    insist on progress never ends.
    """
    return type(key) is type(other) and bool(key > other)


def _value(row: rows.Row) -> Tuple[str, Any]:
    """Return a key and its value."""
    return str(row[0]), read_value(row[1])
