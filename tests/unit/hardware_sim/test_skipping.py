"""The clock that passes over long waits."""

import threading
from typing import List

from hardware_sim.skipping import SkippingClock
from openflexure_timelapse.hosts.system import RealClock

HOUR_NS = 3600 * 10**9
MS = 10**6


def test_a_long_wait_is_passed_over() -> None:
    """An hour is over at once, and both times show it."""
    real = RealClock()
    clock = SkippingClock(real, lambda now_ns: now_ns + HOUR_NS)
    clock.follow_me()
    began_ns, wall_ns, really_ns = (
        clock.monotonic_ns(),
        clock.wall_ns(),
        real.monotonic_ns(),
    )
    assert clock.wait_until(began_ns + HOUR_NS, clock.signal()) is False
    assert clock.monotonic_ns() >= began_ns + HOUR_NS
    assert clock.wall_ns() - wall_ns >= HOUR_NS
    assert real.monotonic_ns() - really_ns < HOUR_NS / 60
    assert clock.from_machine_ns(real.monotonic_ns()) <= clock.monotonic_ns()


def test_a_short_wait_is_waited_for() -> None:
    """What belongs to a visit takes its time."""
    clock = SkippingClock(RealClock(), lambda now_ns: now_ns + HOUR_NS)
    clock.follow_me()
    clock.wait_until(clock.monotonic_ns() + 2 * MS, clock.signal())
    assert clock.skipped_ns == 0


def test_waits_of_others_are_real() -> None:
    """Only the thread that was named has its waits passed over."""
    clock = SkippingClock(RealClock(), lambda now_ns: now_ns + HOUR_NS)
    signal, ended = clock.signal(), []

    def wait() -> None:
        ended.append(clock.wait_until(clock.monotonic_ns() + HOUR_NS, signal))

    other = threading.Thread(target=wait)
    other.start()
    signal.set()
    other.join()
    assert (ended, clock.skipped_ns) == ([True], 0)


def test_what_needs_real_time_holds_the_clock() -> None:
    """While something goes on nothing is left out; then the rest is."""
    asked: List[int] = []

    def skip_to(now_ns: int) -> int:
        asked.append(now_ns)
        return now_ns if len(asked) < 3 else now_ns + HOUR_NS

    clock = SkippingClock(RealClock(), skip_to)
    clock.follow_me()
    due_ns = clock.monotonic_ns() + HOUR_NS
    clock.wait_until(due_ns, clock.signal())
    assert len(asked) == 3
    assert asked == sorted(asked)
    assert clock.monotonic_ns() >= due_ns


def test_a_raised_signal_ends_a_wait_that_is_held() -> None:
    """Whoever ends the run need not wait for its next slot."""
    signal = RealClock().signal()

    def skip_to(now_ns: int) -> int:
        signal.set()
        return now_ns

    clock = SkippingClock(RealClock(), skip_to)
    clock.follow_me()
    assert clock.wait_until(clock.monotonic_ns() + HOUR_NS, signal) is True


def test_a_lane_keeps_its_deadlines() -> None:
    """What is called after hours were left out has as long as it had before."""
    clock = SkippingClock(RealClock(), lambda now_ns: now_ns + HOUR_NS)
    clock.follow_me()
    clock.wait_until(clock.monotonic_ns() + HOUR_NS, clock.signal())
    lane = clock.lane("test")
    assert lane.call("add", lambda: 42, clock.monotonic_ns() + 60_000 * MS) == 42
    lane.close()
