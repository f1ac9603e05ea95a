"""A Raspberry Pi camera as ours, by picamera2 in a process of its own.

One mode holds for the whole run: full pictures and a live view that never stops, also
while stills are taken. A camera that stalls is started again while the run goes on.
"""

import threading
from dataclasses import replace
from typing import Any, Callable, ContextManager, Dict, List, Mapping, Optional

from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.hosts.direct import vitals
from openflexure_timelapse.hosts.direct.camera_keeper import CameraKeeper, Patience
from openflexure_timelapse.hosts.direct.camera_settings import CameraSettings
from openflexure_timelapse.hosts.direct.exposure_control import ExposureControl
from openflexure_timelapse.hosts.direct.frames import StreamFrame, TimeBridge
from openflexure_timelapse.hosts.direct.wire import Message
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import CameraInfo, Clock, Image, JsonDict

__all__ = ["DirectCamera"]

NS_PER_S = 1_000_000_000
NS_PER_US = 1000
MOST_TRIES = 3
MOST_FAILURES = 2
"""Stills in a row that time out beside a live view that goes on."""
BYTES_PER_PIXEL = 0.35
"""Of a JPEG of usual quality, of a sample full of detail."""
USUAL_STILL_S = 0.5
RECOVERY_S = 12.0
SPARE_S = 0.5


