"""The exposure of a running camera: locked, looked after in every frame, given back."""

import threading
from typing import Any, Dict, List, Mapping, Optional

from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.hosts.direct.camera_keeper import CameraKeeper
from openflexure_timelapse.hosts.direct.camera_settings import CameraSettings
from openflexure_timelapse.hosts.direct.exposure_lock import (
    AUTOMATIC,
    ExposureLock,
    is_settled,
)
from openflexure_timelapse.ports import Clock, JsonDict

__all__ = ["ExposureControl"]

NS_PER_S = 1_000_000_000
US_PER_S = 1_000_000
SPARE_US = 1000
"""Between the longest exposure and the end of its frame."""
ASK_S = 5.0
SETTLING_S = 8.0
APPLYING_S = 6.0
"""Beside the time of the frames that are looked at."""
FRAMES_FOR_SURE = 3
"""Frames in a row that must agree with a new lock: controls come one by one."""
MOST_FRAMES = 40
"""A control that has not shown in so many is ignored."""
FRAMES_ON_THE_WAY = 4
"""Beside those whose requests are queued: until a control shows in the frames."""
OWN = (
    "ExposureTime",
    "ExposureTimeMode",
    "AnalogueGain",
    "AnalogueGainMode",
    "ColourGains",
    "ColourTemperature",
    "AeEnable",
    "AwbEnable",
    "FrameDurationLimits",
    "FrameRate",
)
"""What the lock is made of, and what the libraries turn into a part of it."""


