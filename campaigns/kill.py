"""Kill -9 of the process that records: at random moments, and at every write."""

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import List, Sequence, Tuple, Union

import cv2

from campaigns.findings import Cell, Findings, Table
from campaigns.kill_audit import PHASES
from campaigns.kill_commands import CommandTrial, command_trial
from campaigns.kill_trials import Pace, Trial, random_trial, warm_up
from campaigns.kill_writes import DEEDS, trials_of

__all__ = ["TRIALS", "attack"]

TRIALS = 1000
ALL_WRITES = 1000
"""From so many trials on, every boundary is killed at."""
COLUMNS = (
    "killed",
    "trials",
    "kills",
    "frames acknowledged before a kill",
    "lost",
    "altered",
    "doubled",
    "slots without one outcome",
    "off the grid",
    "stray files",
)
FIGURES = ("lost", "altered", "doubled", "without_outcome", "off_grid", "stray")


@dataclass
class Row:
    """The figures of one way to kill."""

    name: str
    seed: int
    trials: int = 0
    kills: int = 0
    frames: int = 0
    phases: "Counter[str]" = field(default_factory=Counter)
    wrong: "Counter[str]" = field(default_factory=Counter)
    broken: List[str] = field(default_factory=list)

    def add(self, trial: Union[Trial, CommandTrial]) -> None:
        """Count a trial; remove its folder."""
        account = trial.account
        self.trials += 1
        self.kills += trial.kills
        self.frames += account.before_kill
        self.phases.update(account.phases)
        for name in FIGURES:
            self.wrong[name] += getattr(account.losses, name)
        where = f"{self.name}, trial {trial.folder.name} of seed {self.seed}"
        self.broken += [f"{where}: {said}." for said in account.losses.broken]
        shutil.rmtree(str(trial.folder))

    def cells(self) -> Tuple[Cell, ...]:
        """Return the row as the page shows it."""
        figures = tuple(self.wrong[name] for name in FIGURES)
        return (self.name, self.trials, self.kills, self.frames, *figures)


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Kill so many processes at random, at their writes and on the command line.

    Parameters
    ----------
    trials : int
        Runs that are killed at random moments. From `ALL_WRITES` on every write is
        killed at as well, below that a hundredth of so many of each deed; and the
        command line is killed for each 25 of them.
    seed : int
        Repeats the runs and the draws; when a process is at which point is the
        machine's own.
    work : Path
        Receives the runs.
    """
    threads = cv2.getNumThreads()
    # A child that is forked has no threads, and would wait for OpenCV's.
    cv2.setNumThreads(1)
    warm_up(work / "warm")
    try:
        rows = [
            _at_random(trials, seed, work / "random"),
            *_at_writes(trials, seed, work),
            _on_the_command_line(trials, seed, work / "commands"),
        ]
    finally:
        cv2.setNumThreads(threads)
    return _findings(rows)


def _findings(rows: Sequence[Row]) -> Findings:
    """Return the rows as the page shows them."""
    phases: "Counter[str]" = sum((row.phases for row in rows), Counter())
    return Findings(
        tables=(
            Table(COLUMNS, tuple(row.cells() for row in rows)),
            Table(
                ("phase of the run when killed", "kills"),
                tuple((phase, phases[phase]) for phase in PHASES),
            ),
        ),
        broken=tuple(said for row in rows for said in row.broken),
    )


def _at_random(trials: int, seed: int, folder: Path) -> Row:
    """Kill at random moments."""
    row, pace = Row("at a random moment", seed), Pace()
    for number in range(trials):
        chance = Random(f"{seed} random {number}")
        row.add(random_trial(folder / str(number), chance, pace))
    return row


def _at_writes(trials: int, seed: int, work: Path) -> List[Row]:
    """Kill at the boundaries of writes."""
    limit = 10**6 if trials >= ALL_WRITES else max(1, trials // 100)
    rows = []
    for name, deed in DEEDS.items():
        row = Row(f"at each write of: {name}", seed)
        chance = Random(f"{seed} {name}")
        for trial in trials_of(deed, work / name.replace(" ", "-"), limit, chance):
            row.add(trial)
        rows.append(row)
    return rows


def _on_the_command_line(trials: int, seed: int, folder: Path) -> Row:
    """Kill the command line in a process of its own."""
    row = Row("the command line, with its movies", seed)
    for number in range(max(1, trials // 25)):
        chance = Random(f"{seed} command {number}")
        row.add(command_trial(folder / str(number), chance))
    return row
