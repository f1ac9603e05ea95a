"""What one visit is asked to do."""

from dataclasses import dataclass
from typing import Optional

from openflexure_timelapse.ports import StagePosition

__all__ = ["Task"]


@dataclass(frozen=True)
class Task:
    """What one visit is asked to do.

    Attributes
    ----------
    slot, position : int, str
        For the records.
    target : StagePosition or None
        Where to go; None to stay (then z moves only for focus and planes).
    due_ns, interval_ns : int
        When the slot was due, and how long after it the next one is.
    origin_ns : int
        The monotonic time of the grid's origin.
    late : bool
        Whether the schedule calls the slot late.
    focus_due, drift_due : bool
        Whether this visit focuses, and follows drift.
    """

    slot: int
    position: str
    target: Optional[StagePosition]
    due_ns: int
    interval_ns: int
    origin_ns: int
    late: bool
    focus_due: bool
    drift_due: bool
