"""The microscope as a visit uses it: every call on the lane, each with a deadline."""

from dataclasses import replace
from typing import Any, Callable, Dict, Mapping, Optional, TypeVar

from openflexure_timelapse import autofocus
from openflexure_timelapse.errors import HardwareError, TimelapseError
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import (
    Clock,
    FocusSweep,
    Image,
    JsonDict,
    Lane,
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

    def take(self, wait_s: float) -> None:
        """Acquire the hardware, waiting at most `wait_s` for another user."""
        wait_s = min(wait_s, LONGEST_WAIT_FOR_HARDWARE_S)
        until_ns = self._clock.monotonic_ns() + int(wait_s * NS_PER_S)
        acquire = self._microscope.acquire
        self._call("take the hardware", lambda: acquire(until_ns), wait_s + CALL_S)

    def give_back(self) -> None:
        """Release the hardware."""
        self._call("release the hardware", self._microscope.release)

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
        """
        deadline_ns = self._clock.monotonic_ns() + int(seconds * NS_PER_S)
        try:
            return self._lane.call(what, function, deadline_ns)
        except (TimelapseError, StoppedError):
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
        self._light_level: Optional[float] = None

    def recover(self) -> None:
        """Try to bring the camera back after a call that did not return."""
        self._call("recover the camera", self._microscope.camera.recover)

    # ----------------------------------------------------------------------- settings

    def settings(self) -> Dict[str, Any]:
        """Return what a later process needs to lock the same and to restore."""
        return {
            "exposure_before": self._exposure_before,
            "exposure": self._exposure,
            "light_level": self._light_level,
        }

    def remember(self, settings: Mapping[str, Any]) -> None:
        """Take over what `settings` returned in an earlier process."""
        self._exposure_before = settings["exposure_before"]
        self._exposure = settings["exposure"]
        self._light_level = settings["light_level"]

    def lock_exposure(self) -> None:
        """Freeze exposure once per process, with the values of the run's first time."""
        if self._plan.exposure != "lock" or self._exposure_is_locked:
            return
        camera, values = self._microscope.camera, self._exposure
        if self._exposure_before is None:
            self._exposure_before = self._call("read the exposure", camera.exposure)
            self._keep()
        self._exposure = self._call(
            "lock the exposure", lambda: camera.lock_exposure(values)
        )
        self._exposure_is_locked = True

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
        level = self._light_level
        self._call("switch the light on", lambda: light.set_level(level))

    def light_off(self) -> None:
        """Switch the light off between visits if the plan says so."""
        light = self._microscope.light
        if light is not None and self._plan.light != "leave":
            self._call("switch the light off", lambda: light.set_level(0.0))

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
            self._call("restore the light", lambda: light.set_level(level))
            self._light_level = None

    # ------------------------------------------------------------------------ looking

    def settle(self) -> None:
        """Wait until the stage has stopped shaking.

        Raises
        ------
        StoppedError
            When the user stopped the run meanwhile.
        """
        until_ns = self._clock.monotonic_ns() + int(self._plan.settle_s * NS_PER_S)
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
