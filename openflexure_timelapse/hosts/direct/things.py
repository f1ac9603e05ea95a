"""Camera, stage, light and focus as Things of the v3 API, without OpenFlexure's server.

They share the parts with the time-lapse of the same process; the server's one lock says
whose turn it is.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import labthings_fastapi as lt
from labthings_fastapi.exceptions import InvocationError, ServerNotRunningError

from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.hosts.direct.health import remarks
from openflexure_timelapse.hosts.direct.microscope import DirectMicroscope
from openflexure_timelapse.hosts.direct.motors import DirectMotors
from openflexure_timelapse.hosts.direct.parts import CameraPart, StagePart
from openflexure_timelapse.hosts.direct.stage_settings import StageSettings
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.things.camera import CaptureMode
from openflexure_timelapse.hosts.things.exposure import ExposureThing
from openflexure_timelapse.hosts.things.illumination import IlluminationThing
from openflexure_timelapse.hosts.things.pictures import taken_at
from openflexure_timelapse.hosts.things.stage import AXES, BacklashCompensation
from openflexure_timelapse.hosts.things.stage import StageThing as _StageThing
from openflexure_timelapse.hosts.v3 import TimelapseThing
from openflexure_timelapse.ports import Clock
from openflexure_timelapse.store.disk import RealDisk

__all__ = [
    "DirectCameraThing",
    "DirectIlluminationThing",
    "DirectStageThing",
    "DirectTimelapse",
]

NS_PER_S = 1_000_000_000
FRAME_S = 1.0
"""How long the live view waits for a frame before it looks whether it is to end."""
REST_S = 0.5
NAME = "%Y-%m-%d-%H%M%S"
STANDARD, QUICK = "standard", "quick"
DNG = "image/x-adobe-dng"
MOST_IN_A_SECOND = 1000


class DirectCameraThing(ExposureThing):
    """The camera, with the live view of its small stream.

    Both streams show the same frames: the camera has one small stream.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    camera : CameraPart
        Opened.
    clock : Clock
        Its clock.
    """

    def __init__(
        self, thing_server_interface: Any, *, camera: CameraPart, clock: Clock
    ) -> None:
        super().__init__(thing_server_interface, clock=clock)
        self._camera = camera

    def __enter__(self) -> Any:
        """Hold the exposure, which is automatic on no camera of v3, and stream.

        A camera that cannot do that now does not keep the server from starting: it
        brings itself back, and an interrupted run waits for this server.
        """
        try:
            self._hold_exposure()
        except HardwareError as exc:
            self.logger.warning("The exposure is not held yet: %s", exc)
        return super().__enter__()

    def _lock_exposure(self, values: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Freeze exposure, gain and white balance."""
        return self._camera.lock_exposure(values)

    # ------------------------------------------------------------------ what it tells

    @lt.property
    def health(self) -> Mapping[str, Any]:
        """How the camera is: age of its last frame, memory, temperature, restarts."""
        return self._camera.status()

    @property
    def thing_state(self) -> Mapping[str, Any]:
        """What goes into the metadata of each picture."""
        try:
            return self._camera.state()
        except HardwareError as exc:  # or no Thing could take a picture
            return {"error": str(exc)}

    def _modes(self) -> Mapping[str, CaptureMode]:
        """Return the camera's modes; its first one is the standard."""
        modes = dict(self._camera.describe().modes)
        first = next(iter(modes))
        told = {STANDARD: _mode(f"As {first!r}", modes[first])}
        told.update({name: _mode("A still", size) for name, size in modes.items()})
        quick = "A frame of the small stream, exposed after the call."
        return {**told, QUICK: CaptureMode(description=quick)}

    # ------------------------------------------------------------------------- stills

    def _take(self, capture_mode: str) -> Any:
        """Take a still as the camera encodes it.

        Raises
        ------
        InvocationError
            For a mode that the camera has not.
        TimeoutError
            When the camera gave up.
        """
        if capture_mode not in self._modes():
            known = ", ".join(self._modes())
            told = f"The camera has no capture mode {capture_mode!r}; choose one of "
            raise InvocationError(f"{told}{known}.")
        try:
            if capture_mode == QUICK:
                return self._camera.preview().jpeg
            mode = None if capture_mode == STANDARD else capture_mode
            return self._camera.capture(mode).jpeg
        except HardwareTimeoutError as exc:
            raise TimeoutError(str(exc)) from exc

    @lt.action
    def capture_dng(self) -> lt.blob.Blob:
        """Return the sensor's own data of one exposure; the settings must want them."""
        try:
            data = self._camera.raw().jpeg
        except HardwareError as exc:
            raise InvocationError(str(exc)) from exc
        blob = lt.blob.Blob.from_bytes(data)
        blob.media_type = DNG
        return blob

    def _new_name(self, image_format: str) -> str:
        """Return a name that no picture has."""
        moment = taken_at(self.clock.wall_ns(), {})["taken"].strftime(NAME)
        names = [f"{moment}.{image_format}"]
        names += [f"{moment}-{n}.{image_format}" for n in range(2, MOST_IN_A_SECOND)]
        return next(name for name in names if not Path(self.data_dir, name).exists())

    # ------------------------------------------------------------------------ streams

    def _deliver(self) -> None:
        """Hand on the frames of the camera's stream; the work of a thread."""
        after_ns: int | None = None
        is_told = False
        while not self._ended.is_set():
            try:
                frame = self._camera.frame(FRAME_S, after_ns)
                after_ns = frame.exposure_start_ns + 1  # the next one
                ago_s = (self.clock.monotonic_ns() - after_ns) / NS_PER_S
                self._show(frame.jpeg, frame.jpeg, time.time() - ago_s)
                is_told = False
            except ServerNotRunningError:  # noqa: PERF203 (seldom, and waited for)
                self._ended.wait(REST_S)
            except (HardwareError, ValueError) as exc:
                if not is_told:
                    self.logger.warning("No frame for the live view: %s", exc)
                is_told = True
                self._ended.wait(REST_S)


