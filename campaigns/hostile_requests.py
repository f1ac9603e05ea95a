"""Requests that no client of ours makes, drawn from the table of routes."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, Optional, Tuple
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from campaigns.drawn import so_many
from campaigns.hostile_folder import EVIL, RUN_ID
from campaigns.hostile_tally import Reply, Tally
from openflexure_timelapse.hosts.routes import ROUTES, Route

__all__ = ["Probe", "attacked", "sent"]

PATIENCE_S = 60
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE")
# As they stand in an address: some are decoded once by a server, some twice by others.
PATHS = (
    "..",
    "../../../../etc/passwd",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/outside/secret.txt",
    "%2e%2e%2f%2e%2e%2foutside%2fsecret.txt",
    "%252e%252e%252foutside%252fsecret.txt",
    "..%5c..%5coutside%5csecret.txt",
    "....//....//outside/secret.txt",
    "movies/../../outside/secret.mp4",
    "movies%2f..%2frun.db",
    "movies/here.mp4",
    "run.db",
    "run.json",
    "run.json%00.mp4",
    "frames/here/0000001.jpeg",
    "%00",
    "%ff%fe",
    "%0d%0aX-Injected:%201",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    ".deleted-x",
    "-1",
    "1e3",
    "9" * 30,
    "a" * 3000,
    "%f0%9f%94%ac",
)
NUMBERS = (
    "0",
    "1",
    "2",
    "4",
    "1000",
    "-1",
    "1.5",
    "9" * 18,
    "9" * 19,
    "0x10",
    "NaN",
    "",
)
NAMES = (
    *("after", "limit", "width", "position", "slot", "bins", "points", "what"),
    "query",
)
LARGE = b'{"name": "' + b"x" * 1_100_000 + b'"}'
DEEP = b'{"plan":' * 300 + b"1" + b"}" * 300


@dataclass(frozen=True)
class Probe:
    """One request.

    Attributes
    ----------
    method, target : str
        As they stand in its first line.
    body : bytes or None
        None for none.
    headers : mapping
        Besides those that every request has.
    chunked : bool
        Whether the body comes in pieces, without its length.
    """

    method: str
    target: str
    body: Optional[bytes] = None
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False

    def __str__(self) -> str:
        """Return what repeats it."""
        body = b"" if self.body is None else self.body
        return f"{self.method} {self.target[:120]} {dict(self.headers)} {body[:80]!r}"


def sent(port: int, probe: Probe) -> Reply:
    """Send a request as it is, and return the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    body: Any = iter([probe.body]) if probe.chunked else probe.body
    try:
        connection.request(
            probe.method,
            probe.target,
            body,
            dict(probe.headers),
            encode_chunked=probe.chunked,
        )
        found = connection.getresponse()
        headers = {name.lower(): text for name, text in found.getheaders()}
        return Reply(found.status, headers, found.read())
    except (OSError, http.client.HTTPException):
        return Reply(0, {}, b"")  # refused while it was being sent
    finally:
        connection.close()


# ------------------------------------------------------------------------- strategies

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(EVIL),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=8), inner, max_size=4),
    ),
    max_leaves=12,
)
KEYS = [
    "name",
    "interval_s",
    "frames",
    "duration_s",
    "phases",
    "start_at",
    "start_in_s",
    "positions",
    "planes",
    "autofocus",
    "drift_correction",
    "light",
    "settle_s",
    "late",
    "exposure",
    "camera_mode",
    "keep_free_mb",
    "movie",
    "sample",
    "um_per_pixel",
    "plan",
    "format",
    "fps",
    "width",
    "title",
    "x",
    "y",
    "z",
    "focus",
    "recipe",
    "run",
    "destination",
    "taxon",
    "sampled_at",
    "latitude",
    "longitude",
    "licence",
    "photographer",
    "uuid",
    "base_url",
    "place_in_images",
]
# Whatever a server has of them: some can take the run, others say what they miss.
DESTINATIONS = ("nordic-microalgae", "inaturalist", "artportalen", "gbif", "ome-zarr")
SOUND: Dict[str, Any] = {"name": "hostile", "interval_s": 5, "frames": 2, "movie": None}


