"""A focus sweep over rendered frames: how fast it may be, and where it was sharpest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_FRAMES_PER_S", "pace", "sharpest"]

STEPS_PER_FRAME = 40
MOST_FRAMES_PER_S = 12.0
"""A camera renders no more of them beside a moving stage, whatever it was asked for."""


def pace(frames_per_s: float = MOST_FRAMES_PER_S) -> float:
    """Return the steps in a second of the machine's own time that rendering bears.

    Parameters
    ----------
    frames_per_s : float
        What the camera was asked for.
    """
    return STEPS_PER_FRAME * min(frames_per_s, MOST_FRAMES_PER_S)


def sharpest(heights: NDArray[Any], sizes: NDArray[Any]) -> float:
    """Return the middle of the frames around the largest that are above half of it.

    The real servers take the largest one; they see three times as many.

    Parameters
    ----------
    heights : array
        Of the frames, in steps.
    sizes : array
        Of the frames, in bytes, which stand for their sharpness.

    Raises
    ------
    ValueError
        When there are no frames.
    """
    if not len(sizes):
        raise ValueError("No images: the live view showed none during the sweep.")
    best = int(np.argmax(sizes))
    above = sizes - (sizes[best] + sizes.min()) / 2
    low = np.flatnonzero(above <= 0)
    first = max(low[low < best], default=-1) + 1
    last = min(low[low > best], default=len(sizes))
    weights = above[first:last]
    if not weights.sum() > 0:
        return float(heights[best])
    return float(np.average(heights[first:last], weights=weights))
