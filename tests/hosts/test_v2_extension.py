"""The extension in the real labthings: each trap of server v2 that concerns it."""

import json
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest
from steady_run import PLAN, captured, first_frames
from v2_rig import JSON, OURS, Rig, rigged, started

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.todo import runs_to_do
from openflexure_timelapse.hosts.v2 import NAME, TimelapseExtension
from openflexure_timelapse.store.verify import verify

_rig = pytest.fixture(name="rig")(rigged)


LOADER = "from openflexure_timelapse.hosts.v2 import TimelapseExtension\n"


LOADER += "LABTHINGS_EXTENSIONS = (TimelapseExtension,)\n"


NEIGHBOUR = """
from labthings.extensions import BaseExtension
from labthings.views import View
from . import core, hosts, store

class Ping(View):
    def get(self):
        from . import core
        return {"core": core.WHOSE}

class Neighbour(BaseExtension):
    def __init__(self):
        super().__init__("org.test.neighbour")
        self.add_view(Ping, "ping", endpoint="ping")

LABTHINGS_EXTENSIONS = (Neighbour,)
"""


def test_it_loads_beside_an_extension_with_the_same_submodules(tmp_path: Path) -> None:
    """Labthings loads every extension under one module name; ours needs none of it."""
    folder = tmp_path / "extensions"
    neighbour = folder / "a_neighbour"
    neighbour.mkdir(parents=True)
    (neighbour / "__init__.py").write_text(NEIGHBOUR)
    for name in ("core", "hosts", "store"):
        (neighbour / f"{name}.py").write_text("WHOSE = 'neighbour'\n")
    (folder / "timelapse.py").write_text(LOADER)
    (folder / "broken.py").write_text("1 / 0\n")
    rig = started(tmp_path, extensions=[], extension_folder=folder)
    titles = [
        each["title"] for each in rig.api.ask("GET", "extensions", None, JSON).json
    ]
    assert {NAME, "org.test.neighbour"} <= set(titles)
    assert rig.visitor.get("status")["phase"] == "idle"
    loaded = rig.server.labthing.extensions[NAME]
    rig.visitor.post("start", {**PLAN, "frames": 1})
    rig.visitor.wait_for("ended")
    loaded.verbs.close()
    rig.close()


def test_a_data_folder_that_cannot_be_written_stops_no_server(tmp_path: Path) -> None:
    """The server starts, and status and page say what is wrong; mended, it works."""
    data = tmp_path / "openflexure" / "data"
    data.mkdir(parents=True)
    (data / "timelapse").write_text("a file where the folder should be")
    rig = started(tmp_path)
    told = rig.visitor.get("status")
    assert told["phase"] == "unavailable"
    assert "choose another folder" in told["warnings"][0]
    answer = rig.visitor.ask("POST", "start", PLAN)
    assert (answer.code, answer.json["name"]) == (503, "StorageError")
    assert rig.visitor.ask("GET", "page/").code == 200
    assert rig.api.ask("GET", "extensions", None, JSON).code == 200
    (data / "timelapse").unlink()
    assert rig.visitor.get("status")["phase"] == "idle"
    rig.close()


def test_a_server_without_a_microscope_starts() -> None:
    """The extension is there and says so."""
    extension = TimelapseExtension()
    told = extension.verbs.status()
    assert told["phase"] == "unavailable"
    assert "no microscope" in told["detail"]
    assert extension.meta["gui"]["title"] == "Time-lapse"


class Broken:
    """A microscope whose every part raises."""

    def __getattr__(self, name: str) -> Any:
        """Raise, as a half-made object may."""
        raise RuntimeError(f"no {name}")


def test_a_broken_microscope_stops_no_server() -> None:
    """What it raises at registration is kept for the status."""
    extension = TimelapseExtension()
    for hook in extension.on_components:
        hook["function"](Broken())
    extension.verbs.close()
    again = TimelapseExtension()
    again._microscope = Broken()
    assert "RuntimeError" in again.verbs.status()["detail"]
    assert again.meta["gui"]["forms"]


def test_each_address_has_one_link_of_its_own_name(rig: Rig) -> None:
    """A Python client takes the link by its name, and cannot use a list of them."""
    listed = rig.api.ask("GET", "extensions", None, JSON).json
    (ours,) = [each for each in listed if each["title"] == NAME]
    links = {name: each for name, each in ours["links"].items() if name != "static"}
    assert {"status", "start", "stop", "runs", "latest", "timelapse"} <= set(links)
    assert all(isinstance(each["href"], str) for each in links.values())
    assert all(each["description"] for each in links.values())


def test_nothing_is_served_from_the_static_view(rig: Rig) -> None:
    """Labthings' own one follows ``..`` out of its folder; ours has none."""
    for path in ("static", "static/../../etc/hostname", "static/%2e%2e/routes.py"):
        assert rig.visitor.ask("GET", path).code in (404, 500)


