"""Plans and useq-schema's sequences say the same, in both directions."""

import json
import warnings
from typing import Any, Dict, List, Mapping

import pytest
from cases.plans import GOOD_PLANS, SMALLEST, Good

from openflexure_timelapse.errors import InvalidPlanError
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.schedule import grid_of
from openflexure_timelapse.useq_plan import from_useq, to_useq

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import useq
except ImportError:
    useq = None

needs_useq = pytest.mark.skipif(
    useq is None,
    reason="useq-schema is not installed (extra `test`; it needs Python 3.10)",
)

STEP_UM = (0.08, 0.08, 0.05)
ENDING = [case for case in GOOD_PLANS if case.slots is not None]
TIMES = {"time_plan": {"interval": 30, "loops": 3}}


def due_s(plan: Plan) -> List[float]:
    """Return every due time of a plan in seconds."""
    grid = grid_of(plan)
    return [grid.due_ns(slot) / 1e9 for slot in range(grid.slots or 0)]


def read(data: Any) -> Plan:
    """Read a sequence with the steps of an ordinary stage."""
    return from_useq(data, STEP_UM)


@needs_useq
@pytest.mark.parametrize("case", ENDING, ids=lambda case: str(case.name))
def test_useq_reads_our_plans(case: Good) -> None:
    """The real useq-schema reads what we write: same times, places and planes."""
    plan = parse_plan(case.data)
    data = json.loads(json.dumps(to_useq(plan, STEP_UM)))
    sequence = useq.MDASequence.model_validate(data)
    assert list(sequence.time_plan) == pytest.approx(due_s(plan), abs=1e-6)
    places = [(place.name, place.x, place.z) for place in sequence.stage_positions]
    assert places == [
        (place.name, place.x * STEP_UM[0], place.z * STEP_UM[2])
        for place in plan.positions
    ]
    if plan.planes.count > 1:
        wanted = [offset * STEP_UM[2] for offset in plan.planes.offsets()]
        assert list(sequence.z_plan) == pytest.approx(wanted)


@needs_useq
@pytest.mark.parametrize("case", ENDING, ids=lambda case: str(case.name))
def test_plans_survive_useq(case: Good) -> None:
    """A plan that went through the real useq-schema asks for the same run."""
    plan = parse_plan(case.data)
    sequence = useq.MDASequence.model_validate(to_useq(plan, STEP_UM))
    back = read(json.loads(sequence.model_dump_json()))
    assert due_s(back) == due_s(plan)
    timing = ("interval_s", "frames", "duration_s", "phases")
    assert back.model_dump(exclude=set(timing)) == plan.model_dump(exclude=set(timing))


def sequences() -> Dict[str, Mapping[str, Any]]:
    """Return sequences in useq's many spellings, by name."""
    return {
        "interval and loops": {"time_plan": {"interval": 30, "loops": 120}},
        "interval and duration": {"time_plan": {"interval": 0.1, "duration": 60}},
        "duration and loops": {"time_plan": {"duration": 60, "loops": 7}},
        "spelt out": {
            "time_plan": {"interval": {"minutes": 1, "seconds": 30}, "loops": 3}
        },
        "as ISO 8601": {"time_plan": {"interval": "PT90S", "loops": 3}},
        "phases": {
            "time_plan": [
                {"interval": 3, "loops": 4},
                {"interval": 0.5, "duration": 2},
                {"interval": 60, "loops": 2},
            ]
        },
        "phases of one point": {
            "time_plan": {
                "phases": [{"interval": 3, "loops": 1}, {"interval": 5, "loops": 3}]
            }
        },
        "places": {
            **TIMES,
            "stage_positions": [(8, 16, 5), {"x": 0, "y": 0, "z": 0, "name": "A"}],
        },
        "range": {**TIMES, "z_plan": {"range": 4, "step": 1}},
        "above and below": {**TIMES, "z_plan": {"above": 3, "below": 3, "step": 1.5}},
        "listed planes": {**TIMES, "z_plan": {"relative": [-2, 0, 2]}},
    }


@needs_useq
@pytest.mark.parametrize("name", list(sequences()))
def test_we_read_what_useq_means(name: str) -> None:
    """Times, places and planes of a useq sequence are the plan's."""
    sequence = useq.MDASequence.model_validate(sequences()[name])
    for data in (sequences()[name], json.loads(sequence.model_dump_json())):
        plan = read(data)
        assert due_s(plan) == pytest.approx(list(sequence.time_plan), abs=1e-6)
        heights = [offset * STEP_UM[2] for offset in plan.planes.offsets()]
        assert heights == pytest.approx(list(sequence.z_plan or [0]))
        places = [(place.x, place.y, place.z) for place in plan.positions]
        assert places == [
            tuple(round(um / step) for um, step in zip((at.x, at.y, at.z), STEP_UM))
            for at in sequence.stage_positions
        ]


