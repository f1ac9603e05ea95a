"""The tab of the web app on server v2: its page and its forms."""

from typing import Any, Dict

import pytest
from steady_run import PLAN, captured, first_frames
from v2_rig import JSON, OURS, Rig, rigged

from openflexure_timelapse.hosts.v2 import NAME

_rig = pytest.fixture(name="rig")(rigged)


def gui_of(rig: Rig) -> Dict[str, Any]:
    """Return what the web app is told."""
    listed = rig.api.ask("GET", "extensions", None, JSON).json
    (ours,) = [each for each in listed if each["title"] == NAME]
    gui: Dict[str, Any] = ours["meta"]["gui"]
    return gui


def test_the_tab_has_a_page_and_two_forms(rig: Rig) -> None:
    """With a route each, without which the server's list of extensions fails."""
    gui = gui_of(rig)
    assert (gui["title"], gui["icon"], gui["id"]) == ("Time-lapse", "timelapse", NAME)
    assert gui["frame"]["href"] == f"{OURS}/page/"
    page = rig.visitor.ask("GET", "page/")
    assert page.code == 200
    assert b"Start time-lapse" in page.body
    for form in gui["forms"]:
        assert rig.api.ask("POST", "extensions" + form["route"], {}).code in (409, 422)
    assert [form["submitLabel"] for form in gui["forms"]] == [
        "Start time-lapse",
        "Stop time-lapse",
    ]


def test_the_forms_start_and_stop_a_run(rig: Rig) -> None:
    """As the web app posts them, and the next visit shows what was chosen."""
    start, stop = gui_of(rig)["forms"]
    posted = {field["name"]: field.get("default") for field in start["schema"]}
    posted.update({"interval_s": "7.5", "frames": None, "undefined": None})
    told = rig.api.ask("POST", "extensions" + start["route"], posted)
    assert told.code == 200, told
    first_frames(rig)
    stopped = rig.api.ask("POST", "extensions" + stop["route"], {"undefined": None})
    assert stopped.code == 200
    assert rig.visitor.wait_for("ended")["slots"] is None
    shown = {field["name"]: field for field in gui_of(rig)["forms"][0]["schema"]}
    assert shown["interval_s"]["default"] == 7.5
    assert "default" not in shown["frames"]


def test_the_tab_never_raises(rig: Rig) -> None:
    """One extension's error there takes every extension's tab away."""
    folder = rig.extension.verbs.service.library.data_folder
    (folder / "preferences.json").write_bytes(b"\xff{")
    assert gui_of(rig)["forms"][0]["schema"][1]["default"] == 30
    answer = rig.visitor.ask("GET", "preferences")
    assert "Delete it" in answer.json["message"]


def test_broken_preferences_are_told_and_stop_no_run(rig: Rig) -> None:
    """The status says what is wrong; a run needs none of them."""
    folder = rig.extension.verbs.service.library.data_folder
    (folder / "preferences.json").write_text('{"um_per_pixel": "wide"}')
    assert any("Delete it" in told for told in rig.visitor.get("status")["warnings"])
    told = rig.visitor.post("start", {**PLAN, "frames": 1})
    assert "not remembered" in told["warnings"][0]
    assert captured(rig.visitor.wait_for("ended")) == 1
