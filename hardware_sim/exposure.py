"""Exposure and gain, as libcamera's automatic control would choose them."""

from dataclasses import dataclass
from typing import Any, Mapping, Optional

__all__ = ["AutoExposure", "Setting"]

LINE_US = 18.9
LONGEST_US = 66_700.0
LARGEST_GAIN = 256.0 / 24.0
TARGET = 0.76
"""Linear mean of the picture that the control aims at."""
DEAD_BAND = 0.02
SLOW, QUICK, NEAR = 0.2, 0.447, 0.2
AT_ONCE = 10

LEVEL_PER_US = 0.78 / 9_000.0
"""Linear brightness of clear water for each µs, at gain 1 and the usual light."""


@dataclass(frozen=True)
class Setting:
    """What the sensor does.

    Attributes
    ----------
    exposure_us : float
        Rounded down to whole lines of 18.9 µs.
    gain : float
        256/(256 - code) for a code of the IMX219.
    """

    exposure_us: float
    gain: float

    @property
    def total_us(self) -> float:
        """Return exposure times gain."""
        return self.exposure_us * self.gain

    @staticmethod
    def of_total(total_us: float) -> "Setting":
        """Divide a wanted exposure: first the shutter, then gain."""
        lines = max(1, int(min(total_us, LONGEST_US) / LINE_US))
        gain = min(max(total_us / LONGEST_US, 1.0), LARGEST_GAIN)
        code = int(256.0 - 256.0 / gain)
        return Setting(round(lines * LINE_US, 1), round(256.0 / (256 - code), 4))


class AutoExposure:
    """The control loop: one step for each frame that the sensor delivers.

    ``e ← e·(target/mean)^s`` with s = 0.447 within 20 % of the target and 0.2 beyond,
    and nothing within 2 %; the first ten frames go all the way.
    """

    def __init__(self) -> None:
        self.locked = False
        self._wanted_us = 9_000.0
        self._frames = 0
        self.setting = Setting.of_total(self._wanted_us)

    def follow(self, light: float, frames: int) -> None:
        """Let the control see some frames of one brightness.

        Parameters
        ----------
        light : float
            Mean of the picture in linear light, for each unit of the light's level.
        frames : int
            How many frames passed.
        """
        if self.locked:
            return
        for done in range(frames):
            mean = min(1.0, self._wanted_us * LEVEL_PER_US * light)
            ratio = TARGET / max(mean, 1e-3)
            if abs(ratio - 1.0) <= DEAD_BAND:
                break  # nor would any later one of this brightness move it
            near = abs(ratio - 1.0) < NEAR
            at_once = self._frames + done < AT_ONCE
            power = 1.0 if at_once else (QUICK if near else SLOW)
            wanted = self._wanted_us * ratio**power
            self._wanted_us = min(max(wanted, LINE_US), LONGEST_US * LARGEST_GAIN)
        self._frames += frames
        self.setting = Setting.of_total(self._wanted_us)

    def lock(self, values: Optional[Mapping[str, Any]]) -> None:
        """Freeze the present setting, or that of some metadata."""
        if values is not None:
            exposure_us = float(values["exposure_us"])
            self.setting = Setting(exposure_us, float(values["analogue_gain"]))
            self._wanted_us = self.setting.total_us
        self.locked = True

    def unlock(self) -> None:
        """Let the control work again."""
        self.locked = False
