"""Where a sweep was sharpest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["sharpest"]


def sharpest(heights: NDArray[Any], sizes: NDArray[Any]) -> float:
    """Return the middle of the frames around the largest that are above half of it.

    OpenFlexure's server takes the largest one, which noise chooses where few are seen.

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
