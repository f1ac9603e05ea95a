"""The camera of the simulated server v3: stills and exposure, with their traps."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

import labthings_fastapi as lt
from pydantic import BaseModel

from hardware_sim.v3_streams import RenderedCamera
from openflexure_timelapse.errors import HardwareTimeoutError
from openflexure_timelapse.hosts.things.camera import CaptureMode
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


class ExposureCamera(SimulatedCamera):
    """A camera with the exposure settings of the v3 server's Pi cameras."""

    def __init__(self, thing_server_interface: Any, **parts: Any) -> None:
        super().__init__(thing_server_interface, **parts)
        self._kept: Dict[str, Any] = {}

    def _hold_exposure(self) -> None:
        """Expose as it was saved; at first as the automatic control finds it."""
        found = self._sim.lock_exposure()
        self._kept = {**found, **self._kept}
        self._sim.lock_exposure(self._kept)

    def _keep(self, **values: Any) -> None:
        """Use values from the next picture on."""
        self._kept.update(values)
        if self.stream_active:
            self._sim.lock_exposure(self._kept)

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
    def colour_gains(self) -> Tuple[float, float]:
        """Return the gains of red and blue; they change no picture."""
        red, blue = self._kept.get("colour_gains", (1.0, 1.0))
        return float(red), float(blue)

    @colour_gains.setter
    def _set_colour_gains(self, value: Tuple[float, float]) -> None:
        self._keep(colour_gains=list(value))


def _pictures_in(folder: str) -> List[str]:
    """Return the names of the pictures in a folder."""
    return [each.name for each in Path(folder).iterdir() if each.suffix in SUFFIXES]
