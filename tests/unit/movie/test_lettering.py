"""Text in whatever script people write: its order, its joined letters, its fonts."""

from typing import List

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import features

from openflexure_timelapse.movie import lettering
from openflexure_timelapse.movie.lettering import (
    is_misordered,
    text_mask,
    without_font,
)

Mask = NDArray[np.uint8]

PX = 64
ALEF, BET = "\u05d0", "\u05d1"
ARABIC_ALEF, BEH, DOTS_OF_BEH = "\u0627", "\u0628", 1
ZERO_WIDTH_NON_JOINER = "\u200c"
BIDI_OVERRIDE = "\u202e"
POND = "\u6c60"  # Chinese, which DejaVu has not


@pytest.fixture(autouse=True)
def _right_to_left_can_be_drawn() -> None:
    """Skip where this computer has no Raqm, or no font for it."""
    if not features.check("raqm"):
        pytest.skip("Raqm finds no FriBidi; install Debian's package libfribidi0")
    lacking = without_font(ALEF + BET + ARABIC_ALEF + BEH)
    if lacking:
        pytest.skip(f"no font draws {lacking}; install Debian's fonts-dejavu-core")


def parts(mask: Mask) -> List[Mask]:
    """Return what stands apart from left to right, each as a mask of its size."""
    inked = (mask > 96).any(axis=0).astype(np.int8)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inked, [0]])))
    return [mask[:, begin:end] for begin, end in zip(edges[::2], edges[1::2])]


def alike(first: Mask, second: Mask) -> float:
    """Return how well two masks agree once they are of one size: 1 for the same."""
    size = (48, 96)
    both = [
        cv2.resize(mask, size).astype(np.float64).ravel() for mask in (first, second)
    ]
    return float(np.corrcoef(both)[0, 1])


def test_hebrew_runs_from_right_to_left() -> None:
    """The first letter stands right, as in print."""
    (alef,), (bet,) = parts(text_mask(ALEF, PX)), parts(text_mask(BET, PX))
    assert alike(alef, bet) < 0.8
    left, right = parts(text_mask(ALEF + BET, PX))
    assert alike(left, bet) > 0.95 < alike(right, alef)


def test_numbers_and_latin_letters_keep_their_order_among_hebrew() -> None:
    """A number after a Hebrew word stands left of it and reads from left to right."""
    one, two, _, _ = parts(text_mask(f"{ALEF}{BET} 17", PX))
    (first,), (second,) = parts(text_mask("1", PX)), parts(text_mask("7", PX))
    assert alike(one, first) > 0.95 < alike(two, second)
    latin = parts(text_mask(f"L {ALEF}{BET}", PX))
    (letter,) = parts(text_mask("L", PX))
    assert alike(latin[0], letter) > 0.95


def test_arabic_letters_are_joined_and_run_from_right_to_left() -> None:
    """Two letters that join are one stroke; an alef that comes first stands right."""

    def strokes(text: str) -> int:
        inked = (text_mask(text, PX) > 96).astype(np.uint8)
        return int(cv2.connectedComponents(inked)[0]) - 1

    assert strokes(BEH) == 1 + DOTS_OF_BEH
    assert strokes(BEH + BEH) == 1 + 2 * DOTS_OF_BEH
    assert strokes(BEH + ZERO_WIDTH_NON_JOINER + BEH) == 2 + 2 * DOTS_OF_BEH
    widths = [part.shape[1] for part in parts(text_mask(ARABIC_ALEF + BEH, PX))]
    assert widths[-1] * 3 < widths[0]


def test_a_text_that_begins_from_right_to_left_does_so_in_every_font(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where two fonts are needed, the first word stands right all the same."""
    covered = {"DejaVuSans.ttf": ALEF + BET, lettering.PILLOWS_OWN: "abc"}
    monkeypatch.setattr(
        lettering, "_has_glyph", lambda name, char: char in covered.get(name, "")
    )
    cached = (lettering._best_font, lettering._pieces, lettering._first_font)
    for function in cached:
        function.cache_clear()
    words = [
        [piece for piece, _ in lettering._pieces(text)]
        for text in (f"{ALEF}{BET} abc", f"abc {ALEF}{BET} a")
    ]
    for function in cached:
        function.cache_clear()
    assert words == [
        ["abc", " ", ALEF + BET],
        ["abc", " ", ALEF + BET, " ", "a"],
    ]


def test_signs_that_turn_text_around_are_left_out() -> None:
    """A name cannot hide its letters' order, nor what stands beside it."""
    assert np.array_equal(text_mask(f"{BIDI_OVERRIDE}abc", PX), text_mask("abc", PX))


def test_what_cannot_be_drawn_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script without a font is told by its characters, once each."""
    monkeypatch.setattr(lettering, "FONT_FILES", ("DejaVuSans.ttf",))
    assert without_font(f"pond {ALEF}{POND}1{POND}") == POND
    assert without_font("pond 1") == ""
    assert not is_misordered(ALEF)
