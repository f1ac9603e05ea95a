"""The sensor and its control loops: lines, gain codes, delays, exposure and white.

Pure but for its own memory. Times are the sensor's, in microseconds.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

from hardware_sim.exposure import AutoExposure

__all__ = ["WHITE", "FrameSetting", "Sensor"]

WHITE = (1.62, 1.71)
"""Gains of red and blue that make clear water white; the pixels hold them already."""
FIRST_WHITE = (1.25, 2.1)
WHITE_STEP = 0.3
WHITE_IS_NEAR = 0.005
DELAY_FRAMES = 2
"""Frames between the one that a request carries its controls for and their effect."""
AE_SEARCHING, AE_CONVERGED, AE_IDLE = 1, 2, 0
IGNORED_SHARE = 0.8
LARGEST_CODE = 232
BLANK_LINES = 4


@dataclass(frozen=True)
class FrameSetting:
    """How one frame is exposed.

    Attributes
    ----------
    exposure_us : int
        Rounded down to whole lines, and then to whole microseconds.
    gain : float
        256/(256 - code), as a number of 32 bits.
    colour_gains : (float, float)
        Of red and blue.
    duration_us : int
        From this frame to the next.
    ae_state, awb_state : int
        As libcamera counts them.
    """

    exposure_us: int
    gain: float
    colour_gains: Tuple[float, float]
    duration_us: int
    ae_state: int
    awb_state: int


class Sensor:
    """Takes controls, and says how each frame is exposed.

    Parameters
    ----------
    line_us : float
        Time of one line.
    shortest_frame_us : int
        The sensor delivers no faster.
    """

    def __init__(self, line_us: float, shortest_frame_us: int) -> None:
        self._line_us = line_us
        self._shortest_us = shortest_frame_us
        self._controls: Dict[str, Any] = {}
        self._coming: List[Tuple[int, Dict[str, Any]]] = []
        self._frame = 0
        self._auto = AutoExposure()
        self._white = np.array(FIRST_WHITE)
        self._settled = False

    def start(self, controls: Mapping[str, Any]) -> None:
        """Begin a stream with controls that hold from its first frame."""
        self._coming = []
        self._take(controls)

    def accept(self, controls: Mapping[str, Any]) -> None:
        """Take the controls of the request that the next frame fills."""
        if controls:
            self._coming.append((self._frame + DELAY_FRAMES, dict(controls)))

    def next_frame(self, *, ignoring: bool = False) -> FrameSetting:
        """Return how the next frame is exposed.

        Parameters
        ----------
        ignoring : bool
            Whether the sensor does something else than it was told, as a fault.
        """
        while self._coming and self._coming[0][0] <= self._frame:
            self._take(self._coming.pop(0)[1])
        self._frame += 1
        wanted, gain = self._auto.setting.exposure_us, self._auto.setting.gain
        if self._manual("ExposureTime"):
            gain = max(1.0, wanted * gain / self._controls["ExposureTime"])
            wanted = self._controls["ExposureTime"]
        if self._manual("AnalogueGain"):
            gain = self._controls["AnalogueGain"]
        duration_us = self._duration_us(wanted)
        share = IGNORED_SHARE if ignoring else 1.0
        return FrameSetting(
            exposure_us=self._lines(min(share * wanted, duration_us)),
            gain=_coded(gain),
            colour_gains=self._colour_gains(),
            duration_us=duration_us,
            ae_state=self._ae_state(),
            awb_state=0 if self._white_is_manual() else 2 if self._white_near() else 1,
        )

    def saw(self, light: float) -> None:
        """Let the control loops see a frame.

        Parameters
        ----------
        light : float
            Mean of the picture in linear light, for each unit of the light's level.
        """
        if self._controls.get("AeEnable", True):
            before = self._auto.setting
            self._auto.follow(light, 1)
            self._settled = before == self._auto.setting
        if self._controls.get("AwbEnable", True) and not self._white_is_manual():
            self._white += WHITE_STEP * (np.array(WHITE) - self._white)

    # --------------------------------------------------------------------------- parts

    def _take(self, controls: Mapping[str, Any]) -> None:
        """Let controls take effect."""
        if "AwbEnable" in controls and "ColourGains" not in controls:
            self._controls.pop("ColourGains", None)
        self._controls.update(controls)

    def _manual(self, name: str) -> bool:
        """Tell whether a value is set by hand."""
        return bool(self._controls.get(name + "Mode")) and name in self._controls

    def _white_is_manual(self) -> bool:
        """Tell whether the colour gains are set by hand; zeros give them back."""
        gains = self._controls.get("ColourGains", (0.0, 0.0))
        return bool(gains[0] and gains[1])

    def _white_near(self) -> bool:
        """Tell whether the white balance has arrived."""
        off = np.max(np.abs(self._white - np.array(WHITE)))
        return bool(off < WHITE_IS_NEAR)

    def _colour_gains(self) -> Tuple[float, float]:
        """Return the gains of red and blue, as numbers of 32 bits."""
        chosen = self._controls["ColourGains"] if self._white_is_manual() else None
        red, blue = self._white if chosen is None else chosen
        return float(np.float32(red)), float(np.float32(blue))

    def _duration_us(self, exposure_us: float) -> int:
        """Return the time of a frame, within its limits and no shorter than needed."""
        low, high = self._controls.get("FrameDurationLimits", (33_333, 33_333))
        needed = exposure_us + BLANK_LINES * self._line_us
        return int(max(min(max(needed, low), high), self._shortest_us))

    def _lines(self, exposure_us: float) -> int:
        """Return an exposure time rounded down to whole lines."""
        return int(max(1, int(exposure_us / self._line_us)) * self._line_us)

    def _ae_state(self) -> int:
        """Return the state of the automatic exposure."""
        if self._manual("ExposureTime") and self._manual("AnalogueGain"):
            return AE_IDLE
        return AE_CONVERGED if self._settled else AE_SEARCHING


def _coded(gain: float) -> float:
    """Return the gain that the sensor makes of a wanted one, in 32 bits."""
    code = int(256.0 - 256.0 / float(np.float32(max(gain, 1.0))))
    return float(np.float32(256.0 / (256 - min(code, LARGEST_CODE))))
