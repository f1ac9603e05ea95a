"""Another thread, for tests of who holds a server's locks."""

import threading
from typing import Any, Callable, Iterable, List, Optional

from openflexure_timelapse.hosts.visit_locks import VisitLocks, try_lock

__all__ = ["HANG_S", "HungCall", "Outcome", "Somebody", "are_free", "is_free"]

HANG_S = 60.0


class Somebody:
    """Another thread, which does what it is told, one thing after the other."""

    def __init__(self) -> None:
        self._jobs: List[Callable[[], Any]] = []
        self._told = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="somebody")
        self._thread.start()

    def _work(self) -> None:
        while True:
            with self._told:
                self._told.wait_for(lambda: self._jobs or self._ended)
                if not self._jobs:
                    return
                job = self._jobs.pop(0)
            job()

    def starts(self, job: Callable[[], Any]) -> "Outcome":
        """Let it do something; return what will be known of it."""
        outcome = Outcome(job)
        with self._told:
            self._jobs.append(outcome.run)
            self._told.notify_all()
        return outcome

    def does(self, job: Callable[[], Any]) -> Any:
        """Let it do something, and wait for what it returns or raises."""
        return self.starts(job).result()

    def ends(self) -> None:
        """Let the thread end after what it does now."""
        with self._told:
            self._ended = True
            self._told.notify_all()
        self._thread.join(HANG_S)


class Outcome:
    """What a job in another thread came to."""

    def __init__(self, job: Callable[[], Any]) -> None:
        self._job = job
        self._done = threading.Event()
        self._value: Any = None
        self._error: Optional[BaseException] = None

    def run(self) -> None:
        """Do it."""
        try:
            self._value = self._job()
        except Exception as exc:  # noqa: BLE001 - raised again by `result`
            self._error = exc
        self._done.set()

    def result(self) -> Any:
        """Wait for it and return its value, or raise its error."""
        assert self._done.wait(HANG_S)
        if self._error is not None:
            raise self._error
        return self._value


class HungCall:
    """A call of the hardware in another thread, which hangs until it is let go."""

    def __init__(self, locks: VisitLocks, thread: Somebody) -> None:
        self._locks = locks
        self._hangs = threading.Event()
        self._go = threading.Event()
        self._outcome = thread.starts(self._call)
        assert self._hangs.wait(HANG_S)

    def _call(self) -> None:
        with self._locks.call("take a picture"):
            self._hangs.set()
            assert self._go.wait(HANG_S)

    def returns(self) -> None:
        """Let the call return, and wait until it has."""
        self._go.set()
        self._outcome.result()


def is_free(lock: Any, somebody: Somebody) -> bool:
    """Tell whether another thread can take a lock."""

    def try_it() -> bool:
        if not try_lock(lock):
            return False
        lock.release()
        return True

    return bool(somebody.does(try_it))


def are_free(locks: Iterable[Any]) -> bool:
    """Tell whether a thread that has nothing to do with them can take all locks."""
    somebody = Somebody()
    try:
        return all(is_free(lock, somebody) for lock in locks)
    finally:
        somebody.ends()
