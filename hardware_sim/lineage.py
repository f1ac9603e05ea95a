"""Who descends from whom, when each cell divides, and where it then lies.

A colony is a binary tree. A mother grows from length l to 2l, forms a wall across and
becomes two daughters of length l, each of which then turns a little. The colonies are
laid out afresh for each moment, from the tree alone: every group of cells lies on its
own side of the line along which its founder divided, so cells never overlap and
growing cells push whole groups apart, smoothly in time.
"""

from dataclasses import dataclass
from typing import Dict, List, NamedTuple

import numpy as np

from hardware_sim.hashing import normal, stream, uniform

__all__ = ["GENERATIONS", "Cell", "Family", "Growth", "Placed"]

GENERATIONS = 5
SPREAD = (0.7, 1.3)
STARVED_AGE = 0.6


@dataclass(frozen=True)
class Growth:
    """How a species grows.

    Attributes
    ----------
    doubling_s : float
        Mean time from one division to the next.
    spread : float
        Its standard deviation as a share.
    length_um : float
        Of a new cell, tip to tip; it doubles before division.
    width_um : float
        Constant.
    turn_rad : float
        Standard deviation of the turn of a new daughter.
    gap_um : float
        How far daughters come apart after a division.
    gap_s : float
        In which time.
    """

    doubling_s: float
    spread: float = 0.15
    length_um: float = 12.0
    width_um: float = 9.5
    turn_rad: float = 0.7
    gap_um: float = 1.1
    gap_s: float = 3600.0


class Cell(NamedTuple):
    """One cell's life. Its id is unique in the family."""

    id: int
    parent: int
    birth_s: float
    end_s: float
    generation: int


class Placed(NamedTuple):
    """One living cell at one moment, relative to its colony's centre.

    `age` goes from 0 (new) to 1 (divides), and stays below 1 when it never divides.
    """

    id: int
    parent: int
    x_um: float
    y_um: float
    angle_rad: float
    length_um: float
    age: float


class Family:
    """The descendants of one founder.

    Ids are those of a heap: the daughters of cell n are 2n and 2n + 1, the founder is
    1. After five generations food is used up: cells of the last one do not divide.

    Parameters
    ----------
    seed : int
        Of the world.
    name : str
        Of the founder, unique in the world.
    growth : Growth
        Of its species.
    """

    def __init__(self, seed: int, name: str, growth: Growth) -> None:
        self.growth = growth
        self._seed = stream(seed, name)
        self._cells: Dict[int, Cell] = {}
        self._turns: Dict[int, float] = {}
        self._angle = float(2 * np.pi * uniform(self._seed, 1)[0])

    def cell(self, number: int) -> Cell:
        """Return a cell's life, drawing it at the first question."""
        found = self._cells.get(number)
        if found is None:
            found = self._draw(number)
            self._cells[number] = found
        return found

    def _draw(self, number: int) -> Cell:
        """Draw birth and division of a cell."""
        growth = self.growth
        share = 1.0 + growth.spread * float(normal(self._seed, 2, number)[0])
        life_s = growth.doubling_s * min(max(share, SPREAD[0]), SPREAD[1])
        if number == 1:
            # In a growing culture young cells are twice as common as old ones.
            young = float(uniform(self._seed, 3)[0])
            age = float(np.log2(2.0 / (2.0 - young)))
            return Cell(1, -1, -age * life_s, (1 - age) * life_s, 0)
        mother = self.cell(number // 2)
        generation = mother.generation + 1
        end_s = mother.end_s + life_s
        return Cell(number, mother.id, mother.end_s, end_s, generation)

    def living(self, t_s: float) -> List[Cell]:
        """Return the cells that live at a time."""
        found, ask = [], [1]
        while ask:
            cell = self.cell(ask.pop())
            if t_s < cell.end_s or cell.generation >= GENERATIONS:
                found.append(cell)
            else:
                ask += [2 * cell.id, 2 * cell.id + 1]
        return found

    def placed(self, t_s: float) -> List[Placed]:
        """Return where the living cells lie."""
        return self._group(1, t_s, self._angle)

    def _group(self, number: int, t_s: float, angle: float) -> List[Placed]:
        """Lay out a cell, or what became of it, around the place where it was."""
        cell = self.cell(number)
        growth = self.growth
        angle += self._turn(number) * _smooth((t_s - cell.birth_s) / growth.doubling_s)
        if t_s < cell.end_s or cell.generation >= GENERATIONS:
            age = min((t_s - cell.birth_s) / (cell.end_s - cell.birth_s), 1.0)
            if cell.generation >= GENERATIONS:
                age *= STARVED_AGE
            length = growth.length_um * 2.0**age
            return [Placed(number, cell.parent, 0.0, 0.0, angle, length, age)]
        gap = growth.gap_um * _smooth((t_s - cell.end_s) / growth.gap_s)
        first = self._group(2 * number, t_s, angle)
        second = self._group(2 * number + 1, t_s, angle)
        moved = self._moved(first, angle, -1.0, gap)
        return moved + self._moved(second, angle, 1.0, gap)

    def _moved(
        self, group: List[Placed], angle: float, side: float, gap: float
    ) -> List[Placed]:
        """Move a group to its side of the line, until it just touches it."""
        ux, uy = np.cos(angle), np.sin(angle)
        half = self.growth.width_um / 2
        reach = max(
            -side * (cell.x_um * ux + cell.y_um * uy)
            + abs(np.cos(cell.angle_rad - angle)) * (cell.length_um / 2 - half)
            for cell in group
        )
        way = side * (reach + half + gap / 2)
        return [
            cell._replace(x_um=cell.x_um + way * ux, y_um=cell.y_um + way * uy)
            for cell in group
        ]

    def _turn(self, number: int) -> float:
        """Return by how much a daughter turns during her life."""
        if number == 1:
            return 0.0
        found = self._turns.get(number)
        if found is None:
            found = self.growth.turn_rad * float(normal(self._seed, 4, number)[0])
            self._turns[number] = found
        return found


def _smooth(share: float) -> float:
    """Return a step from 0 to 1 with soft ends."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)
