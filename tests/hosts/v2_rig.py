"""A simulated server v2 with the extension in it, for the tests of both."""

from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

from script import Visitor
from steady_run import SPEED

from hardware_sim.v2_server import RunningServer, SimulatedServer, create
from openflexure_timelapse.hosts.v2 import NAME, TimelapseExtension

__all__ = ["API", "JSON", "OURS", "Rig", "rigged", "started"]

API = "/api/v2"
OURS = f"{API}/extensions/{NAME}"
SMALL = [832, 624]
JSON = {"Accept": "application/json"}


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


def rigged(tmp_path: Path) -> Iterator[Rig]:
    """Start a server, and end it with the test; a fixture for a file that wants it."""
    rig = started(tmp_path)
    yield rig
    rig.close()
