"""Text as masks of coverage, with whatever fonts this computer has.

DejaVu Sans comes first: its digits are equally wide, so that clocks do not tremble, and
it covers Latin, Greek and Cyrillic. The next fonts are tried for scripts that it
lacks; a text that no font covers alone is drawn in pieces, each with the first font
that covers it. Pillow >= 10.1 brings a Latin font of its own. Where even that is
missing (an old Pillow on a system without fonts), OpenCV's stroke font writes plain
ASCII.

Text from right to left is put in order, and Arabic letters are joined, by Raqm, which
Pillow's wheels carry; it needs the system's FriBidi (Debian: libfribidi0).
"""

import math
import unicodedata
from functools import lru_cache
from typing import Optional, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

__all__ = ["Mask", "is_misordered", "text_mask", "without_font"]

Mask = NDArray[np.uint8]

# Names that Pillow looks for in the font folders of the system.
FONT_FILES = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "FreeSans.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "unifont.ttf",
)
PILLOWS_OWN = ""
PROBE_PX = 16
# No font has a glyph for the last code point: it draws the sign for a missing one.
NO_GLYPH = "\U0010ffff"
STROKE_FONT = cv2.FONT_HERSHEY_DUPLEX
STROKE_HEIGHT_PX = 22.0  # of a capital at scale 1
OVERSAMPLING = 4
RIGHT_TO_LEFT = ("R", "AL")
# They join letters or keep them apart, and are not printable themselves.
JOINERS = "\u200c\u200d"


def is_misordered(text: str) -> bool:
    """Tell whether text runs from right to left and this computer cannot order it."""
    return _has(text, RIGHT_TO_LEFT) and not features.check("raqm")


def without_font(text: str) -> str:
    """Return the characters of a text that no font of this computer draws."""
    names = (*FONT_FILES, PILLOWS_OWN)
    lacking = dict.fromkeys(
        char
        for char in text
        if char.isprintable() and not any(_has_glyph(name, char) for name in names)
    )
    return "".join(lacking)


def _has(text: str, directions: Tuple[str, ...]) -> bool:
    """Tell whether a text has a character of some of the directions."""
    return any(unicodedata.bidirectional(char) in directions for char in text)


def text_mask(text: str, size_px: int) -> Mask:
    """Draw one line of text.

    Parameters
    ----------
    text : str
        Anything; control characters become spaces.
    size_px : int
        Of the font: from the top of a capital to the bottom of a `g`, nearly.

    Returns
    -------
    array of uint8, shape (height, width)
        255 where the text covers a pixel. The height depends on the fonts and the
        size only, so that texts stand on one line.
    """
    clean = " ".join("".join(map(_printable, text)).split())
    pieces = [(piece, _load(name, size_px)) for piece, name in _pieces(clean)]
    fonts = [(piece, font) for piece, font in pieces if font is not None]
    if not fonts or len(fonts) < len(pieces):  # there was one a moment ago
        return _stroke_mask(clean, size_px)
    ascent = max(font.getmetrics()[0] for _, font in fonts)
    descent = max(font.getmetrics()[1] for _, font in fonts)
    # The advance, not the inked box: a clock must not move when its digits change.
    widths = [font.getlength(piece) for piece, font in fonts]
    size = (max(1, math.ceil(sum(widths))), ascent + descent)
    image = Image.new("L", size, 0)
    drawing, x = ImageDraw.Draw(image), 0.0
    for (piece, font), width in zip(fonts, widths):
        place = (round(x), ascent - font.getmetrics()[0])
        drawing.text(place, piece, fill=255, font=font)
        x += width
    return np.array(image, dtype=np.uint8)


def _printable(char: str) -> str:
    """Return a character as it may be drawn; signs that only steer are left out."""
    if char.isprintable() or char in JOINERS:
        return char
    return "" if unicodedata.category(char) == "Cf" else " "


@lru_cache(maxsize=64)
def _load(name: str, size_px: int) -> Optional[ImageFont.FreeTypeFont]:
    """Return a font, or None where there is none of that name."""
    try:
        if name == PILLOWS_OWN:
            font = ImageFont.load_default(size=size_px)
            return font if isinstance(font, ImageFont.FreeTypeFont) else None
        return ImageFont.truetype(name, size_px)
    except (OSError, ImportError, TypeError):  # Pillow < 10.1 takes no size
        return None


