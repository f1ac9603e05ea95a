"""A run at a glance: counts along its slots, and curves thinned to what a page shows.

Nothing here hands out more rows than were asked for. A timeline and the lateness are
read from sums over blocks of slots, the other curves by a search for each point.
"""

import contextlib
import sqlite3
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.frame import Frame, Outcome, Visit
from openflexure_timelapse.json_text import read_value
from openflexure_timelapse.store import rows
from openflexure_timelapse.store.blocks import BLOCK, MADE, provide
from openflexure_timelapse.store.index import Index

__all__ = ["Bin", "MadeVisit", "Overview", "Point"]

Point = Tuple[float, ...]
"""A slot and what was measured in it."""

NONSENSE = (ValueError, TypeError, LookupError, AttributeError, OverflowError)

PLACE = "(SELECT id FROM positions WHERE name = :position)"
NEWEST_SLOT = "SELECT last FROM slots ORDER BY first DESC LIMIT 1"
NEWEST_VISIT = "SELECT max(slot) FROM visits"

# Outcomes do not overlap, so at most one of them goes on from one given bin to a later
# one: there are no more rows than bins times outcomes, and bins.
SELECT_COUNTS = """
SELECT first / :width AS b, last / :width AS e, outcome, sum(last - first + 1),
       min(first), max(last)
FROM slots GROUP BY b, e, outcome
"""
SELECT_LONG_COUNTS = SELECT_COUNTS.replace(
    "FROM slots", f"FROM slots WHERE first / {BLOCK} <> last / {BLOCK}"
)
SELECT_BLOCK_COUNTS = f"""
SELECT block * {BLOCK} / :width AS b, outcome, sum(slots) FROM slot_blocks
GROUP BY b, outcome
"""  # noqa: S608 - our own names only
# So many blocks in a bin make the rounding of its width small.
FEWEST_BLOCKS = 2

COUNT_FRAMES = f"""
SELECT coalesce(sum(frames), 0) FROM stacks WHERE position = {PLACE}
"""  # noqa: S608 - our own names only
FRAMES_OF_SLOT = f"{rows.SELECT_FRAMES} WHERE slot = :slot AND +n > :after"

VISIT_COLUMNS = ", ".join(
    "(SELECT name FROM positions WHERE id = visits.position)"
    if column == "position"
    else f"visits.{column}"
    for column in rows.VISIT_COLUMNS
)
SELECT_VISITS = f"""
SELECT visits.n, frames.z, frames.wall_ns, {VISIT_COLUMNS}
FROM visits LEFT JOIN frames ON frames.n = (
    SELECT n FROM frames AS own
    WHERE own.slot = visits.slot AND own.position = visits.position
    ORDER BY abs(own.plane - :plane) LIMIT 1
)
WHERE visits.n > :after
"""  # noqa: S608 - our own names only

BINS = """
WITH RECURSIVE bins (first) AS (
    SELECT 0 UNION ALL
    SELECT first + :width FROM bins WHERE first + :width <= :newest
)
"""
IN_BIN = f"""
own.slot >= bins.first AND own.slot < bins.first + :width AND own.position = {PLACE}
"""
# The plus keeps SQLite from walking all frames of the position for each bin.
IN_BIN_OF_FRAMES = IN_BIN.replace("own.position", "+own.position")
SELECT_FOCUS = f"""{BINS}
SELECT visits.slot, visits.focus FROM bins CROSS JOIN visits ON visits.n = (
    SELECT n FROM visits AS own WHERE {IN_BIN} AND own.focus IS NOT NULL
    ORDER BY own.slot LIMIT 1
) ORDER BY bins.first
"""  # noqa: S608 - our own names only
SELECT_PLACES = f"""{BINS}
SELECT frames.slot, frames.x, frames.y FROM bins CROSS JOIN frames ON frames.n = (
    SELECT n FROM frames AS own WHERE {IN_BIN_OF_FRAMES} ORDER BY own.slot LIMIT 1
) ORDER BY bins.first
"""  # noqa: S608 - our own names only
# The columns beside max() are those of the row that has it.
SELECT_LATENESS = """
SELECT (SELECT name FROM positions WHERE id = position), slot, max(lateness_ns)
FROM {table} GROUP BY position, slot / :width
"""


class Bin(NamedTuple):
    """A stretch of slots and how many of them ended how.

    Attributes
    ----------
    first, last : int
        Its slots.
    counts : dict of str to int
        By outcome; slots without one yet are in none.
    """

    first: int
    last: int
    counts: Dict[str, int]


class MadeVisit(NamedTuple):
    """A visit with what the index has beside it.

    Attributes
    ----------
    n : int
        Counts visits as they were recorded, from 1.
    z, wall_ns : int or None
        Of the visit's frame; None when it has none.
    visit : Visit
        As recorded.
    """

    n: int
    z: Optional[int]
    wall_ns: Optional[int]
    visit: Visit


