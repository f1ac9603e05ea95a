"""Exposure, gains and white balance of server v2's Pi camera, in our words and its own.

Told in `Image.metadata`'s words (``exposure_us``, ``analogue_gain``, ``digital_gain``,
``colour_gains``) and set in picamera's, through the server's settings. The mock camera
has no sensor: nothing is told, and nothing is set.
"""

from typing import Any, Callable, Dict, Mapping, Optional

from openflexure_timelapse.ports import JsonDict

__all__ = ["Exposure"]

NUMBERS = {
    "exposure_us": "exposure_speed",
    "analogue_gain": "analog_gain",
    "digital_gain": "digital_gain",
}
HELD = "off"
"""The mode in which picamera leaves exposure and gains, or white balance, alone."""


class Exposure:
    """The sensor's controls.

    Parameters
    ----------
    find_camera : callable
        Returns the server's camera.
    """

    def __init__(self, find_camera: Callable[[], Any]) -> None:
        self._find_camera = find_camera

    @property
    def _sensor(self) -> Any:
        """The ``picamera`` object; None for the mock camera."""
        return getattr(self._find_camera(), "picamera", None)

    def told(self) -> Dict[str, Any]:
        """Return the values at present; what cannot be read is left out."""
        sensor, values = self._sensor, {}
        for ours, theirs in NUMBERS.items():
            number = _read(sensor, theirs)
            if number is not None:
                values[ours] = float(number)
        gains = _read(sensor, "awb_gains")
        return values if gains is None else {**values, "colour_gains": _floats(gains)}

    def control(self) -> JsonDict:
        """Return how the sensor is controlled, in picamera's words, JSON-able.

        Gains that are not held are left out: they change by themselves.
        """
        sensor = self._sensor
        if sensor is None:
            return {}
        saved: JsonDict = {
            "exposure_mode": str(sensor.exposure_mode),
            "shutter_speed": int(sensor.shutter_speed),
            "awb_mode": str(sensor.awb_mode),
        }
        if saved["exposure_mode"] == HELD:
            saved["analog_gain"] = float(sensor.analog_gain)
            saved["digital_gain"] = float(sensor.digital_gain)
        if saved["awb_mode"] == HELD:
            saved["awb_gains"] = _floats(sensor.awb_gains)
        return saved

    def lock(self, values: Optional[Mapping[str, Any]]) -> JsonDict:
        """Hold the present values, or the given ones; return them, JSON-able.

        An exposure time that the user has set stays. The mode goes off first and gains
        follow, since the control at once changes a gain that is set in another mode.
        """
        sensor = self._sensor
        if sensor is None:
            return {}
        frozen = dict(self.told() if values is None else values)
        if values is None and sensor.shutter_speed:
            frozen["exposure_us"] = float(sensor.shutter_speed)
        wish: Dict[str, Any] = {"exposure_mode": HELD}
        if "analogue_gain" in frozen:
            wish["analog_gain"] = frozen["analogue_gain"]
        if "digital_gain" in frozen:
            wish["digital_gain"] = frozen["digital_gain"]
        if "exposure_us" in frozen:
            wish["shutter_speed"] = round(frozen["exposure_us"])
        if "colour_gains" in frozen:
            wish["awb_gains"] = tuple(frozen["colour_gains"])
            wish["awb_mode"] = HELD
        self._apply(wish)
        return frozen

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Put back what `control` returned.

        Gains of the white balance are given only where it was held: given at all, they
        switch it off.
        """
        if self._sensor is not None and saved:
            self._apply(dict(saved))

    def _apply(self, wish: Dict[str, Any]) -> None:
        """Set controls as the server does, which stops the live view for a moment."""
        self._find_camera().update_settings({"picamera": wish})


def _floats(gains: Any) -> Any:
    """Return the gains of red and blue as a JSON-able list."""
    return [float(gain) for gain in gains]


def _read(sensor: Any, name: str) -> Any:
    """Return a value of the sensor; None when it does not tell."""
    try:
        return getattr(sensor, name, None)
    except Exception:  # noqa: BLE001 - a frame is never lost over a remark
        return None
