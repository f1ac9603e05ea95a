"""Whether this microscope can do a plan, and what a run's header says of both."""

import platform
from typing import Any, Dict, Mapping

from openflexure_timelapse import __version__
from openflexure_timelapse.errors import HardwareError, InvalidPlanError, RenderError
from openflexure_timelapse.estimate import Estimate, estimate
from openflexure_timelapse.feasibility import check_reach, check_start
from openflexure_timelapse.movie.codecs import tools_of
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.ports import Clock, Microscope
from openflexure_timelapse.schedule import seconds_to_ns
from openflexure_timelapse.status import local_time

__all__ = ["admit", "check_hardware", "estimate_now", "header_of"]

NS_PER_S = 1_000_000_000


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
    _check_light(plan, microscope)
    if plan.drift_correction is not None and camera.image_shift_per_step is None:
        told = "the camera is not calibrated against the stage; use null"
        _refuse("drift_correction", told)
    _check_movie(plan)
    return plan


def _check_movie(plan: Plan) -> None:
    """Refuse a movie by a codec that this computer does not have."""
    movie = plan.movie
    if movie is None or movie.coded == "h264":
        return
    try:
        tools_of(movie)
    except RenderError as exc:
        _refuse("movie", str(exc).rstrip("."))


def _check_light(plan: Plan, microscope: Microscope) -> None:
    """Refuse to switch a light that cannot be switched, or that is off by now."""
    if plan.light == "leave":
        return
    if microscope.light is None:
        _refuse("light", "this microscope cannot switch its light; use 'leave'")
    elif not microscope.light.level():
        told = "the light is off, so its level for the run is unknown; switch it on"
        _refuse("light", told)


def estimate_now(
    plan: Plan, microscope: Microscope, clock: Clock, free_bytes: int
) -> Estimate:
    """Return what `plan` would take if it were started at this moment.

    Parameters
    ----------
    plan : Plan
        One that `admit` returned.
    microscope, clock
        The ports.
    free_bytes : int
        On the disk of the data folder.
    """
    starts_in_ns = seconds_to_ns(plan.start_in_s or 0.0)
    if plan.start_at is not None:
        starts_in_ns = int(plan.start_at.timestamp() * NS_PER_S) - clock.wall_ns()
    return estimate(
        plan,
        microscope.camera.describe(),
        microscope.stage.describe(),
        free_bytes=free_bytes,
        starts_in_ns=starts_in_ns,
    )


def check_hardware(header: Mapping[str, Any], microscope: Microscope) -> None:
    """Refuse to go on with a run of a real camera or stage on a stand-in, or reversed.

    A server that finds no camera at its start puts in one that draws pictures; they
    must not end up among those of a sample. Nor is a real stage to go to the places of
    a simulated run that somebody tried before.

    Parameters
    ----------
    header : mapping
        Of the run.
    microscope : Microscope
        The one that is there now.

    Raises
    ------
    HardwareError
        Naming what is missing, or what was simulated.
    """
    camera, stage = microscope.camera.describe(), microscope.stage.describe()
    for part, simulated in (("camera", camera.simulated), ("stage", stage.simulated)):
        before = header.get(part, {})
        if simulated and before.get("simulated") is False:
            told = f"An interrupted run used the {part} {before.get('model')!r}, which "
            told += "is not there now; connect it and restart the server, or stop the "
            raise HardwareError(told + "run.")
        if not simulated and before.get("simulated"):
            told = f"An interrupted run used a simulated {part}, and this one is real; "
            raise HardwareError(told + "stop the run, or choose another data folder.")


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
            "um_per_pixel": camera.scale_of(plan.camera_mode),
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
