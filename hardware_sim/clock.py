"""Clocks that are not the machine's: one that jumps, and one that runs faster."""

import heapq
import threading
from typing import Callable, List, Optional, Tuple, TypeVar

from openflexure_timelapse.errors import HardwareTimeoutError
from openflexure_timelapse.ports import Clock, Lane, Signal

__all__ = [
    "EndlessWaitError",
    "ScaledClock",
    "VirtualClock",
    "VirtualLane",
    "VirtualSignal",
]

Result = TypeVar("Result")

NS_PER_S = 1_000_000_000


class EndlessWaitError(RuntimeError):
    """A wait on a virtual clock that nothing could ever end: the caller's mistake."""


class VirtualSignal:
    """A flag that ends a wait of the virtual clock; safe from any thread."""

    def __init__(self) -> None:
        self._up = threading.Event()

    def set(self) -> None:
        """Raise the flag."""
        self._up.set()

    def clear(self) -> None:
        """Lower the flag."""
        self._up.clear()

    def is_set(self) -> bool:
        """Tell whether the flag is up."""
        return self._up.is_set()


class _WallSteps:
    """How far the time of day has been stepped at a monotonic time."""

    def __init__(self) -> None:
        self._steps: Tuple[Tuple[int, int], ...] = ()

    def add(self, at_ns: int, delta_ns: int) -> None:
        """Step by `delta_ns` from the monotonic time `at_ns` on."""
        self._steps = (*self._steps, (at_ns, delta_ns))

    def total_ns(self, now_ns: int) -> int:
        """Return the sum of the steps until `now_ns`."""
        return sum(delta for at_ns, delta in self._steps if at_ns <= now_ns)


