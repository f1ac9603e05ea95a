"""How the scene lies in each frame of a movie: shift and small rotation. Pure.

Each frame is laid over a *background*, which is what stands still: the running average
of the frames before, as they were laid back. The fit is Lucas and Kanade's (Proc. 7th
IJCAI, 1981), with weights that take from each pixel its vote as it disagrees (Geman and
McClure): what swims, divides or passes is outvoted and drags nothing along, as long as
something in the picture stands still.

Where the fit from the last place fails, phase correlation (`drift.measure_shift`)
offers another one to begin at. What the fit tells of its own uncertainty decides
whether it is believed; clean water and a heap of dancing beads are not registrable, and
the frame then keeps the place of the one before.
"""

from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.drift import measure_shift
from openflexure_timelapse.movie.filters import Size

__all__ = ["Pose", "Tracker", "laying"]

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]
Vector = NDArray[np.float64]

FIRST_FRAMES = 12
"""Of which the first background is made."""

FINE_SIGMA_PX = 1.0
COARSE_PX = (29, 29)
EDGE_PX = 8
STRUCTURED_PER_CENT = 85.0
LEAST_GRADIENT = 0.5
MOST_PIXELS = 6000
# What dances leaves some hundred pixels in a background, by chance.
FEWEST_PIXELS = 500
CHOOSE_EVERY = 8

ROUNDS = 10
ENOUGH_PX = 0.01
LEAST_SCALE = 0.6
FAR_PER_SCALE = 2.0
AREA_PX = 24
MOST_UNCERTAIN_PX = 1.5
LEAST_EXPLAINED = 0.35
SURE_ROTATION = 8.0

FARTHEST = 0.3  # of the smaller side, from frame to frame
REGISTERED_RESPONSE = 3.0
RENEWED = 0.1
MOST_RENEWED_LEVELS = 6.0
MISSES_TO_NEW_SCENE = 5


@dataclass(frozen=True)
class Pose:
    """How the scene lies in one frame, against where it lay when its scene began.

    Attributes
    ----------
    dx, dy : float
        Right and down, as parts of the picture's width and height.
    angle : float
        Clockwise as seen, in radians.
    scene : int
        Counts how often the picture changed so much that nothing registered.
    registered : bool
        False where the pose is that of the frame before.
    """

    dx: float
    dy: float
    angle: float
    scene: int
    registered: bool


class _Fit(NamedTuple):
    """A place (pixels, pixels, radians), and how far it is to be believed."""

    lies: Vector
    uncertain_px: float
    explained: float

    @property
    def is_sure(self) -> bool:
        """Whether it is to be believed."""
        certain = self.uncertain_px < MOST_UNCERTAIN_PX
        return certain and self.explained >= LEAST_EXPLAINED


class Tracker:
    """Follows the scene through the frames of a movie.

    Frames go in with `add`, in order, and poses come out in the same order, some of
    them later: the first background needs a few frames.
    """

    def __init__(self) -> None:
        self._first: List[Floats] = []
        self._scene = 0
        self._begin()

    def _begin(self) -> None:
        self._background: Optional[_Background] = None
        self._lies = np.zeros(3)
        self._misses = 0

    def add(self, grey: Grey) -> Sequence[Pose]:
        """Take the next frame; return the poses that are known by it.

        Parameters
        ----------
        grey : array of uint8, shape (height, width)
            Reduced, to about 400 pixels across. One of another size begins a new
            scene.
        """
        frame = _structure(grey)
        known: List[Pose] = []
        if self._is_of_another_size(frame):
            known += self.finish()
            self._scene += 1
            self._begin()
        if self._background is None:
            self._first.append(frame)
            return known + list(self.finish()) if self._is_enough else known
        return [*known, self._follow(frame, self._background)]

    def finish(self) -> Sequence[Pose]:
        """Return the poses that are not out yet."""
        frames, self._first = self._first, []
        if not frames:
            return ()
        self._background = _Background(_common(frames))
        return [self._follow(frame, self._background) for frame in frames]

    @property
    def _is_enough(self) -> bool:
        return len(self._first) >= FIRST_FRAMES

    def _is_of_another_size(self, frame: Floats) -> bool:
        """Tell whether a frame is not like those before."""
        if self._first:
            return self._first[0].shape != frame.shape
        return (
            self._background is not None
            and self._background.picture.shape != frame.shape
        )

    def _follow(self, frame: Floats, background: "_Background") -> Pose:
        """Register one frame."""
        fit = _best_fit(background, frame, self._lies)
        height, width = frame.shape
        if fit is not None:
            self._lies, self._misses = fit.lies, 0
            background.renew(_laid_back(frame, fit.lies))
        else:
            self._misses += 1
            if self._misses == MISSES_TO_NEW_SCENE:
                self._scene += 1
                self._begin()
                self._background = _Background(frame)
            else:
                background.renew(_laid_back(frame, self._lies))
        dx, dy, angle = self._lies
        return Pose(dx / width, dy / height, angle, self._scene, fit is not None)


