"""Which part of the stored frames is shown, and how large. Pure.

Sizes are (width, height) in pixels.
"""

from dataclasses import dataclass
from typing import NamedTuple, Optional, Sequence

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.filters import (
    WIDEST_PX,
    Picture,
    Size,
    content_size,
    fit,
    movie_size,
)

__all__ = ["PHONE_WIDTH_PX", "SHAPES", "Framing", "Region", "canvas_size", "region_of"]

SHAPES = {"square": (1, 1), "portrait": (9, 16)}
PHONE_WIDTH_PX = 1080
# Beyond it a phone's own enlarging looks no worse, and the file is smaller.
MOST_ENLARGED = 2
SMALLEST_PX = 16


class Region(NamedTuple):
    """A part of the stored frames, in their pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.width, self.height


def region_of(
    frame: Size, crop: Optional[Sequence[int]], shape: Optional[str]
) -> Region:
    """Return the part of the frames that a recipe shows.

    Parameters
    ----------
    frame : (int, int)
        Of the first stored frame.
    crop : sequence of int or None
        Its x, y, width and height; None for the whole frame.
    shape : {"square", "portrait"} or None
        Cut out of the middle.

    Raises
    ------
    RenderError
        When the crop leaves the frame, or the shape is too small to be one.
    """
    region = Region(0, 0, *frame) if crop is None else Region(*crop)
    right, bottom = region.x + region.width, region.y + region.height
    if right > frame[0] or bottom > frame[1]:
        told = f"The crop reaches to x {right} and y {bottom}, and the frames have "
        told += f"{frame[0]} x {frame[1]} pixels; choose a part that is in them."
        raise RenderError(told)
    if shape is None:
        return region
    across, down = SHAPES[shape]
    width = min(region.width, round(region.height * across / down))
    height = min(region.height, round(region.width * down / across))
    if min(width, height) < SMALLEST_PX:
        told = f"A {shape} of {width} x {height} pixels is no picture; "
        raise RenderError(told + "choose a larger crop, or no shape.")
    x = region.x + (region.width - width) // 2
    y = region.y + (region.height - height) // 2
    return Region(x, y, width, height)


def canvas_size(
    region: Region,
    width: Optional[int],
    height: Optional[int],
    movie_format: str,
    shape: Optional[str],
) -> Size:
    """Return the size of the movie's picture.

    Parameters
    ----------
    region : Region
        That is shown.
    width, height, movie_format, shape
        As the recipe asks.
    """
    if shape is not None and width is None and height is None:
        widest = WIDEST_PX.get(movie_format, PHONE_WIDTH_PX)
        width = min(PHONE_WIDTH_PX, widest, MOST_ENLARGED * region.width)
        across, down = SHAPES[shape]
        height = round(width * down / across)
    return movie_size(region.size, width, height, movie_format)


@dataclass(frozen=True)
class Framing:
    """How a stored frame becomes a picture of the movie's size.

    Attributes
    ----------
    frame : (int, int)
        Of the first stored frame.
    region : Region
        The part of it that is shown.
    canvas : (int, int)
        Of the movie.
    """

    frame: Size
    region: Region
    canvas: Size

    @property
    def is_whole(self) -> bool:
        """Whether nothing is cut off."""
        return self.region.size == self.frame

    @property
    def content(self) -> Size:
        """The size at which the region is cut out: never enlarged yet."""
        content = content_size(self.region.size, self.canvas)
        return content if content[0] <= self.region.width else self.region.size

    @property
    def source(self) -> Size:
        """The size to which whole frames are brought before the region is cut out."""
        if self.is_whole:
            return self.canvas
        content, region = self.content, self.region
        width = round(self.frame[0] * content[0] / region.width)
        height = round(self.frame[1] * content[1] / region.height)
        return max(width, content[0]), max(height, content[1])

    def cut(self, picture: Picture) -> Picture:
        """Return the region of a whole frame of the size `source`, on the canvas."""
        if self.is_whole:
            return picture
        source, content = self.source, self.content
        x = round(self.region.x * source[0] / self.frame[0])
        y = round(self.region.y * source[1] / self.frame[1])
        x = min(x, source[0] - content[0])
        y = min(y, source[1] - content[1])
        return fit(picture[y : y + content[1], x : x + content[0]], self.canvas)
