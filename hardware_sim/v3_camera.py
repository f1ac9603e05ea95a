"""The camera of the simulated server v3: stills, streams and exposure."""

import contextlib
import os
import sqlite3
import threading
import time
from datetime import datetime
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import cv2
import labthings_fastapi as lt
import numpy as np
from fastapi import Response
from labthings_fastapi.exceptions import ServerNotRunningError
from labthings_fastapi.types.numpy import NDArray
from pydantic import BaseModel
from typing_extensions import Literal

from hardware_sim.camera import SimCamera
from hardware_sim.v3_data import DataThing, RelativeDataPath
from hardware_sim.v3_pictures import (
    CaptureError,
    Memory,
    Picture,
    as_array,
    read_jpeg,
    save,
    taken_at,
)
from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.ports import Clock

__all__ = ["CaptureMode", "ExposureCamera", "SimulatedCamera"]

NS_PER_S = 1_000_000_000
LORES = (320, 240)
LORES_QUALITY = 75
SHORTEST_REST_S = 0.005
"""Between two frames of the streams, so that a still gets its turn."""
END_S = 10.0
NAME = "%Y-%m-%d-%H%M%S"
FORMATS = {"jpeg": "image/jpeg", "png": "image/png"}
FOLDER_ENTRIES = (".jpeg", ".jpg", ".png")

Stream = Literal["main", "lores"]


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


