"""A run's frames by a few of their facts: what a whole run is like, in one quick walk.

A frame's whole row is not read here, nor its check number: what is written of a frame
is read by `RunReader.frame`.
"""

from typing import Any, Dict, List, NamedTuple, Optional

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.store.index import Index

__all__ = ["Brief", "Extent", "Survey"]

SELECT_EXTENT = "SELECT frames, last_n FROM totals"
SELECT_POSITIONS = "SELECT id, name FROM positions"
SELECT_BRIEFS = """
SELECT n, position, slot, plane, due_ns,
       CASE WHEN wall_trusted THEN wall_ns - elapsed_ns END, width, height
FROM frames WHERE n > ? AND n <= ? ORDER BY n LIMIT ?
"""
HERE = "position = (SELECT id FROM positions WHERE name = :position)"
SOUND = "AND flags = ''"
# The sharpest of each part, and of equal ones the first.
SELECT_SHARPEST = f"""
WITH fit AS (
    SELECT n, coalesce(sharpness, 0) AS sharp,
           max(0, min(:parts - 1, (elapsed_ns - :begin_ns) / :width_ns)) AS part
    FROM frames WHERE {HERE} {{sound}}
), best AS (SELECT part, max(sharp) AS sharp FROM fit GROUP BY part)
SELECT min(n) FROM fit CROSS JOIN best
ON best.part = fit.part AND best.sharp = fit.sharp GROUP BY fit.part ORDER BY 1
"""  # noqa: S608 - our own names only


class Extent(NamedTuple):
    """How many frames there are, and the largest number that one ever had."""

    frames: int
    last_n: int


class Brief(NamedTuple):
    """What a survey knows of a frame.

    Attributes
    ----------
    n, position, slot, plane, due_ns, width, height
        As in `Frame` and `FrameDraft`.
    began_ns : int or None
        The time of day (UTC) from which its times are counted; None where the clock
        was not believed.
    """

    n: int
    position: str
    slot: int
    plane: int
    due_ns: int
    began_ns: Optional[int]
    width: int
    height: int


class Survey:
    """Surveys a run.

    Parameters
    ----------
    index : Index
        Of the run.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def extent(self) -> Extent:
        """Return how far the run goes; costs the same for any number of frames."""
        return Extent(*self._rows(SELECT_EXTENT, ())[0])

    def briefs(self, after: int, last_n: int, limit: int) -> List[Brief]:
        """Return at most `limit` frames with a number above `after`, in order.

        Parameters
        ----------
        after, last_n : int
            Their numbers are above the one and not above the other.
        limit : int
            The most to return.

        Raises
        ------
        DamagedRunError
            When a row makes no sense.
        """
        names: Dict[int, str] = dict(self._rows(SELECT_POSITIONS, ()))
        found = self._rows(SELECT_BRIEFS, (after, last_n, limit))
        try:
            return [Brief(n, names[here], *rest) for n, here, *rest in found]
        except LookupError as exc:
            told = f"The index {self._index.path} is damaged (a frame of the position "
            raise DamagedRunError(f"{told}{exc}); run repair on its run.") from exc

    def has_sound(self, position: Optional[str]) -> bool:
        """Tell whether any frame (of a position) passed its checks."""
        query = f"SELECT 1 FROM frames WHERE n > 0 {SOUND}"  # noqa: S608 - ours
        if position is not None:
            query += f" AND {HERE}"
        return bool(self._rows(f"{query} LIMIT 1", {"position": position}))

    def sharpest(
        self, position: str, parts: int, begin_ns: int, end_ns: int, *, sound: bool
    ) -> List[int]:
        """Return the number of the sharpest frame of each part of the time, in order.

        Parameters
        ----------
        position : str
            Of which frames.
        parts : int
            Into how many the time is cut; one without frames has none.
        begin_ns, end_ns : int
            Of the whole time, as frames count it.
        sound : bool
            Whether only frames that passed their checks are looked at.
        """
        values = {
            "position": position,
            "parts": parts,
            "begin_ns": begin_ns,
            "width_ns": max(1, -(-(end_ns - begin_ns + 1) // parts)),
        }
        query = SELECT_SHARPEST.format(sound=SOUND if sound else "")
        return [row[0] for row in self._rows(query, values)]

    def _rows(self, query: str, values: Any) -> List[Any]:
        """Return the rows of a query."""
        with self._index.readers.borrow() as reader:
            return reader.execute(query, values).fetchall()
