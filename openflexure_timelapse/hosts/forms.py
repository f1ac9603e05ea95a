"""What the forms of the microscope's web app show and post.

Such a form posts every field: null for one that is empty, 0 or false, text for many
numbers, and ``"undefined": null`` for what has no name. It has no check box.
"""

import re
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type

from openflexure_timelapse.document import Document
from openflexure_timelapse.errors import InvalidPlanError
from openflexure_timelapse.formats import FORMAT_NAMES
from openflexure_timelapse.plan import Plan

__all__ = ["plan_of_form", "start_form", "tidied"]

NUMBER = re.compile(r"\s*-?[0-9]{1,15}(\.[0-9]{1,15})?\s*\Z")
UNNAMED = "undefined"

FOCUS: Mapping[str, Optional[Dict[str, Any]]] = {
    "Never": None,
    "In every slot": {"every": 1},
    "In every 10th slot": {"every": 10},
}
EXPOSURE = {"Locked": "lock", "Automatic": "auto"}
MOVIE: Mapping[str, Optional[Dict[str, Any]]] = {
    "MP4": {"format": "mp4"},
    "GIF": {"format": "gif"},
    "WebM": {"format": "webm"},
    "WebP": {"format": "webp"},
    "None": None,
}
FIRST = {
    "name": "time-lapse",
    "interval_s": 30,
    "frames": 120,
    "focus": "Never",
    "exposure": "Locked",
    "movie": "MP4",
}
FIELDS = tuple(FIRST)


def tidied(kind: Type[Document], data: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what was meant by a document that a form may have posted.

    Parameters
    ----------
    kind : type
        The document's class: null stays where it may be, a number in text becomes one
        where a number is due. Everything else is left for the class to refuse.
    data : mapping
        JSON-able.
    """
    meant: Dict[str, Any] = {}
    for name, value in data.items():
        field = kind.model_fields.get(name)
        may_be = () if field is None else _types(field.annotation)
        if value is None and (name == UNNAMED or (may_be and NoneType not in may_be)):
            continue
        is_number = isinstance(value, str) and NUMBER.match(value)
        meant[name] = _number(value, may_be) if is_number else value
    return meant


NoneType = type(None)


def _types(annotation: Any) -> Tuple[Any, ...]:
    """Return the types that an annotation allows."""
    return tuple(getattr(annotation, "__args__", ())) or (annotation,)


def _number(text: str, may_be: Tuple[Any, ...]) -> Any:
    """Return the number in `text` if one is due, else the text."""
    if str in may_be:
        return text
    if float in may_be:
        return float(text)
    if int in may_be:
        return float(text) if "." in text else int(text)
    return text


def plan_of_form(data: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the plan that the short form asks for; its values are checked later.

    Parameters
    ----------
    data : mapping
        As posted: ``name``, ``interval_s``, ``frames`` (empty or 0: until stopped),
        ``focus``, ``exposure``, ``movie``.

    Raises
    ------
    InvalidPlanError
        For an unknown field, and for a choice that the form does not offer.
    """
    given = {
        name: value
        for name, value in data.items()
        if not (name == UNNAMED and value is None)
    }
    unknown = [name for name in given if name not in FIELDS]
    if unknown:
        reason = f"is not a field of the form; it has: {', '.join(FIELDS)}"
        _refuse(unknown[0], reason)
    plan: Dict[str, Any] = tidied(
        Plan, {name: given.get(name) for name in ("name", "interval_s", "frames")}
    )
    plan.setdefault("name", FIRST["name"])
    if plan.get("frames") == 0:
        plan["frames"] = None
    plan["autofocus"] = _chosen("focus", FOCUS, given)
    plan["exposure"] = _chosen("exposure", EXPOSURE, given)
    plan["movie"] = _chosen("movie", MOVIE, given)
    return plan


def _chosen(name: str, offered: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """Return what a choice stands for; what the form shows first when it is empty."""
    choice = given.get(name)
    key = str(FIRST[name] if choice is None else choice)
    if key not in offered:
        _refuse(name, f"should be {' or '.join(offered)} (it is {key!r:.40})")
    return offered[key]


def _refuse(field: str, reason: str) -> None:
    """Refuse a form for one field."""
    told = f"The form is not valid: {field} {reason}."
    raise InvalidPlanError(told, [{"field": field, "reason": reason}])


def start_form(plan: Optional[Plan]) -> List[Dict[str, Any]]:
    """Return the fields of the short form, in the web app's words.

    Parameters
    ----------
    plan : Plan or None
        Whose values are shown before anything is typed; None for the form's own.
    """
    shown = dict(FIRST) if plan is None else _form_of_plan(plan)
    return [
        _field("textInput", "name", "Name", shown),
        _field("numberInput", "interval_s", "Interval (s)", shown, min=0.05, step=0.05),
        _field(
            "numberInput",
            "frames",
            "Number of time points (empty: until stopped)",
            shown,
            min=0,
            step=1,
        ),
        _field("selectList", "focus", "Autofocus", shown, options=list(FOCUS)),
        _field("selectList", "exposure", "Exposure", shown, options=list(EXPOSURE)),
        _field("selectList", "movie", "Movie", shown, options=list(MOVIE)),
    ]


def _field(
    kind: str, name: str, label: str, shown: Mapping[str, Any], **more: Any
) -> Dict[str, Any]:
    """Return one field; its value is a default, which what was typed survives."""
    field = {"fieldType": kind, "name": name, "label": label, **more}
    if shown[name] is not None:
        field["default"] = shown[name]
    return field


def _form_of_plan(plan: Plan) -> Dict[str, Any]:
    """Return the form's values for a plan; of what it cannot say, the nearest."""
    phase = plan.all_phases()[0]
    focus = "Never"
    if plan.autofocus is not None:
        focus = "In every slot" if plan.autofocus.every == 1 else "In every 10th slot"
    return {
        "name": plan.name,
        "interval_s": phase.interval_s,
        "frames": phase.frames,
        "focus": focus,
        "exposure": next(key for key, v in EXPOSURE.items() if v == plan.exposure),
        "movie": _form_of_movie(plan),
    }


def _form_of_movie(plan: Plan) -> str:
    """Return the choice for a plan's movie; MP4 for what the form does not offer."""
    if plan.movie is None:
        return "None"
    name = FORMAT_NAMES[plan.movie.format]
    return name if name in MOVIE else "MP4"