@st.composite
def bodies(draw: Callable[..., Any]) -> Optional[bytes]:
    """Draw a body: none, bytes, JSON, a plan with something wrong, too much."""
    kind = draw(
        st.sampled_from(("none", "bytes", "json", "plan", "plan", "fields", "order"))
    )
    if kind == "none":
        return None
    if kind == "bytes":
        wild = st.one_of(st.binary(max_size=60), st.sampled_from((LARGE, DEEP)))
        return bytes(draw(wild))
    if kind == "json":
        return json.dumps(draw(json_values)).encode()
    if kind == "order":
        odd = draw(st.dictionaries(st.sampled_from(KEYS), json_values, max_size=1))
        to = draw(st.sampled_from(DESTINATIONS))
        return json.dumps({"destination": to, **odd}).encode()
    some = draw(st.dictionaries(st.sampled_from(KEYS), json_values, max_size=4))
    return json.dumps({**SOUND, **some} if kind == "plan" else some).encode()


@st.composite
def probes(draw: Callable[..., Any], prefix: str) -> Probe:
    """Draw a request to one of our addresses, or to one that looks like one."""
    route: Route = draw(st.sampled_from(ROUTES))
    own = st.sampled_from(tuple(route.handlers))
    method = draw(st.one_of(own, own, own, st.sampled_from(METHODS)))
    parts = []
    for part in route.rule.split("/"):
        wild = st.sampled_from(PATHS)
        if part == "<run>":
            parts.append(draw(st.one_of(st.just(RUN_ID), st.just(RUN_ID), wild)))
        elif part.startswith("<"):
            parts.append(draw(st.one_of(st.sampled_from(NUMBERS[:4]), wild, wild)))
        else:
            parts.append(part)
    query = draw(
        st.dictionaries(
            st.sampled_from(NAMES),
            st.one_of(st.sampled_from(NUMBERS), st.sampled_from(EVIL), st.text()),
            max_size=3,
        )
    )
    if method == "DELETE":
        query["confirm"] = draw(st.sampled_from(("", "yes", "true", *EVIL)))
    tail = "&".join(f"{name}={_quoted(text)}" for name, text in query.items())
    target = f"{prefix}/{'/'.join(parts)}" + (f"?{tail}" if tail else "")
    chunked = draw(st.integers(0, 9)) == 0
    body = draw(bodies())
    return Probe(
        method, target, body, draw(odd_headers()), chunked and body is not None
    )


def _quoted(text: str) -> str:
    """Return a text for an address; what is no text there as a byte of its own."""
    return quote(text.encode("utf-8", "surrogatepass"))


@st.composite
def odd_headers(draw: Callable[..., Any]) -> Dict[str, str]:
    """Draw headers."""
    offered = {
        "Content-Type": ("application/json", "text/plain", "multipart/form-data", "x"),
        "Range": ("bytes=0-0", "bytes=9999999999-", "bytes=-1", "bytes=5-1", "x"),
        "If-None-Match": ("*", "x", '"' + "a" * 100),
        "Host": ("evil.example", "127.0.0.1"),
        "Origin": ("http://evil.example", "null"),
        "Accept": ("text/html", "*/*", "x"),
    }
    names = draw(st.sets(st.sampled_from(sorted(offered)), max_size=2))
    return {name: draw(st.sampled_from(offered[name])) for name in sorted(names)}


def attacked(
    tally: Tally, trials: int, first: int, port: int, prefix: str
) -> Tuple[int, ...]:
    """Send so many requests; return the statuses that came."""

    @so_many(trials, first)
    @given(probe=probes(prefix))
    def once(probe: Probe) -> None:
        tally.judge(str(probe), sent(port, probe))

    once()
    return tuple(sorted(tally.statuses))
