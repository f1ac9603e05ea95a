"""The verbs that show a run at a glance: positions, timeline, visits, curves.

What comes back is as large as was asked for, whatever the length of the run.
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence

from openflexure_timelapse.errors import InvalidRequestError
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.hosts.library import Library, checked_limit
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.ports import Clock
from openflexure_timelapse.schedule import grid_of
from openflexure_timelapse.status import local_time
from openflexure_timelapse.store.overview import MadeVisit, Point
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["RunOverview"]

NS_PER_MS = 1_000_000
CURVES = ("focus", "drift", "lateness")


class RunOverview:
    """Shows runs at a glance.

    Parameters
    ----------
    library : Library
        Opens the runs.
    clock : Clock
        Knows the local zone.
    """

    def __init__(self, library: Library, clock: Clock) -> None:
        self._library = library
        self._clock = clock

    def positions(self, run_id: str) -> Dict[str, Any]:
        """Return the plan's positions in order, with frames and the newest frame."""
        with self._library.open_read(run_id) as store:
            names = _plan(store).position_names()
            told = [self._position(store, name, len(names)) for name in names]
        return {"positions": told}

    def _position(self, store: RunStore, name: str, positions: int) -> Dict[str, Any]:
        """Return one of them; that of a run with one position needs no count."""
        frames = store.totals().frames
        if positions > 1:
            frames = store.overview.count_frames(name)
        return {
            "name": name,
            "frames": frames,
            "last": self._brief(store.last_frame(name)),
        }

    def _brief(self, frame: Optional[Frame]) -> Optional[Dict[str, Any]]:
        """Return what a position tells of its newest frame; None without one."""
        if frame is None:
            return None
        draft = frame.draft
        time = local_time(self._clock, draft.wall_ns)
        return {"n": frame.n, "slot": draft.slot, "time": time, "z": draft.z}

    def timeline(self, run_id: str, bins: int) -> Dict[str, Any]:
        """Return how many slots of the run ended how, along its slots.

        Parameters
        ----------
        bins : int
            At most so many stretches of equal length, 1 to 1000, up to the newest
            slot that has an outcome.
        """
        most = checked_limit(bins, "bins")
        with self._library.open_read(run_id) as store:
            slots = grid_of(_plan(store)).slots
            found = store.overview.timeline(most)
        told = [{"first": b.first, "last": b.last, **b.counts} for b in found]
        return {"slots": slots, "bins": told}

    def visits(
        self, run_id: str, after: int, limit: int, position: Optional[str] = None
    ) -> Dict[str, Any]:
        """Return a page of visits.

        ``focus`` and ``drift`` are the decisions as recorded, null when none was due.
        Focus has ``accepted``, ``z`` (steps; the height that was used), ``reason`` and,
        unless the sweep failed, ``peak_z``, ``gain``, ``last_good_z``, ``metric`` and
        ``samples`` ([z, sharpness] each). Drift has ``accepted``, ``reason`` and,
        unless the preview was cut short, ``move_steps`` ([x, y]), ``shift_px`` ([x, y])
        and ``response``. ``z`` and ``time`` are those of the visit's frame, of a
        stack's middle one; null for a visit without a frame.

        Parameters
        ----------
        after, limit : int
            The last ``n`` of the page before, and how many, 1 to 1000.
        position : str or None
            Only of this position; None for all.
        """
        limit = checked_limit(limit)
        with self._library.open_read(run_id) as store:
            plan = _plan(store)
            _check_position(plan, position)
            middle = plan.planes.count // 2
            page = store.overview.visits(after, limit, middle, position)
        return {"visits": [self._visit(made) for made in page]}

    def _visit(self, made: MadeVisit) -> Dict[str, Any]:
        """Return one visit."""
        visit, wall_ns = made.visit, made.wall_ns
        return {
            "n": made.n,
            "slot": visit.slot,
            "position": visit.position,
            "outcome": visit.outcome.value,
            "reason": None if visit.reason is None else visit.reason.value,
            "detail": visit.detail,
            "lateness_ns": visit.lateness_ns,
            "z": made.z,
            "focus": None if visit.focus is None else dict(visit.focus),
            "drift": None if visit.drift is None else dict(visit.drift),
            "time": None if wall_ns is None else local_time(self._clock, wall_ns),
        }

    def series(self, run_id: str, what: str, points: int) -> Dict[str, Any]:
        """Return a curve along the slots, for each position.

        ``points`` where the run has one position; else ``series``, a list of
        ``position`` and ``points`` in the plan's order. A point of ``focus`` is
        [slot, z in steps], of ``drift`` [slot, x, y] (steps from where the position's
        first frame was taken), of ``lateness`` [slot, ms]. Of each stretch of slots
        the first is shown, of lateness the largest.

        Parameters
        ----------
        what : str
            ``focus``, ``drift`` or ``lateness``.
        points : int
            At most so many for a position, 1 to 1000.

        Raises
        ------
        InvalidRequestError
            For any other curve, or number of points.
        """
        most = checked_limit(points, "points")
        if what not in CURVES:
            known = ", ".join(CURVES)
            told = f"what {what[:40]!r} is not known; ask for one of: {known}."
            raise InvalidRequestError(told, [{"field": "what", "reason": told}])
        with self._library.open_read(run_id) as store:
            plan = _plan(store)
            curves = _curves(store, plan, what, most)
        told_curves = [
            {"position": name, "points": [list(point) for point in curves[name]]}
            for name in plan.position_names()
        ]
        if len(told_curves) == 1:
            return {"points": told_curves[0]["points"]}
        return {"series": told_curves}


def _curves(
    store: RunStore, plan: Plan, what: str, most: int
) -> Mapping[str, Sequence[Point]]:
    """Return the points by position."""
    names, look = plan.position_names(), store.overview
    found: Dict[str, List[Point]] = {name: [] for name in names}
    if what == "lateness":
        for name, points in look.lateness_ns(most).items():
            found[name] = [(slot, round(ns / NS_PER_MS, 3)) for slot, ns in points]
    elif what == "focus" and plan.autofocus is not None:
        found.update({name: look.focus(name, most) for name in names})
    elif what == "drift" and plan.drift_correction is not None:
        found.update({name: look.drift(name, most) for name in names})
    return found


def _plan(store: RunStore) -> Plan:
    """Return the plan of a run."""
    return parse_plan(store.header["plan"])


def _check_position(plan: Plan, position: Optional[str]) -> None:
    """Refuse a position that the run does not have."""
    names = plan.position_names()
    if position is not None and position not in names:
        known = ", ".join(names)
        told = f"There is no position {position!r}; the run has: {known}."
        raise InvalidRequestError(told, [{"field": "position", "reason": told}])