REFUSED: Dict[str, Any] = {
    "not an object": ([], "it is not a JSON object but list"),
    "channels": (
        {**TIMES, "channels": ["DAPI"]},
        "a plan has no place for 'channels'; leave it out",
    ),
    "a grid": (
        {**TIMES, "grid_plan": {"rows": 2, "columns": 2}},
        "a plan has no place for 'grid_plan'; leave it out",
    ),
    "no times": ({}, "it has no time plan; give interval and loops"),
    "an empty time plan": (
        {"time_plan": []},
        "it has no time plan; give interval and loops",
    ),
    "half a time plan": (
        {"time_plan": {"interval": 3}},
        "its time plan {'interval': 3} needs two of interval, loops, duration",
    ),
    "no loops": (
        {"time_plan": {"interval": 3, "loops": 0}},
        (
            "its time plan {'interval': 3, 'loops': 0} needs two of interval, loops, "
            "duration"
        ),
    ),
    "an interval in words": (
        {"time_plan": {"interval": "often", "loops": 3}},
        "'often' is no length of time; give seconds",
    ),
    "an endless interval": (
        {"time_plan": {"interval": float("inf"), "loops": 3}},
        "inf is no length of time; give seconds",
    ),
    "no interval": (
        {"time_plan": {"interval": 0, "duration": 3}},
        "its interval is 0.0 s; give more than 0",
    ),
    "positions first": (
        {**TIMES, "axis_order": "ptz"},
        "its axis order ptz is not tpz; a plan has tpz",
    ),
    "a place without height": (
        {**TIMES, "stage_positions": [{"x": 1, "y": 2, "z": None}]},
        "its position 1 has no z; give x, y and z",
    ),
    "a place with a sequence of its own": (
        {**TIMES, "stage_positions": [{"x": 1, "y": 2, "z": 3, "sequence": {}}]},
        "its position 1 has 'sequence'; leave it out",
    ),
    "a well plate": (
        {**TIMES, "stage_positions": {"plate": 96}},
        "its stage_positions are not a plain list; write them out",
    ),
    "planes between two heights": (
        {**TIMES, "z_plan": {"top": 9, "bottom": 1, "step": 1}},
        "its planes must lie evenly around the focus; give range",
    ),
    "planes on one side": (
        {**TIMES, "z_plan": {"above": 9, "below": 1, "step": 1}},
        "its planes must lie evenly around the focus; give range",
    ),
    "planes at odd heights": (
        {**TIMES, "z_plan": {"relative": [-2, 0, 3]}},
        "its planes [-2, 0, 3] must lie evenly around the focus",
    ),
    "a range that is no multiple": (
        {**TIMES, "z_plan": {"range": 4, "step": 1.5}},
        "the range of its planes is not a multiple of their step",
    ),
    "planes from the top": (
        {**TIMES, "z_plan": {"range": 4, "step": 1, "go_up": False}},
        "planes are taken from the lowest up; leave go_up out",
    ),
}


@pytest.mark.parametrize(("data", "told"), list(REFUSED.values()), ids=list(REFUSED))
def test_what_a_plan_cannot_carry_is_refused(data: Any, told: str) -> None:
    """Whatever would be lost is refused with one clear sentence."""
    with pytest.raises(InvalidPlanError) as caught:
        read(data)
    assert str(caught.value) == f"The useq sequence cannot become a plan: {told}."


def test_too_quick_sequences_get_the_plans_own_sentence() -> None:
    """A sequence that breaks a rule of plans is refused like such a plan."""
    with pytest.raises(InvalidPlanError, match=r"interval_s should be at least 0.05 s"):
        read({"time_plan": {"interval": 0, "loops": 3}})


def test_endless_plans_are_no_sequence() -> None:
    """A run until stopped has no useq form, and the sentence says what to give."""
    plan = parse_plan({"name": "pond", "interval_s": 30})
    with pytest.raises(InvalidPlanError, match="give the plan frames or duration_s"):
        to_useq(plan, STEP_UM)


def test_an_uncalibrated_stage_is_refused() -> None:
    """Without micrometres per step there is no conversion, in either direction."""
    with pytest.raises(InvalidPlanError, match="give three above 0"):
        to_useq(parse_plan(SMALLEST), (0.08, 0.08, 0.0))
    with pytest.raises(InvalidPlanError, match="give three above 0"):
        from_useq(TIMES, (0.08, 0.08, -1.0))


def test_the_smallest_plan_stays_the_smallest() -> None:
    """A plan of one phase comes back as it was written."""
    plan = parse_plan(SMALLEST)
    assert read(to_useq(plan, STEP_UM)) == plan
