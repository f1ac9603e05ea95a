"""JSON as people and programs write it: read strictly, refused in a sentence.

Stricter than ``json``: a name that stands twice in one object has no one meaning, no
number that a person means has hundreds of digits, and nothing that this program writes
is nested deeply; what is would break whoever walks through it or writes it again.
"""

import json
from typing import Any, Dict, List, Tuple, Type

from openflexure_timelapse.errors import InvalidRequestError

__all__ = ["MOST_LEVELS", "is_deep_text", "read_object", "read_value"]

# No field of a document needs more; Python refuses to read more than 4300 at all.
MOST_DIGITS = 300
MOST_LEVELS = 64
SHOWN = 12


def _is_deep(value: Any) -> bool:
    """Tell whether a value of JSON has more than `MOST_LEVELS` levels."""
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        inner: List[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        if not inner:
            return False
        level = inner
    return True


def is_deep_text(text: str) -> bool:
    """Tell whether JSON is nested deeply; what is no JSON is not."""
    if text.count("[") + text.count("{") <= MOST_LEVELS:
        return False
    try:
        return _is_deep(json.loads(text))
    except RecursionError:
        return True
    except ValueError:
        return False


def read_value(text: str) -> Any:
    """Return the JSON value in `text`, which anybody may have written.

    Raises
    ------
    ValueError
        Not JSON, nested too deeply, a number that is too long.
    """

    def whole(digits: str) -> int:
        if len(digits) > MOST_DIGITS:
            told = f"it has a number of {len(digits)} digits ({digits[:SHOWN]}...)"
            raise ValueError(told)
        return int(digits)

    try:
        data = json.loads(text, parse_int=whole)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    # So few brackets cannot be deep; nearly every text that is read has fewer.
    if text.count("[") + text.count("{") > MOST_LEVELS and _is_deep(data):
        raise ValueError("it is nested too deeply")
    return data


def read_object(
    text: str, what: str, error: Type[InvalidRequestError]
) -> Dict[str, Any]:
    """Return the JSON object in `text`; what its fields mean is checked later.

    Parameters
    ----------
    text : str
        What was read or sent.
    what : str
        How a message names it, for example ``"The plan pond.json"``.
    error : type
        The error to raise.

    Raises
    ------
    InvalidRequestError
        Of the type `error`: not JSON, not an object, nested too deeply, a field that
        is named twice, a number that is too long.
    """

    def checked(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                told = f"{what} has the field {name!r} twice in one object; keep one."
                raise error(told)
            found[name] = value
        return found

    def whole(digits: str) -> int:
        if len(digits) > MOST_DIGITS:
            told = f"{what} has a number of {len(digits)} digits ({digits[:SHOWN]}...);"
            raise error(told + " write a smaller one.")
        return int(digits)

    try:
        data = json.loads(text, object_pairs_hook=checked, parse_int=whole)
    except ValueError as exc:
        raise error(
            f"{what} is not JSON: {exc}; compare it with the README's."
        ) from exc
    except RecursionError as exc:
        raise error(_deep(what)) from exc
    if not isinstance(data, dict):
        raise error(f"{what} must be a JSON object, {{...}}.")
    if _is_deep(data):
        raise error(_deep(what))
    return data


def _deep(what: str) -> str:
    """Return why something nested is refused."""
    return f"{what} is nested too deeply; write it without so many levels."