class VirtualClock:
    """Time that stands still while the program works and jumps when it waits.

    Made for one thread that waits; other threads may read the clock and raise
    signals. Two runs of one program read the same times.

    Parameters
    ----------
    start_wall_ns : int
        The time of day at the start, UTC nanoseconds since 1970.
    boot_id : str
        What `boot_id` returns; another one stands for a restarted computer. Empty for
        one made from `start_wall_ns`.
    utc_offset_s : int
        How far local time is ahead of UTC.
    trusted : bool
        What `wall_is_trusted` returns.
    start_monotonic_ns : int
        The monotonic time at the start.
    """

    def __init__(
        self,
        start_wall_ns: int,
        boot_id: str = "",
        utc_offset_s: int = 0,
        *,
        trusted: bool = True,
        start_monotonic_ns: int = 0,
    ) -> None:
        self._now_ns = start_monotonic_ns
        self._wall_at_zero_ns = start_wall_ns - start_monotonic_ns
        self._boot_id = boot_id or f"virtual-{start_wall_ns}"
        self._utc_offset_s = utc_offset_s
        self._steps = _WallSteps()
        self._calls: List[Tuple[int, int, Callable[[], None]]] = []
        self._calls_made = 0
        self._deadlines: List[int] = []
        self.trusted = trusted

    # -------------------------------------------------------------------- the port

    def monotonic_ns(self) -> int:
        """Return the virtual time; moves only in waits and in `advance`."""
        return self._now_ns

    def wall_ns(self) -> int:
        """Return the virtual time of day, steps included."""
        now_ns = self._now_ns
        return self._wall_at_zero_ns + now_ns + self._steps.total_ns(now_ns)

    def wall_is_trusted(self) -> bool:
        """Tell whether the time of day counts as synchronised."""
        return self.trusted

    def utc_offset_s(self, wall_ns: int) -> int:  # noqa: ARG002 (one zone, no summer)
        """Return the fixed offset of local time from UTC."""
        return self._utc_offset_s

    def boot_id(self) -> str:
        """Return the id that was given."""
        return self._boot_id

    def signal(self) -> VirtualSignal:
        """Make a signal."""
        return VirtualSignal()

    def wait_until(self, due_ns: Optional[int], signal: Signal) -> bool:
        """Jump to `due_ns`, or to the moment at which a callback raised `signal`.

        Inside a call on a lane the jump ends at the lane's deadline.

        Raises
        ------
        HardwareTimeoutError
            Inside a call on a lane, when the wait would last beyond its deadline.
        EndlessWaitError
            For a wait without end that no callback can end.
        """
        if not isinstance(signal, VirtualSignal):
            raise TypeError(f"a {type(signal).__name__} belongs to another clock")
        deadline_ns = min(self._deadlines) if self._deadlines else None
        until_ns = due_ns
        if deadline_ns is not None and (due_ns is None or due_ns > deadline_ns):
            until_ns = deadline_ns
        if self._jump(until_ns, signal):
            return True
        if until_ns == due_ns and due_ns is not None:
            return False
        raise HardwareTimeoutError(f"No answer until {until_ns} ns of virtual time.")

    def lane(self, name: str) -> "VirtualLane":
        """Make a lane that calls in the caller's own thread."""
        return VirtualLane(self, name)

    # --------------------------------------------------------------------- direction

    def advance(self, duration_ns: int) -> None:
        """Let time pass without a wait, as a long computation would."""
        self._jump(self._now_ns + duration_ns, VirtualSignal())

    def call_at(self, monotonic_ns: int, function: Callable[[], None]) -> None:
        """Call `function` when time passes `monotonic_ns`, in the order of time.

        It runs inside the wait or `advance` that passes that time, and may raise
        signals, step the clock or ask for further calls.
        """
        self._calls_made += 1
        heapq.heappush(self._calls, (monotonic_ns, self._calls_made, function))

    def step_wall(self, delta_ns: int, at_ns: Optional[int] = None) -> None:
        """Step the time of day, now or at the monotonic time `at_ns`."""
        self._steps.add(self._now_ns if at_ns is None else at_ns, delta_ns)

    def _jump(self, until_ns: Optional[int], signal: VirtualSignal) -> bool:
        """Move to `until_ns`, making the calls on the way; True for a raised signal."""
        while not signal.is_set():
            if self._calls and (until_ns is None or self._calls[0][0] <= until_ns):
                at_ns, _, function = heapq.heappop(self._calls)
                self._now_ns = max(self._now_ns, at_ns)
                function()
                continue
            if until_ns is None:
                message = "A wait without end on a virtual clock: no time is due and "
                raise EndlessWaitError(message + "no callback is left to end it.")
            self._now_ns = max(self._now_ns, until_ns)
            return False
        return True

    def _call_within(
        self, what: str, function: Callable[[], Result], deadline_ns: int
    ) -> Result:
        """Run a lane's call under its deadline."""
        started_ns = self._now_ns
        self._deadlines.append(deadline_ns)
        try:
            result = function()
        except HardwareTimeoutError as exc:
            if self._now_ns < deadline_ns:
                raise
            raise _no_answer(what, deadline_ns - started_ns) from exc
        finally:
            self._deadlines.pop()
        if self._now_ns > deadline_ns:
            raise _no_answer(what, deadline_ns - started_ns)
        return result


def _no_answer(what: str, waited_ns: int) -> HardwareTimeoutError:
    """Return the error of a call that outlived its deadline."""
    message = f"Could not {what}: no answer within {waited_ns / NS_PER_S:.1f} s; "
    return HardwareTimeoutError(message + "check the cable and the power.")


class VirtualLane:
    """Calls hardware at once, in the caller's thread, under a virtual deadline.

    A hung device is one that waits for ever: the wait ends at the deadline, in virtual
    time, with the error that a real lane raises.
    """

    def __init__(self, clock: VirtualClock, name: str) -> None:
        self._clock = clock
        self.name = name

    def call(
        self, what: str, function: Callable[[], Result], deadline_ns: int
    ) -> Result:
        """Run `function`; see `ports.Lane`.

        Raises
        ------
        HardwareTimeoutError
            When `function` waited, or returned, after `deadline_ns`.
        """
        return self._clock._call_within(what, function, deadline_ns)  # noqa: SLF001 (one unit)

    def close(self) -> None:
        """Do nothing: there is no thread to end."""


