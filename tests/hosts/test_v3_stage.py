"""Server v3's stage behind our port: every axis is approached from below."""

from typing import Any, List, Optional, Tuple

import pytest
from v3_things import Axes, NotedStage, ours

from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.ports import StagePosition

Steps = Tuple[int, int, int]


class OldStage:
    """A stage of the alphas: it knows nothing of play.

    Parameters
    ----------
    backlash : dict or None
        As its settings name it.
    """

    def __init__(self, backlash: Any = None) -> None:
        self.position = {"x": 0, "y": 0, "z": 0}
        self.moves: List[Steps] = []
        if backlash is not None:
            self.backlash_steps = backlash

    def move_absolute(self, x: int, y: int, z: int) -> None:
        """Move."""
        self.moves.append((x, y, z))
        self.position = {"x": x, "y": y, "z": z}


def test_backlash_compensation_is_asked_for() -> None:
    """For all axes, by the server's own enum, in a move that nobody can cancel."""
    theirs = NotedStage()
    stage = ours(None, theirs).stage
    target = StagePosition(1, -2, 3)
    for _ in range(2):
        stage.move_to(target)
    assert stage.position() == target
    move = ({"x": 1, "y": -2, "z": 3}, True, Axes.ALL_AXES)
    assert theirs.moves == [move, move]


def test_where_no_enum_is_named_the_number_is_given() -> None:
    """A Thing that takes numbers gets the server's number."""

    class Numbered(NotedStage):
        def move_absolute(  # type: ignore[override]
            self, backlash_compensation: Optional[int] = None, **axes: int
        ) -> None:
            """Take note."""
            self.moves.append(backlash_compensation)
            self.position = dict(axes)

    theirs = Numbered()
    ours(None, theirs).stage.move_to(StagePosition(1, 2, 3))
    assert theirs.moves == [2]


def test_arrival_is_verified() -> None:
    """A stage that is elsewhere after a second try says where."""
    theirs = NotedStage()
    theirs.loses = [3, 3]
    with pytest.raises(HardwareError, match=r"asked \(5, 5, 5\), is \(5, 5, 2\)"):
        ours(None, theirs).stage.move_to(StagePosition(5, 5, 5))
    assert len(theirs.moves) == 2


def test_a_stage_that_says_it_is_there_too_early_is_asked_again() -> None:
    """The server's dummy stage does so on a busy machine."""
    theirs = NotedStage()
    theirs.loses = [3]
    stage = ours(None, theirs).stage
    stage.move_to(StagePosition(5, 5, 5))
    assert stage.position() == StagePosition(5, 5, 5)


@pytest.mark.parametrize(
    ("raised", "told"),
    [(RuntimeError("no"), HardwareError), (TimeoutError("no"), HardwareTimeoutError)],
)
def test_what_the_stage_raises_is_told(raised: Exception, told: type) -> None:
    """A failed move names its target, and is tried once."""
    theirs = NotedStage()
    theirs.fails = raised
    with pytest.raises(told, match="move the stage to 5, 5, 5"):
        ours(None, theirs).stage.move_to(StagePosition(5, 5, 5))
    assert len(theirs.moves) == 1


WAYS: List[Tuple[str, Any, List[StagePosition], List[Steps]]] = [
    (
        "an unknown approach is made good on every axis",
        {"x": 100, "y": 100, "z": -50},
        [StagePosition(0, 0, 0)],
        [(-100, -100, -50), (0, 0, 0)],
    ),
    (
        "a play that is not known is taken to be 200 steps",
        None,
        [StagePosition(500, 0, 0)],
        [(0, -200, -200), (500, 0, 0)],
    ),
    (
        "only the axis that goes down turns round",
        {"x": 100, "y": 100, "z": 100},
        [StagePosition(500, 500, 500), StagePosition(510, 500, 480)],
        [(500, 500, 500), (500, 500, 380), (510, 500, 480)],
    ),
    (
        "where it came to stand from below it stays",
        {"x": 100, "y": 100, "z": 100},
        [StagePosition(500, 500, 500), StagePosition(500, 500, 500)],
        [(500, 500, 500)],
    ),
]


@pytest.mark.parametrize(
    ("backlash", "targets", "moves"),
    [way[1:] for way in WAYS],
    ids=[way[0] for way in WAYS],
)
def test_without_compensation_the_approach_is_ours(
    backlash: Any, targets: List[StagePosition], moves: List[Steps]
) -> None:
    """On a server of the alphas each axis still comes from below."""
    theirs = OldStage(backlash)
    stage = ours(None, theirs).stage
    for target in targets:
        stage.move_to(target)
        assert stage.position() == target
    assert theirs.moves == moves


def test_facts_are_those_of_the_thing() -> None:
    """The server's dummy stage tells its speed, and is known by its name."""

    class DummyStage(NotedStage):
        step_time = 0.002

    dummy, real = ours(None, DummyStage()).stage, ours(None, NotedStage()).stage
    assert dummy.describe().steps_per_s == pytest.approx(500)
    assert dummy.describe().simulated
    assert real.describe().steps_per_s > 0
    assert not real.describe().simulated
    assert real.describe().model == "NotedStage"
