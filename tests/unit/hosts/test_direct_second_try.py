"""What a camera or a board gets over inside a visit."""

from typing import Any, List, Optional

import pytest

from hardware_sim import VirtualClock
from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
    OutOfReachError,
)
from openflexure_timelapse.hosts.direct.second_try import (
    SecondTryCamera,
    SecondTryStage,
)
from openflexure_timelapse.ports import Image, StagePosition

FAR = StagePosition(1, 2, 3)
NS_PER_S = 1_000_000_000


class FailingCamera:
    """A camera whose first stills time out, after a while."""

    def __init__(self, clock: VirtualClock, failures: List[Any]) -> None:
        self._clock = clock
        self.failures = failures

    def capture(self, mode: Optional[str]) -> Image:
        """Fail as long as there are failures: a time in seconds, and an error."""
        if self.failures:
            seconds, error = self.failures.pop(0)
            self._clock.advance(int(seconds * NS_PER_S))
            raise error
        return Image(str(mode).encode(), {})


def camera_of(*failures: Any) -> SecondTryCamera:
    """Return a camera with failures ahead."""
    clock = VirtualClock(0)
    camera: Any = FailingCamera(clock, list(failures))
    return SecondTryCamera(camera, clock)


def test_a_camera_that_was_started_again_is_asked_again() -> None:
    """One time-out that was noticed soon costs no slot."""
    camera = camera_of((5.0, HardwareTimeoutError("It stalled.")))
    assert camera.capture("half").jpeg == b"half"


@pytest.mark.parametrize(
    "failures",
    [
        [(9.0, HardwareTimeoutError("first"))],
        [(1.0, HardwareTimeoutError("x")), (1.0, HardwareTimeoutError("first"))],
        [(1.0, HardwareError("first"))],
    ],
    ids=["too late", "twice", "no time-out"],
)
def test_other_failures_of_a_camera_are_told(failures: List[Any]) -> None:
    """There is no time for more, or no hope in it."""
    with pytest.raises(HardwareError, match="first"):
        camera_of(*failures).capture(None)


class FailingStage:
    """A stage whose first moves fail."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.is_stopped = False
        self.moves = 0

    def move_to(self, target: StagePosition) -> None:
        """Fail as long as there are failures."""
        assert target == FAR
        self.moves += 1
        if self.failures:
            raise self.failures.pop(0)


def test_a_move_that_was_broken_off_is_made_again() -> None:
    """As by a board that started anew in its middle."""
    stage: Any = FailingStage(HardwareError("anew"))
    SecondTryStage(stage).move_to(FAR)
    assert stage.moves == 2


def test_a_move_is_made_no_third_time() -> None:
    """What fails twice ends the visit."""
    stage: Any = FailingStage(HardwareError("anew"), HardwareError("gone"))
    with pytest.raises(HardwareError, match="gone"):
        SecondTryStage(stage).move_to(FAR)


@pytest.mark.parametrize("error", [HardwareBusyError("b"), OutOfReachError("o")])
def test_what_no_second_try_mends_is_told_at_once(error: Exception) -> None:
    """Somebody else has the stage, or the target cannot be reached."""
    stage: Any = FailingStage(error)
    with pytest.raises(type(error)):
        SecondTryStage(stage).move_to(FAR)
    assert stage.moves == 1


def test_a_stage_that_somebody_stopped_stands() -> None:
    """Whoever stops a move has a reason."""
    stage: Any = FailingStage(HardwareError("stopped"))
    stage.is_stopped = True
    with pytest.raises(HardwareError, match="stopped"):
        SecondTryStage(stage).move_to(FAR)
    assert stage.moves == 1