def test_an_answer_is_json_whatever_the_browser_accepts(rig: Rig) -> None:
    """Labthings' own lists fail with the Accept header of a browser, or without one."""
    for accept in ("text/html", "image/webp,*/*;q=0.1", ""):
        answer = rig.visitor.ask("GET", "runs", None, {"Accept": accept})
        assert answer.json["runs"] == []
        assert answer.headers["content-type"] == "application/json"


def test_an_error_names_the_field_and_is_not_escaped(rig: Rig) -> None:
    """Labthings drops the fields of a 422 and writes ``&amp;`` for ``&``."""
    answer = rig.visitor.ask("POST", "start", {**PLAN, "name": "a/b & c", "fps": 3})
    assert answer.code == 422
    told = answer.json
    assert {"field": "fps", "reason": told["fields"][-1]["reason"]} in told["fields"]
    assert "&amp;" not in told["message"]


def test_a_body_is_read_whatever_its_type_says(rig: Rig) -> None:
    """Labthings takes the defaults in silence where a form encodes its body."""
    for kind in ("application/x-www-form-urlencoded", "text/plain"):
        sent = {"Content-Type": kind}
        with rig.server.app.test_client() as client:
            bad = client.post(f"{OURS}/start", data="interval_s=3", headers=sent)
            assert bad.status_code == 422
            body = json.dumps({**PLAN, "frames": 0})
            bad = client.post(f"{OURS}/start", data=body, headers=sent)
        assert bad.json["fields"][0]["field"] == "frames"


def action_of(rig: Rig, plan: Dict[str, Any]) -> Dict[str, Any]:
    """Start the action and return what labthings tells of it."""
    answer = rig.visitor.ask("POST", "timelapse", plan, JSON)
    assert answer.code == 201, answer
    told: Dict[str, Any] = answer.json
    return told


def test_the_action_follows_a_run_to_its_end(rig: Rig) -> None:
    """With progress, and small plain data in the server's list of tasks."""
    told = action_of(rig, {**PLAN, "frames": 3})
    assert told["links"]["self"]["href"].endswith(told["id"])
    path = f"actions/{told['id']}"
    told = rig.api.until(path, lambda told: told["status"] != "running")
    assert (told["status"], told["progress"]) == ("completed", 100)
    assert told["output"]["end_reason"] == "completed"
    assert captured(told["data"]) == 3
    assert rig.api.ask("GET", "actions", None, JSON).code == 200
    assert len(rig.visitor.ask("GET", "timelapse", None, JSON).json) == 1


def test_stopping_the_action_stops_the_run(rig: Rig) -> None:
    """DELETE on it, as the web app's Cancel does."""
    told = action_of(rig, dict(PLAN))
    first_frames(rig)
    rig.api.ask("DELETE", f"actions/{told['id']}")
    status = rig.visitor.wait_for("ended")
    assert status["end_reason"] == "stopped"
    told = rig.api.ask("GET", f"actions/{told['id']}", None, JSON).json
    assert told["status"] == "cancelled"
    assert told["output"]["run"] == status["run_id"]


def test_killing_the_action_leaves_the_run_whole(rig: Rig) -> None:
    """A stop without patience throws into the action's thread, not into the run."""
    told = action_of(rig, dict(PLAN))
    run = first_frames(rig, 2)["run_id"]
    rig.api.ask("DELETE", f"actions/{told['id']}", {"timeout": 0})
    assert rig.visitor.wait_for("ended")["end_reason"] == "stopped"
    assert verify(rig.extension.verbs.service.library.folder(run)).ok
    rig.visitor.post("start", {**PLAN, "frames": 1})
    assert rig.visitor.wait_for("ended")["end_reason"] == "completed"


def test_a_bad_plan_is_refused_with_its_reason(rig: Rig) -> None:
    """Also by the action, and its list can still be read afterwards."""
    answer = rig.visitor.ask("POST", "timelapse", {**PLAN, "interval_s": "soon"}, JSON)
    assert answer.code == 422
    assert "interval_s should be a number" in answer.json["message"]
    assert rig.visitor.ask("GET", "timelapse", None, JSON).code == 200
    assert rig.api.ask("GET", "actions", None, JSON).code == 200


def test_a_run_outlives_the_history_of_actions(rig: Rig) -> None:
    """Labthings forgets an action after a hundred others; status and stop do not."""
    told = action_of(rig, dict(PLAN))
    first_frames(rig)
    for _ in range(200):
        answer = rig.api.ask("POST", "actions/stage/zero/", {}, JSON)
        assert answer.code == 201
    assert rig.api.ask("GET", f"actions/{told['id']}", None, JSON).code != 200
    status = rig.visitor.get("status")
    assert status["phase"] == "running"
    rig.visitor.post("stop")
    assert rig.visitor.wait_for("ended")["end_reason"] == "stopped"


