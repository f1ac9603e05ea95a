"""The paper, the pens and the inks with which living things are drawn.

A drawing is an array of shape (height, width, 3): base-10 optical density in blue,
green and red at 0.14 µm per pixel, the long axis along x, the middle in the middle.
Negative density is the bright rim that refraction makes around a body. The figures
(which pigment absorbs how much, how thick a wall is) are estimates by eye.
"""

from functools import lru_cache
from typing import Any, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware_sim.hashing import normal, stream, uniform

__all__ = [
    "CAROTENE",
    "CHLOROPHYLL",
    "DARK",
    "DEEPER",
    "DRAWING_UM",
    "FUCOXANTHIN",
    "GREY",
    "PHYCOCYANIN",
    "WALL",
    "YELLOWER",
    "Drawing",
    "Plane",
    "Sheet",
    "capsule",
    "inside",
    "line",
    "oval",
    "smooth",
    "times",
]

Drawing = NDArray[np.float32]
Plane = NDArray[Any]
Ink = Tuple[float, float, float]

DRAWING_UM = 0.14
MARGIN_UM = 2.4

# Density in blue, green, red at full strength.
CHLOROPHYLL = (0.62, 0.15, 0.40)
YELLOWER = (0.66, 0.13, 0.27)
DEEPER = (0.60, 0.24, 0.52)
FUCOXANTHIN = (0.72, 0.34, 0.13)
PHYCOCYANIN = (0.30, 0.22, 0.50)
WALL = (0.34, 0.30, 0.34)
CYTOPLASM = (0.075, 0.035, 0.055)
GREY = (0.20, 0.19, 0.19)
CAROTENE = (0.85, 0.75, 0.10)
DARK = (0.55, 0.52, 0.50)


