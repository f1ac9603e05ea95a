"""Even brightness: what flickers is taken out, what really changes stays. Pure.

The level of a movie's background is followed from frame to frame by the median of the
ratios of small patches: what swims or divides covers few of them and moves the median
by nothing. Of that level only the part that is faster than a second or two of the movie
is corrected. A lamp that ages, a sample that grows dark, and a lamp that somebody turns
up stay as they are.

A chain of ratios drifts, by a random walk; what drifts slowly is never corrected, so
that no picture is made wrong by it.
"""

from typing import Optional

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.filters import Picture

__all__ = ["Levels", "correct_brightness", "flicker_gains", "patches", "slow_part"]

Floats = NDArray[np.float64]
Patches = NDArray[np.float32]

PATCH_COLUMNS = 96
DARKEST = 12.0
BRIGHTEST = 245.0
FEWEST_PATCHES = 64
# A picture this much darker or brighter than its neighbours has not flickered: its lamp
# was off, or something covers it.
LARGEST_LOG = float(np.log(1.6))
HALF_WINDOW = 15
LEAST_STEP_LOG = 0.02
STEP_PER_NOISE = 6.0
OUTLIER_PER_NOISE = 4.0
NORMAL_PER_MAD = 1.4826


def patches(picture: Picture) -> Patches:
    """Return the mean colours of about 96 patches across, shape (rows, columns, 3)."""
    height, width = picture.shape[:2]
    columns = min(PATCH_COLUMNS, width)
    rows = max(1, round(height * columns / width))
    small = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


class Levels:
    """Follows the background's level through a movie.

    A picture that cannot be compared (another size, too dark, too bright, changed
    beyond recognition) has no level.
    """

    def __init__(self) -> None:
        self._before: Optional[Patches] = None
        self._level = np.zeros(3)

    def follow(self, now: Patches) -> Optional[Floats]:
        """Return the natural logarithm of the level against the first, by channel.

        Parameters
        ----------
        now : array of float32, shape (rows, columns, 3)
            From `patches`.

        Returns
        -------
        array of float64, shape (3,), or None
            None for a picture without a level.
        """
        before = self._before
        if before is None or before.shape != now.shape:
            if _usable(now, now).sum() < FEWEST_PATCHES:
                return None
            self._before = now
            return self._level
        usable = _usable(before, now)
        if usable.sum() < FEWEST_PATCHES:
            return None
        ratios = np.log(now[usable] / before[usable])
        change = np.median(ratios, axis=0).astype(np.float64)
        if np.abs(change).max() > LARGEST_LOG:
            return None
        self._before, self._level = now, self._level + change
        return self._level


def _usable(before: Patches, now: Patches) -> NDArray[np.bool_]:
    """Return which patches are neither dark nor saturated, in both."""
    low, high = np.minimum(before, now), np.maximum(before, now)
    return np.asarray((low.min(axis=-1) > DARKEST) & (high.max(axis=-1) < BRIGHTEST))


def flicker_gains(levels: Floats) -> NDArray[np.float32]:
    """Return by what each frame is to be multiplied so that it does not flicker.

    Parameters
    ----------
    levels : array of float64, shape (frames, 3)
        Logarithms; NaN where a frame has no level.

    Returns
    -------
    array of float32, shape (frames, 3)
        1 where a frame has no level, or where its level is no flicker.
    """
    gains = np.ones(levels.shape, np.float32)
    known = ~np.isnan(levels).any(axis=1)
    if not known.any():
        return gains
    for channel in range(levels.shape[1]):
        level = levels[known, channel]
        flicker = level - slow_part(level, HALF_WINDOW)
        flicker[np.abs(flicker) > LARGEST_LOG] = 0.0
        gains[known, channel] = np.exp(-flicker)
    return gains


def correct_brightness(picture: Picture, gains: NDArray[np.float32]) -> Picture:
    """Return the picture with each channel multiplied; itself where nothing changes."""
    table = np.arange(256, dtype=np.float32)[:, np.newaxis] * gains[np.newaxis]
    rounded = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    if (rounded == np.arange(256, dtype=np.uint8)[:, np.newaxis]).all():
        return picture
    return np.asarray(cv2.LUT(picture, rounded[np.newaxis]), np.uint8)


# ------------------------------------------------------------------------------ slow


def slow_part(values: Floats, half_window: int) -> Floats:
    """Return what of a series changes slowly, its lasting steps included.

    A straight line is fitted around each value, twice: the second time without those
    that stand out of the first. It is fitted on one side of a step only.

    Parameters
    ----------
    values : array of float64, shape (n,)
    half_window : int
        How many values on either side a line is fitted to.
    """
    edges = [0, *_steps(values, half_window), len(values)]
    slow = np.empty(len(values))
    for start, end in zip(edges, edges[1:]):
        part = values[start:end]
        first = _local_lines(part, np.ones(len(part)), half_window)
        off = np.abs(part - first)
        noise = NORMAL_PER_MAD * float(np.median(off))
        weights = (off <= max(OUTLIER_PER_NOISE * noise, 1e-9)).astype(np.float64)
        slow[start:end] = _local_lines(part, weights, half_window)
    return slow


def _steps(values: Floats, half_window: int) -> "list[int]":
    """Return where the series steps to a level on which it stays."""
    if len(values) < 2 * half_window:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(values, half_window)
    medians = np.median(windows, axis=1)
    jumps = np.abs(medians[half_window:] - medians[:-half_window])
    noise = NORMAL_PER_MAD * float(np.median(np.abs(np.diff(values)))) / np.sqrt(2.0)
    least = max(LEAST_STEP_LOG, STEP_PER_NOISE * noise)
    found = []
    at = 0
    while at < len(jumps):
        if jumps[at] < least:
            at += 1
            continue
        # The largest single change within reach is where it stepped.
        changes = np.abs(np.diff(values[at : at + 2 * half_window]))
        found.append(at + int(np.argmax(changes)) + 1)
        at = found[-1]
    return found


def _local_lines(values: Floats, weights: Floats, half_window: int) -> Floats:
    """Return the value at each place of a line fitted around it by least squares."""
    offsets = np.arange(-half_window, half_window + 1, dtype=np.float64)

    def around(terms: Floats, powers: Floats) -> Floats:
        padded = np.pad(terms, half_window)
        return np.asarray(np.correlate(padded, powers, "valid"))

    w, wx = around(weights, offsets**0), around(weights, offsets)
    wxx = around(weights, offsets**2)
    wy = around(weights * values, offsets**0)
    wxy = around(weights * values, offsets)
    all_w = np.maximum(w, 1.0)
    mean_x, mean_y = wx / all_w, wy / all_w
    spread = wxx - w * mean_x**2
    slope = (wxy - w * mean_x * mean_y) / np.maximum(spread, 0.5)
    return np.asarray(np.where(w > 0, mean_y - slope * mean_x, values))
