"""Server v3's light as ours: on or off, and nobody can ask which."""

from typing import Any

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.visit_locks import VisitLocks

__all__ = ["V3Light"]

AS_FOUND = 1.0
"""The server switches its light on as it starts, and no page of it switches it off."""


class V3Light:
    """The illumination Thing.

    Parameters
    ----------
    illumination : object
        As `v3_protocols.IlluminationThing` says.
    locks : VisitLocks
        Frames every call.
    """

    def __init__(self, illumination: Any, locks: VisitLocks) -> None:
        self._illumination = illumination
        self._locks = locks
        self._level = AS_FOUND

    def level(self) -> float:
        """Return the level that was set last; fully on before that."""
        return self._level

    def set_level(self, level: float) -> None:
        """Switch the light on, unless `level` is 0.

        The frames that were exposed before it are the camera's to discard.

        Raises
        ------
        HardwareError
            For a level outside of 0 to 1, and when the light does not answer.
        """
        if not 0.0 <= level <= 1.0:
            message = f"The light cannot be set to {level}; choose a level from 0 to 1."
            raise HardwareError(message)
        with self._locks.call("switch the light"):
            self._illumination.set_led(led_on=level > 0.0)
        self._level = level
