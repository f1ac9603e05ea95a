"""Two diatoms: a boat that glides and a disc that lies still."""

import numpy as np

from hardware_sim.drawings.sheet import (
    DARK,
    FUCOXANTHIN,
    GREY,
    WALL,
    Drawing,
    Sheet,
    inside,
    line,
    times,
)
from hardware_sim.hashing import uniform

__all__ = ["cyclotella", "navicula"]


def navicula(variant: int, _phase: int) -> Drawing:
    """Draw a boat-shaped diatom from above: two brown plates, raphe, fine stripes."""
    length = 34.0 + 6.0 * (variant % 4)
    width = 9.0 + 1.2 * (variant % 3)
    sheet = Sheet(length, width, f"navicula {variant}")
    half = width / 2 * np.maximum(1 - np.abs(2 * sheet.x / length) ** 2.3, 0.0)
    slope = width / length * 2.0
    outline = (np.abs(sheet.y) - half) / np.hypot(1.0, slope)
    outline = np.maximum(outline, np.abs(sheet.x) - length / 2)
    within = sheet.body(outline, wall=1.35)
    stripes = 0.5 + 0.5 * np.cos(2 * np.pi * sheet.x / 1.1)
    margin = inside(-(outline + 0.4), 0.3)
    rim = within * (1 - inside(outline + 1.5, 0.6))
    sheet.add(rim * margin * stripes, times(GREY, 0.55))
    sheet.add(line(sheet.y, 0.2) * within, times(WALL, 0.5))
    sheet.add(sheet.disc(0, 0, 1.1), times(WALL, 0.35))
    plates = inside(np.abs(np.abs(sheet.y) - 0.31 * width) - 0.17 * width, 0.5)
    waist = inside(np.abs(sheet.x) - 0.36 * length, 1.0)
    gap = 1 - 0.9 * inside(np.abs(sheet.x) - 1.3, 0.7)
    grain = 0.85 + 0.15 * np.clip(sheet.texture(1.0, 2), -2, 2)
    sheet.add(plates * waist * gap * grain * within, times(FUCOXANTHIN, 0.85))
    for place in (-0.24, 0.24):
        drop = sheet.disc(place * length, 0.0, 1.2)
        sheet.add(drop, (0.16, 0.05, 0.02))
        sheet.add(sheet.ring(place * length, 0.0, 1.3, 0.2), times(DARK, 0.5))
    return sheet.drawing()


def cyclotella(variant: int, _phase: int) -> Drawing:
    """Draw a round diatom: spokes at the rim, small brown plates within."""
    width = 13.0 + 3.5 * (variant % 3)
    sheet = Sheet(width, width, f"cyclotella {variant}")
    radius = np.hypot(sheet.x, sheet.y)
    within = sheet.body(radius - width / 2, wall=1.5)
    angle = np.arctan2(sheet.y, sheet.x)
    spokes = 0.5 + 0.5 * np.cos(np.round(np.pi * width / 1.3) * angle)
    rim = within * (1 - inside(radius - 0.34 * width, 0.5))
    sheet.add(rim * spokes, times(GREY, 0.7))
    sheet.add(line(radius - 0.33 * width, 0.25), times(WALL, 0.4))
    sheet.dots(inside(radius - 0.3 * width, 0.3), 6, 0.5, 0.4, 5)
    count = 9
    angles = (
        2
        * np.pi
        * (np.arange(count) + uniform(sheet.seed, 7, np.arange(count)))
        / count
    )
    reaches = width * (0.18 + 0.16 * uniform(sheet.seed, 8, np.arange(count)))
    for turn, reach in zip(angles, reaches):
        plate = sheet.disc(
            float(reach * np.cos(turn)), float(reach * np.sin(turn)), 1.5, 0.7
        )
        sheet.add(plate * within, times(FUCOXANTHIN, 0.6))
    return sheet.drawing()
