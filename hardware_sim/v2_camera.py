"""The camera of the simulated server v2: stills, the live view, and settings."""

import io
import logging
import threading
import time
from datetime import datetime
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np
import piexif
from labthings import StrictLock
from numpy.typing import NDArray

from hardware_sim.camera import MODES, SimCamera
from hardware_sim.v2_frames import FrameStream
from hardware_sim.v2_picamera import SETTINGS, PiCamera
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.ports import Clock, Image

__all__ = ["PiCameraStreamer"]

NS_PER_S = 1_000_000_000
SPRINKLED_S = 0.2
"""What the real server sleeps wherever the camera was seen to be confused."""
OWN_QUALITY = 90
"""Of the simulated camera's JPEGs; no higher one is made of them."""
FIRST_FRAME_S = 60.0
END_S = 10.0

RAW_BYTES = 10_270_208
RAW_MARK = b"BRCMo"
"""Raw data of the sensor begin so, in a JPEG of the real camera; the rest here is 0."""

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
    stream_active, record_active, preview_active : bool
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
        self.stream_active = False
        self.record_active = False
        self.preview_active = False
        self.image_resolution: Sequence[int] = PiCamera.MAX_RESOLUTION
        self.stream_resolution: Sequence[int] = MODES["preview"]
        self.numpy_resolution: Sequence[int] = (1312, 976)
        self.jpeg_quality = 100
        self.mjpeg_quality = 75
        self.mjpeg_bitrate = -1
        self.closed = False
        self._gate = threading.Lock()
        self._run = 0
        self._go = threading.Event()
        self._end = threading.Event()
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

    @property
    def framerate(self) -> Any:
        """Frames a second that the sensor is set to; the live view has its own rate."""
        return self.picamera.framerate

    @property
    def settings(self) -> Dict[str, Any]:
        """What `read_settings` returns."""
        return self.read_settings()

    def read_settings(self) -> Dict[str, Any]:
        """Return the settings as they are kept in the settings file."""
        kept = {key: getattr(self.picamera, key) for key in SETTINGS}
        return {**{key: getattr(self, key) for key in OWN_SETTINGS}, "picamera": kept}

    def update_settings(self, config: Mapping[str, Any]) -> None:
        """Apply settings; the live view stops meanwhile, for at least 0.4 s.

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
                raise RuntimeError("Cannot update camera config while recording.")
            paused = self.stream_active
            if paused:
                self.stop_stream()
            if "picamera" in config:
                self._apply(config["picamera"])
            for key in OWN_SETTINGS:
                if key in config:
                    setattr(self, key, config[key])
            if paused:
                self.start_stream()

    def _apply(self, config: Mapping[str, Any]) -> None:
        """Set the sensor's controls in the real server's order."""
        for key in ("exposure_mode", "analog_gain", "digital_gain", "shutter_speed"):
            if key in config:
                setattr(self.picamera, key, config[key])
        self._pause(SPRINKLED_S)
        if "awb_gains" in config:
            self.picamera.awb_mode = "off"
            self.picamera.awb_gains = config["awb_gains"]
        elif "awb_mode" in config:
            self.picamera.awb_mode = config["awb_mode"]
        for key in ("framerate", "saturation"):
            if key in config:
                setattr(self.picamera, key, config[key])
        self._pause(SPRINKLED_S)

    # --------------------------------------------------------------------- live view

    def start_stream(self) -> None:
        """Start the live view, if it does not run."""
        with self.lock(timeout=None):
            if self.stream_active or self.closed:
                return
            self.picamera.resolution = MODES["preview"]
            self._pause(SPRINKLED_S)
            with self._gate:
                self.stream_active = True
            self._go.set()

    def stop_stream(self) -> None:
        """Stop the live view; no frame arrives after this."""
        with self.lock:
            with self._gate:
                self.stream_active = False
                self._run += 1
            self._go.clear()
            self._pause(SPRINKLED_S)
            width, height = self.image_resolution
            self.picamera.resolution = (int(width), int(height))

    def get_frame(self) -> bytes:
        """Return the next frame of the live view."""
        return self.stream.getframe()

    def _deliver(self) -> None:
        """Render frames while the live view is on; the work of its thread."""
        while True:
            self._go.wait()
            if self._end.is_set():
                return
            begun_s, run = time.monotonic(), self._run
            taken_s = time.time()
            try:
                self._publish(self._sim.preview(), run, taken_s)
            except HardwareError as exc:
                LOG.warning("No frame for the live view: %s", exc)
            spent_s = time.monotonic() - begun_s
            self._end.wait(max(0.0, 1.0 / self.frames_per_s - spent_s))

    def _publish(self, image: Image, run: int, taken_s: float) -> None:
        """Show a frame, unless the live view was stopped after it was begun."""
        with self._gate:
            if self.stream_active and run == self._run:
                self.picamera.see(image.metadata)
                self.stream.write(image.jpeg, taken_s)

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
        output : str or Path or file
            Where it goes; a file is flushed, not closed.
        fmt : str
            ``jpeg``, ``png`` or ``bmp``.
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
                self.stop_stream()
                try:
                    data = self._still(resize, fmt)
                finally:
                    self.start_stream()
            if fmt in JPEG:
                data = _with_exif(data, thumbnail)
                if bayer and not use_video_port:
                    data += RAW_MARK.ljust(RAW_BYTES, b"\0")
            _write(output, data)
            return output

    def array(
        self,
        use_video_port: bool = True,  # noqa: ARG002, FBT001, FBT002
    ) -> NDArray[np.uint8]:
        """Return a picture of 832 by 624 pixels as rows, columns and RGB."""
        with self.lock:
            image = self._sim.capture("preview")
            self.picamera.see(image.metadata)
        pixels = _decoded(image.jpeg)
        if pixels is None:
            raise RuntimeError("The picture could not be decoded.")
        return np.ascontiguousarray(pixels[:, :, ::-1])

    def _still(self, resize: Optional[Sequence[int]], fmt: str) -> bytes:
        """Take a picture of the present resolution."""
        width, height = self.image_resolution
        larger = [
            (size[0], mode)
            for mode, size in MODES.items()
            if size[0] >= width and size[1] >= height
        ]
        mode = min(larger)[1] if larger else "full"
        return self._take(mode, resize or (width, height), fmt)

    def _take(self, mode: str, size: Sequence[int], fmt: str) -> bytes:
        """Take a picture of a mode and bring it to a size and a format."""
        image = self._sim.capture(mode)
        self.picamera.see(image.metadata)
        quality = min(int(self.jpeg_quality), OWN_QUALITY)
        same = tuple(size) == MODES[mode] and quality == OWN_QUALITY
        if same and fmt in JPEG:
            return image.jpeg
        return _converted(image.jpeg, (int(size[0]), int(size[1])), fmt, quality)

    # --------------------------------------------------------------- not on this one

    def set_zoom(self, zoom_value: float = 1.0) -> None:
        """Keep a zoom, which changes no picture."""
        size = 1.0 / max(1.0, float(zoom_value))
        start = (1.0 - size) / 2
        self.picamera.zoom = (start, start, size, size)

    def start_preview(self, *_: Any, **__: Any) -> None:
        """Say that a view on the screen of the Pi is on."""
        self.preview_active = True

    def stop_preview(self) -> None:
        """Say that it is off."""
        self.preview_active = False

    def close(self) -> None:
        """End the live view and its thread."""
        self.closed = True
        with self._gate:
            self.stream_active = False
            self._run += 1
        self._end.set()
        self._go.set()
        self._sim.recover()
        self._thread.join(END_S)
        self.stream.new_frame.set()
        self.picamera.close()

    def _pause(self, seconds: float) -> None:
        """Let time pass on the clock."""
        due_ns = self._clock.monotonic_ns() + int(seconds * NS_PER_S)
        self._clock.wait_until(due_ns, self._clock.signal())


OWN_SETTINGS = (
    "stream_resolution",
    "image_resolution",
    "numpy_resolution",
    "jpeg_quality",
    "mjpeg_quality",
    "mjpeg_bitrate",
)
JPEG = ("jpeg", "jpg")
FORMATS = (*JPEG, "png", "bmp")


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
    flags: List[int] = [cv2.IMWRITE_JPEG_QUALITY, quality] if fmt in JPEG else []
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
        size, quality = (thumbnail[0], thumbnail[1]), thumbnail[2]
        small = _converted(jpeg, size, "jpeg", quality)
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
    if hasattr(output, "write"):
        output.write(data)
        if hasattr(output, "flush"):
            output.flush()
        return
    with open(output, "wb") as file:  # noqa: PTH123 (a name or a Path)
        file.write(data)
