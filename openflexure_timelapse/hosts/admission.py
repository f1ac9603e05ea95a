"""Whether this microscope can do a plan, and what a run's header says of both."""

import platform
from typing import Any, Dict, Mapping

from openflexure_timelapse import __version__
from openflexure_timelapse.errors import InvalidPlanError
from openflexure_timelapse.plan import Plan, check_reach, check_start, parse_plan
from openflexure_timelapse.ports import Clock, Microscope
from openflexure_timelapse.status import local_time

__all__ = ["admit", "header_of"]


def admit(data: Mapping[str, Any], microscope: Microscope, clock: Clock) -> Plan:
    """Return the plan in `data` if this microscope can do it now.

    Raises
    ------
    InvalidPlanError, OutOfReachError
        Nothing has moved.
    """
    plan = parse_plan(data)
    check_start(plan, clock.wall_ns())
    check_reach(plan, microscope.stage.describe(), microscope.stage.position())
    camera = microscope.camera.describe()
    if plan.camera_mode is not None and plan.camera_mode not in camera.modes:
        known = ", ".join(camera.modes)
        _refuse("camera_mode", f"{plan.camera_mode!r} is unknown; known: {known}")
    if plan.light != "leave" and microscope.light is None:
        _refuse("light", "this microscope cannot switch its light; use 'leave'")
    if plan.drift_correction is not None and camera.image_shift_per_step is None:
        told = "the camera is not calibrated against the stage; use null"
        _refuse("drift_correction", told)
    return plan


def header_of(plan: Plan, microscope: Microscope, clock: Clock) -> Dict[str, Any]:
    """Return what ``run.json`` says of a run that begins now."""
    camera, stage = microscope.camera.describe(), microscope.stage.describe()
    return {
        "plan": plan.to_json(),
        "created": local_time(clock, clock.wall_ns()),
        "microscope": microscope.describe(),
        "camera": {
            "model": camera.model,
            "simulated": camera.simulated,
            "um_per_pixel": camera.um_per_pixel,
        },
        "stage": {
            "model": stage.model,
            "simulated": stage.simulated,
            "step_um": stage.step_um,
        },
        "versions": {
            "openflexure_timelapse": __version__,
            "python": platform.python_version(),
        },
    }


def _refuse(field: str, reason: str) -> None:
    """Refuse a plan for one field."""
    told = f"The plan is not valid: {field}: {reason}."
    raise InvalidPlanError(told, [{"field": field, "reason": reason}])
