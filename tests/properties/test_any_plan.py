"""What holds for any plan that a person can write."""

import json
import string
from typing import Any, Dict

from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.errors import InvalidPlanError
from openflexure_timelapse.names import slug
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.schedule import grid_of, seconds_to_ns

intervals = st.floats(0.05, 7200.0)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["skip", "gif", "2026-03-01T09:30:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def lengths(draw: st.DrawFn) -> Dict[str, Any]:
    """Draw an interval with a number of frames or a duration."""
    interval_s = draw(intervals)
    if draw(st.booleans()):
        return {"interval_s": interval_s, "frames": draw(st.integers(1, 200))}
    slots = draw(st.floats(0.01, 200.0))
    return {"interval_s": interval_s, "duration_s": interval_s * slots}


@given(st.lists(lengths(), min_size=1, max_size=5))
def test_the_grid_has_as_many_slots_as_it_yields(phases: Any) -> None:
    """Counting the due times of a grid gives the number of slots that it claims."""
    grid = grid_of(parse_plan({"name": "any", "phases": phases}))
    assert grid.slots is not None
    assert grid.end_ns is not None
    due = [grid.due_ns(slot) for slot in range(grid.slots)]
    assert due[0] == 0
    assert all(earlier < later for earlier, later in zip(due, due[1:]))
    assert due[-1] < grid.end_ns
    assert grid.last_due_at(grid.end_ns + 10**18) == grid.slots - 1


@given(lengths())
def test_a_duration_holds_what_fits_before_its_end(length: Dict[str, Any]) -> None:
    """A duration has every slot before its end, and none at or after it."""
    grid = grid_of(parse_plan({"name": "any", **length}))
    if "duration_s" in length and grid.slots is not None:
        interval_ns = seconds_to_ns(length["interval_s"])
        duration_ns = seconds_to_ns(length["duration_s"])
        assert (grid.slots - 1) * interval_ns < duration_ns
        assert grid.slots * interval_ns >= duration_ns


@given(lengths(), st.text(min_size=1, max_size=40))
def test_plans_survive_json(length: Dict[str, Any], name: str) -> None:
    """Any plan that is taken is the same plan after a journey through JSON."""
    try:
        plan = parse_plan({"name": name, **length})
    except InvalidPlanError:
        return
    assert parse_plan(json.loads(json.dumps(plan.to_json()))) == plan


@given(
    st.dictionaries(
        st.sampled_from(sorted(Plan.model_fields)) | st.text(max_size=10),
        json_values,
        max_size=6,
    )
)
def test_nonsense_is_refused_by_our_own_error(data: Dict[str, Any]) -> None:
    """Whatever is sent as a plan, the answer is a plan or our sentence."""
    try:
        plan = parse_plan({"name": "any", "interval_s": 3, **data})
    except InvalidPlanError as refusal:
        told = str(refusal)
        assert told.startswith("The plan ")
        assert told.endswith(".")
        assert len(told) < 4000
        return
    assert plan.position_names()


@given(st.text(max_size=100))
def test_folders_are_harmless(name: str) -> None:
    """Any name becomes a short folder name of small letters, digits and hyphens."""
    folder = slug(name)
    assert len(folder) <= 60
    assert set(folder) <= set(string.ascii_lowercase + string.digits + "-")
    assert folder == folder.strip("-")
