"""Algae grow, divide and push each other apart as the lineage table says."""

from typing import List

import numpy as np
import pytest
from numpy.typing import NDArray

from hardware_sim.inhabitants import DOUBLING_S, Algae
from hardware_sim.lineage import Family, Growth, Placed

HOUR_S = 3600.0
GROWTH = Growth(DOUBLING_S)


@pytest.fixture(scope="module", name="algae")
def make_algae() -> Algae:
    """Return the algae of a world."""
    return Algae(1)


def number(algae: Algae, hours: float) -> int:
    """Return how many cells live."""
    return algae.populations(hours * HOUR_S)[0].number


def test_the_number_doubles_in_the_doubling_time(algae: Algae) -> None:
    """The fitted doubling time is the species' within 8 %."""
    hours = np.arange(0.0, 19.0, 1.0)
    slope = np.polyfit(hours, np.log2([number(algae, hour) for hour in hours]), 1)[0]
    assert 1 / slope == pytest.approx(DOUBLING_S / HOUR_S, rel=0.08)


def test_ten_hours_of_growth_can_be_seen(algae: Algae) -> None:
    """In the demo's ten hours there are 2.3 times as many cells and more."""
    assert number(algae, 10) > 2.3 * number(algae, 0)


def test_growth_ends_when_food_does(algae: Algae) -> None:
    """After days each founder has 32 descendants and no more."""
    assert number(algae, 24 * 20) == 32 * number(algae, 0)


def test_each_daughter_is_born_when_its_mother_ends() -> None:
    """Births and divisions of the table fit together."""
    family = Family(1, "one", GROWTH)
    for name in range(2, 32):
        daughter, mother = family.cell(name), family.cell(name // 2)
        assert daughter.parent == mother.id
        assert daughter.birth_s == mother.end_s
        assert daughter.end_s > daughter.birth_s


def test_a_division_moves_nothing() -> None:
    """At the moment of a division the daughters lie where the mother's halves lay."""
    family = Family(1, "one", GROWTH)
    at_s = family.cell(1).end_s
    (mother,) = family.placed(at_s - 1e-3)
    daughters = family.placed(at_s)
    assert len(daughters) == 2
    assert mother.age == pytest.approx(1.0, abs=1e-3)
    middle = np.mean([[cell.x_um, cell.y_um] for cell in daughters], axis=0)
    assert middle == pytest.approx([mother.x_um, mother.y_um], abs=1e-3)
    apart = np.hypot(
        daughters[0].x_um - daughters[1].x_um, daughters[0].y_um - daughters[1].y_um
    )
    assert apart == pytest.approx(mother.length_um / 2, abs=1e-2)


def test_daughters_come_apart() -> None:
    """An hour after the division there is room between the daughters."""
    family = Family(1, "one", GROWTH)
    first, second = family.placed(family.cell(1).end_s + HOUR_S)
    apart = np.hypot(first.x_um - second.x_um, first.y_um - second.y_um)
    assert apart > (first.length_um + second.length_um) / 2 + 0.3


def middle_line(cell: Placed, width_um: float) -> NDArray[np.float64]:
    """Return points along the middle line of a rod."""
    half = cell.length_um / 2 - width_um / 2
    along = np.linspace(-half, half, 9)[:, np.newaxis]
    way = np.array([[np.cos(cell.angle_rad), np.sin(cell.angle_rad)]])
    return np.asarray(np.array([[cell.x_um, cell.y_um]]) + along * way)


@pytest.mark.parametrize("hours", [8, 20, 40])
@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_cells_of_a_colony_never_overlap(name: str, hours: float) -> None:
    """The middle lines of any two cells are one width apart."""
    cells: List[Placed] = Family(1, name, GROWTH).placed(hours * HOUR_S)
    lines = [middle_line(cell, GROWTH.width_um) for cell in cells]
    for index, line in enumerate(lines):
        for other in lines[:index]:
            away = line[:, np.newaxis] - other[np.newaxis]
            nearest = np.sqrt((away**2).sum(axis=2)).min()
            assert nearest > GROWTH.width_um - 0.2


def test_growth_is_smooth() -> None:
    """From one minute to the next no living cell jumps."""
    family = Family(1, "two", GROWTH)
    before = {cell.id: cell for cell in family.placed(0.0)}
    for minute in range(1, 12 * 60):
        now = {cell.id: cell for cell in family.placed(60.0 * minute)}
        for name in now.keys() & before.keys():
            way = np.hypot(
                now[name].x_um - before[name].x_um, now[name].y_um - before[name].y_um
            )
            assert way < 0.5
        before = now


def test_cells_out_of_sight_may_be_left_out(algae: Algae) -> None:
    """Whoever is in the picture is on the list, wherever the list's middle is."""
    for hours in (0.0, 12.0, 36.0):
        here = algae.bodies(hours * HOUR_S, (0.0, 0.0))
        aside = algae.bodies(hours * HOUR_S, (60.0, -40.0))
        seen = (np.abs(here.x_um) < 100) & (np.abs(here.y_um) < 90)
        assert set(here.ids[seen].tolist()) <= set(aside.ids.tolist())
