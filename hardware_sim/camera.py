"""The simulated camera: stills, previews, exposure control and its mishaps."""

import threading
from collections import deque
from typing import Any, Deque, Dict, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware_sim import optics
from hardware_sim.exposure import LEVEL_PER_US, AutoExposure
from hardware_sim.faults import Fault, FaultKind, Faults
from hardware_sim.light import SimLight
from hardware_sim.optics import Renderer
from hardware_sim.sight import Sight, View
from hardware_sim.stage import SimStage
from hardware_sim.truth import TruthLog
from hardware_sim.world import SimWorld
from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.ports import CameraInfo, Clock, Image, JsonDict

__all__ = ["MODES", "SimCamera"]

NS_PER_S = 1_000_000_000
PREVIEW = "preview"
MODES: Mapping[str, Tuple[int, int]] = {
    "half": (1640, 1232),
    "full": (3280, 2464),
    PREVIEW: (832, 624),
}
DEFAULT = "half"
COST_S: Mapping[str, float] = {"half": 0.12, "full": 0.35, PREVIEW: 1 / 15}
QUALITY: Mapping[str, int] = {"half": 90, "full": 90, PREVIEW: 85}
FRAMES_PER_S = 15.0
LATENCY_S = 0.005
MOST_AE_FRAMES = 600
MOST_INCIDENTS = 100
COLOUR_GAINS = (1.62, 1.71)


