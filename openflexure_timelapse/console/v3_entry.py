"""Our entry among the Things of a configuration: whose it is, and whether it is right.

labthings-fastapi ignores a misspelt key in silence. So what belongs to our own entry is
checked here, and nothing of anybody else's.
"""

import difflib
import json
from typing import Any, Mapping, Tuple

from openflexure_timelapse.errors import ConflictError, InvalidRequestError

__all__ = [
    "ARGUMENTS",
    "KEYS",
    "SLOTS",
    "check_entry",
    "check_only",
    "is_ours",
    "keep_foreign",
]

CLASS_KEYS = ("cls", "class")  # where both are given, the first counts
KEYS = ("class", "cls", "args", "kwargs", "thing_slots")
SLOTS = ("camera", "stage", "autofocus", "illumination", "neighbours")
"""Names of the Thing's slots, by which other Things are connected to it."""
ARGUMENTS = ("camera", "stage", "autofocus", "illumination", "data_folder")
"""Names of what the Thing's constructor takes."""


def is_ours(thing: Any, entry_point: str) -> bool:
    """Tell whether a Thing of a configuration is of our class.

    Parameters
    ----------
    thing : JSON
        ``"module:Class"``, or an object with it; a dot does for the colon.
    entry_point : str
        ``module:Class``.
    """
    named = _class_of(thing)
    return isinstance(named, str) and _dotted(named) == _dotted(entry_point)


def _class_of(thing: Any) -> Any:
    """Return the class that a Thing of a configuration names."""
    if not isinstance(thing, dict):
        return thing
    return next((thing[key] for key in CLASS_KEYS if key in thing), None)


def _dotted(named: str) -> str:
    """Return one of the two ways to write a class."""
    return named.replace(":", ".")


def keep_foreign(thing: Any, name: str, entry_point: str, where: str) -> None:
    """Refuse to touch another Thing that has our name.

    Raises
    ------
    ConflictError
        It says which class it has.
    """
    if is_ours(thing, entry_point):
        return
    if thing is None:
        told = f"{name} in {where} is null, which takes a Thing of this name out of "
        raise ConflictError(told + "the base; remove that line, then try again.")
    told = f"{name} in {where} is not the time-lapse: its class is "
    told += f"{json.dumps(_class_of(thing))}, not {entry_point}; "
    raise ConflictError(told + "it stays; give it another name, then try again.")


def check_only(
    things: Mapping[str, Any], name: str, entry_point: str, where: str
) -> None:
    """Refuse a time-lapse under another name: two would use the same camera.

    Parameters
    ----------
    things : mapping of str to JSON
        All Things of a configuration.
    name : str
        The one that may be ours.
    entry_point : str
        ``module:Class``.
    where : str
        Of the Things, for the message.

    Raises
    ------
    ConflictError
        It names the other one.
    """
    for other, thing in things.items():
        if other != name and is_ours(thing, entry_point):
            told = f"{other} in {where} is the time-lapse already, and two of them "
            told += "would use the same camera; keep it, or remove it and try again."
            raise ConflictError(told)


def check_entry(thing: Any, name: str, where: str) -> None:
    """Refuse keys of our entry that the server would ignore, or fail at.

    Parameters
    ----------
    thing : JSON
        Our entry.
    name : str
        Of the Thing.
    where : str
        Of the Things, for the message.

    Raises
    ------
    InvalidRequestError
        It tells the nearest key that is known.
    """
    if not isinstance(thing, dict):
        return
    at = f"{name} in {where}"
    _check_names(thing, KEYS, at)
    for key, known in (("kwargs", ARGUMENTS), ("thing_slots", SLOTS)):
        inside = thing.get(key, {})
        if not isinstance(inside, dict):
            told = f"{key} of {at} must be an object and is {json.dumps(inside)}; "
            raise InvalidRequestError(told + "correct it, then try again.")
        _check_names(inside, known, f"{key} of {at}")


def _check_names(found: Mapping[str, Any], known: Tuple[str, ...], at: str) -> None:
    """Refuse a name that is not known."""
    for name in found:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        meant = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
        told = f"{name!r} is not known in {at}, and would not have the effect that is "
        raise InvalidRequestError(f"{told}meant; correct it, then try again: {meant}")
