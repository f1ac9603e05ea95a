"""Exposure, gains and white balance of server v3's Pi camera, in our words and its own.

The server never leaves them to the sensor's control, so they are locked as they are: to
lock them is to read them, and to set again what somebody has changed meanwhile. Told in
`Image.metadata`'s words (``exposure_us``, ``analogue_gain``, ``colour_gains``).
"""

from typing import Any, Dict, Mapping, Optional

from openflexure_timelapse.hosts.v3_features import offers
from openflexure_timelapse.ports import JsonDict

__all__ = ["Exposure"]

SETTINGS = {
    "exposure_us": "exposure_time",
    "analogue_gain": "analogue_gain",
    "colour_gains": "colour_gains",
}


class Exposure:
    """The camera's settings; of one that has none, nothing is told or set.

    Parameters
    ----------
    camera : object
        As `v3_protocols.ExposureSettings` says, or without some of them.
    """

    def __init__(self, camera: Any) -> None:
        self._camera = camera
        self._names = {
            ours: theirs for ours, theirs in SETTINGS.items() if offers(camera, theirs)
        }
        self._told: Optional[Dict[str, Any]] = None

    def forget(self) -> None:
        """Take note that somebody else had the camera, and may have set it."""
        self._told = None

    def told(self) -> Dict[str, Any]:
        """Return the values at present, JSON-able.

        Read once for each time that the camera is ours: each setting waits for a frame.
        """
        if self._told is None:
            self._told = {
                ours: _plain(getattr(self._camera, theirs))
                for ours, theirs in self._names.items()
            }
        return dict(self._told)

    def put(self, values: Mapping[str, Any]) -> JsonDict:
        """Set the values that differ from the present ones; return them, JSON-able.

        An equal one is left alone: each assignment is written into a file.
        """
        present = self.told()
        for ours, theirs in self._names.items():
            if ours in values and values[ours] != present[ours]:
                self._told = None
                setattr(self._camera, theirs, _theirs(ours, values[ours]))
        return {ours: values[ours] for ours in self._names if ours in values}


def _plain(value: Any) -> Any:
    """Return a number as a float, a pair as a list of such."""
    if isinstance(value, (list, tuple)):
        return [float(part) for part in value]
    return float(value)


def _theirs(ours: str, value: Any) -> Any:
    """Return a value in the type that the server's setting has."""
    if ours == "exposure_us":
        return round(value)
    return tuple(value) if isinstance(value, (list, tuple)) else float(value)
