"""What every camera, stage and light promise, asked of server v3's."""

from pathlib import Path
from typing import Callable, Iterator, List, Tuple

import pytest
from contracts import test_camera_contract, test_stage_and_light_contract
from v3_sim import over, running

from hardware_sim.v3_server import SimulatedServer
from openflexure_timelapse.ports import Camera, Clock, Light, Stage

# The server knows no travel, and a fast clock cannot tell how long a move took. It need
# not tell the size of each mode either: see below.
NOT_OURS = (
    "ends_of_the_travel",
    "beyond_the_travel",
    "takes_its_time",
    "each_mode_has_its_size",
)

globals().update(
    {
        name: promise
        for contract in (test_camera_contract, test_stage_and_light_contract)
        for name, promise in vars(contract).items()
        if name.startswith("test_") and not any(word in name for word in NOT_OURS)
    }
)


@pytest.fixture(name="start")
def _start(tmp_path: Path) -> Iterator[Callable[[], SimulatedServer]]:
    """Return a starter of servers, which end with the test."""
    begun: List[Iterator[SimulatedServer]] = []

    def start() -> SimulatedServer:
        begun.append(running(tmp_path / str(len(begun)), "algae_growth"))
        return next(begun[-1])

    yield start
    for server in begun:
        next(server, None)


@pytest.fixture(name="make")
def _make(start: Callable[[], SimulatedServer]) -> Callable[[], Tuple[Camera, Clock]]:
    """Return a maker of our camera over a new server's."""

    def make() -> Tuple[Camera, Clock]:
        server = start()
        return over(server).camera, server.clock

    return make


@pytest.fixture(name="stage")
def _stage(start: Callable[[], SimulatedServer]) -> Stage:
    """Return our stage over a new server's."""
    return over(start()).stage


@pytest.fixture(name="light")
def _light(start: Callable[[], SimulatedServer]) -> Light:
    """Return our light over a new server's."""
    light = over(start()).light
    assert light is not None
    return light


def test_each_mode_has_its_size_once_it_was_seen(
    make: Callable[[], Tuple[Camera, Clock]],
) -> None:
    """A size that the server does not tell is that of the first picture."""
    camera, _ = make()
    for mode in camera.describe().modes:
        size = test_camera_contract.size_of(camera.capture(mode).jpeg)
        assert camera.describe().modes[mode] == size
