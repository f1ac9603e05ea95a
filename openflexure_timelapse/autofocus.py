"""A focus sweep of our own, for any camera and stage. Acts; decides nothing.

Coarse over the whole range, then fine around the sharpest height, each pass upwards, so
that the stage's backlash is the same at every height. All heights lie on one fine
grid, and none is measured twice.
"""

from typing import Callable, Dict, Iterable, List, Set, Tuple

import numpy as np

from openflexure_timelapse.focus import (
    PICTURES_OF,
    STILL_CONTRAST,
    believed,
    sharpness_of,
)
from openflexure_timelapse.ports import Camera, FocusSweep, Stage, StagePosition
from openflexure_timelapse.quality import is_whole

__all__ = ["sweep"]

LARGEST_COARSE_STEP = 200
"""In steps; at 0.05 um a step, 10 um: the flank of a focus curve is longer."""
FEWEST_GAPS = 10
MOST_GAPS = 40
FINE_IN_COARSE = 6
SURE_EACH_SIDE = 5
MOST_FINE_PASSES = 3
SPARE_PICTURES = 1


def _carry_on() -> None:
    """Let the sweep go on."""


def sweep(
    camera: Camera,
    stage: Stage,
    range_steps: int,
    check: Callable[[], None] = _carry_on,
    metric: str = STILL_CONTRAST,
) -> FocusSweep:
    """Measure sharpness over `range_steps` centred on the present height.

    Parameters
    ----------
    camera, stage
        Acquired by the caller.
    range_steps : int
        Whole height of the sweep in steps; the part outside the travel is left out.
    check : callable
        Called before every movement and picture; raises to end the sweep, for
        example when the visit's deadline has passed or the run was stopped.
    metric : str
        As in `sharpness_of`.

    Returns
    -------
    FocusSweep
        The stage is left at the last height measured.

    Raises
    ------
    HardwareError
        What camera or stage raised. A picture that was cut short or repeated is asked
        for once more, and then its height is left out.
    """
    start = stage.position()
    low, fine_step, count = _grid(*_reach(stage, start, range_steps))
    taken: Dict[int, float] = {}
    missed: Set[int] = set()

    def measure(indices: Iterable[int]) -> None:
        for index in sorted(set(indices) & set(range(count)) - set(taken) - missed):
            check()
            stage.move_to(start.at_z(low + index * fine_step))
            jpegs = _look(camera, check, PICTURES_OF[metric])
            if jpegs:
                taken[index] = sharpness_of(jpegs, metric)
            else:
                missed.add(index)

    measure([*range(0, count, FINE_IN_COARSE), count - 1])
    for _ in range(MOST_FINE_PASSES):
        best = _best(taken)
        sure = range(best - SURE_EACH_SIDE, best + SURE_EACH_SIDE + 1)
        if set(sure) & set(range(count)) <= set(taken) | missed:
            break
        measure(range(best - FINE_IN_COARSE, best + FINE_IN_COARSE + 1))
    z_steps = tuple(low + index * fine_step for index in taken)
    return FocusSweep(z_steps, tuple(taken.values()), metric)


def _look(camera: Camera, check: Callable[[], None], wanted: int) -> List[bytes]:
    """Return whole and different pictures of the present height; empty when too few."""
    jpegs: List[bytes] = []
    for _ in range(wanted + SPARE_PICTURES):
        check()
        jpeg = camera.preview().jpeg
        if is_whole(jpeg) and jpeg not in jpegs:
            jpegs.append(jpeg)
        if len(jpegs) == wanted:
            return jpegs
    return []


def _reach(stage: Stage, start: StagePosition, range_steps: int) -> Tuple[int, int]:
    """Return the lowest and highest z of the sweep, inside the travel."""
    info = stage.describe()
    low = start.z - range_steps // 2
    high = low + range_steps
    if info.lowest is not None:
        low = max(low, info.lowest.z)
    if info.highest is not None:
        high = min(high, info.highest.z)
    return low, high


def _grid(low: int, high: int) -> Tuple[int, int, int]:
    """Return the lowest height, the step and the number of heights of the fine grid."""
    reach = max(0, high - low)
    gaps = min(max(-(-reach // LARGEST_COARSE_STEP), FEWEST_GAPS), MOST_GAPS)
    step = max(1, reach // (gaps * FINE_IN_COARSE))
    count = reach // step + 1
    return low + (reach - (count - 1) * step) // 2, step, count


def _best(taken: Dict[int, float]) -> int:
    """Return the index of the sharpest height, passing cells left out of account."""
    if not taken:
        return 0
    heights, sharpness = believed(tuple(taken), tuple(taken.values()))
    return int(heights[int(np.argmax(sharpness))])
