"""What a GIF shows: the scene without its noise, renewed only where it really changed.

For every pixel the mean of its frames since it last changed is kept, which is nearer to
the scene than any one frame. It begins anew where a frame contradicts it: by more than
noise can do in the pixel itself, or in the mean of a small square around it, where
noise is less and a faint cell shows. So nothing is averaged over a motion that could be
seen, and nothing stays where something was. The colour on show is renewed when the mean
has left it and the palette has a better one.

Flicker of the whole picture is noise, too; a light that really changes is followed.
Nothing is kept but the picture itself, so memory does not grow with the movie.
"""

from typing import NamedTuple, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.filters import Picture, Size
from openflexure_timelapse.movie.noise import AREAS_PX, Noise
from openflexure_timelapse.movie.palette import Indices, Palette

__all__ = ["SURE", "HeldPicture", "Renewed"]

Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]
Scalar = Tuple[float, float, float, float]

SURE = 6.0
"""Standard deviations of noise that are no noise."""
FLOORS = (1.25, 2.0)
"""Nobody sees less, in the mean of a square of each of `AREAS_PX`, in grey levels."""
GROWN = tuple(np.ones((side, side), np.uint8) for side in (5, 3))
"""Around the middle of a square that changed, so much has."""

LONGEST = 16
"""Frames over which is averaged."""
FLAT = 2.0
"""A pixel so many standard deviations off its neighbours' mean may be one of them."""
STRAY, STRAY_PER_NOISE = 2.0, 0.5
"""By so much the mean may leave the colour on show, in grey levels."""
BETTER, BETTER_PER_NOISE = 1.2, 0.3
"""By so much another colour must be nearer to it."""

LARGEST_FLICKER = 0.02
PATCHES: Size = (48, 36)
FEWEST_PATCHES = 64
DARKEST = 12.0
NO_CHANGE = 1e-4
LOWEST: Scalar = (-1e9, -1e9, -1e9, -1e9)
BELOW: Tuple[Scalar, Scalar] = (LOWEST, (0.0, 0.0, 0.0, 0.0))