class SimulatedCamera(DataThing):
    """A `SimCamera` with the actions and properties of the v3 server's cameras.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    sim : SimCamera
        The simulated camera.
    clock : Clock
        Its clock; not a virtual one, since there are real threads.
    frames_per_s : float
        Of the streams, for each second of the machine's own time.

    Attributes
    ----------
    clock : Clock
        As given; on no real camera. It is the one clock of the simulated hardware,
        for a Thing that asks for it.
    mjpeg_stream, lores_mjpeg_stream : MJPEGStream
        832 by 624 pixels, and 320 by 240.
    """

    mjpeg_stream = lt.outputs.MJPEGStreamDescriptor()
    lores_mjpeg_stream = lt.outputs.MJPEGStreamDescriptor()
    supports_focus_fom = False

    def __init__(
        self,
        thing_server_interface: Any,
        *,
        sim: SimCamera,
        clock: Clock,
        frames_per_s: float = 10.0,
    ) -> None:
        super().__init__(thing_server_interface)
        self.clock = clock
        self.frames_per_s = frames_per_s
        self._sim = sim
        self._memory = Memory()
        self._listed: List[str] = []
        # Held for each frame of the streams, and for a still that pauses them.
        self._sensor = threading.Lock()
        self._ended = threading.Event()
        self._deliverer: Optional[threading.Thread] = None
        self._watchers: List[List[Tuple[float, int]]] = []

    def __enter__(self) -> Any:
        """Hold the exposure, for it is automatic on no camera, and start the streams."""
        super().__enter__()
        self._listed = _pictures_in(self.data_dir)
        self._hold_exposure()
        self._ended.clear()
        self._deliverer = threading.Thread(
            target=self._deliver, name="v3 streams", daemon=True
        )
        self._deliverer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the streams and whatever hangs."""
        self._ended.set()
        self._sim.recover()
        if self._deliverer is not None:
            self._deliverer.join(END_S)

    def _hold_exposure(self) -> None:
        """Freeze what the automatic control finds."""
        self._sim.lock_exposure()

    # ------------------------------------------------------------------- what it tells

    settling_time: float = lt.setting(default=0.2, ge=0)
    """Seconds of `settle`."""

    downsampled_array_factor: int = lt.property(default=2, ge=1)
    """By which `capture_downsampled_array` divides each side."""

    streaming_mode: str = lt.property(default="default", readonly=True)
    """There is no other one."""

    @lt.property
    def stream_active(self) -> bool:
        """Whether frames arrive."""
        return self._deliverer is not None and self._deliverer.is_alive()

    @lt.property
    def capture_modes(self) -> Mapping[str, CaptureMode]:
        """How a still may be taken."""
        return {name: way.told for name, way in MODES.items()}

    @property
    def thing_state(self) -> Mapping[str, Any]:
        """What goes into the metadata of each picture."""
        return {"camera": type(self).__name__, "simulated": True}

    # ------------------------------------------------------------------------- streams

    @lt.endpoint("get", "snapshot", responses={200: {"content": {"image/jpeg": {}}}})
    async def snapshot(self) -> Response:
        """Return the next small frame."""
        jpeg = await self.lores_mjpeg_stream.grab_frame()
        return Response(content=jpeg, media_type="image/jpeg")

    def kill_mjpeg_streams(self) -> None:
        """End the streams of all clients, since the server is about to end."""
        self.mjpeg_stream._streaming = False  # noqa: SLF001 (as the real server)
        self.lores_mjpeg_stream._streaming = False  # noqa: SLF001

    @contextlib.contextmanager
    def watched(self) -> Iterator[List[Tuple[float, int]]]:
        """Note Unix time in seconds and bytes of each small frame, for a focus sweep."""
        seen: List[Tuple[float, int]] = []
        self._watchers.append(seen)
        try:
            yield seen
        finally:
            self._watchers.remove(seen)

    def _deliver(self) -> None:
        """Render frames; the work of a thread."""
        while not self._ended.is_set():
            begun_s = time.monotonic()
            with self._sensor, contextlib.suppress(ServerNotRunningError):
                self._show_one()
            rest_s = 1.0 / self.frames_per_s - (time.monotonic() - begun_s)
            self._ended.wait(max(SHORTEST_REST_S, rest_s))

    def _show_one(self) -> None:
        """Render a frame for both streams; one that fails is left out."""
        taken_s = time.time()
        try:
            jpeg = self._sim.preview().jpeg
            small = _small(jpeg)
            moment = datetime.fromtimestamp(taken_s)  # noqa: DTZ006 (as the stream has it)
            self.mjpeg_stream.add_frame(jpeg, moment)
            self.lores_mjpeg_stream.add_frame(small, moment)
        except (HardwareError, ValueError) as exc:
            self.logger.warning("No frame for the streams: %s", exc)
            return
        for seen in list(self._watchers):
            seen.append((taken_s, len(small)))

    def _stream(self, stream_name: Stream) -> Any:
        """Return a stream by its name."""
        return getattr(self, {"main": "", "lores": "lores_"}[stream_name] + "mjpeg_stream")

    @lt.action
    def grab_jpeg(self, stream_name: Stream = "main") -> lt.blob.Blob:
        """Return the next frame of a stream."""
        grab = self._stream(stream_name).grab_frame
        blob = lt.blob.Blob.from_bytes(self._thing_server_interface.call_async_task(grab))
        blob.media_type = "image/jpeg"
        return blob

    @lt.action
    def grab_as_array(self, stream_name: Stream = "main") -> NDArray:
        """Return the next frame of a stream as rows, columns and RGB."""
        grab = self._stream(stream_name).grab_frame
        return as_array(read_jpeg(self._thing_server_interface.call_async_task(grab)))

    @lt.action
    def grab_jpeg_size(self, stream_name: Stream = "main") -> int:
        """Return the bytes of the next frame of a stream."""
        size = self._stream(stream_name).next_frame_size
        return int(self._thing_server_interface.call_async_task(size))

    @lt.action
    def discard_frames(self) -> None:
        """Do nothing: a still of the simulated camera is exposed when it is asked for."""

    @lt.action
    def settle(self) -> None:
        """Wait for the settling time, and do not heed a cancel."""
        due_ns = self.clock.monotonic_ns() + int(self.settling_time * NS_PER_S)
        self.clock.wait_until(due_ns, self.clock.signal())
        self.discard_frames()

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
            folder = path.save_to_tempdir()
            self.capture_and_save_to_path(path, capture_mode)
            blob = lt.blob.Blob.from_temporary_directory(folder, path.root)
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
        if raw:
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
        """The exposure time, in µs."""
        return int(self._kept.get("exposure_us", 0))

    @exposure_time.setter
    def _set_exposure_time(self, value: int) -> None:
        self._keep(exposure_us=float(value))

    @lt.setting
    def analogue_gain(self) -> float:
        """The gain of the sensor."""
        return float(self._kept.get("analogue_gain", 1.0))

    @analogue_gain.setter
    def _set_analogue_gain(self, value: float) -> None:
        self._keep(analogue_gain=value)

    @lt.setting
    def colour_gains(self) -> Tuple[float, float]:
        """The gains of red and blue; they change no picture."""
        red, blue = self._kept.get("colour_gains", (1.0, 1.0))
        return float(red), float(blue)

    @colour_gains.setter
    def _set_colour_gains(self, value: Tuple[float, float]) -> None:
        self._keep(colour_gains=list(value))


def _small(jpeg: bytes) -> bytes:
    """Return a frame of the small stream.

    Raises
    ------
    ValueError
        For one that was cut off.
    """
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("a frame was cut off")
    small = cv2.resize(pixels, LORES, interpolation=cv2.INTER_AREA)
    flags = [cv2.IMWRITE_JPEG_QUALITY, LORES_QUALITY]
    return bytes(cv2.imencode(".jpg", small, flags)[1])


def _pictures_in(folder: str) -> List[str]:
    """Return the names of the pictures in a folder."""
    return [name for name in os.listdir(folder) if name.endswith(FOLDER_ENTRIES)]
