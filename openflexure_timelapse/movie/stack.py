"""One picture of the planes of a visit: the sharpest, or all of them where each is.

The measure of focus is the modified Laplacian of Nayar and Nakagawa ("Shape from
focus", IEEE Transactions on Pattern Analysis and Machine Intelligence 16(8), 1994,
pages 824-831): how much a pixel differs from its neighbours left and right, and above
and below, added up over a neighbourhood. For extended depth of field each pixel is the
mean of the planes, weighted by a high power of that measure: where one plane is sharp,
it is seen alone; where nothing is in focus the planes are averaged, which leaves less
noise and no seams.

Planes come one at a time; what is held does not depend on how many there are.
"""

from typing import Dict, Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.filters import Picture
from openflexure_timelapse.movie.stills import Fuse

__all__ = ["FUSES", "extended", "focus_measure", "sharpest"]

Measure = NDArray[np.float32]

SMOOTHING_PX = 1.0
"""Of the picture before it is measured, against the noise of single pixels."""
NEIGHBOURHOOD = 0.006
"""Standard deviation in widths of the picture, at least `SMALLEST_PX` pixels."""
SMALLEST_PX = 2.0
POWER = 6
FLOOR = 0.05
"""Grey levels: keeps planes without any detail equal."""
SECOND_DIFFERENCE = np.array([[-1.0, 2.0, -1.0]], np.float32)


def focus_measure(picture: Picture) -> Measure:
    """Return how sharp a picture is at each pixel, in grey levels.

    Parameters
    ----------
    picture : array of uint8, shape (height, width, 3)

    Returns
    -------
    array of float32, shape (height, width)
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), SMOOTHING_PX)
    across = cv2.filter2D(smooth, cv2.CV_32F, SECOND_DIFFERENCE)
    down = cv2.filter2D(smooth, cv2.CV_32F, SECOND_DIFFERENCE.T)
    sigma = max(SMALLEST_PX, NEIGHBOURHOOD * picture.shape[1])
    return np.asarray(
        cv2.GaussianBlur(np.abs(across) + np.abs(down), (0, 0), sigma), np.float32
    )


def extended(planes: Iterable[Picture]) -> Picture:
    """Return a picture that is as sharp at each pixel as its sharpest plane, nearly.

    Parameters
    ----------
    planes : iterable of array of uint8, shape (height, width, 3)
        At least one, all of one shape.
    """
    total = weights = None
    for plane in planes:
        weight = (focus_measure(plane) + FLOOR) ** POWER
        part = plane.astype(np.float32) * weight[:, :, np.newaxis]
        if total is None or weights is None:
            total, weights = part, weight
        else:
            total += part
            weights += weight
    if total is None or weights is None:
        raise ValueError("There is no plane to look at.")
    return np.asarray(np.rint(total / weights[:, :, np.newaxis]), np.uint8)


def sharpest(planes: Iterable[Picture]) -> Picture:
    """Return the plane that is the sharpest as a whole; the first of equal ones.

    Parameters
    ----------
    planes : iterable of array of uint8, shape (height, width, 3)
        At least one.
    """
    return max(planes, key=lambda plane: float((focus_measure(plane) ** 2).mean()))


FUSES: Dict[str, Fuse] = {"edf": extended, "sharpest": sharpest}
