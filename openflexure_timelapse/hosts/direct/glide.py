"""A move under way: where the stage should be at a time, and how it ends.

The course is pure. A board moves all axes in a straight line, the one with the longest
way at full speed; where a ramp is set, it speeds up and slows down evenly (read in the
source of firmware v0.5; that of v1.0.4 is not public).
"""

from dataclasses import dataclass
from typing import Optional, Tuple

from typing_extensions import Protocol

from openflexure_timelapse.errors import HardwareTimeoutError
from openflexure_timelapse.hosts.direct.reckoning import Stretch, steps_of
from openflexure_timelapse.values import StagePosition

__all__ = ["Course", "Glide", "Mover"]

NS_PER_US = 1_000
NS_PER_S = 1_000_000_000
MARGIN_S = 2.0
"""A move may end so much later than expected before the board counts as stuck."""
LAG_S = 0.05
OFF_BY = 100
"""The part by which a board's clock may be wrong: a resonator's, without a crystal."""

Steps = Tuple[int, int, int]


@dataclass(frozen=True)
class Course:
    """The expected course of a move.

    Attributes
    ----------
    start, target : StagePosition
        Its ends.
    begun_ns : int
        Monotonic time at which it began.
    step_us, ramp_us : int
        The board's time for a step, and for speeding up.
    """

    start: StagePosition
    target: StagePosition
    begun_ns: int
    step_us: int
    ramp_us: int

    @property
    def longest(self) -> int:
        """Return the steps of the axis with the longest way."""
        ends = zip(steps_of(self.start), steps_of(self.target))
        return max(abs(there - here) for here, there in ends)

    @property
    def end_ns(self) -> int:
        """Return the monotonic time at which it should be over."""
        ramp_us = self.ramp_us if self.longest else 0
        return self.begun_ns + (self.longest * self.step_us + ramp_us) * NS_PER_US

    @property
    def told_ns(self) -> int:
        """Return the monotonic time at which a board should have told its end.

        Its clock is not ours, and firmware 0.5 writes its count into a slow memory
        before it speaks.
        """
        late_ns = int(LAG_S * NS_PER_S)
        return self.end_ns + late_ns + (self.end_ns - self.begun_ns) // OFF_BY

    @property
    def deadline_ns(self) -> int:
        """Return the monotonic time at which it must be over.

        With both ramps in full, which is what clients of version 1 wait for.
        """
        whole_us = self.longest * self.step_us + 2 * self.ramp_us
        return self.begun_ns + whole_us * NS_PER_US + int(MARGIN_S * NS_PER_S)

    def share_at(self, now_ns: int) -> float:
        """Return the part of the way that should be made at a time, 0 to 1."""
        if now_ns <= self.begun_ns:
            return 0.0
        if now_ns >= self.end_ns:
            return 1.0
        ramp = self.ramp_us * NS_PER_US
        whole = self.longest * self.step_us * NS_PER_US
        passed, left = now_ns - self.begun_ns, self.end_ns - now_ns
        if whole < ramp:  # never at full speed
            return passed / (self.end_ns - self.begun_ns)
        if passed < ramp:
            made = passed * passed / (2 * ramp)
        elif left < ramp:
            made = whole - left * left / (2 * ramp)
        else:
            made = passed - ramp / 2
        return made / whole

    def z_at(self, now_ns: int) -> float:
        """Return the height, in steps, where the stage should be."""
        return self.start.z + (self.target.z - self.start.z) * self.share_at(now_ns)

    def at(self, now_ns: int) -> StagePosition:
        """Return where the stage should be, in whole steps."""
        share = self.share_at(now_ns)
        start, target = steps_of(self.start), steps_of(self.target)
        x, y, z = (a + round((b - a) * share) for a, b in zip(start, target))
        return StagePosition(x, y, z)

    def between(self, from_ns: int, to_ns: int) -> Stretch:
        """Return where the stage must have been at some time between two.

        A board begins some milliseconds after it is told, and its clock is not ours.
        """
        late_ns = int(LAG_S * NS_PER_S) + max(0, to_ns - self.begun_ns) // OFF_BY
        return Stretch.over(self.at(from_ns - late_ns), self.at(to_ns + late_ns))


class Mover(Protocol):
    """What a glide needs of the stage that began it."""

    def look(self, glide: "Glide", wait_s: float) -> bool:
        """Tell whether a move is over, and take note if it is; see `DirectStage`."""
        ...

    def pause(self, glide: "Glide", until_ns: int) -> None:
        """Wait until a time, or raise when somebody stopped the move."""
        ...

    def break_off(self, glide: "Glide") -> None:
        """End a move that is not to go on."""
        ...


class Glide:
    """One move under way.

    Parameters
    ----------
    mover : Mover
        The stage.
    course : Course
        What is expected of it.

    Attributes
    ----------
    start_ns, end_ns : int
        Monotonic times at which it began, and at which it should be over.
    last_seen_ns : int
        Monotonic time at which the board last said that it moves.
    """

    POLL_NS = NS_PER_S // 10
    AFTER_NS = NS_PER_S // 50
    LISTEN_S = 0.02
    """Long enough that a line which was sent is there: silence must mean something."""

    def __init__(self, mover: Mover, course: Course) -> None:
        self._mover = mover
        self.course = course
        self.start_ns = self.last_seen_ns = course.begun_ns
        self.end_ns = course.end_ns
        self.is_over = False

    def z_at(self, monotonic_ns: int) -> float:
        """Return the height, in steps, where the stage should be at a time."""
        return self.course.z_at(monotonic_ns)

    def is_done(self) -> bool:
        """Ask whether the move is over; one exchange with the board.

        Raises
        ------
        HardwareError
            When the stage did not arrive, or the board is in trouble.
        """
        return self.is_over or self._mover.look(self, 0.0)

    def wait(self, deadline_ns: Optional[int] = None) -> None:
        """Wait until the stage has arrived, and check that it is there.

        Parameters
        ----------
        deadline_ns : int or None
            Monotonic time; None for the board's own time and two seconds.

        Raises
        ------
        HardwareTimeoutError
            When it moves still at the deadline; it is then told to stop.
        HardwareError
            When it did not arrive, was stopped, or the board is in trouble.
        """
        latest_ns = self.course.deadline_ns if deadline_ns is None else deadline_ns
        mover, now_ns = self._mover, self.start_ns
        while not self.is_over and not mover.look(self, self.LISTEN_S):
            if now_ns >= latest_ns:
                mover.break_off(self)
                target = self.course.target
                message = f"The move to {target.x}, {target.y}, {target.z} is not over "
                message += (
                    f"{(now_ns - self.start_ns) / NS_PER_S:.1f} s after its begin; "
                )
                raise HardwareTimeoutError(message + "check the board and its supply.")
            now_ns = self._next_ns(latest_ns)
            mover.pause(self, now_ns)

    def _next_ns(self, latest_ns: int) -> int:
        """Return when to look again: at the expected end, and soon after it."""
        seen_ns = self.last_seen_ns
        if seen_ns >= self.end_ns:
            return min(seen_ns + self.AFTER_NS, latest_ns)
        return min(seen_ns + self.POLL_NS, self.end_ns, latest_ns)
