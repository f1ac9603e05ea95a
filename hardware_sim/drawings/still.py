"""What lies still: threads, crumbs, beads, a ruled glass."""

import numpy as np

from hardware_sim.drawings.sheet import (
    DARK,
    DRAWING_UM,
    GREY,
    PHYCOCYANIN,
    WALL,
    Drawing,
    Sheet,
    capsule,
    inside,
    line,
    times,
)
from hardware_sim.hashing import uniform

__all__ = ["RULING_UM", "bead", "debris", "filament", "ruling"]

RULING_UM = 25.0
"""From line to line of the ruled glass."""


def filament(variant: int, _phase: int) -> Drawing:
    """Draw a piece of a blue-green thread of disc-shaped cells."""
    length, width = 120.0 + 40.0 * (variant % 3), 6.0
    sheet = Sheet(length, width + 8.0, f"filament {variant}")
    bow = 3.0 * np.sin(sheet.x / length * 4.0 + variant)
    outline = capsule(sheet.x, sheet.y - bow, length, width)
    within = sheet.body(outline, wall=0.8)
    walls = line((sheet.x + 1.6) % 3.2 - 1.6, 0.22)
    sheet.add(walls * within, times(WALL, 0.55))
    grain = 0.8 + 0.2 * np.clip(sheet.texture(0.9, 2), -2, 2)
    room = inside(outline + 0.7, 0.4)
    sheet.add(room * grain, times(PHYCOCYANIN, 0.75))
    return sheet.drawing()


def debris(variant: int, _phase: int) -> Drawing:
    """Draw a crumb of detritus."""
    width = 2.5 + 1.6 * (variant % 5)
    sheet = Sheet(width * 1.6, width * 1.4, f"debris {variant}")
    angle = np.arctan2(sheet.y, sheet.x)
    edge = sheet.blank() + width / 2
    for wave in (2, 3, 5):
        amount, shift = uniform(sheet.seed, wave, np.arange(2)).tolist()
        edge = edge * (1 + 0.22 * amount * np.cos(wave * angle + 6.28 * shift))
    outline = np.hypot(sheet.x, sheet.y) - edge
    within = inside(outline, 0.4)
    grain = np.clip(0.7 + 0.35 * sheet.texture(0.8, 1), 0.1, 1.6)
    tone = 0.35 + 0.5 * float(uniform(sheet.seed, 9)[0])
    sheet.add(within * grain, times((0.50, 0.40, 0.32), tone))
    sheet.add(line(outline - 0.6, 0.4), times(GREY, -0.16))
    return sheet.drawing()


def bead(_variant: int, _phase: int) -> Drawing:
    """Draw a glass-clear ball of one micrometre: dark rim, bright middle."""
    sheet = Sheet(1.0, 1.0, "bead")
    radius = np.hypot(sheet.x, sheet.y)
    sheet.add(line(radius - 0.55, 0.24), times(DARK, 1.25))
    sheet.add(sheet.disc(0.0, 0.0, 0.3), times(GREY, -0.6))
    sheet.add(line(radius - 1.3, 0.3), times(GREY, -0.3))
    return sheet.drawing()


def ruling(variant: int, _phase: int) -> Drawing:
    """Draw one crossing of a ruled glass; bits of the variant make a line heavier."""
    half = RULING_UM / 2
    sheet = Sheet(RULING_UM, RULING_UM, "ruling")
    pen = 1.0 if variant % 2 else 0.5
    heavy = 1.0 if variant & 2 else 0.5
    short = inside(np.abs(sheet.x) - half, DRAWING_UM)
    ink = inside(np.abs(sheet.y) - pen, DRAWING_UM) * short
    short = inside(np.abs(sheet.y) - half, DRAWING_UM)
    upright = inside(np.abs(sheet.x) - heavy, DRAWING_UM) * short
    sheet.add(np.maximum(ink, upright), (0.85, 0.85, 0.85))
    return sheet.drawing()
