"""Server v3's light behind our port."""

import pytest
from v3_things import NotedIllumination, ours

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.v3_light import V3Light


def light_of(theirs: NotedIllumination) -> V3Light:
    """Return our light over theirs."""
    light = ours(illumination=theirs).light
    assert light is not None
    return light


def test_nobody_can_ask_so_it_is_on_until_it_is_set() -> None:
    """The server switches its light on as it starts; reading it touches nothing."""
    theirs = NotedIllumination()
    assert light_of(theirs).level() == 1.0
    assert theirs.done == []


def test_it_is_on_at_any_level_but_nought() -> None:
    """The server's light has no levels between; what was set is what is read."""
    theirs = NotedIllumination()
    light = light_of(theirs)
    for level in (0.0, 0.3, 1.0):
        light.set_level(level)
        assert light.level() == level
    assert theirs.done == [False, True, True]


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan")])
def test_an_impossible_level_is_refused(level: float) -> None:
    """Nothing is switched then."""
    theirs = NotedIllumination()
    with pytest.raises(HardwareError, match="0 to 1"):
        light_of(theirs).set_level(level)
    assert theirs.done == []


def test_a_light_that_fails_keeps_its_level() -> None:
    """What was not done is not believed."""
    theirs = NotedIllumination()
    light = light_of(theirs)
    theirs.fails = RuntimeError("no answer")
    with pytest.raises(HardwareError, match="no answer"):
        light.set_level(0.0)
    assert light.level() == 1.0
