"""A GIF shows the scene: no noise, no ghost, nothing that is frozen, in flat memory."""

from typing import Iterator, List

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from simulated import Filmed, filmed

from openflexure_timelapse.movie.held import (
    BETTER,
    BETTER_PER_NOISE,
    FLAT,
    LARGEST_FLICKER,
    STRAY,
    STRAY_PER_NOISE,
    SURE,
    HeldPicture,
)
from openflexure_timelapse.movie.noise import Noise, measure_noise
from openflexure_timelapse.movie.palette import Palette

Pixels = NDArray[np.uint8]
HEIGHT, WIDTH = 96, 128
SIGMA = 1.5


def field() -> NDArray[np.float64]:
    """Return a soft coloured field, shape (96, 128, 3)."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([180 + x / 8, 170 + y / 8, 190 + (x + y) / 16], axis=-1)


def with_cell(x: float, y: float, contrast: float, radius: float) -> Pixels:
    """Return the field with a round cell in it, without noise."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    inside = np.clip(radius - np.hypot(columns - x, rows - y) + 0.5, 0, 1)
    return np.rint(field() + contrast * inside[..., None]).astype(np.uint8)


def noisy(picture: Pixels, seed: int, sigma: float = SIGMA) -> Pixels:
    """Return a picture as a sensor would take it."""
    chance = np.random.default_rng(seed)
    off = chance.normal(0, sigma, picture.shape)
    return np.clip(np.rint(picture + off), 0, 255).astype(np.uint8)


def shown(scene: List[Pixels], sigma: float = SIGMA) -> Iterator[Pixels]:
    """Yield what is shown of noisy frames of a scene."""
    frames = [noisy(picture, seed, sigma) for seed, picture in enumerate(scene)]
    noise = measure_noise(list(zip(frames, frames[1:]))[::4])
    held = HeldPicture(frames[0], Palette(frames[::3]), noise)
    yield held.shown
    for frame in frames[1:]:
        held.follow(frame)
        yield held.shown


def off(picture: Pixels, truth: Pixels) -> NDArray[np.float32]:
    """Return how far a picture is from the truth over squares of 5 pixels."""
    difference = picture.astype(np.float32) - truth
    return np.abs(cv2.blur(difference, (5, 5))).max(axis=2)


def test_a_cell_that_has_passed_leaves_no_ghost() -> None:
    """Where it was, the picture is as true as where it never was."""
    scene = [with_cell(4 * step - 10, 48, -40, 7) for step in range(40)]
    for picture, truth in list(zip(shown(scene), scene))[36:]:
        error = off(picture, truth)
        path, beside = error[41:56, 10:110], error[70:90, 10:110]
        assert np.quantile(path, 0.99) < np.quantile(beside, 0.99) + 0.7
        assert path.max() < 2.5


@pytest.mark.parametrize("contrast", [-4.0, 4.0])
def test_a_faint_slow_cell_moves(contrast: float) -> None:
    """Single pixels vary by more, and it creeps: it is shown where it is."""
    assert abs(contrast) < SURE * SIGMA / 2
    scene = [with_cell(30 + 0.75 * step, 48, contrast, 9) for step in range(60)]
    last = list(shown(scene))[-1].astype(float) - field()
    x = 30 + round(0.75 * 59)
    there = last[44:53, x - 4 : x + 5].mean()
    behind = last[44:53, 26:35].mean()
    assert there / contrast > 0.6
    assert abs(behind) < 0.25 * abs(contrast)


def test_what_grows_slowly_is_followed() -> None:
    """A field that darkens in one corner by a tenth of a level a frame does so."""
    corner = np.zeros((HEIGHT, WIDTH, 1))
    corner[:40, :40] = 1
    scene = [
        np.rint(field() - 0.1 * step * corner).astype(np.uint8) for step in range(150)
    ]
    last = list(shown(scene))[-1]
    assert np.abs(last[:36, :36].astype(float) - scene[-1][:36, :36]).mean() < 2.5


def test_noise_is_averaged_away() -> None:
    """What stands still comes nearer to the truth than any of its frames is."""
    scene = [with_cell(60, 48, -40, 12)] * 30
    last = list(shown(scene))[-1].astype(float)
    assert np.abs(last - scene[0]).mean() < 0.8 * np.sqrt(2 / np.pi) * SIGMA


