"""Requests that no browser makes, to the extension of server v2."""

import http.client
import json
from pathlib import Path
from typing import Any, Iterator, Tuple

import pytest
from v2_rig import JSON, OURS, Rig, started

from openflexure_timelapse.hosts.requests import MOST_BODY_BYTES


@pytest.fixture(name="rig")
def _rig(tmp_path: Path) -> Iterator[Rig]:
    rig = started(tmp_path)
    yield rig
    rig.close()


def connected(rig: Rig) -> http.client.HTTPConnection:
    """Return a connection to the server."""
    return http.client.HTTPConnection(rig.api.address.split("/")[2], timeout=30)


def sent(rig: Rig, path: str, body: bytes, **headers: str) -> Tuple[int, Any]:
    """Send a body as it is."""
    connection = connected(rig)
    try:
        connection.putrequest("POST", f"{OURS}/{path}")
        for name, text in headers.items():
            connection.putheader(name.replace("_", "-"), text)
        connection.endheaders()
        connection.send(body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["start", "timelapse", "estimate"])
def test_a_large_body_is_refused_before_it_is_read(rig: Rig, path: str) -> None:
    """By its length, also where it is never sent, and for the action too."""
    length = str(MOST_BODY_BYTES + 1)
    status, told = sent(rig, path, b"{", Content_Length=length)
    assert status == 413
    assert "at most 1000000 are taken" in told["message"]


def test_a_body_in_pieces_is_read_or_refused(rig: Rig) -> None:
    """Werkzeug stumbles over some of them; the client is told, and nothing hangs."""
    headers = {"Transfer_Encoding": "chunked", "Content_Type": "application/json"}
    whole = b'{"name": "pond", "interval_s": 5}'
    piece = b"%x\r\n%s\r\n" % (len(whole), whole)
    assert sent(rig, "estimate", piece + b"0\r\n\r\n", **headers)[0] == 200
    status, told = sent(rig, "estimate", b"zz\r\n", **headers)
    assert (status, told["name"]) == (422, "InvalidRequestError")
    large = b"%x\r\n%s\r\n" % (MOST_BODY_BYTES, b" " * MOST_BODY_BYTES)
    assert sent(rig, "estimate", large * 2, **headers)[0] in {413, 422}


def test_a_deep_body_breaks_no_list_of_actions(rig: Rig) -> None:
    """Labthings would keep it for everybody who asks."""
    for depth in (100, 900, 100_000):
        body = b'{"plan":' * depth + b"1" + b"}" * depth
        length, kind = str(len(body)), "application/json"
        status, told = sent(
            rig, "timelapse", body, Content_Length=length, Content_Type=kind
        )
        assert status == 422
        assert "nested too deeply" in told["message"]
    assert rig.api.ask("GET", "actions", None, JSON).code == 200


@pytest.mark.parametrize("path", ["status", "page/", "page/page.js", "runs/none"])
def test_a_browser_is_told_what_it_may_do(rig: Rig, path: str) -> None:
    """For each answer of ours."""
    headers = rig.visitor.ask("GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
