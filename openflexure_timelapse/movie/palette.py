"""The colours of a GIF: one palette for a whole movie, and which is the nearest."""

from typing import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openflexure_timelapse.movie.filters import BACKGROUND, Picture

__all__ = ["TRANSPARENT", "Palette"]

Floats = NDArray[np.float32]
Indices = NDArray[np.uint8]

TRANSPARENT = 255
# The one finds the many shades of a large field, the other the few pixels of a cell.
MEDIAN_CUT, MAXIMUM_COVERAGE = 0, 1
REFINEMENTS = 6
CUBE_BITS = 6
SAMPLE_PIXELS = 300_000
LEVEL_BITS = 7
CHUNK = 1 << 14
UNKNOWN = TRANSPARENT

# What is written into the pictures, whatever the pictures are: white and the colour of
# labels on the dark ground, in steps.
GREYS = tuple((level, level, level) for level in (16, 60, 104, 150, 196, 255))
AMBERS = ((48, 82, 100), (70, 124, 153), (92, 168, 207), (110, 205, 255))
RESERVED = (*GREYS, *AMBERS, BACKGROUND)


class Palette:
    """Up to 255 colours for a whole movie, with a table of nearest colours.

    Parameters
    ----------
    samples : iterable of array of uint8, shape (height, width, 3)
        Pictures of the movie, blue first; about 20 are enough.
    """

    def __init__(self, samples: Iterable[Picture]) -> None:
        pictures = list(samples)
        each = max(1, SAMPLE_PIXELS // max(1, len(pictures)))
        pixels = np.concatenate([_some_pixels(one, each) for one in pictures])
        image = Image.fromarray(np.ascontiguousarray(pixels[None, :, ::-1]))
        free = TRANSPARENT - len(RESERVED)
        chosen = [_quantized(image, free // 2, MEDIAN_CUT)]
        chosen.append(_quantized(image, free - free // 2, MAXIMUM_COVERAGE))
        bgr = np.unique(np.concatenate(chosen), axis=0)
        refined = np.round(_refined(bgr, pixels)).astype(np.uint8)
        self.colours = np.concatenate([refined, np.array(RESERVED, np.uint8)])
        self._exact = self.colours.astype(np.float32)
        self._nearest = np.full(1 << (3 * LEVEL_BITS), UNKNOWN, np.uint8)

    def indices(self, pixels: Picture) -> Indices:
        """Return the index of the nearest colour for pixels of shape (n, 3).

        Colours are looked up in steps of two levels; each step is sought when it is
        first asked for.
        """
        level = (pixels >> (8 - LEVEL_BITS)).astype(np.int32)
        key = (level[:, 0] << LEVEL_BITS | level[:, 1]) << LEVEL_BITS | level[:, 2]
        found = self._nearest[key]
        unknown = found == UNKNOWN
        if unknown.any():
            new = np.unique(key[unknown])
            mask = (1 << LEVEL_BITS) - 1
            steps = [new >> 2 * LEVEL_BITS, new >> LEVEL_BITS & mask, new & mask]
            middle = np.stack(steps, 1).astype(np.float32) * 2 + np.float32(0.5)
            self._nearest[new] = _nearest(middle, self._exact)
            found = self._nearest[key]
        return np.asarray(found)

    def table(self) -> bytes:
        """Return the 256 colours as a GIF has them, red first."""
        full = np.zeros((256, 3), np.uint8)
        full[: len(self.colours)] = self.colours[:, ::-1]
        return full.tobytes()


def _quantized(image: Image.Image, colours: int, method: int) -> Floats:
    """Return up to so many colours for an image, blue first."""
    chosen = image.quantize(colors=colours, method=method)
    used = len(chosen.getcolors(maxcolors=256) or ())
    flat = (chosen.getpalette() or [])[: 3 * max(1, used)]
    return np.array(flat, np.float32).reshape(-1, 3)[:, ::-1]


def _some_pixels(picture: Picture, most: int) -> Picture:
    """Return up to `most` pixels of a picture, evenly spread, shape (n, 3)."""
    flat = picture.reshape(-1, 3)
    return flat[:: max(1, len(flat) // most)]


def _refined(colours: Floats, pixels: Picture) -> Floats:
    """Move each colour to the mean of the pixels that are nearest to it, a few times.

    Lloyd's k-means, on means of small cubes of colour instead of single pixels.
    """
    cube = (pixels >> (8 - CUBE_BITS)).astype(np.int32)
    key = (cube[:, 0] << CUBE_BITS | cube[:, 1]) << CUBE_BITS | cube[:, 2]
    total = 1 << (3 * CUBE_BITS)
    counts = np.bincount(key, minlength=total)
    sums = [np.bincount(key, pixels[:, axis], total) for axis in range(3)]
    used = counts > 0
    means = np.stack(sums, axis=1)[used] / counts[used, None]
    weights = counts[used]
    for _ in range(REFINEMENTS):
        nearest = _nearest(means.astype(np.float32), colours)
        members = np.bincount(nearest, weights, len(colours))
        moved = np.stack(
            [
                np.bincount(nearest, weights * means[:, axis], len(colours))
                for axis in range(3)
            ],
            axis=1,
        )
        some = members > 0
        colours = colours.copy()
        colours[some] = moved[some] / members[some, None]
    return colours


def _nearest(pixels: Floats, colours: Floats) -> NDArray[np.intp]:
    """Return the index of the nearest colour for pixels of shape (n, 3)."""
    squares = (colours**2).sum(axis=1)
    found = [
        (squares - 2 * pixels[start : start + CHUNK] @ colours.T).argmin(axis=1)
        for start in range(0, len(pixels), CHUNK)
    ]
    return np.concatenate(found)
