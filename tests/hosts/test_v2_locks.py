"""Server v2's locks around a visit, with the locks of the real labthings."""

import threading
from types import SimpleNamespace
from typing import Any, List, Tuple

import pytest
from labthings import CompositeLock, StrictLock
from somebody import HANG_S, HungCall, Somebody, is_free

from hardware_sim import VirtualClock
from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
    IncompleteImageError,
)
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.visit_locks import VisitLocks

START_NS = 1_800_000_000_000_000_000
MINUTE_NS = 60_000_000_000


def make_microscope() -> Any:
    """Return what the server has of locks."""
    camera = StrictLock(name="Camera", timeout=None)
    stage = StrictLock(name="Stage", timeout=None)
    return SimpleNamespace(
        camera=SimpleNamespace(lock=camera),
        stage=SimpleNamespace(lock=stage),
        lock=CompositeLock([camera, stage]),
    )


def visit_locks(microscope: Any) -> Tuple[VisitLocks, VirtualClock]:
    """Return the locks of a visit and their clock, which jumps."""
    clock = VirtualClock(START_NS)
    return VisitLocks(lambda: parts_of(microscope), clock), clock


def parts_of(microscope: Any) -> List[Tuple[str, Any]]:
    """Return the locks as the adapter finds them."""
    parts = ("camera", "stage")
    return [(name, getattr(getattr(microscope, name), "lock", None)) for name in parts]


def both_free(microscope: Any, somebody: Somebody) -> bool:
    """Tell whether another thread can take both locks."""
    parts = (microscope.camera, microscope.stage)
    return all(is_free(part.lock, somebody) for part in parts)


# ------------------------------------------------------------------ taking and giving


def test_the_camera_is_taken_before_the_stage_and_never_both_at_once() -> None:
    """Each is taken by itself, in the server's order, and given back in reverse."""
    done: List[str] = []

    class Noted(StrictLock):  # type: ignore[misc]
        def acquire(self, *args: Any, **kwargs: Any) -> Any:
            done.append(f"take {self.name}")
            return super().acquire(*args, **kwargs)

        def release(self) -> None:
            done.append(f"give {self.name}")
            super().release()

    microscope = SimpleNamespace(
        camera=SimpleNamespace(lock=Noted(name="camera", timeout=None)),
        stage=SimpleNamespace(lock=Noted(name="stage", timeout=None)),
    )
    locks, _ = visit_locks(microscope)
    locks.acquire(0)
    locks.release()
    assert done == ["take camera", "take stage", "give stage", "give camera"]


def test_what_was_taken_is_free_again(somebody: Somebody) -> None:
    """Both locks are ours between `acquire` and `release`, and only then."""
    microscope = make_microscope()
    locks, _ = visit_locks(microscope)
    for _ in range(2):
        locks.acquire(0)
        assert not is_free(microscope.camera.lock, somebody)
        assert not is_free(microscope.stage.lock, somebody)
        locks.release()
        assert both_free(microscope, somebody)


@pytest.mark.parametrize("part", ["camera", "stage"])
def test_another_user_for_a_minute_is_busy_at_the_deadline(
    part: str, somebody: Somebody, another: Somebody
) -> None:
    """The wait ends at its deadline, names the part, and holds nothing afterwards."""
    microscope = make_microscope()
    locks, clock = visit_locks(microscope)
    lock = getattr(microscope, part).lock
    somebody.does(lock.acquire)
    deadline_ns = clock.monotonic_ns() + MINUTE_NS
    with pytest.raises(HardwareBusyError, match=part):
        locks.acquire(deadline_ns)
    assert clock.monotonic_ns() == deadline_ns
    somebody.does(lock.release)
    assert both_free(microscope, another)


def test_a_user_who_ends_in_time_is_waited_for(somebody: Somebody) -> None:
    """A lock that becomes free before the deadline is taken."""
    microscope = make_microscope()
    locks, clock = visit_locks(microscope)
    somebody.does(microscope.stage.lock.acquire)
    clock.call_at(5_000_000_000, lambda: somebody.does(microscope.stage.lock.release))
    locks.acquire(MINUTE_NS)
    assert clock.monotonic_ns() < 6_000_000_000
    locks.release()


def test_a_failure_leaves_what_the_caller_held_before(
    somebody: Somebody, another: Somebody
) -> None:
    """Unlike the server's composite lock, a failed `acquire` releases only its own."""
    microscope = make_microscope()
    locks, _ = visit_locks(microscope)
    somebody.does(microscope.stage.lock.acquire)
    with microscope.camera.lock:
        with pytest.raises(HardwareBusyError):
            locks.acquire(0)
        assert not is_free(microscope.camera.lock, another)
    somebody.does(microscope.stage.lock.release)


def test_a_part_without_a_lock_is_not_locked(somebody: Somebody) -> None:
    """A stage that has no lock hinders no visit."""
    microscope = make_microscope()
    microscope.stage = SimpleNamespace()
    locks, _ = visit_locks(microscope)
    locks.acquire(0)
    assert not is_free(microscope.camera.lock, somebody)
    locks.release()
    assert is_free(microscope.camera.lock, somebody)