class Sheet:
    """An empty drawing and its coordinates.

    Parameters
    ----------
    length_um, width_um : float
        Of the body; a margin is added.
    name : str
        Of the individual, whose details are drawn by chance.

    Attributes
    ----------
    x, y : array of float32
        Of each pixel, in micrometres from the middle; x a row, y a column.
    seed : int
        For the individual's details.
    """

    def __init__(self, length_um: float, width_um: float, name: str) -> None:
        columns = 2 * int(np.ceil((length_um / 2 + MARGIN_UM) / DRAWING_UM)) + 1
        rows = 2 * int(np.ceil((width_um / 2 + MARGIN_UM) / DRAWING_UM)) + 1
        x = (np.arange(columns) - columns // 2) * DRAWING_UM
        y = (np.arange(rows) - rows // 2) * DRAWING_UM
        self.x: Plane = x.astype(np.float32)[np.newaxis, :]
        self.y: Plane = y.astype(np.float32)[:, np.newaxis]
        self.seed = stream(0, name)
        self._ink = np.zeros((3, rows, columns), np.float32)

    def drawing(self) -> Drawing:
        """Return what was drawn, shape (height, width, 3)."""
        return np.ascontiguousarray(np.moveaxis(self._ink, 0, 2))

    def blank(self) -> Plane:
        """Return an empty mask."""
        return np.zeros(self._ink.shape[1:], np.float32)

    def add(self, mask: Plane, ink: Ink) -> None:
        """Add an ink where the mask says."""
        for colour, strength in enumerate(ink):
            self._ink[colour] += np.float32(strength) * mask

    def texture(self, grain_um: float, index: int) -> Plane:
        """Return smooth noise of unit variance with grains of a size.

        It is drawn from the middle outwards, so that a growing cell keeps it.
        """
        rows, columns = self._ink.shape[1:]
        return _texture(self.seed, index, rows, columns, grain_um)

    def disc(self, x: float, y: float, radius: float, soft: float = 0.25) -> Plane:
        """Return a filled disc."""
        mask = self.blank()
        rows, columns = self._around(x, y, radius + soft)
        away = np.hypot(self.x[:, columns] - x, self.y[rows] - y)
        mask[rows, columns] = inside(away - radius, soft)
        return mask

    def ring(self, x: float, y: float, radius: float, width: float) -> Plane:
        """Return a circle drawn with a soft pen."""
        mask = self.blank()
        rows, columns = self._around(x, y, radius + 4 * width)
        away = np.hypot(self.x[:, columns] - x, self.y[rows] - y)
        mask[rows, columns] = line(away - radius, width)
        return mask

    def _around(self, x: float, y: float, reach: float) -> Tuple[slice, slice]:
        """Return the rows and columns within reach of a place."""
        found = []
        for place, size in zip((y, x), self._ink.shape[1:]):
            middle = place / DRAWING_UM + size // 2
            low = int(np.floor(middle - reach / DRAWING_UM))
            high = int(np.ceil(middle + reach / DRAWING_UM)) + 1
            found.append(slice(max(low, 0), max(high, 0)))
        return found[0], found[1]

    def body(self, distance: Plane, wall: float = 1.0) -> Plane:
        """Draw wall, rim and cytoplasm of a body; return its inside."""
        within = inside(distance + 0.3, 0.25)
        self.add(within, CYTOPLASM)
        self.add(line(distance + 0.15, 0.24), times(WALL, wall))
        self.add(line(distance + 0.75, 0.28), times(GREY, -0.16 * wall))
        self.add(line(distance - 0.75, 0.5), times(GREY, -0.30 * wall))
        return within

    def dots(
        self, mask: Plane, count: int, radius: float, strength: float, index: int
    ) -> None:
        """Scatter small refracting grains over a mask: dark rims, bright middles."""
        rows, columns = np.nonzero(mask > 0.8)  # noqa: PLR2004 (well inside)
        if len(rows) == 0:
            return
        numbers = np.arange(count)
        picks = (uniform(self.seed, index, numbers) * len(rows)).astype(int)
        sizes = 0.7 + 0.6 * uniform(self.seed, index + 1, numbers)
        for pick, size in zip(picks, sizes):
            x, y = float(self.x[0, columns[pick]]), float(self.y[rows[pick], 0])
            grain = radius * float(size)
            self.add(self.ring(x, y, grain, 0.16), times(DARK, strength))
            self.add(self.disc(x, y, grain * 0.5), times(GREY, -0.5 * strength))


@lru_cache(maxsize=64)
def _texture(seed: int, index: int, rows: int, columns: int, grain_um: float) -> Plane:
    """Return smooth noise of unit variance."""
    sigma = grain_um / DRAWING_UM / 2
    i = np.arange(columns)[np.newaxis, :] - columns // 2
    j = np.arange(rows)[:, np.newaxis] - rows // 2
    noise = normal(seed, index, i, j).reshape(rows, columns).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.asarray(blurred * np.float32(2.0 * np.sqrt(np.pi) * sigma))


def times(ink: Ink, by: float) -> Ink:
    """Return a weaker, stronger or opposite ink."""
    return (ink[0] * by, ink[1] * by, ink[2] * by)


def inside(distance: Plane, soft: float) -> Plane:
    """Return 1 inside, 0 outside of a signed distance, with a soft edge."""
    share = np.clip(0.5 - distance / (2 * soft), 0.0, 1.0)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def line(distance: Plane, width: float) -> Plane:
    """Return a soft line along the zero of a signed distance."""
    return np.asarray(np.exp(-0.5 * (distance / width) ** 2), np.float32)


def capsule(x: Plane, y: Plane, length: float, width: float) -> Plane:
    """Return the signed distance to a rod with round ends."""
    half = max(length - width, 0.0) / 2
    away = np.hypot(np.maximum(np.abs(x) - half, 0.0), y)
    return np.asarray(away - width / 2, np.float32)


def oval(x: Plane, y: Plane, length: float, width: float) -> Plane:
    """Return roughly the signed distance to an ellipse."""
    a, b = length / 2, width / 2
    level = np.hypot(x / a, y / b)
    steepness = np.hypot(x / a**2, y / b**2) / np.maximum(level, 1e-3)
    return np.asarray((level - 1.0) / np.maximum(steepness, 1.0 / a), np.float32)


def smooth(share: float) -> float:
    """Return a step from 0 to 1 with soft ends."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)