class DirectCamera:
    """The camera.

    Parameters
    ----------
    clock : Clock
        The engine's.
    settings : CameraSettings
        The same for its whole life.
    environ : mapping, optional
        Of the camera's process; None for this one's.
    machine : Clock, optional
        The machine's own clock, by which real processes are waited for; another one
        than `clock` in a simulation that runs faster. None for a new one.
    """

    def __init__(
        self,
        clock: Clock,
        settings: CameraSettings = CameraSettings(),  # noqa: B008 (frozen)
        environ: Optional[Mapping[str, str]] = None,
        machine: Optional[Clock] = None,
    ) -> None:
        self._machine: Clock = RealClock() if machine is None else machine
        self._bridge = TimeBridge(clock, self._machine)
        self._settings = settings
        self._keeper = CameraKeeper(
            self._machine,
            self._bridge,
            self._opening,
            environ,
            Patience(settings.start_s, settings.stall_s),
            self._saw,
        )
        self._exposure = ExposureControl(self._keeper, self._machine, settings)
        self._still = threading.Lock()
        self._info: Optional[CameraInfo] = None
        self._held = self._failures = 0
        self._scale: Callable[[], Optional[float]] = lambda: None

    # ------------------------------------------------------------------------ the life

    def start(self) -> None:
        """Start the camera, and wait for its first frame.

        A camera that did not start is tried again all the same until `close`.

        Raises
        ------
        HardwareError
            When there is no camera, its library is missing, or its memory too small.
        """
        self._keeper.start()
        self._keeper.ready(self._in_s(self._settings.start_s), patient=False)

    def close(self) -> None:
        """End the camera's process; nothing is left behind."""
        self._keeper.close()

    def recover(self) -> None:
        """Start a camera again that gives no frames, or no stills; see `ports.Camera`.

        Raises
        ------
        HardwareError
            When it does not give any afterwards.
        """
        age_s = self._keeper.age_s()
        is_old = age_s is None or age_s > self._settings.stall_s / 2
        if is_old or self._failures >= MOST_FAILURES:
            self._failures = 0
            self._keeper.restart()
        self._keeper.ready(self._in_s(RECOVERY_S))

    def _opening(self) -> Dict[str, Any]:
        """Return what a camera process is opened with."""
        return {**self._settings.to_json(), "controls": self._exposure.controls()}

    def _saw(self, frame: StreamFrame) -> None:
        """Look at each frame's exposure."""
        self._exposure.saw(frame.metadata)

    # ------------------------------------------------------------------------- facts

    def describe(self) -> CameraInfo:
        """Return the constant facts.

        Raises
        ------
        HardwareError
            While no camera has started yet.
        """
        if self._info is None:
            self._info = self._describe()
        if self._info.um_per_pixel is None:
            return replace(self._info, um_per_pixel=self._scale())
        return self._info

    def calibrate(self, scale: Callable[[], Optional[float]]) -> None:
        """Ask somebody else for the scale where the settings have none.

        Parameters
        ----------
        scale : callable
            Returns micrometres per pixel of the default mode; None while not known.
        """
        self._scale = scale

    def _describe(self) -> CameraInfo:
        """Return the facts of the camera that has opened."""
        facts, settings = self._facts(), self._settings
        sizes = {name: (size[0], size[1]) for name, size in facts["modes"].items()}
        first = settings.default_mode
        modes = {name: sizes[name] for name in sorted(sizes, key=lambda n: n != first)}
        width, height = modes[first]
        scale = settings.um_per_pixel
        return CameraInfo(
            model=str(facts["model"]),
            simulated=bool(facts["simulated"]),
            modes=modes,
            um_per_pixel=None if scale is None else scale * sizes["full"][0] / width,
            typical_frame_bytes=round(width * height * BYTES_PER_PIXEL),
            capture_s=USUAL_STILL_S,
            image_shift_per_step=settings.image_shift_per_step,
        )

    def _facts(self) -> Dict[str, Any]:
        """Return what the camera's process told of the camera."""
        facts = self._keeper.facts
        if facts is None:
            raise HardwareError("The camera has not started; start it before its use.")
        return facts

    def status(self) -> JsonDict:
        """Return how the camera does, JSON-able; no hardware traffic."""
        keeper = self._keeper
        facts = keeper.facts or {}
        rate = keeper.frames.per_second()
        age_s = keeper.age_s()
        return {
            "model": facts.get("model"),
            "computer": vitals.pi_model(),
            "simulated": facts.get("simulated"),
            "frame_age_s": None if age_s is None else round(age_s, 3),
            "stream_fps": None if rate is None else round(rate, 2),
            "frames": keeper.frames.count(),
            "frames_dropped": keeper.told.get("dropped", 0),
            "frame_encode_ms": keeper.told.get("encode_ms"),
            "requests_held": self._held,
            "buffers": facts.get("buffers"),
            "main_format": facts.get("main_format"),
            "buffer_bytes": facts.get("buffer_bytes"),
            "cma_free_bytes": vitals.cma_free_bytes(),
            "temperature_c": vitals.temperature_c(),
            "restarts": keeper.restarts,
            "exposure": self._exposure.told(),
            "raw": facts.get("raw"),
            "pid": keeper.pid,
        }

    def state(self) -> JsonDict:
        """Return the camera's part of a picture's EXIF; no hardware traffic."""
        facts = self._keeper.facts or {}
        names = ("model", "simulated", "main_format", "libcamera", "picamera2")
        return {
            **{name: facts.get(name) for name in names},
            "stream_fps": facts.get("stream_fps"),
            "restarts": self._keeper.restarts,
            "exposure": self._exposure.told(),
        }

    def incidents(self) -> List[JsonDict]:
        """Return what happened since the last call: restarts, changed exposures.

        Each is ``{"kind": ..., "detail": ...}``, with the kinds ``camera_restarted``,
        ``camera_frame_lost``, ``exposure_changed`` and ``exposure_unsettled``.
        """
        return self._keeper.incidents()

    # ---------------------------------------------------------------------- pictures

    def capture(self, mode: Optional[str]) -> Image:
        """Take a still; see `ports.Camera`.

        Raises
        ------
        HardwareError
            For an unknown mode, or a still that is not exposed as it was locked.
        HardwareTimeoutError
            When the camera gave none in time; it may be started again meanwhile.
        """
        mode = self._known(mode)
        until_ns = self._in_s(self._settings.still_s)
        self._failures += 1
        try:
            answer = self._exposed("still", mode, until_ns)
        except HardwareTimeoutError:
            raise
        except HardwareError:
            self._failures = 0
            raise
        self._failures = 0
        return self._image(answer, mode)

    def raw(self, mode: Optional[str] = None) -> Image:
        """Return the sensor's own data of one exposure; `Image.jpeg` is a DNG then.

        Parameters
        ----------
        mode : str or None
            ``full`` or None: there is no other size.

        Raises
        ------
        HardwareError
            When it was not asked for in the settings, or when this computer's library
            cannot write it, with the reason.
        """
        if mode not in (None, "full"):
            message = f"Raw data have no size {mode!r}; "
            raise HardwareError(message + "ask for full.")
        reason = self._facts()["raw"]
        if reason:
            raise HardwareError(f"No raw data: {reason}.")
        until_ns = self._in_s(self._settings.still_s)
        return self._image(self._exposed("raw", "full", until_ns), "raw")

    def preview(self) -> Image:
        """Return a frame of the live view whose exposure began after this call."""
        began_ns = self._bridge.to_clock(self._machine.monotonic_ns())
        frame = self.frame(self._settings.still_s, began_ns)
        told = self._told(frame.metadata, "stream")
        return Image(frame.jpeg, told, frame.exposure_start_ns)

    def frame(self, timeout_s: float, after_ns: Optional[int] = None) -> StreamFrame:
        """Return the newest frame of the live view.

        Parameters
        ----------
        timeout_s : float
            How long to wait for one, in seconds of the machine.
        after_ns : int or None
            Monotonic time of the clock before which its exposure must not have begun;
            None for any.

        Raises
        ------
        HardwareTimeoutError
            When none came.
        """
        frame = self._keeper.frames.after(after_ns, self._in_s(timeout_s))
        if frame is None:
            message = f"The live view gave no picture within {timeout_s:g} s; "
            raise HardwareTimeoutError(message + "the camera is started again.")
        return frame

    def watched(self) -> ContextManager[List[StreamFrame]]:
        """Return a context in which every frame is added to a list, which it gives."""
        return self._keeper.frames.watched()

    def blank_bytes(self) -> int:
        """Return the size of a frame of the live view that shows an even grey."""
        return int(self._facts()["blank_bytes"])

    def _known(self, mode: Optional[str]) -> str:
        """Return a mode that exists."""
        modes = self.describe().modes
        mode = next(iter(modes)) if mode is None else mode
        if mode not in modes:
            known = ", ".join(modes)
            message = f"The camera has no mode {mode!r}; choose one of {known}."
            raise HardwareError(message)
        return mode

    def _exposed(self, what: str, mode: str, until_ns: int) -> Message:
        """Return a picture that is exposed as it was locked; try again if it is not."""
        objection = ""
        with self._still:
            for _ in range(MOST_TRIES):
                left_s = (until_ns - self._machine.monotonic_ns()) / NS_PER_S
                if left_s <= SPARE_S:
                    break
                question = {"do": what, "mode": mode, "give_up_s": left_s - SPARE_S}
                answer = self._keeper.ask(question, until_ns)
                self._held = answer.header["held"]
                objection = self._exposure.objection(answer.header["metadata"])
                if not objection:
                    return answer
                self._keeper.note("exposure_changed", f"a still was {objection}")
                self._exposure.apply_again()
        if not objection:
            message = "The camera had no time left for a still; "
            raise HardwareTimeoutError(message + "the next picture may work.")
        message = f"The camera ignores its exposure: a still was {objection}; "
        raise HardwareError(message + "it is set again, and the camera watched.")

    def _image(self, answer: Message, mode: str) -> Image:
        """Return a picture with all that is told of it."""
        metadata, spent = answer.header["metadata"], answer.header["spent"]
        told = {**self._told(metadata, mode), "spent": spent}
        exposed_ns: Optional[int] = None
        if "SensorTimestamp" in metadata:
            exposed_us = float(metadata.get("ExposureTime", 0.0))
            began_ns = int(metadata["SensorTimestamp"] - exposed_us * NS_PER_US)
            exposed_ns = self._bridge.to_clock(began_ns)
        return Image(bytes(answer.body), told, exposed_ns)

    def _told(self, metadata: Mapping[str, Any], mode: str) -> JsonDict:
        """Return an exposure's facts in our words, and all in the library's."""
        return {
            **self._exposure.of(metadata),
            "digital_gain": metadata.get("DigitalGain"),
            "colour_temperature": metadata.get("ColourTemperature"),
            "frame_duration_us": metadata.get("FrameDuration"),
            "sensor_timestamp_ns": metadata.get("SensorTimestamp"),
            "ae_locked": self._exposure.is_locked,
            "mode": mode,
            "simulated": self.describe().simulated,
            "libcamera": dict(metadata),
        }

    # ---------------------------------------------------------------------- exposure

    def exposure(self) -> JsonDict:
        """Return whether exposure is automatic, and its values where it is not."""
        return self._exposure.told()

    def lock_exposure(self, values: Optional[Mapping[str, Any]] = None) -> JsonDict:
        """Freeze exposure, gain and white balance; see `ports.Camera`.

        ``exposure_us`` is the time that was asked for; the sensor rounds it down to a
        line, which stands in a picture's ``libcamera`` metadata as ``ExposureTime``.

        Raises
        ------
        HardwareError
            When the camera does not take them over.
        """
        return self._exposure.lock(values)

    def restore_exposure(self, saved: Mapping[str, Any]) -> None:
        """Put exposure control back as `exposure` said that it was."""
        self._exposure.restore(saved)

    def set_controls(self, controls: Mapping[str, Any]) -> None:
        """Tell the camera other things, by libcamera's names; kept over a restart.

        Parameters
        ----------
        controls : mapping
            For example ``{"Sharpness": 1.0}``. Exposure, gains and white balance belong
            to `lock_exposure`.

        Raises
        ------
        HardwareError
            When the camera does not know one of them.
        """
        self._exposure.set_others(controls)

    def _in_s(self, seconds: float) -> int:
        """Return the machine's time so many seconds from now."""
        return self._machine.monotonic_ns() + int(seconds * NS_PER_S)
