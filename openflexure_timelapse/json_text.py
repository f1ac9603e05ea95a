"""JSON objects as people and programs write them: read strictly, refused in a sentence.

Stricter than ``json``: a name that stands twice in one object has no one meaning, and
no number that a person means has hundreds of digits.
"""

import json
from typing import Any, Dict, List, Tuple, Type

from openflexure_timelapse.errors import InvalidRequestError

__all__ = ["read_object"]

# No field of a document needs more; Python refuses to read more than 4300 at all.
MOST_DIGITS = 300
SHOWN = 12


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
        told = f"{what} is nested too deeply; write it without so many levels."
        raise error(told) from exc
    if not isinstance(data, dict):
        raise error(f"{what} must be a JSON object, {{...}}.")
    return data
