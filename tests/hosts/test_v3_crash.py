"""Server v3 in a process of its own, ended in every way: its run goes on by itself."""

import contextlib
import signal
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import labthings_fastapi as lt
import pytest
from script import PATIENCE_S
from server_process import Host, listed, seen_frames
from thing_rig import NAME, Rig, started

from hardware_sim.v3_camera import ExposureCamera
from openflexure_timelapse.hosts.readiness import Readiness
from openflexure_timelapse.hosts.todo import runs_to_do
from openflexure_timelapse.hosts.v3_camera import V3Camera

API = "/api/v3"
HOST = Host("v3", NAME, f"{API}/{NAME}", "quick")


# ------------------------------------------------------------------------------ kills


@pytest.mark.parametrize("frames", [1, 4])
def test_a_killed_servers_run_goes_on(tmp_path: Path, frames: int) -> None:
    """Kill -9 when so many frames have been seen: each of them is found again."""
    HOST.check_a_kill_after(tmp_path, frames)


def test_a_server_killed_again_and_again(tmp_path: Path) -> None:
    """Also the process that goes on may be killed, before and after a frame."""
    HOST.check_kills_one_after_the_other(tmp_path)


@pytest.mark.parametrize("done", [0, 1])
def test_a_server_killed_during_the_movie_makes_it_again(
    tmp_path: Path, done: int
) -> None:
    """The run has ended; what is left to do is the movie, begun or not."""
    HOST.check_a_kill_during_the_movie(tmp_path, done)


# -------------------------------------------------------------------------- clean ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", ["simulate", "like_real"])
def test_a_signal_leaves_the_run_in_good_order(
    tmp_path: Path, kind: str, number: int
) -> None:
    """The visit under way ends before the server closes its hardware."""
    with HOST.serving(tmp_path, kind) as process:
        run = process.visitor.post("start", HOST.endless)["run"]
        before = seen_frames(process, run, 2)
        # uvicorn raises the signal once more when all is closed.
        told = 0 if kind == "simulate" or number == signal.SIGINT else -number
        assert process.end(number) == told
        assert runs_to_do(process.data) == [run]
        assert "Traceback" not in process.log()
    found = HOST.check_that_it_can_go_on(tmp_path, run, before, kind)
    assert "failed" not in found.values()


def test_a_signal_while_somebody_looks_at_the_live_view(tmp_path: Path) -> None:
    """A stream without end is cut, and nothing waits for it."""
    with HOST.serving(tmp_path, "like_real") as process:
        run = process.visitor.post("start", HOST.endless)["run"]
        stream = f"{process.url}{API}/camera/mjpeg_stream"
        with urllib.request.urlopen(stream) as view:  # noqa: S310 - http only
            assert view.read(7) == b"--frame"
            before = seen_frames(process, run, 1)
            assert process.end(signal.SIGTERM) == -signal.SIGTERM
    found = HOST.check_that_it_can_go_on(tmp_path, run, before, "like_real")
    assert "failed" not in found.values()


def test_a_signal_during_the_movie_leaves_it_to_the_next_server(tmp_path: Path) -> None:
    """The movie is given up, not the wish for it."""
    with HOST.serving(tmp_path, "like_real") as process:
        run = process.visitor.post("start", HOST.plan)["run"]
        process.visitor.until("jobs", lambda told: told["jobs"])
        before = listed(process, run)
        process.end(signal.SIGTERM)
    HOST.check_that_it_ends(tmp_path, run, before, "like_real")


# ------------------------------------------------------------ a camera that comes later


@contextlib.contextmanager
def ours_first() -> Iterator[None]:
    """Have servers made with our Thing before those of the hardware."""
    make = lt.ThingServer.from_things

    def reordered(things: Any, **how: Any) -> Any:
        return make({NAME: things[NAME], **things}, **how)

    with mock.patch.object(lt.ThingServer, "from_things", reordered):
        yield


def left_run(folder: Path) -> str:
    """Have a run that a server has left with our Thing first; return its id."""
    with ours_first():
        rig = started(folder)
    run = str(rig.visitor.post("start", HOST.endless)["run"])
    rig.visitor.until("status", lambda told: (told.get("last_frame") or {}).get("n"))
    rig.close()
    return run


def check_that_no_slot_is_refused(rig: Rig, run: str) -> None:
    """End a run when it has gone on; see that nothing stood in the way of a visit."""
    left = len(rig.visitor.get(f"runs/{run}/frames?limit=1000")["frames"])
    rig.visitor.until(
        f"runs/{run}/frames?after={left}", lambda told: len(told["frames"])
    )
    rig.visitor.post("stop")
    rig.visitor.wait_for("ended")
    slots = rig.visitor.get(f"runs/{run}/slots?limit=1000")["slots"]
    rig.close()
    # While no server ran, and what was due when it was stopped.
    harmless = {None, "interrupted", "overdue", "stopped"}
    assert {slot["reason"] for slot in slots} <= harmless


def test_a_resumed_run_begins_when_all_things_have_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our Thing stands first: the others find the lock free, whatever they do."""
    run = left_run(tmp_path)
    enter, found = ExposureCamera.__enter__, []

    def entered(camera: ExposureCamera) -> Any:
        ours = camera._thing_server_interface._get_server().things[NAME]
        assert ours._watcher is not None  # entered before this one
        found.append(ours.verbs._begin)
        camera.discard_frames()  # an action: it would raise if the lock were taken
        return enter(camera)

    monkeypatch.setattr(ExposureCamera, "__enter__", entered)
    with ours_first():
        rig = started(tmp_path)
    check_that_no_slot_is_refused(rig, run)
    assert found == [None]


def test_a_run_is_left_before_any_thing_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our Thing stands first and so ends last: its visits need the camera."""
    leave, closed = ExposureCamera.__exit__, []

    def left(camera: ExposureCamera, *why: object) -> None:
        ours = camera._thing_server_interface._get_server().things[NAME]
        closed.append(ours.verbs._closed)
        leave(camera, *why)

    monkeypatch.setattr(ExposureCamera, "__exit__", left)
    left_run(tmp_path)
    assert closed == [True]


def test_a_resumed_run_waits_for_a_camera_that_hangs_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look that hangs holds the lock: that is nobody who works with the camera."""
    run = left_run(tmp_path)
    answers: list[bool] = []
    refused = threading.Event()
    look, preview = Readiness._camera_answers, V3Camera.preview

    def looked(readiness: Readiness, lane: Any) -> bool:
        answers.append(look(readiness, lane))
        if len(answers) == 2:
            refused.set()
        return answers[-1]

    def hung(camera: V3Camera) -> Any:
        with camera._locks.call("hang"):
            assert refused.wait(PATIENCE_S)
        return preview(camera)

    monkeypatch.setattr(Readiness, "_camera_answers", looked)
    monkeypatch.setattr(V3Camera, "preview", hung)
    check_that_no_slot_is_refused(started(tmp_path), run)
    assert answers[:2] == [False, False]
    assert answers[-1] is True
