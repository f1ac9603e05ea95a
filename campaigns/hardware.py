"""The hardware hangs, lies and is taken away: the run goes on and says so.

Each trial is a run on the simulated microscope with faults at random moments; what was
true of each picture is kept beside it and compared.
"""

import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Callable, List, Tuple
from unittest import mock

from campaigns.findings import Cell, Findings, Table
from campaigns.hardware_cases import CASES, Case
from campaigns.hardware_checks import HardwareTally, check
from campaigns.hung_calls import hang
from campaigns.rehearsal import NS_PER_S, Rehearsal
from campaigns.short_memory import COLUMNS as STARVED_COLUMNS
from campaigns.short_memory import starve
from campaigns.tally import each_in_turn, fallen
from hardware_sim.clock import VirtualClock
from openflexure_timelapse import quality
from openflexure_timelapse.hosts.system import MOST_STUCK
from openflexure_timelapse.store import run_store

__all__ = ["TRIALS", "attack"]

TRIALS = 600
HUNG_CALLS = 500
STARVED = 20
MOST_DESCRIPTORS = 30
HANGS = {
    "hung until reset, real threads": True,
    "hung whatever is done, real threads": False,
}
HUNG_COLUMNS = (
    "camera",
    "calls that hung",
    "slots",
    "captured",
    "most threads more",
    "most descriptors more",
    "left open",
    "visits lost after the end",
    "microscope free",
    "told all the while",
)
LOOKS_PER_SLOT = 20
START_WALL_NS = 1_795_420_800 * NS_PER_S
COLUMNS = (
    "what fails",
    "trials",
    "slots",
    "captured",
    "missed, with reason",
    "without",
    "frames flagged",
    "bad, not flagged",
    "told within, slots",
    "not told",
    "slots lost after the end",
    "later frames harmed",
    "off place, µm",
)


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Attack so many runs, each kind of fault in its turn."""
    tallies = each_in_turn(CASES, HardwareTally, _try, trials, seed, work)
    broken = fallen(tallies)
    rows = tuple(_row(name, tally) for name, tally in tallies.items() if tally.trials)
    tables = [Table(COLUMNS, rows)]
    if HANGS:
        hung, fell = _hang(max(6, trials * HUNG_CALLS // TRIALS), work)
        tables.append(hung)
        broken += fell
    if STARVED:
        row, fell = starve(max(1, trials * STARVED // TRIALS), seed, work)
        tables.append(Table(STARVED_COLUMNS, (row,)))
        broken += fell
    return Findings(tuple(tables), tuple(broken))


def _hang(calls: int, work: Path) -> Tuple[Table, List[str]]:
    """Let calls hang on real threads."""
    rows: List[Tuple[Cell, ...]] = []
    fell: List[str] = []
    for name, is_reset in HANGS.items():
        folder = work / f"hung-{is_reset}"
        found = hang(folder, calls, is_reset=is_reset, lasts_slots=calls)
        rows.append((name, *vars(found).values()))
        if found.threads > MOST_STUCK + 1 or found.descriptors > MOST_DESCRIPTORS:
            fell.append(f"{name}: threads or descriptors pile up: {found}.")
        if found.left_open or not found.is_free or not found.warned:
            fell.append(f"{name}: left behind or untold: {found}.")
        if found.lost_after > 1:
            fell.append(f"{name}: {found.lost_after} visits lost after it was mended.")
    return Table(HUNG_COLUMNS, tuple(rows)), fell


def _row(name: str, tally: HardwareTally) -> Tuple[Cell, ...]:
    """Return an attack's line of the table."""
    return (
        name,
        tally.trials,
        tally.slots,
        tally.captured,
        tally.missed - tally.reasonless,
        tally.reasonless,
        tally.flagged,
        tally.unflagged,
        tally.told_slots,
        tally.untold,
        tally.first_good,
        tally.harmed,
        tally.off_um,
    )


def _try(tally: HardwareTally, name: str, key: str, folder: Path) -> None:
    """Make one trial."""
    random = Random(f"{name}/{key}")
    case = CASES[name](random)
    folder.mkdir(parents=True)
    clock = VirtualClock(START_WALL_NS, "boot")
    run = Rehearsal(folder, case.plan, random.randrange(1000), case.scene)
    engine = run.begin(clock, case.faults)
    light = run.microscope.light.level()
    for visitor in case.visitors:
        at_ns = int(visitor.at_s * NS_PER_S)
        clock.call_at(at_ns, partial(run.microscope.stage.move_by, visitor.steps))
    interval_s = float(run.plan.interval_s or 1)
    for look in range(LOOKS_PER_SLOT * ((run.plan.frames or 0) + 4)):
        at_s = (look + 0.37) * interval_s / LOOKS_PER_SLOT
        clock.call_at(int(at_s * NS_PER_S), run.look)
    with _short_of_memory(case, clock, random, run):
        end = run.run()
    run.look()
    with tally.trial(key):
        if end is None or not engine.closed:
            tally.fell("The run was not closed.")
        else:
            check(tally, case, run, light, end)
    shutil.rmtree(folder)


def _short_of_memory(
    case: Case, clock: VirtualClock, random: Random, run: Rehearsal
) -> ExitStack:
    """Let pieces of work find no memory for a while."""
    stack = ExitStack()
    if case.no_memory is None:
        return stack
    from_s, to_s = case.no_memory

    def short(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        now_s = clock.monotonic_ns() / NS_PER_S
        if from_s <= now_s < to_s and random.random() < 0.5:  # noqa: PLR2004
            raise MemoryError
        return work(*args, **kwargs)

    owners: Tuple[Tuple[Any, str], ...] = (
        (run.microscope.camera, "capture"),
        (quality, "inspect"),
        (run_store, "with_exif"),
        (run.engine._store, "record"),  # noqa: SLF001 - what it writes with
    )
    for owner, name in owners:
        work = partial(short, getattr(owner, name))
        stack.enter_context(mock.patch.object(owner, name, work))
    return stack
