"""How much the camera's noise is, told from the frames themselves. Pure.

Two frames that follow each other differ by noise, by what moved, and by flicker. Blocks
of few pixels are taken, each block's mean difference is left out (flicker, slow light),
and of the blocks of a brightness the quiet quarter counts: it is noise even where most
of the picture moves. Where everything moves, as under a shaking stage, one frame alone
bounds it: nothing is rougher from pixel to pixel than noise.
"""

from dataclasses import dataclass
from typing import Iterable, List, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.filters import Picture

__all__ = ["AREAS_PX", "Noise", "measure_noise"]

Floats = NDArray[np.float32]
Pair = Tuple[Picture, Picture]

AREAS_PX = (7, 3)
"""Sides of the squares over which changes are averaged as well."""

BLOCK_PX = 12
BIN_LEVELS = 16
BINS = 256 // BIN_LEVELS
QUIET = 0.4
"""The quantile of the blocks that counts."""
QUIET_BIAS = 0.93
"""Of that quantile to the whole: a JPEG's noise is not the same in every block."""
FEWEST_BLOCKS = 40
WIDE_PX = 41
STILL = 0.2
NORMAL_PER_STILL = 3.947
"""A standard deviation to this quantile of its absolute values."""
SPREAD = 1.6
"""By so much one brightness may be noisier, or less, than most of the picture is."""
ROUGHEST = 2.5
"""By so much noise may exceed what one frame shows of it from pixel to pixel."""
ROUGHNESS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
UNKNOWN = 1.5
LEAST = 0.3
"""Rounding to whole levels alone."""


@dataclass(frozen=True)
class Noise:
    """The noise of pictures of one size.

    Attributes
    ----------
    levels : array of float32, shape (256, 3)
        Its standard deviation, in grey levels, at each level of each channel.
    averaged : (float, float)
        What is left of it in the mean of squares of `AREAS_PX`; white noise leaves a
        seventh and a third.
    typical : array of float32, shape (3,)
        The standard deviation in most of the picture, for each channel.
    """

    levels: Floats
    averaged: Tuple[float, float]
    typical: Floats

    @staticmethod
    def even(level: float, averaged: Tuple[float, float] = (1 / 7, 1 / 3)) -> "Noise":
        """Return noise that is the same everywhere."""
        return Noise(
            np.full((256, 3), level, np.float32),
            averaged,
            np.full(3, level, np.float32),
        )

    def times(self, factor: float) -> "Noise":
        """Return noise that is so many times as strong."""
        return Noise(self.levels * factor, self.averaged, self.typical * factor)


def measure_noise(pairs: Iterable[Pair]) -> Noise:
    """Return the noise in pictures.

    Parameters
    ----------
    pairs : iterable of (picture, picture)
        Of frames that follow each other, all of one size, blue first.
    """
    levels: List[Floats] = []
    variances: List[Floats] = []
    rough: List[Floats] = []
    kept = []
    for pair in pairs:
        if min(pair[0].shape[:2]) < 2 * BLOCK_PX:
            continue
        change = (pair[1].astype(np.float32) - pair[0]) / np.float32(np.sqrt(2.0))
        levels.append(_block_means(pair[0].astype(np.float32)))
        variances.append(_block_variances(change))
        bent = cv2.filter2D(pair[0], cv2.CV_32F, ROUGHNESS)
        rough.append(_block_means(np.asarray(bent, np.float32) ** 2))
        kept.append(change)
    if not kept:
        return Noise.even(UNKNOWN)
    level, variance = np.concatenate(levels), np.concatenate(variances)
    bound = ROUGHEST * _quiet(np.concatenate(rough))
    typical = np.clip(_quiet(variance), LEAST, np.maximum(LEAST, bound))
    columns = [_table(level[:, c], variance[:, c], typical[c]) for c in range(3)]
    return Noise(np.stack(columns, axis=1), _averaged(kept, typical), typical)


def _block_means(values: Floats) -> Floats:
    """Return the means of blocks, shape (blocks, 3)."""
    rows, columns = (side // BLOCK_PX for side in values.shape[:2])
    whole = values[: rows * BLOCK_PX, : columns * BLOCK_PX]
    means = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32).reshape(-1, values.shape[2])


def _block_variances(values: Floats) -> Floats:
    """Return the variances within blocks, shape (blocks, 3)."""
    shrunk = BLOCK_PX**2 / (BLOCK_PX**2 - 1)
    return np.asarray(
        (_block_means(values**2) - _block_means(values) ** 2) * shrunk, np.float32
    )


def _quiet(variances: Floats) -> Floats:
    """Return the standard deviation that the quiet blocks tell of."""
    quiet = np.quantile(variances, QUIET, axis=0)
    return np.asarray(np.sqrt(np.maximum(quiet, 0.0)) / QUIET_BIAS, np.float32)


def _table(level: Floats, variance: Floats, typical: float) -> Floats:
    """Return the noise of one channel at each of 256 levels.

    A brightness that only moving things have tells of motion, not of noise; so none is
    believed to be much noisier than the picture is.
    """
    bins = (level / BIN_LEVELS).astype(int)
    counts = np.bincount(bins, minlength=BINS)
    some = np.flatnonzero(counts >= min(FEWEST_BLOCKS, int(counts.max())))
    found = [float(_quiet(variance[bins == one])) for one in some]
    within = np.clip(found, max(LEAST, typical / SPREAD), max(LEAST, typical * SPREAD))
    noise = np.interp(np.arange(256), (some + 0.5) * BIN_LEVELS, within)
    return np.asarray(noise, np.float32)


def _averaged(changes: List[Floats], typical: Floats) -> Tuple[float, float]:
    """Return what the mean of squares leaves of the noise."""
    left = []
    for side in AREAS_PX:
        found = []
        for change in changes:
            slow = cv2.blur(change, (WIDE_PX, WIDE_PX))
            mean = np.abs(cv2.blur(change - slow, (side, side)))
            found.append(
                NORMAL_PER_STILL * np.quantile(mean, STILL, axis=(0, 1)) / typical
            )
        left.append(float(np.clip(np.median(found), 1 / side, 1.0)))
    return left[0], left[1]
