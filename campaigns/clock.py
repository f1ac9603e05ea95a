"""The clock lies, jumps and is unknown: no burst, no stop, honest times.

Each trial is a run on a virtual clock, in one process or two, whose time of day, trust
and zone are changed at random moments; the truth of every exposure is kept beside it.
"""

import shutil
from functools import partial
from pathlib import Path
from random import Random
from typing import List, Optional, Tuple

from campaigns.clock_cases import CASES, Case, Happening, Part
from campaigns.clock_checks import ClockTally, Lived, check
from campaigns.findings import Cell, Findings, Table
from campaigns.real_clock import COLUMNS as REAL_COLUMNS
from campaigns.real_clock import attack_real_clock
from campaigns.rehearsal import PowerCutError, Rehearsal
from campaigns.tally import each_in_turn, fallen
from campaigns.wandering_clock import NS_PER_S, WanderingClock
from hardware_sim.faults import Fault
from openflexure_timelapse.run_state import RunState

__all__ = ["TRIALS", "attack"]

TRIALS = 600
FIRST_MONOTONIC_NS = 7 * NS_PER_S
LOOKS_PER_SLOT = 3
COLUMNS = (
    "clock",
    "trials",
    "slots",
    "captured",
    "missed, with reason",
    "without",
    "doubled",
    "bursts",
    "off the grid, ms",
    "wrong EXIF",
    "gaps told unknown",
    "not told",
)


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Attack so many runs, each kind of attack in its turn."""
    tallies = each_in_turn(CASES, ClockTally, _try, trials, seed, work)
    broken = fallen(tallies)
    rows = tuple(_row(name, tally) for name, tally in tallies.items() if tally.trials)
    tables = [Table(COLUMNS, rows)]
    notes: List[str] = []
    if trials >= TRIALS:
        real, fell, notes = attack_real_clock(work)
        tables.append(Table(REAL_COLUMNS, tuple(real)))
        broken += fell
    return Findings(tuple(tables), tuple(broken), tuple(notes))


def _row(name: str, tally: ClockTally) -> Tuple[Cell, ...]:
    """Return an attack's line of the table."""
    return (
        name,
        tally.trials,
        tally.slots,
        tally.captured,
        tally.missed - tally.reasonless,
        tally.reasonless,
        tally.doubled,
        tally.bursts,
        round(tally.off_grid_ns / 1e6, 3),
        tally.wrong_exif,
        tally.unknown_gaps,
        tally.silent,
    )


def _try(tally: ClockTally, name: str, key: str, folder: Path) -> None:
    """Make one trial."""
    random = Random(f"{name}/{key}")
    case = CASES[name](random)
    folder.mkdir(parents=True)
    run = Rehearsal(folder, case.plan, random.randrange(1000), "empty")
    lived: List[Lived] = []
    end: Optional[RunState] = None
    before: Optional[WanderingClock] = None
    for number, part in enumerate(case.parts):
        clock = _clock_of(part, case, number, before)
        first_look = len(run.seen)
        end = _live(run, part, clock)
        origin_ns = _origin_true_ns(case, number, lived, clock)
        lived.append(Lived(clock, origin_ns, range(first_look, len(run.seen))))
        before = clock
        if end is not None and end.end_reason is not None:
            break
    with tally.trial(key):
        check(tally, case, run, lived, end)
    shutil.rmtree(folder)


def _clock_of(
    part: Part, case: Case, number: int, before: Optional[WanderingClock]
) -> WanderingClock:
    """Return the clock of a process."""
    true_ns = int(case.true_start_s * NS_PER_S)
    monotonic_ns = FIRST_MONOTONIC_NS * (number + 1) + number  # no time occurs twice
    boot = f"boot-{number}"
    if before is not None:
        down_ns = int(part.after_s * NS_PER_S)
        true_ns = before.true_ns(before.monotonic_ns()) + down_ns
        if part.same_boot:
            boot = before.boot_id()
            monotonic_ns = before.monotonic_ns() + down_ns
    error_ns = int(part.error_s * NS_PER_S)
    return WanderingClock(
        true_ns, error_ns, boot, part.zone, part.trusted, monotonic_ns
    )


def _origin_true_ns(
    case: Case, number: int, lived: List[Lived], clock: WanderingClock
) -> Optional[int]:
    """Return the true time of slot 0, where a process has to know it."""
    if number == 0 and case.plan.get("start_at") is None:
        return clock.true_ns(FIRST_MONOTONIC_NS)
    if number == 0 or case.gap != "exact":
        return None
    return lived[0].origin_true_ns


def _live(run: Rehearsal, part: Part, clock: WanderingClock) -> Optional[RunState]:
    """Let a process live."""
    begun_ns = clock.monotonic_ns()
    slow = Fault("camera_late", nth=part.slow, amount=part.slow_s)
    engine = run.begin(clock, [slow] if part.slow else [])
    for happening in part.happenings:
        at_ns = begun_ns + int(happening.at_s * NS_PER_S)
        clock.call_at(at_ns, partial(_happen, clock, happening))
    if part.leaves_s is not None:
        end = _cut if part.is_cut else engine.leave
        clock.call_at(begun_ns + int(part.leaves_s * NS_PER_S), end)
    interval_s = float(run.plan.interval_s or 1)
    looks = LOOKS_PER_SLOT * ((run.plan.frames or 0) + 60)
    for look in range(looks):
        at_s = (look + 0.37) * interval_s / LOOKS_PER_SLOT
        clock.call_at(begun_ns + int(at_s * NS_PER_S), run.look)
    return run.run()


def _happen(clock: WanderingClock, happening: Happening) -> None:
    """Do something to the clock."""
    if happening.what == "step":
        clock.step(int(happening.amount * NS_PER_S))
    elif happening.what == "zone":
        clock.move_to(happening.zone)
    elif happening.what == "synchronise":
        clock.synchronise()
    else:
        clock.trust(happening.what == "trust")


def _cut() -> None:
    """Cut the power."""
    raise PowerCutError