class Overview:
    """Looks at a run as a whole.

    Parameters
    ----------
    index : Index
        Of the run.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees one moment; a row without sense is damage."""
        try:
            with self._index.readers.borrow() as reader:
                reader.execute("BEGIN")
                try:
                    yield reader
                finally:
                    if reader.in_transaction:
                        reader.execute("ROLLBACK")
        except NONSENSE as exc:
            message = f"The index {self._index.path} is damaged ({exc}); run repair "
            raise DamagedRunError(message + "on its run.") from exc

    def timeline(self, most_bins: int) -> List[Bin]:
        """Return the counts along the slots, up to the newest with an outcome.

        Parameters
        ----------
        most_bins : int
            At least 1; all bins but the last have the same width.
        """
        with self._reader() as reader:
            newest, width = _width(reader, NEWEST_SLOT, most_bins)
            bins = [
                Bin(
                    first,
                    min(first + width - 1, newest),
                    {outcome.value: 0 for outcome in Outcome},
                )
                for first in range(0, newest + 1, width)
            ]
            counts, values = SELECT_COUNTS, {"width": width}
            if width >= FEWEST_BLOCKS * BLOCK:
                provide(reader, "slot_blocks")
                for number, outcome, slots in reader.execute(
                    SELECT_BLOCK_COUNTS, values
                ):
                    bins[number].counts[Outcome(outcome).value] += slots
                counts = SELECT_LONG_COUNTS
            for row in reader.execute(counts, values):
                _count(bins, row)
        return bins

    def count_frames(self, position: str) -> int:
        """Return the number of frames of a position."""
        with self._reader() as reader:
            provide(reader, "stacks")
            found = reader.execute(COUNT_FRAMES, {"position": position})
            return int(found.fetchone()[0])

    def frames_of_slot(
        self, slot: int, after: int, limit: int, position: Optional[str] = None
    ) -> List[Frame]:
        """Return at most `limit` frames of a slot with a number above `after`."""
        query = FRAMES_OF_SLOT
        if position is not None:
            query += f" AND +position = {PLACE}"
        query += " ORDER BY +n LIMIT :limit"
        values = {"slot": slot, "after": after, "limit": limit, "position": position}
        with self._reader() as reader:
            found = reader.execute(query, values).fetchall()
            return [rows.frame_from_row(row) for row in found]

    def visits(
        self, after: int, limit: int, plane: int, position: Optional[str] = None
    ) -> List[MadeVisit]:
        """Return at most `limit` visits with a number above `after`, in order.

        Parameters
        ----------
        after, limit : int
            The last number of the page before, and how many.
        plane : int
            The height and time are those of this plane's frame, or the nearest's.
        position : str or None
            Only of this position; None for all.
        """
        query = SELECT_VISITS
        if position is not None:
            query += f" AND visits.position = {PLACE}"
        query += " ORDER BY visits.n LIMIT :limit"
        values = {"after": after, "limit": limit, "plane": plane, "position": position}
        with self._reader() as reader:
            found = reader.execute(query, values).fetchall()
            return [
                MadeVisit(n, _whole(z), _whole(wall_ns), rows.visit_from_row(visit))
                for n, z, wall_ns, *visit in found
            ]

    # ------------------------------------------------------------------------- curves

    def focus(self, position: str, most: int) -> List[Point]:
        """Return slot and z in steps of the first focus of each of `most` stretches."""
        with self._reader() as reader:
            found = _points(reader, SELECT_FOCUS, position, most)
            return [(slot, read_value(focus)["z"]) for slot, focus in found]

    def drift(self, position: str, most: int) -> List[Point]:
        """Return slot, x and y of the first frame of each of `most` stretches.

        In steps from where the position's first frame was taken.
        """
        with self._reader() as reader:
            found = _points(reader, SELECT_PLACES, position, most)
            home_x, home_y = found[0][1:] if found else (0, 0)
            return [(slot, x - home_x, y - home_y) for slot, x, y in found]

    def lateness_ns(self, most: int) -> Dict[str, List[Point]]:
        """Return slot and lateness by position, the largest of each of `most` bins.

        Only of visits that were made.
        """
        found: Dict[str, List[Point]] = {}
        with self._reader() as reader:
            _, width = _width(reader, NEWEST_VISIT, most)
            table = f"visits WHERE outcome IN {MADE}"
            if width >= FEWEST_BLOCKS * BLOCK:
                provide(reader, "visit_blocks")
                table = "visit_blocks"
            query = SELECT_LATENESS.format(table=table)
            for name, slot, lateness_ns in reader.execute(query, {"width": width}):
                found.setdefault(name, []).append((slot, int(lateness_ns)))
        return found


def _width(reader: sqlite3.Connection, newest: str, most: int) -> Tuple[int, int]:
    """Return the newest slot, -1 for none, and the slots in each of `most` bins."""
    row = reader.execute(newest).fetchone()
    last = -1 if row is None or row[0] is None else int(row[0])
    width = max(1, -(-(last + 1) // most))
    if width >= FEWEST_BLOCKS * BLOCK:
        width += -width % BLOCK
    return last, width


def _points(
    reader: sqlite3.Connection, query: str, position: str, most: int
) -> List[Tuple[Any, ...]]:
    """Return the rows of a curve of one position."""
    newest, width = _width(reader, NEWEST_VISIT, most)
    values = {"position": position, "newest": newest, "width": width}
    return reader.execute(query, values).fetchall()


def _count(bins: List[Bin], row: Tuple[Any, ...]) -> None:
    """Add a row of ``SELECT_COUNTS`` to the bins that it lies in."""
    begin, end, outcome, slots, first, last = row
    if begin == end:
        bins[begin].counts[Outcome(outcome).value] += slots
        return
    for each in bins[begin : end + 1]:
        inside = min(last, each.last) - max(first, each.first) + 1
        each.counts[Outcome(outcome).value] += inside


def _whole(value: Any) -> Optional[int]:
    """Return a number of a row, None for none."""
    return None if value is None else int(value)
