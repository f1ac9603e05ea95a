"""Looks, once a second, whether a run's thread makes progress.

It only looks and tells. A thread cannot be ended from outside, and one that hangs in a
write may come back at any time and finish it; so nothing else ever takes its place in
this process. See docs/decisions/0015-watchdog.md.
"""

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, Mapping, Optional, Type

from typing_extensions import Protocol, Self

from openflexure_timelapse.ports import Clock
from openflexure_timelapse.pulse import Pulse

__all__ = ["LOOKS", "LOOK_S", "Teller", "Watchdog", "Watched"]

LOG = logging.getLogger(__name__)

NS_PER_S = 1_000_000_000
LOOK_S = 1.0
LOOKS = 20
"""A step that so many looks in a row find over time is stuck. SQLite waits ten seconds
for a lock, and a card may take as long to flush."""


class Watched(Protocol):
    """A run, as far as it is watched."""

    pulse: Pulse

    def note(self, kind: str, details: Mapping[str, Any]) -> None:
        """Put an event on record as soon as the run comes to it."""
        ...


class Teller(Protocol):
    """Who is told."""

    def stalled(self, seconds: float, doing: str) -> None:
        """Take note that there is no progress."""
        ...

    def stall_over(self, seconds: float) -> None:
        """Take note that there is some again."""
        ...


class Watchdog:
    """Watches one run for the length of a ``with`` block.

    Parameters
    ----------
    run : Watched
        The run.
    teller : Teller
        Told of a stall when it is noticed, and when it is over.
    clock : Clock
        The real one, also where the run's own clock is not.
    """

    def __init__(self, run: Watched, teller: Teller, clock: Clock) -> None:
        self._run = run
        self._teller = teller
        self._clock = clock
        self._number = -1
        self._looks = 0
        self._since_ns = 0
        self._is_stalled = False
        self._end = clock.signal()
        self._thread = threading.Thread(
            target=self._work, name="timelapse-watchdog", daemon=True
        )

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: Optional[Type[BaseException]],
        _error: Optional[BaseException],
        _trace: Optional[TracebackType],
    ) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()
        self.look()

    @property
    def stalled_for_s(self) -> Optional[float]:
        """How long the run has made no progress; None while it does."""
        if not self._is_stalled:
            return None
        return round((self._clock.monotonic_ns() - self._since_ns) / NS_PER_S, 1)

    @property
    def is_looking(self) -> bool:
        """Whether somebody would notice."""
        return self._thread.is_alive()

    def warning(self) -> Optional[str]:
        """Return the sentence for the status; None while there is progress."""
        seconds = self.stalled_for_s
        if seconds is None:
            return None
        told = f"The run has made no progress for {seconds:.0f} s (it is to "
        told += f"{self._run.pulse.step.doing}); if it does not go on by itself, "
        return told + "restart the program: the run then goes on with the same grid."

    def look(self) -> None:
        """Look once.

        Looks are counted, not seconds: a computer that was held up as a whole has not
        shown that the run is stuck.
        """
        pulse = self._run.pulse
        step = pulse.step
        if step.number != self._number or not pulse.is_overdue(step):
            self._number, self._looks = step.number, 0
            if self._is_stalled:
                self._over()
            self._since_ns = self._clock.monotonic_ns()
            return
        self._looks += 1
        if self._looks == LOOKS:
            self._stalled(step.doing)

    def _stalled(self, doing: str) -> None:
        """Tell that the run is stuck, and where."""
        self._is_stalled = True
        seconds = self.stalled_for_s or 0.0
        frame = sys._current_frames().get(self._run.pulse.owner or 0)  # noqa: SLF001 (the only way)
        where = "".join(traceback.format_stack(frame)) if frame else "unknown"
        LOG.error("The run makes no progress; it is to %s. It is at\n%s", doing, where)
        details = {"seconds": seconds, "doing": doing, "where": where}
        self._run.note("stalled", details)
        self._teller.stalled(seconds, doing)

    def _over(self) -> None:
        """Tell that it goes on."""
        seconds = self.stalled_for_s or 0.0
        self._is_stalled = False
        LOG.warning("The run goes on after %.0f s without progress.", seconds)
        self._run.note("stall_over", {"seconds": seconds})
        self._teller.stall_over(seconds)

    def _work(self) -> None:
        """Look until the end."""
        while True:
            next_ns = self._clock.monotonic_ns() + int(LOOK_S * NS_PER_S)
            if self._clock.wait_until(next_ns, self._end):
                return
            self.look()
