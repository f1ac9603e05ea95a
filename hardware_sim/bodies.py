"""What a scene says of the things in it: plain arrays and one protocol."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Protocol

__all__ = ["Bodies", "Look", "Population", "Scene", "gathered", "near"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Look(NamedTuple):
    """What a body looks like, apart from place, angle and focus.

    Attributes
    ----------
    kind : str
        A drawing in `hardware_sim.shapes`.
    variant : int
        Which individual of that kind.
    phase : int
        How far through its cell cycle, 0 to ``PHASES - 1``.
    """

    kind: str
    variant: int = 0
    phase: int = 0


class Population(NamedTuple):
    """How many living things there are on the whole period of a scene."""

    kind: str
    number: int


@dataclass(frozen=True)
class Bodies:
    """Things near the field of view; arrays of one length.

    Attributes
    ----------
    ids, parents : array of int
        Numbers for the truth; a parent of -1 is none.
    looks : array of int
        Index into the scene's `looks`.
    x_um, y_um, z_um : array of float
        Place on the sample; z above the plane of the slide.
    angle_rad : array of float
        From the sample's x axis towards its y axis.
    radius_um : array of float
        Half of the longest extent.
    """

    ids: Ints
    parents: Ints
    looks: Ints
    x_um: Floats
    y_um: Floats
    z_um: Floats
    angle_rad: Floats
    radius_um: Floats

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.ids)

    def picked(self, which: NDArray[np.bool_]) -> "Bodies":
        """Return those for which `which` is true."""
        return Bodies(*(column[which] for column in vars(self).values()))


class Scene(Protocol):
    """A kind of sample, periodic in x and y so that it fills the whole slide."""

    @property
    def period_um(self) -> Tuple[float, float]:
        """After how far the sample repeats."""
        ...

    @property
    def looks(self) -> Sequence[Look]:
        """All the looks that its bodies may have."""
        ...

    def bodies(self, t_s: float, centre_um: Tuple[float, float]) -> Bodies:
        """Return the bodies of the one period around `centre_um`."""
        ...

    def populations(self, t_s: float) -> Sequence[Population]:
        """Count what lives, by kind."""
        ...


def near(
    x_um: NDArray[Any],
    y_um: NDArray[Any],
    period_um: Tuple[float, float],
    centre_um: Tuple[float, float],
) -> Tuple[Floats, Floats]:
    """Return, of each periodic place, the copy nearest to `centre_um`."""
    px, py = period_um
    cx, cy = centre_um
    x = cx + np.mod(x_um - cx + px / 2, px) - px / 2
    y = cy + np.mod(y_um - cy + py / 2, py) - py / 2
    return x, y


def gathered(parts: Sequence[Tuple[Bodies, int, int]]) -> Bodies:
    """Join bodies of several scenes.

    Parameters
    ----------
    parts : sequence of (Bodies, int, int)
        Each with what to add to its looks and to its ids.
    """
    columns = []
    for name in Bodies.__dataclass_fields__:
        pieces = []
        for bodies, first_look, first_id in parts:
            column = getattr(bodies, name)
            if name == "looks":
                column = column + first_look
            elif name == "ids":
                column = column + first_id
            elif name == "parents":
                column = np.where(column < 0, column, column + first_id)
            pieces.append(column)
        columns.append(np.concatenate(pieces))
    return Bodies(*columns)
