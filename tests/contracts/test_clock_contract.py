"""What every clock promises: simulated, scaled and real."""

import threading
from typing import Callable, Dict, List, Optional

import pytest

from hardware_sim.clock import ScaledClock, VirtualClock
from openflexure_timelapse.errors import HardwareTimeoutError
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import Clock, Signal

MS = 1_000_000
START_NS = 1_800_000_000_000_000_000

CLOCKS: Dict[str, Callable[[], Clock]] = {
    "virtual": lambda: VirtualClock(START_NS),
    "scaled": lambda: ScaledClock(50.0, RealClock()),
    "real": RealClock,
}


@pytest.fixture(params=sorted(CLOCKS))
def clock(request: pytest.FixtureRequest) -> Clock:
    """Return each clock in turn."""
    return CLOCKS[request.param]()


def raise_meanwhile(clock: Clock, signal: Signal) -> List[threading.Thread]:
    """Arrange that somebody else raises a signal while the caller waits."""
    if isinstance(clock, VirtualClock):
        clock.call_at(clock.monotonic_ns() + MS, signal.set)
        return []
    thread = threading.Thread(target=signal.set)
    thread.start()
    return [thread]


def test_a_wait_ends_when_its_time_has_come(clock: Clock) -> None:
    """A wait for a moment returns False, not before that moment."""
    due_ns = clock.monotonic_ns() + 3 * MS
    assert clock.wait_until(due_ns, clock.signal()) is False
    assert clock.monotonic_ns() >= due_ns


def test_a_wait_for_the_past_returns_at_once(clock: Clock) -> None:
    """A wait for a moment that has passed returns False."""
    assert clock.wait_until(clock.monotonic_ns() - MS, clock.signal()) is False


@pytest.mark.parametrize("ahead_ns", [None, -MS, 3_600_000 * MS])
def test_a_raised_signal_wins(clock: Clock, ahead_ns: Optional[int]) -> None:
    """With its signal up every wait returns True at once, whatever its time."""
    signal = clock.signal()
    signal.set()
    due_ns = None if ahead_ns is None else clock.monotonic_ns() + ahead_ns
    assert clock.wait_until(due_ns, signal) is True


@pytest.mark.parametrize("ahead_ns", [None, 3_600_000 * MS])
def test_a_signal_from_elsewhere_ends_a_wait(
    clock: Clock, ahead_ns: Optional[int]
) -> None:
    """A wait, with or without an end, is over when another raises its signal."""
    signal = clock.signal()
    due_ns = None if ahead_ns is None else clock.monotonic_ns() + ahead_ns
    threads = raise_meanwhile(clock, signal)
    assert clock.wait_until(due_ns, signal) is True
    if due_ns is not None:
        assert clock.monotonic_ns() < due_ns
    for thread in threads:
        thread.join()


def test_a_lowered_signal_ends_nothing(clock: Clock) -> None:
    """A signal that went down again does not end the next wait."""
    signal = clock.signal()
    signal.set()
    signal.set()
    assert signal.is_set()
    signal.clear()
    assert not signal.is_set()
    assert clock.wait_until(clock.monotonic_ns() + MS, signal) is False


def test_signals_are_apart(clock: Clock) -> None:
    """One signal says nothing about another."""
    first, second = clock.signal(), clock.signal()
    first.set()
    assert not second.is_set()


def test_monotonic_time_never_runs_backwards(clock: Clock) -> None:
    """Later readings are not smaller."""
    times = []
    for _ in range(50):
        times.append(clock.monotonic_ns())
        clock.wait_until(times[-1] + 1000, clock.signal())
    assert times == sorted(times)


def test_both_times_run_at_one_speed(clock: Clock) -> None:
    """Without a step the time of day moves on with the monotonic time."""
    before = clock.wall_ns() - clock.monotonic_ns()
    clock.wait_until(clock.monotonic_ns() + 2 * MS, clock.signal())
    after = clock.wall_ns() - clock.monotonic_ns()
    assert abs(after - before) < 1000 * MS


def test_a_boot_has_one_id(clock: Clock) -> None:
    """The id of the boot is not empty and does not change."""
    assert clock.boot_id()
    assert clock.boot_id() == clock.boot_id()


def test_the_zone_is_known(clock: Clock) -> None:
    """The offset from UTC is less than a day, and trust is a plain yes or no."""
    assert abs(clock.utc_offset_s(START_NS)) < 86_400
    assert clock.wall_is_trusted() in (True, False)


def test_a_lane_returns_the_result(clock: Clock) -> None:
    """A call on a lane gives what the function gave."""
    lane = clock.lane("test")
    assert lane.call("add", lambda: 20 + 22, clock.monotonic_ns() + 60_000 * MS) == 42
    lane.close()


def test_a_lane_raises_what_was_raised(clock: Clock) -> None:
    """An error of the function is the caller's, and the lane goes on working."""
    lane = clock.lane("test")
    far_ns = clock.monotonic_ns() + 60_000 * MS
    with pytest.raises(ZeroDivisionError):
        lane.call("divide", lambda: 1 // 0, far_ns)
    assert lane.call("add", lambda: 1, far_ns) == 1
    lane.close()


def test_a_lane_has_one_thread(clock: Clock) -> None:
    """Calls of one lane are all made on the same thread."""
    lane = clock.lane("test")
    far_ns = clock.monotonic_ns() + 60_000 * MS
    threads = {lane.call("ask", threading.get_ident, far_ns) for _ in range(3)}
    assert len(threads) == 1
    lane.close()


def test_a_hung_call_ends_at_its_deadline(clock: Clock) -> None:
    """A call that never returns is a timeout that names it; the lane goes on."""
    lane, release = clock.lane("test"), clock.signal()
    deadline_ns = clock.monotonic_ns() + 5 * MS
    with pytest.raises(HardwareTimeoutError, match="move the stage"):
        lane.call(
            "move the stage", lambda: clock.wait_until(None, release), deadline_ns
        )
    assert clock.monotonic_ns() >= deadline_ns
    assert lane.call("add", lambda: 1, clock.monotonic_ns() + 60_000 * MS) == 1
    release.set()
    lane.close()


def test_a_wait_inside_a_call_may_be_short(clock: Clock) -> None:
    """A device that takes its time, but less than the deadline, is waited for."""
    lane = clock.lane("test")
    due_ns = clock.monotonic_ns() + 2 * MS
    result = lane.call(
        "wait",
        lambda: clock.wait_until(due_ns, clock.signal()),
        clock.monotonic_ns() + 60_000 * MS,
    )
    assert result is False
    assert clock.monotonic_ns() >= due_ns
    lane.close()
