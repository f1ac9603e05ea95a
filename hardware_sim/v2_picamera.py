"""The ``picamera`` object of the simulated server v2: the sensor's controls."""

from fractions import Fraction
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from hardware_sim.camera import SimCamera

__all__ = ["PICAMERA_SETTINGS", "PiCamera"]

PICAMERA_SETTINGS = (
    "exposure_mode",
    "analog_gain",
    "digital_gain",
    "shutter_speed",
    "awb_gains",
    "awb_mode",
    "framerate",
    "saturation",
)
"""What is written into the settings file; they can be set in the same order."""

FINEST = 256


class PiCamera:
    """The controls of a Raspberry Pi camera v2, in picamera's words.

    Exposure is held while `exposure_mode` is ``"off"``: at `shutter_speed`, or as it
    is where that is 0, and at the present gain. Any other mode is automatic.

    Parameters
    ----------
    sim : SimCamera
        The simulated camera.

    Attributes
    ----------
    revision : str
        The sensor.
    resolution : (int, int)
        What the sensor is set to now, in pixels.
    digital_gain, awb_mode, framerate, saturation
        Told and kept; they change no picture.
    """

    MAX_RESOLUTION: Tuple[int, int] = (3280, 2464)
    revision = "imx219"

    def __init__(self, sim: SimCamera) -> None:
        self._sim = sim
        self._mode = "auto"
        self._shutter_us = 0
        self._held: Optional[Tuple[float, float]] = None
        self._seen: Dict[str, Any] = {"exposure_us": 9_000.0, "analogue_gain": 1.0}
        self._awb_gains = (Fraction(13, 8), Fraction(12, 7))
        self.awb_mode = "auto"
        self.digital_gain = Fraction(1)
        self.framerate = Fraction(30)
        self.saturation = 0
        self.resolution = self.MAX_RESOLUTION

    def see(self, metadata: Mapping[str, Any]) -> None:
        """Take note of how a picture was exposed; for the camera, no port of picamera.

        Parameters
        ----------
        metadata : mapping
            Of an `Image` of the simulated camera.
        """
        self._seen = dict(metadata)
        if self.awb_mode != "off":
            self.awb_gains = metadata["colour_gains"]

    @property
    def exposure_speed(self) -> int:
        """The exposure time at present, in µs."""
        held = self._held
        return int(self._seen["exposure_us"] if held is None else held[0])

    @property
    def shutter_speed(self) -> int:
        """The exposure time that is wanted, in µs; 0 leaves it to the control."""
        return self._shutter_us

    @shutter_speed.setter
    def shutter_speed(self, value_us: int) -> None:
        self._shutter_us = int(value_us)
        if self._held is not None and self._shutter_us:
            self._hold(float(self._shutter_us), self._held[1])

    @property
    def exposure_mode(self) -> str:
        """``"off"`` holds exposure and gain, anything else is automatic."""
        return self._mode

    @exposure_mode.setter
    def exposure_mode(self, mode: str) -> None:
        self._mode = str(mode)
        if mode == "off" and self._held is None:
            exposure_us = float(self._shutter_us or self._seen["exposure_us"])
            self._hold(exposure_us, float(self._seen["analogue_gain"]))
        elif mode != "off" and self._held is not None:
            self._held = None
            self._sim.restore_exposure({"auto": True})

    @property
    def analog_gain(self) -> Fraction:
        """The gain of the sensor at present."""
        held = self._held
        gain = float(self._seen["analogue_gain"] if held is None else held[1])
        return Fraction(gain).limit_denominator(FINEST)

    @analog_gain.setter
    def analog_gain(self, gain: float) -> None:
        if self._held is not None:
            self._hold(self._held[0], float(gain))

    def _hold(self, exposure_us: float, gain: float) -> None:
        """Hold these values from the next picture on."""
        self._held = (exposure_us, gain)
        self._sim.lock_exposure({"exposure_us": exposure_us, "analogue_gain": gain})

    @property
    def awb_gains(self) -> Tuple[Fraction, Fraction]:
        """The gains of red and blue; they change no picture."""
        return self._awb_gains

    @awb_gains.setter
    def awb_gains(self, gains: Sequence[float]) -> None:
        red, blue = (Fraction(gain).limit_denominator(FINEST) for gain in gains)
        self._awb_gains = (red, blue)
