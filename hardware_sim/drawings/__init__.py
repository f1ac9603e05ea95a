"""Drawings of small living things, as optical density on a fine grid."""

from typing import Callable, Dict

from hardware_sim.bodies import Look
from hardware_sim.drawings import algae, diatoms, still, swimmers
from hardware_sim.drawings.sheet import DRAWING_UM, Drawing

__all__ = ["DRAWING_UM", "Drawing", "draw"]

PENS: Dict[str, Callable[[int, int], Drawing]] = {
    "alga": algae.alga,
    "bead": still.bead,
    "chlamydomonas": swimmers.chlamydomonas,
    "cryptomonad": swimmers.cryptomonad,
    "cyclotella": diatoms.cyclotella,
    "debris": still.debris,
    "euglena": swimmers.euglena,
    "filament": still.filament,
    "navicula": diatoms.navicula,
    "paramecium": swimmers.paramecium,
    "ruling": still.ruling,
}


def draw(look: Look) -> Drawing:
    """Return the drawing of a look; see `hardware_sim.drawings.sheet`.

    Raises
    ------
    KeyError
        For a kind that nobody has drawn.
    """
    return PENS[look.kind](look.variant, look.phase)
