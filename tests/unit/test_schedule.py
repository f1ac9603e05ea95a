"""The schedule: due times, the late policies, and the way back after a restart."""

from dataclasses import replace
from typing import Any, Dict, Optional

import pytest
from cases.plans import GOOD_PLANS, Good

from openflexure_timelapse.frame import Reason
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.restart import (
    Anchor,
    ClockReading,
    NotYet,
    Regain,
    Regained,
    regain,
)
from openflexure_timelapse.schedule import (
    Capture,
    Decision,
    Finish,
    Grid,
    LatePolicy,
    Progress,
    Skip,
    Wait,
    decide,
    grid_of,
    is_late,
    late_policy_of,
    seconds_to_ns,
    skip_through,
)

S = 1_000_000_000
MS = 1_000_000
SKIP, SHIFT = LatePolicy("skip"), LatePolicy("shift")


def grid(**fields: Any) -> Grid:
    """Return the grid of a plan with these fields."""
    return grid_of(parse_plan({"name": "pond", **fields}))


TEN = grid(interval_s=10, frames=10)
JOINED = grid(
    phases=[
        {"interval_s": 3, "duration_s": 10},
        {"interval_s": 0.1, "frames": 5},
        {"interval_s": 60},
    ]
)


# ------------------------------------------------------------------------------ grid


@pytest.mark.parametrize("case", GOOD_PLANS, ids=lambda case: str(case.name))
def test_grids_have_the_slots_that_were_asked_for(case: Good) -> None:
    """Number of slots and last due time are what the plan says, to the nanosecond."""
    laid = grid_of(parse_plan(case.data))
    assert laid.slots == case.slots
    if laid.slots is not None:
        assert laid.due_ns(laid.slots - 1) == seconds_to_ns(case.last_due_s)


def test_phases_lie_end_to_end() -> None:
    """A phase begins where the earlier one ends, by duration or by frames."""
    due = [JOINED.due_ns(slot) for slot in range(11)]
    assert due == [
        *(0, 3 * S, 6 * S, 9 * S),
        *(10_000 * MS, 10_100 * MS, 10_200 * MS, 10_300 * MS, 10_400 * MS),
        *(10_500 * MS, 70_500 * MS),
    ]


def test_the_interval_ends_at_the_next_slot() -> None:
    """The interval of a phase's last slot is what is left until the next phase."""
    intervals = [JOINED.interval_at(slot) for slot in (0, 3, 4, 8, 9, 10)]
    assert intervals == [3 * S, S, 100 * MS, 100 * MS, 60 * S, 60 * S]
    assert TEN.interval_at(9) == 10 * S


@pytest.mark.parametrize(
    ("elapsed_ns", "slot"),
    [
        (-1, -1),
        (0, 0),
        (3 * S - 1, 0),
        (3 * S, 1),
        (10 * S - 1, 3),
        (10 * S, 4),
        (10_450 * MS, 8),
        (10_500 * MS, 9),
        (10**20, 1_666_666_675),
    ],
)
def test_the_newest_due_slot_is_found(elapsed_ns: int, slot: int) -> None:
    """The last slot due at a time is found on either side of each border."""
    assert JOINED.last_due_at(elapsed_ns) == slot


def test_no_slot_is_due_after_the_last() -> None:
    """Long after the end, the last slot is still the newest one."""
    assert TEN.last_due_at(10**20) == 9


@pytest.mark.parametrize("slot", [-1, 10])
def test_slots_outside_the_grid_have_no_due_time(slot: int) -> None:
    """Asking for a slot that does not exist is an error, not a number."""
    with pytest.raises(IndexError, match=f"no slot {slot}"):
        TEN.due_ns(slot)


@pytest.mark.parametrize(
    ("seconds", "ns"),
    [
        (0.1, 10**8),
        (30, 30 * S),
        (1 / 3, 333_333_333),
        (1e-9, 1),
        (100_000_000.1, 100_000_000_100 * MS),
    ],
)
def test_seconds_mean_what_is_written(seconds: float, ns: int) -> None:
    """A decimal number of seconds is taken as written, not as its binary fraction."""
    assert seconds_to_ns(seconds) == ns


# ---------------------------------------------------------------------------- policy

FROM_2 = Progress(2)
ON_TIME, LATE = False, True

