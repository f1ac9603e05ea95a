"""One tree of errors, and its picture tells the truth."""

import re
from typing import List, Tuple, Type

import pytest

from openflexure_timelapse import errors
from openflexure_timelapse.errors import InvalidRequestError, TimelapseError

EVERY: List[Type[TimelapseError]] = [getattr(errors, name) for name in errors.__all__]


def drawn() -> List[Tuple[str, str]]:
    """Return (error, parent) as the docstring of the module draws them."""
    pairs, parents = [], {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^    ([│├└─ ]*)(\w+Error)\b", line)
        if match is None:
            continue
        level, name = len(match.group(1)) // 4, match.group(2)
        parents[level] = name
        pairs.append((name, parents[level - 1] if level else "Exception"))
    return pairs


def test_the_picture_shows_the_tree() -> None:
    """The tree in the module's docstring is the tree of the classes."""
    real = [(kind.__name__, kind.__bases__[0].__name__) for kind in EVERY]
    assert sorted(drawn()) == sorted(real)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: str(kind.__name__))
def test_every_error_tells_hosts_what_to_answer(kind: Type[TimelapseError]) -> None:
    """Every error has an HTTP status of its kind and an exit code."""
    assert issubclass(kind, TimelapseError)
    assert 400 <= kind.http_status <= 599
    assert kind.exit_code in (1, 2)
    asked_wrongly = kind.exit_code == 2
    assert asked_wrongly == (kind.http_status in (400, 404, 413, 422))


def test_fields_are_empty_for_a_request_that_is_wrong_as_a_whole() -> None:
    """Hosts can always go through the fields of a bad request."""
    assert InvalidRequestError("no").fields == ()
