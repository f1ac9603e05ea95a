"""The microscope as a visit uses it: every call on the lane, each with a deadline."""

from dataclasses import replace
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, TypeVar

from openflexure_timelapse import autofocus
from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    TimelapseError,
)
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import (
    Clock,
    FocusSweep,
    Image,
    JsonDict,
    Lane,
    Light,
    Microscope,
    Signal,
    StagePosition,
)

__all__ = ["LONGEST_WAIT_FOR_HARDWARE_S", "Handle", "Instrument", "StoppedError"]

Result = TypeVar("Result")

NS_PER_S = 1_000_000_000
CALL_S = 15.0
LONGEST_WAIT_FOR_HARDWARE_S = 10.0
SWEEP_S = 60.0
METERING_S = 3.0
LIGHT_OFF_BY = 1 / 16
SLOW = 4
"""A move or sweep may take this many times its usual duration before it is lost."""


class StoppedError(Exception):
    """The user stopped the run in the middle of a visit."""


class Handle:
    """A microscope behind deadlines: taken, moved, given back.

    Parameters
    ----------
    microscope, clock, lane
        The ports.
    """

    def __init__(self, microscope: Microscope, clock: Clock, lane: Lane) -> None:
        self._microscope = microscope
        self._clock = clock
        self._lane = lane
        self._came_to: Optional[StagePosition] = None
        self._is_owed = False

    def take(self, wait_s: float) -> None:
        """Acquire the hardware, waiting at most `wait_s` for another user."""
        if self._is_owed:
            self.give_back()
        wait_s = min(wait_s, LONGEST_WAIT_FOR_HARDWARE_S)
        until_ns = self._clock.monotonic_ns() + int(wait_s * NS_PER_S)
        acquire = self._microscope.acquire
        self._call("take the hardware", lambda: acquire(until_ns), wait_s + CALL_S)

    def give_back(self) -> None:
        """Release the hardware; where the lane is stuck, before the next taking."""
        try:
            self._call("release the hardware", self._microscope.release)
        except HardwareBusyError:
            self._is_owed = True
            raise
        self._is_owed = False

    def position(self) -> StagePosition:
        """Return where the stage believes it is."""
        return self._call("read the stage's position", self._microscope.stage.position)

    def move(self, target: StagePosition) -> None:
        """Move with a deadline that leaves room for the whole way.

        A stage that somebody else put there is moved all the same, since only the
        microscope's own approach leaves the backlash where the next visit finds it.
        """
        stage, here = self._microscope.stage, self.position()
        if here == target == self._came_to:
            return
        steps = max(
            abs(target.x - here.x), abs(target.y - here.y), abs(target.z - here.z)
        )
        self._call(
            f"move the stage to {target.x}, {target.y}, {target.z}",
            lambda: stage.move_to(target),
            CALL_S + SLOW * steps / stage.describe().steps_per_s,
        )
        self._came_to = target

    def _call(
        self, what: str, function: Callable[[], Result], seconds: float = CALL_S
    ) -> Result:
        """Call hardware on the lane, `seconds` from now being the deadline.

        Raises
        ------
        HardwareError
            Also for whatever a driver raises that is none of our errors.
        MemoryError
            As it is: the hardware has no part in it.
        """
        deadline_ns = self._clock.monotonic_ns() + int(seconds * NS_PER_S)
        try:
            return self._lane.call(what, function, deadline_ns)
        except (TimelapseError, StoppedError, MemoryError):
            raise
        except Exception as exc:  # drivers raise what they like
            message = f"Could not {what}: {exc!r}; "
            raise HardwareError(message + "check the hardware and its log.") from exc


