"""What every request to our Thing passes first."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from script import Visitor
from steady_run import PLAN
from thing_rig import NAME, Rig, started

from openflexure_timelapse.hosts.requests import MOST_BODY_BYTES
from openflexure_timelapse.hosts.v3_door import Door

API = f"/api/v3/{NAME}"


@pytest.fixture(name="rig")
def _rig(tmp_path: Path) -> Iterator[Rig]:
    rig = started(tmp_path)
    yield rig
    rig.close()


def sent(rig: Rig, method: str, path: str, body: Any) -> tuple[int, Any, Any]:
    """Send a body as it is; in pieces without a length where it is an iterator."""
    connection = http.client.HTTPConnection(rig.url.partition("//")[2], timeout=30)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, f"{API}/{path}", body, headers, encode_chunked=True)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["start", "start_timelapse", "stop"])
def test_a_large_body_is_refused_before_it_is_read(rig: Rig, path: str) -> None:
    """By its length, also where it is never sent, and for actions too."""
    connection = http.client.HTTPConnection(rig.url.partition("//")[2], timeout=30)
    connection.putrequest("POST", f"{API}/{path}")
    connection.putheader("Content-Length", str(MOST_BODY_BYTES + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["name"] == "RequestTooLargeError"
    connection.close()


def test_a_body_without_a_length_is_counted(rig: Rig) -> None:
    """As it comes, and no further than allowed."""
    piece = b'{"name": "pond"}' + b" " * 9984
    assert sent(rig, "POST", "estimate", iter([piece] * 2))[0] == 422
    too_many = iter([piece] * (2 * MOST_BODY_BYTES // len(piece)))
    try:
        status = sent(rig, "POST", "estimate", too_many)[0]
    except (BrokenPipeError, ConnectionResetError):
        status = 413  # it hung up while the rest was under way
    assert status == 413
    plan = json.dumps({**PLAN, "frames": 1}).encode()
    assert sent(rig, "POST", "estimate", iter([plan[:9], plan[9:]]))[0] == 200


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "start_timelapse"), ("PUT", "default_plan")]
)
def test_a_deep_body_breaks_no_list_of_actions(
    rig: Rig, method: str, path: str
) -> None:
    """The server's library would keep it for everybody who asks."""
    for depth in (100, 300, 900, 100_000):
        body = b'{"plan":' * depth + b"1" + b"}" * depth
        status, told, _ = sent(rig, method, path, body)
        assert (status, told["name"]) == (422, "InvalidRequestError")
    assert rig.api.ask("GET", "action_invocations").code == 200


def test_a_property_refuses_with_the_status_of_its_error(rig: Rig) -> None:
    """A bad plan is the client's mistake and no failure of the server."""
    status, told, _ = sent(rig, "PUT", "default_plan", b'{"name": 7}')
    assert status == 422
    assert "name should be text" in told["detail"]


@pytest.mark.parametrize(
    "path", ["status", "page/", "page/page.js", "runs/none", "phase", "stop_timelapse"]
)
def test_a_browser_is_told_what_it_may_do(rig: Rig, path: str) -> None:
    """Once, for each answer of ours; and not for those of other Things."""
    headers = rig.visitor.ask("GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "content-security-policy" not in rig.api.ask("GET", "stage/").headers


def passed(patience_s: float, *messages: Any) -> list[Any]:
    """Return what a door answers to what comes; it waits for ever for more."""
    answers: list[Any] = []
    coming = list(messages)

    async def receive() -> Any:
        if not coming:
            await asyncio.Event().wait()
        return coming.pop(0)

    async def send(message: Any) -> None:
        answers.append(message)

    async def inside(*_: Any) -> None:
        answers.append("inside")

    scope = {"type": "http", "path": "/ours/x", "headers": []}
    door = Door(inside, "/ours/", patience_s)
    asyncio.run(door(scope, receive, send))
    return answers


def test_a_body_that_never_ends_is_given_up() -> None:
    """Nobody else waits for it."""
    begun = {"type": "http.request", "body": b"{", "more_body": True}
    start, end = passed(0.05, begun)
    assert start["status"] == 408
    assert "took more than" in json.loads(end["body"])["message"]


def test_a_body_that_breaks_off_reaches_no_verb() -> None:
    """Half a plan may be a plan."""
    begun = {"type": "http.request", "body": b"{}", "more_body": True}
    answers = passed(30, begun, {"type": "http.disconnect"})
    assert "inside" not in answers
    assert answers[0]["status"] == 422
    assert passed(30, {"type": "http.request", "body": b"{}"}) == ["inside"]


def test_the_document_names_each_verb(rig: Rig) -> None:
    """With the size of a page, and the plan as it is checked."""
    paths = Visitor(rig.url).get("openapi.json")["paths"]
    frames = paths[f"{API}/runs/{{run}}/frames"]["get"]
    assert {each["name"] for each in frames["parameters"]} == {
        "run", "after", "limit", "position", "slot"
    }  # fmt: skip
    body = paths[f"{API}/start"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["properties"]["interval_s"]["anyOf"][0]["minimum"] == 0.05


def test_an_address_leads_nowhere_else(rig: Rig, tmp_path: Path) -> None:
    """However it is written."""
    (tmp_path / "secret").write_text("secret")
    for path in ("../../secret", "%2e%2e%2fsecret", "..%5csecret", "%00", "%ff"):
        for verb in ("page", "runs", "runs/x/files", "runs/x/frames"):
            status, told, _ = sent(rig, "GET", f"{verb}/{path}", None)
            assert status in {404, 422}, (verb, path, told)
