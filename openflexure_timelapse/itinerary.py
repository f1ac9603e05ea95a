"""Which visits a slot consists of, and what they add up to: decides, does nothing."""

from typing import Container, List, Optional, Sequence, Tuple

from openflexure_timelapse.frame import Frame, Outcome, Reason, Slot, Visit
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.schedule import Capture, Grid, is_late
from openflexure_timelapse.task import Task

__all__ = ["half_done", "not_made", "slot_of", "tasks_of"]

WORST_LAST = (Outcome.CAPTURED, Outcome.LATE, Outcome.SKIPPED, Outcome.FAILED)


def tasks_of(
    plan: Plan, grid: Grid, capture: Capture, origin_ns: int, known: Container[str]
) -> List[Task]:
    """Return the visits of one slot, in the plan's order.

    Parameters
    ----------
    plan, grid
        Of the run.
    capture : Capture
        The schedule's decision.
    origin_ns : int
        The monotonic time of the grid's origin.
    known : container of str
        Positions that were visited to the end before; others focus and set their drift
        reference whatever the slot.
    """
    focus, drift = plan.autofocus, plan.drift_correction
    slot = capture.slot
    return [
        Task(
            slot=slot,
            position=name,
            target=target,
            due_ns=capture.due_ns,
            interval_ns=grid.interval_at(slot),
            origin_ns=origin_ns,
            late=capture.late,
            focus_due=focus is not None and (_due(slot, focus.every, name, known)),
            drift_due=drift is not None and (_due(slot, drift.every, name, known)),
        )
        for name, target in _places(plan)
    ]


def _due(slot: int, every: int, name: str, known: Container[str]) -> bool:
    """Tell whether something that is done every so many slots is due."""
    return name not in known or slot % every == 0


def _places(plan: Plan) -> Sequence[Tuple[str, Optional[StagePosition]]]:
    """Return the names and places to visit; a plan that stays has no place."""
    if not plan.positions:
        return [(name, None) for name in plan.position_names()]
    return [
        (place.name, StagePosition(place.x, place.y, place.z))
        for place in plan.positions
    ]


def not_made(task: Task, reason: Reason) -> Visit:
    """Return the record of a visit that its slot had no chance for."""
    return Visit(task.slot, task.position, Outcome.SKIPPED, reason, "", 0, 0)


def slot_of(visits: Sequence[Visit], capture: Capture) -> Slot:
    """Return the slot's one outcome: that of its worst visit.

    Parameters
    ----------
    visits : sequence of Visit
        At least one.
    capture : Capture
        The schedule's decision that led to them.
    """
    return _worst(visits, capture.slot, capture.lateness_ns)


def _worst(visits: Sequence[Visit], slot: int, lateness_ns: int) -> Slot:
    """Return a slot's outcome from those of its visits."""
    worst = max(visits, key=lambda visit: WORST_LAST.index(visit.outcome))
    told = [
        f"{visit.position}: {visit.detail or visit.outcome.value}"
        for visit in visits
        if visit.outcome in (Outcome.SKIPPED, Outcome.FAILED)
    ]
    detail = worst.detail if len(visits) == 1 else "; ".join(told)
    return Slot(slot, slot, worst.outcome, worst.reason, detail, lateness_ns)


def half_done(
    plan: Plan, grid: Grid, frames: Sequence[Frame]
) -> Tuple[List[Visit], Slot, int]:
    """Return what became of a slot whose process was lost before its end.

    How late it was begun is told by its first exposure, which came a little after.

    Parameters
    ----------
    plan, grid
        Of the run.
    frames : sequence of Frame
        Of the slot, at least one.

    Returns
    -------
    visits : list of Visit
        One for each position.
    slot : Slot
        The outcome.
    shift_ns : int
        By how much the rest of the grid has moved.
    """
    draft = frames[0].draft
    slot, wanted = draft.slot, plan.planes.count
    late_ns = max(0, min(each.draft.elapsed_ns for each in frames) - draft.due_ns)
    late = is_late(grid, slot, late_ns)
    shift_ns = draft.due_ns - grid.due_ns(slot)
    if late and plan.late == "shift":
        shift_ns += late_ns
    visits = []
    for name in plan.position_names():
        own = [each.draft for each in frames if each.draft.position == name]
        outcome, reason, detail = Outcome.CAPTURED, None, ""
        if len(own) < wanted:
            outcome, reason = Outcome.FAILED, Reason.INTERRUPTED
            detail = f"interrupted after {len(own)} of {wanted} frames"
        elif late:
            outcome, reason = Outcome.LATE, Reason.OVERDUE
        first_ns = min((each.elapsed_ns for each in own), default=draft.due_ns)
        own_late_ns = max(0, first_ns - draft.due_ns)
        visits.append(Visit(slot, name, outcome, reason, detail, own_late_ns, 0))
    return visits, _worst(visits, slot, late_ns), shift_ns