def _mode(description: str, size: tuple[int, int]) -> CaptureMode:
    """Return a mode as the server tells it."""
    width, height = size
    return CaptureMode(description=f"{description}, {width} by {height} pixels.")


class DirectStageThing(_StageThing):
    """The stage; its directions and its play come from the configuration file.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    stage : StagePart
        Opened.
    clock : Clock
        Its clock.
    settings : StageSettings
        Those that it was opened with; the stage itself turns its axes round.
    """

    def __init__(
        self,
        thing_server_interface: Any,
        *,
        stage: StagePart,
        clock: Clock,
        settings: StageSettings,
    ) -> None:
        super().__init__(thing_server_interface, motors=DirectMotors(stage, clock))
        self._stage = stage
        self._play = dict(zip(AXES, settings.backlash_steps))
        self._inverted = dict(zip(AXES, settings.inverted))

    def __exit__(self, *error: object) -> None:
        """End whatever moves; a board that is gone moves nothing."""
        try:
            if self._stage.moving:
                self._stage.stop()
        except HardwareError as exc:
            self.logger.warning("The stage was not told to stop: %s", exc)
        super().__exit__(*error)

    @lt.property
    def backlash_steps(self) -> Mapping[str, int]:
        """Return what a compensated move goes below its target, in steps."""
        return self._play

    @lt.property
    def axis_inverted(self) -> Mapping[str, bool]:
        """Whether an axis counts against its motor."""
        return self._inverted

    @lt.property
    def moving(self) -> bool:
        """Whether the stage moves, whoever moves it."""
        return self._stage.moving

    @property
    def thing_state(self) -> Mapping[str, Any]:
        """What goes into the metadata of each picture."""
        return self._stage.state()

    @lt.action
    def invert_axis_direction(self, axis: str) -> None:
        """Refuse: a run's places would lie elsewhere after it."""
        told = f"The direction of {axis} is part of the configuration file; "
        raise InvocationError(told + "change it there, and start the server again.")

    def _turned(self, way: Mapping[str, int]) -> dict[str, int]:
        """Return steps as they are: the stage itself turns its axes round."""
        return {axis: int(way[axis]) for axis in AXES}

    def _place(self) -> tuple[int, int, int]:
        """Return the place as the stage last knew it, whoever moved it."""
        return self._motors.place()

    def _tell_moving(self, *, is_moving: bool) -> None:
        """Do nothing: the stage tells it."""

    def _move(
        self,
        way: Mapping[str, int],
        compensation: BacklashCompensation | None,
        *,
        block_cancellation: bool,
    ) -> None:
        """Make a move; the play is unknown where a run has moved meanwhile."""
        place = self._motors.place()
        if place != self._known:
            self._known = place
            self._upwards = dict.fromkeys(AXES, 0)
        super()._move(way, compensation, block_cancellation=block_cancellation)


class DirectIlluminationThing(IlluminationThing):
    """The lamp, with the input that a script for a Sangaboard may give besides."""

    @lt.action
    def set_led(
        self,
        led_on: bool = True,  # noqa: FBT001, FBT002 (as on OpenFlexure's server)
        led_channel: Literal["cc"] = "cc",  # noqa: ARG002 (the settings say which it is)
    ) -> None:
        """Switch the light on or off."""
        super().set_led(led_on)


class DirectTimelapse(TimelapseThing):
    """Time-lapse on the parts themselves, so that stills keep what the camera told.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    microscope : DirectMicroscope
        Opened; it is closed by who opened it.
    clock : Clock
        Of the microscope.
    **kwargs
        As for `TimelapseThing`.
    """

    def __init__(
        self,
        thing_server_interface: Any,
        *,
        microscope: DirectMicroscope,
        clock: Clock,
        **kwargs: Any,
    ) -> None:
        super().__init__(thing_server_interface, **kwargs)
        self._microscope = microscope
        self._clock = clock
        microscope.share(self._lock)

    def _lock(self) -> list[tuple[str, Any]]:
        """Return the server's one lock."""
        return [("microscope", self._thing_server_interface.global_lock)]

    def _remarks(self) -> list[str]:
        """Return what the status should say of the camera and its computer as well."""
        return [*super()._remarks(), *remarks(self._microscope.status())]

    def _make_service(self, folder: Path) -> Service:
        """Return the service for a data folder."""
        service = Service(folder, self._microscope, self._clock, RealDisk())
        self._microscope.camera_part.calibrate(service.preferences.scale)
        return service
