"""What the simulated camera would have seen without the noise of its sensor."""

from typing import Any, Mapping, Tuple

import numpy as np
from numpy.typing import NDArray

from hardware_sim.bodies import Bodies
from hardware_sim.camera import MODES
from hardware_sim.exposure import LEVEL_PER_US
from hardware_sim.optics import Renderer, Shot, expose
from hardware_sim.world import SimWorld

__all__ = ["NoiseFree"]

Pixels = NDArray[np.uint8]

MICRO = 1_000_000


class NoiseFree:
    """Draws pictures again from what was true of them: without noise, without JPEG.

    A lost lens shading is not drawn.

    Parameters
    ----------
    world : SimWorld
        The sample they show.
    """

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._looks = tuple(world.scene.looks)
        self._renderer = Renderer(world.seed)

    def picture(self, record: Mapping[str, Any]) -> Pixels:
        """Return one picture, blue first.

        Parameters
        ----------
        record : mapping
            What the camera wrote into its `TruthLog`.
        """
        bodies, shot, level = self._seen(record)
        return self._renderer.noise_free(bodies, self._looks, shot, level)

    def noisy(self, record: Mapping[str, Any]) -> Pixels:
        """Return the same with its noise, as it was before it became a JPEG."""
        bodies, shot, level = self._seen(record)
        return expose(self._renderer.density(bodies, self._looks, shot), level)

    def _seen(self, record: Mapping[str, Any]) -> Tuple[Bodies, Shot, float]:
        """Return what lay before the camera, how it looked at it, and how bright."""
        centre = (float(record["centre_um"][0]), float(record["centre_um"][1]))
        shot = Shot(
            size=MODES[record["mode"]],
            centre_um=centre,
            stage_z_um=record["stage_um"][2],
            focus_um=record["focus_um"],
            tilt=self._world.tilt,
            t_key=int(record["t_s"] * MICRO),
            vignette=self._renderer.lens.vignette,
        )
        total_us = record["exposure_us"] * record["analogue_gain"]
        bodies = self._world.bodies(record["t_s"], centre)
        return bodies, shot, total_us * LEVEL_PER_US * record["light"]
