"""Signs of life of the thread that runs a run, taken from its use of the clock.

Every wait of a run and every call of its hardware goes through the clock, with the time
by which it is over. Between two such steps the thread only works, which takes no time
worth planning. So a step that is over time is a thread that is stuck, however long the
interval and however long a visit may take.
"""

import threading
from typing import Callable, NamedTuple, Optional, TypeVar

from openflexure_timelapse.ports import Clock, Lane, Signal

__all__ = ["Pulse", "Step"]

Result = TypeVar("Result")

WORK = "work on what it has"


class Step(NamedTuple):
    """What the thread does at this moment.

    Attributes
    ----------
    number : int
        Another one for each step.
    doing : str
        A verb phrase, for people.
    until_ns : int or None
        Monotonic time of the engine's clock by which it is over; None for a wait
        without end.
    """

    number: int
    doing: str
    until_ns: Optional[int]


class Pulse:
    """A clock that takes note of what one thread does with it.

    Parameters
    ----------
    clock : Clock
        Does the work.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.owner: Optional[int] = None
        self.step = Step(0, WORK, clock.monotonic_ns())

    # -------------------------------------------------------------- for who watches it

    def begin(self) -> None:
        """Follow the thread that calls this, and no other."""
        self.owner = threading.get_ident()
        self.beat()

    def beat(self) -> None:
        """Show a sign of life in the middle of long work."""
        self._enter(WORK, self._clock.monotonic_ns())

    def is_overdue(self, step: Step) -> bool:
        """Tell whether a step, if it is still the present one, is over time."""
        return step.until_ns is not None and self._clock.monotonic_ns() >= step.until_ns

    def _enter(self, doing: str, until_ns: Optional[int]) -> None:
        """Begin another step; other threads use the clock unseen."""
        if threading.get_ident() == self.owner:
            self.step = Step(self.step.number + 1, doing, until_ns)

    # -------------------------------------------------------------------- as the clock

    def monotonic_ns(self) -> int:
        """Return the clock's time; see `ports.Clock`, also for what follows."""
        now_ns = self._clock.monotonic_ns()
        self._enter(WORK, now_ns)
        return now_ns

    def wall_ns(self) -> int:
        """Return the time of day."""
        return self._clock.wall_ns()

    def wall_is_trusted(self) -> bool:
        """Tell whether the time of day can be believed."""
        return self._clock.wall_is_trusted()

    def utc_offset_s(self, wall_ns: int) -> int:
        """Return how far local time is ahead of UTC."""
        return self._clock.utc_offset_s(wall_ns)

    def boot_id(self) -> str:
        """Return the id of this boot."""
        return self._clock.boot_id()

    def signal(self) -> Signal:
        """Make a signal of the clock."""
        return self._clock.signal()

    def wait_until(self, due_ns: Optional[int], signal: Signal) -> bool:
        """Wait; a step until `due_ns`."""
        self._enter("wait for the next time point", due_ns)
        try:
            return self._clock.wait_until(due_ns, signal)
        finally:
            self.beat()

    def lane(self, name: str) -> Lane:
        """Make a lane whose calls are steps until their deadlines."""
        return _SeenLane(self, self._clock.lane(name))


class _SeenLane:
    """A lane whose calls are steps."""

    def __init__(self, pulse: Pulse, lane: Lane) -> None:
        self._pulse = pulse
        self._lane = lane

    def call(
        self, what: str, function: Callable[[], Result], deadline_ns: int
    ) -> Result:
        """Run `function` on the lane; see `ports.Lane`."""
        self._pulse._enter(what, deadline_ns)  # noqa: SLF001 (one unit)
        try:
            return self._lane.call(what, function, deadline_ns)
        finally:
            self._pulse.beat()

    def close(self) -> None:
        """Let the lane's thread end."""
        self._lane.close()
