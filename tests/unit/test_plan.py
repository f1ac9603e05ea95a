"""Plans: what is taken, what is refused and in which words."""

import json
from datetime import datetime, timezone
from typing import Any, Dict, List

import pytest
from cases.plans import BAD_PLANS, GOOD_PLANS, SMALLEST, Bad, Good

from openflexure_timelapse.errors import InvalidPlanError, OutOfReachError
from openflexure_timelapse.feasibility import check_reach, check_start
from openflexure_timelapse.names import slug
from openflexure_timelapse.plan import (
    Planes,
    parse_plan,
    plan_schema,
)
from openflexure_timelapse.ports import StageInfo, StagePosition

NOON_NS = int(datetime(2026, 3, 1, 12, tzinfo=timezone.utc).timestamp()) * 10**9
HERE = StagePosition(0, 0, 20)
STAGE = StageInfo(
    model="small",
    simulated=True,
    step_um=None,
    lowest=StagePosition(-100, -100, -50),
    highest=StagePosition(100, 100, 50),
    steps_per_s=1000.0,
)


@pytest.mark.parametrize("case", GOOD_PLANS, ids=lambda case: str(case.name))
def test_good_plans_survive_a_journey_through_json(case: Good) -> None:
    """A plan written as JSON and read again is the same plan."""
    plan = parse_plan(case.data)
    assert parse_plan(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize("case", BAD_PLANS, ids=lambda case: str(case.name))
def test_bad_plans_get_one_clear_sentence(case: Bad) -> None:
    """A bad plan is refused at the right field, in words without jargon."""
    with pytest.raises(InvalidPlanError) as caught:
        parse_plan(case.data)
    assert str(caught.value) == f"The plan is not valid: {case.told}."
    assert [field["field"] for field in caught.value.fields] == [case.field]
    assert caught.value.exit_code == 2


def test_every_bad_field_is_named() -> None:
    """Several mistakes are told at once, each with its field."""
    data = {**SMALLEST, "interval_s": 0, "frames": 0, "late": "never"}
    with pytest.raises(InvalidPlanError) as caught:
        parse_plan(data)
    fields = sorted(field["field"] for field in caught.value.fields)
    assert fields == ["frames", "interval_s", "late"]


def test_many_mistakes_are_counted() -> None:
    """A list of a hundred bad positions does not become a wall of text."""
    bad: List[Dict[str, Any]] = [{"name": f"p{i}", "x": 1, "y": 1} for i in range(100)]
    with pytest.raises(InvalidPlanError) as caught:
        parse_plan({**SMALLEST, "positions": bad})
    assert str(caught.value).endswith("; and 95 more.")
    assert len(caught.value.fields) == 100


def test_a_past_start_is_refused() -> None:
    """A start before now is refused, with the time that the microscope believes."""
    plan = parse_plan({**SMALLEST, "start_at": "2026-03-01T12:59:59+01:00"})
    with pytest.raises(InvalidPlanError) as caught:
        check_start(plan, NOON_NS)
    assert str(caught.value) == (
        "The plan is not valid: start_at 2026-03-01T12:59:59+01:00 is past (it is "
        "2026-03-01T13:00:00+01:00 now); choose a later time, or leave it out to "
        "start now."
    )
    assert [field["field"] for field in caught.value.fields] == ["start_at"]


def test_a_start_years_ahead_points_at_the_clock() -> None:
    """A start far ahead is refused: a clock in 1970 is likelier than patience."""
    plan = parse_plan({**SMALLEST, "start_at": "2026-03-01T12:59:59+01:00"})
    with pytest.raises(InvalidPlanError, match="set the microscope's clock"):
        check_start(plan, 0)


@pytest.mark.parametrize("start", [None, "2026-03-01T13:00:00+01:00"])
def test_a_start_now_or_later_is_taken(start: Any) -> None:
    """A start at this very second, or none at all, is fine."""
    check_start(parse_plan({**SMALLEST, "start_at": start}), NOON_NS)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"positions": [{"name": "A", "x": 0, "y": 0, "z": 51}]},
            "position 'A' needs z 51, the stage goes from -50 to 50",
        ),
        (
            {"positions": [{"name": "A", "x": -101, "y": 0, "z": 0}]},
            "position 'A' needs x -101, the stage goes from -100 to 100",
        ),
        (
            {"planes": {"count": 3, "step": 31}},
            (
                "position 'here' needs z 20 with planes from -31 to +31, "
                "the stage goes from -50 to 50"
            ),
        ),
    ],
    ids=["z", "x", "planes"],
)
def test_places_out_of_reach_are_refused(changes: Dict[str, Any], told: str) -> None:
    """A place or plane outside the travel is refused before anything moves."""
    with pytest.raises(OutOfReachError) as caught:
        check_reach(parse_plan({**SMALLEST, **changes}), STAGE, HERE)
    message = f"The plan leaves the stage's reach: {told}; choose places inside."
    assert str(caught.value) == message


def test_the_ends_of_the_travel_are_within_reach() -> None:
    """The travel includes both of its ends, planes counted."""
    corners = [
        {"name": "low", "x": -100, "y": -100, "z": -20},
        {"name": "high", "x": 100, "y": 100, "z": 20},
    ]
    data = {**SMALLEST, "positions": corners, "planes": {"count": 3, "step": 30}}
    check_reach(parse_plan(data), STAGE, HERE)


def test_a_stage_without_limits_reaches_everything() -> None:
    """A stage that does not know its travel refuses nothing."""
    free = StageInfo("free", True, None, None, None, 1000.0)  # noqa: FBT003
    far = [{"name": "far", "x": 10**9, "y": 0, "z": 0}]
    check_reach(parse_plan({**SMALLEST, "positions": far}), free, HERE)


@pytest.mark.parametrize(
    ("count", "step", "offsets"),
    [(1, 0, (0,)), (3, 40, (-40, 0, 40)), (2, 3, (-2, 1)), (4, 10, (-15, -5, 5, 15))],
)
def test_planes_lie_around_the_focus(count: int, step: int, offsets: Any) -> None:
    """Planes are evenly spaced around the focus, lowest first."""
    assert Planes(count=count, step=step).offsets() == offsets


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Pond water 3", "pond-water-3"),
        ("../../etc", "etc"),
        ("Ålön", "alon"),
        ("藻", "u85fb"),
        ("a/b\\c", "a-b-c"),
        ("!?", ""),
    ],
)
def test_names_become_harmless_folders(name: str, folder: str) -> None:
    """Whatever a person calls a place, its folder is plain ASCII without a slash."""
    assert slug(name) == folder


def test_the_schema_knows_every_field() -> None:
    """The JSON Schema that pages build their forms from names every field."""
    properties = plan_schema()["properties"]
    assert {"name", "interval_s", "phases", "movie", "sample"} <= set(properties)
