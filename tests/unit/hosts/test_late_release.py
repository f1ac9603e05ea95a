"""A call that hung and returns late gives back its own hold, and nobody else's."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, Callable, Iterator, List, Tuple

import pytest

from openflexure_timelapse.errors import HardwareBusyError
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.turns import Turns
from openflexure_timelapse.hosts.visit_locks import VisitLocks, try_lock

LONG_NS = 60_000_000_000
PATIENCE_S = 60.0
Run = Callable[..., "Future[Any]"]


@pytest.fixture(name="threads")
def _threads() -> Iterator[Tuple[Run, Run]]:
    """Return two threads, as a lane has when a call of its first one hangs."""
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        yield first.submit, second.submit


class Instrument:
    """A lock of a server, taken by way of turns and visit locks."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.takers = threading.Semaphore(0)
        clock = RealClock()
        self.locks = VisitLocks(self._found, clock)
        parts: Any = SimpleNamespace(
            acquire=self.locks.acquire, release=self.locks.release
        )
        turns = Turns(parts, clock)
        self.ours, self.other = turns.user(), turns.user()
        self.until_ns = clock.monotonic_ns() + LONG_NS

    def _found(self) -> List[Tuple[str, Any]]:
        """Return the lock; whoever asks has given up whoever held it before."""
        self.takers.release()
        return [("camera", self.lock)]

    def call(self, until: threading.Event, begun: threading.Event) -> None:
        """Be in a call of the hardware until told."""
        with self.locks.call("take a preview"):
            begun.set()
            assert until.wait(PATIENCE_S)


def test_a_late_release_leaves_the_next_visit_alone(threads: Tuple[Run, Run]) -> None:
    """The look of a start that hung, say, returns while the run's first visit works."""
    hung, next_one = threads
    instrument = Instrument()
    hung(instrument.ours.acquire, instrument.until_ns).result(PATIENCE_S)
    assert instrument.takers.acquire(timeout=PATIENCE_S)
    until, begun = threading.Event(), threading.Event()
    late = hung(instrument.call, until, begun)
    assert begun.wait(PATIENCE_S)
    taken = next_one(instrument.ours.acquire, instrument.until_ns)
    assert instrument.takers.acquire(timeout=PATIENCE_S)
    until.set()
    late.result(PATIENCE_S)
    taken.result(PATIENCE_S)

    hung(instrument.ours.release).result(PATIENCE_S)

    open_, seen = threading.Event(), threading.Event()
    open_.set()
    next_one(instrument.call, open_, seen).result(PATIENCE_S)
    assert not try_lock(instrument.lock)
    with pytest.raises(HardwareBusyError, match="itself uses the microscope"):
        instrument.other.acquire(0)
    next_one(instrument.ours.release).result(PATIENCE_S)
    instrument.other.acquire(0)
    instrument.other.release()
    assert try_lock(instrument.lock)
    instrument.lock.release()
