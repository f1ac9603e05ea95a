"""Server v3 under requests made from its own OpenAPI document, and from nobody's."""

import contextlib
import logging
from pathlib import Path
from typing import Any, List

import schemathesis
from hypothesis import given
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from campaigns.drawn import so_many
from campaigns.hostile_folder import EVIL, linked, outside, small_run, told_evil
from campaigns.hostile_requests import attacked
from campaigns.hostile_tally import Reply, Tally
from hardware_sim.v3_server import RunningServer, create
from openflexure_timelapse.hosts.routes import ROUTES
from openflexure_timelapse.hosts.v3 import TimelapseThing

__all__ = ["attack_v3"]

NAME = "timelapse"
PREFIX = f"/api/v3/{NAME}"
SPEED = 50.0
FAR_STEPS = 10_000
PATIENCE_S = 60
SHARE_OF_DOCUMENT = 0.6
CHECKS = (
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
"""Of the verbs, which we describe; the server's library describes actions and
properties. Whether a plan is sound cannot be said in a schema, so that is no check."""
VERBS = {f"{route.name}_{name.lower()}" for route in ROUTES for name in route.handlers}


def attack_v3(trials: int, first: int, work: Path) -> List[Tally]:
    """Return what so many requests to a simulated server v3 did."""
    logging.getLogger("labthings_fastapi").setLevel(logging.CRITICAL)
    logging.getLogger("openflexure_timelapse").setLevel(logging.CRITICAL)
    server = create(work / "v3", "beads", 1, SPEED, things={NAME: TimelapseThing})
    running = RunningServer(server)
    try:
        thing: Any = server.server.things[NAME]
        data = thing.verbs.service.library.data_folder
        run = small_run(data)
        linked(run, outside(data.parent))
        told_evil(run, EVIL[0])
        by_document = Tally(
            "server v3, all verbs, actions and properties", "schemathesis"
        )
        from_document(
            by_document, round(trials * SHARE_OF_DOCUMENT), first, running.url
        )
        by_hand = Tally("server v3, all addresses", "hypothesis")
        rest = max(1, trials - by_document.tried)
        attacked(by_hand, rest, first, running.port, PREFIX)
        if not (run / "run.json").exists():
            by_hand.fell("other", "a run was deleted without its confirmation")
        return [by_document, by_hand]
    finally:
        running.close()


def from_document(tally: Tally, trials: int, first: int, url: str) -> None:
    """Send requests that the OpenAPI document allows, and such as break its rules."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    ours = schema.include(path_regex=f"^{PREFIX}/")
    operations = [found.ok() for found in ours.get_all_operations()]
    each = max(1, trials // (2 * len(operations)))
    for operation in operations:
        for mode in schemathesis.GenerationMode:
            _try(tally, operation, mode, each, first)


def _is_far(target: Any) -> bool:
    """Tell whether a stage would be under way for longer than an attack may take."""
    places = target.values() if isinstance(target, dict) else ()
    return any(isinstance(each, int) and abs(each) > FAR_STEPS for each in places)


def _try(tally: Tally, operation: Any, mode: Any, trials: int, first: int) -> None:
    """Send requests to one operation."""
    is_verb = operation.definition.raw.get("operationId") in VERBS
    checks: List[Any] = list(CHECKS) if is_verb else []

    @so_many(trials, first)
    @given(case=operation.as_strategy(generation_mode=mode))
    def once(case: Any) -> None:
        if operation.path.endswith("/go_to") and _is_far(case.body):
            return  # it would move for days, as it was told to
        response = case.call(timeout=PATIENCE_S)
        headers = {name.lower(): text[0] for name, text in response.headers.items()}
        asked = f"{case.method} {case.formatted_path} {case.query} {case.body!r:.100}"
        tally.judge(asked, Reply(response.status_code, headers, response.content))
        if not checks:
            return
        try:
            case.validate_response(response, checks=checks)
        except (Failure, FailureGroup) as exc:
            tally.fell("other", f"{asked}: {exc}")

    # Where there is nothing to get wrong, nothing breaks a rule.
    with contextlib.suppress(Unsatisfiable):
        once()
