"""What each pixel was over a whole run: on average, at its brightest, at its darkest.

A maximum shows where bright things have been, a minimum the same of dark ones before a
bright ground. Pictures come one at a time; one is held.
"""

from typing import Callable, Dict, Optional

import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.filters import Picture

__all__ = ["Projection"]

EXTREMES: Dict[str, Callable[..., NDArray[np.uint8]]] = {
    "maximum": np.maximum,
    "minimum": np.minimum,
}


class Projection:
    """Adds up pictures of one size.

    Parameters
    ----------
    kind : {"average", "maximum", "minimum"}
        Of what. The average is taken of the stored grey levels.

    Attributes
    ----------
    count : int
        How many pictures were added.
    """

    def __init__(self, kind: str) -> None:
        self._extreme = EXTREMES.get(kind)
        self._total: Optional[NDArray[np.uint32]] = None
        self._reached: Optional[Picture] = None
        self.count = 0

    def add(self, picture: Picture) -> None:
        """Take another picture in.

        Parameters
        ----------
        picture : array of uint8, shape (height, width, 3)
            Not altered.
        """
        self.count += 1
        if self._extreme is None:
            if self._total is None:
                self._total = picture.astype(np.uint32)
            else:
                self._total += picture
        elif self._reached is None:
            self._reached = picture.copy()
        else:
            self._extreme(self._reached, picture, out=self._reached)

    def result(self) -> Optional[Picture]:
        """Return the picture of them all; None when there was none."""
        if self._total is None:
            return self._reached
        return ((self._total + self.count // 2) // self.count).astype(np.uint8)
