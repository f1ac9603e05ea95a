"""What every stage and every light promise."""

from typing import Callable, Dict, Tuple

import pytest

from hardware_sim import VirtualClock, build
from openflexure_timelapse.errors import HardwareError, OutOfReachError
from openflexure_timelapse.ports import Clock, Light, Stage, StagePosition

START_NS = 1_800_000_000_000_000_000
STAGES: Dict[str, Callable[[Clock], Stage]] = {
    "simulated": lambda clock: build(1, "empty", clock).stage
}
LIGHTS: Dict[str, Callable[[Clock], Light]] = {
    "simulated": lambda clock: build(1, "empty", clock).light
}
WAYS: Dict[str, Tuple[StagePosition, ...]] = {
    "up": (StagePosition(10, 20, 30),),
    "down": (StagePosition(-10, -20, -30),),
    "there and back": (StagePosition(500, 0, 90), StagePosition(0, 0, 0)),
    "nowhere": (StagePosition(0, 0, 0),),
}


@pytest.fixture(name="clock")
def make_clock() -> VirtualClock:
    """Return a clock that jumps."""
    return VirtualClock(START_NS)


@pytest.fixture(params=sorted(STAGES), name="stage")
def make_stage(request: pytest.FixtureRequest, clock: VirtualClock) -> Stage:
    """Return each stage in turn."""
    return STAGES[request.param](clock)


@pytest.fixture(params=sorted(LIGHTS), name="light")
def make_light(request: pytest.FixtureRequest, clock: VirtualClock) -> Light:
    """Return each light in turn."""
    return LIGHTS[request.param](clock)


@pytest.mark.parametrize("way", sorted(WAYS))
def test_the_stage_arrives(stage: Stage, way: str) -> None:
    """After a move the position is the target."""
    for target in WAYS[way]:
        stage.move_to(target)
        assert stage.position() == target


def test_the_ends_of_the_travel_can_be_reached(stage: Stage) -> None:
    """Both ends are part of the travel."""
    info = stage.describe()
    assert info.lowest is not None
    assert info.highest is not None
    for target in (info.lowest, info.highest):
        stage.move_to(target)
        assert stage.position() == target


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_beyond_the_travel_nothing_moves(stage: Stage, axis: str) -> None:
    """A target outside the travel is refused before anything moves."""
    stage.move_to(StagePosition(5, 6, 7))
    highest = stage.describe().highest
    assert highest is not None
    places = {"x": 0, "y": 0, "z": 0, axis: getattr(highest, axis) + 1}
    with pytest.raises(OutOfReachError, match=f"{axis} = "):
        stage.move_to(StagePosition(**places))
    assert stage.position() == StagePosition(5, 6, 7)


def test_a_move_takes_its_time(stage: Stage, clock: VirtualClock) -> None:
    """A long move lasts as long as the stage's usual speed says."""
    before_ns = clock.monotonic_ns()
    stage.move_to(StagePosition(4000, 100, 0))
    took_s = (clock.monotonic_ns() - before_ns) / 1e9
    assert took_s == pytest.approx(4000 / stage.describe().steps_per_s, rel=0.2)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_the_light_keeps_its_level(light: Light, level: float) -> None:
    """The level that was set is the level that is read."""
    light.set_level(level)
    assert light.level() == level


def test_the_light_comes_back_as_it_was(light: Light) -> None:
    """Off and back to the level before gives the level before."""
    before = light.level()
    light.set_level(0.0)
    light.set_level(before)
    assert light.level() == before


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan")])
def test_an_impossible_level_is_refused(light: Light, level: float) -> None:
    """A level outside of 0 to 1 is an error and changes nothing."""
    before = light.level()
    with pytest.raises(HardwareError):
        light.set_level(level)
    assert light.level() == before
