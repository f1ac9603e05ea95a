"""Numbers that look random and are a pure function of what they are for.

Every chance in the simulated world is drawn here, by hashing a seed and indices, so
that any moment can be asked for in any order and by any process.
"""

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["hashed", "normal", "stream", "uniform"]

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
MANTISSA = 2.0**-53


def stream(seed: int, name: str) -> int:
    """Return the seed of an independent stream of chance.

    Parameters
    ----------
    seed : int
        Of the world.
    name : str
        What the stream is for.
    """
    return int(hashed(seed, zlib.crc32(name.encode("utf-8")))[0])


def hashed(seed: int, *indices: ArrayLike) -> Words:
    """Hash a seed and index arrays, which broadcast, to 64-bit words.

    The mixing is splitmix64 (Steele, Lea and Flood 2014, doi 10.1145/2660193.2660195).
    """
    state = np.array([seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64)
    for index in indices:
        words = np.atleast_1d(np.asarray(index)).astype(np.int64).view(np.uint64)
        state = _mix(state ^ (words * GOLDEN + GOLDEN))
    return state


def _mix(words: Words) -> Words:
    """Return splitmix64's finalizer of each word."""
    words = words + GOLDEN
    words = (words ^ (words >> np.uint64(30))) * FIRST
    words = (words ^ (words >> np.uint64(27))) * SECOND
    return np.asarray(words ^ (words >> np.uint64(31)))


def uniform(seed: int, *indices: ArrayLike) -> Floats:
    """Return numbers in (0, 1), one for each combination of the indices."""
    words = hashed(seed, *indices) >> np.uint64(11)
    return np.asarray((words.astype(np.float64) + 0.5) * MANTISSA)


def normal(seed: int, *indices: ArrayLike) -> Floats:
    """Return standard normal numbers (Box and Muller 1958)."""
    first = uniform(seed, *indices)
    second = uniform(seed ^ 0x5DEECE66D, *indices)
    return np.asarray(np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second))