def test_flicker_is_held_and_light_is_followed() -> None:
    """One per cent up and down renews little; a lamp turned up is shown at once."""
    frames = [
        noisy(np.rint(field() * (1 + 0.01 * (step % 2))).astype(np.uint8), step)
        for step in range(20)
    ]
    held = HeldPicture(frames[0], Palette(frames), Noise.even(SIGMA))
    drawn = [len(held.follow(frame).rows) for frame in frames[1:]]
    assert np.mean(drawn[4:]) < 0.02 * HEIGHT * WIDTH
    brighter = noisy(np.rint(field() * 1.1).astype(np.uint8), 99)
    held = HeldPicture(frames[0], Palette([*frames, brighter]), Noise.even(SIGMA))
    held.follow(brighter)
    assert abs(held.shown.astype(float).mean() - brighter.mean()) < 1.5


def distance(picture: Pixels, frame: Pixels) -> NDArray[np.float64]:
    """Return how far each colour is from what it should be."""
    return np.linalg.norm(picture.astype(float) - frame, axis=2)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    hold=st.integers(0, 30),
    drift=st.floats(-4, 4),
    sigma=st.floats(0, 6),
)
def test_no_pixel_strays(seed: int, hold: int, drift: float, sigma: float) -> None:
    """However it changes, a pixel is within the hold of its frame, palette aside."""
    frames = [
        noisy(np.clip(field() + drift * step, 0, 255), seed + step, sigma)
        for step in range(6)
    ]
    palette, noise = Palette(frames), Noise.even(hold / SURE)
    held = HeldPicture(frames[0], palette, noise)
    for frame in frames[1:]:
        held.follow(frame)
        nearest = palette.colours[palette.indices(frame.reshape(-1, 3))]
        nearest = nearest.reshape(frame.shape)
        if hold == 0:
            worse = distance(held.shown, frame) - distance(nearest, frame)
            assert worse.max() <= 1e-3
            continue
        level = hold / SURE
        most = max(hold, FLAT * level) + LARGEST_FLICKER * 256
        most += STRAY + STRAY_PER_NOISE * level + BETTER + BETTER_PER_NOISE * level
        most += np.abs(nearest.astype(float) - frame).max() * np.sqrt(3)
        assert np.abs(held.shown.astype(float) - frame).max() <= most + 2


@pytest.mark.parametrize("scene", ["pond", "diatoms"])
def test_the_simulators_scene_is_shown(scene: str) -> None:
    """What is shown is as near to the noise-free scene as the frames are, everywhere.

    Swimmers and gliders pass: a ghost would be off by many levels over a square.
    """
    shots: List[Filmed] = list(filmed(scene, 24, 0.5))
    frames = [_small(shot.raw) for shot in shots]
    truth = [_small(shot.truth) for shot in shots]
    noise = measure_noise(list(zip(frames, frames[1:]))[::4])
    held = HeldPicture(frames[0], Palette(frames[::2]), noise)
    drawn = [held.follow(frame) for frame in frames[1:]]
    left = off(held.shown, truth[-1]) - off(frames[-1], truth[-1])
    assert np.quantile(left, 0.99) < 2.0
    moved = np.abs(truth[-1].astype(int) - truth[0]).max(axis=2) > 20
    assert moved.sum() > 500
    assert np.mean(left[moved]) < 1.5
    assert np.mean([len(one.rows) for one in drawn]) < 0.25 * moved.size


def _small(picture: Pixels) -> Pixels:
    small = cv2.resize(picture, (416, 312), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def test_nothing_is_kept_but_the_picture() -> None:
    """A hundred frames leave as much in memory as two: a few planes of one picture."""
    frames = [noisy(with_cell(step, 48, -40, 7), step) for step in range(100)]
    held = HeldPicture(frames[0], Palette(frames[::10]), Noise.even(SIGMA))
    kept = []
    for frame in frames[1:]:
        held.follow(frame)
        kept.append(sum(getattr(v, "nbytes", 0) for v in vars(held).values()))
    assert len(set(kept)) == 1
    assert kept[0] < 40 * HEIGHT * WIDTH
    assert not [v for v in vars(held).values() if isinstance(v, (dict, set))]
