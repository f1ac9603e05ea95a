"""The simulated lamp."""

import threading

from hardware_sim.faults import Faults
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.ports import Clock

__all__ = ["SimLight"]

NS_PER_S = 1_000_000_000
USUAL_LEVEL = 0.32
STEPS = 32
SETTLING_S = 0.05


class SimLight:
    """A constant-current LED with 32 levels, as on the Sangaboard v5.

    Parameters
    ----------
    clock : Clock
        Settling takes its time.
    faults : Faults
        ``light_off`` and ``light_stuck``.
    """

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._level = USUAL_LEVEL
        self._lock = threading.Lock()

    def level(self) -> float:
        """Return the level that was set, 0 to 1."""
        with self._lock:
            return self._level

    def set_level(self, level: float) -> None:
        """Set the level, 0 to 1, to the nearest of 32 steps, and let it settle.

        Raises
        ------
        HardwareError
            For a level outside of 0 to 1.
        """
        if not 0.0 <= level <= 1.0:
            message = f"The light has no level {level}; choose one from 0 to 1."
            raise HardwareError(message)
        self.turn_to(level)
        settled_ns = self._clock.monotonic_ns() + int(SETTLING_S * NS_PER_S)
        self._clock.wait_until(settled_ns, self._clock.signal())

    def turn_to(self, level: float) -> None:
        """Set the level, 0 to 1, to the nearest of 32 steps, at once."""
        if self._faults.find("light_stuck") is None:
            usual = abs(level - USUAL_LEVEL) < 0.5 / STEPS
            with self._lock:
                self._level = USUAL_LEVEL if usual else round(level * STEPS) / STEPS

    def output(self) -> float:
        """Return the light that leaves the lamp; 1 at the usual level."""
        if self._faults.find("light_off") is not None:
            return 0.0
        return self.level() / USUAL_LEVEL
