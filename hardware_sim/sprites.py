"""Bodies that have been turned, scaled and blurred already, kept for the next picture.

Nothing in here changes a picture: a sprite is a pure function of its key.
"""

from collections import OrderedDict
from typing import Dict, List, NamedTuple, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware_sim.bodies import Look
from hardware_sim.drawings import DRAWING_UM, Drawing, draw

__all__ = ["Sprite", "SpriteBank", "SpriteKey"]

Density = NDArray[np.int16]

BANK_BYTES = 160_000_000
FAR_SIGMAS = 3.0
LEAST_SIGMA_PX = 0.3
SMALLEST_PX = 3


class SpriteKey(NamedTuple):
    """Everything that a sprite depends on.

    Attributes
    ----------
    look : Look
        Its drawing.
    px_um : float
        Size of a pixel.
    sigma_um : float
        Standard deviation of its blur.
    turn, turns : int
        Its angle in parts of a full turn.
    phase_x, phase_y, phases : int
        Where in its pixel the middle is, in parts of a pixel.
    """

    look: Look
    px_um: float
    sigma_um: float
    turn: int
    turns: int
    phase_x: int
    phase_y: int
    phases: int


class Sprite(NamedTuple):
    """A picture of a body, and in which of its pixels the middle is."""

    ink: Density
    left: int
    top: int


class SpriteBank:
    """Makes sprites and keeps those that were used last.

    Parameters
    ----------
    unit : float
        What stands for a density of 1 in a sprite.
    """

    def __init__(self, unit: float) -> None:
        self._unit = unit
        self._bank: "OrderedDict[SpriteKey, Sprite]" = OrderedDict()
        self._bytes = 0
        self._mips: Dict[Look, List[Drawing]] = {}

    def get(self, key: SpriteKey) -> Sprite:
        """Return the sprite of a key."""
        sprite = self._bank.get(key)
        if sprite is not None:
            self._bank.move_to_end(key)
            return sprite
        sprite = self._make(key)
        self._bank[key] = sprite
        self._bytes += sprite.ink.nbytes
        while self._bytes > BANK_BYTES:
            _, oldest = self._bank.popitem(last=False)
            self._bytes -= oldest.ink.nbytes
        return sprite

    def _make(self, key: SpriteKey) -> Sprite:
        """Turn, scale and blur a drawing."""
        mip, drawing = self._drawing(key.look, key.px_um)
        ratio = key.px_um / (DRAWING_UM * 2**mip)
        sigma_px = key.sigma_um / key.px_um
        margin = int(np.ceil(FAR_SIGMAS * sigma_px)) + 2
        angle = 2 * np.pi * key.turn / key.turns
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        rows, columns = drawing.shape[:2]
        half_x = (abs(cos) * columns + abs(sin) * rows) / 2 / ratio
        half_y = (abs(sin) * columns + abs(cos) * rows) / 2 / ratio
        left, top = int(np.ceil(half_x)) + margin, int(np.ceil(half_y)) + margin
        # From the sprite's pixels back to the drawing's.
        back = np.array([[cos, sin, 0.0], [-sin, cos, 0.0]]) * ratio
        middle = np.array(
            [left + key.phase_x / key.phases, top + key.phase_y / key.phases]
        )
        back[:, 2] = np.array([columns - 1, rows - 1]) / 2 - back[:, :2] @ middle
        ink = cv2.warpAffine(
            drawing,
            back,
            (2 * left + 2, 2 * top + 2),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        )
        sigma_px = max(sigma_px, LEAST_SIGMA_PX)
        ink = cv2.GaussianBlur(ink, (0, 0), sigma_px, borderType=cv2.BORDER_CONSTANT)
        return Sprite(np.rint(ink * self._unit).astype(np.int16), left, top)

    def _drawing(self, look: Look, px_um: float) -> Tuple[int, Drawing]:
        """Return the smallest reduction of a drawing that is finer than the picture."""
        mips = self._mips.setdefault(look, [])
        if not mips:
            mips.append(draw(look))
        wanted = max(0, int(np.floor(np.log2(px_um / DRAWING_UM))))
        while len(mips) <= wanted and min(mips[-1].shape[:2]) > SMALLEST_PX:
            mips.append(_halved(mips[-1]))
        mip = min(wanted, len(mips) - 1)
        return mip, mips[mip]


def _halved(drawing: Drawing) -> Drawing:
    """Return a drawing at half the size with the same middle."""
    rows, columns = (n // 2 | 1 for n in drawing.shape[:2])
    soft = cv2.GaussianBlur(drawing, (0, 0), 0.7, borderType=cv2.BORDER_CONSTANT)
    back = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    back[0, 2] = (drawing.shape[1] - 1) / 2 - (columns - 1)
    back[1, 2] = (drawing.shape[0] - 1) / 2 - (rows - 1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(soft, back, (columns, rows), flags=flags))