def _best_fit(background: "_Background", frame: Floats, last: Vector) -> Optional[_Fit]:
    """Return a fit that is to be believed, from the last place or another one."""
    reach = FARTHEST * min(frame.shape)
    fit = background.fit(frame, last)
    if not fit.is_sure:
        shift = measure_shift(background.picture, frame)
        if shift.response < REGISTERED_RESPONSE:
            return None
        fit = background.fit(frame, np.array([shift.dx_px, shift.dy_px, last[2]]))
    moved = np.abs(fit.lies[:2] - last[:2]).max()
    return fit if fit.is_sure and moved <= reach else None


class _Background:
    """What stands still.

    Parameters
    ----------
    picture : array of float32, shape (height, width)
        Its structure.
    """

    def __init__(self, picture: Floats) -> None:
        self.picture = picture.copy()
        self._renewals = 0
        self._choose()
        self._values = self._at_chosen()

    def _choose(self) -> None:
        """Choose the pixels that tell a place, and how they change with it."""
        gradients = [
            cv2.Sobel(self.picture, cv2.CV_32F, *order, scale=1 / 8)
            for order in ((1, 0), (0, 1))
        ]
        size = np.hypot(*gradients)
        inside = np.zeros(size.shape, bool)
        inside[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX] = True
        least = max(float(np.percentile(size, STRUCTURED_PER_CENT)), LEAST_GRADIENT)
        chosen = np.flatnonzero((size > least) & inside)
        self._chosen = chosen[:: max(1, len(chosen) // MOST_PIXELS)]
        height, width = size.shape
        y, x = np.divmod(self._chosen, width)
        areas = (y // AREA_PX) * width + x // AREA_PX
        _, self._areas = np.unique(areas, return_inverse=True)
        x, y = x - (width - 1) / 2, y - (height - 1) / 2
        self._places = x, y
        gx, gy = (gradient.reshape(-1)[self._chosen] for gradient in gradients)
        self._changes = np.stack([gx, gy, x * gy - y * gx], axis=1).astype(np.float64)
        self._steepness = 2.0 * np.hypot(gx, gy)

    def renew(self, laid: Floats) -> None:
        """Let a frame that was laid back change what is known, a little."""
        self._renewals += 1
        most = MOST_RENEWED_LEVELS
        news = np.clip(laid - self.picture, -most, most)
        self.picture += RENEWED * news
        if self._renewals % CHOOSE_EVERY == 0:
            self._choose()
        self._values = self._at_chosen()

    def _at_chosen(self) -> Floats:
        """Return the picture's values at the pixels chosen."""
        return np.asarray(self.picture.reshape(-1)[self._chosen])

    def fit(self, frame: Floats, lies: Vector) -> _Fit:
        """Return how the scene lies in a frame, searched from a place nearby.

        A rotation is believed only when it is many times its own uncertainty: a wrong
        one shakes the corners, and a stage hardly turns.
        """
        if len(self._chosen) < FEWEST_PIXELS:
            return _Fit(lies, float("inf"), 0.0)
        shifted = self._descend(frame, lies, 2)
        turned = self._descend(frame, shifted.lies, 3)
        by = abs(float(turned.lies[2] - lies[2]))
        best = turned if by > SURE_ROTATION * turned.deviations[2] else shifted
        seen = np.minimum(np.abs(best.off), self._steepness).sum()
        explained = 1.0 - float(seen / self._steepness.sum())
        return _Fit(best.lies, float(best.deviations[:2].max()), explained)

    def _descend(self, frame: Floats, lies: Vector, unknowns: int) -> "_Descent":
        """Go from a place to where the frame fits best; the first unknowns only."""
        lies = lies.copy()
        changes = self._changes[:, :unknowns]
        for _ in range(ROUNDS):
            off = self._off(frame, lies)
            weighted = changes * _votes(off)[:, np.newaxis]
            normal = weighted.T @ changes + 1e-6 * np.eye(unknowns)
            step = np.linalg.solve(normal, weighted.T @ off)
            lies[:unknowns] -= step
            if np.abs(step[:2]).max() < ENOUGH_PX:
                break
        deviations = _deviations(changes, weighted, off, self._areas)
        return _Descent(lies, deviations, off)

    def _off(self, frame: Floats, lies: Vector) -> Vector:
        """Return by how much the frame differs at the chosen pixels, laid back."""
        cos, sin = np.cos(lies[2]), np.sin(lies[2])
        x, y = self._places
        height, width = frame.shape
        across = (cos * x - sin * y + lies[0] + (width - 1) / 2).astype(np.float32)
        down = (sin * x + cos * y + lies[1] + (height - 1) / 2).astype(np.float32)
        edge = cv2.BORDER_REPLICATE
        laid = cv2.remap(frame, across, down, cv2.INTER_LINEAR, borderMode=edge)
        return (laid.reshape(-1) - self._values).astype(np.float64)


class _Descent(NamedTuple):
    """Where a search ended: place, uncertainty of each unknown, what is left over."""

    lies: Vector
    deviations: Vector
    off: Vector


def _deviations(
    changes: Vector, weighted: Vector, off: Vector, areas: NDArray[np.int64]
) -> Vector:
    """Return how uncertain a fit's unknowns are: how they change without each area.

    The pixels of one thing that moves err together, and where one thread tells all of a
    rotation, it tells nothing of its own truth. So whole areas are left out, one after
    the other (the jackknife; MacKinnon and White, J. Econometrics 29, 305, 1985).
    """
    pulls = weighted * off[:, np.newaxis]
    count = int(areas.max()) + 1
    pull = np.stack([np.bincount(areas, one, count) for one in pulls.T], axis=1)
    products = weighted[:, :, np.newaxis] * changes[:, np.newaxis, :]
    unknowns = changes.shape[1]
    parts = [
        np.bincount(areas, products[:, row, column], count)
        for row in range(unknowns)
        for column in range(unknowns)
    ]
    each = np.stack(parts, axis=1).reshape(count, unknowns, unknowns)
    others = each.sum(axis=0) - each + 1e-6 * np.eye(unknowns)
    changed = np.linalg.solve(others, pull[:, :, np.newaxis])[:, :, 0]
    return np.asarray(np.sqrt((changed**2).sum(axis=0)))


def _votes(off: Vector) -> Vector:
    """Return the weight of each pixel: the less, the more it disagrees."""
    scale = max(LEAST_SCALE, 1.4826 * float(np.median(np.abs(off))))
    return 1.0 / (1.0 + (off / (FAR_PER_SCALE * scale)) ** 2) ** 2


def _structure(grey: Grey) -> Floats:
    """Return a picture without its noise, its shading and its brightness."""
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), FINE_SIGMA_PX)
    shading = cv2.blur(cv2.blur(smooth, COARSE_PX), COARSE_PX)
    return np.asarray(smooth - shading, np.float32)


def _common(frames: Sequence[Floats]) -> Floats:
    """Return what the first frames have in common: their median, laid on the first."""
    background = _Background(frames[0])
    lies = np.zeros(3)
    laid = [frames[0]]
    for frame in frames[1:]:
        fit = _best_fit(background, frame, lies)
        lies = lies if fit is None else fit.lies
        laid.append(_laid_back(frame, lies))
    return np.asarray(np.median(np.stack(laid), axis=0), np.float32)


def _laid_back(frame: Floats, lies: Vector) -> Floats:
    """Return a picture as it would be, had the scene not moved."""
    height, width = frame.shape
    matrix = laying(lies[0], lies[1], float(lies[2]), (width, height))
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REPLICATE
    laid = cv2.warpAffine(frame, matrix, (width, height), flags=how, borderMode=border)
    return np.asarray(laid, np.float32)


def laying(
    dx_px: float, dy_px: float, angle: float, size: Size, scale: float = 1.0
) -> Vector:
    """Return the matrix from a picture laid back to the one as it is.

    Parameters
    ----------
    dx_px, dy_px, angle : float
        How the scene lies: right, down, and clockwise in radians about the middle.
    size : (int, int)
        Width and height of both.
    scale : float
        The part of the picture that is shown, about its middle.

    Returns
    -------
    array of float64, shape (2, 3)
        For OpenCV's ``warpAffine`` with ``WARP_INVERSE_MAP``.
    """
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    middle = (np.array(size) - 1) / 2
    offset = middle + np.array([dx_px, dy_px]) - turn @ middle
    return np.hstack([turn, offset[:, np.newaxis]])
