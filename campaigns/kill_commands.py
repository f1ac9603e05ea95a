"""The command line, killed: fresh processes, as people start them."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any, Dict, Tuple

from campaigns.kill_audit import Account, audited, run_folder
from campaigns.kill_bench import Condition
from campaigns.kill_cases import NS_PER_S, Case, happens
from openflexure_timelapse.hosts.todo import runs_to_do

__all__ = ["CommandTrial", "command_trial"]

SLOTS = 12
INTERVAL_S = 20
LOOK_S = 0.005
START_S, MOVIES_S = 1.5, 3.0
"""About as long as the start and the movies take on a quiet machine."""
TRUTH = "truth.jsonl"
PLAN: Dict[str, Any] = {
    "name": "kill",
    "interval_s": INTERVAL_S,
    "frames": SLOTS,
    "positions": [
        {"name": "left", "x": 0, "y": 0, "z": 0},
        {"name": "right", "x": 400, "y": 0, "z": 0},
    ],
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": {"format": "mp4"},
}
CASE = Case(
    plan=PLAN,
    due_ns=tuple(slot * INTERVAL_S * NS_PER_S for slot in range(SLOTS)),
    per_slot=len(PLAN["positions"]),
    before=Condition(light=0.32),
)


class CommandTrial:
    """One run of the command line and what is known of it.

    Parameters
    ----------
    folder : Path
        Is made; for this trial alone.

    Attributes
    ----------
    account : Account
        What was acknowledged.
    kills : int
        So far.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.account = Account()
        self.kills = 0
        self.data.mkdir(parents=True)
        (folder / "plan.json").write_text(json.dumps(PLAN), encoding="utf-8")

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def start(self) -> "subprocess.Popen[bytes]":
        """Start a process: it goes on with what waits, or starts the run."""
        what = "--resume" if runs_to_do(self.data) else str(self.folder / "plan.json")
        words = ["record", what, "--out", str(self.data), "--speed", "max", "--json"]
        return subprocess.Popen(
            [sys.executable, "-m", "openflexure_timelapse", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def kill(self, frames: int, seconds: float) -> None:
        """Kill a process when so many frames are there, and so many seconds later."""
        process = self.start()
        while process.poll() is None and self._acknowledged() < frames:
            _wait(process, LOOK_S)
        _wait(process, seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == -signal.SIGKILL:
            self.kills += 1
            self.account.see(self.data)

    def end(self) -> None:
        """Go on until nothing is left to do, and audit."""
        if runs_to_do(self.data) or run_folder(self.data) is None:
            process = self.start()
            _, complaints = process.communicate()
            if process.returncode:
                said = complaints.decode("utf-8", "replace").splitlines()
                self.account.losses.say(f"A command failed: {said[-1:]}")
        audited(self.data, CASE, self.account, [self.data / TRUTH])

    def _acknowledged(self) -> int:
        """Return how many frames a process that lives has committed."""
        with contextlib.suppress(sqlite3.OperationalError, ValueError):
            folder = run_folder(self.data)
            if folder is not None:
                path = folder / "run.db"
                reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
                with contextlib.closing(reader):
                    return int(
                        reader.execute("SELECT frames FROM totals").fetchone()[0]
                    )
        return 0


def command_trial(folder: Path, chance: Random) -> CommandTrial:
    """Kill the command line once or twice, let it end, and audit the run."""
    trial = CommandTrial(folder)
    for _ in range(chance.choice((1, 2))):
        trial.kill(*_moment(chance))
    trial.end()
    return trial


def _moment(chance: Random) -> Tuple[int, float]:
    """Draw when to kill: after so many frames, and so many seconds more."""
    if happens(chance, 0.5):
        return chance.randint(0, CASE.frames), chance.uniform(0, 0.1)
    if happens(chance, 0.5):
        return 0, chance.uniform(0, START_S)
    return CASE.frames, chance.uniform(0, MOVIES_S)


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait until a process has ended, at most so long."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
