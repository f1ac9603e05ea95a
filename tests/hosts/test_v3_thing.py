"""The Thing in the real labthings-fastapi, with the global lock on."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import labthings_fastapi as lt
import pytest
from labthings_fastapi.exceptions import ServerActionError
from labthings_fastapi.thing_description import validation
from script import PATIENCE_S
from steady_run import PLAN, captured, first_frames
from thing_rig import NAME, Rig, started
from websockets.sync.client import connect

from openflexure_timelapse.hosts.movie_job import MovieJob
from openflexure_timelapse.store.verify import verify


@pytest.fixture(name="rig")
def _rig(tmp_path: Path) -> Iterator[Rig]:
    rig = started(tmp_path)
    yield rig
    rig.close()


@pytest.fixture(name="client")
def _client(rig: Rig) -> Iterator[Any]:
    """Return the library's own client of the Thing."""
    with httpx2.Client(base_url=rig.url) as client:
        yield lt.ThingClient.from_url(f"{rig.url}/api/v3/{NAME}/", client)


def finished(rig: Rig, told: dict[str, Any]) -> dict[str, Any]:
    """Return an invocation when it has ended."""
    path = f"action_invocations/{told['id']}"
    over = ("completed", "cancelled", "error")
    found: dict[str, Any] = rig.api.until(path, lambda now: now["status"] in over)
    return found


def invoked(rig: Rig, action: str, body: Any = None) -> dict[str, Any]:
    """Start an action of ours and return its invocation."""
    return invoked_on(rig, f"{NAME}/{action}", body)


def invoked_on(rig: Rig, path: str, body: Any = None) -> dict[str, Any]:
    """Start an action of any Thing and return its invocation."""
    answer = rig.api.ask("POST", path, {} if body is None else body)
    assert answer.code == 201, answer
    told: dict[str, Any] = answer.json
    return told


# ----------------------------------------------------------- affordances and the client


def test_the_thing_description_is_valid(rig: Rig) -> None:
    """By the library's own schema; it names our actions and properties."""
    told = rig.api.ask("GET", f"{NAME}/").json
    validation.validate_thing_description(told)
    assert {"start_timelapse", "stop_timelapse", "follow_timelapse"} <= set(
        told["actions"]
    )
    assert {"phase", "progress", "timelapse_status", "default_plan"} <= set(
        told["properties"]
    )


def test_no_affordance_has_the_address_of_a_verb(rig: Rig) -> None:
    """Each address answers one thing: FastAPI would take the first in silence."""
    seen: set[tuple[str, str]] = set()
    for route in rig.server.server.app.routes:
        for method in getattr(route, "methods", None) or ():
            assert (method, route.path) not in seen, route.path
            seen.add((method, route.path))


def test_the_librarys_client_records(client: Any) -> None:
    """Start, follow, read, stop: as a script does it."""
    run = client.start_timelapse(plan={**PLAN, "frames": 2})["run"]
    told = client.follow_timelapse()
    assert (told["run_id"], told["end_reason"]) == (run, "completed")
    assert client.timelapse_status["counts"]["failed"] == 0
    assert client.default_plan["frames"] == 2
    client.default_plan = {"name": "other", "interval_s": 7.5}
    assert client.default_plan == {"name": "other", "interval_s": 7.5}
    jobs = client.render_movie(run=run, recipe={"format": "gif", "width": 64})
    assert jobs["jobs"][0]["file"] == "movies/here.gif"


def test_an_action_refuses_with_a_sentence(client: Any) -> None:
    """The field and the reason are in the error of the invocation."""
    with pytest.raises(ServerActionError, match="interval_s should be a number"):
        client.start_timelapse(plan={**PLAN, "interval_s": "soon"})
    with pytest.raises(ServerActionError, match="No run is active"):
        client.stop_timelapse()


def test_a_refusal_is_no_crash_of_the_server(rig: Rig) -> None:
    """The error has its sentence and no traceback in the log of the action."""
    told = finished(rig, invoked(rig, "stop_timelapse"))
    assert told["status"] == "error"
    assert told["error"]["title"] == "InvocationError"
    assert not any(record.get("traceback") for record in told["log"])


