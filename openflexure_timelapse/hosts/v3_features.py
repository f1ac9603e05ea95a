"""What a Thing of server v3 offers, found out by asking its class. Touches no hardware.

A property of an instance may wait for a frame of the camera, or fail because the server
does not run yet; its class always answers.
"""

import enum
import inspect
import typing
from typing import Any, Callable, Iterator, Mapping, Optional, Tuple

from openflexure_timelapse.hosts.v3_protocols import ALL_AXES

__all__ = [
    "accepts",
    "is_simulated",
    "missing_features",
    "name_of",
    "offers",
    "whole_compensation",
]

SIMULATIONS = frozenset({"DummyStage", "SimulatedCamera", "SimulatedStage"})
"""Classes without hardware: the server's own, and the simulated server's."""

NEEDED: Mapping[str, Tuple[Tuple[str, ...], ...]] = {
    "camera": (
        ("capture_and_save_to_path",),
        ("capture_to_memory", "save_from_memory"),
        ("grab_jpeg",),
    ),
    "stage": (("position", "move_absolute"),),
}
"""By the role of a Thing: the sets of features of which it must offer one whole."""


def offers(thing: Any, *names: str) -> bool:
    """Tell whether a Thing has all of these properties and actions."""
    own = getattr(thing, "__dict__", {})
    return all(hasattr(type(thing), name) or name in own for name in names)


def accepts(thing: Any, action: str, parameter: str) -> bool:
    """Tell whether an action has a parameter of that name."""
    function = _function_of(thing, action)
    return function is not None and parameter in inspect.signature(function).parameters


def whole_compensation(thing: Any, action: str) -> Any:
    """Return what an action wants to hear so that it takes up the play of all axes.

    The member ``ALL_AXES`` of the enum that its annotation names, since an action that
    is called from Python converts nothing; the number where it names none.
    """
    function = _function_of(thing, action)
    for kind in _enums_of(function, "backlash_compensation"):
        if "ALL_AXES" in kind.__members__:
            return kind["ALL_AXES"]
    return ALL_AXES


def name_of(thing: Any, role: str) -> str:
    """Return the name of a Thing on its server; its role where it has none."""
    name = getattr(thing, "name", None)
    return name if isinstance(name, str) and name else role


def is_simulated(thing: Any) -> bool:
    """Tell whether a Thing is a simulation, the server's or one that says so."""
    names = {kind.__name__ for kind in type(thing).__mro__}
    return bool(names & SIMULATIONS) or getattr(thing, "simulated", False) is True


def missing_features(**things: Any) -> Tuple[str, ...]:
    """Return a sentence for each Thing that cannot do what a time-lapse needs.

    Parameters
    ----------
    **things
        By role: ``camera`` and ``stage``; None where the server has none.
    """
    told = (_missing(role, thing) for role, thing in things.items())
    return tuple(sentence for sentence in told if sentence)


def _missing(role: str, thing: Any) -> str:
    """Return the sentence for one Thing; empty when nothing is missing."""
    if thing is None:
        return (
            f"There is no {role}: name one for the time-lapse in the server's "
            "configuration, under thing_slots."
        )
    if any(offers(thing, *names) for names in NEEDED[role]):
        return ""
    wanted = "; or ".join(
        " and ".join(name for name in names if not offers(thing, name))
        for names in NEEDED[role]
    )
    return (
        f"The {role} {name_of(thing, role)!r} ({type(thing).__name__}) lacks {wanted}; "
        "update the microscope's server, or choose another one in its configuration."
    )


def _function_of(thing: Any, action: str) -> Optional[Callable[..., Any]]:
    """Return the plain function of an action or a method; None without one.

    An action of ``labthings_fastapi`` keeps its function as ``func``.
    """
    found = getattr(type(thing), action, None)
    if found is None:
        found = getattr(thing, "__dict__", {}).get(action)
    function = getattr(found, "func", found)
    return function if callable(function) else None


def _enums_of(
    function: Optional[Callable[..., Any]], parameter: str
) -> Iterator["type[enum.Enum]"]:
    """Yield the enums in the annotation of a parameter, which may be a string."""
    try:
        hint = typing.get_type_hints(function).get(parameter)
    except Exception:  # noqa: BLE001 - names that only a type checker knows
        return
    for kind in (hint, *getattr(hint, "__args__", ())):
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            yield kind
