"""A rod-shaped green alga in all phases of its cell cycle."""

import numpy as np

from hardware_sim.drawings.sheet import (
    CHLOROPHYLL,
    DARK,
    DEEPER,
    WALL,
    YELLOWER,
    Drawing,
    Plane,
    Sheet,
    capsule,
    inside,
    line,
    smooth,
    times,
)
from hardware_sim.hashing import uniform

__all__ = ["ALGA_LENGTH_UM", "ALGA_WIDTH_UM", "PHASES", "alga", "length_at"]

PHASES = 64
ALGA_WIDTH_UM = 9.5
ALGA_LENGTH_UM = 12.0
"""Of a new cell; it doubles before division."""
PIGMENTS = (CHLOROPHYLL, YELLOWER, CHLOROPHYLL, DEEPER)


def length_at(phase: int) -> float:
    """Return the length of a dividing alga at a phase, in micrometres."""
    return float(ALGA_LENGTH_UM * 2.0 ** ((phase + 0.5) / PHASES))


def alga(variant: int, phase: int) -> Drawing:
    """Draw a dividing rod-shaped green alga with two star-shaped chloroplasts.

    In the last quarter of the cycle the chloroplasts have become four, a wall grows
    inwards in the middle and the outline pinches in.
    """
    length, width = length_at(phase), ALGA_WIDTH_UM
    age = (phase + 0.5) / PHASES
    sheet = Sheet(2 * ALGA_LENGTH_UM, width, f"alga {variant}")
    pinch = smooth((age - 0.72) / 0.28)
    whole = capsule(sheet.x, sheet.y, length, width)
    halves = capsule(np.abs(sheet.x) - length / 4, sheet.y, length / 2, width)
    outline = (1 - pinch) * whole + pinch * halves
    within = sheet.body(outline)
    septum = line(sheet.x, 0.2) * inside(width / 2 * (1 - pinch) - np.abs(sheet.y), 0.3)
    sheet.add(septum * within, times(WALL, 0.9 * smooth((age - 0.66) / 0.12)))
    room = inside(outline + 0.95, 0.4)
    _chloroplasts(sheet, room, variant, phase)
    sheet.add(sheet.ring(0.0, 0.0, 1.5, 0.2), times(DARK, 0.12 * (1 - pinch)))
    ends = room * inside(length / 2 - 2.4 - np.abs(sheet.x), 0.3)
    sheet.dots(ends, 5, 0.32, 0.5, 10)
    return sheet.drawing()


def _chloroplasts(sheet: Sheet, room: Plane, variant: int, phase: int) -> None:
    """Draw two chloroplasts, which become four, each with its pyrenoid."""
    length, age = length_at(phase), (phase + 0.5) / PHASES
    pigment = PIGMENTS[variant % len(PIGMENTS)]
    strength = 0.82 + 0.22 * float(uniform(sheet.seed, 1)[0])
    split = smooth((age - 0.35) / 0.6) * length / 8
    grain = 0.84 + 0.16 * np.clip(sheet.texture(0.9, 2), -2, 2)
    stars = sheet.blank()
    centres = [
        side * length / 4 + way * split for side in (-1.0, 1.0) for way in (-1.0, 1.0)
    ]
    for number, centre in enumerate(centres):
        reach = 0.30 * ALGA_WIDTH_UM + 0.09 * length * (1 - split / (length / 8) * 0.45)
        stars = np.maximum(stars, _star(sheet, centre, reach, variant, number // 2))
    sheet.add(stars * room * grain, times(pigment, strength))
    for centre in centres:
        sheet.add(sheet.ring(centre, 0.0, 1.05, 0.22), times(DARK, 0.22))
        sheet.add(sheet.disc(centre, 0.0, 0.7), times(CHLOROPHYLL, 0.18))


def _star(sheet: Sheet, x: float, reach: float, variant: int, number: int) -> Plane:
    """Return a chloroplast with rounded lobes around its middle."""
    angle = np.arctan2(sheet.y, sheet.x - x)
    shift = 6.28 * float(uniform(sheet.seed, 3, number)[0])
    lobes = 6 + (variant + number) % 3
    edge = reach * (0.86 + 0.20 * np.cos(lobes * angle + shift))
    distance = np.hypot(sheet.x - x, sheet.y)
    body = inside(distance - edge, 0.7)
    ribs = 0.80 + 0.20 * np.cos(lobes * angle + shift)
    near_middle = inside(distance - 0.45 * reach, 0.9)
    return body * np.maximum(ribs, near_middle)
