"""The camera of the simulated server v3: stills and exposure, with their traps."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, List, Mapping, Optional

from pydantic import BaseModel

from hardware_sim.v3_streams import RenderedCamera
from openflexure_timelapse.errors import HardwareTimeoutError
from openflexure_timelapse.hosts.things.camera import CaptureMode
from openflexure_timelapse.hosts.things.exposure import ExposureThing
from openflexure_timelapse.hosts.things.pictures import read_jpeg, taken_at

__all__ = ["ExposureCamera", "SimulatedCamera"]

NAME = "%Y-%m-%d-%H%M%S"
SUFFIXES = (".jpeg", ".jpg", ".png")


class _Way(BaseModel):
    """How the simulated camera takes a mode."""

    mode: str
    pauses: bool
    told: CaptureMode


MODES: Mapping[str, _Way] = {
    "standard": _Way(
        mode="half",
        pauses=True,
        told=CaptureMode(
            description="Half of the sensor's pixels; the streams pause.",
            save_resolution=(1640, 1232),
        ),
    ),
    "full": _Way(
        mode="full",
        pauses=True,
        told=CaptureMode(description="All pixels; the streams pause."),
    ),
    "quick": _Way(
        mode="preview",
        pauses=False,
        told=CaptureMode(
            description="As the stream; it goes on.", save_resolution=(820, 616)
        ),
    ),
}


class SimulatedCamera(RenderedCamera):
    """A `SimCamera` with the actions and properties of the v3 server's cameras.

    Its traps are the real server's: a picture is named by its second, so that a second
    one in it overwrites the first and is an `sqlite3.IntegrityError`; an unknown mode
    is taken for ``standard``, and noticed when the picture is saved.
    """

    def __init__(self, thing_server_interface: Any, **parts: Any) -> None:
        super().__init__(thing_server_interface, **parts)
        self._listed: List[str] = []

    def __enter__(self) -> Any:
        """List the pictures of earlier times, and start the streams."""
        entered = super().__enter__()
        self._listed = _pictures_in(self.data_dir)
        return entered

    @property
    def thing_state(self) -> Mapping[str, Any]:
        """What goes into the metadata of each picture."""
        return {"camera": type(self).__name__, "simulated": True}

    def _modes(self) -> Mapping[str, CaptureMode]:
        """Return how a still may be taken."""
        return {name: way.told for name, way in MODES.items()}

    def _take(self, capture_mode: str) -> Any:
        """Take a picture; in ``standard`` mode if there is none of that name.

        Raises
        ------
        TimeoutError
            When the camera gave up.
        """
        if capture_mode not in MODES:
            told = "There is no capture mode %s; using standard instead."
            self.logger.warning(told, capture_mode)
        way = MODES.get(capture_mode, MODES["standard"])
        with self._sensor if way.pauses else contextlib.nullcontext():
            try:
                return read_jpeg(self._sim.capture(way.mode).jpeg)
            except HardwareTimeoutError as exc:
                raise TimeoutError(str(exc)) from exc

    def _new_name(self, image_format: str) -> str:
        """Return a name that holds for a second."""
        moment = taken_at(self.clock.wall_ns(), {})["taken"]
        return f"{moment.strftime(NAME)}.{image_format}"

    def _list(self, name: str) -> None:
        """Add a picture to the gallery's list, in which each name stands once."""
        if name in self._listed:
            raise sqlite3.IntegrityError(f"UNIQUE constraint failed: {name}")
        self._listed.append(name)


class ExposureCamera(ExposureThing, SimulatedCamera):
    """A camera with the exposure settings of the v3 server's Pi cameras."""

    def _lock_exposure(self, values: Optional[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Freeze the simulated exposure; gains of red and blue change no picture."""
        return self._sim.lock_exposure(values)


def _pictures_in(folder: str) -> List[str]:
    """Return the names of the pictures in a folder."""
    return [each.name for each in Path(folder).iterdir() if each.suffix in SUFFIXES]
