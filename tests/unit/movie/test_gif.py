"""A GIF shows what it was given, holds noise, lets nothing trail, and lasts exactly."""

import io
from fractions import Fraction
from typing import List, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from openflexure_timelapse.errors import InvalidRecipeError, RenderError
from openflexure_timelapse.movie.gif import (
    LONGEST_DELAY_CS,
    GifWriter,
    delay_cs,
    read_facts,
)
from openflexure_timelapse.movie.held import SURE
from openflexure_timelapse.movie.noise import Noise
from openflexure_timelapse.movie.palette import Palette
from openflexure_timelapse.recipe import parse_recipe

Pixels = NDArray[np.uint8]
SIZE = (64, 48)


def scene(seed: int, noise: float = 2.0) -> Pixels:
    """Return a soft coloured field with noise, shape (48, 64, 3)."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:48, 0:64]
    base = np.stack([120 + x, 100 + y, 160 + (x + y) / 3], axis=-1)
    noisy = base + draw.normal(0, noise, base.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def written(pictures: List[Pixels], hold: int, delays: List[int]) -> bytes:
    """Return a GIF of the pictures, with the palette of all of them."""
    stream = io.BytesIO()
    height, width = pictures[0].shape[:2]
    noise = Noise.even(hold / SURE)
    writer = GifWriter(stream, (width, height), Palette(pictures), noise)
    for picture, delay in zip(pictures, delays):
        writer.add(picture, delay)
    writer.finish()
    assert writer.bytes_written == len(stream.getvalue())
    return stream.getvalue()


def read(data: bytes) -> Tuple[List[Pixels], List[int]]:
    """Return the pictures, blue first, and the delays, as Pillow reads them."""
    pictures, delays = [], []
    with Image.open(io.BytesIO(data)) as movie:
        for frame in ImageSequence.Iterator(movie):
            rgb = np.asarray(frame.convert("RGB"))
            pictures.append(np.ascontiguousarray(rgb[..., ::-1]))
            delays.append(int(frame.info["duration"]) // 10)
    return pictures, delays


def off(one: Pixels, other: Pixels) -> int:
    """Return the largest difference of two pictures."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def test_pictures_come_back() -> None:
    """Without a hold every frame is as near to its picture as the palette allows."""
    pictures = [scene(seed) for seed in range(5)]
    shown, delays = read(written(pictures, 0, [7] * 5))
    assert delays == [7] * 5
    assert max(off(one, other) for one, other in zip(shown, pictures)) <= 16


def test_one_palette_for_all_and_for_ever() -> None:
    """The file has one global palette, loops, and tells its size."""
    facts = read_facts(io.BytesIO(written([scene(1), scene(2)], 0, [5, 6])))
    assert facts.size == SIZE
    assert facts.loops
    assert facts.local_palettes == 0
    assert facts.delays_cs == (5, 6)


def test_noise_is_held() -> None:
    """Noise costs next to nothing in the file."""
    pictures = [scene(seed) for seed in range(12)]
    held = len(written(pictures, 12, [5] * 12))
    assert held < 0.25 * len(written(pictures, 0, [5] * 12))


def test_what_moves_is_shown_and_does_not_trail() -> None:
    """A moving square is whole in each frame, and gone from where it was."""
    pictures = []
    for index in range(6):
        picture = scene(1, noise=0)
        picture[10:20, 5 + 8 * index : 13 + 8 * index] = (20, 40, 30)
        pictures.append(picture)
    shown, _ = read(written(pictures, 8, [5] * 6))
    assert len(shown) == 6
    for one, other in zip(shown, pictures):
        assert off(one, other) <= 16


def test_a_picture_that_stays_makes_the_frame_longer() -> None:
    """Equal pictures are one frame; one that stays for very long becomes several."""
    picture = scene(1)
    facts = read_facts(io.BytesIO(written([picture] * 3, 0, [5, 6, 7])))
    assert facts.delays_cs == (18,)
    long = written([picture] * 3, 0, [LONGEST_DELAY_CS, 10, 5])
    assert read_facts(io.BytesIO(long)).delays_cs == (LONGEST_DELAY_CS, 15)
    assert off(read(long)[0][1], read(long)[0][0]) == 0


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (1, 300), (300, 257)])
def test_any_shape(shape: Tuple[int, int]) -> None:
    """Blocks of any shape survive the move into the file."""
    draw = np.random.default_rng(3)
    pictures = [
        draw.integers(0, 256, (*shape, 3)).astype(np.uint8) // 64 * 64 for _ in range(3)
    ]
    shown, _ = read(written(pictures, 0, [5] * 3))
    assert shown[0].shape == pictures[0].shape
    assert off(shown[-1], pictures[-1]) <= 40


def test_few_colours_are_exact() -> None:
    """A picture of few colours keeps them, and so does what is written in white."""
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:10] = (12, 200, 90)
    picture[15:] = (255, 255, 255)
    shown, _ = read(written([picture], 0, [5]))
    assert off(shown[0], picture) <= 2


@given(
    fps=st.fractions(Fraction(1, 10), 50, max_denominator=1001),
    spans=st.lists(st.integers(1, 4), min_size=1, max_size=200),
)
def test_delays_are_exact_on_average(fps: Fraction, spans: List[int]) -> None:
    """After any number of frames the delays are right to half a centisecond."""
    done = total = 0
    for span in spans:
        delay = delay_cs(done, span, fps)
        assert delay >= 2  # less is shown as 10 by browsers
        done, total = done + span, total + delay
        assert abs(total - 100 * done / fps) <= Fraction(1, 2)


def test_a_gif_too_fast_for_browsers_is_refused() -> None:
    """A frame rate that browsers would slow down to a fifth is refused."""
    with pytest.raises(InvalidRecipeError, match="fps 60 is too fast for a GIF"):
        parse_recipe({"format": "gif", "fps": 60.0})
    assert parse_recipe({"format": "gif", "fps": 50.0}).fps == 50.0
    assert parse_recipe({"fps": 60.0}).fps == 60.0


@pytest.mark.parametrize("cut", [0, 5, 300, 900, -1])
def test_a_torn_file_is_known(cut: int) -> None:
    """A file that breaks off anywhere is not taken for a finished one."""
    with pytest.raises(RenderError):
        read_facts(io.BytesIO(written([scene(1), scene(2)], 0, [5, 5])[:cut]))
