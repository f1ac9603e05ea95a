"""The simulated OpenFlexure Microscope as one instrument."""

import threading
from pathlib import Path
from typing import Optional, Sequence, Union

from hardware_sim.camera import SimCamera
from hardware_sim.faults import Fault, Faults
from hardware_sim.light import SimLight
from hardware_sim.stage import Mechanics, SimStage
from hardware_sim.truth import TruthLog
from hardware_sim.world import Drift, SimWorld
from openflexure_timelapse.errors import HardwareBusyError
from openflexure_timelapse.ports import Clock, Focuser, JsonDict

__all__ = ["SimMicroscope", "build"]

NS_PER_S = 1_000_000_000
LOOK_AGAIN_NS = NS_PER_S // 10


class SimMicroscope:
    """Camera, stage and light over one world.

    Parameters
    ----------
    world : SimWorld
        The sample and the room.
    clock : Clock
        The only time there is.
    faults : Faults
        What goes wrong, and when.
    truth : TruthLog
        Receives what was true of each picture.
    mechanics : Mechanics
        The figures of the stage.

    Attributes
    ----------
    world, faults, truth
        As given; for tests and demonstrations, no port shows them.
    """

    def __init__(
        self,
        world: SimWorld,
        clock: Clock,
        faults: Faults,
        truth: TruthLog,
        mechanics: Mechanics,
    ) -> None:
        self.world = world
        self.faults = faults
        self.truth = truth
        self._clock = clock
        self._stage = SimStage(clock, faults, mechanics)
        self._light = SimLight(clock, faults)
        self._camera = SimCamera(world, clock, self._stage, self._light, faults, truth)
        self._taken = threading.Lock()

    @property
    def camera(self) -> SimCamera:
        """The camera."""
        return self._camera

    @property
    def stage(self) -> SimStage:
        """The stage."""
        return self._stage

    @property
    def focuser(self) -> Optional[Focuser]:
        """None: focus is swept with camera and stage."""
        return None

    @property
    def light(self) -> SimLight:
        """The lamp."""
        return self._light

    def describe(self) -> JsonDict:
        """Return the facts for ``run.json``."""
        return {
            "host": "simulated",
            "name": "Simulated OpenFlexure Microscope",
            "scene": self.world.scene_name,
            "seed": self.world.seed,
            "camera": self._camera.describe().model,
            "stage": self._stage.describe().model,
            "simulated": True,
        }

    def state(self) -> JsonDict:
        """Return the state in the shape of OpenFlexure server v2."""
        place = self._stage.position()
        return {
            "camera": {},
            "stage": {"position": {"x": place.x, "y": place.y, "z": place.z}},
        }

    def incidents(self) -> Sequence[JsonDict]:
        """Return what the camera got over; the other parts hang or fail, no more."""
        return self._camera.incidents()

    def acquire(self, deadline_ns: int) -> None:
        """Take the instrument, waiting for the other user of an ``in_use`` fault.

        Raises
        ------
        HardwareBusyError
            When it is not free by `deadline_ns`.
        """
        never = self._clock.signal()
        while not self._is_free():
            now_ns = self._clock.monotonic_ns()
            if now_ns >= deadline_ns:
                message = "Another user holds the microscope; "
                raise HardwareBusyError(message + "wait until it is free.")
            self._clock.wait_until(min(deadline_ns, now_ns + LOOK_AGAIN_NS), never)

    def _is_free(self) -> bool:
        """Take the lock if nobody else is using the microscope."""
        if self.faults.find("in_use") is not None:
            return False
        return self._taken.acquire(blocking=False)

    def release(self) -> None:
        """Give the instrument back."""
        self._taken.release()


def build(  # noqa: PLR0913 (each has a default)
    seed: int,
    scene: str,
    clock: Clock,
    faults: Union[Faults, Sequence[Fault]] = (),
    *,
    truth_path: Union[str, Path, None] = None,
    drift: Drift = Drift(),  # noqa: B008 (frozen)
    mechanics: Mechanics = Mechanics(),  # noqa: B008 (frozen)
    age_s: float = 0.0,
) -> SimMicroscope:
    """Make a simulated microscope.

    Parameters
    ----------
    seed : int
        Another seed is another sample on another day.
    scene : str
        A name of `hardware_sim.scenes.SCENES`, or several joined with ``+``.
    clock : Clock
        Any; a ``wall_step`` fault needs a virtual or a scaled one.
    faults : Faults or sequence of Fault
        What goes wrong. Give a `Faults` to share it with a `FaultyDisk`.
    truth_path : str or Path or None
        A JSONL file for the ground truth; None for none.
    drift, mechanics
        The figures of the world and of the stage.
    age_s : float
        The world's time now, in seconds, for a world that was begun earlier.

    Raises
    ------
    ValueError
        For an unknown scene, or a ``wall_step`` on a clock that cannot step.
    """
    schedule = faults if isinstance(faults, Faults) else Faults(clock, faults)
    for fault in schedule.of("wall_step"):
        step = getattr(clock, "step_wall", None)
        if step is None:
            raise ValueError(f"a {type(clock).__name__} cannot step its time of day")
        step(int(fault.amount * NS_PER_S), schedule.begins_ns(fault))
    world = SimWorld(seed, scene, clock, drift, age_s)
    return SimMicroscope(world, clock, schedule, TruthLog(truth_path), mechanics)
