"""What swims in a drop of pond water."""

import numpy as np

from hardware_sim.drawings.sheet import (
    CAROTENE,
    CHLOROPHYLL,
    DARK,
    FUCOXANTHIN,
    GREY,
    Drawing,
    Plane,
    Sheet,
    inside,
    line,
    oval,
    times,
)
from hardware_sim.hashing import uniform

__all__ = ["chlamydomonas", "cryptomonad", "euglena", "paramecium"]


def euglena(variant: int, _phase: int) -> Drawing:
    """Draw a green spindle with disc chloroplasts and a red eyespot."""
    length, width = 42.0 + 5.0 * (variant % 3), 9.0 + (variant % 2)
    sheet = Sheet(length, width, f"euglena {variant}")
    along = np.clip((sheet.x + length / 2) / length, 0.0, 1.0)
    half = width / 2 * (4 * along * (1 - along)) ** 0.6 * (0.62 + 0.62 * along)
    outline = (np.abs(sheet.y) - half) * 0.93
    outline = np.maximum(outline, np.abs(sheet.x) - length / 2)
    within = sheet.body(outline, wall=0.8)
    room = inside(outline + 0.9, 0.3)
    front = inside(sheet.x - 0.30 * length, 1.2)
    discs = sheet.blank()
    count = 34
    xs = (uniform(sheet.seed, 1, np.arange(count)) - 0.55) * 0.8 * length
    ys = (uniform(sheet.seed, 2, np.arange(count)) - 0.5) * 0.8 * width
    for x, y in zip(xs, ys):
        tone = 0.45 if (int(x * 7) % 2) else 0.6
        discs = np.maximum(
            discs, sheet.disc(float(x), float(y), 1.35, 0.5) * tone / 0.6
        )
    sheet.add(discs * room * front, times(CHLOROPHYLL, 0.85))
    sheet.add(room * front, times(CHLOROPHYLL, 0.14))
    sheet.add(sheet.ring(-2.0, 0.0, 1.7, 0.25), times(DARK, 0.25))
    sheet.add(sheet.disc(0.35 * length, -0.8, 0.85, 0.3), CAROTENE)
    wave = np.sin(0.55 * (sheet.x - 0.5 * length)) * 0.8
    stripes = 0.5 + 0.5 * np.cos(2 * np.pi * (sheet.y + 0.35 * sheet.x + wave) / 1.4)
    sheet.add(within * stripes, times(GREY, 0.10))
    return sheet.drawing()


def chlamydomonas(variant: int, _phase: int) -> Drawing:
    """Draw a round green swimmer with a cup chloroplast and two whips."""
    width = 8.5 + 0.8 * (variant % 3)
    sheet = Sheet(width + 18.0, width + 6.0, f"chlamydomonas {variant}")
    outline = oval(sheet.x, sheet.y, width * 1.12, width)
    sheet.body(outline, wall=0.9)
    room = inside(outline + 0.8, 0.4)
    cup = 1 - inside(np.hypot(sheet.x - 0.26 * width, sheet.y) - 0.31 * width, 0.7)
    grain = 0.86 + 0.14 * np.clip(sheet.texture(0.8, 2), -2, 2)
    sheet.add(room * cup * grain, times(CHLOROPHYLL, 0.9))
    sheet.add(sheet.ring(-0.22 * width, 0.0, 1.1, 0.2), times(DARK, 0.3))
    sheet.add(sheet.disc(0.12 * width, 0.36 * width, 0.55), CAROTENE)
    ahead = np.maximum(sheet.x - 0.5 * width, 0.0)
    for side in (-1.0, 1.0):
        whip = sheet.y - side * (0.4 + 3.6 * np.sin(ahead * 0.28))
        shown = inside(np.abs(sheet.x - 0.5 * width - 4.6) - 4.4, 0.6)
        sheet.add(line(whip, 0.16) * shown, times(GREY, 0.34))
    return sheet.drawing()


def cryptomonad(variant: int, _phase: int) -> Drawing:
    """Draw a small brown bean with a bright furrow."""
    length, width = 13.0 + variant % 3, 7.0
    sheet = Sheet(length, width + 2.0, f"cryptomonad {variant}")
    outline = oval(sheet.x, sheet.y + 0.04 * sheet.x**2 - 0.6, length, width)
    sheet.body(outline, wall=0.9)
    room = inside(outline + 0.8, 0.4)
    front = 1 - sheet.disc(0.3 * length, 0.2, 1.8, 0.8)
    sheet.add(room * front, times(FUCOXANTHIN, 0.62))
    sheet.add(room * front, times(CHLOROPHYLL, 0.22))
    sheet.dots(room, 4, 0.45, 0.5, 4)
    return sheet.drawing()


def paramecium(variant: int, _phase: int) -> Drawing:
    """Draw a large clear slipper with food vacuoles and a fringe of cilia."""
    length, width = 96.0 + 12.0 * (variant % 2), 32.0
    sheet = Sheet(length + 6.0, width + 6.0, f"paramecium {variant}")
    along = sheet.x / length
    half = (
        width / 2 * np.sqrt(np.maximum(1 - (2 * along) ** 2, 0.0)) * (1 - 0.42 * along)
    )
    outline = (np.abs(sheet.y - 2.0 * np.sin(3 * along)) - half) * 0.9
    outline = np.where(
        half > 0, outline, np.maximum(outline, np.abs(sheet.x) - length / 2)
    )
    within = sheet.body(outline, wall=0.9)
    sheet.add(within, (0.085, 0.06, 0.05))
    fringe = line(outline - 1.4, 0.9)
    comb = 0.5 + 0.5 * np.cos(2 * np.pi * (sheet.x + 0.5 * sheet.y) / 1.5)
    sheet.add(fringe * comb, times(GREY, 0.28))
    grain = np.clip(sheet.texture(1.5, 3), -2.5, 2.5)
    sheet.add(within * grain, times(GREY, 0.14))
    places = uniform(sheet.seed, 5, np.arange(9)).tolist()
    for number, place in enumerate(places):
        x = (number / 8 - 0.5) * 0.66 * length
        y = (place - 0.5) * 0.44 * width
        size = 2.1 + 2.0 * places[-1 - number]
        green = times(CHLOROPHYLL if number % 3 else FUCOXANTHIN, 0.5)
        sheet.add(sheet.disc(x, y, size, 0.8), green)
        sheet.add(sheet.ring(x, y, size + 0.4, 0.3), times(DARK, 0.22))
    for x in (-0.28 * length, 0.27 * length):
        sheet.add(sheet.disc(x, 3.0, 3.6, 0.5), times(GREY, -0.35))
        sheet.add(sheet.ring(x, 3.0, 3.8, 0.35), times(DARK, 0.28))
    sheet.add(_oval_disc(sheet, 4.0, -3.0, 17.0, 9.0), times(GREY, 0.42))
    return sheet.drawing()


def _oval_disc(sheet: Sheet, x: float, y: float, a: float, b: float) -> Plane:
    """Return a filled ellipse of the axes `a` and `b`."""
    return inside(oval(sheet.x - x, sheet.y - y, a, b), 0.8)
