"""What is special about a clock that jumps, and about one that runs faster."""

from typing import List

import pytest

from hardware_sim.clock import EndlessWaitError, ScaledClock, VirtualClock
from openflexure_timelapse.errors import HardwareTimeoutError
from openflexure_timelapse.hosts.system import PipeSignal, RealClock

S = 1_000_000_000
WALL = 1_800_000_000 * S


@pytest.fixture(name="clock")
def make_clock() -> VirtualClock:
    """Return a virtual clock at 0."""
    return VirtualClock(WALL, boot_id="one", utc_offset_s=3600)


def test_a_wait_lands_exactly(clock: VirtualClock) -> None:
    """A wait ends at its due time, to the nanosecond."""
    clock.wait_until(123_456_789, clock.signal())
    assert clock.monotonic_ns() == 123_456_789
    assert clock.wall_ns() == WALL + 123_456_789


def test_callbacks_run_in_the_order_of_time(clock: VirtualClock) -> None:
    """Each callback sees its own time, equal times in the order of asking."""
    seen: List[object] = []
    for name, at_s in (("c", 3), ("a", 1), ("b", 1), ("late", 9)):
        clock.call_at(at_s * S, lambda n=name: seen.append((n, clock.monotonic_ns())))  # type: ignore[misc]
    clock.wait_until(5 * S, clock.signal())
    assert seen == [("a", S), ("b", S), ("c", 3 * S)]
    clock.advance(10 * S)
    assert seen[-1] == ("late", 9 * S)
    assert clock.monotonic_ns() == 15 * S


def test_a_wait_stops_where_its_signal_was_raised(clock: VirtualClock) -> None:
    """Time does not run on after the callback that raised the signal."""
    signal = clock.signal()
    clock.call_at(2 * S, signal.set)
    clock.call_at(3 * S, lambda: pytest.fail("this is later"))
    assert clock.wait_until(5 * S, signal) is True
    assert clock.monotonic_ns() == 2 * S


def test_a_callback_may_ask_for_another(clock: VirtualClock) -> None:
    """A callback asked for by a callback is met in the same wait."""
    seen: List[int] = []

    def again() -> None:
        seen.append(clock.monotonic_ns())
        if len(seen) < 3:
            clock.call_at(clock.monotonic_ns() + S, again)

    clock.call_at(S, again)
    clock.wait_until(10 * S, clock.signal())
    assert seen == [S, 2 * S, 3 * S]


def test_a_wait_that_nothing_ends_is_an_error(clock: VirtualClock) -> None:
    """A wait without end is refused, not slept through."""
    with pytest.raises(EndlessWaitError, match="no callback"):
        clock.wait_until(None, clock.signal())


def test_the_innermost_wait_obeys_the_earliest_deadline(clock: VirtualClock) -> None:
    """A call within a call ends at whichever deadline comes first."""
    outer, inner = clock.lane("outer"), clock.lane("inner")

    def hang() -> bool:
        return clock.wait_until(None, clock.signal())

    with pytest.raises(HardwareTimeoutError):
        outer.call("a", lambda: inner.call("b", hang, 50 * S), 7 * S)
    assert clock.monotonic_ns() == 7 * S
    assert clock.wait_until(8 * S, clock.signal()) is False


def test_a_call_that_comes_back_late_is_lost(clock: VirtualClock) -> None:
    """A function that computed beyond the deadline counts as no answer."""
    lane = clock.lane("test")
    with pytest.raises(HardwareTimeoutError, match=r"read.*2\.0 s"):
        lane.call("read", lambda: clock.advance(5 * S), 2 * S)


def test_a_device_may_give_up_by_itself(clock: VirtualClock) -> None:
    """A timeout that the device reports before the deadline is passed on as it is."""

    def give_up() -> None:
        raise HardwareTimeoutError("the sensor says so")

    with pytest.raises(HardwareTimeoutError, match="the sensor says so"):
        clock.lane("test").call("read", give_up, 2 * S)
    assert clock.monotonic_ns() == 0


def test_a_step_moves_the_time_of_day_only(clock: VirtualClock) -> None:
    """A step, now or at a later time, leaves the monotonic time alone."""
    clock.step_wall(-3600 * S)
    assert clock.wall_ns() == WALL - 3600 * S
    assert clock.monotonic_ns() == 0
    clock.step_wall(7200 * S, at_ns=10 * S)
    clock.advance(9 * S)
    assert clock.wall_ns() == WALL - 3591 * S
    clock.advance(2 * S)
    assert clock.wall_ns() == WALL + 3611 * S


def test_it_says_what_it_was_told(clock: VirtualClock) -> None:
    """Boot, zone and trust are as given; another start is another boot."""
    assert clock.boot_id() == "one"
    assert clock.utc_offset_s(WALL) == 3600
    assert clock.wall_is_trusted()
    assert not VirtualClock(WALL, trusted=False).wall_is_trusted()
    assert VirtualClock(1).boot_id() != VirtualClock(2).boot_id()


def test_signals_of_other_clocks_are_refused(clock: VirtualClock) -> None:
    """A wait on a foreign signal is a mistake and says so."""
    with pytest.raises(TypeError, match="another clock"):
        clock.wait_until(1, PipeSignal())


def test_a_scaled_clock_runs_faster() -> None:
    """At 1000 times the speed five seconds are over in five milliseconds."""
    real = RealClock()
    clock = ScaledClock(1000.0, real, start_wall_ns=WALL)
    began_ns, real_ns = clock.monotonic_ns(), real.monotonic_ns()
    clock.wait_until(began_ns + 5 * S, clock.signal())
    assert real.monotonic_ns() - real_ns < 5 * S
    assert clock.wall_ns() - WALL >= 5 * S
    clock.step_wall(3600 * S)
    assert clock.wall_ns() - WALL >= 3605 * S


def test_a_scaled_clock_needs_a_speed() -> None:
    """Time neither stands still nor runs backwards."""
    for speed in (0.0, -1.0):
        with pytest.raises(ValueError, match="speed"):
            ScaledClock(speed, RealClock())


def test_a_faster_clock_does_not_hurry_the_computer(clock: VirtualClock) -> None:
    """Ten real seconds of computing miss no deadline of fifteen scaled ones."""
    fast = ScaledClock(100.0, clock)
    lane = fast.lane("test")
    deadline_ns = fast.monotonic_ns() + 15 * S
    assert lane.call("compute", lambda: clock.advance(10 * S), deadline_ns) is None
    with pytest.raises(HardwareTimeoutError, match="compute"):
        lane.call(
            "compute", lambda: clock.advance(60 * S), fast.monotonic_ns() + 15 * S
        )
