"""A line's pixels over time: the line lies across, time runs down.

Each frame of the movie that the recipe would make is a row, so that gaps and changing
intervals are told as in a movie: missing rows are held, empty or cut, and marked with
a stripe beside them. However long the run, a few thousand rows are held: before there
are more, neighbours are averaged.
"""

import math
from bisect import bisect_left
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.filters import Picture
from openflexure_timelapse.movie.timeline import NS_PER_S, Beat, duration_text

__all__ = ["Row", "Rows", "pixels_along", "ticks"]

Line = Tuple[int, ...]

MOST_ROWS = 4096
TICKS = 8
S_PER_MINUTE, S_PER_HOUR, S_PER_DAY = 60, 3600, 86_400
ROUND_S = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(S_PER_MINUTE * count for count in (1, 2, 5, 10, 15, 30)),
    *(S_PER_HOUR * count for count in (1, 2, 3, 6, 12)),
    *(S_PER_DAY * count for count in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)
NO_IMAGES = "no images"


def pixels_along(picture: Picture, line: Line, length: int) -> NDArray[np.float32]:
    """Return the pixels on a line.

    Parameters
    ----------
    picture : array of uint8, shape (height, width, 3)
        That the line lies in.
    line : tuple of int
        x and y of its beginning and of its end.
    length : int
        How many pixels are wanted; where that is fewer than the line has, each is the
        mean of those that it stands for.

    Returns
    -------
    array of float32, shape (length, 3)
    """
    begin, end = np.array(line[:2], np.float64), np.array(line[2:], np.float64)
    own = max(length, math.ceil(float(np.hypot(*(end - begin)))) + 1)
    at = begin + (end - begin) * np.linspace(0.0, 1.0, own)[:, np.newaxis]
    x, y = (at[np.newaxis, :, axis].astype(np.float32) for axis in (0, 1))
    row = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if own > length:
        row = cv2.resize(
            row.astype(np.float32), (length, 1), interpolation=cv2.INTER_AREA
        )
    return np.asarray(row[0], np.float32)


class Row(NamedTuple):
    """Some frames of the movie as one row.

    Attributes
    ----------
    pixels : array of float32, shape (length, 3), or None
        The mean of those that show something.
    seen : int
        How many those are.
    elapsed_ns : int
        Of the first.
    known : bool
        Whether that is sure.
    missing : bool
        Whether a slot has no picture in it, or was cut out before it.
    """

    pixels: Optional[NDArray[np.float32]]
    seen: int
    elapsed_ns: int
    known: bool
    missing: bool

    def joined(self, other: "Row") -> "Row":
        """Return both as one row."""
        missing, seen = self.missing or other.missing, self.seen + other.seen
        pixels = self.pixels if self.pixels is not None else other.pixels
        if self.pixels is not None and other.pixels is not None:
            total = self.pixels * self.seen + other.pixels * other.seen
            pixels = np.asarray(total / seen, np.float32)
        return Row(pixels, seen, self.elapsed_ns, self.known, missing)


class Rows:
    """Takes in the frames of a movie, one after the other.

    Parameters
    ----------
    most : int
        How many rows are held at most; even.
    """

    def __init__(self, most: int = MOST_ROWS) -> None:
        self._most = most
        self._span = 1
        self._rows: List[Row] = []
        self._open: Optional[Row] = None
        self._open_span = 0
        self._label = ""

    def add(self, beat: Beat[Any], pixels: Optional[NDArray[np.float32]]) -> None:
        """Add one frame of the movie.

        Parameters
        ----------
        beat : Beat
            Its time, and whether it is a gap.
        pixels : array of float32, shape (length, 3), or None
            Of the line; None for an empty picture.
        """
        told, self._label = self._label, beat.label
        cut = beat.label != told and NO_IMAGES in beat.label.lower()
        missing = beat.kind != "show" or cut
        seen = 0 if pixels is None else 1
        row = Row(pixels, seen, beat.elapsed_ns, beat.elapsed_known, missing)
        self._open = row if self._open is None else self._open.joined(row)
        self._open_span += 1
        if self._open_span < self._span:
            return
        self._rows.append(self._open)
        self._open, self._open_span = None, 0
        if len(self._rows) == self._most:
            pairs = zip(self._rows[::2], self._rows[1::2])
            self._rows = [first.joined(second) for first, second in pairs]
            self._span *= 2

    def all(self) -> "List[Row]":
        """Return every row from the first."""
        return [*self._rows, *([] if self._open is None else [self._open])]


def ticks(elapsed_ns: Sequence[int], apart: int) -> List[Tuple[int, str]]:
    """Return at which rows the time axis has a mark, and what is written there.

    Parameters
    ----------
    elapsed_ns : sequence of int
        Of each row, never falling.
    apart : int
        Rows between two marks, at least.
    """
    first, last = elapsed_ns[0], elapsed_ns[-1]
    most = min(TICKS, max(1, len(elapsed_ns) // max(1, apart)))
    span_s = (last - first) / NS_PER_S
    fitting = (step for step in ROUND_S if span_s / step <= most)
    step_ns = round(next(fitting, ROUND_S[-1]) * NS_PER_S)
    found: List[Tuple[int, str]] = []
    begin = -(-(first - step_ns // 4) // step_ns)  # a first row soon after counts
    for count in range(begin, last // step_ns + 1):
        row = bisect_left(elapsed_ns, count * step_ns)
        if not found or row - found[-1][0] >= apart:
            found.append((row, duration_text(count * step_ns) if count else "0"))
    return found
