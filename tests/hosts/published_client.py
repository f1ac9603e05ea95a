"""The published Python client of server v2, as a user's script uses it.

Run in an environment that has the client and nothing of ours; prints what it saw.
"""

import json
import sys
import time

import requests
from openflexure_microscope_client import MicroscopeClient

NAME = "org.openflexure.timelapse"
POLL_S = 0.05
PATIENCE_S = 120


def main(host: str, port: str) -> None:
    """Find the extension, start a run, read its status, stop it, save its movie."""
    microscope = MicroscopeClient(host, int(port))
    timelapse = microscope.extensions[NAME]
    plan = {"name": "client", "interval_s": 5, "keep_free_mb": 0}
    movie = {"format": "mp4", "width": 160}
    started = timelapse["start"].post_json({**plan, "movie": movie})

    def status_until(phase: str, frames: int) -> dict:  # type: ignore[type-arg]
        give_up_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_s:
            told = timelapse["status"].get_json()
            last = told["last_frame"]
            if told["phase"] == phase and last is not None and last["n"] >= frames:
                return dict(told)
            time.sleep(POLL_S)
        raise SystemExit(f"no {phase} within {PATIENCE_S} s: {told}")

    status_until("running", 2)
    timelapse["stop"].post_json()
    ended = status_until("ended", 2)
    give_up_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_s:
        if all(job["file"] for job in timelapse["jobs"].get_json()["jobs"]):
            break
        time.sleep(POLL_S)
    path = f"/extensions/{NAME}/runs/{started['run']}/files"
    names = [file["name"] for file in microscope.get_json(path)["files"]]
    saved = requests.get(f"{microscope.base_uri}{path}/movies/here.mp4", timeout=60)
    seen = {"ended": ended, "files": names, "type": saved.headers["content-type"]}
    print(json.dumps({**seen, "mark": saved.content[4:8].decode("ascii")}))  # noqa: T201 (read by the test)


if __name__ == "__main__":
    main(*sys.argv[1:])
