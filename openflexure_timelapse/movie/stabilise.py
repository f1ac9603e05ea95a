"""How frames are laid back, so that a movie stands still and shows no border. Pure.

All of the motion is taken out where little of the picture must be cut off for it. Where
the scene wanders farther, it may wander slowly, and only its shaking is taken out.
"""

from dataclasses import dataclass
from typing import Sequence, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.deflicker import slow_part
from openflexure_timelapse.movie.filters import Picture
from openflexure_timelapse.movie.registration import Pose, laying

__all__ = ["Steadying", "steadying"]

Moves = NDArray[np.float64]

MOST_CUT = 0.12
"""Of each side of the picture."""

# Of the slow wandering that stays, the slowest that can be had comes first.
HALF_WINDOWS = (240, 120, 60, 30, 15, 8, 4)
SMALLEST_SHIFT = 1e-5
# What interpolation looks at beyond a pixel, and rounding.
SPARE = 0.006


@dataclass(frozen=True)
class Steadying:
    """How each frame is laid back.

    Attributes
    ----------
    moves : array of float64, shape (frames, 3)
        Right and down as parts of width and height, and clockwise in radians: how the
        frame lies, to be undone.
    kept : float
        The part of width and height that is shown, at most 1.
    remark : str
        What a person should know; may be empty.
    """

    moves: Moves
    kept: float
    remark: str = ""

    def apply(self, index: int, picture: Picture) -> Picture:
        """Return frame `index` laid back and enlarged to the size that it had."""
        if self.kept >= 1.0:
            return picture
        height, width = picture.shape[:2]
        dx, dy, angle = (float(value) for value in self.moves[index])
        size = (width, height)
        matrix = laying(dx * width, dy * height, angle, size, self.kept)
        how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return np.asarray(
            cv2.warpAffine(
                picture, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE
            ),
            np.uint8,
        )


def steadying(poses: Sequence[Pose], shape: float) -> Steadying:
    """Decide how the frames are laid back.

    Parameters
    ----------
    poses : sequence of Pose
        Of every frame, in order.
    shape : float
        Width over height of the picture.
    """
    lies = np.array([(pose.dx, pose.dy, pose.angle) for pose in poses], np.float64)
    scenes = np.array([pose.scene for pose in poses], np.int64)
    sure = np.array([pose.registered for pose in poses], bool)
    if not sure.any():
        told = "nothing in the pictures stands still: they are shown as they are"
        return Steadying(np.zeros((len(poses), 3)), 1.0, told)
    moves = np.zeros(lies.shape)
    wandering = False
    for scene in np.unique(scenes):
        members = np.flatnonzero(scenes == scene)
        moves[members], wanders = _of_scene(lies[members], shape)
        wandering = wandering or wanders
    cut = _cut(moves, shape)
    kept = 1.0 if cut < SMALLEST_SHIFT else 1.0 - 2.0 * (cut + SPARE)
    return Steadying(moves, kept, _remark(scenes, sure, wandering=wandering))


def _of_scene(lies: Moves, shape: float) -> Tuple[Moves, bool]:
    """Return the moves of one scene, and whether it is let wander."""
    places, turned = lies[:, :2], lies[:, 2:]
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    moves = np.hstack([places - middle, turned])
    if _cut(moves, shape) <= MOST_CUT:
        return moves, False
    for half_window in HALF_WINDOWS:
        slow = [slow_part(places[:, axis], half_window) for axis in (0, 1)]
        moves = np.hstack([places - np.stack(slow, axis=1), turned])
        if _cut(moves, shape) <= MOST_CUT:
            return moves, True
    return np.zeros(lies.shape), True


def _cut(moves: Moves, shape: float) -> float:
    """Return which part of each side must be cut so that no border shows."""
    turned = np.abs(np.sin(moves[:, 2])) / 2
    across = np.abs(moves[:, 0]) + turned / shape
    down = np.abs(moves[:, 1]) + turned * shape
    return float(max(across.max(), down.max()))


def _remark(
    scenes: NDArray[np.int64], sure: NDArray[np.bool_], *, wandering: bool
) -> str:
    """Say what could not be done."""
    remarks = []
    if wandering:
        remarks.append(
            "the scene wanders too far to be held: only shaking is taken out"
        )
    seen = len(np.unique(scenes[sure]))
    if seen > 1:
        times = "once" if seen == 2 else f"{seen - 1} times"  # noqa: PLR2004 (one jump)
        remarks.append(f"the picture jumped {times} too far to be registered")
    unsure = int((~sure).sum())
    if unsure:
        remarks.append(f"{unsure} of {len(sure)} frames did not register")
    return "; ".join(remarks)
