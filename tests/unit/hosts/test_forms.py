"""What the web app's forms post, and what they show."""

from typing import Any, Dict, Mapping

import pytest

from openflexure_timelapse.errors import InvalidPlanError
from openflexure_timelapse.hosts.forms import plan_of_form, start_form, tidied
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.recipe import Recipe

EMPTY: Mapping[str, Any] = {
    "name": None,
    "interval_s": 30,
    "frames": None,
    "focus": None,
    "exposure": None,
    "movie": None,
    "undefined": None,
}


def test_a_form_with_everything_empty_but_the_interval_is_a_plan() -> None:
    """Each field is posted, null for an empty one, and one that has no name."""
    plan = parse_plan(plan_of_form(EMPTY))
    assert (plan.name, plan.interval_s, plan.frames) == ("time-lapse", 30, None)
    assert plan.autofocus is None
    assert plan.exposure == "lock"
    assert plan.movie is not None
    assert plan.movie.format == "mp4"


def test_a_form_posts_numbers_as_text() -> None:
    """They are numbers all the same; an emptied number field posts 0."""
    given = {**EMPTY, "interval_s": " 2.5", "frames": "12", "focus": "In every slot"}
    plan = parse_plan(plan_of_form(given))
    assert (plan.interval_s, plan.frames) == (2.5, 12)
    assert plan.autofocus is not None
    assert plan.autofocus.every == 1
    assert parse_plan(plan_of_form({**EMPTY, "frames": 0})).frames is None


REFUSED: Dict[str, Any] = {
    "an unknown field": ({"intervall": 3}, "intervall", "not a field"),
    "an unknown choice": ({"focus": "Sometimes"}, "focus", "Never or In every slot"),
    "a choice that is a list": (
        {"movie": ["MP4"]},
        "movie",
        "MP4 or GIF or WebM or WebP or None",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_a_form_is_refused_by_field(case: Any) -> None:
    """Strict in what it accepts: the field and the reason are told."""
    changes, field, told = case
    with pytest.raises(InvalidPlanError, match=told) as caught:
        plan_of_form({**EMPTY, **changes})
    assert caught.value.fields[0]["field"] == field


def test_no_interval_is_told_by_the_plan() -> None:
    """The form leaves the values to the plan's own rules."""
    with pytest.raises(InvalidPlanError, match="interval_s"):
        parse_plan(plan_of_form({**EMPTY, "interval_s": "soon"}))
    with pytest.raises(InvalidPlanError, match="interval_s"):
        parse_plan(plan_of_form({**EMPTY, "interval_s": None}))


def test_tidying_keeps_a_null_that_means_something() -> None:
    """No movie is null; a name is text, though it looks like a number."""
    data = {"name": "12", "movie": None, "late": None, "frames": "3", "settle_s": "1"}
    assert tidied(Plan, data) == {
        "name": "12",
        "movie": None,
        "frames": 3,
        "settle_s": 1.0,
    }
    assert tidied(Recipe, {"fps": "12", "max_mb": None}) == {
        "fps": 12.0,
        "max_mb": None,
    }


@pytest.mark.parametrize("value", ["nan", "1e400", "0x10", "1_000", "", "٣"])
def test_tidying_leaves_what_is_no_plain_number(value: str) -> None:
    """The plan then refuses it."""
    assert tidied(Plan, {"interval_s": value, "what": None}) == {
        "interval_s": value,
        "what": None,
    }


def test_a_form_shows_the_last_plan() -> None:
    """As defaults: a value would overwrite what a person types at each look."""
    plan = parse_plan(
        {
            "name": "pond",
            "interval_s": 5,
            "autofocus": {"every": 1},
            "exposure": "auto",
            "movie": None,
        }
    )
    fields = {field["name"]: field for field in start_form(plan)}
    shown = {name: field.get("default") for name, field in fields.items()}
    assert shown == {
        "name": "pond",
        "interval_s": 5,
        "frames": None,
        "focus": "In every slot",
        "exposure": "Automatic",
        "movie": "None",
    }
    assert not any("value" in field for field in fields.values())


@pytest.mark.parametrize("plan", [None, parse_plan({"name": "a", "interval_s": 9})])
def test_what_a_form_shows_is_what_it_takes(plan: Any) -> None:
    """A person who changes nothing gets the plan that is shown."""
    posted = {field["name"]: field.get("default") for field in start_form(plan)}
    again = parse_plan(plan_of_form(posted))
    assert again.interval_s == (30 if plan is None else 9)
    assert again.frames == (120 if plan is None else None)
