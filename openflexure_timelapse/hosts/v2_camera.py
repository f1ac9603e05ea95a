"""Server v2's camera as ours: stills its gallery never sees, and fresh previews."""

import io
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
)
from openflexure_timelapse.hosts.v2_exposure import Exposure
from openflexure_timelapse.hosts.v2_state import InstrumentState
from openflexure_timelapse.hosts.visit_locks import VisitLocks
from openflexure_timelapse.ports import CameraInfo, Clock, Image, JsonDict

__all__ = ["V2Camera"]

NS_PER_MS = 1_000_000
STILL = "still"
VIDEO = "video"
FRAME_S = 5
"""Real seconds for one frame of the live view; the mock camera makes one a second."""
PIPELINE_NS = 150 * NS_PER_MS
"""A frame may have been exposed so long before it arrives."""
MOST_TORN = 3
RECOVER_NS = 2000 * NS_PER_MS

# Bytes of a frame and seconds for it: an 8 MP still at quality 100, a frame from the
# video port at quality 100, and the mock's line of text.
USUAL: Mapping[str, Tuple[int, float]] = {
    STILL: (5_000_000, 2.0),
    VIDEO: (300_000, 0.3),
    "mock": (30_000, 1.0),
}


class V2Camera:
    """The camera of the server, whatever class it has.

    Two modes: ``still`` stops the live view and takes the sensor's whole resolution,
    ``video`` takes a picture of the live view's size beside it. The mock camera of a
    server without hardware has only ``video``.

    Parameters
    ----------
    microscope : object
        The server's; its camera is looked up at each call.
    clock : Clock
        Tells how old a frame is.
    locks : VisitLocks
        Frames every call.
    state : InstrumentState
        Told of changed settings.
    um_per_pixel : callable
        Returns that of the default mode; None while nobody calibrated it.
    """

    def __init__(
        self,
        microscope: Any,
        clock: Clock,
        locks: VisitLocks,
        state: InstrumentState,
        um_per_pixel: Callable[[], Optional[float]],
    ) -> None:
        self._microscope = microscope
        self._clock = clock
        self._locks = locks
        self._state = state
        self._um_per_pixel = um_per_pixel
        self._exposure = Exposure(lambda: self._camera)
        self._has_stalled = False

    @property
    def _camera(self) -> Any:
        """The server's camera."""
        return self._microscope.camera

    @property
    def _is_mock(self) -> bool:
        """Whether there is no camera behind it."""
        return not self._microscope.has_real_camera()

    # ------------------------------------------------------------------------- facts

    def describe(self) -> CameraInfo:
        """Return the constant facts."""
        camera = self._camera
        modes = {VIDEO: _size(camera.stream_resolution)}
        usual_bytes, usual_s = USUAL["mock"]
        if not self._is_mock:
            modes = {STILL: _size(camera.image_resolution), **modes}
            usual_bytes, usual_s = USUAL[STILL]
        board = self._state.part("camera", "board")
        name = type(camera).__name__
        return CameraInfo(
            model=f"{name} ({board})" if isinstance(board, str) else name,
            simulated=self._is_simulated(),
            modes=modes,
            um_per_pixel=self._um_per_pixel(),
            typical_frame_bytes=usual_bytes,
            capture_s=usual_s,
        )

    def _is_simulated(self) -> bool:
        """Tell whether no photon is involved."""
        return self._is_mock or bool(self._state.part("application", "simulated"))

    def _metadata(self, mode: str) -> Dict[str, Any]:
        """Return what the camera tells of the picture that it has just taken."""
        return {
            **self._exposure.told(),
            "mode": mode,
            "simulated": self._is_simulated(),
        }

    # ---------------------------------------------------------------------- pictures

    def capture(self, mode: Optional[str]) -> Image:
        """Take a still; see `ports.Camera`.

        Through the camera and never through the microscope: the gallery does not list
        it, no file is made, and no raw data follow the picture.

        Raises
        ------
        HardwareError
            For an unknown mode, or when there is no picture; the live view runs again
            then, which the server leaves stopped.
        """
        modes = self.describe().modes
        mode = next(iter(modes)) if mode is None else mode
        if mode not in modes:
            known = ", ".join(modes)
            message = f"The camera has no mode {mode!r}; choose one of {known}."
            raise HardwareError(message)
        with self._locks.call("take a picture"):
            if self._is_mock:
                return Image(self._next_frame(), self._metadata(mode))
            jpeg = self._taken(use_video_port=mode == VIDEO)
            if not jpeg:
                message = "The camera delivered no data; check its ribbon cable."
                raise HardwareError(message)
            return Image(jpeg, self._metadata(mode))

    def _taken(self, *, use_video_port: bool) -> bytes:
        """Return a JPEG, and leave the live view running whatever happens."""
        output = io.BytesIO()
        try:
            self._camera.capture(
                output, fmt="jpeg", use_video_port=use_video_port, bayer=False
            )
        except Exception:  # raised again; the server leaves the live view stopped
            self._try_to_go_live()
            raise
        return output.getvalue()

    def preview(self) -> Image:
        """Return a frame of the live view whose exposure began after this call.

        Raises
        ------
        HardwareTimeoutError
            When the live view shows no new frame. The server itself would hand out the
            old one again.
        """
        with self._locks.call("take a preview"):
            if not self._camera.stream_active:
                self._camera.start_stream()
            asked_ns = self._clock.monotonic_ns()
            jpeg = self._next_frame()
            # The frame that was on its way, and those in the sensor's pipeline. The
            # mock draws at once, one frame a second.
            while not self._is_mock:
                is_late = self._clock.monotonic_ns() - asked_ns >= PIPELINE_NS
                jpeg = self._next_frame(forget=False)
                if is_late:
                    break
            return Image(jpeg, self._metadata(VIDEO))

    def _next_frame(self, *, forget: bool = True) -> bytes:
        """Return a frame that this thread has not seen.

        Parameters
        ----------
        forget : bool
            Whether a frame that has arrived already does not count.
        """
        stream = self._camera.stream
        jpeg = b""
        for torn in range(MOST_TORN):
            if forget and not torn and stream.new_frame.wait(timeout=0):
                stream.new_frame.clear()
            self._has_stalled = not stream.new_frame.wait(timeout=FRAME_S)
            if self._has_stalled:
                message = f"The live view showed no new frame within {FRAME_S} s; "
                raise HardwareTimeoutError(message + "check the camera's ribbon cable.")
            jpeg = bytes(stream.getvalue())
            # The server replaces a frame in three steps, so one may be caught between.
            if jpeg.endswith(b"\xff\xd9"):
                break
        return jpeg

    # ---------------------------------------------------------------------- exposure

    def exposure(self) -> JsonDict:
        """Return how exposure is controlled now; empty for the mock camera."""
        with self._locks.call("read the exposure"):
            return self._exposure.control()

    def lock_exposure(self, values: Optional[Mapping[str, Any]] = None) -> JsonDict:
        """Freeze exposure, gains and white balance; see `ports.Camera`."""
        with self._locks.call("lock the exposure"):
            frozen = self._exposure.lock(values)
            self._state.refresh(changed=True)
            return frozen

    def restore_exposure(self, saved: Mapping[str, Any]) -> None:
        """Put exposure control back as `exposure` said that it was."""
        with self._locks.call("restore the exposure"):
            self._exposure.restore(saved)
            self._state.refresh(changed=True)

    # ------------------------------------------------------------------- after a hang

    def recover(self) -> None:
        """Start the live view again if it stands still; called without the locks.

        Raises
        ------
        HardwareBusyError
            When somebody else holds the camera, or the call that hung still does: the
            server would wait for it without end.
        HardwareError
            When the live view does not start.
        """
        if self._camera.stream_active and not self._has_stalled:
            return
        with self._locks.call("start the live view"):
            lock = getattr(self._camera, "lock", None)
            until_ns = self._clock.monotonic_ns() + RECOVER_NS
            if not self._locks.take(lock, until_ns):
                message = "The camera is still in use, or hangs; restart the "
                raise HardwareBusyError(message + "microscope's server if it stays so.")
            try:
                if self._camera.stream_active:
                    self._camera.stop_stream()
                self._camera.start_stream()
                self._has_stalled = False
            finally:
                if lock is not None:
                    lock.release()

    def _try_to_go_live(self) -> None:
        """Start the live view after a failure, which is the error to be told."""
        try:
            if not self._camera.stream_active:
                self._camera.start_stream()
        except Exception:  # noqa: BLE001 - the first error says more
            return


def _size(resolution: Any) -> Tuple[int, int]:
    """Return a size as two integers."""
    width, height = resolution
    return int(width), int(height)
