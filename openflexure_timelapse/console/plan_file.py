"""A plan, or another document, as a person wrote it into a file."""

from pathlib import Path
from typing import Any, Dict, Type

from openflexure_timelapse.errors import (
    InvalidPlanError,
    InvalidRequestError,
    NotFoundError,
)
from openflexure_timelapse.json_text import read_object

__all__ = ["read_plan", "read_written"]


def read_plan(path: Path) -> Dict[str, Any]:
    """Return the plan in a file; its rules are checked later.

    Raises
    ------
    NotFoundError
        When the file cannot be read.
    InvalidPlanError
        When it is not JSON, or names a field twice.
    """
    return read_written(path, "plan", InvalidPlanError)


def read_written(
    path: Path, noun: str, error: Type[InvalidRequestError]
) -> Dict[str, Any]:
    """Return the JSON object in a file; its rules are checked later.

    Parameters
    ----------
    path : Path
        Of the file.
    noun : str
        What it is.
    error : type
        Raised when it is not JSON, or names a field twice.

    Raises
    ------
    NotFoundError
        When the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        told = f"The {noun} {path} cannot be read ({exc.strerror}); check its name."
        raise NotFoundError(told) from exc
    except ValueError as exc:
        told = f"The {noun} {path} is not JSON: {exc}; compare it with the README's."
        raise error(told) from exc
    return read_object(text, f"The {noun} {path}", error)