DECISIONS: Dict[str, Any] = {
    "early": (SKIP, FROM_2, 20 * S - 1, Wait(20 * S, 2)),
    "exactly due": (SKIP, FROM_2, 20 * S, Capture(2, 20 * S, 0, ON_TIME, Progress(3))),
    "within the tolerance": (
        SKIP,
        FROM_2,
        21 * S,
        Capture(2, 20 * S, S, ON_TIME, Progress(3)),
    ),
    "over the tolerance": (
        SKIP,
        FROM_2,
        21 * S + 1,
        Capture(2, 20 * S, S + 1, LATE, Progress(3)),
    ),
    "half way to the next": (
        SKIP,
        FROM_2,
        25 * S,
        Capture(2, 20 * S, 5 * S, LATE, Progress(3)),
    ),
    "past half way": (
        SKIP,
        FROM_2,
        25 * S + 1,
        Skip(2, 2, Reason.OVERDUE, Progress(3)),
    ),
    "a stall ends near a slot": (
        SKIP,
        FROM_2,
        73 * S,
        Skip(2, 6, Reason.OVERDUE, Progress(7)),
    ),
    "a stall ends between slots": (
        SKIP,
        FROM_2,
        78 * S,
        Skip(2, 7, Reason.OVERDUE, Progress(8)),
    ),
    "a stall ends after the end": (
        SKIP,
        FROM_2,
        10**15,
        Skip(2, 9, Reason.OVERDUE, Progress(10)),
    ),
    "nothing left": (SKIP, Progress(10), 0, Finish()),
    "catch up with few": (
        LatePolicy("catch_up", 3),
        FROM_2,
        46 * S,
        Capture(2, 20 * S, 26 * S, LATE, Progress(3)),
    ),
    "catch up with many": (
        LatePolicy("catch_up", 3),
        FROM_2,
        78 * S,
        Skip(2, 4, Reason.OVERDUE, Progress(5)),
    ),
    "catch up after skipping": (
        LatePolicy("catch_up", 3),
        Progress(5),
        78 * S,
        Capture(5, 50 * S, 28 * S, LATE, Progress(6)),
    ),
    "shift by a stall": (
        SHIFT,
        FROM_2,
        73 * S,
        Capture(2, 20 * S, 53 * S, LATE, Progress(3, 53 * S)),
    ),
    "shift not by jitter": (
        SHIFT,
        FROM_2,
        21 * S,
        Capture(2, 20 * S, S, ON_TIME, Progress(3)),
    ),
    "shifted slots come later": (
        SHIFT,
        Progress(3, 53 * S),
        80 * S,
        Wait(83 * S, 3),
    ),
    "shifts add up": (
        SHIFT,
        Progress(3, 53 * S),
        85 * S,
        Capture(3, 83 * S, 2 * S, LATE, Progress(4, 55 * S)),
    ),
}


@pytest.mark.parametrize(
    ("policy", "progress", "now_ns", "decision"),
    list(DECISIONS.values()),
    ids=list(DECISIONS),
)
def test_decisions(
    policy: LatePolicy, progress: Progress, now_ns: int, decision: Decision
) -> None:
    """Each late policy does what its name says, at and around its borders."""
    assert decide(TEN, policy, progress, now_ns) == decision


@pytest.mark.parametrize(
    ("interval_s", "tolerance_ns"),
    [(0.05, 20 * MS), (0.2, 20 * MS), (3, 300 * MS), (30, S), (3600, S)],
)
def test_lateness_is_judged_by_the_interval(
    interval_s: float, tolerance_ns: int
) -> None:
    """A tenth of the interval is on time, but not under 20 ms nor over a second."""
    laid = grid(interval_s=interval_s, frames=3)
    assert not is_late(laid, 1, tolerance_ns)
    assert is_late(laid, 1, tolerance_ns + 1)


@pytest.mark.parametrize(
    ("progress", "now_ns", "skip"),
    [
        (FROM_2, 20 * S - 1, None),
        (FROM_2, 20 * S, Skip(2, 2, Reason.PAUSED, Progress(3))),
        (FROM_2, 55 * S, Skip(2, 5, Reason.PAUSED, Progress(6))),
        (Progress(2, 7 * S), 55 * S, Skip(2, 4, Reason.PAUSED, Progress(5, 7 * S))),
        (FROM_2, 10**15, Skip(2, 9, Reason.PAUSED, Progress(10))),
        (Progress(10), 10**15, None),
    ],
)
def test_a_pause_skips_what_was_due(
    progress: Progress, now_ns: int, skip: Optional[Skip]
) -> None:
    """A pause skips every slot that was due in it, with its reason, and no other."""
    assert skip_through(TEN, progress, now_ns, Reason.PAUSED) == skip


def test_the_plan_chooses_the_policy() -> None:
    """The policy and its limit are the plan's."""
    fields = {"interval_s": 3, "late": "catch_up", "catch_up_slots": 7}
    plan = parse_plan({"name": "pond", **fields})
    assert late_policy_of(plan) == LatePolicy("catch_up", 7)


# --------------------------------------------------------------------------- restart

