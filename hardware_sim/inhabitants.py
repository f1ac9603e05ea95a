"""Who lives in the samples, and how they grow, swim and lie: pure functions of time."""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from hardware_sim.bodies import Bodies, Look, Population, near
from hardware_sim.drawings.algae import ALGA_LENGTH_UM, ALGA_WIDTH_UM, PHASES
from hardware_sim.drawings.still import RULING_UM
from hardware_sim.hashing import normal, stream, uniform
from hardware_sim.lineage import GENERATIONS, Family, Growth
from hardware_sim.motion import Runner, brownian

__all__ = ["Algae", "Beads", "Drifters", "Ruling", "Species", "Swimmers"]

Floats = NDArray[np.float64]

PERIOD_UM = (900.0, 720.0)
DOUBLING_S = 6.5 * 3600.0
ALGAE_FOUNDERS = 150
ALGAE_APART_UM = 44.0
ALGAE_VARIANTS = 4
CANDIDATES = 40
SIGHT_UM = (190.0, 150.0)
HALF = 0.5
COLONY_BLOCK = 1_000

BEAD_DIFFUSION_UM2_S = 0.43
"""A bead of 1 µm in water at 20 °C: kT/(3πηd)."""


class Species(NamedTuple):
    """One kind of moving body in a `Swimmers` scene.

    Attributes
    ----------
    kind : str
        Its drawing.
    number : int
        On the whole period.
    variants : int
        Different individuals.
    speed_um_s, speed_spread : float
        Median, and standard deviation of the logarithm.
    run_s, turn_sd : float
        Mean time between turns, and how sharp these are, in radians.
    radius_um : float
        Half of its length.
    wobble_um, wobble_hz : float
        Of the helix on which it swims.
    depth_um : float
        How far from the slide it goes.
    bend_um : float
        Radius of its path; 0 for straight runs.
    reversing : bool
        Whether runs alternate between forwards and backwards.
    """

    kind: str
    number: int
    variants: int
    speed_um_s: float
    speed_spread: float
    run_s: float
    turn_sd: float
    radius_um: float
    wobble_um: float = 0.0
    wobble_hz: float = 0.0
    depth_um: float = 6.0
    bend_um: float = 0.0
    reversing: bool = False


class Algae:
    """Colonies of dividing green algae on the slide, doubling in 6.5 hours.

    Parameters
    ----------
    seed : int
        Of the world.
    founders : int
        On the whole period, at the time 0.
    growth : Growth
        Of the species.
    """

    def __init__(
        self,
        seed: int,
        founders: int = ALGAE_FOUNDERS,
        growth: Optional[Growth] = None,
    ) -> None:
        self.period_um = PERIOD_UM
        self.growth = growth or Growth(
            DOUBLING_S, length_um=ALGA_LENGTH_UM, width_um=ALGA_WIDTH_UM
        )
        variants, phases = range(ALGAE_VARIANTS), range(PHASES)
        self.looks = tuple(
            Look("alga", variant, phase) for variant in variants for phase in phases
        )
        self.families = [
            Family(seed, f"colony {number}", self.growth) for number in range(founders)
        ]
        mine = stream(seed, "algae")
        numbers = np.arange(founders)
        self._x, self._y = _apart(mine, founders, ALGAE_APART_UM)
        self._z = 0.7 * normal(mine, 1, numbers)
        self._variants = (ALGAE_VARIANTS * uniform(mine, 2, numbers)).astype(int)
        self._sway = 6.28 * uniform(mine, 3, numbers)
        self._seed = mine

    def bodies(self, t_s: float, centre_um: Tuple[float, float]) -> Bodies:
        """Return the cells of the colonies nearest to `centre_um`."""
        xs, ys = near(self._x, self._y, self.period_um, centre_um)
        rows: List[Tuple[float, ...]] = []
        # A colony of n cells is not wider than this, and others are out of sight.
        cells = 2.0 ** min(t_s / self.growth.doubling_s + 1.0, GENERATIONS)
        margin = 2.0 * self.growth.length_um * np.sqrt(cells)
        seen = (np.abs(xs - centre_um[0]) < SIGHT_UM[0] + margin) & (
            np.abs(ys - centre_um[1]) < SIGHT_UM[1] + margin
        )
        for number in np.nonzero(seen)[0].tolist():
            family = self.families[number]
            turn = 0.05 * np.sin(t_s / 5400.0 + self._sway[number])
            cos, sin = float(np.cos(turn)), float(np.sin(turn))
            for cell in family.placed(t_s):
                phase = min(int(cell.age * PHASES), PHASES - 1)
                rows.append(
                    (
                        number * COLONY_BLOCK + cell.id,
                        -1 if cell.parent < 0 else number * COLONY_BLOCK + cell.parent,
                        self._variants[number] * PHASES + phase,
                        xs[number] + cos * cell.x_um - sin * cell.y_um,
                        ys[number] + sin * cell.x_um + cos * cell.y_um,
                        self._z[number],
                        cell.angle_rad + turn,
                        cell.length_um / 2,
                    )
                )
        table = np.array(rows, dtype=float).reshape(-1, 8).T
        whole = table[:3].astype(np.int64)
        return Bodies(whole[0], whole[1], whole[2], *table[3:])

    def populations(self, t_s: float) -> Sequence[Population]:
        """Count the living cells of all colonies."""
        cells = sum(len(family.living(t_s)) for family in self.families)
        return (Population("alga", cells),)


