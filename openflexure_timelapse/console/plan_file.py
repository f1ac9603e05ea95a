"""A plan as a person wrote it into a file."""

from pathlib import Path
from typing import Any, Dict

from openflexure_timelapse.errors import InvalidPlanError, NotFoundError
from openflexure_timelapse.json_text import read_object

__all__ = ["read_plan"]


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
    except OSError as exc:
        told = f"The plan {path} cannot be read ({exc.strerror}); check its name."
        raise NotFoundError(told) from exc
    except ValueError as exc:
        told = f"The plan {path} is not JSON: {exc}; compare it with the README's."
        raise InvalidPlanError(told) from exc
    return read_object(text, f"The plan {path}", InvalidPlanError)
