"""What a plan will take, before anything moves: pure arithmetic."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from openflexure_timelapse.forecast import Forecast
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import CameraInfo, StageInfo, StagePosition
from openflexure_timelapse.schedule import NS_PER_S, Grid, grid_of

__all__ = ["Estimate", "estimate"]

BYTES_PER_MB = 1_000_000
PREVIEWS_PER_SWEEP = 25
PREVIEW_S = 0.1
TRAVELS_PER_SWEEP = 3
S_PER_DAY = 86_400
LONG_MOVIE_S = 600


@dataclass(frozen=True)
class Estimate:
    """What a plan will take.

    Attributes
    ----------
    slots, frames, stored_bytes : int or None
        None for a plan that runs until it is stopped.
    ends_in_s : float or None
        From now to the end of the last slot's interval.
    slot_s, focus_slot_s : float
        How long the visits of a slot take, and those of a slot with focus.
    free_bytes : int
        At present.
    slots_that_fit : int
        Before the disk is so full that the run pauses.
    warnings : tuple of str
        Sentences for people.
    """

    slots: Optional[int]
    frames: Optional[int]
    stored_bytes: Optional[int]
    ends_in_s: Optional[float]
    slot_s: float
    focus_slot_s: float
    free_bytes: int
    slots_that_fit: int
    warnings: Tuple[str, ...]

    def to_json(self) -> Dict[str, Any]:
        """Return every field."""
        return {**vars(self), "warnings": list(self.warnings)}


def estimate(
    plan: Plan,
    camera: CameraInfo,
    stage: StageInfo,
    *,
    free_bytes: int,
    starts_in_ns: int,
) -> Estimate:
    """Estimate time and space.

    Parameters
    ----------
    plan : Plan
        Already valid.
    camera, stage : CameraInfo, StageInfo
        The instrument's usual times and sizes.
    free_bytes : int
        On the disk of the data folder.
    starts_in_ns : int
        From now to slot 0.
    """
    grid = grid_of(plan)
    per_slot = len(plan.position_names()) * plan.planes.count
    forecast = Forecast(per_slot, camera.frame_bytes(plan.camera_mode))
    slots = grid.slots
    slot_s = _slot_s(plan, camera, stage)
    focus_slot_s = slot_s + _focus_s(plan, stage) * len(plan.position_names())
    fit = forecast.slots_left(free_bytes, plan.keep_free_mb * BYTES_PER_MB)
    warnings = [
        *_warn_of_time(plan, slot_s, focus_slot_s),
        *_warn_of_space(grid, fit, slots),
        *_warn_of_movie(plan, slots),
    ]
    ends_in_s: Optional[float] = None
    if grid.end_ns is not None:
        ends_in_s = (starts_in_ns + grid.end_ns) / NS_PER_S
    return Estimate(
        slots=slots,
        frames=None if slots is None else slots * per_slot,
        stored_bytes=None if slots is None else slots * forecast.slot_bytes,
        ends_in_s=ends_in_s,
        slot_s=round(slot_s, 2),
        focus_slot_s=round(focus_slot_s, 2),
        free_bytes=free_bytes,
        slots_that_fit=fit,
        warnings=tuple(warnings),
    )


def _slot_s(plan: Plan, camera: CameraInfo, stage: StageInfo) -> float:
    """Return how long the visits of one slot take without focus."""
    planes = plan.planes
    per_visit_s = planes.count * (camera.capture_s + plan.settle_s)
    if planes.count > 1:
        per_visit_s += 2 * planes.step * planes.count / stage.steps_per_s
    places = [StagePosition(place.x, place.y, place.z) for place in plan.positions]
    travel_s = 0.0
    if places:
        for start, end in zip([places[-1], *places], places):
            travel_s += _steps(start, end) / stage.steps_per_s
    return len(plan.position_names()) * per_visit_s + travel_s


def _steps(start: StagePosition, end: StagePosition) -> int:
    """Return the steps of the axis that takes longest."""
    return max(abs(end.x - start.x), abs(end.y - start.y), abs(end.z - start.z))


def _focus_s(plan: Plan, stage: StageInfo) -> float:
    """Return how long one focus sweep takes."""
    if plan.autofocus is None:
        return 0.0
    travel_s = TRAVELS_PER_SWEEP * plan.autofocus.range / stage.steps_per_s
    return travel_s + PREVIEWS_PER_SWEEP * PREVIEW_S


def _warn_of_time(plan: Plan, slot_s: float, focus_slot_s: float) -> List[str]:
    """Warn when the visits do not fit into the interval."""
    shortest_s = min(phase.interval_s for phase in plan.all_phases())
    if slot_s > shortest_s:
        told = f"Each slot takes about {slot_s:.1f} s, longer than {shortest_s:g} s; "
        return [told + "use a longer interval, fewer positions or fewer planes."]
    if focus_slot_s > shortest_s:
        told = f"A slot with focus takes about {focus_slot_s:.1f} s, longer than the "
        return [told + f"interval of {shortest_s:g} s; the next slot will be late."]
    return []


def _warn_of_space(grid: Grid, fit: int, slots: Optional[int]) -> List[str]:
    """Warn when the disk is full before the run ends."""
    if slots is not None and fit >= slots:
        return []
    in_ns = grid.due_ns(min(fit, (slots or fit + 1) - 1))
    days = in_ns / NS_PER_S / S_PER_DAY
    when = f"{days:.1f} days" if days >= 1 else f"{days * 24:.1f} hours"
    told = f"The disk has room for about {fit} slots, that is {when}; "
    return [told + "the run will then pause until there is room."]


def _warn_of_movie(plan: Plan, slots: Optional[int]) -> List[str]:
    """Warn of a movie that nobody wants to watch to its end."""
    if plan.movie is None or slots is None:
        return []
    plays_s = slots / plan.movie.fps
    if plays_s > LONG_MOVIE_S:
        told = f"The movie will play for {plays_s / 60:.0f} minutes; "
        return [told + "raise its fps for a shorter one."]
    return []
