"""A start that is killed leaves no run that nobody goes on with, and no leftovers."""

from pathlib import Path
from typing import Any, Dict

import pytest

from campaigns.kill_audit import run_folder
from campaigns.kill_boundaries import killed_at
from hardware_sim import VirtualClock, build
from openflexure_timelapse.hosts.recorder import Recorder
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.todo import runs_to_do
from openflexure_timelapse.store.disk import RealDisk, is_temporary

START_WALL_NS = 1_795_420_800_000_000_000
PLAN: Dict[str, Any] = {
    "name": "start",
    "interval_s": 30,
    "frames": 1,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": None,
}


def made(data: Path) -> Service:
    """Return a service on a new simulated microscope."""
    clock = VirtualClock(START_WALL_NS, utc_offset_s=3600)
    return Service(data, build(3, "empty", clock), clock, RealDisk())


def test_killed_at_every_boundary_a_start_is_not_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is there waits to be gone on with; what was cut short is removed."""
    seen = [check_a_start(tmp_path, monkeypatch, number) for number in range(22)]
    assert seen[0] == ""
    assert seen[-1] == "made"
    assert seen == sorted(seen)


def check_a_start(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> str:
    """Kill a start at a boundary and start anew; tell whether the run was made."""
    data = folder / str(number)
    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "_launch", lambda *_: None)
        killed_at(number, lambda: made(data).start(PLAN), folder / "log")
    run = run_folder(data)
    assert runs_to_do(data) == ([] if run is None else [run.name])
    service = made(data)
    if service.resume_interrupted() is None:
        service.start(PLAN)
    service.wait()
    service.close()
    assert runs_to_do(data) == []
    assert [path for path in data.iterdir() if is_temporary(path.name)] == []
    assert service.status()["counts"]["captured"] == 1
    return "" if run is None else "made"
