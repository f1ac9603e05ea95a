"""What is written into pictures is right, readable and where it belongs."""

from typing import Dict, NamedTuple, Optional, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.movie import lettering
from openflexure_timelapse.movie.composer import Composer, Style
from openflexure_timelapse.movie.filters import (
    ScaleBar,
    blend,
    content_size,
    elapsed_text,
    fit,
    movie_size,
    pill,
    scale_bar,
    scale_bar_sprite,
    text_size_px,
    timestamp_text,
    whole_pill,
)
from openflexure_timelapse.movie.timeline import Beat

S = 1_000_000_000
SENSOR = (1640, 1232)


class SizeCase(NamedTuple):
    """A frame, what the recipe asks, the movie's size."""

    frame: Tuple[int, int]
    width: Optional[int]
    height: Optional[int]
    movie_format: str
    size: Tuple[int, int]


SIZES: Dict[str, SizeCase] = {
    "as it is": SizeCase(SENSOR, None, None, "mp4", (1640, 1232)),
    "full sensor": SizeCase((3280, 2464), None, None, "mp4", (1640, 1232)),
    "odd": SizeCase((641, 481), None, None, "mp4", (640, 480)),
    "odd gif": SizeCase((241, 181), None, None, "gif", (241, 181)),
    "gif": SizeCase((1920, 1080), None, None, "gif", (480, 270)),
    "small gif": SizeCase((320, 240), None, None, "gif", (320, 240)),
    "width": SizeCase(SENSOR, 820, None, "mp4", (820, 616)),
    "height": SizeCase(SENSOR, None, 308, "mp4", (410, 308)),
    "both": SizeCase(SENSOR, 640, 640, "mp4", (640, 640)),
    "larger": SizeCase((320, 240), 640, None, "mp4", (640, 480)),
}


@pytest.mark.parametrize("case", SIZES.values(), ids=SIZES)
def test_size_of_the_movie(case: SizeCase) -> None:
    """The size follows the recipe, the frame and the format."""
    found = movie_size(case.frame, case.width, case.height, case.movie_format)
    assert found == case.size


def test_fitting_keeps_the_shape() -> None:
    """A wide picture in a square movie lies in the middle, on black."""
    made = fit(np.full((100, 200, 3), 200, np.uint8), (100, 100))
    rows = np.flatnonzero(made[:, 50, 0])
    assert (rows[0], rows[-1]) == (25, 74)
    assert (made[25:75] == 200).all()


def test_odd_pictures_are_cut_not_scaled() -> None:
    """One row and one column too many are left out; the others stay exact."""
    picture = np.random.default_rng(1).integers(0, 255, (33, 45, 3)).astype(np.uint8)
    assert np.array_equal(fit(picture, (44, 32)), picture[:32, :44])