class ExposureControl:
    """What the camera is told, and whether it does it.

    Parameters
    ----------
    keeper : CameraKeeper
        Asks the camera's process, and has the frames.
    machine : Clock
        The machine's own.
    settings : CameraSettings
        May fix the exposure from the start.
    """

    def __init__(
        self, keeper: CameraKeeper, machine: Clock, settings: CameraSettings
    ) -> None:
        self._keeper = keeper
        self._machine = machine
        self._guard = threading.Lock()
        self._lock: Optional[ExposureLock] = None
        self._is_applied = False
        self._is_told = False
        self._others: Dict[str, Any] = {}
        self._fixed = _fixed(settings)
        self._frame_us = int(US_PER_S / settings.stream_fps)
        self._longest_us = settings.stall_s * US_PER_S / 2

    @property
    def is_locked(self) -> bool:
        """Whether the exposure is frozen."""
        return self._lock is not None

    def controls(self) -> Dict[str, Any]:
        """Return what a camera that starts is told."""
        lock = self._lock
        own = self._fixed if lock is None else lock.controls()
        return {**self._others, **self._paced(own)}

    def _wanted(self) -> Dict[str, Any]:
        """Return what a camera that runs is told of its exposure."""
        lock = self._lock
        return self._paced(_automatic(self._fixed) if lock is None else lock.controls())

    def _paced(self, controls: Mapping[str, Any]) -> Dict[str, Any]:
        """Return controls with the time of a frame; a long exposure makes it longer."""
        frame_us = max(self._frame_us, controls.get("ExposureTime", 0) + SPARE_US)
        return {**controls, "FrameDurationLimits": [frame_us, frame_us]}

    def told(self) -> JsonDict:
        """Return how exposure is controlled, as `restore` wants it."""
        lock = self._lock
        return {"auto": True} if lock is None else {"auto": False, **lock.to_json()}

    def of(self, metadata: Mapping[str, Any]) -> JsonDict:
        """Return a frame's exposure: the locked one, or what the camera tells."""
        lock = self._lock
        if lock is not None and not lock.objection(metadata):
            return lock.to_json()
        return {
            "exposure_us": float(metadata.get("ExposureTime", 0.0)),
            "analogue_gain": float(metadata.get("AnalogueGain", 0.0)),
            "colour_gains": list(metadata.get("ColourGains", (0.0, 0.0))),
        }

    # ------------------------------------------------------------------------ looking

    def saw(self, metadata: Mapping[str, Any]) -> None:
        """Look at a frame of the live view; in a thread of the camera's process."""
        with self._guard:
            lock, applied, told = self._lock, self._is_applied, self._is_told
            if lock is None or not applied:
                return
            objection = lock.objection(metadata)
            self._is_told = bool(objection)
        if objection and not told:
            self._keeper.note("exposure_changed", f"a frame was {objection}")

    def objection(self, metadata: Mapping[str, Any]) -> str:
        """Return how a still differs from the lock; empty where it does not."""
        lock = self._lock
        return "" if lock is None else lock.objection(metadata)

    # ------------------------------------------------------------------------- acting

    def lock(self, values: Optional[Mapping[str, Any]]) -> JsonDict:
        """Freeze the exposure, and wait until frames show it.

        Raises
        ------
        HardwareError
            When the camera does not take it over.
        """
        if values is None and self._lock is not None:
            return self._lock.to_json()
        lock = self._measured() if values is None else ExposureLock.of(values)
        if lock.exposure_us > self._longest_us:
            message = (
                f"An exposure of {lock.exposure_us / US_PER_S:g} s would be taken "
            )
            message += "for a camera that has stalled; "
            raise HardwareError(message + "raise stall_s in the camera's settings.")
        before = self._lock
        with self._guard:
            self._lock, self._is_applied, self._is_told = lock, False, False
        try:
            self.apply_again()
        except HardwareError:
            with self._guard:
                self._lock, self._is_applied = before, before is not None
            self._ask(self._wanted())
            raise
        return lock.to_json()

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Give exposure back to the automatic control, or freeze what was frozen."""
        if not saved["auto"]:
            self.lock(saved)
            return
        with self._guard:
            was_locked, self._lock = self._lock is not None, None
        if was_locked:
            self._ask(self._wanted())

    def set_others(self, controls: Mapping[str, Any]) -> None:
        """Tell other things, and remember them for the next start."""
        refused = [name for name in controls if name in OWN]
        if refused:
            message = f"{', '.join(refused)} cannot be set beside the exposure's lock; "
            raise HardwareError(message + "lock the exposure with these values.")
        self._ask(controls)
        self._others = {**self._others, **controls}

    def apply_again(self) -> None:
        """Tell the camera the locked exposure, and wait until frames show it.

        Raises
        ------
        HardwareError
            When it does not.
        """
        lock = self._lock
        if lock is None:
            return
        newest = self._keeper.frames.newest()
        before_us = 0 if newest is None else newest.metadata.get("FrameDuration", 0)
        told = self._paced(lock.controls())
        self._ask(told)
        agreeing, objection = 0, ""
        # Another line that is near enough to be taken for the wanted one may be on its
        # way; where the very line is known, it cannot.
        facts = self._keeper.facts or {}
        passing = 0 if lock.seen else int(facts.get("buffers", 0)) + FRAMES_ON_THE_WAY
        frame_us = max(before_us, told["FrameDurationLimits"][1])
        most_s = APPLYING_S + (passing + FRAMES_FOR_SURE) * frame_us / US_PER_S
        until_ns = self._machine.monotonic_ns() + int(most_s * NS_PER_S)
        for seen, metadata in enumerate(self._frames(until_ns)):
            if seen < passing:
                continue
            if seen > MOST_FRAMES:
                break
            objection = lock.objection(metadata)
            agreeing = 0 if objection else agreeing + 1
            if agreeing >= FRAMES_FOR_SURE:
                with self._guard:
                    self._lock, self._is_applied = lock.after(metadata), True
                return
        message = "The camera does not take over the exposure: a frame was "
        message += objection or "too late"
        raise HardwareError(message + "; choose another one, or restart the camera.")

    def _measured(self) -> ExposureLock:
        """Return the lock for what the automatic control has found."""
        until_ns = self._machine.monotonic_ns() + int(SETTLING_S * NS_PER_S)
        recent: List[Mapping[str, Any]] = []
        for metadata in self._frames(until_ns):
            recent.append(metadata)
            if is_settled(recent):
                return ExposureLock.of_metadata(metadata)
        whole = [told for told in recent if "ExposureTime" in told]
        if not whole:
            message = "The camera told no exposure while it was to be locked; "
            raise HardwareTimeoutError(message + "it is being watched, try again.")
        self._keeper.note("exposure_unsettled", f"it was locked after {SETTLING_S:g} s")
        return ExposureLock.of_metadata(whole[-1])

    def _frames(self, until_ns: int) -> Any:
        """Yield the metadata of frames as they come from now on."""
        seen_ns = self._machine.monotonic_ns()
        while self._machine.monotonic_ns() < until_ns:
            frames = [f for f in self._keeper.frames.recent() if f.arrived_ns > seen_ns]
            for frame in frames:
                seen_ns = frame.arrived_ns
                yield frame.metadata
            newest = self._keeper.frames.newest()
            begun_ns = None if newest is None else newest.exposure_start_ns + 1
            self._keeper.frames.after(begun_ns, until_ns)

    def _ask(self, controls: Mapping[str, Any]) -> None:
        """Tell the camera's process."""
        until_ns = self._machine.monotonic_ns() + int(ASK_S * NS_PER_S)
        self._keeper.ask({"do": "controls", "controls": dict(controls)}, until_ns)


def _automatic(fixed: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what gives back all that the settings do not fix."""
    told = {**AUTOMATIC, **fixed}
    if "ColourGains" in fixed:
        del told["AwbEnable"]
    return told


def _fixed(settings: CameraSettings) -> Dict[str, Any]:
    """Return the controls that the settings fix from the start."""
    fixed: Dict[str, Any] = {}
    if settings.exposure_us is not None:
        fixed["ExposureTime"] = int(settings.exposure_us) + 1
    if settings.analogue_gain is not None:
        fixed["AnalogueGain"] = settings.analogue_gain
    if settings.colour_gains is not None:
        fixed["ColourGains"] = list(settings.colour_gains)
    return fixed
