"""Server v2's locks around one visit, and a frame around every call of its hardware.

The locks belong to the thread that took them, and only that thread can give them back.
A call that hangs keeps its thread, so the lane goes on with another one, and then:

* a release from the other thread only marks the locks as given up; the thread that
  holds them gives them back when its call returns;
* a thread that ends gives back whatever it still holds, also when its call returned
  in the moment between the lane's deadline and the release;
* a thread whose locks were given up makes no further call.
"""

import threading
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional

from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
    TimelapseError,
)
from openflexure_timelapse.ports import Clock

__all__ = ["VisitLocks"]

POLL_NS = 20_000_000
PARTS = ("camera", "stage")
"""In the order of taking, which is that of the server's own composite lock."""


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


class VisitLocks:
    """The locks of camera and stage, taken one by one.

    Never the server's composite lock: when that cannot be had, it also releases what
    the caller held before.

    Parameters
    ----------
    microscope : object
        The server's. A part without a lock is not locked.
    clock : Clock
        Keeps the deadline.
    """

    def __init__(self, microscope: Any, clock: Clock) -> None:
        self._microscope = microscope
        self._clock = clock
        self._mine = _Mine()
        self._current: Optional[_Hold] = None

    def acquire(self, deadline_ns: int) -> None:
        """Take both locks; see `ports.Microscope`.

        Raises
        ------
        HardwareBusyError
            When one is not free by `deadline_ns`; none is held then.
        """
        self.release()
        hold = _Hold()
        for part in PARTS:
            lock = getattr(getattr(self._microscope, part), "lock", None)
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

        Without blocking: on Python 3.7 a lock's own timeout follows the time of day.

        Parameters
        ----------
        lock : labthings.StrictLock or None
            None is taken at once.
        deadline_ns : int
            Monotonic time.
        """
        if lock is None:
            return True
        signal = self._clock.signal()
        while not lock.acquire(blocking=False, timeout=None, _strict=False):
            now_ns = self._clock.monotonic_ns()
            if now_ns >= deadline_ns:
                return False
            self._clock.wait_until(min(now_ns + POLL_NS, deadline_ns), signal)
        return True

    def release(self) -> None:
        """Give the locks back, or leave that to the thread whose call still hangs."""
        hold, self._current = self._current, None
        if hold is None:
            return
        if hold is self._mine.hold:
            hold.give_back()
            self._mine.hold = self._mine.end = None
        else:
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
        HardwareError
            For whatever else a driver raises.
        """
        hold = self._mine.hold
        if hold is not None and hold.given_up:
            message = f"Could not {what}: an earlier call hung for too long; "
            raise HardwareTimeoutError(message + "wait for the next visit.")
        try:
            yield
        except TimelapseError:
            raise
        except TimeoutError as exc:
            raise HardwareTimeoutError(_failed(what, exc)) from exc
        except Exception as exc:  # drivers raise what they like
            raise HardwareError(_failed(what, exc)) from exc
        finally:
            if hold is not None:
                hold.call_returned()


def _failed(what: str, error: Exception) -> str:
    """Return the sentence for what a driver raised."""
    return f"Could not {what}: {error!r}; check the cables and the server's log."
