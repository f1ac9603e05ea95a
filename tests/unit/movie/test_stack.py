"""One picture of several planes is held against the simulator's scene in focus."""

from dataclasses import replace
from typing import List, Tuple

import numpy as np
import pytest
from numpy.typing import NDArray

from hardware_sim.clock import VirtualClock
from hardware_sim.optics import Renderer, Shot, expose
from hardware_sim.world import SimWorld
from openflexure_timelapse.movie.stack import extended, focus_measure, sharpest

Pixels = NDArray[np.uint8]

SEED = 3
SIZE = (832, 624)
BRIGHT = 0.8


def stack_of(scene: str, heights_um: List[float]) -> Tuple[List[Pixels], Pixels]:
    """Return the planes of a scene that stands still, and all of it in focus."""
    world, renderer = SimWorld(SEED, scene, VirtualClock(0)), Renderer(SEED)
    bodies = world.bodies(100.0, (0.0, 0.0))
    flat = replace(bodies, z_um=np.zeros_like(bodies.z_um))

    def seen(what: object, z_um: float, moment: int) -> Pixels:
        shot = Shot(SIZE, (0.0, 0.0), z_um, 0.0, (0.0, 0.0), moment, 0.07)
        return expose(renderer.density(what, world.scene.looks, shot), BRIGHT)

    planes = [seen(bodies, z_um, index) for index, z_um in enumerate(heights_um)]
    return planes, seen(flat, 0.0, len(planes))


def sharpness(picture: Pixels) -> float:
    """Return how sharp a picture is as a whole."""
    return float((focus_measure(picture) ** 2).mean())


def closeness_db(picture: Pixels, truth: Pixels) -> float:
    """Return the peak signal-to-noise ratio."""
    error = np.mean((picture.astype(np.float64) - truth) ** 2)
    return float(10 * np.log10(255**2 / error))


@pytest.mark.parametrize(
    ("scene", "heights_um", "gain_db", "least_db"),
    [
        ("pond", [-7.5, -5.0, -2.5, 0.0, 2.5, 5.0, 7.5], 6.0, 44.0),
        ("algae_growth", [-1.5, -0.75, 0.0, 0.75], 2.5, 46.0),
    ],
)
def test_all_planes_in_one_picture(
    scene: str, heights_um: List[float], gain_db: float, least_db: float
) -> None:
    """It is sharper than any plane and far nearer to the scene in focus."""
    planes, truth = stack_of(scene, heights_um)
    made = extended(iter(planes))
    assert sharpness(made) > max(map(sharpness, planes))
    best_db = max(closeness_db(plane, truth) for plane in planes)
    assert closeness_db(made, truth) > max(best_db + gain_db, least_db)
    best = max(planes, key=sharpness)
    assert np.array_equal(sharpest(iter(planes)), best)


def test_planes_without_anything_are_averaged() -> None:
    """Where nothing is in focus there are no seams, and less noise than in a plane."""
    chance = np.random.default_rng(1)
    planes = [
        np.clip(chance.normal(128, 4, (64, 96, 3)), 0, 255).astype(np.uint8)
        for _ in range(8)
    ]
    assert float(extended(iter(planes)).std()) < 0.75 * float(planes[0].std())
    assert np.array_equal(extended(iter(planes[:1])), planes[0])