def test_cancelling_a_render_cancels_the_movie(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that waits for its turn; nothing is left of it."""
    run = rig.visitor.post("start", {**PLAN, "frames": 2})["run"]
    rig.visitor.wait_for("ended")
    begun, go = threading.Event(), threading.Event()
    inner = MovieJob.work

    def slowly(job: MovieJob) -> Any:
        begun.set()
        go.wait()
        return inner(job)

    monkeypatch.setattr(MovieJob, "work", slowly)
    told = invoked(rig, "render_movie", {"run": run})
    begun.wait()
    rig.api.ask("DELETE", f"action_invocations/{told['id']}")
    assert finished(rig, told)["status"] == "cancelled"
    go.set()
    states = rig.visitor.until(
        "jobs",
        lambda now: all(
            job["state"] not in ("queued", "running") for job in now["jobs"]
        ),
    )
    assert [job["state"] for job in states["jobs"]] == ["cancelled"]


def test_pause_resume_and_stop_are_actions_too(rig: Rig, client: Any) -> None:
    """Each answers with the status."""
    client.start_timelapse(plan=dict(PLAN))
    first_frames(rig)
    client.pause_timelapse()
    rig.visitor.wait_for("paused")
    client.resume_timelapse()
    rig.visitor.wait_for("running")
    client.stop_timelapse()
    assert rig.visitor.wait_for("ended")["end_reason"] == "stopped"


def test_cancelling_who_follows_leaves_the_run(rig: Rig) -> None:
    """A script that goes away ends nothing."""
    invoked(rig, "start_timelapse", {"plan": dict(PLAN)})
    first_frames(rig)
    told = invoked(rig, "follow_timelapse")
    rig.api.ask("DELETE", f"action_invocations/{told['id']}")
    ended = finished(rig, told)
    assert ended["status"] == "cancelled"
    assert any("traps: running" in record["message"] for record in ended["log"])
    assert rig.visitor.get("status")["phase"] == "running"
    rig.visitor.post("stop")
    rig.visitor.wait_for("ended")


def test_phase_and_progress_can_be_observed(rig: Rig) -> None:
    """Over the WebSocket, also while somebody else has the lock."""
    seen: dict[str, list[Any]] = {"phase": [], "progress": []}
    address = rig.url.replace("http", "ws") + f"/api/v3/{NAME}/ws"
    with connect(address) as socket:
        for name in seen:
            asked = {"messageType": "addPropertyObservation", "data": {name: True}}
            socket.send(json.dumps(asked))

        def wait_for(name: str, value: Any) -> None:
            while value not in seen[name]:
                told = json.loads(socket.recv(timeout=PATIENCE_S))
                for key, published in told["data"].items():
                    seen[key].append(published)

        with rig.server.server.global_lock:
            rig.visitor.post("start", dict(PLAN))
            wait_for("phase", "running")
        rig.visitor.post("stop")
        wait_for("phase", "ended")
        rig.visitor.post("start", {**PLAN, "frames": 1})
        wait_for("progress", 1.0)


def test_what_hinders_publishing_is_told_and_ends(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect of ours is in the status and once in the log; later looks go on."""

    def defect(told: Any) -> float:
        raise ZeroDivisionError(told["phase"])

    def is_told(told: dict[str, Any]) -> bool:
        return any("phase and progress" in warning for warning in told["warnings"])

    with monkeypatch.context() as broken:
        broken.setattr("openflexure_timelapse.hosts.v3.progress_of", defect)
        rig.visitor.post("start", dict(PLAN))
        rig.visitor.until("status", is_told)
        first_frames(rig, 10)
    rig.visitor.until("status", lambda told: not is_told(told))
    assert rig.visitor.get("phase") == "running"
    lines = [line for line in caplog.records if "could not be published" in line.msg]
    assert len(lines) == 1
    rig.visitor.post("stop")


# ---------------------------------------------------------------------- the global lock


def test_others_who_hold_the_lock_cost_no_run(rig: Rig) -> None:
    """For a minute: the visits are busy and say so; then the run goes on."""
    lock = rig.server.server.global_lock
    with lock:
        told = rig.visitor.post("start", {**PLAN, "late": "skip"})
        told = rig.visitor.until(
            "status", lambda told: "counts" in told and told["counts"]["skipped"] >= 12
        )
        assert any("slot" in warning for warning in told["warnings"])
        for _ in range(20):
            assert rig.visitor.ask("GET", "timelapse_status").code == 200
        plan = {"name": "a", "interval_s": 5}
        assert rig.visitor.ask("PUT", "default_plan", plan).code in (200, 201)
    first_frames(rig)
    invoked(rig, "stop_timelapse")
    assert rig.visitor.wait_for("ended")["end_reason"] == "stopped"


def test_the_lock_is_free_between_visits(rig: Rig) -> None:
    """Others move, capture and set during a run, and each slot has its frame."""
    run = rig.visitor.post("start", {**PLAN, "frames": 6})["run"]
    failed: list[Any] = []

    def user() -> None:
        for step in range(6):
            body = {"x": 10 * step, "y": 0, "z": 0}
            told = rig.api.ask("POST", "stage/move_absolute", body).json
            ended = finished(rig, told)
            if ended["status"] == "error":
                failed.append(ended["error"]["title"])

    thread = threading.Thread(target=user)
    thread.start()
    thread.join()
    assert set(failed) <= {"GlobalLockBusyError"}  # 50 ms is all that others wait
    status = rig.visitor.wait_for("ended")
    assert captured(status) == 6
    assert verify(rig.thing.verbs.service.library.folder(run)).ok


@pytest.mark.parametrize("seconds", [5, 60])
def test_a_foreign_action_makes_a_slot_late_and_ends_no_run(
    rig: Rig, seconds: int
) -> None:
    """Somebody's long move has the lock: the slot waits, or is skipped as busy."""
    steps = 1000 * seconds
    told = invoked_on(rig, "stage/move_relative", {"x": steps, "y": 0, "z": 0})
    run = rig.visitor.post("start", {**PLAN, "frames": 3})["run"]
    status = rig.visitor.wait_for("ended")
    assert finished(rig, told)["status"] == "completed"
    assert status["end_reason"] == "completed"
    slots = rig.visitor.get(f"runs/{run}/slots")["slots"]
    reasons = {slot["reason"] for slot in slots}
    assert reasons <= {None, "busy", "overdue"}
    assert sum(slot["last"] - slot["first"] + 1 for slot in slots) == 3


def test_a_jog_makes_a_visit_wait(rig: Rig) -> None:
    """Its thread has the lock, and no action says so."""
    rig.api.ask("POST", "stage/jog", {"x": 3000, "y": 0, "z": 0})
    rig.visitor.post("start", {**PLAN, "frames": 2})
    status = rig.visitor.wait_for("ended")
    assert status["end_reason"] == "completed"
    assert status["counts"]["failed"] == 0


def test_two_hundred_polls_during_a_run(rig: Rig) -> None:
    """None fails, none is refused as busy."""
    rig.visitor.post("start", dict(PLAN))
    for _ in range(100):
        assert rig.visitor.ask("GET", "timelapse_status").code == 200
        assert rig.visitor.ask("GET", "progress").code == 200
    rig.visitor.post("stop")
    rig.visitor.wait_for("ended")


def test_without_a_global_lock_it_runs_too(tmp_path: Path) -> None:
    """As a plain server has none."""
    rig = started(tmp_path, enable_global_lock=False)
    rig.visitor.post("start", {**PLAN, "frames": 1})
    assert captured(rig.visitor.wait_for("ended")) == 1
    rig.close()


def test_our_state_in_every_picture_is_small(rig: Rig) -> None:
    """The run and the slot, and nothing that could fail or grow."""
    rig.visitor.post("start", {**PLAN, "frames": 1})
    run = rig.visitor.wait_for("ended")["run_id"]
    state = rig.thing.thing_state
    assert state["run_id"] == run
    assert len(json.dumps(state)) < 200
    rig.thing.verbs.status = lambda: 1 / 0  # type: ignore[assignment, method-assign]
    assert rig.thing.thing_state == {}


# ----------------------------------------------------------------------------- restarts


def test_a_run_goes_on_after_a_restart(tmp_path: Path) -> None:
    """By itself; the Thing may stand before the hardware in the configuration."""
    first = started(tmp_path)
    run = first.visitor.post("start", {**PLAN, "frames": 6})["run"]
    first_frames(first, 2)
    first.close()
    second = started(tmp_path)
    status = second.visitor.until(
        "status", lambda told: told["run_id"] == run and told["phase"] == "ended"
    )
    assert status["end_reason"] == "completed"
    assert sum(status["counts"].values()) == 6
    assert verify(second.thing.verbs.service.library.folder(run)).ok
    second.close()


def test_frames_stay_out_of_the_cameras_gallery(rig: Rig) -> None:
    """Nothing of ours is in the camera's folder, and no temporary file is left."""
    run = rig.visitor.post("start", {**PLAN, "frames": 2})["run"]
    rig.visitor.wait_for("ended")
    camera = rig.server.data_folder("camera")
    assert [
        path for path in camera.rglob("*") if path.suffix in (".jpeg", ".jpg")
    ] == []
    folder = rig.thing.verbs.service.library.folder(run)
    names = {path.name for path in folder.iterdir()}
    assert names == {"run.json", "run.db", "frames", "frames.csv", "movies"}
