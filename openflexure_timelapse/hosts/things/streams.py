"""The live view of a camera Thing, and what can be had from it."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, Literal, TypeVar

import labthings_fastapi as lt
from fastapi import Response
from labthings_fastapi.exceptions import InvocationError
from labthings_fastapi.types.numpy import NDArray

from openflexure_timelapse.hosts.things.data import DataThing
from openflexure_timelapse.hosts.things.pictures import as_array, read_jpeg
from openflexure_timelapse.ports import Clock

__all__ = ["Stream", "StreamingThing"]

NS_PER_S = 1_000_000_000
END_S = 10.0
FRAME_S = 30.0
"""A camera that has to be started again gives its first frame sooner."""

Stream = Literal["main", "lores"]
_Told = TypeVar("_Told")


class StreamingThing(DataThing):
    """A camera that streams; `_deliver` is to be filled.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    clock : Clock
        That of the hardware; not a virtual one, since there are real threads.

    Attributes
    ----------
    clock : Clock
        As given; on no camera of OpenFlexure's. For a Thing that asks for it.
    mjpeg_stream, lores_mjpeg_stream : MJPEGStream
        The live view, and a smaller one where the camera has it.
    """

    mjpeg_stream = lt.outputs.MJPEGStreamDescriptor()
    lores_mjpeg_stream = lt.outputs.MJPEGStreamDescriptor()

    def __init__(self, thing_server_interface: Any, *, clock: Clock) -> None:
        super().__init__(thing_server_interface)
        self.clock = clock
        self._ended = threading.Event()
        self._deliverer: threading.Thread | None = None
        self._watchers: list[list[tuple[float, int]]] = []

    def __enter__(self) -> Any:
        """Stream."""
        super().__enter__()
        self._ended.clear()
        self._deliverer = threading.Thread(
            target=self._deliver, name="v3 streams", daemon=True
        )
        self._deliverer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the streams, and let go who waits for a frame that does not come."""
        self._ended.set()
        if self._deliverer is not None:
            self._deliverer.join(END_S)
        self.mjpeg_stream.stop()
        self.lores_mjpeg_stream.stop()

    def _deliver(self) -> None:
        """Call `_show` for each frame until `_ended` is set; the work of a thread."""
        raise NotImplementedError

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
        self.mjpeg_stream._streaming = False  # noqa: SLF001 (as OpenFlexure's server)
        self.lores_mjpeg_stream._streaming = False  # noqa: SLF001

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[tuple[float, int]]]:
        """Note Unix time in seconds and bytes of each small frame: a focus sweep."""
        seen: list[tuple[float, int]] = []
        self._watchers.append(seen)
        try:
            yield seen
        finally:
            self._watchers.remove(seen)

    def _show(self, main: bytes, lores: bytes, taken_s: float) -> None:
        """Hand a frame to both streams and to who watches.

        Parameters
        ----------
        main, lores : bytes
            The frame as JPEG data of two sizes, which may be the same.
        taken_s : float
            Unix time of its exposure.

        Raises
        ------
        ValueError
            For a frame that was cut off.
        """
        moment = datetime.fromtimestamp(taken_s)  # noqa: DTZ006 (as the stream has it)
        self.mjpeg_stream.add_frame(main, moment)
        self.lores_mjpeg_stream.add_frame(lores, moment)
        for seen in list(self._watchers):
            seen.append((taken_s, len(lores)))

    def _stream(self, stream_name: Stream) -> Any:
        """Return a stream by its name."""
        return self.mjpeg_stream if stream_name == "main" else self.lores_mjpeg_stream

    def _waited_for(self, ask: Callable[[], Awaitable[_Told]]) -> _Told:
        """Return what a stream tells of its next frame.

        Raises
        ------
        InvocationError
            When none comes: whoever waits has the server's lock, and all others wait
            for that.
        """

        async def told() -> _Told:
            return await asyncio.wait_for(ask(), FRAME_S)

        try:
            found: _Told = self._thing_server_interface.call_async_task(told)
        except TimeoutError as exc:
            message = f"No frame came within {FRAME_S:g} s; look at the camera's cable."
            raise InvocationError(message) from exc
        return found

    @lt.action
    def grab_jpeg(self, stream_name: Stream = "main") -> lt.blob.Blob:
        """Return the next frame of a stream."""
        grab = self._stream(stream_name).grab_frame
        blob = lt.blob.Blob.from_bytes(self._waited_for(grab))
        blob.media_type = "image/jpeg"
        return blob

    @lt.action
    def grab_as_array(self, stream_name: Stream = "main") -> NDArray:
        """Return the next frame of a stream as rows, columns and RGB."""
        grab = self._stream(stream_name).grab_frame
        return as_array(read_jpeg(self._waited_for(grab)))

    @lt.action
    def grab_jpeg_size(self, stream_name: Stream = "main") -> int:
        """Return the bytes of the next frame of a stream."""
        return int(self._waited_for(self._stream(stream_name).next_frame_size))

    @lt.action
    def discard_frames(self) -> None:
        """Do nothing: here a still is always exposed after it was asked for."""

    @lt.action
    def settle(self) -> None:
        """Wait for the settling time, and do not heed a cancel."""
        due_ns = self.clock.monotonic_ns() + int(self.settling_time * NS_PER_S)
        self.clock.wait_until(due_ns, self.clock.signal())
        self.discard_frames()
