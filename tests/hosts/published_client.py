"""The published Python client of server v2, as a user's script uses it.

Run in an environment that has the client and nothing of ours; prints what it saw.
"""

import json
import sys
import time
from typing import Any

import requests
from openflexure_microscope_client import MicroscopeClient

NAME = "org.openflexure.timelapse"
POLL_S = 0.05
PATIENCE_S = 120
WANTED = 2


def main(host: str, port: str) -> None:
    """Find the extension, start a run, read its status, stop it, save its movie."""
    microscope = MicroscopeClient(host, int(port))
    timelapse = microscope.extensions[NAME]
    plan = {"name": "client", "interval_s": 5, "keep_free_mb": 0}
    movie = {"format": "mp4", "width": 160}
    started = timelapse["start"].post_json({**plan, "movie": movie})

    def until(verb: str, holds: Any) -> Any:
        give_up_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_s:
            told = timelapse[verb].get_json()
            if holds(told):
                return told
            time.sleep(POLL_S)  # as any script that polls; nothing depends on it
        raise SystemExit(f"not within {PATIENCE_S} s: {told}")

    until("status", lambda told: (told["last_frame"] or {"n": 0})["n"] >= WANTED)
    timelapse["stop"].post_json()
    ended = until("status", lambda told: told["phase"] == "ended")
    until("jobs", lambda told: all(job["file"] for job in told["jobs"]))
    path = f"/extensions/{NAME}/runs/{started['run']}/files"
    names = [file["name"] for file in microscope.get_json(path)["files"]]
    saved = requests.get(f"{microscope.base_uri}{path}/movies/here.mp4", timeout=60)
    seen = {"ended": ended, "files": names, "type": saved.headers["content-type"]}
    print(json.dumps({**seen, "mark": saved.content[4:8].decode("ascii")}))  # noqa: T201 (read by the test)


if __name__ == "__main__":
    main(*sys.argv[1:])
