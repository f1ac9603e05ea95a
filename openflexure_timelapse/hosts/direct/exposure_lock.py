"""How an exposure is frozen, and how one sees that it is. Pure.

The sensor exposes whole lines (18.9 µs of an IMX219) and knows coded gains; the library
rounds down to them. What was read back and is set again unchanged may therefore come
out one line or one code lower, and lower still the next time. So a microsecond is added
to the time and half of the smallest step to the gain: both then round to what was read.
"""

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from openflexure_timelapse.errors import HardwareError

__all__ = ["AUTOMATIC", "ExposureLock", "is_settled"]

AUTOMATIC: Mapping[str, Any] = {
    "ExposureTime": 0,
    "AnalogueGain": 0.0,
    "AwbEnable": True,
}
"""Gives all three back to the library's own control; 0 means so to picamera2."""

MORE_US = 1
MORE_GAIN = 1.0005
"""The finest gain code of an IMX219 is a step of 1/256, of an IMX477 of 1/1024."""
LONGEST_LINE_US = 64.0
COARSEST_GAIN = 0.06
"""The step between the smallest gains of an OV5647: sixteenths."""
SAME_GAIN = 1e-5
SAME_COLOUR = 1e-3
NEEDED = ("ExposureTime", "AnalogueGain", "ColourGains")

SETTLED_FRAMES = 6
SETTLED_WITHIN = 0.02
SEARCHING = 1


@dataclass(frozen=True)
class ExposureLock:
    """A frozen exposure.

    Attributes
    ----------
    exposure_us, analogue_gain : float
        As they were asked for or read.
    colour_gains : (float, float)
        Of red and blue.
    seen : (int, float) or None
        What the first frame under the lock told of time and gain; every later one must
        tell the same. None until then.
    """

    exposure_us: float
    analogue_gain: float
    colour_gains: Tuple[float, float]
    seen: Optional[Tuple[int, float]] = None

    @staticmethod
    def of(values: Mapping[str, Any]) -> "ExposureLock":
        """Return the lock for what `to_json` returned.

        Raises
        ------
        HardwareError
            For values that no camera can take.
        """
        try:
            red, blue = values["colour_gains"]
            lock = ExposureLock(
                float(values["exposure_us"]),
                float(values["analogue_gain"]),
                (float(red), float(blue)),
            )
        except (KeyError, TypeError, ValueError) as exc:
            message = f"The exposure cannot be locked to {dict(values)!r} ({exc!r}); "
            raise HardwareError(message + "lock the one that is measured.") from exc
        if not (lock.exposure_us >= 1 and lock.analogue_gain >= 1 and red > 0 < blue):
            message = f"The exposure cannot be locked to {dict(values)!r}; "
            raise HardwareError(message + "times, and gains from 1 on, are needed.")
        return lock

    @staticmethod
    def of_metadata(metadata: Mapping[str, Any]) -> "ExposureLock":
        """Return the lock that keeps what a frame tells."""
        time_us, gain, colours = (metadata[name] for name in NEEDED)
        red, blue = colours
        lock = ExposureLock(float(time_us), float(gain), (float(red), float(blue)))
        return lock.after(metadata)

    def to_json(self) -> Dict[str, Any]:
        """Return the values in `Image.metadata`'s words."""
        return {
            "exposure_us": self.exposure_us,
            "analogue_gain": self.analogue_gain,
            "colour_gains": list(self.colour_gains),
        }

    def controls(self) -> Dict[str, Any]:
        """Return what the library is told."""
        return {
            "ExposureTime": int(self.exposure_us) + MORE_US,
            "AnalogueGain": self.analogue_gain * MORE_GAIN,
            "ColourGains": list(self.colour_gains),
        }

    def objection(self, metadata: Mapping[str, Any]) -> str:
        """Return how a frame differs from the lock; empty where it does not."""
        if any(name not in metadata for name in NEEDED):
            return "the camera did not tell the exposure"
        time_us, gain = int(metadata["ExposureTime"]), float(metadata["AnalogueGain"])
        if self.seen is not None:
            lowest, highest = float(self.seen[0]), float(self.seen[0])
            wanted, off = self.seen[1], SAME_GAIN
        else:
            highest = self.exposure_us + MORE_US
            lowest = highest - LONGEST_LINE_US
            wanted, off = self.analogue_gain, COARSEST_GAIN
        if not lowest <= time_us <= highest:
            return f"exposed for {time_us} µs, {self.exposure_us:g} µs is locked"
        if abs(gain / wanted - 1.0) > off:
            return f"taken at gain {gain:.4g}, {self.analogue_gain:.4g} is locked"
        for told, locked in zip(metadata["ColourGains"], self.colour_gains):
            if abs(told / locked - 1.0) > SAME_COLOUR:
                return f"balanced with {told:.4g}, {locked:.4g} is locked"
        return ""

    def after(self, metadata: Mapping[str, Any]) -> "ExposureLock":
        """Return the lock after a frame to which there was no objection."""
        seen = (int(metadata["ExposureTime"]), float(metadata["AnalogueGain"]))
        return ExposureLock(
            self.exposure_us, self.analogue_gain, self.colour_gains, seen
        )


def is_settled(recent: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether the automatic control has found its values.

    Parameters
    ----------
    recent : sequence of mapping
        The last frames' metadata, the newest last.
    """
    last = recent[-SETTLED_FRAMES:]
    if len(last) < SETTLED_FRAMES or any(
        name not in told for told in last for name in NEEDED
    ):
        return False
    if last[-1].get("AeState") == SEARCHING:
        return False
    rows = [
        (told["ExposureTime"] * told["AnalogueGain"], *told["ColourGains"])
        for told in last
    ]
    return all(
        max(column) <= (1 + SETTLED_WITHIN) * min(column) for column in zip(*rows)
    )
