"""The stage of the simulated server v3."""

import contextlib
from typing import Any, Iterator

from hardware_sim.faults import Faults
from hardware_sim.motors import Motors
from hardware_sim.stage import SimStage
from openflexure_timelapse.hosts.things.stage import StageThing
from openflexure_timelapse.ports import Clock

__all__ = ["SimulatedStage"]


class SimulatedStage(StageThing):
    """A `SimStage` with the actions and properties of the v3 server's stages.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    sim : SimStage
        The simulated stage; its motors are moved, its own care for play is not used.
    clock : Clock
        Its clock; not a virtual one, since there are real threads.
    faults : Faults
        Those of kinds ``stage_…``; n counts the moves of the motors, of which one with
        compensation has two.
    speed : float
        Seconds of `clock` in a second of the machine's own time.
    """

    def __init__(
        self,
        thing_server_interface: Any,
        *,
        sim: SimStage,
        clock: Clock,
        faults: Faults,
        speed: float = 1.0,
    ) -> None:
        turned = Motors(sim, clock, faults, speed)
        super().__init__(thing_server_interface, motors=turned)
        self._sim_motors = turned

    @contextlib.contextmanager
    def paced(self, steps_per_s: float) -> Iterator[None]:
        """Move no faster than this; see `Motors.paced`."""
        with self._sim_motors.paced(steps_per_s):
            yield
