"""The light of the simulated server v3."""

from typing import Any

from hardware_sim.light import USUAL_LEVEL, SimLight
from openflexure_timelapse.hosts.things.illumination import IlluminationThing
from openflexure_timelapse.ports import Clock

__all__ = ["SimulatedIllumination"]


class SimulatedIllumination(IlluminationThing):
    """A `SimLight` that is on or off, as on the v3 server: nothing reads it back.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    sim : SimLight
        The simulated lamp.
    clock : Clock
        Its clock.
    """

    def __init__(
        self, thing_server_interface: Any, *, sim: SimLight, clock: Clock
    ) -> None:
        super().__init__(
            thing_server_interface, lamp=sim, clock=clock, on_level=USUAL_LEVEL
        )
