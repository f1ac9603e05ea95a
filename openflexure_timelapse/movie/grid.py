"""All positions of a run side by side, each under its name.

A position without a picture at a time when others have one shows its last picture, or
an empty one, as the recipe says of gaps, and a label in its cell. The label of the
movie tells of times when nothing was captured anywhere.
"""

import math
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from openflexure_timelapse.movie.composer import GAP_COLOUR, is_tiny
from openflexure_timelapse.movie.filters import (
    BACKGROUND,
    Picture,
    Size,
    Sprite,
    blend,
    content_size,
    pill,
    text_size_px,
    whole_pill,
)
from openflexure_timelapse.movie.frames import MovieFrame
from openflexure_timelapse.movie.framing import Framing
from openflexure_timelapse.movie.stills import Fuse, Loader, Still
from openflexure_timelapse.movie.timeline import Shot

__all__ = [
    "SCREEN_RATIO",
    "Grid",
    "GridLoader",
    "grid_shape",
    "montage_size",
    "strip_height",
]

SCREEN_RATIO = 1.6
"""Of width to height, nearly."""
GUTTER = 0.006
"""Between cells, in widths of the picture."""
MIXED: Size = (0, 0)
NO_IMAGE = "No image"
STRIP_PER_TEXT = 3.3
TEXT_PER_CELL = 1.5
"""How much larger text is than in a movie of the cell's size; it is looked at with
the others."""


