"""What the OpenAPI document says of the verbs."""

import inspect
import json
import re

import pytest

from openflexure_timelapse.hosts.openapi import (
    BODIES,
    FILES,
    MEMBERS,
    QUERIES,
    described,
)
from openflexure_timelapse.hosts.routes import ROUTES, Route

EACH = [(route, method) for route in ROUTES for method in route.handlers]


@pytest.mark.parametrize(("route", "method"), EACH, ids=lambda each: str(each)[:40])
def test_every_verb_is_described(route: Route, method: str) -> None:
    """With all that its handler asks the request for, and nothing else."""
    told = described(route, method)
    handler = inspect.getsource(inspect.unwrap(route.handlers[method]))
    asked = set(re.findall(r'(?:number|query\.get|path)[\[(]"(\w+)"', handler))
    asked |= set(re.findall(r'path\.get\("(\w+)"', handler))
    named = {each["name"] for each in told["parameters"]}
    assert named == asked - ({"name"} if route.name == "page" else set())
    assert ("requestBody" in told) == ("document()" in handler)
    assert '"$ref"' not in json.dumps(told)
    assert {"200", "4XX", "5XX"} <= set(told["responses"])


def test_nothing_is_described_that_is_not_there() -> None:
    """Each row of the tables belongs to a verb."""
    there = {(method, route.name) for route, method in EACH}
    assert {*QUERIES, *BODIES, *MEMBERS} <= there
    assert set(FILES) <= {name for _, name in there}
