"""What server v3 tells of its Things with each picture: ``{thing name: thing_state}``.

The server writes the states of all Things into the EXIF of every still, as they were
just before the exposure. So they are taken from there: asking again would wait for the
sensor. Only the microscope's own Things are told; nobody knows what others put there.
"""

import json
from typing import Any, Dict, Mapping, Optional

import piexif

from openflexure_timelapse.hosts.plain import LEFT_OUT, plain
from openflexure_timelapse.ports import JsonDict

__all__ = ["ThingStates"]

LARGEST_STATE = 14_000


class ThingStates:
    """The states of the microscope's Things when the last picture was taken.

    Parameters
    ----------
    things : mapping
        By their names on the server.
    """

    def __init__(self, things: Mapping[str, Any]) -> None:
        self._things = things
        self._states: Dict[str, Any] = {}

    def saw(self, jpeg: bytes) -> None:
        """Take over what a still says; where it says nothing, ask the Things.

        Called while the hardware is ours, in the thread that may wait for it.
        """
        written = _comment(jpeg)
        self._states = {
            name: _state_of(thing) if written is None else plain(written.get(name))
            for name, thing in self._things.items()
        }

    def told(self) -> JsonDict:
        """Return the states without asking anybody, below 16 kB of JSON."""
        told: JsonDict = {}
        for name, state in self._states.items():
            if not state:
                continue
            whole = {**told, name: state}
            fits = len(json.dumps(whole)) <= LARGEST_STATE
            told = whole if fits else {**told, name: LEFT_OUT}
        return told


def _state_of(thing: Any) -> Any:
    """Return what a Thing tells of itself; a picture is never lost over it."""
    try:
        return plain(getattr(thing, "thing_state", None))
    except Exception:  # noqa: BLE001 - a host's code, and only a remark
        return None


def _comment(jpeg: bytes) -> Optional[Mapping[str, Any]]:
    """Return the states that the server wrote into a still; None without them."""
    try:
        exif = piexif.load(jpeg)["Exif"]
        told = json.loads(exif[piexif.ExifIFD.UserComment].decode("utf-8"))
    except Exception:  # noqa: BLE001 - piexif raises what it likes, and only a remark
        return None
    return told if isinstance(told, Mapping) else None
