"""An illumination Thing: on or off, and nothing reads it back."""

from typing import Any

import labthings_fastapi as lt

from openflexure_timelapse.ports import Clock, Light

__all__ = ["IlluminationThing"]

NS_PER_S = 1_000_000_000


class IlluminationThing(lt.Thing):
    """A lamp with the actions of the v3 server's.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    lamp : Light
        What is switched.
    clock : Clock
        That of the hardware.
    on_level : float
        What on is, 0 to 1.
    """

    _class_settings = {"validate_properties_on_set": True}  # noqa: RUF012 (as labthings reads it)

    def __init__(
        self, thing_server_interface: Any, *, lamp: Light, clock: Clock, on_level: float
    ) -> None:
        super().__init__(thing_server_interface)
        self._lamp = lamp
        self._clock = clock
        self._on_level = on_level

    @lt.action
    def set_led(
        self,
        led_on: bool = True,  # noqa: FBT001, FBT002 (as on OpenFlexure's server)
    ) -> None:
        """Switch the light on or off."""
        self._lamp.set_level(self._on_level if led_on else 0.0)

    @lt.action
    def flash(self, number_of_flashes: int = 10, dt: float = 0.5) -> None:
        """Switch the light off and on again some times, and do not heed a cancel."""
        for _ in range(number_of_flashes):
            for led_on in (False, True):
                self.set_led(led_on)
                due_ns = self._clock.monotonic_ns() + int(dt * NS_PER_S)
                self._clock.wait_until(due_ns, self._clock.signal())
