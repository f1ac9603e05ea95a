"""What stands around a kymograph: a time axis, a scale bar, names, marks of gaps."""

import math
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np

from openflexure_timelapse.movie.composer import GAP_COLOUR
from openflexure_timelapse.movie.filters import (
    BACKGROUND,
    WHITE,
    Colour,
    Picture,
    scale_bar,
)
from openflexure_timelapse.movie.kymograph import Row, ticks
from openflexure_timelapse.movie.lettering import Mask, text_mask

__all__ = ["Sheet"]

LOWEST = 0.5
"""Height of the picture in widths, where there are few rows."""
THICKEST_ROW_PX = 48
TEXT_PER_WIDTH = 0.024
SMALLEST_TEXT_PX = 12
QUIET: Colour = (190, 190, 190)
NO_IMAGES = "no images"


@dataclass(frozen=True)
class Sheet:
    """A kymograph's surroundings.

    Attributes
    ----------
    um_per_px : float or None
        Along the line as it is drawn; None for no scale bar.
    timed, labelled : bool
        Whether it has a time axis, and marks where there are no images.
    title, name, caption : str
        Written above left, above right and below; empty for none.
    """

    um_per_px: Optional[float]
    timed: bool
    labelled: bool
    title: str = ""
    name: str = ""
    caption: str = ""

    def draw(self, rows: Sequence[Row]) -> Picture:
        """Return the whole picture.

        Parameters
        ----------
        rows : sequence of Row
            At least one of them with pixels.
        """
        length = next(len(row.pixels) for row in rows if row.pixels is not None)
        thick = round(LOWEST * length / len(rows))
        thick = max(1, min(THICKEST_ROW_PX, thick))
        field = np.full((len(rows), length, 3), BACKGROUND, np.uint8)
        for index, row in enumerate(rows):
            if row.pixels is not None:
                field[index] = np.rint(row.pixels)
        field = np.repeat(field, thick, axis=0)
        size_px = max(SMALLEST_TEXT_PX, round(TEXT_PER_WIDTH * length))
        pen = _Pen(size_px, thick)
        marks = pen.marks(rows) if self.timed else []
        missing = self.labelled and any(row.missing for row in rows)
        head = pen.strip(length, self._head(pen))
        foot = pen.strip(length, self._foot(pen, length, missing=missing))
        column = np.concatenate([head, field, foot])
        made = pen.framed(column, marks, len(head))
        if self.labelled:
            pen.stripes(made, rows, made.shape[1] - length, len(head))
        return made

    def _head(self, pen: "_Pen") -> List[Picture]:
        """Return what stands above, from left to right."""
        if not (self.title or self.name):
            return []
        return [pen.words(self.title, WHITE), pen.words(self.name, WHITE)]

    def _foot(self, pen: "_Pen", length: int, *, missing: bool) -> List[Picture]:
        """Return what stands below, from left to right."""
        parts = [pen.words(self.caption, QUIET)] if self.caption else []
        if missing:
            parts.append(pen.words(NO_IMAGES, GAP_COLOUR))
        if self.um_per_px is not None:
            parts = parts or [pen.words("", QUIET)]
            parts.append(pen.bar(self.um_per_px, length))
        return parts


class _Pen:
    """Draws at one size of text."""

    def __init__(self, size_px: int, thick: int) -> None:
        self._px = size_px
        self._thick = thick
        self._gap = max(3, size_px // 2)

    def words(self, text: str, colour: Colour) -> Picture:
        """Return text on the ground."""
        return self._inked(text_mask(text, self._px), colour)

    def bar(self, um_per_px: float, length: int) -> Picture:
        """Return a scale bar beside its length."""
        bar = scale_bar(um_per_px, length)
        mask = text_mask(bar.text, self._px)
        high = mask.shape[0]
        made = np.zeros((high, mask.shape[1] + self._gap + bar.length_px), np.uint8)
        made[:, : mask.shape[1]] = mask
        thick = max(2, self._px // 6)
        middle = (high - thick) // 2
        made[middle : middle + thick, -bar.length_px :] = 255
        return self._inked(made, WHITE)

    def strip(self, width: int, parts: Sequence[Picture]) -> Picture:
        """Return parts spread over a strip; those that have no room are left out."""
        if not parts:
            return _ground(0, width)
        strip = _ground(max(len(part) for part in parts) + 2 * self._gap, width)
        x = 0
        for index, part in enumerate(parts):
            rest = sum(other.shape[1] + 3 * self._gap for other in parts[index + 1 :])
            last = index == len(parts) - 1
            x = max(x, width - part.shape[1]) if last and index else x
            room = width - x - (0 if last else min(rest, width // 2))
            seen = part[:, : max(0, room)]
            strip[self._gap : self._gap + len(seen), x : x + seen.shape[1]] = seen
            x += seen.shape[1] + 3 * self._gap
        return strip

    def marks(self, rows: Sequence[Row]) -> List[Tuple[int, Mask]]:
        """Return the marks of the time axis: at which pixel, and what is written."""
        apart = math.ceil(1.6 * self._px / self._thick)
        found = ticks([row.elapsed_ns for row in rows], apart)
        return [
            (
                index * self._thick,
                text_mask(text if rows[index].known else f"> {text}", self._px),
            )
            for index, text in found
        ]

    def framed(
        self, column: Picture, marks: Sequence[Tuple[int, Mask]], top: int
    ) -> Picture:
        """Return a column with its axis left of it and some room around it."""
        axis = max((mask.shape[1] for _, mask in marks), default=0)
        left = self._gap + (axis + 3 * self._gap if marks else self._gap)
        high, wide = column.shape[:2]
        made = _ground(high + 2 * self._gap, left + wide + 2 * self._gap)
        made[self._gap : self._gap + high, left : left + wide] = column
        for y, mask in marks:
            row = self._gap + top + y
            begin = min(max(0, row - len(mask) // 2), len(made) - len(mask))
            x = left - 3 * self._gap - mask.shape[1] + self._gap // 2
            words = self._inked(mask, WHITE)
            made[begin : begin + len(mask), x : x + mask.shape[1]] = words
            thick = max(1, self._px // 12)
            made[row : row + thick, left - 2 * self._gap : left - self._gap] = WHITE
        return made[:, : left + wide + self._gap]

    def stripes(self, made: Picture, rows: Sequence[Row], after: int, top: int) -> None:
        """Mark the rows that have no image, between the axis and the picture."""
        left = after - self._gap
        for index, row in enumerate(rows):
            if row.missing:
                y = self._gap + top + index * self._thick
                end = y + max(self._thick, 2)
                made[y:end, left - self._gap // 2 - 1 : left - 1] = GAP_COLOUR

    def _inked(self, mask: Mask, colour: Colour) -> Picture:
        """Return a mask's picture in a colour, on the ground."""
        cover = mask.astype(np.float32)[:, :, np.newaxis] / 255
        ground, ink = np.array(BACKGROUND), np.array(colour)
        return np.asarray(np.rint(ground * (1 - cover) + ink * cover), np.uint8)


def _ground(height: int, width: int) -> Picture:
    """Return an empty picture."""
    return np.full((height, width, 3), BACKGROUND, np.uint8)
