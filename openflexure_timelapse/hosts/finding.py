"""One thing that a check-up looked at."""

from dataclasses import dataclass
from typing import Any, Dict

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    topic : str
        What was looked at.
    level : {"good", "untried", "warning", "bad"}
        Whether a time-lapse works with it, nobody asked to try it, works with a
        drawback, or does not work.
    detail : str
        What was found, and for a warning or anything bad what to do.
    """

    topic: str
    level: str
    detail: str

    def to_json(self) -> Dict[str, Any]:
        """Return every field."""
        return dict(vars(self))
