"""What holds for any grid, any late policy and any course of a run."""

from dataclasses import dataclass
from typing import List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.frame import Reason
from openflexure_timelapse.restart import (
    Anchor,
    ClockReading,
    NotYet,
    Regained,
    regain,
)
from openflexure_timelapse.schedule import (
    Capture,
    Finish,
    Grid,
    GridPhase,
    LatePolicy,
    Progress,
    Skip,
    Wait,
    decide,
    skip_through,
)

MS = 1_000_000
S = 1000 * MS
YEAR = 365 * 86400 * S
MILLION = 1_000_000


@dataclass
class Happening:
    """Something that takes time in a run.

    Attributes
    ----------
    kind : str
        ``visit``: the next visit takes this long; ``stall``: nothing runs for this
        long; ``pause``: a person's pause of this length; ``restart``: like a stall,
        but what was due is skipped as interrupted.
    """

    kind: str
    ns: int


@dataclass
class Fate:
    """How one slot ended, and when it began."""

    slot: int
    reason: Optional[Reason]
    due_ns: int
    began_ns: int


@st.composite
def grids(draw: st.DrawFn, *, endless: bool = False) -> Grid:
    """Draw a grid of up to four phases, laid end to end."""
    phases: List[GridPhase] = []
    first, start = 0, 0
    for _ in range(draw(st.integers(1, 4))):
        interval = draw(st.integers(50 * MS, 100 * S))
        slots = draw(st.integers(1, 40))
        phases.append(GridPhase(first, slots, start, interval))
        first += slots
        # A duration may cut the last interval short.
        cut = draw(st.integers(0, interval - 1))
        start += slots * interval - cut
    if endless:
        last = phases[-1]
        phases[-1] = GridPhase(last.first_slot, None, last.start_ns, last.interval_ns)
        return Grid(tuple(phases), None)
    return Grid(tuple(phases), start)


happenings = st.lists(
    st.builds(
        Happening,
        st.sampled_from(["visit", "stall", "pause", "restart"]),
        st.one_of(st.integers(0, 2 * S), st.integers(0, 1000 * S)),
    ),
    max_size=30,
)
policies = st.one_of(
    st.just(LatePolicy("skip")),
    st.just(LatePolicy("shift")),
    st.builds(LatePolicy, st.just("catch_up"), st.integers(1, 10)),
)


def live(
    grid: Grid, policy: LatePolicy, course: List[Happening]
) -> Tuple[List[Fate], List[Progress]]:
    """Run a schedule to its end as the engine does, on a clock of our own."""
    now, progress, course = -S, Progress(0), list(course)
    fates: List[Fate] = []
    steps = [progress]
    while True:
        happening = course.pop() if course else Happening("visit", 0)
        if happening.kind != "visit":
            now += happening.ns
            reason = {"pause": Reason.PAUSED, "restart": Reason.INTERRUPTED}
            if happening.kind in reason:
                skip = skip_through(grid, progress, now, reason[happening.kind])
                progress = progress if skip is None else note(grid, skip, fates)
                steps.append(progress)
            continue
        decision = decide(grid, policy, progress, now)
        if isinstance(decision, Finish):
            return fates, steps
        if isinstance(decision, Wait):
            assert decision.until_ns > now
            now = decision.until_ns
            course.append(happening)
        elif isinstance(decision, Skip):
            progress = note(grid, decision, fates)
        else:
            fates.append(Fate(decision.slot, None, decision.due_ns, now))
            assert decision.lateness_ns == now - decision.due_ns
            progress = decision.progress
            now += happening.ns
        steps.append(progress)


def note(grid: Grid, skip: Skip, fates: List[Fate]) -> Progress:
    """Write down each slot of a skip."""
    for slot in range(skip.first, skip.last + 1):
        due_ns = skip.progress.shift_ns + grid.due_ns(slot)
        fates.append(Fate(slot, skip.reason, due_ns, due_ns))
    return skip.progress


@given(grids(), policies, happenings)
def test_every_slot_has_one_fate(
    grid: Grid, policy: LatePolicy, course: List[Happening]
) -> None:
    """Whatever happens, each slot ends exactly once, in order, none before its due."""
    fates, _ = live(grid, policy, course)
    assert [fate.slot for fate in fates] == list(range(grid.slots or 0))
    assert all(fate.began_ns >= fate.due_ns for fate in fates)


@given(grids(), policies, happenings)
def test_only_shift_moves_the_grid(
    grid: Grid, policy: LatePolicy, course: List[Happening]
) -> None:
    """Due times are the grid's; with `shift` later by what only ever grows."""
    fates, steps = live(grid, policy, course)
    shifts = [step.shift_ns for step in steps]
    assert shifts == sorted(shifts)
    if policy.kind != "shift":
        assert shifts[-1] == 0
    for fate in fates:
        assert fate.due_ns - grid.due_ns(fate.slot) in set(shifts)


@given(grids(), policies, happenings)
def test_skipping_has_its_reason(
    grid: Grid, policy: LatePolicy, course: List[Happening]
) -> None:
    """`skip` never bursts, `shift` never finds a slot overdue."""
    fates, _ = live(grid, policy, course)
    if policy.kind == "shift":
        assert all(fate.reason is not Reason.OVERDUE for fate in fates)
    if policy.kind == "skip":
        for fate in fates:
            if fate.reason is None:
                late_ns = fate.began_ns - fate.due_ns
                assert late_ns * 2 <= grid.interval_at(fate.slot)


