"""A simulated server v3 with our Thing in it."""

from pathlib import Path
from typing import Any, Callable, NamedTuple

from script import Visitor
from steady_run import SPEED

from hardware_sim.v3_server import RunningServer, SimulatedServer, create
from openflexure_timelapse.hosts.v3 import TimelapseThing

__all__ = ["NAME", "Rig", "started"]

NAME = "timelapse"


class Rig(NamedTuple):
    """A server with the Thing in it, and two ways to ask it."""

    server: SimulatedServer
    thing: TimelapseThing
    visitor: Visitor
    api: Visitor
    url: str
    close: Callable[[], None]


def started(folder: Path, speed: float = SPEED, **options: Any) -> Rig:
    """Start a server on a folder, at `port` or at any that is free."""
    config = options.pop("config", {"class": TimelapseThing})
    options.setdefault("things", {NAME: config})
    port = options.pop("port", 0)
    server = create(folder, "beads", 1, speed, **options)
    running = RunningServer(server, port=port)
    thing = server.server.things[NAME]
    assert isinstance(thing, TimelapseThing)
    api = f"{running.url}/api/v3"
    visitor = Visitor(f"{api}/{NAME}")
    return Rig(server, thing, visitor, Visitor(api), running.url, running.close)
