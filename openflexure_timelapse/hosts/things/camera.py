"""A camera Thing: stills to memory, to files, as arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import labthings_fastapi as lt
import numpy as np
from labthings_fastapi.types.numpy import NDArray
from pydantic import BaseModel

from openflexure_timelapse.hosts.things.data import RelativeDataPath
from openflexure_timelapse.hosts.things.pictures import (
    CaptureError,
    Memory,
    Picture,
    as_array,
    read_jpeg,
    save,
    taken_at,
)
from openflexure_timelapse.hosts.things.streams import StreamingThing

__all__ = ["CameraThing", "CaptureMode"]

FORMATS = {"jpeg": "image/jpeg", "png": "image/png"}


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
    save_resolution: tuple[int, int] | None = None


class CameraThing(StreamingThing):
    """Stills with the names of server v3; three methods are to be filled."""

    supports_focus_fom = False

    def __init__(self, thing_server_interface: Any, **parts: Any) -> None:
        super().__init__(thing_server_interface, **parts)
        self._memory = Memory()

    # ----------------------------------------------------------------- to be filled

    def _modes(self) -> Mapping[str, CaptureMode]:
        """Return how a still may be taken."""
        raise NotImplementedError

    def _take(self, capture_mode: str) -> Any:
        """Take a still: pixels, or JPEG data.

        Raises
        ------
        TimeoutError
            When the camera gave up; it is asked again.
        """
        raise NotImplementedError

    def _new_name(self, image_format: str) -> str:
        """Return the name under which `capture` keeps a picture that is taken now."""
        raise NotImplementedError

    def _list(self, name: str) -> None:
        """Take note of a picture that `capture` has kept."""

    # ------------------------------------------------------------------ what it tells

    downsampled_array_factor: int = lt.property(default=2, ge=1)
    """By which `capture_downsampled_array` divides each side."""

    @lt.property
    def capture_modes(self) -> Mapping[str, CaptureMode]:
        """How a still may be taken."""
        return self._modes()

    # ------------------------------------------------------------------------- stills

    @lt.action
    def capture(
        self,
        capture_mode: str = "standard",
        image_format: str = "jpeg",
        retain_image: bool = True,  # noqa: FBT001, FBT002 (as on OpenFlexure's server)
    ) -> lt.blob.Blob:
        """Take a picture and return it; keep it under the second of its time."""
        media_type = FORMATS[image_format]
        path = RelativeDataPath(self._new_name(image_format))
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
                image = self._take(capture_mode)
            except TimeoutError:
                self.logger.warning("Attempt %d to take a picture failed.", attempt + 1)
                continue
            return self._memory.add(Picture(image, metadata, capture_mode), buffer_max)
        raise CaptureError(f"No picture was taken in {max_attempts} attempts.")

    @lt.action
    def save_from_memory(
        self, path: RelativeDataPath, buffer_id: int | None = None
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
        raw: bool = False,  # noqa: FBT001, FBT002 (as on OpenFlexure's server)
    ) -> NDArray:
        """Take a picture and return it as rows, columns and RGB."""
        if raw:  # refused as by OpenFlexure's own simulation
            raise NotImplementedError("This camera has no raw pictures as arrays.")
        image = self._take(capture_mode)
        return as_array(read_jpeg(image) if isinstance(image, bytes) else image)

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
