"""A simulated server v3 that starts and ends as the real one does.

The real one serves on its main thread and leaves signals to uvicorn: SIGINT and SIGTERM
end requests, then Things in the reverse of the configuration's order, and then the
signal is raised once more. The live view would go on for ever, so it is ended first.
"""

import contextlib
import json
import socket
import sys
from typing import Any

import uvicorn

from hardware_sim.v3_server import GRACE_S, create
from openflexure_timelapse.hosts.v3 import TimelapseThing

NAME = "timelapse"


class Server(uvicorn.Server):
    """One that ends the live view before it waits for requests to end."""

    camera: Any = None

    def handle_exit(self, sig: int, frame: Any) -> None:
        """End."""
        self.camera.kill_mjpeg_streams()
        super().handle_exit(sig, frame)


def main(folder: str, scene: str, speed: str) -> None:
    """Serve on a free port until a signal; say on which."""
    made = create(folder, scene, 1, float(speed), things={NAME: TimelapseThing})
    config = uvicorn.Config(
        made.server.app, log_level="error", timeout_graceful_shutdown=GRACE_S
    )
    server = Server(config)
    server.camera = made.things["camera"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # Nothing answers before the Things are there; who connects waits until then.
        print(json.dumps({"url": url}, indent=2), flush=True)  # noqa: T201 (read by the test)
        with contextlib.suppress(KeyboardInterrupt):
            server.run([listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
