"""What a movie is told of the stored frames, and of the run that they are from."""

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Mapping, Optional, Tuple

__all__ = ["MovieContext", "MovieFrame"]


@dataclass(frozen=True)
class MovieFrame:
    """One stored frame, as the movie needs to know it.

    Attributes
    ----------
    path : str
        Of the JPEG file; in a grid, of its first picture.
    slot : int
        Index on the grid; must rise from frame to frame.
    elapsed_ns : int
        When the exposure began, since the grid's origin.
    wall_ns, utc_offset_s : int
        The time of day at the exposure (UTC) and the local zone's offset.
    clock_trusted : bool
        False when the time of day was not synchronised; the timestamp then says so.
    gap_reason : str
        Why the slots just before this frame are missing; empty if none is, or unknown.
    gap_unknown : bool
        Whether the run was interrupted before it and nobody knows for how long.
    planes : tuple of str
        Files of the visit's other planes, where all of them are looked at.
    cells : tuple of tuple of str
        The files of each position of a grid, in its order: none where it is missing,
        several for several planes. Empty for no grid.
    lacking : tuple of str
        Why each cell is missing; empty where it is there, or where nobody knows.
    """

    path: str
    slot: int
    elapsed_ns: int
    wall_ns: int
    utc_offset_s: int
    clock_trusted: bool = True
    gap_reason: str = ""
    gap_unknown: bool = False
    planes: Tuple[str, ...] = ()
    cells: Tuple[Tuple[str, ...], ...] = ()
    lacking: Tuple[str, ...] = ()

    @property
    def files(self) -> Tuple[str, ...]:
        """Every file that is shown at this moment."""
        if not self.cells:
            return (self.path, *self.planes)
        return tuple(path for cell in self.cells for path in cell)

    def under(self, place: Callable[[str], str]) -> "MovieFrame":
        """Return it with each file's path as `place` gives it."""
        cells = tuple(tuple(map(place, cell)) for cell in self.cells)
        planes = tuple(map(place, self.planes))
        return replace(self, path=place(self.path), planes=planes, cells=cells)


@dataclass(frozen=True)
class MovieContext:
    """What is true of all frames of a movie.

    Attributes
    ----------
    interval_ns, last_interval_ns : int
        From slot to slot, at the beginning and at the end; used where no frame tells
        the time.
    um_per_pixel : float or None
        Of the stored frames; None where the camera is not calibrated.
    position : str
        The name of the position; empty where the run has none.
    slots : int or None
        How many slots the movie covers, so that a gap at its end shows; None when not
        known.
    end_reason : str
        Why the slots after the last frame are missing; empty if none is, or unknown.
    known : mapping
        The plan's name as ``name`` and the fields of its sample, for the metadata.
    usual_interval_ns : int or None
        The interval of most slots; None for that of the beginning.
    several : bool
        Whether the run has more positions than this one.
    names : tuple of str
        Of a grid's positions, in its order; empty for no grid.
    """

    interval_ns: int
    last_interval_ns: int
    um_per_pixel: Optional[float]
    position: str
    slots: Optional[int]
    end_reason: str = ""
    known: Mapping[str, Any] = field(default_factory=dict)
    usual_interval_ns: Optional[int] = None
    several: bool = False
    names: Tuple[str, ...] = ()
