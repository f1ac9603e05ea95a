"""What server v2 tells of its microscope, made small and plain enough for every frame.

The server's settings hold whatever its camera and its extensions put there: a lens
shading table of 100 kB, fractions, arrays, an extension's database. A frame's EXIF
block has room for 64 kB in all.
"""

import json
from typing import Any, Dict, Mapping, Optional

from openflexure_timelapse.hosts.plain import LEFT_OUT, LONGEST_TEXT, plain
from openflexure_timelapse.ports import Clock, JsonDict, StagePosition

__all__ = ["InstrumentState"]

NS_PER_S = 1_000_000_000
STALE_S = 10
LARGEST_EXTENSION = 1000
LARGEST_STATE = 14_000
OWN_EXTENSIONS = "org.openflexure."


class InstrumentState:
    """The server's settings and configuration as they were when the hardware was ours.

    Parameters
    ----------
    microscope : object
        The server's.
    clock : Clock
        Tells how old the settings are.

    Attributes
    ----------
    place : StagePosition or None
        Where the stage was when it was last asked.
    """

    def __init__(self, microscope: Any, clock: Clock) -> None:
        self._microscope = microscope
        self._clock = clock
        self._configuration: Dict[str, Any] = {}
        self._settings: Dict[str, Any] = {}
        self._read_ns: Optional[int] = None
        self.place: Optional[StagePosition] = None

    def refresh(self, *, changed: bool = False) -> None:
        """Read the settings again when they are old; with the hardware taken.

        A server that cannot tell them leaves what is known: it is only a remark.

        Parameters
        ----------
        changed : bool
            Read them however young they are.
        """
        now_ns = self._clock.monotonic_ns()
        age_ns = None if self._read_ns is None else now_ns - self._read_ns
        if age_ns is not None and age_ns < STALE_S * NS_PER_S and not changed:
            return
        self._read_ns = now_ns
        try:
            self._settings = _trimmed(self._microscope.read_settings(full=False))
        except Exception:  # noqa: BLE001 - a host's code, and only a remark
            return

    def configuration(self) -> Dict[str, Any]:
        """Return what the microscope is made of; read until it could be told once."""
        if not self._configuration:
            try:
                told = plain(self._microscope.configuration)
            except Exception:  # noqa: BLE001 - a host's code, and only a remark
                told = {}
            self._configuration = told if isinstance(told, dict) else {}
        return self._configuration

    def part(self, *path: str) -> Any:
        """Return a part of the configuration; None where it is not told."""
        found: Any = self.configuration()
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def told(self) -> JsonDict:
        """Return the state without asking the hardware, below 16 kB of JSON."""
        microscope, place = self._microscope, self.place
        state: JsonDict = {
            "camera": {},
            "stage": {},
            "id": str(microscope.id)[:LONGEST_TEXT],
            "name": str(microscope.name)[:LONGEST_TEXT],
        }
        if place is not None:
            state["stage"] = {"position": {"x": place.x, "y": place.y, "z": place.z}}
        for key, value in (
            ("configuration", self.configuration()),
            ("settings", self._settings),
        ):
            whole = {**state, key: value}
            fits = len(json.dumps(whole)) <= LARGEST_STATE
            state = whole if fits else {**state, key: LEFT_OUT}
        return state


def _trimmed(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return plain settings, without what a frame that is shared must not tell.

    Folders of this machine, and settings of extensions that are not the server's own:
    nobody knows what is in them. Large ones are left out too.
    """
    kept = {key: value for key, value in settings.items() if key != "captures"}
    extensions = kept.get("extensions")
    if isinstance(extensions, Mapping):
        kept["extensions"] = {
            name: _small(value)
            for name, value in extensions.items()
            if str(name).startswith(OWN_EXTENSIONS)
        }
    whole: Dict[str, Any] = plain(kept)
    return whole


def _small(settings: Any) -> Any:
    """Return an extension's settings, or that they are too large."""
    told = plain(settings)
    return told if len(json.dumps(told)) <= LARGEST_EXTENSION else LEFT_OUT
