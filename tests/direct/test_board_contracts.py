"""What every stage and light promise, asked of ours over the real library."""

from pathlib import Path
from typing import Iterator

import pytest
from board_rig import DIALECTS, Rig, rig
from contracts import test_stage_and_light_contract

from hardware_sim import VirtualClock
from openflexure_timelapse.hosts.direct.light import DirectLight
from openflexure_timelapse.ports import Light, Stage

globals().update(
    {
        name: promise
        for name, promise in vars(test_stage_and_light_contract).items()
        if name.startswith("test_")
    }
)


@pytest.fixture(name="made", params=DIALECTS)
def _made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Return our stage on each kind of board."""
    with rig(tmp_path, request.param) as made:
        yield made


@pytest.fixture(name="stage")
def _stage(made: Rig) -> Stage:
    """Return the stage."""
    return made.stage


@pytest.fixture(name="clock")
def _clock(made: Rig) -> VirtualClock:
    """Return the clock of that stage."""
    return made.clock


@pytest.fixture(name="light")
def _light(tmp_path: Path) -> Iterator[Light]:
    """Return the light of the board that has one."""
    with rig(tmp_path, "v1.0") as made:
        yield DirectLight(made.board)
