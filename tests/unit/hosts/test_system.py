"""The real clock and the hardware thread."""

import gc
import threading
import time
from pathlib import Path

import pytest

from openflexure_timelapse.errors import HardwareBusyError, HardwareTimeoutError
from openflexure_timelapse.hosts.system import MOST_STUCK, RealClock

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


@pytest.fixture(name="clock")
def _clock() -> RealClock:
    return RealClock()


class Stuck:
    """Calls that hang until they are let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.ended = threading.Semaphore(0)

    def __call__(self) -> None:
        """Hang."""
        self.let_go.wait()
        self.ended.release()


def test_a_wait_ends_at_its_due_time_and_not_before(clock: RealClock) -> None:
    """A wait returns False, and never before the time came."""
    due_ns = clock.monotonic_ns() + 5 * NS_PER_MS
    assert clock.wait_until(due_ns, clock.signal()) is False
    assert clock.monotonic_ns() >= due_ns


def test_a_raised_signal_ends_a_wait_for_ever(clock: RealClock) -> None:
    """Another thread's signal ends a wait that has no due time."""
    signal = clock.signal()
    thread = threading.Thread(target=signal.set)
    thread.start()
    assert clock.wait_until(None, signal) is True
    thread.join()


def test_a_raised_signal_wins_over_a_past_due_time(clock: RealClock) -> None:
    """When both hold, the answer is the signal, until it is lowered."""
    signal = clock.signal()
    signal.set()
    signal.set()
    assert clock.wait_until(0, signal) is True
    signal.clear()
    signal.clear()
    assert not signal.is_set()
    assert clock.wait_until(0, signal) is False


def test_a_signal_of_another_clock_is_refused(clock: RealClock) -> None:
    """A signal that poll cannot see would be a wait that nobody can end."""
    with pytest.raises(TypeError, match="another clock"):
        clock.wait_until(0, threading.Event())  # type: ignore[arg-type]


def test_monotonic_times_of_one_boot_share_its_id(clock: RealClock) -> None:
    """Two clocks of one machine agree on the boot."""
    assert clock.boot_id() == RealClock().boot_id() != ""


def test_all_calls_of_a_lane_share_one_thread(clock: RealClock) -> None:
    """The locks of server v2 belong to a thread, so a lane has one."""
    lane = clock.lane("lane")
    deadline_ns = clock.monotonic_ns() + 60 * NS_PER_S
    threads = {lane.call("look", threading.get_ident, deadline_ns) for _ in range(5)}
    lane.close()
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_what_a_call_raises_reaches_the_caller(clock: RealClock) -> None:
    """An error of the hardware is raised as it was."""

    def fail() -> None:
        raise ValueError("no film")

    lane = clock.lane("lane")
    with pytest.raises(ValueError, match="no film"):
        lane.call("look", fail, clock.monotonic_ns() + 60 * NS_PER_S)
    lane.close()


def test_a_hung_call_is_given_up_and_the_lane_goes_on(clock: RealClock) -> None:
    """After a deadline the next call has a thread that answers."""
    stuck, lane = Stuck(), clock.lane("lane")
    with pytest.raises(HardwareTimeoutError, match="capture an image"):
        lane.call("capture an image", stuck, clock.monotonic_ns() + NS_PER_MS)
    later_ns = clock.monotonic_ns() + 60 * NS_PER_S
    assert lane.call("look", lambda: "picture", later_ns) == "picture"
    stuck.let_go.set()
    assert stuck.ended.acquire(timeout=60)
    lane.close()


def test_the_number_of_hung_threads_is_bounded(clock: RealClock) -> None:
    """A camera that hangs at each call for a week does not eat the memory."""
    stuck, lane = Stuck(), clock.lane("lane")
    for _ in range(MOST_STUCK):
        with pytest.raises(HardwareTimeoutError):
            lane.call("capture", stuck, clock.monotonic_ns() + NS_PER_MS)
    with pytest.raises(HardwareBusyError, match="still hang"):
        lane.call("capture", stuck, clock.monotonic_ns() + 60 * NS_PER_S)
    stuck.let_go.set()
    for _ in range(MOST_STUCK):
        assert stuck.ended.acquire(timeout=60)
    lane.close()


def test_a_zone_that_is_set_during_a_run_is_read(
    clock: RealClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The C library alone would keep the first zone until the process ends."""
    try:
        for zone, offset_s in (("LHST-10:30", 37_800), ("NST3:30", -12_600)):
            monkeypatch.setenv("TZ", zone)
            assert clock.utc_offset_s(clock.wall_ns()) == offset_s
    finally:
        monkeypatch.undo()
        time.tzset()


def test_calls_that_hung_and_failed_leave_nothing_open(clock: RealClock) -> None:
    """Neither a thread nor a descriptor waits for the garbage collector."""
    open_files = Path("/proc/self/fd")
    lane = clock.lane("hung")
    gc.collect()
    before = len(list(open_files.iterdir()))
    gc.disable()
    try:
        for _ in range(10):
            let_go = threading.Event()

            def fails(let_go: threading.Event = let_go) -> None:
                let_go.wait()
                raise HardwareTimeoutError

            with pytest.raises(HardwareTimeoutError):
                lane.call("hang", fails, clock.monotonic_ns() + NS_PER_MS)
            let_go.set()
            for thread in threading.enumerate():
                if thread.name == "hung":
                    thread.join()
        lane.close()
        assert len(list(open_files.iterdir())) <= before + 2
    finally:
        gc.enable()
