"""The addresses of the verbs in the words of OpenAPI 3, for whoever makes a client.

Only what the table of routes and the documents' own classes say. A server that has an
OpenAPI document puts this into it.
"""

from typing import Any, Dict, List, Mapping, Sequence, Tuple, Type

from openflexure_timelapse.document import Document
from openflexure_timelapse.hosts.forms import FIELDS
from openflexure_timelapse.hosts.library import LARGEST_PAGE
from openflexure_timelapse.hosts.mover import Target
from openflexure_timelapse.hosts.overview import CURVES
from openflexure_timelapse.hosts.preferences import Preferences
from openflexure_timelapse.hosts.requests import MOST_BODY_BYTES
from openflexure_timelapse.hosts.routes import Route
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.record import Record
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.store.layout import RUN_ID

__all__ = ["described"]

JsonDict = Dict[str, Any]

LARGEST_NUMBER = 10**18 - 1
TEXT: JsonDict = {"type": "string"}
COUNT: JsonDict = {"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER}
ROWS: JsonDict = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE}
RUN: JsonDict = {"type": "string", "pattern": "^" + RUN_ID.pattern.replace(r"\Z", "$")}

# By the method and the route's name: what may follow the question mark.
QUERIES: Mapping[Tuple[str, str], Mapping[str, JsonDict]] = {
    ("GET", "latest"): {"width": COUNT},
    ("GET", "runs"): {"after": RUN, "limit": ROWS},
    ("DELETE", "run"): {"confirm": RUN},
    ("DELETE", "file"): {"confirm": TEXT},
    ("GET", "frames"): {"after": COUNT, "limit": ROWS, "position": TEXT, "slot": COUNT},
    ("GET", "frame"): {"width": COUNT},
    ("GET", "slots"): {"after": COUNT, "limit": ROWS},
    ("GET", "timeline"): {"bins": ROWS},
    ("GET", "visits"): {"after": COUNT, "limit": ROWS, "position": TEXT},
    ("GET", "taxa"): {"query": TEXT, "limit": ROWS},
    ("GET", "series"): {"what": {"enum": list(CURVES)}, "points": ROWS},
}
NEEDED = ("confirm", "what")
IN_PATH: Mapping[str, JsonDict] = {"run": RUN, "n": COUNT, "name": TEXT, "job": TEXT}

BODIES: Mapping[Tuple[str, str], Type[Document]] = {
    ("POST", "estimate"): Plan,
    ("POST", "start"): Plan,
    ("POST", "go_to"): Target,
    ("PUT", "preferences"): Preferences,
    ("POST", "movies"): Recipe,
    ("PUT", "record"): Record,
    ("POST", "share"): ShareOrder,
    ("POST", "share_check"): ShareOrder,
    ("POST", "share_choices"): ShareOrder,
}

RECORD = ("run", "record", "edited", "occurrence_id", "imaged", "scale")

