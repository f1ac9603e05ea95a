"""The light of the simulated server v3."""

from typing import Any

import labthings_fastapi as lt

from hardware_sim.light import USUAL_LEVEL, SimLight
from openflexure_timelapse.ports import Clock

__all__ = ["SimulatedIllumination"]

NS_PER_S = 1_000_000_000


class SimulatedIllumination(lt.Thing):
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

    _class_settings = {"validate_properties_on_set": True}  # noqa: RUF012 (as labthings reads it)

    def __init__(
        self, thing_server_interface: Any, *, sim: SimLight, clock: Clock
    ) -> None:
        super().__init__(thing_server_interface)
        self._sim = sim
        self._clock = clock

    @lt.action
    def set_led(
        self,
        led_on: bool = True,  # noqa: FBT001, FBT002 (as on the real server)
    ) -> None:
        """Switch the light on or off."""
        self._sim.set_level(USUAL_LEVEL if led_on else 0.0)

    @lt.action
    def flash(self, number_of_flashes: int = 10, dt: float = 0.5) -> None:
        """Switch the light off and on again some times, and do not heed a cancel."""
        for _ in range(number_of_flashes):
            for led_on in (False, True):
                self.set_led(led_on)
                due_ns = self._clock.monotonic_ns() + int(dt * NS_PER_S)
                self._clock.wait_until(due_ns, self._clock.signal())
