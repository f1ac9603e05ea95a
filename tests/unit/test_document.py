"""Documents: strict, frozen, and every refusal is one of our own errors."""

from typing import Any, List, Optional, Tuple

import pytest
from pydantic import Field, ValidationError

from openflexure_timelapse.document import Document, listed, parse
from openflexure_timelapse.errors import InvalidRequestError


class Leaf(Document):
    """A document inside another."""

    size_mb: int = Field(default=1, lt=10)


class Tree(Document):
    """A document with documents in it."""

    height_s: float = 1.0
    leaves: Tuple[Leaf, ...] = ()
    best: Optional[Leaf] = None
    code: str = Field(default="aa", pattern="^a{2}$")


def read(data: Any) -> Tree:
    """Read a tree."""
    return parse(Tree, data, InvalidRequestError, "tree")


def refusal(data: Any) -> str:
    """Return the sentence with which a tree is refused."""
    with pytest.raises(InvalidRequestError) as caught:
        read(data)
    return str(caught.value)


@pytest.mark.parametrize("data", [[], "tree", 3, None], ids=repr)
def test_only_objects_are_documents(data: Any) -> None:
    """Anything but a JSON object is refused as a whole."""
    kind = type(data).__name__
    assert refusal(data).startswith(f"The tree must be a JSON object, not {kind};")


def test_what_is_not_json_is_refused() -> None:
    """Python objects that JSON does not know are refused, not stored."""
    assert refusal({"leaves": {1, 2}}).startswith("The tree is not JSON: ")


def test_broken_text_is_refused() -> None:
    """Half of a character, which no file can hold, is refused by our own error."""
    told = "The tree holds broken text, '\\ud800'; write it anew as UTF-8."
    assert refusal({"name": "\ud800"}) == told


def test_bottomless_nesting_is_refused() -> None:
    """A document of a hundred thousand levels does not end the program."""
    deep: List[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert refusal({"leaves": deep}).startswith("The tree is nested too deeply;")
    while deep:  # taken apart by hand: older Pythons free it recursively
        deep = deep[0]


@pytest.mark.parametrize(
    ("data", "field", "hint"),
    [
        ({"leafs": []}, "leafs", "perhaps 'leaves' is meant"),
        ({"leaves": [{"size": 1}]}, "leaves.0.size", "perhaps 'size_mb' is meant"),
        ({"best": {"size_kb": 1}}, "best.size_kb", "perhaps 'size_mb' is meant"),
        ({"q": 1}, "q", "known: best, code, height_s, leaves"),
    ],
)
def test_unknown_fields_meet_their_neighbour(data: Any, field: str, hint: str) -> None:
    """A misspelt field is refused with the nearest name at that place."""
    told = f"The tree is not valid: {field} is not a known field; {hint}."
    assert refusal(data) == told


def test_limits_carry_their_unit() -> None:
    """A limit is told in the unit that the field's name carries."""
    told = "leaves.0.size_mb should be less than 10 MB (it is 10)"
    assert told in refusal({"leaves": [{"size_mb": 10}]})


def test_long_values_are_shortened() -> None:
    """A bad value is shown, but not all of a megabyte of it."""
    assert len(refusal({"height_s": "x" * 1_000_000})) < 200


def test_braces_are_only_text() -> None:
    """What looks like a format string is shown as it is, value or rule."""
    assert '(it is "{0}{ge}")' in refusal({"height_s": "{0}{ge}"})
    assert "'^a{2}$'" in refusal({"code": "b"})


def test_documents_are_frozen() -> None:
    """A document cannot be changed after it was checked."""
    with pytest.raises(ValidationError):
        read({}).height_s = 3.0


def test_defaults_are_left_out() -> None:
    """What a person did not write does not come back."""
    assert read({"best": {}, "height_s": 2.5}).to_json() == {
        "best": {},
        "height_s": 2.5,
    }


def test_a_list_of_sentences_stays_short() -> None:
    """Up to five sentences are told, the rest is counted."""
    assert listed(["a", "b"]) == "a; b"
    assert listed(list("abcdefg")) == "a; b; c; d; e; and 2 more"
