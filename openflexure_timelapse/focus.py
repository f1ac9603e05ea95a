"""Where the focus is, from sharpness against height, or that there is none. Pure.

An empty or flat field must never become a random height, so a peak is believed only
when it is clear (gain), lies inside the sweep, stands alone (one hill, not noise) and
is near the last good height. Otherwise the last good height is used.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.plan import Accept
from openflexure_timelapse.ports import FocusSweep
from openflexure_timelapse.quality import decode_grey, laplacian_variance

__all__ = [
    "PICTURES_OF",
    "STILL_CONTRAST",
    "FocusDecision",
    "believed",
    "decide_focus",
    "sharpness_of",
]

Floats = NDArray[np.float64]
Grey = NDArray[np.uint8]

STILL_CONTRAST = "still_contrast"
PICTURES_OF = {STILL_CONTRAST: 2, "laplacian_variance": 1, "jpeg_bytes": 1}
"""The sharpness metrics, each with how many pictures of one height it wants."""

TILES = (8, 6)
WIDTH_PX = 150
# Added to each tile's contrast in (grey levels)²: below it there is nothing to see.
NOTHING = 0.5

MOST_RECORDED = 60
# A curve with one hill must explain this share of the variance. Noise alone, at this
# many heights, does so in less than one sweep of a hundred; real peaks explain 0.95.
LEAST_SINGLE_PEAKED = 0.9
FEWEST_HEIGHTS = 15
# Neighbours within this many of the sweep's finer gaps stand close together.
CLOSE = 1.6
# A hill must have this many heights above this share of the way from base to peak.
FEWEST_ON_PEAK = 3
FOOT = 0.25
# Shares of the way from base to peak at which the middle is taken.
LEVELS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
FEWEST_MIDPOINTS = 3


@dataclass(frozen=True)
class FocusDecision:
    """Which height to use, and why.

    Attributes
    ----------
    accepted : bool
        False when the sweep is not believed.
    z : int
        Where to go, in steps: the peak, or the last good height, or the height
        before the sweep when there is no good one yet.
    reason : str
        One sentence for people.
    peak_z : float or None
        Where the sweep has its peak, in steps, believed or not; None without one.
    gain : float
        Sharpness at the peak over that at the sweep's more blurred end.
    last_good_z : int or None
        What the result was compared with, in steps.
    metric : str
        As in `FocusSweep`.
    samples : tuple of (int, float)
        Height and sharpness in the order of measurement, thinned out to 60.
    """

    accepted: bool
    z: int
    reason: str
    peak_z: Optional[float]
    gain: float
    last_good_z: Optional[int]
    metric: str
    samples: Tuple[Tuple[int, float], ...]

    def to_json(self) -> Dict[str, Any]:
        """Return the decision as JSON-able data for the visit's record."""
        return {
            "accepted": self.accepted,
            "z": self.z,
            "reason": self.reason,
            "peak_z": None if self.peak_z is None else round(self.peak_z, 1),
            "gain": round(self.gain, 4),
            "last_good_z": self.last_good_z,
            "metric": self.metric,
            "samples": [[z, round(value, 2)] for z, value in self.samples],
        }


def sharpness_of(jpegs: Sequence[bytes], metric: str) -> float:
    """Return how sharp the scene is at one height, larger is sharper.

    Parameters
    ----------
    jpegs : sequence of bytes
        Whole previews of one height, as many as `PICTURES_OF` says, one after the
        other; all of the same size and quality within a sweep.
    metric : str
        ``still_contrast``: the contrast of what is at the same place in both
        pictures, in grey levels. Swimming cells and noise are not.
        ``laplacian_variance``: of one grey picture, in (grey levels)².
        ``jpeg_bytes``: the size of one file, which grows with detail and costs
        nothing; what OpenFlexure's own fast autofocus uses.
        Measured side by side in ``benchmarks/focus.py``.

    Raises
    ------
    ValueError
        For a metric of another name.
    """
    if metric not in PICTURES_OF:
        known = ", ".join(PICTURES_OF)
        raise ValueError(f"The sharpness metric {metric!r} is unknown; use {known}.")
    if metric == "jpeg_bytes":
        return float(len(jpegs[0]))
    width = WIDTH_PX if metric == STILL_CONTRAST else None
    greys = [decode_grey(jpeg, width) for jpeg in jpegs]
    whole = [grey for grey in greys if grey is not None]
    if len(whole) < PICTURES_OF[metric]:
        return 0.0
    if metric == STILL_CONTRAST:
        return _still_contrast(whole[0], whole[1])
    return laplacian_variance(whole[0])