# What a JSON answer has at least.
MEMBERS: Mapping[Tuple[str, str], Sequence[str]] = {
    ("GET", "status"): ("phase", "warnings", "movie_jobs"),
    ("GET", "microscope"): ("microscope", "camera", "stage", "light", "focuser"),
    ("POST", "estimate"): ("frames", "ends_at", "warnings"),
    ("POST", "start"): ("run", "warnings"),
    ("POST", "start_form"): ("run", "warnings"),
    ("POST", "pause"): ("phase",),
    ("POST", "resume"): ("phase",),
    ("POST", "stop"): ("phase",),
    ("POST", "go_to"): ("position",),
    ("GET", "runs"): ("runs",),
    ("GET", "run"): ("run", "name", "frames", "bytes", "counts", "header", "movies"),
    ("DELETE", "run"): ("deleted",),
    ("DELETE", "file"): ("deleted",),
    ("GET", "frames"): ("frames",),
    ("GET", "slots"): ("slots",),
    ("GET", "positions"): ("positions",),
    ("GET", "timeline"): ("slots", "bins"),
    ("GET", "visits"): ("visits",),
    ("POST", "verify"): ("job",),
    ("POST", "movies"): ("jobs",),
    ("GET", "record"): RECORD,
    ("PUT", "record"): RECORD,
    ("POST", "share"): ("job",),
    ("POST", "share_check"): ("destination", "title", "ready", "findings"),
    ("POST", "share_choices"): ("most", "each", "stills", "movies"),
    ("GET", "taxa"): ("source", "taxa"),
    ("GET", "files"): ("files",),
    ("GET", "jobs"): ("jobs",),
}
FILES: Mapping[str, str] = {
    "latest": "image/jpeg",
    "frame": "image/jpeg",
    "file": "*/*",
    "page": "text/html",
    "page_file": "*/*",
}
FORM: JsonDict = {
    "type": "object",
    "properties": {name: {"type": ["string", "number", "null"]} for name in FIELDS},
}
FIELD: JsonDict = {
    "type": "object",
    "required": ["field", "reason"],
    "properties": {"field": TEXT, "reason": TEXT},
}
ERROR: JsonDict = {
    "type": "object",
    "required": ["code", "name", "message", "fields"],
    "properties": {
        "code": {"type": "integer"},
        "name": TEXT,
        "message": TEXT,
        "fields": {"type": "array", "items": FIELD},
    },
}


def described(route: Route, method: str) -> JsonDict:
    """Return what OpenAPI says of an address and a method.

    Parameters
    ----------
    route : Route
        Of the table.
    method : str
        In capitals.
    """
    told: JsonDict = {
        "parameters": _parameters(route, method),
        "responses": _responses(route, method),
    }
    body = _body(route, method)
    if body is not None:
        told["requestBody"] = {
            "description": f"At most {MOST_BODY_BYTES} bytes, as UTF-8.",
            "content": {"application/json": {"schema": body}},
        }
    return told


def _parameters(route: Route, method: str) -> List[JsonDict]:
    """Return the parts of the address and what may follow the question mark."""
    parts = [part for part in route.rule.split("/") if part.startswith("<")]
    names = [part.strip("<>").rpartition(":")[2] for part in parts]
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": IN_PATH[name]}
        for name in names
    ]
    query = QUERIES.get((method, route.name), {})
    return in_path + [
        {"name": name, "in": "query", "required": name in NEEDED, "schema": schema}
        for name, schema in query.items()
    ]


def _body(route: Route, method: str) -> Any:
    """Return the schema of the body; None for a verb that needs none."""
    if (method, route.name) == ("POST", "start_form"):
        return FORM
    kind = BODIES.get((method, route.name))
    return None if kind is None else _inlined(kind.model_json_schema())


def _inlined(schema: Any, known: Any = None) -> Any:
    """Return a schema in which references to its own definitions are these."""
    if known is None:
        known = schema.pop("$defs", {})
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(known[schema["$ref"].rpartition("/")[2]], known)
        return {name: _inlined(inner, known) for name, inner in schema.items()}
    if isinstance(schema, list):
        return [_inlined(inner, known) for inner in schema]
    return schema


def _responses(route: Route, method: str) -> JsonDict:
    """Return what may be answered."""
    error = {"application/json": {"schema": ERROR}}
    told: JsonDict = {
        "4XX": {"description": "Refused, in a sentence.", "content": error},
        "5XX": {"description": "The microscope, its disk or this program failed."},
    }
    told["5XX"]["content"] = error
    if method == "GET" and route.name in FILES:
        content: JsonDict = {FILES[route.name]: {"schema": {"format": "binary"}}}
        told["206"] = {"description": "The range that was asked for."}
        told["206"]["content"] = {"*/*": {"schema": {"format": "binary"}}}
        told["304"] = {"description": "As the browser has it."}
    else:
        members = list(MEMBERS.get((method, route.name), ()))
        schema = {"type": "object", "required": [*members, "links"]}
        content = {"application/json": {"schema": schema}}
    return {"200": {"description": "Done.", "content": content}, **told}
