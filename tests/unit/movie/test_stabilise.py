"""A movie that stands still shows no border and hides no jump."""

from typing import List, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.movie.registration import Pose
from openflexure_timelapse.movie.stabilise import MOST_CUT, SPARE, steadying

SIZE = (320, 240)
SHAPE = SIZE[0] / SIZE[1]


def poses(places: "List[Tuple[float, float, float]]", scene: int = 0) -> List[Pose]:
    """Return poses that are believed."""
    return [Pose(*place, scene, registered=True) for place in places]


PLACES = st.lists(
    st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(-0.05, 0.05)),
    min_size=1,
    max_size=30,
)


@given(PLACES)
def test_no_border_is_ever_shown(places: "List[Tuple[float, float, float]]") -> None:
    """Whatever the motion, each pixel shown comes from inside of the frame."""
    found = steadying(poses(places), SHAPE)
    assert 1.0 - 2.0 * (MOST_CUT + SPARE) <= found.kept <= 1.0
    # Black with a white middle: a border that was reached would be grey.
    height, width = SIZE[1], SIZE[0]
    y, x = np.mgrid[0:height, 0:width]
    edge = np.minimum.reduce([x, y, width - 1 - x, height - 1 - y])
    picture = np.where(edge < 1, 0, 255).astype(np.uint8)[..., np.newaxis].repeat(3, 2)
    if found.kept < 1.0:
        for index in range(len(places)):
            assert found.apply(index, picture).min() > 200


def test_drift_within_reach_is_taken_out_whole() -> None:
    """A scene that drifts by a tenth of the picture lies where it lay."""
    drift = [(0.1 * step / 99, -0.05 * step / 99, 0.0) for step in range(100)]
    found = steadying(poses(drift), SHAPE)
    left = np.array(drift)[:, :2] - found.moves[:, :2]
    assert np.abs(left - left[0]).max() < 1e-9
    assert found.remark == ""
    assert found.kept == pytest.approx(1 - 2 * (0.05 + SPARE), abs=1e-6)


def test_shaking_rotation_is_taken_out_whole() -> None:
    """A scene that turns to and fro by a tenth of a degree stands upright."""
    angles = np.random.default_rng(7).normal(0, 0.0017, 100)
    found = steadying(poses([(0.0, 0.0, float(angle)) for angle in angles]), SHAPE)
    assert np.ptp(angles - found.moves[:, 2]) == 0.0


def test_a_scene_that_wanders_off_only_stops_shaking() -> None:
    """Beyond what may be cut off, the wandering stays, smooth, and is told."""
    chance = np.random.default_rng(7)
    jitter = chance.normal(0, 0.004, (400, 2))
    place = np.linspace(0, 0.9, 400)
    lies = [(x + a, b, 0.0) for x, (a, b) in zip(place, jitter)]
    found = steadying(poses(lies), SHAPE)
    shown = np.array(lies)[:, :2] - found.moves[:, :2]
    assert "wanders too far" in found.remark
    steps, shakes = np.diff(shown, axis=0), np.diff(jitter, axis=0)
    assert steps.std(axis=0).max() < shakes.std(axis=0).min() / 10
    assert shown[-1, 0] - shown[0, 0] > 0.6


def test_a_jump_is_shown_and_told() -> None:
    """Two scenes are each held by themselves; the movie says that there was a jump."""
    first = poses([(0.01 * (step % 2), 0.0, 0.0) for step in range(20)])
    second = poses([(0.0, 0.01 * (step % 2), 0.0) for step in range(20)], scene=1)
    found = steadying(first + second, SHAPE)
    assert found.remark == "the picture jumped once too far to be registered"
    assert np.ptp(found.moves[:20, 1]) == np.ptp(found.moves[20:, 0]) == 0.0


def test_frames_that_do_not_register_are_counted() -> None:
    """Nothing is cut where nothing registers, and either case is told."""
    lost = [Pose(0.0, 0.0, 0.0, 0, registered=False)] * 8
    found = steadying(lost, SHAPE)
    assert found.kept == 1.0
    assert found.remark.startswith("nothing in the pictures stands still")
    some = steadying(poses([(0.0, 0.0, 0.0)] * 4) + lost[:1], SHAPE)
    assert some.remark == "1 of 5 frames did not register"
    picture = np.zeros((24, 32, 3), np.uint8)
    assert some.apply(0, picture) is picture
