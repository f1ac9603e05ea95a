"""All positions in one picture: where they stand, what stands where one is missing."""

from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import cv2
import numpy as np
import pytest
from numbered import HEIGHT, WIDTH, Pixels, frame_of, number_of, write_frames

from openflexure_timelapse.movie.filters import BACKGROUND
from openflexure_timelapse.movie.frames import MovieFrame
from openflexure_timelapse.movie.framing import Framing, Region
from openflexure_timelapse.movie.grid import (
    Grid,
    GridLoader,
    grid_shape,
    montage_size,
)
from openflexure_timelapse.movie.stills import DAMAGED

FRAME = (WIDTH, HEIGHT)

SHAPES = {
    (1, (4, 3)): (1, 1),
    (2, (4, 3)): (2, 1),
    (2, (3, 1)): (1, 2),
    (4, (4, 3)): (2, 2),
    (5, (4, 3)): (3, 2),
    (6, (4, 3)): (3, 2),
    (9, (4, 3)): (3, 3),
    (36, (4, 3)): (6, 6),
}


@pytest.mark.parametrize(("asked", "shape"), SHAPES.items(), ids=str)
def test_the_shape_of_a_grid(
    asked: Tuple[int, Tuple[int, int]], shape: Tuple[int, int]
) -> None:
    """It is as wide as a screen, nearly, with few empty places."""
    assert grid_shape(*asked) == shape


def test_a_grid_for_a_phone_is_high() -> None:
    """The shape is the whole grid's: five pictures stand in two columns."""
    assert grid_shape(5, (4, 3), 9 / 16) == (2, 3)


@pytest.mark.parametrize("count", [1, 2, 5, 7, 12, 36])
@pytest.mark.parametrize("canvas", [(1640, 900), (480, 300), (37, 29)])
def test_cells_stand_inside_and_apart(count: int, canvas: Tuple[int, int]) -> None:
    """No picture covers another one, and none reaches below into the strip."""
    strip = canvas[1] // 10
    grid = Grid(canvas, FRAME, ("",) * count, strip)
    covered = np.zeros((canvas[1], canvas[0]), int)
    for index in range(count):
        x, y, (width, height) = grid.place(index)
        covered[y : y + height, x : x + width] += 1
        assert x + width <= canvas[0]
        assert y + height <= canvas[1] - strip
    assert covered.max() == 1


def framed(grid: Grid) -> Framing:
    """Return the whole frame as what a cell shows."""
    return Framing(FRAME, Region(0, 0, *FRAME), grid.cell)


def loaded(
    frames: List[MovieFrame], gaps: str, *, labelled: bool
) -> Tuple[Grid, List[Optional[Pixels]]]:
    """Return where pictures stand, and the frames of the movie."""
    size = montage_size(4, FRAME)
    grid = Grid(size, FRAME, ("one", "", "", ""))
    loader = GridLoader(grid, framed(grid), gaps, labelled=labelled)
    shots = list(loader.shots(frames))
    stills = [shot.picture for shot in shots]
    return grid, [None if still is None else still.pixels for still in stills]


def grid_frames(folder: Path, numbers: List[List[Optional[int]]]) -> List[MovieFrame]:
    """Return a frame for each list of what the positions show; None is missing."""
    named: Dict[int, str] = {}
    for number in {number for row in numbers for number in row if number is not None}:
        (frame,) = write_frames(folder, [number])
        named[number] = frame.path
    frames = []
    for slot, row in enumerate(numbers):
        cells = tuple((named[number],) if number is not None else () for number in row)
        here = frame_of(Path(next(cell[0] for cell in cells if cell)), slot)
        lacking = ("",) * len(cells)
        frames.append(MovieFrame(**{**vars(here), "cells": cells, "lacking": lacking}))
    return frames


def seen(grid: Grid, picture: Optional[Pixels]) -> List[Optional[int]]:
    """Return what the positions show."""
    assert picture is not None
    found = []
    for index in range(len(grid.names)):
        x, y, size = grid.place(index)
        part = picture[y : y + size[1], x : x + size[0]]
        is_empty = bool((part[size[1] // 2 :] == BACKGROUND).all())
        found.append(None if is_empty else number_of(cv2.resize(part, FRAME)))
    return found


@pytest.mark.parametrize(
    ("gaps", "second"), [("hold", [1, 2, 3, 7]), ("blank", [None, None, None, 7])]
)
def test_a_position_that_is_missing_is_held_or_empty(
    tmp_path: Path, gaps: str, second: List[Optional[int]]
) -> None:
    """Each cell follows the rule of gaps; nothing moves into another one's place."""
    numbers = [[1, 2, 3, None], [None, None, None, 7], [4, 5, 6, 8]]
    frames = grid_frames(tmp_path, numbers)
    grid, pictures = loaded(frames, gaps, labelled=False)
    assert [seen(grid, picture) for picture in pictures] == [
        [1, 2, 3, None],
        second,
        [4, 5, 6, 8],
    ]


def test_a_missing_picture_is_labelled(tmp_path: Path) -> None:
    """What is held says so, in its own cell only."""
    frames = grid_frames(tmp_path, [[1, 2, 3, 4], [1, None, 3, 4]])
    grid, (first, second) = loaded(frames, "hold", labelled=True)
    assert first is not None
    assert second is not None
    changed = [
        not np.array_equal(first[y : y + h, x : x + w], second[y : y + h, x : x + w])
        for x, y, (w, h) in map(grid.place, range(4))
    ]
    assert changed == [False, True, False, False]


def test_why_a_picture_is_missing_is_told(tmp_path: Path) -> None:
    """A reason that is known stands in the cell, and makes the label longer."""
    (_, second) = grid_frames(tmp_path, [[1, 2, 3, 4], [1, None, None, 4]])
    grid = Grid(montage_size(4, (640, 480)), (640, 480), ("",) * 4)
    frame = replace(second, lacking=("", "", "timeout", ""))
    loader = GridLoader(grid, framed(grid), "blank", labelled=True)
    picture = loader.load(frame).picture
    assert picture is not None
    assert picture.pixels is not None
    widths = []
    for x, y, (width, height) in (grid.place(1), grid.place(2)):
        part = picture.pixels[y : y + height, x : x + width]
        widths.append(np.ptp(np.nonzero((part != BACKGROUND).any(axis=2))[1]))
    assert widths[1] > 1.5 * widths[0]


def test_a_grid_without_any_picture_is_a_gap(tmp_path: Path) -> None:
    """Where all files are damaged there is no frame, and the movie tells why."""
    (frame,) = grid_frames(tmp_path, [[1, None, None, None]])
    Path(frame.cells[0][0]).write_bytes(b"\xff\xd8 no picture")
    grid = Grid(montage_size(4, FRAME), FRAME, ("",) * 4)
    loader = GridLoader(grid, framed(grid), "hold", labelled=True)
    (shot,) = loader.shots([frame])
    assert (shot.picture, shot.problem) == (None, DAMAGED)
