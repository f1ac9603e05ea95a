"""Whatever happens to a board, and when: no wrong place is told for a true one."""

import tempfile
from pathlib import Path
from typing import List, Tuple

import pytest
from board_rig import DIALECTS, Rig, rig
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.direct.reckoning import (
    Reckoning,
    Stretch,
    found,
    place_at,
)
from openflexure_timelapse.ports import StagePosition

BLOWS = ("restart", "unplug", "stop", "die", "nothing")
STEPS = st.integers(-700, 700)
PLACES = st.builds(StagePosition, STEPS, STEPS, STEPS)
VISITS = st.lists(
    st.tuples(PLACES, st.sampled_from(BLOWS), st.floats(0.0, 1.6)), max_size=5
)
SIGNS = st.tuples(*[st.sampled_from([1, -1])] * 3)
Visit = Tuple[StagePosition, str, float]


def visit(made: Rig, target: StagePosition, blow: str, after_s: float) -> None:
    """Go somewhere while something happens, as a visit does: errors end it."""

    def strike() -> None:
        if blow == "restart":
            made.wire.restart()
        elif blow == "unplug":
            made.wire.unplug()
        elif blow == "stop" and made.stage.moving:
            made.stage.stop()

    made.clock.call_at(made.clock.monotonic_ns() + int(after_s * 1e9), strike)
    try:
        made.stage.move_to(target)
    except HardwareError:
        assert blow != "nothing"
    else:
        assert made.stage.position() == target
    made.clock.advance(2 * 10**9)
    made.wire.plug()
    if blow == "die":
        made.board.close()
        made.begin()


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=12)
@given(visits=VISITS, inverted=st.booleans())
@example(visits=[(StagePosition(0, 0, -1), "restart", 0.0)], inverted=False)
@example(visits=[(StagePosition(0, 0, -209), "unplug", 0.409)], inverted=True)
def test_the_true_place_is_never_farther_than_told(
    dialect: str,
    visits: List[Visit],
    inverted: bool,  # noqa: FBT001 (drawn)
) -> None:
    """After any luck the motors are where the stage says, within what it is unsure."""
    with tempfile.TemporaryDirectory() as folder, rig(
        Path(folder), dialect, inverted=(inverted, False, False)
    ) as made:
        for each in visits:
            visit(made, *each)
            place = made.stage.position()
            unsure = made.stage.state()["unsure_steps"]
            signs = made.settings.signs
            for axis, true, sign in zip("xyz", made.true_steps(), signs):
                assert abs(sign * true - getattr(place, axis)) <= unsure[axis]


@given(
    start=PLACES,
    target=PLACES,
    share=st.floats(0.0, 1.0),
    signs=SIGNS,
    zero=st.booleans(),
)
def test_a_broken_move_is_found_or_told_as_unsure(
    start: StagePosition,
    target: StagePosition,
    share: float,
    signs: Tuple[int, int, int],
    zero: bool,  # noqa: FBT001 (drawn)
) -> None:
    """A restart on the way, noticed or not, never gives a sure place that is wrong."""
    known = Reckoning((5, 6, 7), start).leaving(Stretch.over(start, target))
    true = StagePosition(
        *(
            a + round(share * (b - a))
            for a, b in zip((start.x, start.y, start.z), (target.x, target.y, target.z))
        )
    )
    count = (0, 0, 0) if zero else known.count
    after, what = found(known, count, signs, starts_from_zero=zero)
    assert what == "broken_move"
    for axis, doubt in zip("xyz", after.unsure):
        assert abs(getattr(true, axis) - getattr(after.place, axis)) <= doubt
    assert place_at(after, after.count, signs) == after.place
