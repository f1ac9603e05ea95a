"""Server v2's fast autofocus as a sweep: what it saw on its way up, and no more.

Its own choice of a height is not used: it takes the largest frame, also of an empty
field. Our rules of focus judge the curve.
"""

from typing import Any, Mapping, Tuple

import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.v2_locks import VisitLocks
from openflexure_timelapse.hosts.v2_stage import V2Stage
from openflexure_timelapse.ports import FocusSweep

__all__ = ["V2Focuser", "upward_sweep"]

FEWEST_FRAMES = 5
METRIC = "jpeg_bytes"

Floats = NDArray[np.float64]


class V2Focuser:
    """The autofocus extension of the server.

    Parameters
    ----------
    microscope : object
        The server's. It is handed to the extension, which finds it by itself only
        within a request.
    extension : object
        Has ``fast_autofocus``.
    locks : VisitLocks
        Frames the sweep; the extension takes the same locks again.
    stage : V2Stage
        Is told that somebody else moves it.
    """

    def __init__(
        self, microscope: Any, extension: Any, locks: VisitLocks, stage: V2Stage
    ) -> None:
        self._microscope = microscope
        self._extension = extension
        self._locks = locks
        self._stage = stage

    def sweep(self, range_steps: int) -> FocusSweep:
        """Measure sharpness over `range_steps` centred on the present height.

        Raises
        ------
        HardwareError
            When the extension fails, or saw too few frames on its way up.
        """
        # The extension moves by half of it, and half a step is none.
        even = range_steps - range_steps % 2
        self._stage.forget_approach()
        with self._locks.call("focus"):
            camera = self._microscope.camera
            if not camera.stream_active:
                camera.start_stream()
            told = self._extension.fast_autofocus(microscope=self._microscope, dz=even)
            return upward_sweep(told)


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