class Renewed(NamedTuple):
    """Pixels that take another colour.

    Attributes
    ----------
    rows, columns : array of int
        Where, by rising rows.
    indices : array of uint8
        Of the palette.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    indices: Indices


class HeldPicture:
    """The picture on show.

    Parameters
    ----------
    first : array of uint8, shape (height, width, 3)
        Shown whole.
    palette : Palette
        The colours that can be shown.
    noise : Noise
        What does not count as a change; none, and every change is shown.
    """

    def __init__(self, first: Picture, palette: Palette, noise: Noise) -> None:
        typical = float(noise.typical.mean())
        some = typical > 0.0
        self._palette = palette
        self._limit = np.ascontiguousarray(SURE * noise.levels[np.newaxis])
        self._areas = [
            (
                side,
                grown,
                _scalar(np.maximum(SURE * left * noise.typical, floor * some)),
            )
            for side, grown, left, floor in zip(AREAS_PX, GROWN, noise.averaged, FLOORS)
        ]
        self._flat = _scalar(FLAT * noise.typical)
        stray = some * (STRAY + STRAY_PER_NOISE * typical)
        self._stray: Scalar = (stray, stray, stray, 0.0)
        self._better = some * (BETTER + BETTER_PER_NOISE * typical)
        self._flicker = some * LARGEST_FLICKER
        whole = np.full(first.shape[:2], 255, np.uint8)
        self._mean = first.astype(np.float32)
        self._smooth(self._mean, whole)
        self._share = np.ones(first.shape[:2], np.float32)
        self._looked = self._mean.copy()
        flat = palette.indices(_rounded(self._mean.reshape(-1, 3)))
        self._index = flat.reshape(first.shape[:2])

    @property
    def index(self) -> Indices:
        """The palette's indices on show, shape (height, width)."""
        return self._index

    @property
    def shown(self) -> Picture:
        """The picture on show."""
        return np.asarray(self._palette.colours[self._index])

    def follow(self, picture: Picture) -> Renewed:
        """Take the next frame; return which pixels change their colour."""
        gain = self._gain(picture)
        levels = np.arange(256, dtype=np.float32)[:, np.newaxis]
        even = np.asarray(cv2.LUT(picture, (levels * gain)[np.newaxis]), np.float32)
        changed = self._judge(picture, even)
        share = self._share
        share = np.maximum(share / (share + 1), np.float32(1 / LONGEST))
        share[changed > 0] = 1.0
        self._share = share
        step = cv2.multiply(cv2.subtract(even, self._mean), cv2.merge([share] * 3))
        self._mean = np.asarray(cv2.add(self._mean, step), np.float32)
        if np.abs(gain - 1).max() > NO_CHANGE:  # a change of light that lasts
            self._mean *= 1 + (1 / gain - 1) / LONGEST
        return self._renewed(changed)

    def _judge(self, picture: Picture, even: Floats) -> Mask:
        """Return where a frame contradicts the mean: 255, elsewhere 0.

        There `even` becomes what is to be believed: where single pixels changed their
        values, where only a square did the mean moved by as much as the square.
        """
        off = cv2.subtract(even, self._mean)
        limit = cv2.LUT(picture, self._limit)
        within = cv2.inRange(cv2.subtract(cv2.absdiff(even, self._mean), limit), *BELOW)
        changed = np.asarray(cv2.bitwise_not(within), np.uint8)
        self._smooth(even, changed)
        # What stands out by itself tells nothing about its neighbours.
        faint = cv2.bitwise_and(off, off, mask=within)
        for side, grown, most in self._areas:
            mean = cv2.blur(faint, (side, side))
            quiet = cv2.inRange(mean, _scalar(-np.array(most[:3])), most)
            around = cv2.dilate(cv2.bitwise_not(quiet), grown)
            around = cv2.bitwise_and(around, within)
            cv2.copyTo(cv2.add(self._mean, mean), around, even)
            changed = np.asarray(cv2.bitwise_or(changed, around), np.uint8)
        return changed

    def _smooth(self, now: Floats, where: Mask) -> None:
        """Smooth the noise of a picture where it shows nothing else, in place."""
        flat = cv2.blur(now, (3, 3))
        noise = cv2.inRange(cv2.absdiff(now, flat), LOWEST, self._flat)
        cv2.copyTo(flat, cv2.bitwise_and(noise, where), now)

    def _gain(self, picture: Picture) -> Floats:
        """Return by what a frame is to be multiplied to be as bright as the mean.

        The median of small patches: what moves covers few of them. A larger change is
        no flicker, and left alone.
        """
        pair = (picture, self._mean)
        now, before = (
            cv2.resize(one, PATCHES, interpolation=cv2.INTER_AREA)
            .astype(np.float32)
            .reshape(-1, 3)
            for one in pair
        )
        usable = (now.min(axis=1) > DARKEST) & (before.min(axis=1) > DARKEST)
        if usable.sum() < FEWEST_PATCHES:
            return np.ones(3, np.float32)
        gain = np.median(before[usable] / now[usable], axis=0)
        flickers = np.abs(gain - 1) < self._flicker
        return np.where(flickers, gain, 1.0).astype(np.float32)

    def _renewed(self, changed: Mask) -> Renewed:
        """Change the colours that the mean has left; return which."""
        strayed = cv2.absdiff(self._mean, self._looked)
        near = np.asarray(cv2.inRange(strayed, LOWEST, self._stray))
        rows, columns = np.nonzero((near == 0) | (changed > 0))
        wanted = self._mean[rows, columns]
        self._looked[rows, columns] = wanted
        indices = self._palette.indices(_rounded(wanted))
        before = self._index[rows, columns]
        gained = self._off(wanted, before) - self._off(wanted, indices)
        better = gained > self._better
        chosen = Renewed(rows[better], columns[better], indices[better])
        self._index[chosen.rows, chosen.columns] = chosen.indices
        return chosen

    def _off(self, wanted: Floats, indices: Indices) -> Floats:
        """Return how far colours of the palette are from wanted ones."""
        off = wanted - self._palette.colours[indices]
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", off, off)))


def _scalar(values: NDArray[np.floating]) -> Scalar:
    """Return three values as OpenCV wants them."""
    blue, green, red = (float(value) for value in values)
    return blue, green, red, 0.0


def _rounded(values: Floats) -> Picture:
    """Return levels as whole numbers."""
    return np.asarray(np.clip(values + np.float32(0.5), 0, 255), np.uint8)
