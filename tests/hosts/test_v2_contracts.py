"""What every camera and every stage promise, asked of server v2's."""

from pathlib import Path
from typing import Any, Callable, Iterator, List, Tuple

import pytest
from contracts import test_camera_contract, test_stage_and_light_contract

from hardware_sim.v2_server import SimulatedServer, create
from openflexure_timelapse.hosts.v2_microscope import V2Microscope
from openflexure_timelapse.ports import Camera, Clock, Stage

FAST = 2_000.0
SMALL = [832, 624]

# The server knows no travel and no light, and a fast clock cannot tell how long a move
# took.
NOT_OURS = (
    "ends_of_the_travel",
    "beyond_the_travel",
    "takes_its_time",
    "light",
    "level",
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
def _start(tmp_path: Path) -> Iterator[Callable[..., SimulatedServer]]:
    """Return a starter of servers, which end with the test."""
    servers: List[SimulatedServer] = []

    def start(**how: Any) -> SimulatedServer:
        folder = tmp_path / str(len(servers))
        servers.append(create(folder, "algae_growth", 3, FAST, **how))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(name="make")
def _make(start: Callable[..., SimulatedServer]) -> Callable[[], Tuple[Camera, Clock]]:
    """Return a maker of our camera over a new server's."""

    def make() -> Tuple[Camera, Clock]:
        theirs = start().microscope
        theirs.camera.image_resolution = SMALL
        return V2Microscope(theirs, theirs.clock).camera, theirs.clock

    return make


@pytest.fixture(params=["simulated", "mock"], name="stage")
def _stage(
    request: pytest.FixtureRequest, start: Callable[..., SimulatedServer]
) -> Stage:
    """Return our stage over a new server's."""
    theirs = start(missing_hardware=request.param == "mock").microscope
    return V2Microscope(theirs, theirs.clock).stage
