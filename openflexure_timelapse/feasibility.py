"""Whether a plan can be run by this stage, beginning at this time."""

from datetime import datetime

from openflexure_timelapse.document import listed
from openflexure_timelapse.errors import InvalidPlanError, OutOfReachError
from openflexure_timelapse.plan import FARTHEST_START_S, HERE, Plan, PlanPosition
from openflexure_timelapse.ports import StageInfo, StagePosition

__all__ = ["check_reach", "check_start"]

NS_PER_S = 1_000_000_000


def check_start(plan: Plan, wall_ns: int) -> None:
    """Refuse a start that is past, or so far ahead that the clock must be wrong.

    Parameters
    ----------
    plan : Plan
        Any plan; only one with `Plan.start_at` can fail.
    wall_ns : int
        The time of day, as UTC nanoseconds since 1970.

    Raises
    ------
    InvalidPlanError
        With the field ``start_at``.
    """
    if plan.start_at is None:
        return
    now = datetime.fromtimestamp(wall_ns // NS_PER_S, plan.start_at.tzinfo)
    ahead_s = (plan.start_at - now).total_seconds()
    if 0 <= ahead_s <= FARTHEST_START_S:
        return
    trouble, advice = "is past", "choose a later time, or leave it out to start now"
    if ahead_s > 0:
        trouble = "is more than a year ahead"
        advice = "choose an earlier time, or set the microscope's clock"
    reason = f"{plan.start_at.isoformat()} {trouble} (it is {now.isoformat()} now); "
    fields = [{"field": "start_at", "reason": reason + advice}]
    message = f"The plan is not valid: start_at {reason}{advice}."
    raise InvalidPlanError(message, fields)


def check_reach(plan: Plan, stage: StageInfo, here: StagePosition) -> None:
    """Refuse positions and planes outside the stage's travel, before anything moves.

    Parameters
    ----------
    plan : Plan
        Any plan.
    stage : StageInfo
        Its limits; a stage without limits reaches everything.
    here : StagePosition
        Where the stage is, for a plan without positions.

    Raises
    ------
    OutOfReachError
        With one entry for each axis of each position that is out of reach.
    """
    if stage.lowest is None or stage.highest is None:
        return
    offsets = plan.planes.offsets()
    places = plan.positions or (PlanPosition(name=HERE, x=here.x, y=here.y, z=here.z),)
    fields = []
    for index, place in enumerate(places):
        for axis, spread in (("x", (0,)), ("y", (0,)), ("z", offsets)):
            wanted = getattr(place, axis)
            lowest, highest = getattr(stage.lowest, axis), getattr(stage.highest, axis)
            if lowest <= wanted + spread[0] and wanted + spread[-1] <= highest:
                continue
            reason = f"position {place.name!r} needs {axis} {wanted}"
            if len(spread) > 1:
                reason += f" with planes from {spread[0]:+d} to {spread[-1]:+d}"
            reason += f", the stage goes from {lowest} to {highest}"
            field = f"positions.{index}.{axis}" if plan.positions else "planes"
            fields.append({"field": field, "reason": reason})
    if fields:
        told = listed([item["reason"] for item in fields])
        message = f"The plan leaves the stage's reach: {told}; choose places inside."
        raise OutOfReachError(message, fields)
