"""What is counted of the frames of each position, and kept from one look to the next.

A run that is over does not change, and one that is under way only grows: each frame is
counted once, however often somebody asks.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.store.disk import storage_error
from openflexure_timelapse.store.layout import INDEX_FILE
from openflexure_timelapse.store.run_reader import RunReader
from openflexure_timelapse.store.survey import Brief, Extent

__all__ = ["PlaceTally", "Size", "Tallies", "Tally"]

PAGE = 5000
MOST_RUNS = 8
# Between due times that are equal but for rounding.
SAME_NS = 1_000_000
NOTHING = Extent(0, 0)
Size = Tuple[int, int]
Key = Tuple[str, int, int]


@dataclass
class Tally:
    """What was seen of the frames of one size.

    Attributes
    ----------
    frames, points : int
        How many, and in how many slots.
    slots : list of int
        The first and the last.
    first_due_ns, due_ns : int
        Of these two.
    interval_ns : int or None
        Between the first two.
    is_regular : bool
        Whether it is the same between all.
    began_ns : int or None
        As in `Brief`, of the first frame that tells it.
    """

    frames: int = 0
    points: int = 0
    slots: List[int] = field(default_factory=lambda: [0, 0])
    first_due_ns: int = 0
    due_ns: int = 0
    interval_ns: Optional[int] = None
    is_regular: bool = True
    began_ns: Optional[int] = None

    def add(self, frame: Brief) -> None:
        """Take note of a frame; they come in the order of their slots."""
        self.frames += 1
        if self.began_ns is None:
            self.began_ns = frame.began_ns
        if self.points and frame.slot == self.slots[1]:
            return
        if not self.points:
            self.slots[0], self.first_due_ns = frame.slot, frame.due_ns
        elif self.interval_ns is None:
            self.interval_ns = frame.due_ns - self.due_ns
        elif abs(frame.due_ns - self.due_ns - self.interval_ns) > SAME_NS:
            self.is_regular = False
        self.points += 1
        self.slots[1], self.due_ns = frame.slot, frame.due_ns

    def mean_ns(self) -> Optional[int]:
        """Return how far the time points are apart on average."""
        if self.points < 2:  # noqa: PLR2004 - an interval has two ends
            return None
        return (self.due_ns - self.first_due_ns) // (self.points - 1)


@dataclass
class PlaceTally:
    """What was seen of one position.

    Attributes
    ----------
    frames, last_n : int
        How many frames of any kind, and the largest number.
    sizes : dict
        The tallies of those that can be in an image, by width and height.
    """

    frames: int = 0
    last_n: int = 0
    sizes: Dict[Size, Tally] = field(default_factory=dict)

    def add(self, frame: Brief, planes: int) -> None:
        """Take note of a frame of a run whose stacks have so many planes."""
        self.frames += 1
        self.last_n = frame.n
        if frame.plane < planes and frame.width > 0 and frame.height > 0:
            size = (frame.width, frame.height)
            self.sizes.setdefault(size, Tally()).add(frame)


@dataclass
class _RunTally:
    """How far a run was counted."""

    extent: Extent = NOTHING
    places: Dict[str, PlaceTally] = field(default_factory=dict)

    def count(self, reader: RunReader, planes: int, extent: Extent) -> None:
        """Count the frames that came since."""
        after = self.extent.last_n
        page = reader.survey.briefs(after, extent.last_n, PAGE)
        while page:
            for frame in page:
                here = self.places.setdefault(frame.position, PlaceTally())
                here.add(frame, planes)
            after = page[-1].n
            page = reader.survey.briefs(after, extent.last_n, PAGE)
        self.extent = extent

    def is_whole(self) -> bool:
        """Tell whether as many were counted as there are."""
        counted = sum(place.frames for place in self.places.values())
        return counted == self.extent.frames


class Tallies:
    """The tallies of the runs that were looked at last; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: "OrderedDict[Key, _RunTally]" = OrderedDict()

    def of(self, reader: RunReader, planes: int) -> Mapping[str, PlaceTally]:
        """Return what there is of each position that has frames; not to be changed.

        Parameters
        ----------
        reader : RunReader
            Of the run.
        planes : int
            How many its stacks have.

        Raises
        ------
        DamagedRunError, StorageError
            When the index makes no sense, or is away.
        """
        extent, key = reader.survey.extent(), _key(reader)
        with self._lock:
            kept = self._kept.pop(key, None) or _RunTally()
            try:
                if kept.extent != extent:
                    kept = _counted(kept, reader, planes, extent)
            except TypeError as exc:
                told = f"The index of {reader.run_id} is damaged ({exc}); run repair on"
                raise DamagedRunError(f"{told} it.") from exc
            self._kept[key] = kept
            while len(self._kept) > MOST_RUNS:
                self._kept.popitem(last=False)
            return kept.places


def _counted(
    kept: _RunTally, reader: RunReader, planes: int, extent: Extent
) -> _RunTally:
    """Return the tally of a run as it is now; from the start where that is not safe."""
    grown = _RunTally(kept.extent, _copied(kept.places))
    if grown.extent.last_n <= extent.last_n:
        grown.count(reader, planes, extent)
        if grown.is_whole():
            return grown
    anew = _RunTally()
    anew.count(reader, planes, extent)
    return anew


def _copied(places: Mapping[str, PlaceTally]) -> Dict[str, PlaceTally]:
    """Return copies: somebody may still read what was returned before."""
    return {
        name: PlaceTally(
            place.frames,
            place.last_n,
            {
                size: Tally(**{**vars(tally), "slots": list(tally.slots)})
                for size, tally in place.sizes.items()
            },
        )
        for name, place in places.items()
    }


def _key(reader: RunReader) -> Key:
    """Return what tells an index from any other, also from one made by a repair."""
    path = reader.folder / INDEX_FILE
    try:
        status = path.stat()
    except OSError as exc:
        raise storage_error(exc, "read", path) from exc
    return reader.header["dataset_id"], status.st_dev, status.st_ino
