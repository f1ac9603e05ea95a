"""The camera of the simulated server v2: stills, the live view, and settings."""

import contextlib
import io
import logging
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np
import piexif
from labthings import StrictLock
from numpy.typing import NDArray

from hardware_sim.camera import MODES, SimCamera
from hardware_sim.v2_frames import FrameStream
from hardware_sim.v2_picamera import PICAMERA_SETTINGS, PiCamera
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.ports import Clock

__all__ = ["PiCameraStreamer"]

NS_PER_S = 1_000_000_000
REST_S = 0.2
"""The real server rests wherever its camera was seen to be confused otherwise."""
OWN_QUALITY = 90
"""Of the simulated camera's JPEGs; no higher one is made of them."""
FIRST_FRAME_S = 60.0
END_S = 10.0

OWN_SETTINGS = (
    "stream_resolution",
    "image_resolution",
    "numpy_resolution",
    "jpeg_quality",
    "mjpeg_quality",
    "mjpeg_bitrate",
)
FORMATS = ("jpeg", "png")
RAW = b"BRCMo".ljust(10_270_208, b"\0")
"""In place of the sensor's raw data, which follow a JPEG of the real camera."""

LOG = logging.getLogger(__name__)

Size = Tuple[int, int]


class PiCameraStreamer:
    """A `SimCamera` behind the interface of the v2 server's Pi camera.

    Parameters
    ----------
    sim : SimCamera
        The simulated camera.
    clock : Clock
        Its clock; not a virtual one, since there are real threads.
    frames_per_s : float
        Of the live view, for each second of the machine's own time.

    Attributes
    ----------
    lock : labthings.StrictLock
        Re-entrant; waits for ever.
    stream : FrameStream
        The live view.
    picamera : PiCamera
        The sensor's controls.
    stream_active, record_active : bool
        What goes on.
    image_resolution, stream_resolution, numpy_resolution : (int, int)
        In pixels. Only `image_resolution` changes what is taken.
    jpeg_quality, mjpeg_quality, mjpeg_bitrate : int
        Of stills and of the live view; a still's is 90 at most.
    """

    def __init__(
        self, sim: SimCamera, clock: Clock, frames_per_s: float = 10.0
    ) -> None:
        self._sim = sim
        self._clock = clock
        self.frames_per_s = frames_per_s
        self.lock = StrictLock(name="Camera", timeout=None)
        self.stream = FrameStream()
        self.picamera = PiCamera(sim)
        self.record_active = False
        self.image_resolution: Sequence[int] = PiCamera.MAX_RESOLUTION
        self.stream_resolution: Sequence[int] = MODES["preview"]
        self.numpy_resolution: Sequence[int] = (1312, 976)
        self.jpeg_quality = 100
        self.mjpeg_quality = 75
        self.mjpeg_bitrate = -1
        self.closed = False
        self._gate = threading.Condition()
        # Counts switches of the live view: odd while it is on. A frame that was begun
        # before a switch is not shown after it.
        self._switches = 0
        self._thread = threading.Thread(
            target=self._deliver, name="v2 live view", daemon=True
        )
        self._thread.start()
        self.start_stream()
        self.stream.new_frame.wait(FIRST_FRAME_S)

    # ------------------------------------------------------------------- what it is

    @property
    def configuration(self) -> Dict[str, Any]:
        """Constant facts."""
        return {"board": self.picamera.revision}

    @property
    def state(self) -> Dict[str, Any]:
        """Nothing, as on the real server."""
        return {}

    def read_settings(self) -> Dict[str, Any]:
        """Return the settings as they are kept in the settings file."""
        sensor = {key: getattr(self.picamera, key) for key in PICAMERA_SETTINGS}
        return {**{key: getattr(self, key) for key in OWN_SETTINGS}, "picamera": sensor}

    def update_settings(self, config: Mapping[str, Any]) -> None:
        """Apply settings; the live view stops meanwhile.

        Parameters
        ----------
        config : mapping
            Any of `read_settings`; unknown names are ignored.

        Raises
        ------
        RuntimeError
            While a video is being recorded.
        """
        with self.lock(timeout=None):
            if self.record_active:
                raise RuntimeError("The settings stay as they are during a recording.")
            was_on = self.stream_active
            if was_on:
                self.stop_stream()
            self._apply(config.get("picamera"))
            for key in set(OWN_SETTINGS).intersection(config):
                setattr(self, key, config[key])
            if was_on:
                self.start_stream()

    def _apply(self, config: Optional[Mapping[str, Any]]) -> None:
        """Set the sensor's controls; gains of the white balance hold it."""
        if config is None:
            return
        wanted = {key: config[key] for key in PICAMERA_SETTINGS if key in config}
        if "awb_gains" in wanted:
            wanted["awb_mode"] = "off"
        for key, value in wanted.items():
            setattr(self.picamera, key, value)
        self._rest(2)

    # --------------------------------------------------------------------- live view

    @property
    def stream_active(self) -> bool:
        """Whether the live view is on."""
        return self._switches % 2 == 1

    def start_stream(self) -> None:
        """Start the live view, if it does not run."""
        with self.lock(timeout=None):
            if not self.stream_active and not self.closed:
                self.picamera.resolution = MODES["preview"]
                self._rest()
                self._switch()

    def stop_stream(self) -> None:
        """Stop the live view; no frame arrives after this."""
        with self.lock:
            if self.stream_active:
                self._switch()
            self._rest()
            width, height = self.image_resolution
            self.picamera.resolution = (int(width), int(height))

    def get_frame(self) -> bytes:
        """Return the next frame of the live view."""
        return self.stream.getframe()

    def _switch(self) -> None:
        """Turn the live view on or off."""
        with self._gate:
            self._switches += 1
            self._gate.notify_all()

    def _deliver(self) -> None:
        """Render frames while the live view is on; the work of its thread."""
        while not self.closed:
            with self._gate:
                self._gate.wait_for(lambda: self.stream_active or self.closed)
                switches = self._switches
            begun_s, taken_s = time.monotonic(), time.time()
            self._show_one(switches, taken_s)
            spent_s = time.monotonic() - begun_s
            with self._gate:
                self._gate.wait_for(
                    lambda: self.closed, max(0.0, 1.0 / self.frames_per_s - spent_s)
                )

    def _show_one(self, switches: int, taken_s: float) -> None:
        """Render a frame, and show it unless the live view was switched meanwhile."""
        if self.closed:
            return
        try:
            image = self._sim.preview()
        except HardwareError as exc:
            LOG.warning("No frame for the live view: %s", exc)
            return
        with self._gate:
            if switches == self._switches:
                self.picamera.see(image.metadata)
                self.stream.show(image.jpeg, taken_s)

    # ------------------------------------------------------------------------- stills

    def capture(  # noqa: PLR0913, PLR0917 (as on the real server)
        self,
        output: Any,
        fmt: str = "jpeg",
        use_video_port: bool = False,  # noqa: FBT001, FBT002
        resize: Optional[Sequence[int]] = None,
        bayer: bool = True,  # noqa: FBT001, FBT002
        thumbnail: Optional[Tuple[int, int, int]] = None,
    ) -> Any:
        """Take a picture.

        Parameters
        ----------
        output : str or file
            Where it goes; a file is flushed, not closed.
        fmt : str
            ``jpeg`` or ``png``.
        use_video_port : bool
            Take it at 832 by 624 beside the live view, which goes on; else the live
            view stands still until the picture is there.
        resize : (int, int), optional
            Width and height in pixels.
        bayer : bool
            Append 10 MB in place of raw data; not from the video port.
        thumbnail : (int, int, int), optional
            Width, height and JPEG quality of one to put into the EXIF block.
        """
        with self.lock:
            if use_video_port:
                data = self._take("preview", resize or MODES["preview"], fmt)
            else:
                with self._still_port():
                    size = resize or self.image_resolution
                    data = self._take(self._still_mode(), size, fmt)
            if fmt == "jpeg":
                raw = RAW if bayer and not use_video_port else b""
                data = _with_exif(data, thumbnail) + raw
            _write(output, data)
        return output

    def array(
        self,
        use_video_port: bool = True,  # noqa: ARG002, FBT001, FBT002
    ) -> NDArray[np.uint8]:
        """Return a picture of 832 by 624 pixels as rows, columns and RGB.

        Raises
        ------
        RuntimeError
            When the picture is broken.
        """
        with self.lock:
            pixels = _decoded(self._take("preview", MODES["preview"], "jpeg"))
        if pixels is None:
            raise RuntimeError("The picture cannot be decoded.")
        return np.ascontiguousarray(pixels[:, :, ::-1])

    @contextlib.contextmanager
    def _still_port(self) -> Iterator[None]:
        """Stop the live view and start it again, if nothing fails in between.

        On the real server, too, it stands still after a still that failed.
        """
        self.stop_stream()
        yield
        self.start_stream()

    def _still_mode(self) -> str:
        """Return the least mode that has the pixels of a still."""
        width, height = self.image_resolution
        for mode in ("preview", "half"):
            if MODES[mode][0] >= width and MODES[mode][1] >= height:
                return mode
        return "full"

    def _take(self, mode: str, size: Sequence[int], fmt: str) -> bytes:
        """Take a picture of a mode and bring it to a size and a format."""
        image = self._sim.capture(mode)
        self.picamera.see(image.metadata)
        quality = min(int(self.jpeg_quality), OWN_QUALITY)
        if (tuple(size), fmt, quality) == (MODES[mode], "jpeg", OWN_QUALITY):
            return image.jpeg
        return _converted(image.jpeg, (int(size[0]), int(size[1])), fmt, quality)

    def close(self) -> None:
        """End the live view and its thread."""
        with self._gate:
            self.closed = True
            self._switches += self._switches % 2
            self._gate.notify_all()
        self._sim.recover()
        self._thread.join(END_S)
        self.stream.new_frame.set()

    def _rest(self, times: int = 1) -> None:
        """Let time pass on the clock."""
        due_ns = self._clock.monotonic_ns() + int(times * REST_S * NS_PER_S)
        self._clock.wait_until(due_ns, self._clock.signal())