def grid_shape(count: int, frame: Size, ratio: float = SCREEN_RATIO) -> Tuple[int, int]:
    """Return how many columns and rows waste the least of a screen or a shape.

    Parameters
    ----------
    count : int
        Of positions.
    frame : (int, int)
        Width and height of their pictures.
    ratio : float
        Of the width of them all to their height, nearly.
    """

    def cost(columns: int) -> float:
        rows = -(-count // columns)
        own = frame[0] * columns / (frame[1] * rows)
        return abs(math.log(own / ratio)) + (columns * rows - count) / count

    columns = min(range(1, count + 1), key=cost)
    return columns, -(-count // columns)


def montage_size(count: int, frame: Size) -> Size:
    """Return the size of all pictures side by side as they are stored."""
    columns, rows = grid_shape(count, frame)
    return frame[0] * columns, frame[1] * rows


def strip_height(canvas: Size) -> int:
    """Return the height that the clocks and the scale bar take below a grid."""
    return 0 if is_tiny(canvas) else round(STRIP_PER_TEXT * text_size_px(canvas))


class _Place(NamedTuple):
    """Where a picture stands."""

    x: int
    y: int
    size: Size


class Grid:
    """Where each position's picture stands in a movie of a size.

    Parameters
    ----------
    canvas : (int, int)
        Of the movie.
    frame : (int, int)
        Of the part of the stored pictures that is shown.
    names : tuple of str
        Of the positions, in the order of the cells; empty ones are not written.
    strip_px : int
        Kept free at the bottom, for the clocks and the scale bar.
    ratio : float
        As for `grid_shape`.

    Attributes
    ----------
    canvas, names
        As given.
    cell : (int, int)
        The size of each picture.
    """

    def __init__(
        self,
        canvas: Size,
        frame: Size,
        names: Tuple[str, ...],
        strip_px: int = 0,
        ratio: float = SCREEN_RATIO,
    ) -> None:
        self.canvas = canvas
        self._height = max(1, canvas[1] - strip_px)
        self.names = names
        self._columns, self._rows = grid_shape(len(names), frame, ratio)
        self._gutter = max(2, round(GUTTER * canvas[0]))
        room = (
            max(1, (canvas[0] - self._gutter * (self._columns - 1)) // self._columns),
            max(1, (self._height - self._gutter * (self._rows - 1)) // self._rows),
        )
        self.cell = content_size(frame, room)

    def place(self, index: int) -> _Place:
        """Return where a picture stands; an incomplete last row is centred."""
        row, column = divmod(index, self._columns)
        here = min(self._columns, len(self.names) - row * self._columns)
        x = self._begin(self.canvas[0], self.cell[0], here, column)
        y = self._begin(self._height, self.cell[1], self._rows, row)
        return _Place(x, y, self.cell)

    def _begin(self, whole: int, part: int, count: int, index: int) -> int:
        """Return where a part begins among `count` in the middle of the whole."""
        used = count * part + (count - 1) * self._gutter
        return max(0, (whole - used) // 2) + index * (part + self._gutter)


class GridLoader(Loader):
    """Turns the frames of a grid into shots.

    Parameters
    ----------
    grid : Grid
        Where the pictures stand.
    framing : Framing
        Which part of the stored pictures fills a cell.
    gaps : str
        ``blank`` shows an empty cell where a picture is missing, else the last one.
    labelled : bool
        Whether it is written that a picture is missing.
    fuse : callable or None
        As for `Loader`.
    """

    def __init__(
        self,
        grid: Grid,
        framing: Framing,
        gaps: str,
        *,
        labelled: bool,
        fuse: Optional[Fuse] = None,
    ) -> None:
        super().__init__(framing.source, fuse=fuse)
        self._grid = grid
        self._framing = framing
        self._gaps = gaps
        self._labelled = labelled
        self._text_px = min(
            text_size_px(grid.canvas), round(TEXT_PER_CELL * text_size_px(grid.cell))
        )
        self._margin = max(3, round(0.5 * self._text_px))
        self._held: Dict[int, Picture] = {}
        self._slot = -1
        widest = grid.cell[0] - 2 * self._margin
        seen = ("" if is_tiny(grid.cell) else name for name in grid.names)
        self._names: List[Optional[Sprite]] = [
            pill(name, self._text_px, widest) if name else None for name in seen
        ]

    def load(self, frame: MovieFrame) -> Shot[Still]:
        """Read the pictures of one time; in order, or from the beginning."""
        if frame.slot <= self._slot:
            self._held.clear()
        self._slot = frame.slot
        canvas = self._grid.canvas
        made = np.full((canvas[1], canvas[0], 3), BACKGROUND, np.uint8)
        stored = self._framing.frame
        size, problems = stored, []
        for index in range(len(frame.cells)):
            found, problem = self._fill(made, index, frame)
            if found is not None and found != stored:
                size = MIXED
            problems.append(problem)
        if all(problems):
            return Shot(frame, None, problems[0])
        return Shot(frame, Still(size, b"", made, frame.slot))

    def _fill(
        self, made: Picture, index: int, frame: MovieFrame
    ) -> "Tuple[Optional[Size], str]":
        """Draw a cell; return its picture's size, or none and what is wrong."""
        paths, reason = frame.cells[index], frame.lacking[index].replace("_", " ")
        size, picture, problem = (
            self.picture(paths) if paths else (None, None, reason or NO_IMAGE)
        )
        if picture is not None:
            picture = self._framing.cut(picture)
            self._held[index] = picture
            problem = ""
        elif self._gaps != "blank":
            picture = self._held.get(index)
        x, y, (width, height) = self._grid.place(index)
        part = made[y : y + height, x : x + width]
        if picture is not None:
            part[:] = picture
        name = self._names[index]
        if name is not None:
            low = max(0, height - self._margin - name.size[1])
            blend(part, name, self._margin, low)
        if problem and self._labelled:
            self._write(part, problem)
        return size, problem

    def _write(self, part: Picture, problem: str) -> None:
        """Say in the middle of a cell that its picture is missing, and why."""
        told = NO_IMAGE if problem == NO_IMAGE else f"{NO_IMAGE} ({problem})"
        widest = part.shape[1] - 2 * self._margin
        for text in (told, NO_IMAGE):
            sprite = whole_pill(text, self._text_px, widest, GAP_COLOUR)
            if sprite is not None:
                x = (part.shape[1] - sprite.size[0]) // 2
                y = max(0, (part.shape[0] - sprite.size[1]) // 2)
                blend(part, sprite, x, y)
                return
