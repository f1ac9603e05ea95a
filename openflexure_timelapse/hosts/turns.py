"""One microscope for several users in this process: a run, and a person's moves.

A host's locks keep other programs and other extensions away; which of our own threads
has them is for us to keep. Each user gets a microscope of its own that waits its turn.
"""

import threading
from typing import Optional, Sequence

from openflexure_timelapse.errors import HardwareBusyError
from openflexure_timelapse.ports import (
    Camera,
    Clock,
    Focuser,
    JsonDict,
    Light,
    Microscope,
    Stage,
)

__all__ = ["Turns"]

LOOK_AGAIN_NS = 20_000_000


class Turns:
    """Whose turn it is.

    Parameters
    ----------
    microscope : Microscope
        The host's.
    clock : Clock
        Owns the waits.
    """

    def __init__(self, microscope: Microscope, clock: Clock) -> None:
        self.microscope = microscope
        self._clock = clock
        self._lock = threading.Lock()
        self._whose: Optional[object] = None

    def user(self) -> Microscope:
        """Return the microscope as one more user sees it."""
        return _Turn(self)

    def take(self, user: object, deadline_ns: int) -> None:
        """Wait for the turn; a user that has it, has it still.

        Raises
        ------
        HardwareBusyError
            When another one still has it at `deadline_ns`.
        """
        if self._is_taken(user):
            return
        never = self._clock.signal()  # two descriptors: only for who must wait
        while not self._is_taken(user):
            now_ns = self._clock.monotonic_ns()
            if now_ns >= deadline_ns:
                message = "The time-lapse itself uses the microscope at this moment; "
                raise HardwareBusyError(message + "try again when it has finished.")
            self._clock.wait_until(min(deadline_ns, now_ns + LOOK_AGAIN_NS), never)

    def _is_taken(self, user: object) -> bool:
        """Take the turn if nobody else has it."""
        with self._lock:
            if self._whose is None:
                self._whose = user
            return self._whose is user

    def give(self, user: object) -> None:
        """Give the turn back, if it is this user's."""
        with self._lock:
            if self._whose is user:
                self._whose = None


class _Turn:
    """The microscope of one user: the host's own, but for taking it."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._microscope = turns.microscope
        self._mine = threading.local()
        self._newest: Optional[object] = None

    @property
    def camera(self) -> Camera:
        """The camera."""
        return self._microscope.camera

    @property
    def stage(self) -> Stage:
        """The stage."""
        return self._microscope.stage

    @property
    def focuser(self) -> Optional[Focuser]:
        """The host's own focus sweep."""
        return self._microscope.focuser

    @property
    def light(self) -> Optional[Light]:
        """The illumination."""
        return self._microscope.light

    def describe(self) -> JsonDict:
        """Return the host's facts."""
        return self._microscope.describe()

    def state(self) -> JsonDict:
        """Return the instrument's state."""
        return self._microscope.state()

    def incidents(self) -> Sequence[JsonDict]:
        """Return what the hardware got over."""
        return self._microscope.incidents()

    def acquire(self, deadline_ns: int) -> None:
        """Wait for the turn, then take the hardware.

        Raises
        ------
        HardwareBusyError
            When another user still holds it at `deadline_ns`.
        """
        self._turns.take(self, deadline_ns)
        try:
            self._microscope.acquire(deadline_ns)
        except BaseException:  # raised again: whatever it is, the turn is not kept
            self._turns.give(self)
            raise
        self._newest = self._mine.taking = object()

    def release(self) -> None:
        """Give the hardware back, and with it the turn.

        Not the turn where a thread does so late, whose call had hung: the next visit of
        the same user has it by then.
        """
        taking = getattr(self._mine, "taking", None)
        self._mine.taking = None
        try:
            self._microscope.release()
        finally:
            if taking is None or taking is self._newest:
                self._turns.give(self)
