"""Pure functions on pictures: size, and what is written into them.

A picture is a uint8 array of shape (height, width, 3), blue first as OpenCV has it.
Positions are (x, y) pixels from the top left. Sizes of text follow the height of the
picture, so that a movie looks alike at every size.
"""

import math
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple, Optional, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.lettering import Mask, text_mask

__all__ = [
    "EVEN",
    "WIDEST_PX",
    "Picture",
    "ScaleBar",
    "Size",
    "Sprite",
    "blend",
    "content_size",
    "elapsed_text",
    "fit",
    "movie_size",
    "pill",
    "scale_bar",
    "scale_bar_sprite",
    "text_size_px",
    "timestamp_text",
    "whole_pill",
]

Picture = NDArray[np.uint8]
Size = Tuple[int, int]
Colour = Tuple[int, int, int]

NS_PER_S = 1_000_000_000
NS_PER_TENTH_S = NS_PER_S // 10
S_PER_DAY = 86_400
WIDEST_PX = {"mp4": 1640, "webm": 1640, "gif": 480, "webp": 480, "apng": 480}
EVEN = ("mp4", "webm")
BACKGROUND: Colour = (24, 22, 20)

TEXT_PER_HEIGHT = 0.03
SMALLEST_TEXT_PX = 11
WHITE: Colour = (255, 255, 255)
PILL_COLOUR: Colour = (16, 14, 12)
PILL_OPACITY = 0.68
"""White on a white scene then has a contrast of 6.8 to 1, a gap's label 4.6 to 1."""
PAD_PER_TEXT = 0.55
LONGEST_BAR = 0.22  # of the width of the picture
STEPS = (1, 2, 5)
OVERSAMPLING = 4
OPAQUE = 255.0


# ------------------------------------------------------------------------------ size


def movie_size(
    frame: Size, width: Optional[int], height: Optional[int], movie_format: str
) -> Size:
    """Return the size of the movie's picture.

    Parameters
    ----------
    frame : (int, int)
        Width and height of the first stored frame.
    width, height : int or None
        As the recipe asks. With one None the other follows from the frame; with both
        None the picture is as wide as the frame, up to 1640 (MP4, WebM) or 480 (GIF,
        WebP, APNG).
    movie_format : str
        ``mp4`` and ``webm`` make both numbers even, as their codecs need them.
    """
    if width is None and height is None:
        width = min(frame[0], WIDEST_PX.get(movie_format, frame[0]))
    if width is None:
        width = round(frame[0] * (height or 0) / frame[1])
    if height is None:
        height = frame[1] if width == frame[0] else round(frame[1] * width / frame[0])
    if movie_format in EVEN:
        return max(2, width & ~1), max(2, height & ~1)
    return max(1, width), max(1, height)


def content_size(frame: Size, canvas: Size) -> Size:
    """Return the largest size of the frame's shape that fits into the canvas.

    A difference of one pixel is not worth a black line: the canvas is then filled.
    """
    scale = min(canvas[0] / frame[0], canvas[1] / frame[1])
    width = min(canvas[0], max(1, round(frame[0] * scale)))
    height = min(canvas[1], max(1, round(frame[1] * scale)))
    if canvas[0] - width <= 1 and canvas[1] - height <= 1:
        return canvas
    return width, height


def fit(picture: Picture, canvas: Size) -> Picture:
    """Bring a picture to the size of the canvas without distorting it.

    One row or column too many is cut off; anything else is scaled by area (by cubic
    interpolation when it grows), and centred on black where the shapes differ.

    Returns
    -------
    array of uint8, shape (canvas height, canvas width, 3)
        The picture itself when it fits already.
    """
    height, width = picture.shape[:2]
    if 0 <= width - canvas[0] <= 1 and 0 <= height - canvas[1] <= 1:
        return picture[: canvas[1], : canvas[0]]
    content = content_size((width, height), canvas)
    how = cv2.INTER_AREA if content[0] < width else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(picture, content, interpolation=how), np.uint8)
    if content == canvas:
        return scaled
    full = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    x, y = (canvas[0] - content[0]) // 2, (canvas[1] - content[1]) // 2
    full[y : y + content[1], x : x + content[0]] = scaled
    return full