def test_others_move_and_capture_during_a_run(rig: Rig) -> None:
    """Their actions work, each slot ends, and the frames stay whole."""
    run = rig.visitor.post("start", {**PLAN, "frames": 8})["run"]
    problems: List[Any] = []

    def user() -> None:
        for step in range(8):
            for path, body in (
                ("actions/stage/move/", {"x": 10 * step, "absolute": True}),
                ("actions/camera/capture/", {"bayer": False, "use_video_port": True}),
            ):
                answer = rig.api.ask("POST", path, body, JSON)
                if answer.code != 201:
                    problems.append(answer)

    users = [threading.Thread(target=user) for _ in range(2)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join()
    assert problems == []
    status = rig.visitor.wait_for("ended")
    assert sum(status["counts"].values()) == 8
    assert verify(rig.extension.verbs.service.library.folder(run)).ok


def test_a_user_who_holds_the_microscope_costs_slots_and_no_run(rig: Rig) -> None:
    """For a minute: the visits are busy and say so; then the run goes on."""
    camera = rig.server.microscope.camera
    with camera.lock:
        rig.visitor.post("start", {**PLAN, "late": "skip"})
        told = rig.visitor.until(
            "status", lambda told: "counts" in told and told["counts"]["skipped"] >= 12
        )
        assert any("camera" in warning for warning in told["warnings"])
    first_frames(rig)
    rig.visitor.post("stop")
    status = rig.visitor.wait_for("ended")
    assert status["end_reason"] == "stopped"


def test_frames_stay_out_of_the_gallery(rig: Rig) -> None:
    """Nothing is listed, nor below the folder that the server reads at its start."""
    captures = rig.server.microscope.captures
    before = sorted(Path(captures.paths["default"]).rglob("*"))
    run = rig.visitor.post("start", {**PLAN, "frames": 2})["run"]
    rig.visitor.wait_for("ended")
    assert len(captures.images) == 0
    assert sorted(Path(captures.paths["default"]).rglob("*")) == before
    folder = rig.extension.verbs.service.library.folder(run)
    assert folder.parent == Path(captures.paths["default"]).parent / "timelapse"


def test_nothing_of_ours_is_in_the_settings(rig: Rig) -> None:
    """They go into the EXIF block of every capture, which has a limit."""
    rig.visitor.post("start", {**PLAN, "frames": 1})
    rig.visitor.wait_for("ended")
    assert rig.server.microscope.extension_settings == {}


def test_a_run_goes_on_after_a_restart(tmp_path: Path) -> None:
    """By itself, without a request, on the same grid."""
    first = started(tmp_path)
    run = first.visitor.post("start", {**PLAN, "frames": 6})["run"]
    first_frames(first, 2)
    first.close()
    second = started(tmp_path)
    folder = second.extension.verbs.service.library.folder(run)
    second.extension.verbs._begin.join()
    assert second.extension.verbs.service.is_recording
    status = second.visitor.wait_for("ended")
    assert (status["run_id"], status["end_reason"]) == (run, "completed")
    assert sum(status["counts"].values()) == 6
    assert verify(folder).ok
    assert runs_to_do(folder.parent) == []
    second.close()


def test_a_run_waits_while_its_camera_is_missing(tmp_path: Path) -> None:
    """A server that finds no camera draws its pictures: they are no frames of a run."""
    first = started(tmp_path)
    run = first.visitor.post("start", dict(PLAN))["run"]
    first_frames(first)
    first.close()
    header = tmp_path / "openflexure" / "data" / "timelapse" / run / "run.json"
    text = header.read_text("utf-8")
    header.write_text(text.replace('"simulated": true', '"simulated": false'), "utf-8")
    second = started(tmp_path, missing_hardware=True)
    second.extension.verbs._begin.join()
    told = second.visitor.get("status")
    assert told["phase"] == "idle"
    assert any("is not there now" in warning for warning in told["warnings"])
    assert any("found no camera" in warning for warning in told["warnings"])
    assert second.visitor.ask("POST", "start", {**PLAN, "frames": 1}).code == 409
    second.visitor.post("stop")
    assert second.visitor.wait_for("ended")["end_reason"] == "stopped"
    second.close()


def test_a_mock_microscope_records_too(tmp_path: Path) -> None:
    """For trying it out; each frame says that no photon was involved."""
    rig = started(tmp_path, missing_hardware=True)
    run = rig.visitor.post("start", {**PLAN, "frames": 2})["run"]
    status = rig.visitor.wait_for("ended")
    assert captured(status) == 2
    frames = rig.visitor.get(f"runs/{run}/frames")["frames"]
    assert all(frame["metadata"]["simulated"] for frame in frames)
    assert (frames[0]["width"], frames[0]["height"]) == (640, 480)
    rig.close()


def test_a_closed_extension_says_so(rig: Rig) -> None:
    """A request while the server ends gets a sentence."""
    rig.extension.verbs.close()
    answer = rig.visitor.ask("POST", "start", PLAN)
    assert answer.code == 503
    with pytest.raises(HardwareError, match="ending"):
        rig.extension.verbs.service  # noqa: B018 - reading it is the test
