"""Plans as people write them, good and bad, by name."""

import math
from dataclasses import dataclass
from typing import Any, Mapping, Tuple

__all__ = ["BAD_PLANS", "GOOD_PLANS", "SMALLEST", "Bad", "Good"]

SMALLEST: Mapping[str, Any] = {"name": "pond", "interval_s": 30, "frames": 120}
CORNER = {"name": "corner", "x": 0, "y": 0, "z": 0}


@dataclass(frozen=True)
class Good:
    """A plan that is taken as it is.

    Attributes
    ----------
    slots : int or None
        Of its grid; None until stopped.
    last_due_s : float or None
        When the last slot is due.
    """

    name: str
    data: Mapping[str, Any]
    slots: Any
    last_due_s: Any


@dataclass(frozen=True)
class Bad:
    """A document that is refused: at which field, in which words."""

    name: str
    data: Mapping[str, Any]
    field: str
    told: str


def plan(**changes: Any) -> Mapping[str, Any]:
    """Return the smallest plan with some fields changed."""
    return {**SMALLEST, **changes}


def phases(*parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a plan of several phases."""
    return {"name": "pond", "phases": list(parts)}


GOOD_PLANS: Tuple[Good, ...] = (
    Good("smallest", SMALLEST, 120, 3570.0),
    Good("one frame", plan(frames=1), 1, 0.0),
    Good("until stopped", {"name": "pond", "interval_s": 30}, None, None),
    Good(
        "tenths of a second have no rounding",
        {"name": "fast", "interval_s": 0.1, "duration_s": 60},
        600,
        59.9,
    ),
    Good(
        "a duration that is no multiple",
        {"name": "odd", "interval_s": 3, "duration_s": 10},
        4,
        9.0,
    ),
    Good(
        "a duration shorter than the interval",
        {"name": "short", "interval_s": 3, "duration_s": 0.2},
        1,
        0.0,
    ),
    Good(
        "three phases",
        phases(
            {"interval_s": 3, "duration_s": 10},
            {"interval_s": 0.1, "frames": 5},
            {"interval_s": 60, "frames": 2},
        ),
        11,
        70.5,
    ),
    Good(
        "an open end after a quick beginning",
        phases({"interval_s": 1, "frames": 3}, {"interval_s": 60}),
        None,
        None,
    ),
    Good(
        "everything",
        plan(
            start_at="2026-03-01T09:30:00+01:00",
            positions=[CORNER, {"name": "Øst 2", "x": -5, "y": 7, "z": 9}],
            planes={"count": 3, "step": 40},
            autofocus={"every": 5, "accept": {"min_gain": 1.2}},
            drift_correction={"every": 2},
            light="only_while_capturing",
            late="catch_up",
            catch_up_slots=2,
            exposure="auto",
            movie={"format": "gif", "fps": 5, "max_mb": 4, "position": "corner"},
            sample={
                "title": "Pond water",
                "taxon": {"name": "Desmodesmus", "rank": "genus"},
                "sampled_at": "2026-02-28T14:00:00+01:00",
                "latitude": 59.3,
                "longitude": 18.1,
            },
        ),
        120,
        3570.0,
    ),
    Good("no movie", plan(movie=None), 120, 3570.0),
)

BAD_PLANS: Tuple[Bad, ...] = (
    Bad(
        "misspelt field",
        plan(intervall_s=30),
        "intervall_s",
        "intervall_s is not a known field; perhaps 'interval_s' is meant",
    ),
    Bad(
        "misspelt field of a position",
        plan(positions=[{**CORNER, "nme": "A"}]),
        "positions.0.nme",
        "positions.0.nme is not a known field; perhaps 'name' is meant",
    ),
    Bad(
        "unknown field without a neighbour",
        plan(planes={"qqq": 3}),
        "planes.qqq",
        "planes.qqq is not a known field; known: count, step",
    ),
    Bad(
        "zero interval",
        plan(interval_s=0),
        "interval_s",
        "interval_s should be at least 0.05 s (it is 0)",
    ),
    Bad(
        "negative interval",
        plan(interval_s=-30),
        "interval_s",
        "interval_s should be at least 0.05 s (it is -30)",
    ),
    Bad(
        "NaN interval",
        plan(interval_s=math.nan),
        "interval_s",
        "interval_s should be an ordinary number (it is NaN)",
    ),
    Bad(
        "endless interval",
        plan(interval_s=math.inf),
        "interval_s",
        "interval_s should be an ordinary number (it is Infinity)",
    ),
    Bad(
        "enormous interval",
        plan(interval_s=10**400),
        "interval_s",
        f"interval_s should be an ordinary number (it is 1{'0' * 39}...)",
    ),
    Bad(
        "interval of two months",
        plan(interval_s=5184000),
        "interval_s",
        "interval_s should be at most 2678400 s (it is 5184000)",
    ),
    Bad(
        "interval as text",
        plan(interval_s="30"),
        "interval_s",
        'interval_s should be a number (it is "30")',
    ),
    Bad(
        "interval as a truth value",
        plan(interval_s=True),
        "interval_s",
        "interval_s should be a number (it is true)",
    ),
    Bad(
        "no frames",
        plan(frames=0),
        "frames",
        "frames should be at least 1 (it is 0)",
    ),
    Bad(
        "half a frame",
        plan(frames=2.5),
        "frames",
        "frames should be a whole number (it is 2.5)",
    ),
    Bad(
        "no duration",
        {"name": "pond", "interval_s": 30, "duration_s": 0},
        "duration_s",
        "duration_s should be more than 0 s (it is 0)",
    ),
    Bad("no name", {"interval_s": 30}, "name", "name is missing"),
    Bad("empty name", plan(name=""), "name", 'name should not be empty (it is "")'),
    Bad(
        "long name",
        plan(name="x" * 81),
        "name",
        "name should have at most 80 characters (it has 81)",
    ),
    Bad(
        "name of dots",
        plan(name="../.."),
        "name",
        "name: the name '../..' has no letter or digit; give it one",
    ),
    Bad(
        "name with a line break",
        plan(name="a\nb"),
        "name",
        "name: the name 'a\\nb' holds a control character; leave it out",
    ),
    Bad(
        "name as a number",
        plan(name=3),
        "name",
        "name should be text in quotes (it is 3)",
    ),
    Bad(
        "neither interval nor phases",
        {"name": "pond"},
        "(whole)",
        "give interval_s (with frames, duration_s or neither) or phases",
    ),
    Bad(
        "frames and duration",
        plan(duration_s=60),
        "(whole)",
        "give frames or duration_s, not both",
    ),
    Bad(
        "frames and duration in a phase",
        phases({"interval_s": 3, "frames": 3, "duration_s": 9}),
        "phases.0",
        "phases.0: give frames or duration_s, not both",
    ),
    Bad(
        "frames beside phases",
        {**phases({"interval_s": 3}), "frames": 3},
        "(whole)",
        "frames and duration_s belong inside phases",
    ),
    Bad(
        "a phase without an end before another",
        phases({"interval_s": 3}, {"interval_s": 3, "frames": 3}),
        "(whole)",
        "phase 0 never ends; only the last one may",
    ),
    Bad(
        "longer than ten years",
        plan(interval_s=86400, frames=4000),
        "(whole)",
        "the run would last 4000 days; at most 3660 are possible",
    ),
    Bad(
        "more slots than an index holds",
        {"name": "pond", "interval_s": 0.1, "duration_s": 2e7},
        "(whole)",
        "the run would have 200000000 time points; at most 100000000 are possible",
    ),
    Bad(
        "start in words",
        plan(start_at="tomorrow"),
        "start_at",
        "start_at should be a time such as '2026-03-01T09:30:00+01:00' "
        '(it is "tomorrow")',
    ),
    Bad(
        "start without its offset",
        plan(start_at="2026-03-01T09:30:00"),
        "start_at",
        "start_at: the time needs its UTC offset, for example "
        "2026-03-01T09:30:00+02:00",
    ),
    Bad(
        "two starts",
        plan(start_at="2026-03-01T09:30:00Z", start_in_s=3),
        "(whole)",
        "give start_at or start_in_s, not both",
    ),
    Bad(
        "position without its place",
        plan(positions=[{"name": "A", "x": 1, "y": 2}]),
        "positions.0.z",
        "positions.0.z is missing",
    ),
    Bad(
        "positions of one folder",
        plan(positions=[CORNER, {**CORNER, "name": "Corner!"}]),
        "(whole)",
        "the position names 'corner' and 'Corner!' are too alike; change one of them",
    ),
    Bad(
        "positions as an object",
        plan(positions=CORNER),
        "positions",
        "positions should be a list [...] "
        '(it is {"name": "corner", "x": 0, "y": 0, "z": ...)',
    ),
    Bad(
        "too many positions",
        plan(positions=[CORNER] * 1001),
        "positions",
        "positions should have at most 1000 entries (it has 1001)",
    ),
    Bad(
        "planes as a number",
        plan(planes=3),
        "planes",
        "planes should be an object {...} (it is 3)",
    ),
    Bad(
        "planes on top of one another",
        plan(planes={"count": 3}),
        "planes",
        "planes: 3 planes need a step of at least 1, in z steps",
    ),
    Bad(
        "unknown late policy",
        plan(late="skp"),
        "late",
        "late should be 'skip', 'catch_up' or 'shift' (it is \"skp\")",
    ),
    Bad(
        "movie of an unknown position",
        plan(positions=[CORNER], movie={"position": "edge"}),
        "(whole)",
        "the movie's position 'edge' is unknown; known: corner",
    ),
    Bad(
        "movie of an unknown plane",
        plan(planes={"count": 3, "step": 9}, movie={"plane": 3}),
        "(whole)",
        "the movie's plane 3 is unknown; known: 0 to 2",
    ),
    Bad(
        "movie of no speed",
        plan(movie={"fps": 0}),
        "movie.fps",
        "movie.fps should be at least 0.1 frames per second (it is 0)",
    ),
    Bad(
        "movie with an odd width",
        plan(movie={"width": 641}),
        "movie",
        "movie: width 641 is odd; H.264 needs an even number, for example 640",
    ),
    Bad(
        "no licence that anybody knows",
        plan(sample={"licence": "do what you like"}),
        "sample.licence",
        "sample.licence should be an SPDX id such as CC-BY-4.0 "
        "(it is 'do what you like')",
    ),
)
