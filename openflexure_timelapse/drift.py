"""How far the scene moved, and which move of the stage brings it back. Pure.

Sign convention, used throughout: a positive shift means that the scene lies further
right (x) or further down (y) in the current picture than in the reference.
"""

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DriftDecision",
    "Reference",
    "Shift",
    "decide_drift",
    "measure_shift",
]

Grey = Union[NDArray[np.uint8], NDArray[np.float32]]
PerStep = Tuple[Tuple[float, float], Tuple[float, float]]

# The cross-power spectrum is weighted by a Gaussian, so that sensor noise, which
# fills the high frequencies, does not drown the scene and the peak is a Gaussian.
PEAK_SIGMA_PX = 2.5
SMALLEST_SIDE_PX = 32
# Around the peak, in which a second peak is taken for the flank of the first.
FLANK_PX = 12
LEAST_RESPONSE = 3.0
DEAD_BAND_PX = 1.0
LEAST_DETERMINANT = 1e-6
# A scene that grows or swims registers worse and worse with an old picture; below this
# response a newer picture becomes the reference while it still registers.
FRESH_RESPONSE = 2 * LEAST_RESPONSE
MOST_MISSES = 10


@dataclass(frozen=True)
class Shift:
    """How far the scene moved between two pictures.

    Attributes
    ----------
    dx_px, dy_px : float
        Right and down, in pixels of the pictures.
    response : float
        Height of the correlation peak over the next highest one. Pictures that have
        nothing in common stay under 2.2, because any single pair of alike cells
        makes a peak as high as the next pair's.
    """

    dx_px: float
    dy_px: float
    response: float


@dataclass(frozen=True)
class Reference:
    """The picture that drift is measured against.

    A fixed first picture is soon unlike a living scene (in another project's runs it
    saturated after 15 hours), so the reference is renewed, and remembers how far it
    was itself from the first: renewing it adds no drift.

    Attributes
    ----------
    jpeg : bytes
        The preview.
    shift_px : (float, float)
        How far the scene in it lies from where it lay in the first reference.
    misses : int
        How many pictures in a row did not register with it.
    """

    jpeg: bytes
    shift_px: Tuple[float, float] = (0.0, 0.0)
    misses: int = 0

    def total(self, shift: Shift) -> Shift:
        """Return a shift against this picture as one against the first."""
        dx_px, dy_px = self.shift_px
        return Shift(shift.dx_px + dx_px, shift.dy_px + dy_px, shift.response)

    def after(self, jpeg: bytes, total: Shift) -> "Reference":
        """Return the reference for the next measurement.

        Parameters
        ----------
        jpeg : bytes
            The picture just measured.
        total : Shift
            Of that picture against the first reference.
        """
        if total.response >= FRESH_RESPONSE:
            return replace(self, misses=0)
        if total.response >= LEAST_RESPONSE:
            return Reference(jpeg, (total.dx_px, total.dy_px))
        if self.misses + 1 < MOST_MISSES:
            return replace(self, misses=self.misses + 1)
        # Changed beyond recognition: the scene is taken to lie where the last
        # correction put it.
        return Reference(jpeg)


@dataclass(frozen=True)
class DriftDecision:
    """What to do about a shift.

    Attributes
    ----------
    accepted : bool
        False when the shift is not believed or may not be corrected.
    move_steps : (int, int)
        What to add to the stage's x and y; (0, 0) when not accepted.
    shift_px : (float, float)
        As measured, whether believed or not.
    response : float
        Of the measurement.
    reason : str
        One sentence for people.
    """

    accepted: bool
    move_steps: Tuple[int, int]
    shift_px: Tuple[float, float]
    response: float
    reason: str

    def to_json(self) -> Dict[str, Any]:
        """Return the decision as JSON-able data for the visit's record."""
        return {
            "accepted": self.accepted,
            "move_steps": list(self.move_steps),
            "shift_px": [round(value, 3) for value in self.shift_px],
            "response": round(self.response, 2),
            "reason": self.reason,
        }


def measure_shift(reference: Grey, current: Grey) -> Shift:
    """Measure how far the scene moved, by windowed phase correlation.

    What moves by itself (swimming cells) spreads over the correlation as noise; what
    stays where it is relative to the sample makes the one sharp peak.

    Parameters
    ----------
    reference, current : array of uint8 or float32, shape (height, width)
        Grey pictures of one size, at least 32 pixels each way.

    Returns
    -------
    Shift
        With response 0 when either picture is empty, too small or of another size.

    Notes
    -----
    ``cv2.phaseCorrelate`` pads to an odd height at common preview sizes (625 for 624)
    and is then off by half a pixel; NumPy's transform takes any size as it is.
    """
    if reference.shape != current.shape or min(reference.shape) < SMALLEST_SIDE_PX:
        return Shift(0.0, 0.0, 0.0)
    height, width = reference.shape
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    first = _spectrum(reference, window)
    second = _spectrum(current, window)
    cross = second * np.conj(first)
    size = np.abs(cross)
    if float(size.max()) == 0.0:
        return Shift(0.0, 0.0, 0.0)
    cross = cross / np.maximum(size, float(size.max()) * 1e-12)
    surface = np.fft.irfft2(cross * _low_pass(height, width), s=(height, width))
    return _peak(surface)


