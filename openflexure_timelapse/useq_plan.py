"""Plans as useq-schema ``MDASequence`` data, and back; pure, on plain JSON data.

useq counts in micrometres and joins phases in its own way: a later phase begins at
the *last* time point of the one before it, and leaves out its own first. Ours begins
where the earlier one ends. The time points of both sides are the same to the
nanosecond; only the numbers of frames per phase are written differently.

What useq has no place for (autofocus, light, the movie ...) travels in its
``metadata`` under our name. What a plan has no place for is refused.
"""

from datetime import timedelta
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from pydantic import TypeAdapter, ValidationError

from openflexure_timelapse.errors import InvalidPlanError
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.schedule import NS_PER_S, grid_of, seconds_to_ns

__all__ = ["from_useq", "to_useq"]

METADATA_KEY = "openflexure_timelapse"
DEFAULT_NAME = "useq sequence"
AXES = ("t", "p", "z")
CARRIED = frozenset(
    ("time_plan", "stage_positions", "z_plan", "metadata", "axis_order", "uid")
)
OURS_ONLY = ("interval_s", "frames", "duration_s", "phases", "positions", "planes")
WHOLE_NUMBER_TOLERANCE = 1e-6
LARGEST_NUMBER = 1e12  # neither a length nor a time; NaN fails the comparison, too

StepUm = Tuple[float, float, float]


def to_useq(plan: Plan, step_um: StepUm) -> Dict[str, Any]:
    """Return `plan` as the JSON data of an ``MDASequence``.

    Parameters
    ----------
    plan : Plan
        With an end.
    step_um : (float, float, float)
        Micrometres per step of x, y and z.

    Raises
    ------
    InvalidPlanError
        For a plan that runs until it is stopped: useq sequences end.
    """
    _check_steps(step_um)
    rest = {key: value for key, value in plan.to_json().items() if key not in OURS_ONLY}
    phases = _useq_phases(plan)
    sequence: Dict[str, Any] = {
        "axis_order": list(AXES),
        "metadata": {METADATA_KEY: rest},
        "time_plan": phases[0] if len(phases) == 1 else {"phases": phases},
        "stage_positions": [
            {
                "name": position.name,
                "x": position.x * step_um[0],
                "y": position.y * step_um[1],
                "z": position.z * step_um[2],
            }
            for position in plan.positions
        ],
    }
    if plan.planes.count > 1:
        step = plan.planes.step * step_um[2]
        sequence["z_plan"] = {"range": step * (plan.planes.count - 1), "step": step}
    return sequence


def from_useq(data: Mapping[str, Any], step_um: StepUm) -> Plan:
    """Return the plan that does what the ``MDASequence`` in `data` asks for.

    Positions and planes are rounded to whole steps.

    Parameters
    ----------
    data : mapping
        The JSON data of an ``MDASequence``.
    step_um : (float, float, float)
        Micrometres per step of x, y and z.

    Raises
    ------
    InvalidPlanError
        When the sequence asks for something that a plan cannot carry.
    """
    _check_steps(step_um)
    if not isinstance(data, Mapping):
        raise _refusal(f"it is not a JSON object but {type(data).__name__}")
    for field in sorted(set(data) - CARRIED):
        if data[field]:
            raise _refusal(f"a plan has no place for {field!r}; leave it out")
    _check_order(data)
    metadata = _mapping(data.get("metadata"))
    plan: Dict[str, Any] = {"name": str(metadata.get("name") or DEFAULT_NAME)}
    plan.update(_mapping(metadata.get(METADATA_KEY)))
    phases = _our_phases(data.get("time_plan"))
    plan.update(phases[0] if len(phases) == 1 else {"phases": phases})
    plan["positions"] = _our_positions(data.get("stage_positions") or [], step_um)
    plan["planes"] = _our_planes(data.get("z_plan"), step_um[2])
    return parse_plan(plan)


# ------------------------------------------------------------------------------ time


def _useq_phases(plan: Plan) -> List[Dict[str, Any]]:
    """Write the grid as phases that share their ends, as useq joins them."""
    grid = grid_of(plan)
    phases: List[Dict[str, Any]] = []
    for index, phase in enumerate(grid.phases):
        if phase.slots is None:
            message = "A useq sequence must end; give the plan frames or duration_s."
            raise InvalidPlanError(message)
        # Up to and including the first time point of the next phase, which useq
        # shares; for an odd duration that one is not on this phase's interval.
        loops, rest_ns = phase.slots, 0
        if index + 1 < len(grid.phases):
            span_ns = grid.phases[index + 1].start_ns - phase.start_ns
            rest_ns = span_ns - (phase.slots - 1) * phase.interval_ns
            if rest_ns == phase.interval_ns:
                loops, rest_ns = loops + 1, 0
        phases.append({"interval": phase.interval_ns / NS_PER_S, "loops": loops})
        if rest_ns:
            phases.append({"interval": rest_ns / NS_PER_S, "loops": 2})
    return phases


def _our_phases(time_plan: Any) -> List[Dict[str, Any]]:
    """Read any of useq's time plans as phases that are laid end to end."""
    if isinstance(time_plan, Mapping) and "phases" in time_plan:
        time_plan = time_plan["phases"]
    parts = time_plan if isinstance(time_plan, (list, tuple)) else [time_plan]
    if not any(parts):
        raise _refusal("it has no time plan; give interval and loops")
    loops = [_interval_and_loops(part) for part in parts]
    phases = []
    for index, (interval_s, count) in enumerate(loops):
        # The last time point of each phase but the last one opens the next phase.
        frames = count if index == len(loops) - 1 else count - 1
        if frames:
            phases.append({"interval_s": interval_s, "frames": frames})
    return phases