class Instrument(Handle):
    """A microscope behind deadlines, with the plan's wishes for light and exposure.

    Parameters
    ----------
    plan : Plan
        For ``light``, ``exposure``, ``settle_s`` and ``camera_mode``.
    microscope, clock, lane
        The ports.
    abort : Signal
        Ends a settling pause with `StoppedError`.
    keep : callable
        Called when `settings` has changed and the hardware has not yet: a process that
        is killed in between must know how it was.

    Attributes
    ----------
    light_trouble : str
        How the light does not obey; empty while it does.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (the ports that it uses)
        self,
        plan: Plan,
        microscope: Microscope,
        clock: Clock,
        lane: Lane,
        abort: Signal,
        keep: Callable[[], None],
    ) -> None:
        super().__init__(microscope, clock, lane)
        self._plan = plan
        self._abort = abort
        self._keep = keep
        self._exposure_before: Optional[JsonDict] = None
        self._exposure: Optional[JsonDict] = None
        self._exposure_is_locked = False
        self._exposure_is_good = False
        self._light_level: Optional[float] = None
        self.light_trouble = ""

    def recover(self) -> None:
        """Try to bring the camera back after a call that did not return."""
        self._call("recover the camera", self._microscope.camera.recover)

    # ----------------------------------------------------------------------- settings

    def settings(self) -> Dict[str, Any]:
        """Return what a later process needs to lock the same and to restore."""
        return {
            "exposure_before": self._exposure_before,
            "exposure": self._exposure if self._exposure_is_good else None,
            "light_level": self._light_level,
        }

    def remember(self, settings: Mapping[str, Any]) -> None:
        """Take over what `settings` returned in an earlier process."""
        self._exposure_before = settings["exposure_before"]
        self._exposure = settings["exposure"]
        self._exposure_is_good = self._exposure is not None
        self._light_level = settings["light_level"]

    def lock_exposure(self) -> None:
        """Freeze exposure once per process, with the values of the run's first time.

        Values that were measured while the lamp was off would spoil the whole run: they
        are measured again until a picture is neither dark nor overexposed.
        """
        is_done = self._exposure_is_locked and self._exposure_is_good
        if self._plan.exposure != "lock" or is_done:
            return
        camera, values = self._microscope.camera, self._exposure
        before = self._exposure_before
        if before is None:
            self._exposure_before = self._call("read the exposure", camera.exposure)
            self._keep()
        elif self._exposure_is_locked:
            self._call("measure the light", lambda: camera.restore_exposure(before))
            self._pause(METERING_S)
            values = None
        self._exposure = self._call(
            "lock the exposure", lambda: camera.lock_exposure(values)
        )
        self._exposure_is_locked = True

    def saw(self, *, is_exposed: bool) -> None:
        """Take note whether a picture was neither dark nor overexposed."""
        self._exposure_is_good = self._exposure_is_good or is_exposed

    def light_on(self) -> None:
        """Switch the light on if the plan switches it at all.

        Raises
        ------
        HardwareError
            Also when the light was off before the run, so that nobody knows its level.
        """
        light = self._microscope.light
        if light is None or self._plan.light == "leave":
            return
        if self._light_level is None:
            level = self._call("read the light", light.level)
            if not level:
                message = "The light is off, so its level for the run is unknown; "
                raise HardwareError(message + "set a level before the run starts.")
            self._light_level = level
            self._keep()
        self.light_trouble = ""  # of the visit before
        self._switch("on", light, self._light_level)

    def light_off(self) -> None:
        """Switch the light off between visits if the plan says so."""
        light = self._microscope.light
        if light is not None and self._plan.light != "leave":
            self._switch("off", light, 0.0)

    def _switch(self, way: str, light: Light, level: float) -> None:
        """Set the light, and look whether it obeyed."""
        self._call(f"switch the light {way}", lambda: light.set_level(level))
        shown = self._call("read the light", light.level)
        if abs(shown - level) > LIGHT_OFF_BY:
            told = f"The light was set to {level:.2f} and stays at {shown:.2f}; "
            self.light_trouble = told + "check its cable, and protect the sample."

    def put_back(self) -> None:
        """Restore exposure and light as they were before the run.

        Raises
        ------
        HardwareError
            When the hardware does not answer.
        """
        if self._exposure_before is None and self._light_level is None:
            return
        self.take(LONGEST_WAIT_FOR_HARDWARE_S)
        try:
            self._restore_exposure()
            self._restore_light()
        finally:
            self.give_back()

    def _restore_exposure(self) -> None:
        """Give exposure control back; the light is restored whatever happens here."""
        camera, saved = self._microscope.camera, self._exposure_before
        if saved is None:
            return
        try:
            self._call("restore the exposure", lambda: camera.restore_exposure(saved))
        except HardwareError:
            self._restore_light()
            raise
        self._exposure_before, self._exposure = None, None
        self._exposure_is_locked = False

    def _restore_light(self) -> None:
        """Give the light the level that it had."""
        light, level = self._microscope.light, self._light_level
        if light is not None and level is not None:
            self._switch("as it was", light, level)
            self._light_level = None

    # ------------------------------------------------------------------------ looking

    def settle(self) -> None:
        """Wait until the stage has stopped shaking.

        Raises
        ------
        StoppedError
            When the user stopped the run meanwhile.
        """
        self._pause(self._plan.settle_s)

    def _pause(self, seconds: float) -> None:
        """Wait, or raise `StoppedError` when the user stops the run."""
        until_ns = self._clock.monotonic_ns() + int(seconds * NS_PER_S)
        self._clock.wait_until(until_ns, self._abort)
        self._check()

    def _check(self) -> None:
        """Raise `StoppedError` when the user stopped the run."""
        if self._abort.is_set():
            raise StoppedError

    def sweep(self, range_steps: int) -> FocusSweep:
        """Sweep through focus, with the host's own sweep where it has one."""
        microscope = self._microscope
        focuser, camera, stage = microscope.focuser, microscope.camera, microscope.stage
        seconds = SWEEP_S + SLOW * range_steps / stage.describe().steps_per_s
        if focuser is not None:
            own = focuser
            return self._call("focus", lambda: own.sweep(range_steps), seconds)
        return self._call(
            "focus",
            lambda: autofocus.sweep(camera, stage, range_steps, self._check),
            seconds,
        )

    def preview(self) -> Image:
        """Take a small picture."""
        return self._call("take a preview", self._microscope.camera.preview)

    def capture(self) -> Image:
        """Take a still; its exposure time is known afterwards, at least roughly."""
        camera, mode = self._microscope.camera, self._plan.camera_mode
        asked_ns = self._clock.monotonic_ns()
        image = self._call("capture an image", lambda: camera.capture(mode))
        if image.exposed_ns is None:
            return replace(image, exposed_ns=asked_ns)
        return image

    def state(self) -> JsonDict:
        """Return the instrument's state for EXIF; a frame is never lost over it."""
        try:
            return self._microscope.state()
        except Exception as exc:  # noqa: BLE001 - a host's code, and only a remark
            return {"error": repr(exc)}

    def incidents(self) -> Sequence[JsonDict]:
        """Return what the hardware got over; a host that cannot tell costs nothing."""
        try:
            return tuple(self._microscope.incidents())
        except Exception as exc:  # noqa: BLE001 - a host's code, and only a remark
            return (
                {"kind": "unknown", "detail": f"No word of the hardware: {exc!r}."},
            )
