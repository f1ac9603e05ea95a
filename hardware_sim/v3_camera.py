"""The camera of the simulated server v3: stills and exposure."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import labthings_fastapi as lt
import numpy as np
from labthings_fastapi.types.numpy import NDArray
from pydantic import BaseModel

from hardware_sim.v3_data import RelativeDataPath
from hardware_sim.v3_pictures import (
    CaptureError,
    Memory,
    Picture,
    as_array,
    read_jpeg,
    save,
    taken_at,
)
from hardware_sim.v3_streams import StreamingCamera
from openflexure_timelapse.errors import HardwareTimeoutError

__all__ = ["CaptureMode", "ExposureCamera", "SimulatedCamera"]

NAME = "%Y-%m-%d-%H%M%S"
FORMATS = {"jpeg": "image/jpeg", "png": "image/png"}
SUFFIXES = (".jpeg", ".jpg", ".png")


class CaptureMode(BaseModel):
    """How a still is taken, as the server tells it.

    Attributes
    ----------
    description : str
        For people.
    save_resolution : (int, int) or None
        In pixels; None for that of the picture.
    """

    description: str
    save_resolution: Optional[Tuple[int, int]] = None


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


class SimulatedCamera(StreamingCamera):
    """A `SimCamera` with the actions and properties of the v3 server's cameras."""

    supports_focus_fom = False

    def __init__(self, thing_server_interface: Any, **parts: Any) -> None:
        super().__init__(thing_server_interface, **parts)
        self._memory = Memory()
        self._listed: List[str] = []

    def __enter__(self) -> Any:
        """List the pictures of earlier times, and start the streams."""
        super().__enter__()
        self._listed = _pictures_in(self.data_dir)
        return self

    # ------------------------------------------------------------------- what it tells

    downsampled_array_factor: int = lt.property(default=2, ge=1)
    """By which `capture_downsampled_array` divides each side."""

    @lt.property
    def capture_modes(self) -> Mapping[str, CaptureMode]:
        """How a still may be taken."""
        return {name: way.told for name, way in MODES.items()}

    @property
    def thing_state(self) -> Mapping[str, Any]:
        """What goes into the metadata of each picture."""
        return {"camera": type(self).__name__, "simulated": True}

    # -------------------------------------------------------------------------- stills

    @lt.action
    def capture(
        self,
        capture_mode: str = "standard",
        image_format: str = "jpeg",
        retain_image: bool = True,  # noqa: FBT001, FBT002 (as on the real server)
    ) -> lt.blob.Blob:
        """Take a picture and return it; keep it under the second of its time.

        Raises
        ------
        sqlite3.IntegrityError
            When there was one of the same second, which is overwritten.
        """
        media_type = FORMATS[image_format]
        moment = taken_at(self.clock.wall_ns(), {})["taken"]
        path = RelativeDataPath(f"{moment.strftime(NAME)}.{image_format}")
        if retain_image:
            path.set_saving_thing(self)
            self.capture_and_save_to_path(path, capture_mode)
            self._list(path.posixpath)
            blob = lt.blob.Blob.from_file(path.abs_data_path)
        else:
            with path.save_to_tempdir():
                self.capture_and_save_to_path(path, capture_mode)
                blob = lt.blob.Blob.from_bytes(Path(path.abs_data_path).read_bytes())
        blob.media_type = media_type
        return blob

    def capture_and_save_to_path(
        self, path: RelativeDataPath, capture_mode: str = "standard"
    ) -> None:
        """Take a picture and save it; no action, and no lock over both.

        Parameters
        ----------
        path : RelativeDataPath
            Or whatever has its ``set_saving_thing_if_unset`` and ``abs_data_path``.
        capture_mode : str
            One of `capture_modes`.
        """
        number = self.capture_to_memory(capture_mode=capture_mode)
        self.save_from_memory(path=path, buffer_id=number)

    @lt.action
    def capture_to_memory(
        self, capture_mode: str = "standard", buffer_max: int = 1, max_attempts: int = 5
    ) -> int:
        """Take a picture, drop all but the last `buffer_max`, and return its number."""
        for attempt in range(max_attempts):
            states = self._thing_server_interface.get_thing_states()
            metadata = taken_at(self.clock.wall_ns(), states)
            try:
                image = self._still(capture_mode)
            except TimeoutError:
                self.logger.warning("Attempt %d to take a picture failed.", attempt + 1)
                continue
            return self._memory.add(Picture(image, metadata, capture_mode), buffer_max)
        raise CaptureError(f"No picture was taken in {max_attempts} attempts.")

    @lt.action
    def save_from_memory(
        self, path: RelativeDataPath, buffer_id: Optional[int] = None
    ) -> None:
        """Save a picture that was taken to memory; with no number the newest."""
        picture = self._memory.take(buffer_id)
        size = self.capture_modes[picture.mode].save_resolution
        path.set_saving_thing_if_unset(self)
        save(picture, path.abs_data_path, size)

    @lt.action
    def capture_as_array(
        self,
        capture_mode: str = "standard",
        raw: bool = False,  # noqa: FBT001, FBT002 (as on the real server)
    ) -> NDArray:
        """Take a picture and return it as rows, columns and RGB."""
        if raw:  # refused as by the real server's own simulation
            raise NotImplementedError("The simulated camera has no raw pictures.")
        return as_array(self._still(capture_mode))

    @lt.action
    def capture_downsampled_array(self) -> NDArray:
        """Take a quick picture and return the means of squares of its pixels."""
        pixels = self.capture_as_array(capture_mode="quick")
        factor = self.downsampled_array_factor
        rows, columns = (side // factor for side in pixels.shape[:2])
        cut = pixels[: rows * factor, : columns * factor]
        squares = cut.reshape(rows, factor, columns, factor, -1)
        return np.asarray(squares.mean(axis=(1, 3)))

    @lt.action
    def clear_buffers(self) -> None:
        """Drop all pictures in the memory."""
        self._memory.clear()

    def _still(self, capture_mode: str) -> Any:
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