# ----------------------------------------------------------------------- hung calls


def test_a_hung_call_gives_the_locks_back_when_it_returns(
    somebody: Somebody, another: Somebody
) -> None:
    """Given up by another thread, the locks are busy until the call returns."""
    microscope = make_microscope()
    locks, _ = visit_locks(microscope)
    somebody.does(lambda: locks.acquire(0))
    hung = HungCall(locks, somebody)
    locks.release()
    with pytest.raises(HardwareBusyError, match="camera"):
        locks.acquire(0)
    hung.returns()
    assert both_free(microscope, another)
    locks.acquire(0)
    locks.release()


def test_a_hung_call_that_fails_gives_the_locks_back(
    somebody: Somebody, another: Somebody
) -> None:
    """Also a call that ends in an error gives back what was given up meanwhile."""
    microscope = make_microscope()
    locks, _ = visit_locks(microscope)
    somebody.does(lambda: locks.acquire(0))

    def fail() -> None:
        with locks.call("take a picture"):
            another.does(locks.release)
            raise ValueError("late")

    with pytest.raises(HardwareError, match="late"):
        somebody.does(fail)
    assert both_free(microscope, another)


def test_a_thread_that_was_given_up_calls_nothing_any_more(somebody: Somebody) -> None:
    """A sweep whose one step hung does not go on beside the next visit."""
    microscope = make_microscope()
    locks, _ = visit_locks(microscope)
    somebody.does(lambda: locks.acquire(0))
    hung = HungCall(locks, somebody)
    locks.release()
    hung.returns()

    def next_step() -> None:
        with locks.call("move the stage"):
            pytest.fail("the hardware was called")

    with pytest.raises(HardwareTimeoutError, match="move the stage"):
        somebody.does(next_step)
    somebody.does(lambda: locks.acquire(0))
    with locks.call("move the stage"):
        pass
    somebody.does(locks.release)


def test_a_call_that_returned_just_before_the_release_leaves_no_lock(
    another: Somebody,
) -> None:
    """A thread that was given up between two calls gives back as it ends."""
    microscope = make_microscope()
    locks, _ = visit_locks(microscope)
    somebody = Somebody()
    somebody.does(lambda: locks.acquire(0))
    HungCall(locks, somebody).returns()
    locks.release()
    somebody.ends()
    assert both_free(microscope, another)


def test_a_late_acquire_whose_thread_ends_leaves_no_lock(another: Somebody) -> None:
    """Nobody releases what an abandoned thread took at last: its end does."""
    microscope = make_microscope()
    locks, _ = visit_locks(microscope)
    somebody = Somebody()
    somebody.does(lambda: locks.acquire(0))
    somebody.ends()
    assert both_free(microscope, another)


def test_a_capture_that_hangs_on_a_real_lane_frees_the_camera_at_last(
    another: Somebody,
) -> None:
    """With the engine's own lane: timeout, busy, and free again once it returns."""
    microscope, clock = make_microscope(), RealClock()
    locks, lane, go = (
        VisitLocks(lambda: parts_of(microscope), clock),
        clock.lane("test"),
        threading.Event(),
    )
    threads: List[threading.Thread] = []
    begun = threading.Event()
    soon = lambda: clock.monotonic_ns() + 60 * 10**9  # noqa: E731

    def hang() -> None:
        threads.append(threading.current_thread())
        begun.set()
        with locks.call("take a picture"):
            assert go.wait(HANG_S)

    lane.call("take", lambda: locks.acquire(0), soon())
    with pytest.raises(HardwareTimeoutError):
        lane.call("take a picture", hang, clock.monotonic_ns())
    lane.call("release", locks.release, soon())
    with pytest.raises(HardwareBusyError):
        lane.call("take", lambda: locks.acquire(0), soon())
    go.set()
    assert begun.wait(HANG_S)
    threads[0].join(HANG_S)
    assert both_free(microscope, another)
    lane.call("take", lambda: locks.acquire(0), soon())
    lane.call("release", locks.release, soon())
    lane.close()


# ------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (RuntimeError("no answer"), HardwareError),
        (TimeoutError("no answer"), HardwareTimeoutError),
        (IncompleteImageError("no answer"), IncompleteImageError),
    ],
)
def test_what_drivers_raise_is_told_as_ours(raised: Exception, told: type) -> None:
    """Every error of a driver becomes one of ours, with its words in it."""
    locks, _ = visit_locks(make_microscope())
    with pytest.raises(told, match="no answer") as caught, locks.call("focus"):
        raise raised
    assert caught.type is told


def test_a_stop_of_the_thread_passes_through() -> None:
    """What is no Exception, as the server's kill of an action, is not translated."""
    locks, _ = visit_locks(make_microscope())
    with pytest.raises(SystemExit), locks.call("focus"):
        raise SystemExit
