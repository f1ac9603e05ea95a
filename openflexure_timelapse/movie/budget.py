"""How a GIF is made smaller when it does not fit: what to give up, in which order.

First noise, then size, then time: each rung of the ladder costs more of what a viewer
sees. Pure; the sizes are measured by encoding, the ladder only says what to try next.
"""

import math
from dataclasses import dataclass
from typing import List, Optional, Sequence

__all__ = [
    "BYTES_PER_MB",
    "SCALES",
    "SMALLEST_WIDTH_PX",
    "Rung",
    "ladder",
    "next_rung",
]

BYTES_PER_MB = 1_000_000

NOISES = (1.5, 2.2, 3.0)
SCALES = (0.85, 0.72, 0.6, 0.5, 0.42, 0.35)
STEPS = (2, 3, 4)
LEAST_FPS = 2.0
SMALLEST_WIDTH_PX = 120
# Measured at 480 pixels in scenes of the simulator: the file at once the noise is a
# quarter of that at none, and at three times the noise little less. Only the ratio of
# two rungs is used, and each attempt corrects it.
DECAY_PER_NOISE = 2.0
MOVING = 0.2
MARGIN = 0.92


@dataclass(frozen=True)
class Rung:
    """One way to make the GIF.

    Attributes
    ----------
    noise : float
        How many times the frames' noise is taken for noise.
    scale : float
        Of the width asked for.
    step : int
        Every how many frames of the movie one is shown.
    """

    noise: float
    scale: float
    step: int

    @property
    def weight(self) -> float:
        """How large the file is thought to be, in no particular unit."""
        drawn = MOVING + math.exp(-DECAY_PER_NOISE * self.noise)
        return drawn * self.scale**2 / self.step


def ladder(noise: float, width_px: int, fps: float) -> List[Rung]:
    """Return what may be tried, the recipe's own wish first.

    Parameters
    ----------
    noise : float
        What the recipe takes for noise, in noises of the frames.
    width_px : int
        As the recipe asks.
    fps : float
        Of the movie.
    """
    rungs = [Rung(noise, 1.0, 1)]
    rungs += [Rung(more, 1.0, 1) for more in NOISES[:2] if more > noise]
    hold = max(noise, NOISES[0])
    last = max(noise, NOISES[-1])
    scales = [scale for scale in SCALES if scale * width_px >= SMALLEST_WIDTH_PX]
    steps = [step for step in STEPS if fps / step >= LEAST_FPS]
    rungs += [Rung(hold, scale, 1) for scale in scales[:3]]
    smallest = scales[2] if len(scales) > 2 else 1.0  # noqa: PLR2004 (the third)
    rungs += [Rung(last, smallest, step) for step in steps]
    deepest = steps[-1] if steps else 1
    rungs += [Rung(last, scale, deepest) for scale in scales[3:]]
    lighter = [rungs[0]]
    for rung in rungs[1:]:
        if rung.weight < lighter[-1].weight:
            lighter.append(rung)
    return lighter


def next_rung(
    rungs: Sequence[Rung], tried: int, measured_bytes: float, budget_bytes: float
) -> Optional[int]:
    """Return the index of the next rung to try; None when there is none left.

    Parameters
    ----------
    rungs : sequence of Rung
        From `ladder`.
    tried : int
        Index of the one that was too large.
    measured_bytes : float
        How large its file was, or would have become.
    budget_bytes : float
        How large it may be.
    """
    if tried + 1 >= len(rungs):
        return None
    per_weight = measured_bytes / rungs[tried].weight
    for index in range(tried + 1, len(rungs)):
        if rungs[index].weight * per_weight <= MARGIN * budget_bytes:
            return index
    return len(rungs) - 1