def test_shrinking_averages() -> None:
    """A checkerboard of single pixels becomes grey, not a pattern."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    made = fit(np.repeat(board[..., None], 3, axis=2), (16, 16))
    assert abs(made.astype(int) - 128).max() <= 1


ELAPSED = {
    (0, False): "+00:00:00",
    (-3_000_000, False): "+00:00:00",
    (29_998_000_000, False): "+00:00:30",
    (3_661 * S, False): "+01:01:01",
    (26 * 3600 * S + 125 * S, False): "+1 d 02:02:05",
    (12_340_000_000, True): "+00:00:12.3",
}


@pytest.mark.parametrize(("given_", "text"), ELAPSED.items(), ids=ELAPSED.values())
def test_elapsed_time(given_: Tuple[int, bool], text: str) -> None:
    """The time since the start is told to the nearest second, or tenth."""
    assert elapsed_text(given_[0], tenths=given_[1]) == text


def test_timestamp_is_local() -> None:
    """Date and time are those of the place where the frame was taken."""
    noon = 1_714_564_800 * S + 250_000_000
    assert timestamp_text(noon, 7200, tenths=False) == "2024-05-01 14:00:00"
    assert timestamp_text(noon, -12_600, tenths=True) == "2024-05-01 08:30:00.2"
    told = timestamp_text(noon, 0, tenths=False, trusted=False)
    assert told == "2024-05-01 12:00:00 (clock not set)"


BARS: Dict[str, Tuple[float, int, ScaleBar]] = {
    "micrometres": (0.21, 1640, ScaleBar(238, "50 \u00b5m")),
    "half of them": (0.42, 820, ScaleBar(119, "50 \u00b5m")),
    "nanometres": (0.002, 1640, ScaleBar(250, "500 nm")),
    "one": (0.01, 1000, ScaleBar(200, "2 \u00b5m")),
    "millimetres": (5.0, 1640, ScaleBar(200, "1 mm")),
    "exactly the limit": (0.5, 1000, ScaleBar(200, "100 \u00b5m")),
}


@pytest.mark.parametrize(("um", "width", "bar"), BARS.values(), ids=BARS)
def test_scale_bar_has_a_good_length(um: float, width: int, bar: ScaleBar) -> None:
    """The length is 1, 2 or 5 times a power of ten, with its unit."""
    assert scale_bar(um, width) == bar


@given(um=st.floats(1e-4, 1e3), width=st.integers(16, 4096))
def test_any_scale_bar(um: float, width: int) -> None:
    """A scale bar fits, is not tiny, and is as long as it says, to half a pixel."""
    bar = scale_bar(um, width)
    number, unit = bar.text.split()
    length_um = float(number) * {"nm": 1e-3, "\u00b5m": 1.0, "mm": 1e3}[unit]
    assert abs(bar.length_px - length_um / um) <= max(0.5, 1e-6 * bar.length_px) or (
        bar.length_px == 1
    )
    assert 0.08 * width - 1 <= bar.length_px <= 0.22 * width + 1


def drawn_bar_px(picture: "np.ndarray[object, np.dtype[np.uint8]]") -> int:
    """Return the length of the longest run of white in a picture's rows."""
    longest = 0
    for row in picture[..., 0] > 250:
        run = 0
        for white in row:
            run = run + 1 if white else 0
            longest = max(longest, run)
    return longest


@pytest.mark.parametrize("width", [1640, 480, 300])
def test_scale_bar_is_drawn_as_long_as_it_says(width: int) -> None:
    """The bar in a movie of any width measures what the stored scale demands."""
    size = movie_size(SENSOR, width, None, "gif")
    style = Style("", False, False, 0.21, SENSOR, 30 * S)  # noqa: FBT003
    beat: Beat[str] = Beat("show", "", 0, 0, 0)
    grey = np.full((size[1], size[0], 3), 90, np.uint8)
    made = Composer(size, style).compose(beat, grey, SENSOR)
    bar = scale_bar(0.21 * SENSOR[0] / width, width)
    assert bar.text == "50 \u00b5m"
    assert drawn_bar_px(made) == bar.length_px
    assert (
        abs(bar.length_px * 0.21 * SENSOR[0] / width - 50) <= 0.21 * SENSOR[0] / width
    )


def test_no_scale_bar_on_frames_of_another_size() -> None:
    """A frame whose scale nobody knows gets no scale bar."""
    style = Style("", False, False, 0.21, SENSOR, 30 * S)  # noqa: FBT003
    beat: Beat[str] = Beat("show", "", 0, 0, 0)
    grey = np.full((360, 480, 3), 90, np.uint8)
    made = Composer((480, 360), style).compose(beat, grey, (800, 600))
    assert np.array_equal(made, grey)


