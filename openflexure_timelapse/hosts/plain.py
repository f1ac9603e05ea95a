"""What a server tells of its hardware, as plain data that fit into a frame. Pure."""

import math
from numbers import Integral, Real
from typing import Any, Mapping

__all__ = ["LEFT_OUT", "LONGEST_TEXT", "plain"]

LONGEST_LIST = 64
LONGEST_TEXT = 1000
DEEPEST = 8
LEFT_OUT = "left out: too large"


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON-able data, what is large in it left out.

    Parameters
    ----------
    value : object
        Of JSON's own types, numpy's, fractions and UUIDs; of anything else only the
        name of its type is told.
    depth : int
        How deeply it is nested already.
    """
    if value is None or isinstance(value, (bool, str)):
        too_long = isinstance(value, str) and len(value) > LONGEST_TEXT
        return LEFT_OUT if too_long else value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else None
    if hasattr(value, "tolist") and getattr(value, "size", 0) <= LONGEST_LIST:
        return plain(value.tolist(), depth + 1)
    return _plain_whole(value, depth)


def _plain_whole(value: Any, depth: int) -> Any:
    """Return a container as JSON-able data; of what is none only what it is."""
    if isinstance(value, Mapping) and depth < DEEPEST:
        return {str(key): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)) and depth < DEEPEST:
        if len(value) > LONGEST_LIST:
            return LEFT_OUT
        return [plain(inner, depth + 1) for inner in value]
    if type(value).__name__ == "UUID":
        return str(value)
    return f"left out: {type(value).__name__}"