def decide_drift(
    shift: Shift, image_shift_per_step: Optional[PerStep], max_step: int
) -> DriftDecision:
    """Decide which move of the stage brings the scene back.

    Parameters
    ----------
    shift : Shift
        From the position's reference to now.
    image_shift_per_step : ((float, float), (float, float)) or None
        As in `CameraInfo`: pixels ``(dx, dy)`` for one step of x and of y.
    max_step : int
        The largest move of one axis, in steps; more is rejected, not shortened,
        because a large shift is more often a wrong measurement than a drift.
    """
    measured, response = (shift.dx_px, shift.dy_px), shift.response

    def rejected(reason: str) -> DriftDecision:
        return DriftDecision(
            accepted=False,
            move_steps=(0, 0),
            shift_px=measured,
            response=response,
            reason=reason,
        )

    def accepted(move_steps: Tuple[int, int], reason: str) -> DriftDecision:
        return replace(rejected(reason), accepted=True, move_steps=move_steps)

    if response < LEAST_RESPONSE:
        found = f"response {response:.1f}, {LEAST_RESPONSE:g} needed"
        return rejected(f"the pictures do not register: {found}")
    matrix = None if image_shift_per_step is None else np.array(image_shift_per_step).T
    if matrix is None or abs(float(np.linalg.det(matrix))) < LEAST_DETERMINANT:
        return rejected("the camera is not calibrated against the stage")
    if max(abs(shift.dx_px), abs(shift.dy_px)) < DEAD_BAND_PX:
        return accepted((0, 0), f"less than {DEAD_BAND_PX:g} px: left alone")
    steps = np.linalg.solve(matrix, -np.array(measured))
    move = (int(np.rint(steps[0])), int(np.rint(steps[1])))
    if max(abs(move[0]), abs(move[1])) > max_step:
        wanted = f"x {move[0]:+d}, y {move[1]:+d} steps, limit {max_step}"
        return rejected(f"the correction is too large: {wanted}")
    return accepted(move, "corrected")


def _spectrum(grey: Grey, window: NDArray[np.float32]) -> NDArray[np.complex128]:
    """Return the Fourier transform of the picture, faded to nothing at its edges."""
    pixels = grey.astype(np.float32)
    return np.asarray(np.fft.rfft2((pixels - pixels.mean()) * window))


def _low_pass(height: int, width: int) -> NDArray[np.float64]:
    """Return weights that turn the correlation of equal pictures into a Gaussian."""
    across = np.fft.rfftfreq(width)[np.newaxis, :]
    down = np.fft.fftfreq(height)[:, np.newaxis]
    exponent = -2.0 * (np.pi * PEAK_SIGMA_PX) ** 2 * (across**2 + down**2)
    weights = np.asarray(np.exp(exponent), dtype=np.float64)
    weights[0, 0] = 0.0
    return weights


def _peak(surface: NDArray[np.float64]) -> Shift:
    """Find the highest point of the correlation to a fraction of a pixel."""
    height, width = surface.shape
    row, column = np.unravel_index(int(np.argmax(surface)), surface.shape)
    middle = height // 2, width // 2
    centred = np.roll(surface, (middle[0] - row, middle[1] - column), axis=(0, 1))
    top = float(centred[middle])
    down = _vertex(centred[middle[0] - 1 : middle[0] + 2, middle[1]].tolist())
    across = _vertex(centred[middle[0], middle[1] - 1 : middle[1] + 2].tolist())
    flank = [slice(max(0, at - FLANK_PX), at + FLANK_PX + 1) for at in middle]
    centred[tuple(flank)] = 0.0
    second = float(centred.max())
    if top <= 0.0 or second <= 0.0:
        return Shift(0.0, 0.0, 0.0)
    dy = (float(row) + down + height / 2) % height - height / 2
    dx = (float(column) + across + width / 2) % width - width / 2
    return Shift(dx, dy, top / second)


def _vertex(values: List[float]) -> float:
    """Return where a Gaussian through three points at -1, 0 and 1 has its top."""
    low, middle, high = (float(np.log(max(value, 1e-300))) for value in values)
    bend = low - 2.0 * middle + high
    if bend >= 0.0:
        return 0.0
    return float(np.clip(0.5 * (low - high) / bend, -0.5, 0.5))
