"""Whole runs of the engine on the simulated server v2's objects."""

import json
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import piexif
import pytest
from engine_run import PLAN, EngineRun
from somebody import are_free

from hardware_sim import Fault, v2_missing
from hardware_sim.v2_autofocus import AutofocusExtension
from hardware_sim.v2_server import SimulatedServer, create
from openflexure_timelapse.hosts.v2_microscope import HOST, V2Microscope

FAST = 2_000.0
SMALL = [832, 624]

Starter = Callable[..., SimulatedServer]


@pytest.fixture(name="start")
def _start(tmp_path: Path) -> Iterator[Starter]:
    """Return a starter of servers, which end with the test."""
    servers: List[SimulatedServer] = []

    def start(**how: Any) -> SimulatedServer:
        folder = tmp_path / f"server {len(servers)}"
        servers.append(create(folder, "beads", 1, FAST, frames_per_s=30.0, **how))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Run(EngineRun):
    """A run on a server."""

    def __init__(self, folder: Path, server: SimulatedServer, **plan: Any) -> None:
        theirs = server.microscope
        self.microscope = V2Microscope(
            theirs, theirs.clock, find_autofocus=AutofocusExtension
        )
        super().__init__(folder, self.microscope, theirs.clock, {**PLAN, **plan})


def has_all(run: Run) -> bool:
    """Tell whether every slot of the plan has its frame."""
    ends = [visit.outcome.value for visit in run.visits()]
    assert set(ends) <= {"captured", "late"}, [visit.detail for visit in run.visits()]
    return len(ends) == len(run.frames()) == PLAN["frames"]


def comment(path: Path) -> Dict[str, Any]:
    """Return what a frame tells of itself in the server's own words."""
    exif = piexif.load(str(path))["Exif"]
    told: Dict[str, Any] = json.loads(exif[piexif.ExifIFD.UserComment].decode("utf-8"))
    return told


def is_free(server: SimulatedServer) -> bool:
    """Tell whether another thread can take camera and stage at once."""
    return are_free(server.microscope.lock.locks)


def test_three_slots_with_autofocus_are_captured(
    start: Starter, tmp_path: Path
) -> None:
    """Stills of a whole run, focused by the server's sweep, and everything put back."""
    server = start()
    theirs = server.microscope
    theirs.camera.image_resolution = SMALL
    focus = {"every": 2, "range": 1000}
    places = [{"name": "a", "x": 0, "y": 0, "z": 100}]
    run = Run(tmp_path, server, autofocus=focus, positions=places)
    assert has_all(run)
    decisions = [visit.focus for visit in run.visits()]
    assert [decision is not None for decision in decisions] == [True, False, True]
    assert all(decision["accepted"] for decision in decisions if decision)
    state = comment(run.frames()[0])["instrument"]["state"]
    assert state["stage"]["position"]["z"] == decisions[0]["z"]
    assert state["settings"]["camera"]["picamera"]["exposure_mode"] == "off"
    assert theirs.camera.picamera.exposure_mode == "auto"
    assert theirs.camera.stream_active
    assert not theirs.captures.images
    assert is_free(server)


def test_a_run_on_mock_hardware_says_so(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server without hardware can be tried out; nobody takes its frames for real."""
    monkeypatch.setattr(v2_missing, "BETWEEN_FRAMES_S", 0.05)
    run = Run(tmp_path, start(missing_hardware=True))
    assert has_all(run)
    assert not run.microscope.has_real_camera
    assert not run.microscope.has_real_stage
    told = run.microscope.describe()
    assert told["host"] == HOST
    assert (told["camera"], told["stage"]) == ("MissingCamera", "MissingStage")
    assert told["simulated"] is True
    assert comment(run.frames()[0])["timelapse"]["metadata"]["simulated"] is True


def test_a_failed_still_costs_its_visit_and_no_more(
    start: Starter, tmp_path: Path
) -> None:
    """Live view and locks are in order afterwards, and so is the next slot."""
    server = start(faults=[Fault("camera_timed_out", nth=(1,), amount=0.1)])
    server.microscope.camera.image_resolution = SMALL
    run = Run(tmp_path, server)
    assert [visit.outcome.value == "failed" for visit in run.visits()] == [
        False,
        True,
        False,
    ]
    assert len(run.frames()) == 2
    assert server.microscope.camera.stream_active
    assert is_free(server)


def test_another_user_is_a_skipped_visit(start: Starter, tmp_path: Path) -> None:
    """Somebody who keeps the stage is told as busy, and loses nothing."""
    server = start()
    taken, go = threading.Event(), threading.Event()

    def hold() -> None:
        with server.microscope.stage.lock:
            taken.set()
            go.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    run = Run(tmp_path, server, frames=1)
    visit = run.visits()[0]
    assert (visit.outcome.value, visit.reason.value) == ("skipped", "busy")
    assert "stage" in visit.detail
    go.set()
    thread.join()
    assert is_free(server)
