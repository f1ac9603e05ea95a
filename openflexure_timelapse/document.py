"""The strict, frozen base of every document that a person writes as JSON.

Unknown fields are refused with the nearest known name, numbers must be numbers, and
every complaint comes back as one of our errors with a sentence per field.
"""

import difflib
import json
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Type, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from openflexure_timelapse.errors import InvalidRequestError

__all__ = ["Document", "listed", "parse"]

LONGEST_SHOWN = 40
MOST_TOLD = 5
WHOLE = "(whole)"

# Our wording for pydantic's complaints: the same sentence with every version of it,
# in words that need no programmer. What is not listed keeps pydantic's own.
EXAMPLE_TIME = "2026-03-01T09:30:00+01:00"
WORDING = {
    "greater_than_equal": "should be at least {ge}{unit}",
    "greater_than": "should be more than {gt}{unit}",
    "less_than_equal": "should be at most {le}{unit}",
    "less_than": "should be less than {lt}{unit}",
    "finite_number": "should be an ordinary number",
    "float_type": "should be a number",
    "int_type": "should be a whole number",
    "bool_type": "should be true or false",
    "string_type": "should be text in quotes",
    "string_too_short": "should not be empty",
    "string_too_long": "should have at most {max_length} characters",
    "too_long": "should have at most {max_length} entries",
    "tuple_type": "should be a list [...]",
    "model_type": "should be an object {{...}}",
    "literal_error": "should be {expected}",
    "datetime_type": f"should be a time such as {EXAMPLE_TIME!r}",
    "datetime_parsing": f"should be a time such as {EXAMPLE_TIME!r}",
    "datetime_from_date_parsing": f"should be a time such as {EXAMPLE_TIME!r}",
    "datetime_object_invalid": f"should be a time such as {EXAMPLE_TIME!r}",
}
COUNTED = ("string_too_long", "too_long")
UNITS = {"_s": "s", "_mb": "MB", "fps": "frames per second"}


class Document(BaseModel):
    """A frozen value with no room for misspelt fields."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
    )

    def to_json(self) -> Dict[str, Any]:
        """Return the document as JSON-able data, without fields left at default."""
        return dict(self.model_dump(mode="json", exclude_defaults=True))


AnyDocument = TypeVar("AnyDocument", bound=Document)


def parse(
    kind: Type[AnyDocument],
    data: Mapping[str, Any],
    error: Type[InvalidRequestError],
    noun: str,
) -> AnyDocument:
    """Check JSON-able `data` and return it as a document of `kind`.

    Parameters
    ----------
    kind : type
        The document class.
    data : mapping
        What ``json.loads`` gave.
    error : type
        The error to raise, for example ``InvalidPlanError``.
    noun : str
        How the message names the document, for example ``"plan"``.

    Raises
    ------
    InvalidRequestError
        Of the type `error`, with one entry per bad field.
    """
    if not isinstance(data, Mapping):
        message = f"The {noun} must be a JSON object, not {type(data).__name__}"
        raise error(f"{message}; write it as {{...}} with named fields.")
    text = _as_json(data, error, noun)
    try:
        return kind.model_validate_json(text)
    except ValidationError as exc:
        fields = [_complaint(kind, issue) for issue in exc.errors()]
        told = listed([_sentence(item["field"], item["reason"]) for item in fields])
        raise error(f"The {noun} is not valid: {told}.", fields) from exc


def listed(sentences: Sequence[str]) -> str:
    """Join what is wrong; more than a person reads at once is only counted."""
    told = list(sentences[:MOST_TOLD])
    if len(sentences) > MOST_TOLD:
        told.append(f"and {len(sentences) - MOST_TOLD} more")
    return "; ".join(told)


def _as_json(
    data: Mapping[str, Any], error: Type[InvalidRequestError], noun: str
) -> bytes:
    """Return `data` as JSON text, which pydantic then reads strictly."""
    try:
        return json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as exc:
        broken = exc.object[exc.start : exc.end]
        message = f"The {noun} holds broken text, {broken!r}; write it anew as UTF-8."
        raise error(message) from exc
    except (TypeError, ValueError) as exc:
        message = f"The {noun} is not JSON: {exc}; use text, numbers, lists, objects."
        raise error(message) from exc
    except RecursionError as exc:
        message = f"The {noun} is nested too deeply; write it without so many levels."
        raise error(message) from exc


def _sentence(field: str, reason: str) -> str:
    """Join a field's name and what is wrong with it."""
    if field == WHOLE:
        return reason
    joint = " " if reason.startswith(("should ", "is ")) else ": "
    return f"{field}{joint}{reason}"


def _complaint(kind: Type[Document], issue: Mapping[str, Any]) -> Dict[str, str]:
    """Turn one complaint of pydantic into a field name and our own wording."""
    place: Tuple[Any, ...] = tuple(issue["loc"])
    field = ".".join(str(part) for part in place) or WHOLE
    trouble, value = str(issue["type"]), issue.get("input")
    if trouble == "extra_forbidden":
        known = _known_names(kind, place[:-1])
        hint = _nearest(str(place[-1]), known) or f"known: {', '.join(known)}"
        return {"field": field, "reason": f"is not a known field; {hint}"}
    if trouble == "missing":
        return {"field": field, "reason": "is missing"}
    if trouble == "value_error":
        return {"field": field, "reason": str(issue["ctx"]["error"])}
    if trouble == "float_type" and _is_number(value):
        trouble = "finite_number"  # how pydantic 2.5 calls an enormous integer
    reason = str(issue["msg"]).replace("Input ", "", 1)
    if trouble in WORDING:
        limits = {key: _plain(item) for key, item in issue.get("ctx", {}).items()}
        reason = WORDING[trouble].format(unit=_unit(place), **limits)
    if trouble in COUNTED:
        return {"field": field, "reason": f"{reason} (it has {len(value or '')})"}
    return {"field": field, "reason": f"{reason} (it is {_shown(value)})"}


def _nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint at the likely meant one of `known`; empty when none is close."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"perhaps {close[0]!r} is meant" if close else ""


def _is_number(value: Any) -> bool:
    """Tell numbers from everything else; a truth value is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _plain(value: Any) -> str:
    """Return a limit without a needless ``.0``."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _unit(place: Tuple[Any, ...]) -> str:
    """Return the unit that a field's name carries, with a space before it."""
    name = str(place[-1]) if place else ""
    for suffix, unit in UNITS.items():
        if name.endswith(suffix):
            return f" {unit}"
    return ""


def _known_names(kind: Type[Document], place: Tuple[Any, ...]) -> List[str]:
    """Return the field names of the document at `place` below `kind`."""
    current: Any = kind
    for part in place:
        if isinstance(part, int):
            continue
        info = current.model_fields.get(part)
        inner = None if info is None else _document_in(info.annotation)
        if inner is None:
            return sorted(current.model_fields)
        current = inner
    return sorted(current.model_fields)


def _document_in(annotation: Any) -> Any:
    """Find the document class inside ``Optional[...]`` or ``Tuple[...]``."""
    if isinstance(annotation, type) and issubclass(annotation, Document):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _document_in(argument)
        if found is not None:
            return found
    return None


def _shown(value: Any) -> str:
    """Return a short picture of a bad value, as it was written in JSON."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."