# ----------------------------------------------------------------------------- texts


def elapsed_text(elapsed_ns: int, *, tenths: bool) -> str:
    """Return a time since the start as ``+00:12:30``, with days and tenths if any."""
    unit_ns = NS_PER_TENTH_S if tenths else NS_PER_S
    count = max(0, (elapsed_ns + unit_ns // 2) // unit_ns)
    whole_s, tenth = divmod(count, 10) if tenths else (count, 0)
    days, rest_s = divmod(whole_s, S_PER_DAY)
    hours, rest_s = divmod(rest_s, 3600)
    clock = f"{hours:02d}:{rest_s // 60:02d}:{rest_s % 60:02d}"
    return f"+{f'{days} d ' if days else ''}{clock}{f'.{tenth}' if tenths else ''}"


def timestamp_text(
    wall_ns: int,
    utc_offset_s: int,
    *,
    tenths: bool,
    trusted: bool = True,
    dated: bool = True,
) -> str:
    """Return local date and time, or the time; an unsynchronised clock is called so."""
    zone = timezone(timedelta(seconds=utc_offset_s))
    moment = datetime.fromtimestamp(wall_ns // NS_PER_S, tz=zone)
    told = moment.strftime("%Y-%m-%d %H:%M:%S" if dated else "%H:%M:%S")
    if tenths:
        told += f".{wall_ns % NS_PER_S // NS_PER_TENTH_S}"
    return told if trusted else f"{told} (clock not set)"


class ScaleBar(NamedTuple):
    """A length that is good to draw."""

    length_px: int
    text: str


def scale_bar(um_per_pixel: float, width_px: int) -> ScaleBar:
    """Choose the longest of 1, 2, 5, 10, 20 ... that takes up to 22 % of the width.

    Parameters
    ----------
    um_per_pixel : float
        Of the movie's picture, not of the stored frame.
    width_px : int
        Of the movie's picture.
    """
    most_um = LONGEST_BAR * width_px * um_per_pixel
    power = math.floor(math.log10(most_um))
    length_um = max(
        step * 10.0**exponent
        for exponent in (power - 1, power)
        for step in STEPS
        if step * 10.0**exponent <= most_um * (1 + 1e-9)
    )
    return ScaleBar(max(1, round(length_um / um_per_pixel)), _length_text(length_um))


def _length_text(length_um: float) -> str:
    """Return a length with the unit in which people say it."""
    if length_um >= 1000 * (1 - 1e-9):
        return f"{length_um / 1000:g} mm"
    if length_um < 1 - 1e-9:
        return f"{length_um * 1000:g} nm"
    return f"{length_um:g} \u00b5m"


# --------------------------------------------------------------------------- drawing


class Sprite(NamedTuple):
    """Something small that is laid over pictures, half transparent.

    Attributes
    ----------
    light : array of uint8, shape (height, width, 3)
        What it adds.
    keeps : array of uint8, shape (height, width, 3)
        255 where the picture below stays as it is, 0 where it is covered.
    """

    light: Picture
    keeps: Picture

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.light.shape[1], self.light.shape[0]


def blend(picture: Picture, sprite: Sprite, x: int, y: int) -> None:
    """Lay a sprite over a picture, in place; what sticks out is cut off."""
    height = min(sprite.size[1], picture.shape[0] - y)
    width = min(sprite.size[0], picture.shape[1] - x)
    if height <= 0 or width <= 0:
        return
    part = picture[y : y + height, x : x + width]
    dimmed = cv2.multiply(part, sprite.keeps[:height, :width], scale=1 / OPAQUE)
    part[:] = cv2.add(dimmed, sprite.light[:height, :width])


def text_size_px(canvas: Size) -> int:
    """Return the size of text for a picture: 3 % of its height, never below 11 px."""
    height = min(canvas[1], 0.75 * canvas[0])
    return max(SMALLEST_TEXT_PX, round(TEXT_PER_HEIGHT * height))


@lru_cache(maxsize=64)
def pill(text: str, size_px: int, widest_px: int, colour: Colour = WHITE) -> Sprite:
    """Return text on a dark rounded ground that any picture shows through.

    Parameters
    ----------
    text : str
        One line.
    size_px : int
        Of the font. Text too long is made smaller, down to 60 %, then cut.
    widest_px : int
        The width that the sprite may have.
    colour : (int, int, int)
        Of the text, blue first.
    """
    pad = round(PAD_PER_TEXT * size_px)
    room = widest_px - 2 * pad
    mask, size_px = _shrunk_mask(text, size_px, room)
    while mask.shape[1] > room and len(text) > 1:
        keep = min(len(text) - 2, len(text) * max(room, 0) // mask.shape[1])
        text = text[: max(keep, 0)].rstrip() + "\u2026"
        mask = text_mask(text, size_px)
    return _on_ground(mask, pad, round(0.22 * size_px), colour)


def whole_pill(
    text: str, size_px: int, widest_px: int, colour: Colour = WHITE
) -> Optional[Sprite]:
    """Return what `pill` returns, or None where it would have to cut the text."""
    room = widest_px - 2 * round(PAD_PER_TEXT * size_px)
    mask, _ = _shrunk_mask(text, size_px, room)
    return None if mask.shape[1] > room else pill(text, size_px, widest_px, colour)


def _shrunk_mask(text: str, size_px: int, room_px: int) -> Tuple[Mask, int]:
    """Return text made as small as it must be and may be, and its size."""
    mask = text_mask(text, size_px)
    if mask.shape[1] > room_px > 0:
        smaller = max(round(0.6 * size_px), SMALLEST_TEXT_PX - 2)
        size_px = max(smaller, size_px * room_px // mask.shape[1])
        mask = text_mask(text, size_px)
    return mask, size_px


@lru_cache(maxsize=8)
def scale_bar_sprite(bar: ScaleBar, size_px: int) -> Sprite:
    """Return a scale bar with its length above; the bar is exactly `length_px` wide."""
    words = text_mask(bar.text, size_px)
    thick = max(2, round(0.16 * size_px))
    gap = max(1, round(0.08 * size_px))
    width = max(words.shape[1], bar.length_px)
    mask = np.zeros((words.shape[0] + gap + thick, width), np.uint8)
    x = (width - words.shape[1]) // 2
    mask[: words.shape[0], x : x + words.shape[1]] = words
    x = (width - bar.length_px) // 2
    mask[-thick:, x : x + bar.length_px] = 255
    return _on_ground(mask, round(0.55 * size_px), round(0.3 * size_px), WHITE)


def _on_ground(mask: Mask, pad_x: int, pad_y: int, colour: Colour) -> Sprite:
    """Lay a mask of `colour` on a dark rounded ground."""
    full = cv2.copyMakeBorder(
        mask, pad_y, pad_y, pad_x, pad_x, cv2.BORDER_CONSTANT, value=(0,)
    )
    size = full.shape[1], full.shape[0]
    radius = min(size[1] // 2, round(1.1 * pad_x))
    ground = _rounded(size, radius)
    beside = cv2.bitwise_not(full)
    covered = cv2.multiply(beside, ground, scale=PILL_OPACITY / OPAQUE)
    light = [
        cv2.addWeighted(full, ink / OPAQUE, covered, dark / OPAQUE, 0)
        for ink, dark in zip(colour, PILL_COLOUR)
    ]
    keeps = cv2.subtract(beside, covered)
    return Sprite(
        np.asarray(cv2.merge(light), np.uint8),
        np.asarray(cv2.merge([keeps] * 3), np.uint8),
    )


@lru_cache(maxsize=64)
def _rounded(size: Size, radius: int) -> Mask:
    """Return a mask of a rectangle with smooth round corners."""
    width, height = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    large = np.zeros((height, width), np.uint8)
    r = max(0, radius * OVERSAMPLING)
    cv2.rectangle(large, (r, 0), (width - 1 - r, height - 1), (255,), -1)
    cv2.rectangle(large, (0, r), (width - 1, height - 1 - r), (255,), -1)
    for x in (r, width - 1 - r):
        for y in (r, height - 1 - r):
            cv2.circle(large, (x, y), r, (255,), -1)
    return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.uint8)
