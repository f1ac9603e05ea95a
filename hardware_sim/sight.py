"""What lies before the simulated camera at a moment, how bright it is, what is true."""

from typing import Any, Dict, List, NamedTuple, Tuple

from hardware_sim import optics
from hardware_sim.bodies import Bodies
from hardware_sim.faults import Faults
from hardware_sim.light import SimLight
from hardware_sim.optics import Renderer, Shot
from hardware_sim.stage import SimStage
from hardware_sim.world import SimWorld
from openflexure_timelapse.ports import Clock

__all__ = ["Sight", "View"]

LOST_SHADING = 0.35

Size = Tuple[int, int]


class View(NamedTuple):
    """What the camera looks at in one exposure."""

    shot: Shot
    bodies: Bodies
    stage_um: Tuple[float, float, float] = (0.0, 0.0, 0.0)
    drift_um: Tuple[float, float, float] = (0.0, 0.0, 0.0)


class Sight:
    """The optics over a world, for one thread at a time.

    Parameters
    ----------
    world, stage, light, faults
        As in `SimMicroscope`.
    """

    def __init__(
        self, world: SimWorld, stage: SimStage, light: SimLight, faults: Faults
    ) -> None:
        self._world = world
        self._stage = stage
        self._light = light
        self._faults = faults
        self.renderer = Renderer(world.seed)
        self.looks = tuple(world.scene.looks)

    def view(self, size: Size, at_ns: int) -> View:
        """Return what lies in front of the camera at a monotonic time of its clock."""
        world = self._world
        t_s = world.world_s(at_ns)
        stage = self._stage.physical_um(at_ns)
        drift = world.drift_um(t_s)
        centre = (stage[0] + drift[0], stage[1] + drift[1])
        lost = self._faults.find("lens_shading_lost") is not None
        shot = Shot(
            size=size,
            centre_um=centre,
            stage_z_um=stage[2],
            focus_um=world.slide_um(*centre) + drift[2],
            tilt=world.tilt,
            t_key=int(t_s * 1_000_000),
            vignette=LOST_SHADING if lost else self.renderer.lens.vignette,
        )
        return View(shot, world.bodies(t_s, centre), stage, drift)

    def density(self, view: View) -> optics.Pixels:
        """Return a view's density, as `Renderer.density` does."""
        return self.renderer.density(view.bodies, self.looks, view.shot)

    def lamp(self, at_ns: int) -> float:
        """Return the light that reaches clear water."""
        lamp = self._world.lamp(self._world.world_s(at_ns))
        return self._light.output() * lamp + optics.LEAK

    def truth(self, view: View, at_ns: int, clock: Clock) -> Dict[str, Any]:
        """Return what was true of a picture, JSON-able.

        Parameters
        ----------
        view : View
            What it shows.
        at_ns : int
            Monotonic time of its exposure.
        clock : Clock
            Whose time that is.
        """
        t_s, shot = self._world.world_s(at_ns), view.shot
        place = self._stage.position()
        passed_ns = clock.monotonic_ns() - at_ns
        return {
            "monotonic_ns": at_ns,
            "wall_ns": clock.wall_ns() - passed_ns,
            "commanded_steps": [place.x, place.y, place.z],
            "stage_um": list(view.stage_um),
            "drift_um": list(view.drift_um),
            "centre_um": list(shot.centre_um),
            "focus_um": shot.focus_um,
            "defocus_um": shot.stage_z_um - shot.focus_um,
            "boot_id": clock.boot_id(),
            "seed": self._world.seed,
            "scene": self._world.scene_name,
            "temperature_k": self._world.temperature_k(t_s),
            "faults": self._faults.active(),
            "t_s": t_s,
        }

    def listed(self, view: View, t_s: float) -> Dict[str, Any]:
        """Return what lives on the sample and each body in a picture, JSON-able."""
        return {
            "population": self._world.population(t_s),
            "objects": self._objects(view),
        }

    def _objects(self, view: View) -> List[Dict[str, Any]]:
        """List the bodies in the picture."""
        seen = view.bodies.picked(self.renderer.seen(view.bodies, view.shot))
        return [
            {
                "id": int(seen.ids[i]),
                "parent": int(seen.parents[i]),
                "kind": self.looks[int(seen.looks[i])].kind,
                "x_um": round(float(seen.x_um[i]), 3),
                "y_um": round(float(seen.y_um[i]), 3),
                "z_um": round(float(seen.z_um[i]), 3),
                "angle_rad": round(float(seen.angle_rad[i]), 4),
                "radius_um": round(float(seen.radius_um[i]), 3),
            }
            for i in range(len(seen))
        ]