def _decoded(jpeg: bytes) -> Optional[NDArray[np.uint8]]:
    """Return the pixels of a JPEG as OpenCV has them; None for one that is broken."""
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _converted(jpeg: bytes, size: Size, fmt: str, quality: int) -> bytes:
    """Return a picture in another size, format or quality; a broken one as it is."""
    if fmt not in FORMATS:
        raise ValueError(f"there is no format {fmt!r}; choose one of {FORMATS}")
    pixels = _decoded(jpeg)
    if pixels is None:
        return jpeg
    if (pixels.shape[1], pixels.shape[0]) != size:
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    flags: List[int] = [cv2.IMWRITE_JPEG_QUALITY, quality] if fmt == "jpeg" else []
    return bytes(cv2.imencode(f".{fmt}", pixels, flags)[1])


def _with_exif(jpeg: bytes, thumbnail: Optional[Tuple[int, int, int]]) -> bytes:
    """Return a JPEG with what the Pi camera's firmware writes into its EXIF block."""
    now = datetime.now()  # noqa: DTZ005 (EXIF has local time)
    exif: Dict[str, Any] = {
        "0th": {
            piexif.ImageIFD.Make: b"RaspberryPi",
            piexif.ImageIFD.Model: b"RP_imx219",
            piexif.ImageIFD.DateTime: now.strftime("%Y:%m:%d %H:%M:%S").encode(),
        },
        "Exif": {},
        "1st": {},
    }
    if thumbnail is not None:
        width, height, quality = thumbnail
        small = _converted(jpeg, (width, height), "jpeg", quality)
        # A broken picture comes back whole, and would not fit into the block.
        if small is not jpeg:
            exif["thumbnail"] = small
    whole = io.BytesIO()
    try:
        piexif.insert(piexif.dump(exif), jpeg, whole)
    except piexif.InvalidImageDataError:
        return jpeg
    return whole.getvalue()


def _write(output: Any, data: bytes) -> None:
    """Write into a file that is open, or into one of a name."""
    if isinstance(output, str):
        Path(output).write_bytes(data)
    else:
        output.write(data)
        output.flush()
