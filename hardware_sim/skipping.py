"""A clock that passes over the long waits of one thread, and nothing else.

For hardware that takes real time, such as a camera in a process of its own: whatever is
done takes as long as it takes, and only the time in which a run waits for its next slot
is left out. So a week with a slot every ten minutes takes half an hour, and no
deadline, no watchdog and no exposure is shorter or longer than on a microscope.
"""

import threading
from typing import Callable, Optional, TypeVar

from openflexure_timelapse.ports import Clock, Lane, Signal

__all__ = ["SkippingClock"]

Result = TypeVar("Result")

NS_PER_S = 1_000_000_000
LOOK_AGAIN_NS = NS_PER_S // 20
LONG_NS = 5 * NS_PER_S
"""Shorter waits belong to what is done, such as the settling of the stage."""
KEPT_NS = NS_PER_S // 10
"""So much of each wait is really waited for, at its end."""


class SkippingClock:
    """The machine's clock, and what was left out.

    Parameters
    ----------
    inner : Clock
        The real one.
    skip_to : callable
        Given the time, returns that up to which nothing happens that needs real time;
        the time itself where something goes on now.

    Attributes
    ----------
    skipped_ns : int
        What was left out so far.
    """

    def __init__(self, inner: Clock, skip_to: Callable[[int], int]) -> None:
        self._inner = inner
        self._skip_to = skip_to
        self._waiter: Optional[int] = None
        self.skipped_ns = 0

    def follow_me(self) -> None:
        """Let the waits of the thread that calls this be the ones that are left out."""
        self._waiter = threading.get_ident()

    def from_machine_ns(self, machine_ns: int) -> int:
        """Return this clock's time at a recent one of the machine's."""
        return machine_ns + self.skipped_ns

    def monotonic_ns(self) -> int:
        """Return the time, with what was left out."""
        return self._inner.monotonic_ns() + self.skipped_ns

    def wall_ns(self) -> int:
        """Return the time of day, with what was left out."""
        return self._inner.wall_ns() + self.skipped_ns

    def wall_is_trusted(self) -> bool:
        """Return True: the simulated time of day is right by definition."""
        return True

    def utc_offset_s(self, wall_ns: int) -> int:
        """Return the offset of the inner clock's zone."""
        return self._inner.utc_offset_s(wall_ns)

    def boot_id(self) -> str:
        """Return the inner clock's."""
        return self._inner.boot_id()

    def signal(self) -> Signal:
        """Make a signal of the inner clock."""
        return self._inner.signal()

    def wait_until(self, due_ns: Optional[int], signal: Signal) -> bool:
        """Wait, or pass over most of it; see `ports.Clock`."""
        if due_ns is None:
            return self._inner.wait_until(None, signal)
        if threading.get_ident() == self._waiter:
            self._pass(due_ns, signal)
        return self._inner.wait_until(due_ns - self.skipped_ns, signal)

    def _pass(self, due_ns: int, signal: Signal) -> None:
        """Leave out what can be left out of a long wait."""
        last_ns = due_ns - KEPT_NS
        if due_ns - self.monotonic_ns() < LONG_NS:
            return
        while not signal.is_set():
            now_ns = self.monotonic_ns()
            if now_ns >= last_ns:
                return
            to_ns = min(last_ns, self._skip_to(now_ns))
            if to_ns > now_ns:
                self.skipped_ns += to_ns - now_ns
                continue
            soon_ns = self._inner.monotonic_ns() + LOOK_AGAIN_NS
            self._inner.wait_until(soon_ns, signal)

    def lane(self, name: str) -> Lane:
        """Make a lane of the inner clock: nothing is left out while it works."""
        return _Lane(self, self._inner.lane(name))


class _Lane:
    """A real lane under deadlines of the skipping clock."""

    def __init__(self, clock: SkippingClock, inner: Lane) -> None:
        self._clock = clock
        self._inner = inner

    def call(
        self, what: str, function: Callable[[], Result], deadline_ns: int
    ) -> Result:
        """Run `function` on the inner lane; see `ports.Lane`."""
        return self._inner.call(what, function, deadline_ns - self._clock.skipped_ns)

    def close(self) -> None:
        """Let the inner lane's thread end."""
        self._inner.close()
