"""What comes over HTTP, and what is answered."""

import json
from typing import Any, Dict

import pytest

from openflexure_timelapse.errors import InvalidPlanError, InvalidRequestError
from openflexure_timelapse.hosts.requests import (
    MOST_BODY_BYTES,
    Asked,
    error_json,
    json_bytes,
)

REFUSED_BODIES = {
    "no JSON": (b'{"name": ', "not JSON"),
    "a list": (b"[1, 2]", "must be a JSON object"),
    "a number": (b"7", "must be a JSON object"),
    "a name twice": (b'{"a": 1, "a": 2}', "'a' twice"),
    "no UTF-8": (b'{"a": "\xff"}', "not UTF-8"),
    "too long": (b" " * (MOST_BODY_BYTES + 1), "bytes"),
    "too deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize("case", REFUSED_BODIES.values(), ids=list(REFUSED_BODIES))
def test_a_bad_body_is_refused_in_a_sentence(case: Any) -> None:
    """Nothing but a JSON object reaches a verb."""
    body, told = case
    with pytest.raises(InvalidRequestError, match=told):
        Asked(body=body).document()


def test_no_body_is_an_empty_object() -> None:
    """A button sends none."""
    assert Asked(body=b" \n").document() == {}
    assert Asked(body=b'\xef\xbb\xbf{"a": null}').document() == {"a": None}


@pytest.mark.parametrize("text", ["", "-1", "1.5", "ten", "1" * 19, "٣", "1\n", " 1"])
def test_a_number_of_an_address_is_a_whole_number(text: str) -> None:
    """Anything else is refused with the name of the field."""
    with pytest.raises(InvalidRequestError, match="width") as caught:
        Asked(query={"width": text}).optional_number("width")
    assert caught.value.fields[0]["field"] == "width"


def test_a_number_may_be_missing() -> None:
    """Then the default counts, or None."""
    asked = Asked({"n": "7"}, {"limit": "20"})
    assert asked.number("n", 0) == 7
    assert asked.number("limit", 50) == 20
    assert asked.number("after", 3) == 3
    assert asked.optional_number("width") is None


def test_an_error_tells_its_fields() -> None:
    """The form is that of both servers' own errors, with the fields besides."""
    fields = [{"field": "interval_s", "reason": "is missing"}]
    told = error_json(InvalidPlanError("The plan is not valid.", fields), 422)
    assert told == {
        "code": 422,
        "name": "InvalidPlanError",
        "message": "The plan is not valid.",
        "fields": fields,
    }


def test_an_error_of_the_program_shows_no_inner_text() -> None:
    """A path or a password in it is for the log."""
    told = error_json(KeyError("/home/secret"), 500)
    assert "KeyError" in told["message"]
    assert "secret" not in told["message"]


def test_what_is_no_number_becomes_null() -> None:
    """Python's bare NaN is no JSON: a browser could not read the page."""
    data: Dict[str, Any] = {"gain": float("nan"), "all": [float("inf"), (1.5, "µm")]}
    assert json.loads(json_bytes(data)) == {"gain": None, "all": [None, [1.5, "µm"]]}
    assert json.loads(json_bytes({"name": "Växtplankton"})) == {"name": "Växtplankton"}
