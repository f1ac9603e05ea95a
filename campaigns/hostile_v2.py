"""Server v2 under requests that nobody's client makes.

Its library and that of server v3 exclude one another, so it has a Python of its own:
``python -m campaigns.hostile_v2 TRIALS SEED WORK`` there prints what it found.
"""

import json
import logging
import os
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import List

from campaigns.hostile_folder import EVIL, linked, outside, small_run, told_evil
from campaigns.hostile_requests import attacked
from campaigns.hostile_tally import Tally

__all__ = ["PYTHON", "attack_v2"]

PYTHON = "TIMELAPSE_V2_PYTHON"
"""The environment variable that names a Python with the library of server v2."""
MODULE = "campaigns.hostile_v2"
SPEED = 50.0


def attack_v2(trials: int, first: int, work: Path) -> List[Tally]:
    """Return what so many requests did; nothing where the server's library is not."""
    if find_spec("labthings") is not None:
        return [_here(trials, first, work)]
    python = os.environ.get(PYTHON)
    if python is None:
        return []
    command = [python, "-W", "ignore", "-m", MODULE, str(trials), str(first), str(work)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    falls = [(kind, sentence) for kind, sentence in told.pop("falls")]
    return [Tally(**told, falls=falls)]


def _here(trials: int, first: int, work: Path) -> Tally:
    """Attack a simulated server in this process."""
    from hardware_sim.v2_server import RunningServer, create  # noqa: PLC0415 - v2 only
    from openflexure_timelapse.hosts.v2 import (  # noqa: PLC0415 - as above
        ADDRESS,
        TimelapseExtension,
    )

    logging.disable(logging.CRITICAL)
    extension = TimelapseExtension()
    server = create(work / "v2", "beads", 1, SPEED, extensions=[extension])
    running = RunningServer(server.app)
    try:
        data = extension.verbs.service.library.data_folder
        run = small_run(data)
        linked(run, outside(data.parent))
        told_evil(run, EVIL[0])
        tally = Tally("server v2, all addresses", "hypothesis")
        attacked(tally, trials, first, running.port, ADDRESS)
        if not (run / "run.json").exists():
            tally.fell("other", "a run was deleted without its confirmation")
    finally:
        running.close()
        extension.verbs.close()
        server.close()
        logging.disable(logging.NOTSET)
    return tally


if __name__ == "__main__":
    found = _here(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    print(json.dumps(asdict(found)))  # noqa: T201 - read by `attack_v2`