@pytest.mark.parametrize("level", [0, 90, 255])
def test_text_is_readable_on_any_ground(level: int) -> None:
    """Text is bright and its ground much darker, on black as on white."""
    picture = np.full((80, 300, 3), level, np.uint8)
    sprite = pill("12:30:00", 30, 280)
    blend(picture, sprite, 10, 10)
    part = picture[10 : 10 + sprite.size[1], 10 : 10 + sprite.size[0]]
    ground = part[sprite.size[1] // 2, 6:12].mean()
    assert part.max() == 255
    assert ground <= 120
    assert (picture[:, :10] == level).all()


@pytest.mark.parametrize("width", [40, 120, 300, 1200])
def test_long_text_stays_inside(width: int) -> None:
    """A text too long for the picture becomes smaller, then shorter."""
    sprite = pill("A very long title of a very long movie " * 3, 20, width)
    assert sprite.size[0] <= width


def test_clocks_do_not_tremble() -> None:
    """Times of equally many digits are equally wide."""
    widths = {
        lettering.text_mask(f"{hour:02d}:11:4{hour % 10}", 61).shape
        for hour in range(24)
    }
    assert len(widths) == 1


def test_other_scripts() -> None:
    """Text beyond Latin is drawn with glyphs where a font has them."""
    masks = [lettering.text_mask(text, 24).tobytes() for text in ("Ωσμή", "Вода", "é")]
    assert len(set(masks)) == 3
    assert all(any(mask) for mask in masks)


def test_a_text_that_no_font_covers_is_drawn_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each run of characters has the first font that covers it; marks stay with it."""
    first, second = "DejaVuSans.ttf", lettering.PILLOWS_OWN
    if lettering._load(first, 20) is None or lettering._load(second, 20) is None:
        pytest.skip("two fonts are needed")
    covered = {first: "Pond", second: "xyz"}
    cached = (lettering._best_font, lettering._pieces, lettering._first_font)
    alone = [lettering.text_mask(text, 20).shape[1] for text in ("Pond", "Pond xyz")]
    with monkeypatch.context() as patch:
        patch.setattr(
            lettering, "_has_glyph", lambda name, char: char in covered.get(name, "")
        )
        for function in cached:
            function.cache_clear()
        pieces = lettering._pieces("Pond xy\u0301z Pond")
        mixed = lettering.text_mask("Pond xyz", 20)
    for function in cached:
        function.cache_clear()
    assert pieces == (("Pond ", first), ("xy\u0301z ", second), ("Pond", first))
    assert alone[0] < mixed.shape[1]
    assert mixed[:, alone[0] :].any()


@pytest.mark.parametrize("text", ["+00:12:30", "50 \u00b5m", "M\u00e4laren", "\u6c34"])
def test_a_system_without_fonts(text: str) -> None:
    """Strokes replace a font, in a mask of about the height of the text."""
    mask = lettering._stroke_mask(text, 24)
    rows = np.flatnonzero(mask.max(axis=1) > 100)
    assert 12 <= rows[-1] - rows[0] + 1 <= 28


def test_control_characters_are_spaces() -> None:
    """A line break in a title breaks nothing."""
    broken, plain = (lettering.text_mask(text, 20) for text in ("a\nb\t", "a b"))
    assert np.array_equal(broken, plain)


ELAPSED, TIME, DATED = "+01:23:20", "01:46:40", "2001-09-09 01:46:40"
CHOICES = {
    True: [
        [f"{ELAPSED} \u00b7 {DATED}"],
        [ELAPSED, DATED],
        [f"{ELAPSED} \u00b7 {TIME}"],
        [ELAPSED, TIME],
        [ELAPSED],
    ],
    False: [
        [f"{ELAPSED} \u00b7 {DATED} (clock not set)"],
        [ELAPSED, f"{DATED} (clock not set)"],
        [f"{ELAPSED} \u00b7 {TIME} (clock not set)"],
        [ELAPSED, f"{TIME} (clock not set)"],
        [ELAPSED],
    ],
}


@pytest.mark.parametrize("trusted", [True, False])
def test_clocks_are_whole_or_not_there(*, trusted: bool) -> None:
    """The narrower the picture, the less the clocks say; nothing is cut or trusted."""
    style = Style("", True, True, None, SENSOR, 30 * S)  # noqa: FBT003
    beat: Beat[str] = Beat("show", "", 5000 * S, 10**18, 0, clock_trusted=trusted)
    choices, found = CHOICES[trusted], []
    for width in range(700, 99, -20):
        composer = Composer((width, width * 3 // 4), style)
        size, room = composer._text_px, composer._widest
        lines = composer._lines(composer._clock_texts(beat), room)
        assert all(line.size[0] <= room for line in lines)
        drawn = [id(line) for line in lines]  # a pill is drawn once
        wanted = [
            [id(whole_pill(text, size, room)) for text in texts] for texts in choices
        ]
        found.append(wanted.index(drawn))
    assert found[0] == 0
    assert found[-1] >= 2
    assert len(set(found)) >= 3


def test_the_elapsed_time_is_above_a_scale_bar_that_leaves_no_room() -> None:
    """A picture too narrow for both beside one another has one above the other."""
    style = Style("", True, True, 0.21, SENSOR, 30 * S)  # noqa: FBT003
    beat: Beat[str] = Beat("show", "", 5000 * S, 10**18, 0)
    made = Composer((104, 78), style).compose(beat, None, SENSOR)
    unwritten = np.full_like(made, made[0, 0])
    assert (made[30:50] != unwritten[30:50]).any()


@pytest.mark.parametrize("size", [(98, 74), (640, 58), (16, 12)])
def test_a_tiny_picture_is_not_buried(size: Tuple[int, int]) -> None:
    """Below 100 x 60 pixels nothing is written but the label of a gap, if it fits."""
    style = Style("Pond", True, True, 0.21, SENSOR, 30 * S)  # noqa: FBT003
    grey = np.full((size[1], size[0], 3), 128, np.uint8)
    for label in ("", "No images for 5 min (paused)"):
        beat: Beat[str] = Beat("show", "", 5 * S, 10**18, 0, label=label)
        made = Composer(size, style).compose(beat, grey, SENSOR)
        assert bool((made != grey).any()) == bool(label and size[0] > 16)


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (640, "No images for 2 h 1 min (paused)"),
        (160, "No images for 2 h 1 min"),
        (104, "No images"),
    ],
)
def test_a_label_says_what_has_room(width: int, text: str) -> None:
    """Of a gap's label first the reason is left out, then the duration."""
    style = Style("", False, False, None, SENSOR, 30 * S)  # noqa: FBT003
    made = []
    for label in (text, "No images for 2 h 1 min (paused)"):
        beat: Beat[str] = Beat("hold", "", 0, 0, 0, label=label)
        composer = Composer((width, width * 3 // 4), style)
        made.append(composer.compose(beat, None, None))
    assert np.array_equal(*made)
    assert made[0].std() > 0


@pytest.mark.parametrize("size", [(16, 16), (120, 90), (300, 225), (64, 400)])
def test_everything_fits_into_small_pictures(size: Tuple[int, int]) -> None:
    """Even a tiny picture takes every overlay without an error."""
    style = Style("Pond", True, True, 0.21, SENSOR, S // 2)  # noqa: FBT003
    beat: Beat[str] = Beat("hold", "", 5 * S, 10**18, 0, "No images for 5 min (paused)")
    made = Composer(size, style).compose(beat, None, None)
    assert made.shape == (size[1], size[0], 3)
    assert text_size_px(size) >= 11


def test_composing_leaves_the_stored_picture_alone() -> None:
    """A held picture is written on afresh each time."""
    style = Style("", True, True, None, (200, 150), 30 * S)  # noqa: FBT003
    picture = np.full((150, 200, 3), 77, np.uint8)
    beat: Beat[str] = Beat("show", "", 0, 0, 0)
    Composer((200, 150), style).compose(beat, picture, (200, 150))
    assert (picture == 77).all()


@given(
    frame=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    canvas=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
)
def test_any_content_fits(frame: Tuple[int, int], canvas: Tuple[int, int]) -> None:
    """The content never exceeds the canvas and touches it on one side."""
    width, height = content_size(frame, canvas)
    assert 1 <= width <= canvas[0]
    assert 1 <= height <= canvas[1]
    assert width == canvas[0] or height == canvas[1]


def test_scale_bar_sprite_is_cached() -> None:
    """What does not change is drawn once."""
    bar = ScaleBar(100, "50 \u00b5m")
    assert scale_bar_sprite(bar, 20) is scale_bar_sprite(bar, 20)


def test_a_clock_that_was_not_set_is_told_in_the_picture() -> None:
    """The same instant looks different when its date cannot be believed."""
    style = Style("", True, False, None, SENSOR, 30 * S)  # noqa: FBT003
    composer = Composer((640, 480), style)
    made = [
        composer.compose(
            Beat("blank", None, 0, 10**18, 0, clock_trusted=trusted), None, None
        )
        for trusted in (True, False)
    ]
    assert (made[0] != made[1]).any()
