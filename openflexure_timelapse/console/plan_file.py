"""A plan as a person wrote it into a file: read strictly, refused in a sentence."""

import json
from pathlib import Path
from typing import Any, Dict, List, Tuple

from openflexure_timelapse.errors import InvalidPlanError, NotFoundError

__all__ = ["read_plan"]

# No field of a plan needs more; Python refuses to read more than 4300 at all.
MOST_DIGITS = 300
SHOWN = 12


def read_plan(path: Path) -> Dict[str, Any]:
    """Return the JSON object in a file; its rules are checked later.

    Raises
    ------
    NotFoundError
        When the file cannot be read.
    InvalidPlanError
        When it is not JSON, or names a field twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = json.loads(text, object_pairs_hook=_object, parse_int=_whole)
    except OSError as exc:
        told = f"The plan {path} cannot be read ({exc.strerror}); check its name."
        raise NotFoundError(told) from exc
    except ValueError as exc:
        told = f"The plan {path} is not JSON: {exc}; compare it with the README's."
        raise InvalidPlanError(told) from exc
    except RecursionError as exc:
        told = f"The plan {path} is nested too deeply; write it without so many levels."
        raise InvalidPlanError(told) from exc
    if not isinstance(data, dict):
        raise InvalidPlanError(f"The plan {path} must be a JSON object, {{...}}.")
    return data


def _object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """Return a JSON object; a name that stands there twice has no one meaning."""
    found: Dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            told = f"The plan has the field {name!r} twice in one object; keep one."
            raise InvalidPlanError(told)
        found[name] = value
    return found


def _whole(digits: str) -> int:
    """Return a whole number of a length that a person writes."""
    if len(digits) > MOST_DIGITS:
        told = f"The plan has a number of {len(digits)} digits ({digits[:SHOWN]}...); "
        raise InvalidPlanError(told + "write a smaller one.")
    return int(digits)
