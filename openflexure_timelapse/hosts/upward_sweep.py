"""What a server's fast autofocus saw on its way up, and no more. Pure.

Both servers move down, sweep up, go down again and up to where the largest frame of the
live view was; they tell every frame and the ends of every move.
"""

from typing import Any, Mapping, Tuple

import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.ports import FocusSweep

__all__ = ["upward_sweep"]

FEWEST_FRAMES = 5
METRIC = "jpeg_bytes"

Floats = NDArray[np.float64]


def upward_sweep(told: Mapping[str, Any]) -> FocusSweep:
    """Return the sharpness on the one long move up.

    Parameters
    ----------
    told : mapping
        ``jpeg_times`` and ``jpeg_sizes`` of all frames, in Unix seconds and bytes;
        ``stage_times`` and ``stage_positions``, the beginning and the end of each move,
        in Unix seconds and steps.

    Raises
    ------
    HardwareError
        When fewer than five frames were seen on it.
    """
    begun_s, ended_s, low, high = _longest_way_up(told)
    times = np.asarray(told["jpeg_times"], dtype=float)
    sizes = np.asarray(told["jpeg_sizes"], dtype=float)
    during = (times > begun_s) & (times <= ended_s)
    if int(during.sum()) < FEWEST_FRAMES:
        message = f"The focus sweep saw only {int(during.sum())} frames, "
        message += f"{FEWEST_FRAMES} are needed; check the live view's frame rate."
        raise HardwareError(message)
    heights = np.interp(times[during], (begun_s, ended_s), (low, high))
    z_steps = tuple(int(z) for z in np.rint(heights))
    return FocusSweep(z_steps, tuple(float(size) for size in sizes[during]), METRIC)


def _longest_way_up(told: Mapping[str, Any]) -> Tuple[float, float, float, float]:
    """Return times and heights of the move; the first one, where two are as long."""
    times = np.asarray(told["stage_times"], dtype=float)
    heights = np.asarray(told["stage_positions"], dtype=float).reshape(-1, 3)[:, 2]
    moves = min(len(times), len(heights)) // 2
    rises: Floats = heights[1 : 2 * moves : 2] - heights[0 : 2 * moves : 2]
    if not moves or not float(rises.max()) > 0:
        message = f"The focus sweep made no move up in {moves} moves; "
        raise HardwareError(message + "check the stage and the server's log.")
    at = 2 * int(np.argmax(rises))
    low, high = float(heights[at]), float(heights[at + 1])
    return float(times[at]), float(times[at + 1]), low, high
