"""One script for every host: a run driven through HTTP only, and what was answered.

It knows an address and nothing else. The answers come back without what differs from
run to run, so that those of two hosts can be laid side by side.
"""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

__all__ = ["Answer", "Visitor", "drive", "outline"]

PATIENCE_S = 120
POLL_S = 0.02
PLAN: Mapping[str, Any] = {
    "name": "script",
    "interval_s": 5,
    "frames": 4,
    "keep_free_mb": 0,
    "late": "catch_up",  # on a slow machine too each slot has its frame
    "catch_up_slots": 1000,
    "movie": {"format": "mp4", "width": 160},
}
ENDLESS: Mapping[str, Any] = {"name": "endless", "interval_s": 5, "keep_free_mb": 0}


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes
    ----------
    code : int
        The HTTP status.
    headers : mapping of str to str
        By their names in small letters.
    body : bytes
        As it came.
    """

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which browsers must be able to read as JSON."""

        def refuse(name: str) -> None:
            raise ValueError(f"{name} is no JSON")

        return json.loads(self.body, parse_constant=refuse)


class Visitor:
    """Somebody who has the address of an API and a plain HTTP library.

    Parameters
    ----------
    address : str
        Of the extension, without a slash at the end.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Answer:
        """Ask and return what was answered, whatever it was."""
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - http only
            f"{self.address}/{path}", sent, dict(headers or {}), method=method
        )
        if sent is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request) as found:  # noqa: S310
                return _answer(found.status, found)
        except urllib.error.HTTPError as exc:
            with exc:
                return _answer(exc.code, exc)

    def get(self, path: str) -> Any:
        """Return the JSON at a path that must be there."""
        answer = self.ask("GET", path)
        assert answer.code == 200, (path, answer)
        return answer.json

    def post(self, path: str, body: Any = None) -> Any:
        """Return the JSON that a verb answers, which must take the body."""
        answer = self.ask("POST", path, {} if body is None else body)
        assert answer.code == 200, (path, answer)
        return answer.json

    def wait_for(self, phase: str) -> Dict[str, Any]:
        """Return the status when the phase has come."""
        return self.until("status", lambda told: told["phase"] == phase)

    def until(self, path: str, is_so: Any) -> Any:
        """Return the JSON at a path when something holds for it."""
        give_up_s = time.monotonic() + PATIENCE_S
        while True:
            told = self.get(path)
            if is_so(told):
                return told
            assert time.monotonic() < give_up_s, told
            time.sleep(POLL_S)  # as any client that polls; nothing depends on it


def _answer(code: int, found: Any) -> Answer:
    """Read an answer."""
    headers = {name.lower(): value for name, value in found.headers.items()}
    return Answer(code, headers, found.read())


VARYING = ("warnings", "flags", "movie_jobs", "metadata", "disk_full_at", "reason")
VARYING += ("scale", "findings")
"""What depends on the machine and its hardware: only that it is there counts."""


def outline(data: Any) -> Any:
    """Return the form of JSON: names and kinds, lists by their first entry.

    Parameters
    ----------
    data : JSON-able
        What was answered.
    """
    if isinstance(data, dict):
        return {
            key: "..." if key in VARYING else outline(value)
            for key, value in sorted(data.items())
        }
    if isinstance(data, list):
        return [outline(data[0])] if data else []
    if data is None:
        return None
    kinds = {bool: "yes or no", int: "number", float: "number", str: "text"}
    return kinds[type(data)]


def drive(visitor: Visitor) -> Dict[str, Any]:
    """Go through every verb; return the form of each answer by what was asked."""
    seen: Dict[str, Any] = {}

    def note(name: str, told: Any) -> Any:
        seen[name] = outline(told)
        return told

    note("status before", visitor.get("status"))
    note("microscope", sorted(visitor.get("microscope")))
    assert "interval_s" in visitor.get("plan_schema")["properties"]
    estimate = note("estimate", visitor.post("estimate", PLAN))
    assert (estimate["slots"], estimate["frames"]) == (4, 4)
    seen["refused"] = _refusals(visitor)
    run = note("start", visitor.post("start", PLAN))["run"]
    status = note("status after", visitor.wait_for("ended"))
    assert (status["run_id"], status["end_reason"]) == (run, "completed")
    assert sum(status["counts"].values()) == 4
    _look(visitor, run, note)
    _overview(visitor, run, note)
    _movies(visitor, run, note)
    _share(visitor, run, note)
    _steer(visitor, note)
    _preferences(visitor, note)
    seen["deleted"] = _delete(visitor, run)
    return seen


def _refusals(visitor: Visitor) -> List[Tuple[str, int, Any, str]]:
    """Ask for what cannot be; return status, fields and the kind of each refusal."""
    asked: List[Tuple[str, str, Any]] = [
        ("POST", "start", {}),
        ("POST", "start", {**PLAN, "interval_s": "soon"}),
        ("POST", "start", {**PLAN, "intervall": 3}),
        ("POST", "start", {**PLAN, "camera_mode": "nothing"}),
        ("POST", "start", [1]),
        ("POST", "start_form", {"interval_s": 5, "movie": "VHS"}),
        ("POST", "estimate", {**PLAN, "frames": 0}),
        ("POST", "pause", {}),
        ("POST", "resume", {}),
        ("POST", "stop", {}),
        ("POST", "go_to", {"x": 1, "w": 2}),
        ("POST", "go_to", {"z": 10**12}),
        ("POST", "go_to", {"y": 0.5}),
        ("GET", "latest", None),
        ("GET", "latest?width=wide", None),
        ("GET", "runs?limit=0", None),
        ("GET", "runs/2026-01-01_000000_none", None),
        ("GET", "runs/.active", None),
        ("GET", "runs/2026-01-01_000000_none/timeline?bins=0", None),
        ("GET", "runs/2026-01-01_000000_none/series?what=mood", None),
        ("GET", "runs/2026-01-01_000000_none/series?what=focus", None),
        ("POST", "runs/2026-01-01_000000_none/verify", {}),
        ("DELETE", "jobs/movie-99", None),
        ("GET", "page/nothing.js", None),
        ("PUT", "preferences", {"um_per_pixel": -1}),
        ("GET", "runs/2026-01-01_000000_none/record", None),
        ("PUT", "runs/2026-01-01_000000_none/record", {"title": "x"}),
        ("POST", "runs/2026-01-01_000000_none/share", {"destination": "gbif"}),
        ("POST", "runs/2026-01-01_000000_none/share/check", {"destination": "x"}),
        ("POST", "runs/2026-01-01_000000_none/share/choices", {"destination": "x"}),
        ("GET", "taxa?limit=0&query=a", None),
    ]
    told = []
    for method, path, body in asked:
        answer = visitor.ask(method, path, body)
        data = answer.json
        assert answer.code == data["code"], (path, data)
        assert data["message"].endswith((".", "}")), (path, data)
        fields = [item["field"] for item in data["fields"]]
        told.append((f"{method} {path}", answer.code, fields, data["name"]))
    assert visitor.get("status")["phase"] == "idle"
    assert visitor.get("runs")["runs"] == []
    return told


def _look(visitor: Visitor, run: str, note: Any) -> None:
    """Look at a finished run."""
    assert note("runs", visitor.get("runs"))["runs"][0]["run"] == run
    whole = visitor.get(f"runs/{run}")
    note("run", {key: whole[key] for key in whole if key != "header"})
    page = note("frames", visitor.get(f"runs/{run}/frames?limit=3"))["frames"]
    rest = visitor.get(f"runs/{run}/frames?after={page[-1]['n']}")["frames"]
    assert [frame["n"] for frame in (*page, *rest)] == [1, 2, 3, 4]
    slots = note("slots", visitor.get(f"runs/{run}/slots"))["slots"]
    assert [slot["first"] for slot in slots] == [0, 1, 2, 3]
    for path in (f"runs/{run}/frames/4", f"runs/{run}/frames/4?width=160", "latest"):
        picture = visitor.ask("GET", path)
        assert picture.headers["content-type"] == "image/jpeg"
        assert picture.body[:2] == b"\xff\xd8"
        assert picture.headers["x-content-type-options"] == "nosniff"
    small = visitor.ask("GET", f"runs/{run}/frames/4?width=160")
    assert len(small.body) < len(picture.body)
    page_itself = visitor.ask("GET", "page/")
    assert page_itself.headers["content-type"].startswith("text/html")


def _overview(visitor: Visitor, run: str, note: Any) -> None:
    """Look at a finished run as a whole."""
    at = f"runs/{run}"
    (here,) = note("positions", visitor.get(f"{at}/positions"))["positions"]
    assert (here["name"], here["frames"], here["last"]["slot"]) == ("here", 4, 3)
    told = note("timeline", visitor.get(f"{at}/timeline?bins=2"))
    assert told["slots"] == 4
    assert [(each["first"], each["last"]) for each in told["bins"]] == [(0, 1), (2, 3)]
    assert len(visitor.get(f"{at}/timeline")["bins"]) == 4
    visits = note("visits", visitor.get(f"{at}/visits?limit=3"))["visits"]
    after = f"after={visits[-1]['n']}&position=here"
    rest = visitor.get(f"{at}/visits?{after}")["visits"]
    assert [visit["slot"] for visit in (*visits, *rest)] == [0, 1, 2, 3]
    assert visitor.ask("GET", f"{at}/visits?position=away").code == 422
    late = note("series", visitor.get(f"{at}/series?what=lateness&points=2"))["points"]
    assert len(late) == 2
    for what in ("focus", "drift"):
        assert visitor.get(f"{at}/series?what={what}")["points"] == []
    (frame,) = visitor.get(f"{at}/frames?slot=2&position=here")["frames"]
    assert frame["slot"] == 2


def _movies(visitor: Visitor, run: str, note: Any) -> None:
    """Have the planned movie, a part of it, and another one."""

    def over(told: Any) -> bool:
        return all(job["state"] not in ("queued", "running") for job in told["jobs"])

    note("jobs", visitor.until("jobs", over))
    made = visitor.post(f"runs/{run}/movies", {"format": "gif", "width": 64})
    note("movies", made)
    visitor.until("jobs", over)
    check = note("verify", visitor.post(f"runs/{run}/verify"))["job"]
    told = visitor.until("jobs", over)["jobs"]
    (check,) = [job for job in told if job["job"] == check["job"]]
    assert note("verified", check)["report"]["ok"]
    files = note("files", visitor.get(f"runs/{run}/files"))["files"]
    names = [item["name"] for item in files]
    assert names == ["run.json", "frames.csv", "movies/here.gif", "movies/here.mp4"]
    path = f"runs/{run}/files/movies/here.mp4"
    movie = visitor.ask("GET", path)
    assert movie.headers["content-type"] == "video/mp4"
    part = visitor.ask("GET", path, headers={"Range": "bytes=4-7"})
    assert (part.code, part.body) == (206, movie.body[4:8] or b"ftyp")
    assert part.headers["content-range"] == f"bytes 4-7/{len(movie.body)}"
    tag = movie.headers["etag"]
    assert visitor.ask("GET", path, headers={"If-None-Match": tag}).code == 304
    for bad in ("run.db", "../.active", "%2e%2e/preferences.json", "movies/../run.db"):
        assert visitor.ask("GET", f"runs/{run}/files/{bad}").code in (404, 422)


def _share(visitor: Visitor, run: str, note: Any) -> None:
    """Describe the sample, see what is missing, have a bundle of it."""
    at, order = f"runs/{run}", {"destination": "nordic-microalgae"}
    note("record", visitor.get(f"{at}/record"))
    missing = note("share_check", visitor.post(f"{at}/share/check", order))
    assert not missing["ready"]
    choices = note("share_choices", visitor.post(f"{at}/share/choices", order))
    assert choices["most"] == 10
    assert [still["n"] for still in choices["stills"]] == [1, 2, 3, 4]
    refused = visitor.ask("POST", f"{at}/share", order)
    assert (refused.code, refused.json["name"]) == (422, "InvalidShareError")
    record = {"title": "Sj\u00f6", "photographer": "\u00c5sa", "latitude": None}
    assert visitor.ask("PUT", f"{at}/record", record).code == 200
    assert visitor.get(f"{at}/record")["record"]["title"] == "Sj\u00f6"
    for wrong in ({"titel": "x"}, {"latitude": 1}, {"sampled_at": "2999-01-01"}):
        answer = visitor.ask("PUT", f"{at}/record", wrong)
        assert (answer.code, answer.json["name"]) == (422, "InvalidRecordError")
    note("share", visitor.post(f"{at}/share", order))
    jobs = visitor.until(
        "jobs", lambda told: told["jobs"][-1]["state"] not in ("queued", "running")
    )["jobs"]
    shared = note("shared", jobs[-1])
    assert (shared["kind"], shared["state"]) == ("share", "done")
    bundle = visitor.ask("GET", f"{at}/files/{shared['file']}")
    assert bundle.headers["content-type"] == "application/zip"
    assert bundle.body[:2] == b"PK"
    note("taxa", visitor.get("taxa?query=a"))
    note("bundle_deleted", _delete_bundle(visitor, at, shared["file"]))


def _delete_bundle(visitor: Visitor, at: str, file: str) -> Dict[str, Any]:
    """Delete a bundle: not without its name once more, and nothing but bundles."""
    for name, confirm, code in (
        (file, "", 400),
        (file, "yes", 400),
        ("run.json", "run.json", 404),
        ("movies/here.mp4", "movies/here.mp4", 404),
        ("share/shared.json", "share/shared.json", 404),
        ("share/../run.db", "share/../run.db", 404),
    ):
        answer = visitor.ask("DELETE", f"{at}/files/{name}?confirm={confirm}")
        assert answer.code in (code, 422), (name, answer)
    gone = visitor.ask("DELETE", f"{at}/files/{file}?confirm={file}")
    assert gone.code == 200, gone
    assert visitor.ask("GET", f"{at}/files/{file}").code == 404
    assert visitor.get(f"{at}/record")["shared_before"] == ["nordic-microalgae"]
    names = [item["name"] for item in visitor.get(f"{at}/files")["files"]]
    assert {"run.json", "frames.csv", "movies/here.mp4"} <= set(names)
    return dict(gone.json)


def _steer(visitor: Visitor, note: Any) -> None:
    """Start an endless run, pause it, go on, and stop it."""
    run = visitor.post("start", {**ENDLESS, "movie": None})["run"]
    second = visitor.ask("POST", "start", dict(ENDLESS))
    assert second.code == 409
    assert run in second.json["message"]
    delete = visitor.ask("DELETE", f"runs/{run}?confirm={run}")
    assert delete.code == 409
    visitor.until("status", lambda told: told["lateness_last_ms"] is not None)
    move = visitor.ask("POST", "go_to", {"x": 10})
    assert (move.code, move.json["name"]) == (409, "WrongPhaseError")
    paused = note("pause", _without_due(visitor.post("pause")))
    assert paused["phase"] in ("running", "paused")
    visitor.wait_for("paused")
    place = visitor.get("microscope")["stage"]["position"]
    moved = note("go_to", visitor.post("go_to", {"x": place["x"] + 100}))
    assert moved["position"] == {**place, "x": place["x"] + 100}
    visitor.post("resume")
    visitor.wait_for("running")
    visitor.post("stop")
    assert visitor.wait_for("ended")["end_reason"] == "stopped"
    form = {"name": None, "interval_s": "5", "frames": "1", "focus": None}
    form = {**form, "exposure": None, "movie": "None", "undefined": None}
    note("start_form", visitor.post("start_form", form))
    assert visitor.wait_for("ended")["slots"] == 1


def _without_due(status: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a status without what a moment later is another."""
    moving = ("next_due_ns", "next_due_in_s", "pause_reason", "disk_full_at")
    return {key: value for key, value in status.items() if key not in moving}


def _preferences(visitor: Visitor, note: Any) -> None:
    """What was started last is remembered; what is measured can be."""
    assert visitor.get("preferences")["plan"]["frames"] == 1
    answer = visitor.ask("PUT", "preferences", {"plan": None, "um_per_pixel": 0.2})
    assert answer.code == 200
    told = note("preferences", visitor.get("preferences"))
    assert told["um_per_pixel"] == 0.2


def _delete(visitor: Visitor, run: str) -> List[int]:
    """Delete a run: not without the id once more."""
    codes = [
        visitor.ask("DELETE", f"runs/{run}").code,
        visitor.ask("DELETE", f"runs/{run}?confirm=yes").code,
        visitor.ask("DELETE", f"runs/{run}?confirm={run}").code,
        visitor.ask("GET", f"runs/{run}").code,
    ]
    runs = visitor.get("runs?limit=10")["runs"]
    assert run not in [item["run"] for item in runs]
    return codes