@given(grids(), st.integers(1, 10), happenings)
def test_catching_up_has_its_limit(
    grid: Grid, limit: int, course: List[Happening]
) -> None:
    """No slot is begun with more than the limit of slots overdue, itself included."""
    fates, _ = live(grid, LatePolicy("catch_up", limit), course)
    for fate in fates:
        if fate.reason is not None:
            continue
        newest = grid.last_due_at(fate.began_ns)
        lateness_ns = fate.began_ns - grid.due_ns(newest)
        still_fine = lateness_ns * 2 <= grid.interval_at(newest)
        overdue = newest - fate.slot + (0 if still_fine else 1)
        assert overdue <= limit


@given(grids(), policies)
def test_nothing_is_skipped_when_nothing_happens(
    grid: Grid, policy: LatePolicy
) -> None:
    """With instant visits every slot begins at its due time."""
    fates, _ = live(grid, policy, [])
    assert all(fate.reason is None for fate in fates)
    assert [fate.began_ns for fate in fates] == [
        grid.due_ns(slot) for slot in range(grid.slots or 0)
    ]


@given(st.one_of(grids(), grids(endless=True)), st.integers(-S, 10**15))
def test_the_newest_due_slot_is_the_newest(grid: Grid, elapsed_ns: int) -> None:
    """The slot found is due, and the one after it is not."""
    slot = grid.last_due_at(elapsed_ns)
    if slot >= 0:
        assert grid.due_ns(slot) <= elapsed_ns
    if slot + 1 != grid.slots:
        assert grid.due_ns(slot + 1) > elapsed_ns


@given(st.one_of(grids(), grids(endless=True)), st.integers(0, 150))
def test_due_times_rise(grid: Grid, slot: int) -> None:
    """Each slot is due after the one before it, by its interval, in whole numbers."""
    if grid.slots is not None:
        slot %= grid.slots
    due_ns, interval_ns = grid.due_ns(slot), grid.interval_at(slot)
    assert isinstance(due_ns, int)
    assert interval_ns > 0
    if slot + 1 != grid.slots:
        assert grid.due_ns(slot + 1) == due_ns + interval_ns


@given(st.integers(50 * MS, 100 * S), st.integers(0, MILLION))
def test_a_million_slots_do_not_drift(interval_ns: int, slot: int) -> None:
    """Far out, a due time is still the exact product."""
    grid = Grid((GridPhase(0, MILLION + 1, 0, interval_ns),), None)
    assert grid.due_ns(slot) == slot * interval_ns
    assert grid.last_due_at(slot * interval_ns) == slot
    assert grid.last_due_at(slot * interval_ns - 1) == slot - 1


@pytest.mark.parametrize("kind", ["skip", "shift"])
def test_jitter_within_the_tolerance_moves_nothing(kind: str) -> None:
    """A hundred thousand wake-ups, each a little late, leave the grid where it was."""
    grid = Grid((GridPhase(0, 100_000, 0, 100 * MS),), None)
    policy = LatePolicy("skip") if kind == "skip" else LatePolicy("shift")
    progress = Progress(0)
    for slot in range(100_000):
        decision = decide(grid, policy, progress, slot * 100 * MS + slot % (20 * MS))
        assert isinstance(decision, Capture)
        progress = decision.progress
    assert progress == Progress(100_000)


# --------------------------------------------------------------------------- restart

walls = st.integers(0, 100 * YEAR)
times = st.integers(0, YEAR)
anchors = st.builds(
    Anchor, st.sampled_from(["a", "b"]), times, walls, times, st.booleans()
)
readings = st.builds(
    ClockReading, st.sampled_from(["a", "b"]), times, walls, st.booleans()
)


@given(anchors, readings, st.integers(-S, YEAR), walls, times, times)
def test_a_restart_never_goes_back(  # noqa: PLR0913, PLR0917 (all of it is evidence)
    anchor: Anchor,
    reading: ClockReading,
    last_elapsed_ns: int,
    last_wall_ns: int,
    waited_ns: int,
    limit_ns: int,
) -> None:
    """The present is never placed before what is on record, and waiting has an end."""
    found = regain(anchor, last_elapsed_ns, last_wall_ns, reading, waited_ns, limit_ns)
    if isinstance(found, NotYet):
        assert waited_ns < limit_ns
        return
    assert reading.monotonic_ns - found.origin_monotonic_ns >= last_elapsed_ns
    assert found.unknown_gap == (found.how == "unknown")
    if found.how == "wall_clock":
        assert reading.wall_trusted
        assert anchor.wall_trusted


@given(times, walls, times, times, times)
def test_a_believable_wall_clock_finds_the_exact_grid(
    origin_ns: int, wall_ns: int, ran_ns: int, off_ns: int, booted_ns: int
) -> None:
    """With an honest wall clock the time without power is found to the nanosecond."""
    anchor = Anchor("a", origin_ns, wall_ns, origin_ns, wall_trusted=True)
    passed_ns = ran_ns + 1 + off_ns
    reading = ClockReading("b", booted_ns, wall_ns + passed_ns, wall_trusted=True)
    found = regain(anchor, ran_ns, wall_ns + ran_ns, reading, 0, S)
    assert isinstance(found, Regained)
    assert booted_ns - found.origin_monotonic_ns == passed_ns
    assert not found.unknown_gap