class SimCamera:
    """A Raspberry Pi camera v2 behind the optics, looking at a `SimWorld`.

    Parameters
    ----------
    world : SimWorld
        The sample.
    clock : Clock
        A picture takes its time.
    stage, light
        What the picture depends on.
    faults : Faults
        Those of kinds ``camera_…`` and ``lens_shading_lost``; n counts the stills.
    truth : TruthLog
        Receives what was true of each picture.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (the parts of one instrument)
        self,
        world: SimWorld,
        clock: Clock,
        stage: SimStage,
        light: SimLight,
        faults: Faults,
        truth: TruthLog,
    ) -> None:
        self._world = world
        self._clock = clock
        self._stage = stage
        self._light = light
        self._faults = faults
        self._truth = truth
        self._sight = Sight(world, stage, light, faults)
        self._renderer = self._sight.renderer
        self._exposure = AutoExposure()
        self._metered_ns: Optional[int] = None
        self._lock = threading.RLock()
        self._let_go = clock.signal()
        self._last_jpeg: Optional[bytes] = None
        self._stills = 0
        self._frames = 0
        self._hung = False
        self._incidents: Deque[JsonDict] = deque(maxlen=MOST_INCIDENTS)

    # ------------------------------------------------------------------------ the port

    def describe(self) -> CameraInfo:
        """Return the constant facts."""
        width = MODES[PREVIEW][0]
        step_x, step_y, _ = self._stage.mechanics.step_um
        shift = self._renderer.shift_per_um(width)
        return CameraInfo(
            model="Simulated Raspberry Pi camera v2",
            simulated=True,
            modes=dict(MODES),
            um_per_pixel=Renderer.um_per_px(MODES[DEFAULT][0]),
            typical_frame_bytes=150_000,
            capture_s=COST_S[DEFAULT],
            image_shift_per_step=(
                (float(shift[0, 0] * step_x), float(shift[1, 0] * step_x)),
                (float(shift[0, 1] * step_y), float(shift[1, 1] * step_y)),
            ),
        )

    def capture(self, mode: Optional[str]) -> Image:
        """Take a still; see `ports.Camera`.

        Raises
        ------
        HardwareError
            For an unknown mode, or as the schedule of faults says.
        """
        mode = DEFAULT if mode is None else mode
        if mode not in MODES:
            known = ", ".join(MODES)
            message = f"The camera has no mode {mode!r}; choose one of {known}."
            raise HardwareError(message)
        n = self._stills
        self._stills += 1
        return self._take(mode, n, still=True)

    def preview(self) -> Image:
        """Take a small picture; see `ports.Camera`."""
        return self._take(PREVIEW, -1, still=False)

    def exposure(self) -> JsonDict:
        """Return whether exposure is automatic."""
        with self._lock:
            return {"auto": not self._exposure.locked}

    def lock_exposure(self, values: Optional[Mapping[str, Any]] = None) -> JsonDict:
        """Freeze exposure and gain; white balance never moves here.

        Parameters
        ----------
        values : mapping, optional
            What an earlier call returned, to freeze the same again.
        """
        with self._lock:
            if values is None and not self._exposure.locked:
                self._spend(self._clock.monotonic_ns(), 6 / FRAMES_PER_S)
                self._meter()
            self._exposure.lock(values)
            return self._setting()

    def restore_exposure(self, saved: Mapping[str, Any]) -> None:
        """Give exposure back to the automatic control, if that had it."""
        with self._lock:
            if saved["auto"]:
                self._exposure.unlock()

    def recover(self) -> None:
        """End a hang that can be ended (a ``camera_hung`` of amount above 0)."""
        self._faults.mend("camera_hung")
        if self._hung:
            self._hung = False
            told = "The camera hung and was restarted."
            self._incidents.append({"kind": "camera_restarted", "detail": told})
        self._let_go.set()
        self._let_go = self._clock.signal()

    def incidents(self) -> Sequence[JsonDict]:
        """Return what the camera got over since the last call."""
        told = []
        while self._incidents:
            told.append(self._incidents.popleft())
        return told

    # ---------------------------------------------------------------- taking a picture

    def _take(self, mode: str, n: int, *, still: bool) -> Image:
        """Expose, render, encode, and let the time pass that it takes."""
        asked_ns = self._clock.monotonic_ns()
        self._hang(n, still=still)
        late = self._fault("camera_late", n, still=still)
        delay_s = 0.0 if late is None else late.amount
        timed_out = self._fault("camera_timed_out", n, still=still)
        if timed_out is not None:
            self._spend(asked_ns, timed_out.amount)
            message = f"The camera gave no frame within {timed_out.amount:g} s; "
            raise HardwareTimeoutError(message + "check its ribbon cable.")
        small = self._fault("camera_wrong_size", n, still=still) is not None
        exposed_ns = asked_ns + int((LATENCY_S + delay_s) * NS_PER_S)
        with self._lock:
            view = self._sight.view(MODES[PREVIEW if small else mode], exposed_ns)
            pixels, light = self._expose(view, exposed_ns)
            if self._fault("camera_black", n, still=still) is not None:
                pixels = np.zeros_like(pixels)
            jpeg = _encode(pixels, QUALITY[mode])
            if self._fault("camera_repeated", n, still=still) is not None:
                jpeg = self._last_jpeg or jpeg
            self._last_jpeg = jpeg
            metadata = self._metadata(mode, exposed_ns)
            self._record(view, exposed_ns, mode, light)
        truncated = self._fault("camera_truncated", n, still=still)
        if truncated is not None:
            jpeg = jpeg[: int(len(jpeg) * truncated.amount)]
        self._spend(asked_ns, COST_S[mode] + delay_s)
        return Image(jpeg=jpeg, metadata=metadata, exposed_ns=exposed_ns)

    def _fault(self, kind: FaultKind, n: int, *, still: bool) -> Optional[Fault]:
        """Return the fault of a kind that meets this picture; None for none."""
        fault = self._faults.find(kind, n)
        if fault is not None and (still or (fault.previews and not fault.nth)):
            return fault
        return None

    def _hang(self, n: int, *, still: bool) -> None:
        """Wait for ever when the schedule says so, or until `recover`."""
        if self._fault("camera_hung", n, still=still) is None:
            return
        self._hung = True
        self._clock.wait_until(None, self._let_go)
        message = "The camera was reset while it hung; take the picture again."
        raise HardwareTimeoutError(message)

    def _expose(self, view: View, exposed_ns: int) -> Tuple[NDArray[np.uint8], float]:
        """Return the pixels of a view, and the light of the lamp."""
        density = self._sight.density(view)
        light = self._sight.lamp(exposed_ns)
        self._meter_density(density, light, exposed_ns)
        total_us = self._exposure.setting.total_us
        level = total_us * LEVEL_PER_US * light
        return optics.expose(density, level), light

    def _meter(self) -> None:
        """Let the exposure control look at what is there now."""
        now_ns = self._clock.monotonic_ns()
        density = self._sight.density(self._sight.view(MODES[PREVIEW], now_ns))
        self._meter_density(density, self._sight.lamp(now_ns), now_ns)

    def _meter_density(
        self, density: NDArray[np.uint8], light: float, now_ns: int
    ) -> None:
        """Let the control see the frames since the last picture, all like this one."""
        frames = MOST_AE_FRAMES
        if self._metered_ns is not None:
            passed_s = (now_ns - self._metered_ns) / NS_PER_S
            frames = min(frames, int(passed_s * FRAMES_PER_S))
        self._metered_ns = now_ns
        self._exposure.follow(light * optics.mean_transmission(density), frames)

    def _spend(self, since_ns: int, seconds: float) -> None:
        """Wait until `seconds` after a moment."""
        due_ns = since_ns + int(seconds * NS_PER_S)
        self._clock.wait_until(due_ns, self._clock.signal())

    # ------------------------------------------------------------------- what is said

    def _setting(self) -> Dict[str, Any]:
        """Return the exposure in the words of the metadata."""
        setting = self._exposure.setting
        return {
            "exposure_us": setting.exposure_us,
            "analogue_gain": setting.gain,
            "colour_gains": list(COLOUR_GAINS),
        }

    def _metadata(self, mode: str, exposed_ns: int) -> Dict[str, Any]:
        """Return what picamera2 would tell of this frame."""
        width, height = MODES["full"]
        return {
            **self._setting(),
            "digital_gain": 1.0,
            "colour_temperature": 5600,
            "frame_duration_us": 66_666,
            "sensor_timestamp_ns": exposed_ns,
            "scaler_crop": [0, 0, width, height],
            "ae_locked": self._exposure.locked,
            "mode": mode,
            "simulated": True,
        }

    def _record(self, view: View, exposed_ns: int, mode: str, light: float) -> None:
        """Write down what was true of this picture."""
        self._frames += 1
        told = {"frame": self._frames, "mode": mode, "light": light}
        true = self._sight.truth(view, exposed_ns, self._clock)
        listed = {} if mode == PREVIEW else self._sight.listed(view, true["t_s"])
        self._truth.add({**told, **true, **self._setting(), **listed})


def _encode(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Return pixels as a JPEG.

    Raises
    ------
    HardwareError
        When OpenCV cannot encode them.
    """
    done, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        message = "The simulated camera could not encode a picture; try again."
        raise HardwareError(message)
    return bytes(jpeg)
