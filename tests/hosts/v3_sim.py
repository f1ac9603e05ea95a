"""Our microscope over the simulated server v3, for tests of both."""

from pathlib import Path
from typing import Any, Iterator

from hardware_sim.v3_server import SimulatedServer, create
from openflexure_timelapse.hosts.v3_microscope import V3Microscope

__all__ = ["FAST", "lock_of", "over", "running"]

FAST = 200.0
FRAMES_PER_S = 30.0


def running(
    folder: Path, scene: str = "beads", **how: Any
) -> Iterator[SimulatedServer]:
    """Start a server, and end it when the test goes on after the yield."""
    how.setdefault("frames_per_s", FRAMES_PER_S)
    server = create(folder, scene, 1, how.pop("speed", FAST), **how)
    with server.server.test_client():
        yield server


def lock_of(server: SimulatedServer) -> Any:
    """Return the server's global lock."""
    return server.things["camera"]._thing_server_interface.global_lock


def over(server: SimulatedServer, **others: Any) -> V3Microscope:
    """Return our microscope over a server's Things."""
    things = server.things
    return V3Microscope(
        things["camera"],
        things["stage"],
        server.clock,
        autofocus=things.get("autofocus"),
        illumination=things.get("illumination"),
        global_lock=lambda: lock_of(server),
        **others,
    )
