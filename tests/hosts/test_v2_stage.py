"""Server v2's stage behind our port: every axis is approached from below."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np
import pytest

from hardware_sim import VirtualClock
from hardware_sim.v2_server import SimulatedServer, create
from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.hosts.v2_microscope import V2Microscope
from openflexure_timelapse.ports import StagePosition

START_NS = 1_800_000_000_000_000_000
FAST = 2_000.0

Steps = Tuple[int, int, int]


class NotedStage:
    """A stage of the server that notes how it is moved.

    Parameters
    ----------
    backlash : sequence or None
        As the server knows it.
    lost : int
        Steps of z that each move loses.
    """

    def __init__(self, backlash: Any = (100, 100, 100), lost: int = 0) -> None:
        self.backlash = None if backlash is None else np.array(backlash)
        self.position: List[Any] = [0, 0, 0]
        self.moves: List[Steps] = []
        self._lost = np.array([0, 0, lost])

    def move_rel(
        self,
        displacement: Any,
        axis: Optional[str] = None,
        backlash: bool = True,  # noqa: FBT001, FBT002 (as on the server)
    ) -> None:
        """Move, without the server's own correction."""
        assert isinstance(displacement, np.ndarray)
        assert axis is None
        assert not backlash
        x, y, z = (int(step) for step in displacement)
        self.moves.append((x, y, z))
        self.position = list(np.array(self.position) + displacement - self._lost)


def ours(stage: Any, *, real: bool = True) -> V2Microscope:
    """Return our microscope over a server's that has only a stage."""
    theirs = SimpleNamespace(stage=stage, has_real_stage=lambda: real, configuration={})
    return V2Microscope(theirs, VirtualClock(START_NS))


WAYS: List[Tuple[str, List[StagePosition], List[Steps]]] = [
    (
        "an unknown approach is made good on every axis",
        [StagePosition(0, 0, 0)],
        [(-100, -100, -100), (100, 100, 100)],
    ),
    (
        "a long way up takes up the play by itself",
        [StagePosition(100, 500, 99)],
        [(0, 0, -1), (100, 500, 100)],
    ),
    (
        "from below to above nothing is added",
        [StagePosition(500, 500, 500), StagePosition(501, 500, 500)],
        [(500, 500, 500), (1, 0, 0)],
    ),
    (
        "only the axis that goes down turns round",
        [StagePosition(500, 500, 500), StagePosition(510, 500, 480)],
        [(500, 500, 500), (0, 0, -120), (10, 0, 100)],
    ),
    (
        "where it came to stand from below it stays",
        [StagePosition(500, 500, 500), StagePosition(500, 500, 500)],
        [(500, 500, 500)],
    ),
]


@pytest.mark.parametrize(
    ("targets", "moves"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS]
)
def test_every_axis_comes_from_below(
    targets: List[StagePosition], moves: List[Steps]
) -> None:
    """The last move of each axis is upwards, and at least as long as the play."""
    theirs = NotedStage()
    stage = ours(theirs).stage
    for target in targets:
        stage.move_to(target)
        assert stage.position() == target
    assert theirs.moves == moves


def test_a_stage_that_somebody_else_moved_is_approached_anew() -> None:
    """What another user did to z is not taken for an approach from below."""
    theirs = NotedStage()
    stage = ours(theirs).stage
    stage.move_to(StagePosition(500, 500, 500))
    theirs.position = [500, 500, 490]
    stage.move_to(StagePosition(500, 500, 500))
    assert theirs.moves[1:] == [(0, 0, -90), (0, 0, 100)]


@pytest.mark.parametrize("backlash", [None, (0, 0, 0)])
def test_without_a_known_play_it_is_taken_to_be_200_steps(backlash: Any) -> None:
    """A server whose settings name no play has a stage with play nevertheless."""
    theirs = NotedStage(backlash)
    ours(theirs).stage.move_to(StagePosition(0, 0, -10))
    assert theirs.moves == [(-200, -200, -210), (200, 200, 200)]


