"""What we rely on in server v3's Things, held against the simulated ones."""

import inspect
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest
from v3_sim import lock_of, over, running

from hardware_sim.v3_server import SimulatedServer
from openflexure_timelapse.hosts import v3_protocols
from openflexure_timelapse.hosts.v3_features import (
    accepts,
    offers,
    whole_compensation,
)
from openflexure_timelapse.hosts.visit_locks import try_lock

ROLES = {
    "camera": v3_protocols.CameraThing,
    "stage": v3_protocols.StageThing,
    "autofocus": v3_protocols.AutofocusThing,
    "illumination": v3_protocols.IlluminationThing,
}
# The simulated camera has one live view whose sizes never change.
NOT_SIMULATED = {"streaming_modes"}


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[SimulatedServer]:
    """Start a server."""
    yield from running(tmp_path)


def features_of(protocol: Any) -> List[str]:
    """Return the names in a protocol."""
    names = {*vars(protocol), *getattr(protocol, "__annotations__", {})}
    public = {name for name in names if not name.startswith("_")}
    return sorted(public - NOT_SIMULATED)


def parameters_of(protocol: Any, name: str) -> List[str]:
    """Return the parameters of a method of a protocol that have a name."""
    method = vars(protocol).get(name)
    if not inspect.isfunction(method):
        return []
    found = inspect.signature(method).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [each.name for each in found if each.kind in named and each.name != "self"]


CASES: List[Tuple[str, str]] = [
    (role, name) for role, protocol in ROLES.items() for name in features_of(protocol)
]


@pytest.mark.parametrize(("role", "name"), CASES)
def test_the_simulated_things_have_it(
    server: SimulatedServer, role: str, name: str
) -> None:
    """Each property and action by its name, each parameter by its own."""
    thing = server.things[role]
    assert offers(thing, name)
    for parameter in parameters_of(ROLES[role], name):
        assert accepts(thing, name, parameter)


def test_the_settings_of_exposure_are_there(server: SimulatedServer) -> None:
    """As on the Pi's camera."""
    names = features_of(v3_protocols.ExposureSettings)
    assert offers(server.things["camera"], *names)


def test_modes_and_positions_have_their_shape(server: SimulatedServer) -> None:
    """A default mode, a size or None, and steps by axis."""
    modes = server.things["camera"].capture_modes
    assert "standard" in modes
    for mode in modes.values():
        assert mode.save_resolution is None or len(mode.save_resolution) == 2
    assert set(server.things["stage"].position) >= {"x", "y", "z"}


def test_all_axes_is_found_behind_the_action(server: SimulatedServer) -> None:
    """The member of the stage's own enum, with the number that stands over HTTP."""
    found = whole_compensation(server.things["stage"], "move_absolute")
    assert (found.name, found.value) == ("ALL_AXES", v3_protocols.ALL_AXES)


def test_the_lock_is_one_that_we_can_try(server: SimulatedServer) -> None:
    """The server's own, held by its actions for as long as we have it."""
    lock = lock_of(server)
    assert try_lock(lock)
    lock.release()
    microscope = over(server)
    assert microscope.describe()["simulated"] is True
