"""The streams of the simulated server v3's camera, and what can be had from them."""

import contextlib
import threading
import time
from datetime import datetime
from typing import Any, Iterator, List, Optional, Tuple

import cv2
import labthings_fastapi as lt
import numpy as np
from fastapi import Response
from labthings_fastapi.exceptions import ServerNotRunningError
from labthings_fastapi.types.numpy import NDArray
from typing_extensions import Literal

from hardware_sim.camera import SimCamera
from hardware_sim.v3_data import DataThing
from hardware_sim.v3_pictures import as_array, read_jpeg
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.ports import Clock

__all__ = ["StreamingCamera"]

NS_PER_S = 1_000_000_000
LORES = (320, 240)
LORES_QUALITY = 75
SHORTEST_REST_S = 0.005
"""Between two frames of the streams, so that a still gets its turn."""
END_S = 10.0

Stream = Literal["main", "lores"]


class StreamingCamera(DataThing):
    """A `SimCamera` that streams.

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
    frames_per_s : float
        As given.
    mjpeg_stream, lores_mjpeg_stream : MJPEGStream
        832 by 624 pixels, and 320 by 240.
    """

    mjpeg_stream = lt.outputs.MJPEGStreamDescriptor()
    lores_mjpeg_stream = lt.outputs.MJPEGStreamDescriptor()

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
        # Held for each frame of the streams, and for a still that pauses them.
        self._sensor = threading.Lock()
        self._ended = threading.Event()
        self._deliverer: Optional[threading.Thread] = None
        self._watchers: List[List[Tuple[float, int]]] = []

    def __enter__(self) -> Any:
        """Hold the exposure, which is automatic on no camera of v3, and stream."""
        super().__enter__()
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

    settling_time: float = lt.setting(default=0.2, ge=0)
    """Seconds of `settle`."""

    streaming_mode: str = lt.property(default="default", readonly=True)
    """There is no other one."""

    @lt.property
    def stream_active(self) -> bool:
        """Whether frames arrive."""
        return self._deliverer is not None and self._deliverer.is_alive()

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
        """Note Unix time in seconds and bytes of each small frame: a focus sweep."""
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
        return getattr(
            self, {"main": "", "lores": "lores_"}[stream_name] + "mjpeg_stream"
        )

    @lt.action
    def grab_jpeg(self, stream_name: Stream = "main") -> lt.blob.Blob:
        """Return the next frame of a stream."""
        grab = self._stream(stream_name).grab_frame
        blob = lt.blob.Blob.from_bytes(
            self._thing_server_interface.call_async_task(grab)
        )
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
        """Do nothing: a simulated still is exposed when it is asked for."""

    @lt.action
    def settle(self) -> None:
        """Wait for the settling time, and do not heed a cancel."""
        due_ns = self.clock.monotonic_ns() + int(self.settling_time * NS_PER_S)
        self.clock.wait_until(due_ns, self.clock.signal())
        self.discard_frames()


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