# What a simulated device computes takes real time, which does not shrink with the
# speed: at 100 times, a focus sweep of 1 s of rendering would miss a deadline of 75
# scaled seconds. Long enough for a busy machine, short enough to wait for after a hang.
COMPUTING_NS = 15 * NS_PER_S


class ScaledClock:
    """A real clock whose time runs `speed` times faster.

    Parameters
    ----------
    speed : float
        Simulated seconds for one real second.
    inner : Clock
        The real clock; its waits and its threads are used.
    start_wall_ns : int or None
        The time of day at the start; None for the inner clock's.
    computing_ns : int
        Real time by which each deadline of a lane is longer.
    """

    def __init__(
        self,
        speed: float,
        inner: Clock,
        start_wall_ns: Optional[int] = None,
        computing_ns: int = COMPUTING_NS,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"the speed must be above 0, not {speed}")
        self._speed = speed
        self._inner = inner
        self._begun_ns = inner.monotonic_ns()
        wall_ns = inner.wall_ns() if start_wall_ns is None else start_wall_ns
        self._wall_at_zero_ns = wall_ns - self._begun_ns
        self._boot_id = f"{inner.boot_id()}-{self._begun_ns}"
        self._steps = _WallSteps()
        self._computing_ns = computing_ns

    def monotonic_ns(self) -> int:
        """Return the scaled time; equal to the inner clock's at the start."""
        passed_ns = self._inner.monotonic_ns() - self._begun_ns
        return self._begun_ns + int(passed_ns * self._speed)

    def wall_ns(self) -> int:
        """Return the time of day, which runs as fast, steps included."""
        now_ns = self.monotonic_ns()
        return self._wall_at_zero_ns + now_ns + self._steps.total_ns(now_ns)

    def wall_is_trusted(self) -> bool:
        """Return True: the simulated time of day is right by definition."""
        return True

    def utc_offset_s(self, wall_ns: int) -> int:
        """Return the offset of the inner clock's zone."""
        return self._inner.utc_offset_s(wall_ns)

    def boot_id(self) -> str:
        """Return an id of this clock: no other one's monotonic times compare."""
        return self._boot_id

    def signal(self) -> Signal:
        """Make a signal of the inner clock."""
        return self._inner.signal()

    def wait_until(self, due_ns: Optional[int], signal: Signal) -> bool:
        """Wait for the shorter real time; see `ports.Clock`."""
        while due_ns is not None:
            left_ns = due_ns - self.monotonic_ns()
            if left_ns <= 0:
                return signal.is_set()
            real_ns = self._inner.monotonic_ns() + int(left_ns / self._speed) + 1
            if self._inner.wait_until(real_ns, signal):
                return True
        return self._inner.wait_until(None, signal)

    def lane(self, name: str) -> "Lane":
        """Make a lane of the inner clock that reads deadlines in scaled time."""
        return _ScaledLane(self, self._inner.lane(name), self._computing_ns)

    def step_wall(self, delta_ns: int, at_ns: Optional[int] = None) -> None:
        """Step the time of day, now or at the scaled monotonic time `at_ns`."""
        self._steps.add(self.monotonic_ns() if at_ns is None else at_ns, delta_ns)

    def real_ns(self, scaled_ns: int) -> int:
        """Return the inner clock's monotonic time at a scaled one."""
        return self._begun_ns + int((scaled_ns - self._begun_ns) / self._speed)


class _ScaledLane:
    """A real lane under scaled deadlines, each longer by some real time."""

    def __init__(self, clock: ScaledClock, inner: Lane, longer_ns: int) -> None:
        self._clock = clock
        self._longer_ns = longer_ns
        self._inner = inner

    def call(
        self, what: str, function: Callable[[], Result], deadline_ns: int
    ) -> Result:
        """Run `function` on the inner lane; see `ports.Lane`."""
        real_ns = self._clock.real_ns(deadline_ns) + self._longer_ns
        return self._inner.call(what, function, real_ns)

    def close(self) -> None:
        """Let the inner lane's thread end."""
        self._inner.close()
