"""A simulated server v2 with the extension in it, for the tests of both."""

from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple

from script import Visitor

from hardware_sim.v2_server import RunningServer, SimulatedServer, create
from openflexure_timelapse.hosts.v2 import NAME, TimelapseExtension

__all__ = [
    "API",
    "JSON",
    "OURS",
    "PLAN",
    "Rig",
    "captured",
    "first_frames",
    "started",
]

API = "/api/v2"
OURS = f"{API}/extensions/{NAME}"
SPEED = 20.0
SMALL = [832, 624]
JSON = {"Accept": "application/json"}
PLAN: Dict[str, Any] = {
    "name": "traps",
    "interval_s": 5,
    "keep_free_mb": 0,
    "late": "catch_up",
    "catch_up_slots": 1000,
    "movie": None,
}


class Rig(NamedTuple):
    """A server with the extension in it, and two ways to ask it."""

    server: SimulatedServer
    extension: TimelapseExtension
    visitor: Visitor
    api: Visitor
    close: Callable[[], None]


def started(folder: Path, **options: Any) -> Rig:
    """Start a server on a folder, at `port` or at any that is free."""
    extension = TimelapseExtension()
    options.setdefault("extensions", [extension])
    port = options.pop("port", 0)
    server = create(folder, "beads", 1, SPEED, **options)
    if server.microscope.has_real_camera():
        server.microscope.camera.image_resolution = SMALL
    running = RunningServer(server.app, port=port)

    def close() -> None:
        running.close()
        extension.verbs.close()
        server.close()

    ours, api = Visitor(running.url + OURS), Visitor(running.url + API)
    return Rig(server, extension, ours, api, close)


def captured(status: Dict[str, Any]) -> int:
    """Return how many slots have their frame."""
    return int(status["counts"]["captured"] + status["counts"]["late"])


def first_frames(rig: Rig, count: int = 1) -> Dict[str, Any]:
    """Wait until a run has some frames."""
    told: Dict[str, Any] = rig.visitor.until(
        "status", lambda told: "counts" in told and captured(told) >= count
    )
    return told
