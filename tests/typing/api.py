"""The public types as mypy must see them; checked by ``nox -s types``, never run."""

from typing import Any, Dict, Mapping, Optional, Sequence

from typing_extensions import Literal, assert_type

from openflexure_timelapse.errors import (
    HardwareBusyError,
    InvalidPlanError,
    InvalidRecipeError,
    TimelapseError,
)
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.manifest import HostEntry, Manifest, load_manifest
from openflexure_timelapse.plan import Plan, PlanPosition, parse_plan, plan_schema
from openflexure_timelapse.ports import (
    Camera,
    Clock,
    Focuser,
    Image,
    Lane,
    Light,
    Microscope,
    Signal,
    Stage,
    StagePosition,
)
from openflexure_timelapse.recipe import Recipe, parse_recipe

plan = parse_plan({"name": "pond", "interval_s": 30, "frames": 120})
assert_type(plan, Plan)
assert_type(plan.name, str)
assert_type(plan.movie, Optional[Recipe])
assert_type(plan.to_json(), Dict[str, Any])
assert_type(plan_schema(), Dict[str, Any])
for position in plan.positions:
    assert_type(position, PlanPosition)
    assert_type(position.z, int)
plan.name = "lake"  # type: ignore[misc]

recipe = parse_recipe({"format": "gif"})
assert_type(recipe, Recipe)
Format = Literal["mp4", "webm", "gif", "webp", "apng", "png", "jpeg"]
assert_type(recipe.format, Format)

error = InvalidPlanError("no", [{"field": "name", "reason": "empty"}])
assert_type(error.fields, Sequence[Mapping[str, str]])
assert_type(error.http_status, int)
assert_type(HardwareBusyError.exit_code, int)
root: TimelapseError = InvalidRecipeError("no")

manifest = load_manifest()
assert_type(manifest, Manifest)
assert_type(manifest.hosts, Mapping[str, HostEntry])
assert_type(manifest.uses["camera"], Literal["required", "optional"])
manifest.version = "2"  # type: ignore[misc]


def use(microscope: Microscope) -> None:
    """Use a microscope as the engine does."""
    assert_type(microscope.camera, Camera)
    assert_type(microscope.stage, Stage)
    assert_type(microscope.focuser, Optional[Focuser])
    assert_type(microscope.light, Optional[Light])
    assert_type(microscope.camera.capture(None), Image)
    assert_type(microscope.stage.position().at_z(3), StagePosition)
    microscope.stage.move_to((1, 2, 3))  # type: ignore[arg-type]


def wait(clock: Clock) -> None:
    """Wait and call hardware through a clock."""
    signal = clock.signal()
    assert_type(signal, Signal)
    assert_type(clock.wait_until(None, signal), bool)
    lane = clock.lane("camera")
    assert_type(lane, Lane)
    assert_type(lane.call("count", lambda: 3, clock.monotonic_ns()), int)
    clock.wait_until(0.5, signal)  # type: ignore[arg-type]


wait(RealClock())
