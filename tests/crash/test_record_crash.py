"""kill -9 at any moment of ``record``: every acknowledged frame is found again."""

import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

import pytest

SLOTS = 24
TRIALS = 4
PLAN: Dict[str, Any] = {
    "name": "crash",
    "interval_s": 20,
    "frames": SLOTS,
    "positions": [
        {"name": "left", "x": 0, "y": 0, "z": 0},
        {"name": "right", "x": 400, "y": 0, "z": 0},
    ],
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": None,
}
LOOK_S = 0.005


def command(*arguments: str) -> List[str]:
    """Return the command line of our program."""
    return [sys.executable, "-m", "openflexure_timelapse", *arguments]


def record(out: Path, *what: str) -> "subprocess.Popen[bytes]":
    """Start recording on the simulated microscope."""
    whole = command("record", *what, "--out", str(out), "--speed", "max", "--json")
    return subprocess.Popen(
        whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=str(out)
    )


def run_folder(out: Path) -> Path:
    """Return the only run's folder."""
    (folder,) = (path.parent for path in out.glob("*/run.json"))
    return folder


def acknowledged(out: Path) -> Set[Tuple[int, str]]:
    """Return the number and hash of each committed frame."""
    for path in out.glob("*/run.db"):
        reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            return set(reader.execute("SELECT n, sha256 FROM frames"))
        except sqlite3.OperationalError:
            return set()
        finally:
            reader.close()
    return set()


def kill_after(process: "subprocess.Popen[bytes]", out: Path, frames: int) -> None:
    """Kill -9 as soon as so many frames are acknowledged."""
    while process.poll() is None and len(acknowledged(out)) < frames:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=LOOK_S)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_killed_recording_resumes_without_losing_a_frame(
    tmp_path: Path, trial: int
) -> None:
    """Kill, look, resume, kill again, resume: all that was acknowledged is there."""
    chance = random.Random(trial)  # noqa: S311 (moments, not secrets)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(PLAN), encoding="utf-8")
    kill_after(record(tmp_path, str(plan)), tmp_path, chance.randint(1, SLOTS))
    first = acknowledged(tmp_path)
    assert first
    kill_after(
        record(tmp_path, "--resume"), tmp_path, len(first) + chance.randint(0, SLOTS)
    )
    second = acknowledged(tmp_path)
    assert first <= second
    last = record(tmp_path, "--resume")
    printed, complaints = last.communicate()
    if b"no interrupted run" not in complaints:
        assert last.returncode == 0, complaints.decode()
        counts = json.loads(printed)["status"]["counts"]
        assert sum(counts.values()) == SLOTS
    assert second <= acknowledged(tmp_path)
    checked = subprocess.run(
        command("verify", str(run_folder(tmp_path)), "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout.decode()
    assert list(tmp_path.rglob("*.part")) == []
