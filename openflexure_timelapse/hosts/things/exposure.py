"""The exposure settings of a camera Thing, as OpenFlexure's Pi cameras have them."""

from collections.abc import Mapping
from typing import Any

import labthings_fastapi as lt

from openflexure_timelapse.hosts.things.camera import CameraThing

__all__ = ["ExposureThing"]


class ExposureThing(CameraThing):
    """A camera whose exposure is never automatic; one method is to be filled."""

    def __init__(self, thing_server_interface: Any, **parts: Any) -> None:
        super().__init__(thing_server_interface, **parts)
        self._kept: dict[str, Any] = {}

    def _lock_exposure(self, values: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Freeze exposure, gain and white balance; see `ports.Camera`."""
        raise NotImplementedError

    def _hold_exposure(self) -> None:
        """Expose as it was saved; at first as the automatic control finds it."""
        found = self._lock_exposure(None)
        self._kept = {**found, **self._kept}
        self._lock_exposure(self._kept)

    def _keep(self, **values: Any) -> None:
        """Use values from the next picture on, unless the camera refuses them."""
        wanted = {**self._kept, **values}
        if self.stream_active:
            self._lock_exposure(wanted)
        self._kept = wanted

    @lt.setting
    def exposure_time(self) -> int:
        """Return the exposure time, in µs."""
        return int(self._kept.get("exposure_us", 0))

    @exposure_time.setter
    def _set_exposure_time(self, value: int) -> None:
        self._keep(exposure_us=float(value))

    @lt.setting
    def analogue_gain(self) -> float:
        """Return the gain of the sensor."""
        return float(self._kept.get("analogue_gain", 1.0))

    @analogue_gain.setter
    def _set_analogue_gain(self, value: float) -> None:
        self._keep(analogue_gain=value)

    @lt.setting
    def colour_gains(self) -> tuple[float, float]:
        """Return the gains of red and blue."""
        red, blue = self._kept.get("colour_gains", (1.0, 1.0))
        return float(red), float(blue)

    @colour_gains.setter
    def _set_colour_gains(self, value: tuple[float, float]) -> None:
        self._keep(colour_gains=list(value))
