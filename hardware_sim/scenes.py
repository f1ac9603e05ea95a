"""The samples that the simulated microscope can look at.

Names may be joined with ``+``: ``algae_growth+pond`` is one drop with both.
"""

from typing import Callable, Dict, List, Sequence, Tuple

from hardware_sim.bodies import Bodies, Population, Scene, gathered
from hardware_sim.inhabitants import (
    Algae,
    Beads,
    Drifters,
    Ruling,
    Species,
    Swimmers,
)

__all__ = ["SCENES", "Mixture", "make_scene"]

ID_BLOCK = 1_000_000


class Mixture:
    """Several scenes in one drop.

    Parameters
    ----------
    parts : sequence of Scene
        In the order in which their ids are numbered.
    period_um : (float, float)
        Of all of them.
    """

    def __init__(self, parts: Sequence[Scene], period_um: Tuple[float, float]) -> None:
        self.period_um = period_um
        self.parts = tuple(parts)
        self.looks = tuple(look for part in parts for look in part.looks)

    def bodies(self, t_s: float, centre_um: Tuple[float, float]) -> Bodies:
        """Return the bodies of all parts."""
        found, first_look = [], 0
        for number, part in enumerate(self.parts):
            bodies = part.bodies(t_s, centre_um)
            found.append((bodies, first_look, number * ID_BLOCK))
            first_look += len(part.looks)
        return gathered(found)

    def populations(self, t_s: float) -> Sequence[Population]:
        """Count what lives in all parts."""
        return tuple(one for part in self.parts for one in part.populations(t_s))


# --------------------------------------------------------------------------- the list


def _growing(seed: int) -> List[Scene]:
    """Return dividing algae with a few crumbs between them."""
    crumbs = Drifters(seed, "crumbs", [("debris", 70, 10, 3.0, 0.6)])
    return [crumbs, Algae(seed)]


def _diatoms(seed: int) -> List[Scene]:
    """Return gliding and resting diatoms."""
    still = [
        ("debris", 90, 10, 3.0, 1.0),
        ("cyclotella", 34, 6, 9.0, 1.2),
        ("navicula", 16, 12, 26.0, 1.0),
    ]
    glide = Species(
        "navicula",
        50,
        12,
        5.0,
        0.5,
        45.0,
        0.05,
        26.0,
        depth_um=0.6,
        bend_um=180.0,
        reversing=True,
    )
    return [Drifters(seed, "still diatoms", still), Swimmers(seed, glide)]


def _pond(seed: int) -> List[Scene]:
    """Return what swims in a drop of pond water, and threads between which it does."""
    swimmers = [
        Species("chlamydomonas", 32, 3, 100.0, 0.3, 10.8, 1.2, 9.0, 1.5, 1.5, 7.0),
        Species("euglena", 12, 4, 55.0, 0.3, 12.0, 0.8, 24.0, 2.5, 1.0, 5.0),
        Species("cryptomonad", 24, 6, 120.0, 0.4, 6.0, 1.4, 7.5, 1.2, 2.0, 8.0),
        Species("paramecium", 2, 2, 600.0, 0.3, 4.0, 1.0, 55.0, 3.0, 1.0, 6.0),
    ]
    still = [("debris", 40, 10, 3.0, 2.0), ("filament", 5, 3, 100.0, 2.0)]
    swimming = [Swimmers(seed, species) for species in swimmers]
    return [Drifters(seed, "pond floor", still), *swimming]


def _beads(seed: int) -> List[Scene]:
    """Return beads."""
    return [Beads(seed)]


def _empty(seed: int) -> List[Scene]:
    """Return nothing at all: clean water."""
    return [Drifters(seed, "nothing", [])]


def _grid(seed: int) -> List[Scene]:
    """Return a ruled glass."""
    return [Ruling(seed)]


SCENES: Dict[str, Callable[[int], List[Scene]]] = {
    "algae_growth": _growing,
    "diatoms": _diatoms,
    "pond": _pond,
    "beads": _beads,
    "empty": _empty,
    "calibration_grid": _grid,
}


def make_scene(seed: int, names: str) -> Mixture:
    """Return the scene of a name, or of several names joined with ``+``.

    Raises
    ------
    ValueError
        For a name that is not in `SCENES`.
    """
    parts: List[Scene] = []
    for name in names.split("+"):
        if name not in SCENES:
            known = ", ".join(SCENES)
            message = f"There is no scene {name!r}; the scenes are {known}, "
            raise ValueError(message + "and they may be joined with +.")
        parts += SCENES[name](seed)
    return Mixture(parts, parts[0].period_um)
