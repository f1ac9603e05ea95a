"""Flicker goes, what really changes stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from shaken import Pixels, shaken

from openflexure_timelapse.movie.deflicker import (
    HALF_WINDOW,
    Levels,
    correct_brightness,
    flicker_gains,
    patches,
    slow_part,
)

COUNT = 200


def levels_of(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a series as levels of three channels."""
    return np.repeat(series[:, np.newaxis], 3, axis=1)


def test_flicker_goes_and_slow_change_stays() -> None:
    """Of 2 % of flicker less than a quarter is left; a fading lamp fades as it did."""
    chance = np.random.default_rng(4)
    place = np.arange(COUNT)
    slow = -0.002 * place + 0.05 * np.sin(place / 60)
    flicker = chance.normal(0, 0.02, COUNT)
    gains = flicker_gains(levels_of(slow + flicker))
    left = slow + flicker + np.log(gains[:, 0]) - slow
    assert left.std() < flicker.std() / 4
    assert abs(left.mean()) < 0.002


@pytest.mark.parametrize("place", [30, 100, 170])
def test_a_lasting_step_stays_a_step(place: int) -> None:
    """A lamp turned up by 20 % is up at once and not a frame before."""
    series = np.random.default_rng(5).normal(0, 0.003, COUNT)
    series[place:] += 0.2
    corrected = series + np.log(flicker_gains(levels_of(series))[:, 0])
    assert np.abs(corrected[:place]).max() < 0.006
    assert np.abs(corrected[place:] - 0.2).max() < 0.006


def test_one_bright_frame_is_evened_out_and_drags_no_neighbour() -> None:
    """A flash of 20 % is gone, and the frames beside it are as they were."""
    series = np.random.default_rng(6).normal(0, 0.002, COUNT)
    series[90] += 0.2
    gains = flicker_gains(levels_of(series))[:, 0]
    assert abs(series[90] + np.log(gains[90])) < 0.004
    assert np.abs(np.log(gains[80:90])).max() < 0.008


def test_a_dark_frame_is_left_dark() -> None:
    """A frame without its lamp is no flicker: it is shown as it is."""
    series = np.zeros(COUNT)
    series[50] = -2.0
    gains = flicker_gains(levels_of(series))
    assert (gains[50] == 1.0).all()
    unknown = levels_of(np.zeros(COUNT))
    unknown[50] = np.nan
    assert (flicker_gains(unknown)[50] == 1.0).all()


@given(
    st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=80),
    st.integers(2, HALF_WINDOW),
)
def test_any_series_has_a_slow_part(values: "list[float]", half_window: int) -> None:
    """Whatever the series, its slow part is finite and within what was seen."""
    series = np.array(values)
    slow = slow_part(series, half_window)
    assert slow.shape == series.shape
    spread = series.max() - series.min() + 1e-9
    assert (np.abs(slow - series.mean()) <= 2 * spread).all()


@given(st.floats(-0.3, 0.3), st.floats(-0.01, 0.01), st.integers(1, 120))
def test_a_straight_line_is_all_slow(start: float, slope: float, count: int) -> None:
    """What changes evenly has no flicker, at its ends as in its middle."""
    line = start + slope * np.arange(count)
    assert np.abs(slow_part(line, HALF_WINDOW) - line).max() < 1e-6


def test_the_longest_run_is_as_exact_as_a_short_one() -> None:
    """Frame 300 000 is corrected as frame 300 is."""
    series = np.tile(np.array([0.01, -0.01, 0.0]), 100_000)
    slow = slow_part(series, HALF_WINDOW)
    assert np.abs(slow[-300:-30] - slow[30:300]).max() < 1e-12


@pytest.mark.parametrize("scene", ["pond", "algae_growth", "diatoms"])
def test_the_level_is_the_lamps_whatever_swims(scene: str) -> None:
    """The level of pictures whose light is known is found within its own flicker."""
    gains = [1.0, 0.97, 1.02, 0.9, 1.0, 1.04, 0.95, 1.0]
    levels = Levels()
    found = []
    for gain, shot in zip(gains, shaken(scene, len(gains), 20.0, 5)):
        dimmed = correct_brightness(shot.pixels, np.full(3, gain, np.float32))
        level = levels.follow(patches(dimmed))
        assert level is not None
        found.append(level)
    off = np.array(found) - np.log(gains)[:, np.newaxis]
    assert np.abs(off).max() < 0.015


def test_pictures_without_light_have_no_level() -> None:
    """Black, white and another size are not compared, and the next ones still are."""
    grey = np.full((60, 80, 3), 100, np.uint8)
    levels = Levels()
    assert levels.follow(patches(np.zeros_like(grey))) is None
    assert levels.follow(patches(grey)) is not None
    assert levels.follow(patches(np.full_like(grey, 255))) is None
    assert levels.follow(patches(np.zeros_like(grey))) is None
    after = levels.follow(patches(np.full_like(grey, 110)))
    assert after is not None
    assert after == pytest.approx(np.log([1.1] * 3), abs=1e-6)


def test_a_gain_of_one_is_the_same_picture() -> None:
    """Nothing is copied where nothing changes; elsewhere each value is rounded once."""
    picture: Pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert correct_brightness(picture, np.ones(3, np.float32)) is picture
    darker = correct_brightness(picture, np.array([0.5, 1.0, 2.0], np.float32))
    assert darker[15, 15].tolist() == [128, 255, 255]
    assert picture[15, 15].tolist() == [255, 255, 255]
