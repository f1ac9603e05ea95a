"""Swimmers swim, gliders glide and beads diffuse as fast as the truth says."""

import numpy as np
import pytest

from hardware_sim.inhabitants import BEAD_DIFFUSION_UM2_S, Beads, Species, Swimmers
from hardware_sim.motion import BLOCK_S, Runner, brownian

MANY = np.arange(4000)
CENTRE = (0.0, 0.0)


@pytest.mark.parametrize("start_s", [0.0, 1000.0, 6 * 86_400.0, 200 * 86_400.0])
@pytest.mark.parametrize("lag_s", [0.1, 30.0, 1000.0])
def test_brownian_variance_grows_with_time(start_s: float, lag_s: float) -> None:
    """The variance of a step is its duration, whenever it begins."""
    way = brownian(5, MANY, start_s + lag_s) - brownian(5, MANY, start_s)
    assert np.var(way) == pytest.approx(lag_s, rel=0.1)
    assert abs(np.mean(way)) < 4 * np.sqrt(lag_s / len(MANY))


def test_brownian_steps_do_not_know_each_other() -> None:
    """Steps one after the other are uncorrelated."""
    places = [brownian(5, MANY, 100.0 + t) for t in (0.0, 7.0, 14.0)]
    first, second = places[1] - places[0], places[2] - places[1]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.06


def test_brownian_paths_are_whole() -> None:
    """Two moments that are close together have places that are close together."""
    for t_s in (0.0, 1.0, 4096.0, BLOCK_S / 2, BLOCK_S, 3 * BLOCK_S):
        way = brownian(5, MANY, t_s + 0.001) - brownian(5, MANY, max(0.0, t_s - 0.001))
        assert np.abs(way).max() < 0.3


def test_brownian_refuses_times_before_the_start() -> None:
    """There is no path before the time 0."""
    with pytest.raises(ValueError, match="before"):
        brownian(5, MANY, -1.0)


def test_a_world_of_two_years_still_turns() -> None:
    """However long a run lasts, the world does not end before it."""
    way = brownian(5, MANY, 730 * 86_400.0)
    assert np.var(way) == pytest.approx(730 * 86_400.0, rel=0.1)


def test_beads_diffuse_as_the_formula_says() -> None:
    """The mean square displacement of beads is 4Dt within 10 %."""
    beads = Beads(2, number=2000)
    first, last = beads.bodies(50.0, CENTRE), beads.bodies(58.0, CENTRE)
    square = (last.x_um - first.x_um) ** 2 + (last.y_um - first.y_um) ** 2
    # A bead that left one side came back at the other: not a displacement.
    square = square[square < 10_000]
    assert np.mean(square) == pytest.approx(4 * BEAD_DIFFUSION_UM2_S * 8.0, rel=0.1)


def test_swimmers_have_the_speed_that_they_are_said_to_have() -> None:
    """Between turns a swimmer covers its own speed times the time, within 5 %."""
    swimmers = Swimmers(3, Species("euglena", 200, 1, 55.0, 0.3, 12.0, 0.8, 24.0))
    first, last = swimmers.bodies(5000.0, CENTRE), swimmers.bodies(5000.2, CENTRE)
    way = np.hypot(last.x_um - first.x_um, last.y_um - first.y_um)
    ratio = way / (swimmers.speeds_um_s * 0.2)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)
    # But for those that turned, or left at one side and came back at the other.
    assert np.mean(np.abs(ratio - 1) < 0.05) > 0.9


def test_swimmers_forget_their_heading() -> None:
    """After many runs the way is much shorter than the path."""
    runner = Runner(1, np.full(300, 100.0), 10.0, 1.2)
    x, y, _ = runner.at(550.0)
    assert np.mean(np.hypot(x, y)) < 0.5 * 100.0 * 550.0


def test_gliders_go_in_circles() -> None:
    """Without turns a glider comes back after one time around."""
    runner = Runner(1, np.array([5.0]), 1e9, 0.0, np.array([1 / 40.0]))
    x, y, _ = runner.at(2 * np.pi * 40.0 / 5.0)
    assert [float(x[0]), float(y[0])] == pytest.approx([0.0, 0.0], abs=1e-6)


def test_paths_are_whole_across_chunks() -> None:
    """No body jumps where one stretch of the calculation ends and the next begins."""
    runner = Runner(1, np.full(50, 100.0), 10.0, 1.2)
    before, after = runner.at(1800.0 - 1e-6), runner.at(1800.0 + 1e-6)
    assert np.abs(before[0] - after[0]).max() < 0.01
    assert np.abs(before[1] - after[1]).max() < 0.01


def test_the_order_of_questions_does_not_matter() -> None:
    """A late time asked first gives the place that it gives when asked last."""
    one, two = (Runner(1, np.full(9, 100.0), 10.0, 1.2) for _ in range(2))
    late = one.at(90_000.0)
    for t_s in (0.0, 50_000.0, 700.0):
        two.at(t_s)
    for mine, other in zip(late, two.at(90_000.0)):
        assert np.array_equal(mine, other)
