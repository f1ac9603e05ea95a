"""Server v3's one lock around a visit, with the lock of the real labthings-fastapi."""

import threading
from pathlib import Path
from typing import Any, Optional

import pytest
from labthings_fastapi.exceptions import GlobalLockBusyError, InvocationCancelledError
from labthings_fastapi.global_lock import GlobalLock
from somebody import HANG_S, HungCall, Somebody, is_free
from v3_things import FileCamera, NotedStage, ours

from hardware_sim import VirtualClock
from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
)
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.visit_locks import try_lock
from openflexure_timelapse.ports import Signal, StagePosition

START_NS = 1_800_000_000_000_000_000
MINUTE_NS = 60_000_000_000


@pytest.mark.parametrize("kind", [GlobalLock, threading.RLock])
def test_a_lock_is_taken_once_for_each_release(kind: Any, somebody: Somebody) -> None:
    """The server's wrapper and a plain lock are tried alike, also by their owner."""
    lock = kind()
    assert try_lock(lock)
    assert try_lock(lock)
    lock.release()
    assert not is_free(lock, somebody)
    lock.release()
    assert is_free(lock, somebody)


def test_what_was_taken_is_free_again(somebody: Somebody) -> None:
    """The lock is ours between `acquire` and `release`, and only then."""
    lock = GlobalLock()
    microscope = ours(FileCamera(lock))
    for _ in range(2):
        microscope.acquire(0)
        assert not is_free(lock, somebody)
        microscope.release()
        assert is_free(lock, somebody)


def test_actions_and_assignments_of_others_work_inside_a_visit(
    somebody: Somebody,
) -> None:
    """What we call takes the lock again in our thread, and nobody else's thread can."""
    lock = GlobalLock()
    camera, stage = FileCamera(lock), NotedStage(lock)
    microscope = ours(camera, stage)
    microscope.acquire(0)
    microscope.stage.move_to(StagePosition(1, 2, 3))
    assert microscope.camera.capture(None).jpeg
    with pytest.raises(GlobalLockBusyError):
        somebody.does(lambda: stage.move_absolute(x=0, y=0, z=0))
    microscope.release()
    assert is_free(lock, somebody)


def test_another_users_action_is_busy_at_the_deadline(
    somebody: Somebody, another: Somebody
) -> None:
    """The wait ends at its deadline and leaves nothing taken."""
    lock, clock = GlobalLock(), VirtualClock(START_NS)
    microscope = ours(FileCamera(lock), clock=clock)
    somebody.does(lock.acquire)
    deadline_ns = clock.monotonic_ns() + MINUTE_NS
    with pytest.raises(HardwareBusyError, match="microscope"):
        microscope.acquire(deadline_ns)
    assert clock.monotonic_ns() == deadline_ns
    somebody.does(lock.release)
    assert is_free(lock, another)


def test_whoever_jogs_is_waited_for(somebody: Somebody) -> None:
    """A jog that ends before the deadline costs the visit its time and no more."""
    lock, clock = GlobalLock(), VirtualClock(START_NS)
    microscope = ours(FileCamera(lock), clock=clock)
    somebody.does(lock.acquire)
    clock.call_at(5_000_000_000, lambda: somebody.does(lock.release))
    microscope.acquire(MINUTE_NS)
    assert clock.monotonic_ns() < 6_000_000_000
    microscope.release()


def test_without_a_lock_nothing_is_locked() -> None:
    """A server that switches its lock off has visits nevertheless."""
    microscope = ours(FileCamera(), global_lock=lambda: None)
    microscope.acquire(0)
    assert microscope.camera.capture(None).jpeg
    microscope.release()


def test_outside_of_a_visit_a_taken_lock_is_busy(somebody: Somebody) -> None:
    """The server's own error within 50 ms is told as ours."""
    lock = GlobalLock()
    stage = NotedStage(lock)
    microscope = ours(FileCamera(lock), stage)
    somebody.does(lock.acquire)
    with pytest.raises(HardwareBusyError, match="somebody else"):
        microscope.stage.move_to(StagePosition(1, 2, 3))
    assert not stage.moves
    somebody.does(lock.release)


def test_an_action_that_somebody_cancels_ends_no_thread(somebody: Somebody) -> None:
    """What the server raises for it is no `Exception`; to us it is a failure."""
    lock = GlobalLock()
    stage = NotedStage(lock)
    stage.fails = InvocationCancelledError("stop")
    microscope = ours(FileCamera(lock), stage)
    clock = RealClock()
    lane = clock.lane("test")
    soon_ns = clock.monotonic_ns() + MINUTE_NS
    lane.call("take", lambda: microscope.acquire(0), soon_ns)
    with pytest.raises(HardwareError, match="InvocationCancelledError"):
        lane.call(
            "m", lambda: microscope.stage.move_to(StagePosition(1, 2, 3)), soon_ns
        )
    lane.call("release", microscope.release, soon_ns)
    assert is_free(lock, somebody)
    lane.close()


def test_a_hung_call_gives_the_lock_back_when_it_returns(
    somebody: Somebody, another: Somebody
) -> None:
    """Given up by another thread, the lock is busy until the call returns."""
    lock = GlobalLock()
    microscope = ours(FileCamera(lock))
    somebody.does(lambda: microscope.acquire(0))
    hung = HungCall(microscope._locks, somebody)
    microscope.release()
    microscope.camera.recover()
    with pytest.raises(HardwareBusyError, match="hangs"):
        microscope.acquire(0)
    hung.returns()
    assert is_free(lock, another)
    microscope.acquire(0)
    microscope.release()


def test_a_still_that_hangs_on_a_real_lane_frees_the_server_at_last(
    another: Somebody,
) -> None:
    """With the engine's own lane: timeout, busy, and free again once it returns."""
    lock, hangs, go = GlobalLock(), threading.Event(), threading.Event()
    threads = []

    class Impatient(RealClock):
        def wait_until(self, due_ns: Optional[int], signal: Signal) -> bool:
            if due_ns == 0:
                assert hangs.wait(HANG_S)
                return False
            return super().wait_until(due_ns, signal)

    class HungCamera(FileCamera):
        def capture_and_save_to_path(self, path: Any, capture_mode: str) -> None:
            threads.append(threading.current_thread())
            hangs.set()
            assert go.wait(HANG_S)
            super().capture_and_save_to_path(path, capture_mode)

    camera, clock = HungCamera(lock), Impatient()
    microscope, lane = ours(camera, clock=clock), clock.lane("test")
    soon_ns = clock.monotonic_ns() + MINUTE_NS
    lane.call("take", lambda: microscope.acquire(0), soon_ns)
    with pytest.raises(HardwareTimeoutError):
        lane.call("capture", lambda: microscope.camera.capture(None), 0)
    lane.call("release", microscope.release, soon_ns)
    with pytest.raises(HardwareBusyError):
        lane.call("take", lambda: microscope.acquire(0), soon_ns)
    go.set()
    threads[0].join(HANG_S)
    assert not Path(camera.paths[0]).exists()
    lane.call("take", lambda: microscope.acquire(0), soon_ns)
    lane.call("release", microscope.release, soon_ns)
    assert is_free(lock, another)
    lane.close()