class Drifters:
    """Things that lie still: crumbs, threads, diatoms that do not glide.

    Parameters
    ----------
    seed : int
        Of the world.
    name : str
        Of this stream of chance.
    kinds : sequence of (str, int, int, float, float)
        Drawing, count, variants, radius and spread in z, both in micrometres.
    """

    def __init__(
        self,
        seed: int,
        name: str,
        kinds: Sequence[Tuple[str, int, int, float, float]],
    ) -> None:
        self.period_um = PERIOD_UM
        mine = stream(seed, name)
        looks: List[Look] = []
        rows: List[Tuple[float, float, float]] = []
        for kind, count, variants, radius_um, depth_um in kinds:
            first = len(looks)
            looks += [Look(kind, variant) for variant in range(variants)]
            rows += [(first + i % variants, radius_um, depth_um) for i in range(count)]
        self.looks = tuple(looks)
        self._kinds = kinds
        numbers = np.arange(len(rows))
        table = np.array(rows, dtype=float).reshape(-1, 3).T
        self._bodies = Bodies(
            ids=numbers,
            parents=np.full(len(rows), -1),
            looks=table[0].astype(np.int64),
            x_um=self.period_um[0] * uniform(mine, 1, numbers),
            y_um=self.period_um[1] * uniform(mine, 2, numbers),
            z_um=table[2] * normal(mine, 3, numbers),
            angle_rad=2 * np.pi * uniform(mine, 4, numbers),
            radius_um=table[1],
        )

    def bodies(self, t_s: float, centre_um: Tuple[float, float]) -> Bodies:  # noqa: ARG002 (they lie still)
        """Return all of them, where they always are."""
        columns = dict(vars(self._bodies))
        columns["x_um"], columns["y_um"] = near(
            columns["x_um"], columns["y_um"], self.period_um, centre_um
        )
        return Bodies(**columns)

    def populations(self, t_s: float) -> Sequence[Population]:  # noqa: ARG002 (they lie still)
        """Count them by kind."""
        return tuple(Population(kind, count) for kind, count, *_ in self._kinds)


class Swimmers:
    """Bodies of one species that swim or glide in runs and turns.

    Parameters
    ----------
    seed : int
        Of the world.
    species : Species
        What they are and how they move.

    Attributes
    ----------
    speeds_um_s : array
        Of each one, constant.
    """

    def __init__(self, seed: int, species: Species) -> None:
        self.period_um = PERIOD_UM
        self.looks = tuple(Look(species.kind, i) for i in range(species.variants))
        self._species = species
        mine = stream(seed, f"swimming {species.kind}")
        ids = np.arange(species.number)
        chance = uniform(mine, np.arange(7)[:, np.newaxis], ids)
        spread = species.speed_spread * normal(mine, 10, ids)
        self.speeds_um_s = species.speed_um_s * np.exp(spread)
        bends = None
        if species.bend_um:
            signs = np.where(chance[0] < HALF, -1.0, 1.0)
            bends = signs / (species.bend_um * (0.5 + 2 * chance[1]))
        self._runner = Runner(
            mine,
            self.speeds_um_s,
            species.run_s,
            species.turn_sd,
            bends,
            reversing=species.reversing,
        )
        self._x, self._y = PERIOD_UM[0] * chance[2], PERIOD_UM[1] * chance[3]
        self._beat = chance[4]
        self._rise_s, self._rise = 40.0 + 80.0 * chance[5], chance[6]
        self._ids = ids

    def bodies(self, t_s: float, centre_um: Tuple[float, float]) -> Bodies:
        """Return where each of them is."""
        one, ids = self._species, self._ids
        x, y, heading = self._runner.at(t_s)
        beat = 2 * np.pi * (one.wobble_hz * t_s + self._beat)
        side = one.wobble_um * np.sin(beat)
        x = self._x + x - side * np.sin(heading)
        y = self._y + y + side * np.cos(heading)
        x, y = near(x, y, self.period_um, centre_um)
        rise = np.sin(2 * np.pi * (t_s / self._rise_s + self._rise))
        return Bodies(
            ids=ids,
            parents=np.full(len(ids), -1),
            looks=ids % one.variants,
            x_um=x,
            y_um=y,
            z_um=one.depth_um * rise,
            angle_rad=heading,
            radius_um=np.full(len(ids), one.radius_um),
        )

    def populations(self, t_s: float) -> Sequence[Population]:  # noqa: ARG002 (none is born)
        """Count them."""
        return (Population(self._species.kind, self._species.number),)