def _still_contrast(first: Grey, second: Grey) -> float:
    """Return the contrast of what stands still, in grey levels.

    The product of both pictures' Laplacians is positive where detail stays, and
    averages out to nothing where it is new: noise, and cells that swam on. The
    geometric mean over tiles lets many small things outweigh one large one.
    """
    if first.shape != second.shape:
        return 0.0
    both = cv2.Laplacian(first, cv2.CV_32F) * cv2.Laplacian(second, cv2.CV_32F)
    tiles = np.maximum(cv2.resize(both, TILES, interpolation=cv2.INTER_AREA), 0.0)
    return float(np.exp(0.5 * np.mean(np.log(tiles + NOTHING))))


def decide_focus(
    sweep: FocusSweep,
    accept: Accept,
    range_steps: int,
    last_good_z: Optional[int],
    start_z: int,
) -> FocusDecision:
    """Decide which height to use after a sweep.

    Parameters
    ----------
    sweep : FocusSweep
        Heights in any order; a height may have been measured more than once.
    accept : Accept
        The plan's limits.
    range_steps : int
        Whole height of the sweep in steps; half of it is the default of
        ``accept.max_shift``.
    last_good_z : int or None
        The last accepted height of this position; None for its first focus, which
        is then limited by the sweep alone.
    start_z : int
        The height before the sweep, used when nothing else is known.
    """
    heights, sharpness = believed(sweep.z_steps, sweep.sharpness)
    gain, peak_z = 1.0, None
    if len(heights) < FEWEST_HEIGHTS:
        objection = f"only {len(heights)} heights measured, {FEWEST_HEIGHTS} needed"
    else:
        gain = _gain(sharpness)
        objection = _objection(sweep, sharpness, gain, accept)
    if not objection:
        peak_z = _middle(heights, sharpness)
        limit = range_steps / 2 if accept.max_shift is None else accept.max_shift
        if peak_z is None:
            top = heights[int(np.argmax(sharpness))]
            objection = f"peak at the edge of the sweep ({top:.0f}): increase the range"
        elif last_good_z is not None and abs(peak_z - last_good_z) > limit:
            way = f"{peak_z - last_good_z:+.0f} steps from the last good height"
            objection = f"the peak is {way}, limit {limit:.0f}"
    fallback = start_z if last_good_z is None else last_good_z
    return FocusDecision(
        accepted=not objection,
        z=fallback if objection or peak_z is None else int(np.rint(peak_z)),
        reason=objection or "clear peak",
        peak_z=peak_z,
        gain=gain,
        last_good_z=last_good_z,
        metric=sweep.metric,
        samples=_thin(tuple(zip(sweep.z_steps, sweep.sharpness))),
    )


def believed(
    z_steps: Sequence[int], sharpness: Sequence[float]
) -> Tuple[Floats, Floats]:
    """Return the curve with the marks of passing cells taken out.

    A cell that swims through the picture adds detail to one picture. So of repeated
    measurements the lowest counts, and where heights stand close together each value
    is replaced by the median of three. A lone coarse height is left alone: it may be
    all that was seen of a narrow peak.

    Returns
    -------
    heights, sharpness : array of float
        Sorted by height, each height once.
    """
    heights, values = _merge(z_steps, sharpness)
    gaps = np.diff(heights)
    if len(gaps) > 1:
        wide = np.maximum(gaps[:-1], gaps[1:])
        close = wide <= CLOSE * float(np.percentile(gaps, 25))
        threes = np.stack([values[:-2], values[1:-1], values[2:]])
        values[1:-1] = np.where(close, np.median(threes, axis=0), values[1:-1])
    return heights, values


def _merge(z_steps: Sequence[int], sharpness: Sequence[float]) -> Tuple[Floats, Floats]:
    """Sort by height; of repeated measurements keep the lowest."""
    lowest: Dict[int, float] = {}
    for z, value in zip(z_steps, sharpness):
        lowest[z] = min(value, lowest.get(z, value))
    heights = sorted(lowest)
    values = [lowest[z] for z in heights]
    return np.array(heights, dtype=float), np.array(values, dtype=float)


