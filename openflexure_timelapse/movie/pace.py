"""How many frames of the movie a slot gets.

By slots: each slot is one, so that equal distances in the movie are equal distances on
the grid. In real time: the movie plays at one constant speed. Each picture then stands
from the frame of the movie that is nearest to its own moment until the next picture's;
of pictures that come faster than the movie plays, the first in each frame is shown. A
gap that would stand still for too long is shortened, and the clock starts anew behind
it. Nothing is held here but two numbers.
"""

import abc
from dataclasses import dataclass
from typing import Iterable, NamedTuple, Optional

from openflexure_timelapse.movie.frames import MovieFrame

__all__ = ["Length", "Pace", "Stay", "length_of", "pace_of"]


@dataclass(frozen=True)
class Stay:
    """What stands in the movie before a picture.

    Attributes
    ----------
    repeats : int
        How often the picture before it is shown once more.
    gap : int
        How many frames of the movie stand for the missing slots.
    shown : bool
        Whether the picture is shown at all.
    shortened : bool
        Whether the gap has fewer frames than its time would need.
    """

    repeats: int = 0
    gap: int = 0
    shown: bool = True
    shortened: bool = False


class Pace(abc.ABC):
    """Is asked for each picture once, in order, then for the end."""

    @abc.abstractmethod
    def step(self, before: Optional[MovieFrame], frame: MovieFrame) -> Stay:
        """Return what stands before a picture; `before` it nothing, or another one."""

    @abc.abstractmethod
    def end(self, before: MovieFrame, missing: int) -> Stay:
        """Return what stands after the last picture, when so many slots are missing."""


def pace_of(
    beat_ns: Optional[int], longest: int, last_interval_ns: int, *, cut: bool, rest: int
) -> Pace:
    """Return a pace.

    Parameters
    ----------
    beat_ns : int or None
        Real time in one frame of the movie; None where each slot is one.
    longest : int
        Of a gap in real time, in frames of the movie.
    last_interval_ns : int
        From slot to slot at the end, where no frame tells the time.
    cut : bool
        Whether gaps are left out.
    rest : int
        How many frames stand for a gap at the end that is left out.
    """
    if beat_ns is None:
        return _BySlots(rest, cut=cut)
    return _InRealTime(max(1, beat_ns), longest, last_interval_ns, cut=cut, rest=rest)


class _BySlots(Pace):
    """Each slot is one frame of the movie."""

    def __init__(self, rest: int, *, cut: bool) -> None:
        self._rest = rest
        self._cut = cut

    def step(self, before: Optional[MovieFrame], frame: MovieFrame) -> Stay:
        """Return one frame of the movie for each missing slot."""
        return Stay(gap=0 if self._cut else _missing(before, frame))

    def end(self, before: MovieFrame, missing: int) -> Stay:  # noqa: ARG002 (a rule)
        """Return one frame of the movie for each missing slot."""
        return Stay(gap=self._rest if self._cut and missing else missing)


class _InRealTime(Pace):
    """Each frame of the movie is as much real time as any other."""

    def __init__(
        self, beat_ns: int, longest: int, last_interval_ns: int, *, cut: bool, rest: int
    ) -> None:
        self._beat_ns = beat_ns
        self._longest = longest
        self._last_interval_ns = last_interval_ns
        self._cut = cut
        self._rest = rest
        self._zero_ns = 0
        self._at = 0

    def step(self, before: Optional[MovieFrame], frame: MovieFrame) -> Stay:
        """Return how long it takes in real time."""
        missing = _missing(before, frame)
        if before is None:
            self._zero_ns = frame.elapsed_ns
            wanted = self._beats(frame.elapsed_ns) if missing else 0
            gap = min(max(0, wanted), self._longest)
            return Stay(gap=gap, shortened=not self._cut and gap < wanted)
        there = self._frame_at(frame.elapsed_ns)
        stays = there - 1
        if missing:
            own_ns = (frame.elapsed_ns - before.elapsed_ns) // (missing + 1)
            stays = min(stays, self._frame_at(before.elapsed_ns + own_ns) - 1)
        repeats = max(0, stays - self._at)
        wanted = there - 1 - self._at - repeats if missing else 0
        gap = min(max(0, wanted), self._longest)
        left_out = max(0, wanted) - gap
        self._zero_ns += left_out * self._beat_ns
        shown = there - left_out > self._at
        self._at = max(self._at, there - left_out)
        return Stay(repeats, gap, shown, shortened=not self._cut and left_out > 0)

    def end(self, before: MovieFrame, missing: int) -> Stay:
        """Return how long the last interval takes, and the missing ones."""
        own = self._frame_at(before.elapsed_ns + self._last_interval_ns) - 1
        repeats = max(0, own - self._at)
        if not self._cut:
            repeats = min(repeats, self._longest)
        wanted = self._beats(missing * self._last_interval_ns)
        gap = min(wanted, self._longest)
        if self._cut:
            return Stay(repeats, self._rest if missing else 0)
        return Stay(repeats, gap, shortened=gap < wanted)

    def _beats(self, duration_ns: int) -> int:
        """Return a duration in frames of the movie, rounded."""
        return (2 * duration_ns + self._beat_ns) // (2 * self._beat_ns)

    def _frame_at(self, elapsed_ns: int) -> int:
        """Return which frame of the movie is nearest to a moment."""
        return self._beats(elapsed_ns - self._zero_ns)


def _missing(before: Optional[MovieFrame], frame: MovieFrame) -> int:
    """Return how many slots have no picture between two."""
    return frame.slot - (0 if before is None else before.slot + 1)


class Length(NamedTuple):
    """How long a movie will be, if every frame can be shown.

    Attributes
    ----------
    beats : int
        Frames of the movie.
    dropped : int
        Pictures that are not shown, since they came faster than the movie plays.
    """

    beats: int
    dropped: int


def length_of(frames: Iterable[MovieFrame], pace: Pace, slots: Optional[int]) -> Length:
    """Return how long a movie will be; walks the frames without opening their files.

    Parameters
    ----------
    frames : iterable of MovieFrame
        By rising slot.
    pace : Pace
        A new one.
    slots : int or None
        As for `beats`.
    """
    beats = dropped = 0
    before: Optional[MovieFrame] = None
    for frame in frames:
        stay = pace.step(before, frame)
        beats += stay.repeats + stay.gap + stay.shown
        dropped += not stay.shown
        before = frame
    if before is not None:
        stay = pace.end(before, max(0, (slots or 0) - before.slot - 1))
        beats += stay.repeats + stay.gap
    return Length(beats, dropped)
