"""The noise of frames is told from the frames, whatever moves in them."""

from typing import Callable, List, Tuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from simulated import Filmed, filmed

from hardware_sim.optics import NOISE_OD
from openflexure_timelapse.movie.noise import Noise, measure_noise

Pixels = NDArray[np.uint8]
Pairs = List[Tuple[Pixels, Pixels]]
GREY_PER_OD = 255 * np.log(10) / 2.2  # on white, by the camera's gamma


def by_twos(pictures: List[Pixels]) -> Pairs:
    """Return every two that follow each other."""
    return list(zip(pictures, pictures[1:]))


@pytest.mark.parametrize("scene", ["algae_growth", "pond", "beads"])
def test_the_simulators_noise_is_found(scene: str) -> None:
    """Within 20 % of what is set, where cells grow, swim or dance."""
    shots = list(filmed(scene, 5, 20.0))
    noise = measure_noise(by_twos([shot.raw for shot in shots]))
    levels = np.median(shots[0].truth, axis=(0, 1))
    wanted = NOISE_OD[832] * GREY_PER_OD * levels / 255
    # Rounding to whole levels is noise as well.
    wanted = np.sqrt(wanted**2 + 1 / 12)
    assert noise.typical == pytest.approx(wanted, rel=0.2)
    assert noise.averaged == pytest.approx((1 / 7, 1 / 3), rel=0.5)


def test_the_noise_of_a_small_movie_is_found() -> None:
    """Within 20 % of what is left in stored frames after JPEG and scaling."""
    shots = list(filmed("pond", 4, 20.0, "half"))
    small = [reduced(shot.pixels) for shot in shots]
    noise = measure_noise(by_twos(small))
    off = [one.astype(float) - reduced(shot.truth) for one, shot in zip(small, shots)]
    left = np.concatenate([b - a for a, b in zip(off, off[1:])]) / np.sqrt(2)
    assert noise.typical == pytest.approx(left.std(axis=(0, 1)), rel=0.2)


def reduced(picture: Pixels) -> Pixels:
    """Return a picture at the size that a GIF has."""
    small = cv2.resize(picture, (480, 360), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def drawn(seed: int, sigma: float) -> Pixels:
    """Return a grey field, dark on the left, with noise."""
    chance = np.random.default_rng(seed)
    field = np.linspace(60, 200, 240)[np.newaxis, :, np.newaxis]
    noisy = field + chance.normal(0, sigma, (180, 240, 3))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def crowded(picture: Pixels, at: int) -> Pixels:
    """Return a picture a third of which is covered by stripes that move."""
    rolled = picture.copy()
    rolled[:60] = np.roll(np.arange(240) // 8 % 2 * 90 + 60, at)[:, np.newaxis]
    return rolled


def flickering(picture: Pixels, at: int) -> Pixels:
    """Return a picture that is brighter each other time."""
    return np.clip(picture * (1.0 + 0.02 * (at % 2)), 0, 255).astype(np.uint8)


def moved(picture: Pixels, at: int) -> Pixels:
    """Return a picture that lies elsewhere each time, as under a shaking stage."""
    return np.roll(picture, 3 * at, axis=1)


@pytest.mark.parametrize("change", [crowded, flickering, moved])
@pytest.mark.parametrize("sigma", [0.8, 3.0, 8.0])
def test_motion_and_flicker_are_no_noise(
    change: Callable[[Pixels, int], Pixels], sigma: float
) -> None:
    """A crowd, a lamp or the stage do not add a fifth to it."""
    pictures = [change(drawn(seed, sigma), seed) for seed in range(6)]
    noise = measure_noise(by_twos(pictures))
    assert noise.typical == pytest.approx(np.full(3, sigma), rel=0.2)


def test_noise_that_grows_with_the_light_is_told_by_level() -> None:
    """Where the picture is bright, its noise is another than where it is dark."""
    chance = np.random.default_rng(3)
    field = np.linspace(60, 220, 240)[np.newaxis, :, np.newaxis]
    pictures = [
        np.clip(field * (1 + chance.normal(0, 0.02, (180, 240, 3))), 0, 255)
        for _ in range(5)
    ]
    noise = measure_noise(by_twos([one.astype(np.uint8) for one in pictures]))
    assert noise.levels[80, 1] == pytest.approx(1.6, rel=0.2)
    assert noise.levels[200, 1] == pytest.approx(4.0, rel=0.2)


def test_too_little_to_tell() -> None:
    """One frame, or frames of few pixels, leave an engineering guess."""
    tiny = np.zeros((10, 300, 3), np.uint8)
    for pairs in ([], [(tiny, tiny)]):
        noise = measure_noise(pairs)
        assert 0 < noise.typical.max() < 3
    assert Noise.even(2.0).times(1.5).levels[7] == pytest.approx(3.0)


def test_simulated_frames_are_the_truth_and_noise() -> None:
    """The noise-free picture is what many noisy ones are the mean of."""
    shots: List[Filmed] = list(filmed("calibration_grid", 8, 0.01))
    mean = np.mean([shot.raw for shot in shots], axis=0)
    truth = np.mean([shot.truth for shot in shots], axis=0)
    assert np.abs(mean - truth).mean() < 0.6
    one = np.abs(shots[0].raw.astype(float) - shots[0].truth).mean()
    assert np.abs(mean - truth).mean() < 0.8 * one