def _objection(
    sweep: FocusSweep, sharpness: Floats, gain: float, accept: Accept
) -> str:
    """Return why the curve has no believable peak; empty when it has one."""
    if gain < accept.min_gain:
        return f"no clear peak: gain {gain:.3f}, {accept.min_gain:g} needed"
    explained = _single_peaked(_merge(sweep.z_steps, sweep.sharpness)[1])
    if explained < LEAST_SINGLE_PEAKED:
        share = f"{100 * explained:.0f} %, {100 * LEAST_SINGLE_PEAKED:.0f} % needed"
        return f"not one peak: a single hill explains {share}"
    top, base = float(sharpness.max()), float(sharpness.min())
    low, high = _span(sharpness, base + FOOT * (top - base))
    inside = low > 0 and high < len(sharpness) - 1
    if inside and high - low + 1 < FEWEST_ON_PEAK:
        return f"only {high - low + 1} heights on the peak, {FEWEST_ON_PEAK} needed"
    return ""


def _gain(sharpness: Floats) -> float:
    """Return the peak over the more blurred end of the sweep."""
    ends = min(float(np.mean(sharpness[:2])), float(np.mean(sharpness[-2:])))
    if ends <= 0.0:
        return 1.0 if float(sharpness.max()) <= 0.0 else 1e6
    return float(sharpness.max()) / ends


def _single_peaked(sharpness: Floats) -> float:
    """Return the share of variance that the best rise-then-fall curve explains."""
    total = float(np.sum((sharpness - sharpness.mean()) ** 2))
    if total == 0.0:
        return 0.0
    rising = _rising_errors(sharpness)
    falling = _rising_errors(sharpness[::-1])[::-1]
    best = min(
        rising[top] + (falling[top + 1] if top + 1 < len(sharpness) else 0.0)
        for top in range(len(sharpness))
    )
    return 1.0 - best / total


def _rising_errors(values: Floats) -> List[float]:
    """Return the squared error of the best rising curve through each beginning.

    Pool adjacent violators; entry i belongs to ``values[: i + 1]``.
    """
    blocks: List[Tuple[float, int, float]] = []  # mean, count, squared error
    errors = []
    for value in values:
        mean, count, error = float(value), 1, 0.0
        while blocks and blocks[-1][0] > mean:
            other, size, other_error = blocks.pop()
            both = count + size
            error += other_error + (mean - other) ** 2 * count * size / both
            mean = (mean * count + other * size) / both
            count = both
        blocks.append((mean, count, error))
        errors.append(sum(block[2] for block in blocks))
    return errors


def _span(sharpness: Floats, level: float) -> Tuple[int, int]:
    """Return the first and last index of the hill's part at or above `level`."""
    low = high = int(np.argmax(sharpness))
    while low > 0 and sharpness[low - 1] >= level:
        low -= 1
    while high < len(sharpness) - 1 and sharpness[high + 1] >= level:
        high += 1
    return low, high


def _middle(heights: Floats, sharpness: Floats) -> Optional[float]:
    """Return the height of the peak as the median of the hill's midpoints, in steps.

    The midpoint between the two flanks is taken at several levels. Focus curves are
    cusps whose shape depends on the specimen, but are alike on both sides, so this
    needs no model of the shape, and the median bears a few disturbed samples. None
    when the sweep does not hold enough of both flanks.
    """
    top, base = float(sharpness.max()), float(sharpness.min())
    midpoints = []
    for share in LEVELS:
        level = base + share * (top - base)
        low, high = _span(sharpness, level)
        left = _crossing(heights, sharpness, (low - 1, low), level)
        right = _crossing(heights, sharpness, (high, high + 1), level)
        if left is not None and right is not None:
            midpoints.append((left + right) / 2)
    return float(np.median(midpoints)) if len(midpoints) >= FEWEST_MIDPOINTS else None


def _crossing(
    heights: Floats, sharpness: Floats, pair: Tuple[int, int], level: float
) -> Optional[float]:
    """Return where the curve meets `level` between two samples; None at an end."""
    first, second = pair
    if first < 0 or second >= len(heights):
        return None
    share = (level - sharpness[first]) / (sharpness[second] - sharpness[first])
    return float(heights[first] + share * (heights[second] - heights[first]))


def _thin(samples: Sequence[Tuple[int, float]]) -> Tuple[Tuple[int, float], ...]:
    """Return at most 60 samples, evenly, always with the sharpest."""
    if len(samples) <= MOST_RECORDED:
        return tuple(samples)
    best = max(range(len(samples)), key=lambda index: samples[index][1])
    even = np.linspace(0, len(samples) - 1, MOST_RECORDED - 1).astype(int)
    return tuple(samples[index] for index in sorted({best, *even.tolist()}))