def test_a_play_of_the_other_sign_counts_the_same() -> None:
    """The server's sign tells from where it approaches; we always come from below."""
    theirs = NotedStage((-50, 60, 0))
    ours(theirs).stage.move_to(StagePosition(0, 0, 0))
    assert theirs.moves == [(-50, -60, -200), (50, 60, 200)]


def test_a_mock_stage_makes_no_detour() -> None:
    """No motor, no play: and each of its moves takes half a second."""
    theirs = NotedStage(None)
    ours(theirs, real=False).stage.move_to(StagePosition(5, -6, -7))
    assert theirs.moves == [(5, -6, -7)]


def test_lost_steps_are_an_error() -> None:
    """A stage that is not where it was sent says where it is."""
    stage = ours(NotedStage(lost=3)).stage
    with pytest.raises(HardwareError, match=r"asked \(500, 500, 500\), is \(500, 500"):
        stage.move_to(StagePosition(500, 500, 500))


def test_after_an_error_the_approach_is_unknown() -> None:
    """A move that failed half way is followed by one that takes up the play."""
    theirs = NotedStage()
    stage = ours(theirs).stage
    stage.move_to(StagePosition(500, 500, 500))
    good = theirs.move_rel

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the board is busy")

    theirs.move_rel = fail  # type: ignore[assignment]
    with pytest.raises(HardwareError, match="the board is busy"):
        stage.move_to(StagePosition(600, 500, 500))
    theirs.move_rel = good  # type: ignore[assignment]
    stage.move_to(StagePosition(500, 500, 500))
    assert theirs.moves[1:] == [(-100, -100, -100), (100, 100, 100)]


def test_a_silent_board_is_a_timeout() -> None:
    """The serial line's `TimeoutError` is ours."""

    class Silent:
        @property
        def position(self) -> Any:
            raise TimeoutError("no answer")

    with pytest.raises(HardwareTimeoutError, match="no answer"):
        ours(Silent()).stage.position()


def test_a_delta_stage_may_round() -> None:
    """Three legs give no whole steps of x, y and z: two steps off are arrived."""
    theirs = NotedStage(lost=1)
    theirs.Tvd = np.eye(3)  # type: ignore[attr-defined]
    stage = ours(theirs).stage
    stage.move_to(StagePosition(500, 500, 500))
    theirs._lost = np.array([0, 0, 3])
    with pytest.raises(HardwareError, match="did not arrive"):
        stage.move_to(StagePosition(700, 700, 700))


# ------------------------------------------------------------- on the simulated server


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[SimulatedServer]:
    """Start a server."""
    server = create(tmp_path, "empty", 1, FAST)
    yield server
    server.close()


def test_from_above_and_from_below_it_stands_at_the_same_place(
    server: SimulatedServer,
) -> None:
    """The sample, and not only the count of steps, is where it was."""
    theirs = server.microscope
    stage = V2Microscope(theirs, theirs.clock).stage
    places = []
    for start in (-2000, 2000, 10):
        stage.move_to(StagePosition(start, start, start))
        stage.move_to(StagePosition(0, 0, 0))
        places.append(theirs.sim.stage._nut[:])
    assert places[0] == places[1] == places[2]


def test_a_mock_stage_tells_plain_integers(tmp_path: Path) -> None:
    """After a move the server's mock has numpy's integers, which are no JSON."""
    server = create(tmp_path, speed=FAST, missing_hardware=True)
    theirs = server.microscope
    microscope = V2Microscope(theirs, theirs.clock)
    microscope.stage.move_to(StagePosition(1, 2, -3))
    place = microscope.stage.position()
    server.close()
    assert place == StagePosition(1, 2, -3)
    assert json.dumps([place.x, place.y, place.z]) == "[1, 2, -3]"
    assert microscope.stage.describe().simulated


def test_what_is_not_known_of_the_stage_is_not_told(server: SimulatedServer) -> None:
    """The server has neither scale nor travel; board and firmware name the stage."""
    theirs = server.microscope
    info = V2Microscope(theirs, theirs.clock).stage.describe()
    assert (info.step_um, info.lowest, info.highest) == (None, None, None)
    assert info.model == "SangaStage (Simulated Sangaboard, simulated)"
    assert info.simulated
