"""Server v3's camera as ours: stills that no gallery sees, and fresh previews."""

import io
from contextlib import suppress
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from PIL import Image as Picture

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.v3_exposure import Exposure
from openflexure_timelapse.hosts.v3_features import is_simulated, offers
from openflexure_timelapse.hosts.v3_state import ThingStates
from openflexure_timelapse.hosts.v3_stills import Stills
from openflexure_timelapse.hosts.visit_locks import VisitLocks
from openflexure_timelapse.ports import CameraInfo, Image, JsonDict

__all__ = ["V3Camera"]

Size = Tuple[int, int]

DEFAULT_MODE = "standard"
QUICK_MODE = "quick"
STREAM_MODE = "stream"
"""Of a camera that offers nothing but frames of its live view."""
USUAL_SIZE = (1640, 1232)
"""The Pi camera's, where a camera tells no size before its first picture."""
BYTES_PER_PIXEL = 0.5
"""Quality 95 without subsampling, of a sample full of detail."""
STOPPING_S, BESIDE_S = 2.5, 0.7
"""Usual times of a still that stops the live view, and of one beside it."""

# A frame may be in the sensor, one in the processor and one in the encoder when it is
# asked for. `discard_frames` waits for one of them, a grab for one more.
STALE_FRAMES = 2
MOST_TORN = 3


class V3Camera:
    """The camera Thing, whatever class it has.

    Parameters
    ----------
    camera : object
        As `v3_protocols.CameraThing` says; one way to a picture is needed.
    locks : VisitLocks
        Frames every call.
    states : ThingStates
        Shown every still.
    um_per_pixel : callable
        Returns that of the default mode; None while nobody calibrated it.
    make_path : callable or None
        As in `Stills`.
    """

    def __init__(
        self,
        camera: Any,
        locks: VisitLocks,
        states: ThingStates,
        um_per_pixel: Callable[[], Optional[float]],
        make_path: Optional[Callable[[str], Any]],
    ) -> None:
        self._camera = camera
        self._locks = locks
        self._states = states
        self._um_per_pixel = um_per_pixel
        self._stills = Stills(camera, make_path)
        self._exposure = Exposure(camera)
        self._seen_sizes: Dict[str, Size] = {}

    # ------------------------------------------------------------------------- facts

    def describe(self) -> CameraInfo:
        """Return the constant facts; sizes are the picture's once one was seen."""
        found = self._modes()
        modes = {name: self._size_of(name, mode) for name, mode in found.items()}
        width, height = next(iter(modes.values()))
        stops = getattr(next(iter(found.values())), "streaming_mode", None) is not None
        return CameraInfo(
            model=type(self._camera).__name__,
            simulated=is_simulated(self._camera),
            modes=modes,
            um_per_pixel=self._um_per_pixel(),
            typical_frame_bytes=round(width * height * BYTES_PER_PIXEL),
            capture_s=STOPPING_S if stops else BESIDE_S,
        )

    def begin_visit(self) -> None:
        """Take note that others had the camera until now."""
        self._exposure.forget()

    def _modes(self) -> Dict[str, Any]:
        """Return the server's capture modes by name, the default one first."""
        if not (self._stills.knows_modes and offers(self._camera, "capture_modes")):
            only = DEFAULT_MODE if self._stills.knows_modes else STREAM_MODE
            return {only: None}
        modes = dict(self._camera.capture_modes)
        return dict(sorted(modes.items(), key=lambda item: item[0] != DEFAULT_MODE))

    def _size_of(self, name: str, mode: Any) -> Size:
        """Return the size of a mode's pictures: as seen, as told, or the usual one."""
        if name in self._seen_sizes:
            return self._seen_sizes[name]
        told = getattr(mode, "save_resolution", None) or self._streamed_size(mode)
        shape = getattr(self._camera, "shape", None)
        if told is None and isinstance(shape, (list, tuple)):
            told = (shape[1], shape[0])
        width, height = told or USUAL_SIZE
        return int(width), int(height)

    def _streamed_size(self, mode: Any) -> Optional[Size]:
        """Return the size of the stream that a mode saves; None where untold."""
        if not offers(self._camera, "streaming_modes"):
            return None
        present = getattr(self._camera, "streaming_mode", None)
        streaming = getattr(mode, "streaming_mode", None) or present
        stream = getattr(mode, "stream_name", None) or "main"
        told = self._camera.streaming_modes.get(streaming)
        size: Optional[Size] = getattr(told, f"{stream}_resolution", None)
        return size

    def _image(self, jpeg: bytes, mode: str) -> Image:
        """Return a picture with what the camera tells of it."""
        with suppress(OSError):
            self._seen_sizes[mode] = Picture.open(io.BytesIO(jpeg)).size
        simulated = is_simulated(self._camera)
        told = {**self._exposure.told(), "mode": mode, "simulated": simulated}
        return Image(jpeg, told)

    # ---------------------------------------------------------------------- pictures

    def capture(self, mode: Optional[str]) -> Image:
        """Take a still; see `ports.Camera`.

        Raises
        ------
        HardwareError
            For an unknown mode, which the server would take for another one; and when
            there is no picture.
        """
        with self._locks.call("read the capture modes"):
            modes = self._modes()
        mode = next(iter(modes)) if mode is None else mode
        if mode not in modes:
            known = ", ".join(modes)
            message = f"The camera has no mode {mode!r}; choose one of {known}."
            raise HardwareError(message)
        with self._locks.call("take a picture"):
            if self._stills.knows_modes:
                self._discard(STALE_FRAMES)
                jpeg = self._stills.take(mode)
            else:
                jpeg = self._fresh_frame("main")
            self._states.saw(jpeg)
            return self._image(jpeg, mode)

    def preview(self) -> Image:
        """Return a frame of the live view whose exposure began after this call."""
        if not offers(self._camera, "grab_jpeg"):
            return self.capture(QUICK_MODE if QUICK_MODE in self._modes() else None)
        with self._locks.call("take a preview"):
            return self._image(self._fresh_frame("lores"), "preview")

    def _fresh_frame(self, stream: str) -> bytes:
        """Return a whole frame that was exposed from now on."""
        self._discard(1)
        for _ in range(STALE_FRAMES):
            self._stills.frame(stream)
        jpeg = b""
        for _ in range(MOST_TORN):
            jpeg = self._stills.frame(stream)
            if jpeg.endswith(b"\xff\xd9"):
                break
        return jpeg

    def _discard(self, frames: int) -> None:
        """Let frames pass that were under way, where the camera can wait for them."""
        if offers(self._camera, "discard_frames"):
            for _ in range(frames):
                self._camera.discard_frames()

    # ---------------------------------------------------------------------- exposure

    def exposure(self) -> JsonDict:
        """Return the settings now; empty for a camera that has none."""
        with self._locks.call("read the exposure"):
            self._exposure.forget()
            return self._exposure.told()

    def lock_exposure(self, values: Optional[Mapping[str, Any]] = None) -> JsonDict:
        """Leave the settings as they are, or set the given ones; see `ports.Camera`."""
        with self._locks.call("lock the exposure"):
            return self._exposure.put(values or self._exposure.told())

    def restore_exposure(self, saved: Mapping[str, Any]) -> None:
        """Put the settings back as `exposure` said that they were."""
        with self._locks.call("restore the exposure"):
            self._exposure.put(saved)

    # ------------------------------------------------------------------- after a hang

    def recover(self) -> None:
        """Do nothing: a call that hangs keeps the server's lock until it returns.

        The server starts its own streams again with each still, and offers no other
        way; a visit that comes too early finds the lock taken and is told as busy.
        """