def _interval_and_loops(part: Any) -> Tuple[float, int]:
    """Return interval in seconds and number of time points of one useq phase."""
    known = ("interval", "loops", "duration")
    given = part if isinstance(part, Mapping) else {}
    values = {key: given[key] for key in known if given.get(key) is not None}
    loops = values.get("loops")
    bad_loops = not isinstance(loops, int) or isinstance(loops, bool) or loops < 1
    if len(values) != 2 or ("loops" in values and bad_loops):  # noqa: PLR2004
        raise _refusal(f"its time plan {part!r} needs two of interval, loops, duration")
    if "duration" not in values:
        return _seconds(values["interval"]), int(values["loops"])
    duration_s = _seconds(values["duration"])
    if "loops" in values:
        return duration_s / max(1, values["loops"] - 1), int(values["loops"])
    interval_s = _seconds(values["interval"])
    interval_ns = seconds_to_ns(interval_s)
    if interval_ns <= 0:
        raise _refusal(f"its interval is {interval_s} s; give more than 0")
    # useq counts both ends.
    return interval_s, seconds_to_ns(duration_s) // interval_ns + 1


def _seconds(value: Any) -> float:
    """Return a length of time in any of useq's spellings, in seconds."""
    number = _number(value)
    if number is not None:
        return number
    try:
        if isinstance(value, Mapping):
            return timedelta(**value).total_seconds()
        return TypeAdapter(timedelta).validate_python(value).total_seconds()
    except (ValidationError, TypeError, ValueError, OverflowError) as exc:
        raise _refusal(f"{value!r} is no length of time; give seconds") from exc


# ----------------------------------------------------------------------------- space


def _our_positions(positions: Any, step_um: StepUm) -> List[Dict[str, Any]]:
    """Read useq's stage positions as named positions in steps."""
    if not isinstance(positions, (list, tuple)):
        raise _refusal("its stage_positions are not a plain list; write them out")
    ours = []
    for number, given in enumerate(positions, 1):
        position = given
        if isinstance(given, (list, tuple)):
            position = dict(zip("xyz", given))
        if not isinstance(position, Mapping):
            raise _refusal(f"its position {number} is {given!r}; give x, y and z")
        extra = [key for key in position if key not in ("name", "x", "y", "z")]
        for key in extra:
            if position[key] is not None:
                raise _refusal(f"its position {number} has {key!r}; leave it out")
        place: Dict[str, Any] = {"name": position.get("name") or f"position {number}"}
        for axis, um in zip("xyz", step_um):
            value = _number(position.get(axis))
            if value is None:
                raise _refusal(f"its position {number} has no {axis}; give x, y and z")
            place[axis] = round(value / um)
        ours.append(place)
    return ours


def _our_planes(z_plan: Any, step_um: float) -> Dict[str, int]:
    """Read useq's z plan as planes around the focus."""
    if not z_plan:
        return {"count": 1}
    if not isinstance(z_plan, Mapping) or not z_plan.get("go_up", True):
        raise _refusal("planes are taken from the lowest up; leave go_up out")
    if z_plan.get("relative") is not None:
        count, step = _even_stack(z_plan["relative"])
    else:
        height = _number(z_plan.get("range"))
        above, below = (_number(z_plan.get(key)) for key in ("above", "below"))
        if above is not None and below is not None and abs(above) == abs(below):
            height = abs(above) + abs(below)
        spacing = _number(z_plan.get("step"))
        if height is None or spacing is None or height < 0 or spacing < 0:
            raise _refusal("its planes must lie evenly around the focus; give range")
        intervals = height / spacing if spacing else 0.0
        if abs(intervals - round(intervals)) > WHOLE_NUMBER_TOLERANCE:
            raise _refusal("the range of its planes is not a multiple of their step")
        count, step = round(intervals) + 1, spacing
    return {"count": count, "step": round(step / step_um)}


def _even_stack(relative: Sequence[Any]) -> Tuple[int, float]:
    """Return number and distance of planes that are listed one by one."""
    heights = [_number(height) for height in relative]
    known = [height for height in heights if height is not None]
    step = known[1] - known[0] if len(known) > 1 else 0.0
    lowest = -step * (len(known) - 1) / 2
    even = all(
        abs(height - (lowest + index * step)) <= WHOLE_NUMBER_TOLERANCE
        for index, height in enumerate(known)
    )
    if not known or len(known) != len(heights) or step < 0 or not even:
        raise _refusal(f"its planes {relative!r} must lie evenly around the focus")
    return len(known), step


def _number(value: Any) -> Optional[float]:
    """Return an ordinary number as it is; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < LARGEST_NUMBER else None


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return an object as it is; an empty one for everything else."""
    return value if isinstance(value, Mapping) else {}


def _check_order(data: Mapping[str, Any]) -> None:
    """Refuse orders other than: at each time, at each position, each plane."""
    given = [axis for axis in data.get("axis_order") or AXES if axis in AXES]
    if given != [axis for axis in AXES if axis in given]:
        raise _refusal(f"its axis order {''.join(given)} is not tpz; a plan has tpz")


def _check_steps(step_um: StepUm) -> None:
    """Refuse a microscope that is not calibrated."""
    if len(step_um) != len(AXES) or not all(um > 0 for um in step_um):
        message = f"Micrometres per step are {step_um}; give three above 0."
        raise InvalidPlanError(message)


def _refusal(reason: str) -> InvalidPlanError:
    """Return the error for a sequence that a plan cannot carry."""
    return InvalidPlanError(f"The useq sequence cannot become a plan: {reason}.")
