"""How a GIF is made smaller when it does not fit: what to give up, in which order.

First noise, then size, then time: each rung of the ladder costs more of what a viewer
sees. Pure; the sizes are measured by encoding, the ladder only says what to try next.
"""

import math
from dataclasses import dataclass
from typing import List, Optional, Sequence

__all__ = ["Rung", "ladder", "next_rung"]

HOLDS = (8, 10, 13)
WIDTHS = (0.85, 0.72, 0.6, 0.5, 0.42, 0.35)
STEPS = (2, 3, 4)
LEAST_FPS = 2.0
SMALLEST_WIDTH_PX = 120
# Measured at 480 pixels: 11.4, 4.1, 1.9 and 0.9 MB at a hold of 0, 4, 6 and 10. Only
# the ratio of two rungs is used, and each attempt corrects it.
DECAY_PER_LEVEL = 0.28
MARGIN = 0.92


@dataclass(frozen=True)
class Rung:
    """One way to make the GIF.

    Attributes
    ----------
    noise_hold : int
        As in the recipe.
    scale : float
        Of the width asked for.
    step : int
        Every how many frames of the movie one is shown.
    """

    noise_hold: int
    scale: float
    step: int

    @property
    def weight(self) -> float:
        """How large the file is thought to be, in no particular unit."""
        noise = 0.15 + math.exp(-DECAY_PER_LEVEL * self.noise_hold)
        return noise * self.scale**2 / self.step


def ladder(noise_hold: int, width_px: int, fps: float) -> List[Rung]:
    """Return what may be tried, the recipe's own wish first."""
    rungs = [Rung(noise_hold, 1.0, 1)]
    rungs += [Rung(hold, 1.0, 1) for hold in HOLDS if hold > noise_hold]
    hold = max(noise_hold, HOLDS[1])
    last = max(noise_hold, HOLDS[-1])
    scales = [scale for scale in WIDTHS if scale * width_px >= SMALLEST_WIDTH_PX]
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
