"""A second try inside a visit: what hardware gets over costs seconds, and no slot.

A camera that has stalled is known to have after some seconds, and is started again in a
few more; a board that starts anew answers at once. Both fit into the time that the
engine gives to a call, so the call is made once more. Whatever fails twice is told.
"""

from typing import Any, Mapping, Optional

from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
)
from openflexure_timelapse.hosts.direct.parts import CameraPart, StagePart
from openflexure_timelapse.ports import (
    CameraInfo,
    Clock,
    Image,
    JsonDict,
    StageInfo,
    StagePosition,
)

__all__ = ["SecondTryCamera", "SecondTryStage"]

LONGEST_FIRST_TRY_NS = 8_000_000_000
"""After a longer one there is no time for a second: the engine waits for 15 s."""


class SecondTryCamera:
    """A camera as `ports.Camera`, whose stills are asked for twice.

    Parameters
    ----------
    camera : CameraPart
        Asked.
    clock : Clock
        The engine's.
    """

    def __init__(self, camera: CameraPart, clock: Clock) -> None:
        self._camera = camera
        self._clock = clock

    def describe(self) -> CameraInfo:
        """Return the constant facts."""
        return self._camera.describe()

    def capture(self, mode: Optional[str]) -> Image:
        """Take a still; see `ports.Camera`.

        Raises
        ------
        HardwareError
            As the camera does; of a time-out only the second, or one that took long.
        """
        asked_ns = self._clock.monotonic_ns()
        try:
            return self._camera.capture(mode)
        except HardwareTimeoutError:
            if self._clock.monotonic_ns() - asked_ns > LONGEST_FIRST_TRY_NS:
                raise
        return self._camera.capture(mode)

    def preview(self) -> Image:
        """Return a small picture."""
        return self._camera.preview()

    def exposure(self) -> JsonDict:
        """Return how exposure is controlled."""
        return self._camera.exposure()

    def lock_exposure(self, values: Optional[Mapping[str, Any]] = None) -> JsonDict:
        """Freeze exposure, gain and white balance."""
        return self._camera.lock_exposure(values)

    def restore_exposure(self, saved: Mapping[str, Any]) -> None:
        """Put exposure control back."""
        self._camera.restore_exposure(saved)

    def recover(self) -> None:
        """Bring a camera back that timed out."""
        self._camera.recover()


class SecondTryStage:
    """A stage as `ports.Stage`, whose moves are made again when they were broken off.

    Parameters
    ----------
    stage : StagePart
        Moved.
    """

    def __init__(self, stage: StagePart) -> None:
        self._stage = stage

    def describe(self) -> StageInfo:
        """Return the constant facts."""
        return self._stage.describe()

    def position(self) -> StagePosition:
        """Return where the stage is."""
        return self._stage.position()

    def move_to(self, target: StagePosition) -> None:
        """Go there; see `ports.Stage`.

        Raises
        ------
        OutOfReachError
            Before anything moves.
        HardwareError
            When it failed twice, or when somebody stopped the move: that person wants
            it to stand.
        """
        try:
            self._stage.move_to(target)
        except HardwareBusyError:
            raise
        except HardwareError:
            if self._stage.is_stopped:
                raise
        else:
            return
        self._stage.move_to(target)
