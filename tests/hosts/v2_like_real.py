"""A simulated server v2 that starts and ends as the real one does.

The real one serves on its main thread, has Python's own handlers for signals (Ctrl-C
ends the serving, SIGTERM kills at once), and closes its hardware in an ``atexit``
handler that it registers after extensions were loaded.
"""

import atexit
import json
import logging
import signal
import sys

from werkzeug.serving import make_server

from hardware_sim.v2_server import create
from openflexure_timelapse.hosts.v2 import TimelapseExtension


def main(folder: str, scene: str, speed: str) -> None:
    """Serve on a free port until Ctrl-C; say on which."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    server = create(folder, scene, 1, float(speed), extensions=[TimelapseExtension])
    atexit.register(server.close)
    listening = make_server("127.0.0.1", 0, server.app, threaded=True)
    url = f"http://127.0.0.1:{listening.server_port}"
    print(json.dumps({"url": url}, indent=2), flush=True)  # noqa: T201 (read by the test)
    listening.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
