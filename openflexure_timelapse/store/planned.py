"""What a run's header says that the run should have: its slots, the frames of each."""

from dataclasses import dataclass
from typing import Any, Mapping, Optional

from openflexure_timelapse.errors import InvalidPlanError
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.schedule import grid_of

__all__ = ["Planned", "planned"]


@dataclass(frozen=True)
class Planned:
    """What the plan of a run asks for.

    Attributes
    ----------
    slots : int or None
        Of the whole grid; None until stopped.
    frames_per_slot : int
        Positions times planes.
    """

    slots: Optional[int]
    frames_per_slot: int


def planned(header: Mapping[str, Any]) -> Optional[Planned]:
    """Return what the plan in a header asks for; None when it holds no whole plan."""
    try:
        plan = parse_plan(header["plan"])
    except (KeyError, InvalidPlanError):
        return None
    per_slot = len(plan.position_names()) * plan.planes.count
    return Planned(grid_of(plan).slots, per_slot)