class Beads:
    """Balls of 1 µm that the water pushes about (Brownian motion).

    Parameters
    ----------
    seed : int
        Of the world.
    number : int
        On the whole period.
    """

    def __init__(self, seed: int, number: int = 320) -> None:
        self.period_um = PERIOD_UM
        self.looks = (Look("bead"),)
        self._count = number
        self._seed = stream(seed, "beads")
        ids = np.arange(number)
        self._x = PERIOD_UM[0] * uniform(self._seed, 1, ids)
        self._y = PERIOD_UM[1] * uniform(self._seed, 2, ids)
        self._z = 0.8 * normal(self._seed, 3, ids)

    def bodies(self, t_s: float, centre_um: Tuple[float, float]) -> Bodies:
        """Return where each of them is; exact to a millisecond."""
        ids = np.arange(self._count)
        scale = float(np.sqrt(2.0 * BEAD_DIFFUSION_UM2_S))
        way = scale * brownian(self._seed, np.arange(2 * self._count), t_s)
        x, y = self._x + way[: self._count], self._y + way[self._count :]
        x, y = near(x, y, self.period_um, centre_um)
        return Bodies(
            ids=ids,
            parents=np.full(self._count, -1),
            looks=np.zeros(self._count, dtype=np.int64),
            x_um=x,
            y_um=y,
            z_um=self._z,
            angle_rad=np.zeros(self._count),
            radius_um=np.full(self._count, 0.5),
        )

    def populations(self, t_s: float) -> Sequence[Population]:  # noqa: ARG002 (none is born)
        """Count them."""
        return (Population("bead", self._count),)


class Ruling:
    """A ruled glass: lines 25 µm apart, each fourth one heavier."""

    def __init__(self, seed: int) -> None:  # noqa: ARG002 (there is no chance in it)
        self.period_um = (800.0, 800.0)
        self.looks = tuple(Look("ruling", variant) for variant in range(4))
        across = np.arange(int(self.period_um[0] / RULING_UM))
        i, j = (grid.ravel() for grid in np.meshgrid(across, across))
        self._looks = (j % 4 == 0) + 2 * (i % 4 == 0)
        self._x, self._y = i * RULING_UM, j * RULING_UM

    def bodies(self, t_s: float, centre_um: Tuple[float, float]) -> Bodies:  # noqa: ARG002 (it lies still)
        """Return the crossings of the lines."""
        x, y = near(self._x, self._y, self.period_um, centre_um)
        zeros = np.zeros(len(x))
        return Bodies(
            ids=np.arange(len(x)),
            parents=np.full(len(x), -1),
            looks=self._looks.astype(np.int64),
            x_um=x,
            y_um=y,
            z_um=zeros,
            angle_rad=zeros,
            radius_um=np.full(len(x), RULING_UM / 2),
        )

    def populations(self, t_s: float) -> Sequence[Population]:  # noqa: ARG002 (glass)
        """Count nothing: it is glass."""
        return ()


def _apart(seed: int, count: int, least_um: float) -> Tuple[Floats, Floats]:
    """Return places that keep their distance: each the best of some candidates."""
    px, py = PERIOD_UM
    tries = np.arange(CANDIDATES)
    xs, ys = np.zeros(count), np.zeros(count)
    for number in range(count):
        x = px * uniform(seed, 11, number, tries)
        y = py * uniform(seed, 12, number, tries)
        dx = np.abs(x[:, np.newaxis] - xs[np.newaxis, :number])
        dy = np.abs(y[:, np.newaxis] - ys[np.newaxis, :number])
        far = np.hypot(np.minimum(dx, px - dx), np.minimum(dy, py - dy))
        nearest = far.min(axis=1) if number else np.full(CANDIDATES, least_um)
        best = int(np.argmax(np.minimum(nearest, least_um)))
        xs[number], ys[number] = x[best], y[best]
    return xs, ys
