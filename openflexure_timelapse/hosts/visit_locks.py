"""A server's locks around one visit, and a frame around every call of its hardware.

Server v2 has one lock for each part of the microscope, server v3 one for all. They
belong to the thread that took them, and only that thread can give them back.
A call that hangs keeps its thread, so the lane goes on with another one, and then:

* a release from the other thread only marks the locks as given up; the thread that
  holds them gives them back when its call returns;
* a thread that ends gives back whatever it still holds, also when its call returned
  in the moment between the lane's deadline and the release;
* a thread whose locks were given up makes no further call, and its late release leaves
  alone whoever has taken the hardware since.
"""

import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
    TimelapseError,
)
from openflexure_timelapse.ports import Clock

__all__ = ["Parts", "VisitLocks", "try_lock"]

POLL_NS = 20_000_000
STOPS = (GeneratorExit, KeyboardInterrupt, SystemExit)
"""What ends a thread or the process, and is nobody's failure."""
BUSY = "GlobalLockBusyError"
"""What server v3 raises where its lock was not to be had; known by its name only."""

Parts = Sequence[Tuple[str, Any]]


class _Hold:
    """The locks that one thread has taken for one visit."""

    def __init__(self) -> None:
        self.owner = threading.get_ident()
        self.given_up = False
        self._taken: List[Any] = []
        self._mutex = threading.Lock()

    def add(self, lock: Any) -> None:
        """Take note of a lock that this thread has taken."""
        self._taken.append(lock)

    def give_back(self) -> None:
        """Release everything; only in the thread that took it, else nothing happens."""
        if threading.get_ident() == self.owner:
            while self._taken:
                self._taken.pop().release()

    def give_up(self) -> None:
        """Leave the release to the owner."""
        with self._mutex:
            self.given_up = True

    def call_returned(self) -> None:
        """Release, in the owner's thread, what was given up while a call hung."""
        with self._mutex:
            if self.given_up:
                self.give_back()


class _ThreadEnd:
    """Held by a thread's own variables, which CPython clears as the thread ends."""

    def __init__(self, hold: _Hold) -> None:
        self._hold = hold

    def __del__(self) -> None:
        self._hold.give_back()


class _Mine(threading.local):
    """What the present thread took last."""

    hold: Optional[_Hold] = None
    end: Optional[_ThreadEnd] = None


def try_lock(lock: Any) -> bool:
    """Take a lock if it is free or ours; never wait, and never raise.

    Parameters
    ----------
    lock : object
        An ``RLock``, server v3's lock, which is a wrapper of one, or server v2's strict
        lock: that raises where it cannot be had, unless it is told not to.
    """
    try:
        return bool(lock.acquire(blocking=False, timeout=None, _strict=False))
    except TypeError:
        return bool(lock.acquire(blocking=False))


class VisitLocks:
    """The locks of a microscope, taken one by one.

    Parameters
    ----------
    find_locks : callable
        Returns them in the order of taking, each with the name of what it guards; None
        for a part that has no lock. Asked for each visit.
    clock : Clock
        Keeps the deadline.
    """

    def __init__(self, find_locks: Callable[[], Parts], clock: Clock) -> None:
        self._find_locks = find_locks
        self._clock = clock
        self._mine = _Mine()
        self._current: Optional[_Hold] = None

    def acquire(self, deadline_ns: int) -> None:
        """Take all locks; see `ports.Microscope`.

        Raises
        ------
        HardwareBusyError
            When one is not free by `deadline_ns`; none is held then.
        """
        self.release()
        hold = _Hold()
        for part, lock in self._find_locks():
            if not self.take(lock, deadline_ns):
                hold.give_back()
                message = f"Somebody else uses the {part}, or a call to it still "
                raise HardwareBusyError(message + "hangs; try again later.")
            if lock is not None:
                hold.add(lock)
        self._mine.hold, self._mine.end = hold, _ThreadEnd(hold)
        self._current = hold

    def take(self, lock: Optional[Any], deadline_ns: int) -> bool:
        """Try to take one lock until the deadline, at least once.

        Without blocking: on Python 3.7 a lock's own timeout follows the time of day,
        and server v3's ends after 50 ms.

        Parameters
        ----------
        lock : object or None
            As `try_lock` knows them; None is taken at once.
        deadline_ns : int
            Monotonic time.
        """
        if lock is None or try_lock(lock):
            return True
        signal = self._clock.signal()  # two descriptors: only for who must wait
        while not try_lock(lock):
            now_ns = self._clock.monotonic_ns()
            if now_ns >= deadline_ns:
                return False
            self._clock.wait_until(min(now_ns + POLL_NS, deadline_ns), signal)
        return True

    def release(self) -> None:
        """Give the locks back, or leave that to the thread whose call still hangs."""
        mine = self._mine.hold
        if mine is not None:
            if mine is self._current:
                self._current = None
            mine.give_back()
            self._mine.hold = self._mine.end = None
            return
        hold, self._current = self._current, None
        if hold is not None:
            hold.give_up()

    @contextmanager
    def call(self, what: str) -> Iterator[None]:
        """Frame a call of the hardware.

        Parameters
        ----------
        what : str
            A verb phrase for the error message.

        Raises
        ------
        HardwareTimeoutError
            When this thread was given up before, or for a driver's `TimeoutError`.
        HardwareBusyError
            When the server's own lock was not to be had.
        HardwareError
            For whatever else a driver raises, also for what is no `Exception`: server
            v3 tells so that an action was cancelled, and the engine's thread runs none.
        """
        hold = self._mine.hold
        if hold is not None and hold.given_up:
            message = f"Could not {what}: an earlier call hung for too long; "
            raise HardwareTimeoutError(message + "wait for the next visit.")
        try:
            yield
        except (TimelapseError, *STOPS):
            raise
        except BaseException as exc:  # drivers raise what they like
            raise _ours(what, exc) from exc
        finally:
            if hold is not None:
                hold.call_returned()


def _ours(what: str, error: BaseException) -> HardwareError:
    """Return our error for what a driver raised.

    Server v3's busy error is also a `TimeoutError`, and the camera did not hang then.
    """
    if any(kind.__name__ == BUSY for kind in type(error).__mro__):
        message = f"Could not {what}: somebody else uses the microscope; "
        return HardwareBusyError(message + "try again later.")
    if isinstance(error, TimeoutError):
        return HardwareTimeoutError(_failed(what, error))
    return HardwareError(_failed(what, error))


def _failed(what: str, error: BaseException) -> str:
    """Return the sentence for what a driver raised, and for what that came of."""
    cause = f" (from {error.__cause__!r})" if error.__cause__ is not None else ""
    told = f"{error!r}{cause}; check the cables and the server's log."
    return f"Could not {what}: {told}"
