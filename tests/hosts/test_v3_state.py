"""What every frame is told of server v3's Things: small, and read from the frame."""

import json
from typing import Any, Dict

import pytest
from v3_things import FileCamera, NotedStage, ours

LIMIT = 16_000


class TellingStage(NotedStage):
    """A stage that counts how often it is asked."""

    def __init__(self, told: Any = None) -> None:
        super().__init__()
        self.asked = 0
        self._told = told

    @property
    def thing_state(self) -> Any:
        """The state; raises where the test wants it."""
        self.asked += 1
        if isinstance(self._told, Exception):
            raise self._told
        return {"position": self.position} if self._told is None else self._told


STATES: Dict[str, Any] = {
    "camera": {"camera": "PiCameraV2", "tuning": {"exposure_time": 499}},
    "stage": {"position": {"x": 1, "y": 2, "z": 3}},
    "somebody": {"secret": "theirs"},
}


def test_states_are_those_that_the_server_wrote() -> None:
    """As they were just before the exposure; nobody is asked again."""
    camera, stage = FileCamera(), TellingStage()
    camera.states = STATES
    microscope = ours(camera, stage)
    assert microscope.state() == {}
    microscope.camera.capture(None)
    told = microscope.state()
    assert told == {"camera": STATES["camera"], "stage": STATES["stage"]}
    assert stage.asked == 0


def test_without_them_the_things_are_asked_as_the_picture_is_taken() -> None:
    """Then, and never when the state is wanted."""
    stage = TellingStage()
    microscope = ours(FileCamera(), stage)
    microscope.camera.capture(None)
    assert stage.asked == 1
    for _ in range(2):
        assert microscope.state() == {"stage": {"position": stage.position}}
    assert stage.asked == 1


@pytest.mark.parametrize("broken", [RuntimeError("no"), [object()], {"x": object()}])
def test_a_state_that_cannot_be_told_costs_no_picture(broken: Any) -> None:
    """It is only a remark."""
    microscope = ours(FileCamera(), TellingStage(broken))
    assert microscope.camera.capture(None).jpeg
    json.dumps(microscope.state())


def test_a_large_state_is_left_out() -> None:
    """A frame has room for so much and no more."""
    large = {str(number): "x" * 900 for number in range(40)}
    microscope = ours(FileCamera(), TellingStage(large))
    microscope.camera.capture(None)
    told = microscope.state()
    assert told["stage"] == "left out: too large"
    assert len(json.dumps(told)) < LIMIT