WALL = 1_770_000_000 * S
HOUR, YEAR = 3600 * S, 365 * 86400 * S

# Slot 0 was due 5 s after that boot; the clocks were read together 60 s later.
ANCHOR = Anchor("boot a", 5 * S, WALL, 65 * S, wall_trusted=True)
UNTRUSTED = replace(ANCHOR, wall_trusted=False)
LAST_ELAPSED, LAST_WALL = 600 * S, WALL + 540 * S
LIMIT = 180 * S


def after(wall_ns: int, *, trusted: bool = True, boot: str = "boot b") -> ClockReading:
    """Return a reading 20 s after some boot."""
    return ClockReading(boot, 20 * S, wall_ns, trusted)


UNKNOWN = Regained(20 * S - LAST_ELAPSED - 1, unknown_gap=True, how="unknown")

RESTARTS: Dict[str, Any] = {
    "the process was killed": (
        ANCHOR,
        ClockReading("boot a", 700 * S, 0, wall_trusted=False),
        0,
        Regained(5 * S, unknown_gap=False, how="same_boot"),
    ),
    "an hour without power": (
        ANCHOR,
        after(LAST_WALL + HOUR),
        0,
        Regained(20 * S - LAST_ELAPSED - HOUR, unknown_gap=False, how="wall_clock"),
    ),
    "ten years, synchronised": (
        ANCHOR,
        after(LAST_WALL + 10 * YEAR),
        0,
        Regained(
            20 * S - LAST_ELAPSED - 10 * YEAR, unknown_gap=False, how="wall_clock"
        ),
    ),
    "ten years, not synchronised": (
        ANCHOR,
        after(LAST_WALL + 10 * YEAR, trusted=False),
        0,
        NotYet(),
    ),
    "not synchronised in time": (
        ANCHOR,
        after(LAST_WALL + HOUR, trusted=False),
        LIMIT,
        UNKNOWN,
    ),
    "synchronised at the last moment": (
        ANCHOR,
        after(LAST_WALL + HOUR),
        LIMIT,
        Regained(20 * S - LAST_ELAPSED - HOUR, unknown_gap=False, how="wall_clock"),
    ),
    "the wall clock woke up in 1970": (ANCHOR, after(30 * S), 0, NotYet()),
    "it is earlier than the last frame": (ANCHOR, after(LAST_WALL), 0, NotYet()),
    "it stays earlier": (ANCHOR, after(LAST_WALL - 1), LIMIT, UNKNOWN),
    "the run began without the time of day": (
        UNTRUSTED,
        after(LAST_WALL + HOUR),
        0,
        UNKNOWN,
    ),
    "one boot id for two boots": (ANCHOR, after(0, boot="boot a"), LIMIT, UNKNOWN),
}


@pytest.mark.parametrize(
    ("anchor", "reading", "waited_ns", "found"),
    list(RESTARTS.values()),
    ids=list(RESTARTS),
)
def test_restarts(
    anchor: Anchor, reading: ClockReading, waited_ns: int, found: Regain
) -> None:
    """The grid is found by the best clock that can be believed, or after a wait."""
    result = regain(anchor, LAST_ELAPSED, LAST_WALL, reading, waited_ns, LIMIT)
    assert result == found


def test_a_wall_clock_that_contradicts_the_run_is_not_believed() -> None:
    """A time later than the last frame's, but before what has passed, is no guide."""
    reading = after(LAST_WALL + HOUR)
    result = regain(ANCHOR, LAST_ELAPSED + 2 * HOUR, LAST_WALL, reading, 0, LIMIT)
    assert result == NotYet()


def test_a_later_trusted_pair_forgets_a_step_of_the_wall_clock() -> None:
    """After a step of the wall clock the newest trusted pair finds the grid."""
    stepped_wall = WALL + 540 * S + HOUR
    anchor = ANCHOR.with_pair(LAST_ELAPSED, stepped_wall, trusted=True)
    reading = after(stepped_wall + 60 * S)
    result = regain(anchor, LAST_ELAPSED, stepped_wall, reading, 0, LIMIT)
    origin_ns = 20 * S - LAST_ELAPSED - 60 * S
    assert result == Regained(origin_ns, unknown_gap=False, how="wall_clock")


def test_an_untrusted_pair_replaces_no_trusted_one() -> None:
    """What was once known of the time of day is not lost to a guess."""
    assert ANCHOR.with_pair(LAST_ELAPSED, 0, trusted=False) == ANCHOR
    learnt = UNTRUSTED.with_pair(LAST_ELAPSED, LAST_WALL, trusted=True)
    assert learnt.wall_trusted
    assert learnt.wall_at_monotonic_ns == 605 * S
