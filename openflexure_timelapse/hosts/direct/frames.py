"""Frames of the live view as they come, and waiting for one."""

import contextlib
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Callable, Deque, Iterator, List, Mapping, Optional, Tuple

from openflexure_timelapse.ports import Clock, Signal

__all__ = ["Frames", "StreamFrame", "TimeBridge"]

NS_PER_S = 1_000_000_000
MOST_LOOKS = 20
CLOSE_NS = 50_000
RATE_FRAMES = 30
RECENT_FRAMES = 16


class TimeBridge:
    """From the machine's monotonic time, which a camera tells, to a clock's.

    They are the same but in a simulation that runs faster.

    Parameters
    ----------
    clock, machine : Clock
        The clock of the engine, and the machine's own. A clock that jumps has a method
        ``from_machine_ns``, which is asked instead.
    """

    def __init__(self, clock: Clock, machine: Clock) -> None:
        self._clock = clock
        self._machine = machine
        self._zero = self.both()
        self._told: Optional[Callable[[int], int]] = getattr(
            clock, "from_machine_ns", None
        )

    def to_clock(self, machine_ns: int) -> int:
        """Return the clock's monotonic time at a recent machine time."""
        if self._told is not None:
            return self._told(machine_ns)
        machine_now, clock_now = self.both()
        machine_zero, clock_zero = self._zero
        passed = machine_now - machine_zero
        rate = (clock_now - clock_zero) / passed if passed > 0 else 1.0
        return clock_now - int((machine_now - machine_ns) * rate)

    def both(self) -> Tuple[int, int]:
        """Return both times of this moment.

        A thread may be put aside between the two questions, on a busy computer for many
        milliseconds, in which a stage makes many steps: the closest of a few counts.
        """
        gap_ns, machine_ns, clock_ns = self._look()
        for _ in range(MOST_LOOKS):
            if gap_ns <= CLOSE_NS:
                break
            gap_ns, machine_ns, clock_ns = min(
                self._look(), (gap_ns, machine_ns, clock_ns)
            )
        return machine_ns, clock_ns

    def _look(self) -> Tuple[int, int, int]:
        """Return how far apart the questions were, and both times."""
        before_ns = self._machine.monotonic_ns()
        clock_ns = self._clock.monotonic_ns()
        after_ns = self._machine.monotonic_ns()
        return after_ns - before_ns, (before_ns + after_ns) // 2, clock_ns


@dataclass(frozen=True)
class StreamFrame:
    """One picture of the live view.

    Attributes
    ----------
    jpeg : bytes
        The picture.
    exposure_start_ns : int
        Monotonic time of the clock at which its exposure began, in the first row.
    exposure_middle_ns : int
        That of the middle of the exposure of the row in the middle: a sensor exposes
        its rows one after the other, in the time that it takes to read them.
    metadata : mapping
        All that the camera told of it, by libcamera's names.
    arrived_ns : int
        Monotonic time of the machine at which it was here.
    """

    jpeg: bytes
    exposure_start_ns: int
    exposure_middle_ns: int
    metadata: Mapping[str, Any]
    arrived_ns: int


class Frames:
    """The newest frame, and everybody who waits for one.

    Parameters
    ----------
    machine : Clock
        The machine's own; waits are in its time.
    """

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self._lock = threading.Lock()
        self._recent: Deque[StreamFrame] = deque(maxlen=RECENT_FRAMES)
        self._arrivals: Deque[int] = deque(maxlen=RATE_FRAMES)
        self._waiting: List[Signal] = []
        self._watching: List[List[StreamFrame]] = []
        self._count = 0

    def put(self, frame: StreamFrame) -> None:
        """Take a frame that has come."""
        with self._lock:
            self._recent.append(frame)
            self._arrivals.append(frame.arrived_ns)
            self._count += 1
            for seen in self._watching:
                seen.append(frame)
            waiting = list(self._waiting)
        for signal in waiting:
            signal.set()

    def forget(self) -> None:
        """Drop what came so far: another camera process takes over."""
        with self._lock:
            self._recent.clear()
            self._arrivals.clear()
            waiting = list(self._waiting)
        for signal in waiting:
            signal.set()

    def newest(self) -> Optional[StreamFrame]:
        """Return the newest frame; None while there is none."""
        with self._lock:
            return self._recent[-1] if self._recent else None

    def recent(self) -> Tuple[StreamFrame, ...]:
        """Return the last frames, the newest last."""
        with self._lock:
            return tuple(self._recent)

    def count(self) -> int:
        """Return how many frames came so far."""
        with self._lock:
            return self._count

    def per_second(self) -> Optional[float]:
        """Return the rate of the last frames; None while there are too few."""
        with self._lock:
            arrivals = list(self._arrivals)
        if len(arrivals) < RATE_FRAMES // 2:
            return None
        return (len(arrivals) - 1) * NS_PER_S / max(1, arrivals[-1] - arrivals[0])

    def after(self, begun_ns: Optional[int], until_ns: int) -> Optional[StreamFrame]:
        """Return the newest frame that is new enough, waiting for it.

        Parameters
        ----------
        begun_ns : int or None
            Monotonic time of the clock at which its exposure has begun, or later; None
            for any.
        until_ns : int
            Machine time until which to wait; None is returned then.
        """
        signal = self._machine.signal()
        with self._lock:
            self._waiting.append(signal)
        try:
            while True:
                signal.clear()
                frame = self.newest()
                if frame is not None and (
                    begun_ns is None or frame.exposure_start_ns >= begun_ns
                ):
                    return frame
                if not self._machine.wait_until(until_ns, signal):
                    return None
        finally:
            with self._lock:
                self._waiting.remove(signal)

    @contextlib.contextmanager
    def watched(self) -> Iterator[List[StreamFrame]]:
        """Collect every frame that comes meanwhile."""
        seen: List[StreamFrame] = []
        with self._lock:
            self._watching.append(seen)
        try:
            yield seen
        finally:
            with self._lock:
                self._watching = [each for each in self._watching if each is not seen]
