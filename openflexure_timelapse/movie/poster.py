"""A PNG of a whole run: what each pixel was, or one line's pixels over time."""

import os
from pathlib import Path
from typing import Callable, Iterator, Optional, Tuple, Union

from PIL import Image, PngImagePlugin

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.composer import Composer
from openflexure_timelapse.movie.filters import (
    Picture,
    Size,
    timestamp_text,
)
from openflexure_timelapse.movie.frames import MovieFrame
from openflexure_timelapse.movie.job import Order
from openflexure_timelapse.movie.kymograph import Rows, pixels_along
from openflexure_timelapse.movie.metadata import Metadata, texts_of
from openflexure_timelapse.movie.projection import Projection
from openflexure_timelapse.movie.sheet import Sheet
from openflexure_timelapse.movie.stills import Loader, Still
from openflexure_timelapse.movie.timeline import Beat, Shot, duration_text

__all__ = ["Poster", "line_of"]

LONGEST_LINE_PX = 1640
TITLES = {"average": "Average", "maximum": "Maximum", "minimum": "Minimum"}

Report = Callable[[int], None]
Moment = Union[MovieFrame, Beat[Still]]


class _Span:
    """From when to when."""

    def __init__(self) -> None:
        self._first: Optional[Moment] = None
        self._last: Optional[Moment] = None

    def add(self, frame: Moment) -> None:
        """Take note of what is seen."""
        self._first = self._first or frame
        self._last = frame

    def lasts(self) -> str:
        """Return how long it is, in words."""
        if self._first is None or self._last is None:
            return ""
        return f"over {duration_text(self._last.elapsed_ns - self._first.elapsed_ns)}"

    def dates(self) -> str:
        """Return the times of day of its ends; the date once where it is the same."""
        if self._first is None or self._last is None:
            return ""
        begin, end = (_time(frame) for frame in (self._first, self._last))
        day, _, clock = end.partition(" ")
        told = f"{begin} \u2013 {clock if begin.startswith(day) else end}"
        trusted = self._first.clock_trusted and self._last.clock_trusted
        return told if trusted else f"{told} (clock not set)"


def _time(frame: Moment) -> str:
    """Return the local date and time."""
    return timestamp_text(frame.wall_ns, frame.utc_offset_s, tenths=False)


class Poster:
    """Makes one PNG.

    Parameters
    ----------
    order : Order
        What to make, and where.
    composer : callable
        Returns what pictures of a size look like.
    loader : callable
        Returns what reads the frames for a size.
    metadata : Metadata
        What the file says of itself.
    """

    def __init__(
        self,
        order: Order,
        composer: Callable[[Size], Composer],
        loader: Callable[[Size], Loader],
        metadata: Metadata,
    ) -> None:
        self._order = order
        self._composer = composer
        self._loader = loader
        self._metadata = metadata

    def projection(
        self,
        size: Size,
        frame: Size,
        shots: Callable[[Loader], Iterator[Shot[Still]]],
        report: Report,
    ) -> None:
        """Write what each pixel was.

        Parameters
        ----------
        size : (int, int)
            Of the picture.
        frame : (int, int)
            Of the first stored frame.
        shots : callable
            Returns all of them, read by a loader.
        report : callable
            Is told how many have been looked at.
        """
        order, span = self._order, _Span()
        projection = Projection(order.view)
        for count, shot in enumerate(shots(self._loader(size)), 1):
            if shot.picture is not None and shot.picture.pixels is not None:
                projection.add(shot.picture.pixels)
                span.add(shot.frame)
            report(count)
        made = projection.result()
        if made is None:
            raise RenderError("None of the frames can be shown; verify the run.")
        images = "image" if projection.count == 1 else "images"
        told = [f"{TITLES[order.view]} of {projection.count} {images}"]
        choices = [told]
        if order.elapsed_time:
            told = [*told, span.lasts()]
            choices.insert(0, told)
        if order.timestamp:
            choices.insert(0, [*told, span.dates()])
        if not (order.elapsed_time or order.timestamp):
            choices = []
        self._write(self._composer(size).written(made, frame, choices))

    def kymograph(
        self,
        frame: Size,
        um_per_pixel: Optional[float],
        beats: Callable[[Loader], Iterator[Beat[Still]]],
        report: Report,
    ) -> None:
        """Write one line's pixels over time.

        Parameters
        ----------
        frame : (int, int)
            Of the first stored frame.
        um_per_pixel : float or None
            Of the frames as they are seen.
        beats : callable
            Returns the frames of the movie, with pictures by a loader.
        report : callable
            Is told how many rows are made.
        """
        order = self._order
        line, long = line_of(order.line, frame)
        length = min(long, order.width or LONGEST_LINE_PX)
        rows, span = Rows(), _Span()
        for count, beat in enumerate(beats(self._loader(frame)), 1):
            still = beat.picture
            seen = None if still is None else still.pixels
            span.add(beat)
            rows.add(beat, None if seen is None else pixels_along(seen, line, length))
            report(count)
        sheet = Sheet(
            None if um_per_pixel is None else um_per_pixel * long / length,
            timed=order.elapsed_time,
            labelled=order.gap_label,
            title=order.title,
            name=order.name,
            caption=span.dates() if order.timestamp else "",
        )
        self._write(sheet.draw(rows.all()))

    def _write(self, picture: Picture) -> None:
        """Write the file, durably."""
        told = PngImagePlugin.PngInfo()
        for name, text in texts_of(self._metadata).items():
            told.add_itxt(name, text)
        with Path(self._order.out).open("wb") as stream:
            Image.fromarray(picture[..., ::-1]).save(stream, "png", pnginfo=told)
            stream.flush()
            os.fsync(stream.fileno())


def line_of(
    line: Optional[Tuple[int, ...]], frame: Size
) -> "Tuple[Tuple[int, ...], int]":
    """Return a kymograph's line and its length in pixels.

    Raises
    ------
    RenderError
        When it leaves the pictures.
    """
    width, height = frame
    if line is None:
        line = (0, height // 2, width - 1, height // 2)
    if max(line[0], line[2]) >= width or max(line[1], line[3]) >= height:
        told = (
            f"The line {list(line)} leaves the pictures, which are {width} x {height} "
        )
        raise RenderError(told + f"pixels; x ends at {width - 1}, y at {height - 1}.")
    across, down = line[2] - line[0], line[3] - line[1]
    return line, max(2, round((across**2 + down**2) ** 0.5) + 1)