@lru_cache(maxsize=256)
def _best_font(text: str) -> Optional[str]:
    """Return the first font that has every character, or else the most of them."""
    best: Optional[str] = None
    fewest = len(text) + 1
    for name in (*FONT_FILES, PILLOWS_OWN):
        if _load(name, PROBE_PX) is None:
            continue
        lacking = sum(not _has_glyph(name, char) for char in set(text))
        if lacking < fewest:
            best, fewest = name, lacking
        if fewest == 0:
            break
    return best


@lru_cache(maxsize=256)
def _pieces(text: str) -> Tuple[Tuple[str, str], ...]:
    """Return the text in pieces with the name of the font that draws each.

    One piece where one font covers all. A mark that is written over the character
    before it, and a space, stay with that character's font. The first piece stands
    left, or right where the text begins from right to left.
    """
    best = _best_font(text)
    if best is None:
        return ()
    pieces = [["", best]]
    for char in text:
        name = pieces[-1][1]
        if not (char.isspace() or unicodedata.combining(char) or char in JOINERS):
            name = best if _has_glyph(best, char) else _first_font(char, best)
        if name == pieces[-1][1]:
            pieces[-1][0] += char
        else:
            pieces.append([char, name])
    if len(pieces) == 1 or not _has(text, RIGHT_TO_LEFT):
        return tuple((piece, name) for piece, name in pieces if piece) or (("", best),)
    # A space between two pieces stands between them, whichever way they run.
    apart = [
        (part, name)
        for piece, name in pieces
        for part in (piece.rstrip(), piece[len(piece.rstrip()) :])
        if part
    ]
    strong = (char for char in text if _has(char, ("L", *RIGHT_TO_LEFT)))
    if _has(next(strong, ""), RIGHT_TO_LEFT):
        apart.reverse()
    return tuple(apart)


@lru_cache(maxsize=4096)
def _first_font(char: str, otherwise: str) -> str:
    """Return the first font that has a character."""
    names = (*FONT_FILES, PILLOWS_OWN)
    return next((name for name in names if _has_glyph(name, char)), otherwise)


@lru_cache(maxsize=4096)
def _has_glyph(name: str, char: str) -> bool:
    """Tell whether a font draws a character otherwise than as a missing one."""
    font = _load(name, PROBE_PX)
    if font is None:
        return False
    return char.isspace() or _drawn(font, char) != _drawn(font, NO_GLYPH)


def _drawn(font: ImageFont.FreeTypeFont, char: str) -> Tuple[Tuple[int, int], bytes]:
    """Return the size and the pixels of a character."""
    core = font.getmask(char)
    return core.size, bytes(core)


def _stroke_mask(text: str, size_px: int) -> Mask:
    """Draw ASCII with OpenCV's stroke font, large, and make it small and smooth."""
    plain = text.replace("\u00b5", "u").replace("\u03bc", "u").replace("\u00b7", "-")
    plain = plain.replace("\u2026", "...").replace("\u2212", "-")
    spread = unicodedata.normalize("NFKD", plain)
    ascii_text = "".join(
        char if char.isascii() else "?"
        for char in spread
        if not unicodedata.combining(char)
    )
    scale = 0.72 * size_px * OVERSAMPLING / STROKE_HEIGHT_PX
    thickness = max(1, round(size_px * OVERSAMPLING / 11))
    (width, _), _ = cv2.getTextSize(ascii_text, STROKE_FONT, scale, thickness)
    height = round(1.17 * size_px) * OVERSAMPLING
    large = np.zeros((height, max(OVERSAMPLING, width + thickness)), np.uint8)
    base = round(0.93 * size_px * OVERSAMPLING)
    place = (thickness // 2, base)
    colour = (255, 255, 255)
    cv2.putText(
        large, ascii_text, place, STROKE_FONT, scale, colour, thickness, cv2.LINE_AA
    )
    small = (max(1, large.shape[1] // OVERSAMPLING), height // OVERSAMPLING)
    return np.asarray(
        cv2.resize(large, small, interpolation=cv2.INTER_AREA), dtype=np.uint8
    )
