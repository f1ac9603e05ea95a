"""Disks that are full, over a quota, without inodes, read-only, failing, or pulled."""

import os
import random
import statistics
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from campaigns import disk_forecast, disk_quota, disk_verbs
from campaigns.disk_run import DiskRun, Story
from campaigns.disk_strike import AT_END, IN_FRAME, INTERVAL, Attack, one_trial
from campaigns.findings import Cell, Findings, Table
from campaigns.small_disk import CannotMountError

__all__ = ["ATTACKS", "TRIALS", "attack"]

TRIALS = 12
COLUMNS = (
    "attack",
    "trials",
    "frames acknowledged",
    "lost",
    "altered",
    "slots without outcome",
    "told within a slot",
    "goes on after, slots (median, worst)",
)


def _fill(run: DiskRun, chance: random.Random) -> None:
    """Leave less than a frame."""
    run.disk.fill(chance.choice([0, 5_000, 15_000]))


def _clear(run: DiskRun) -> None:
    """Give the space back."""
    run.disk.clear()


def _use_up_names(run: DiskRun, chance: random.Random) -> None:
    """Leave room for bytes and none for files."""
    del chance
    run.disk.use_up_names()


def _fail(run: DiskRun, chance: random.Random) -> None:
    """Let writes fail."""
    del chance
    run.disk.fail()


def _mend(run: DiskRun) -> None:
    """Let them work again."""
    run.disk.mend()


def _turn_read_only(run: DiskRun, chance: random.Random) -> None:
    """Let writes fail until the kernel makes the file system read-only."""
    del chance
    run.disk.fail()
    for _ in range(2):
        os.sync()


def _mount_again(run: DiskRun) -> None:
    """Unmount, mend and mount, as a person does: nothing may hold it."""
    run.disk.unmount()
    run.disk.mend()
    _put_back(run)


def _pull(run: DiskRun, chance: random.Random) -> None:
    """Take it out, with or without having unmounted it, all or not all on it."""
    if chance.random() < 0.5:  # noqa: PLR2004 (a coin)
        os.sync()
    run.disk.pull(dead=chance.random() < 0.5)  # noqa: PLR2004 (a coin)


def _put_back(run: DiskRun) -> None:
    """Put it back; its place must be as empty as it was."""
    left = sorted(item.name for item in run.disk.point.rglob("*"))
    if left:
        told = f"written into the empty mount point: {', '.join(left)}"
        run.story.broken.append(told)
    run.disk.mount()


ATTACKS: Dict[str, Attack] = {
    "others": Attack("somebody else fills it at once", _fill, _clear, "disk_full"),
    "at_end": Attack(
        "the same at the last frame, or before `frames.csv`",
        _fill,
        _clear,
        "disk_full",
        AT_END,
    ),
    "inodes": Attack(
        "no inodes are left",
        _use_up_names,
        _clear,
        "disk_full",
        options=("-N", "400"),
    ),
    "io_error": Attack(
        "the device reports errors",
        _fail,
        _mend,
        "disk_error",
        (INTERVAL, *IN_FRAME, AT_END[0]),
        options=("-O", "^has_journal", "-e", "continue"),
        needs_errors=True,
    ),
    "read_only": Attack(
        "it turns read-only, and is mounted anew",
        _turn_read_only,
        _mount_again,
        "disk_error",
        (INTERVAL, *IN_FRAME, AT_END[0]),
        options=("-e", "remount-ro"),
        needs_errors=True,
    ),
    "pulled": Attack(
        "the card is pulled and put back",
        _pull,
        _put_back,
        "disk_error",
        (INTERVAL, *IN_FRAME, AT_END[0]),
    ),
}


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Attack `trials` times in each way.

    Parameters
    ----------
    trials : int
        Of each attack.
    seed : int
        The same seed does the same.
    work : Path
        A folder in which small disks are made; it must be on ext4 for errors of the
        device.
    """
    rows: List[Tuple[Cell, ...]] = []
    broken: List[str] = []
    notes: List[str] = []
    for name, kind in ATTACKS.items():
        stories: List[Story] = []
        for trial in range(trials):
            chance = random.Random(f"{seed}-{name}-{trial}")
            try:
                story = one_trial(kind, chance, work / f"{name}-{trial}")
            except CannotMountError as exc:
                notes.append(f"Not tried here: {kind.title}. {exc}")
                break
            stories.append(story)
            broken += [f"{name}, trial {trial}: {told}" for told in story.broken]
        if stories:
            rows.append(_row(kind.title, stories))
    tables = [Table(COLUMNS, tuple(rows))]
    for found in (
        disk_quota.attack(trials, seed, work),
        disk_forecast.attack(max(1, trials // 3), seed, work),  # each is a whole run
        disk_verbs.attack(max(1, trials // 3), seed, work),
    ):
        tables += found.tables
        broken += found.broken
        notes += found.notes
    return Findings(tuple(tables), tuple(broken), tuple(notes))


def _row(title: str, stories: Sequence[Story]) -> Tuple[Cell, ...]:
    """Return the figures of one attack."""
    waits = [
        story.went_on_after_slots
        for story in stories
        if story.went_on_after_slots is not None
    ]
    told = sum(not any("status" in line for line in s.broken) for s in stories)
    went_on = f"{statistics.median(waits):.2f}, {max(waits):.2f}" if waits else "at end"
    return (
        title,
        len(stories),
        sum(len(story.acknowledged) for story in stories),
        sum(story.lost for story in stories),
        sum(story.altered for story in stories),
        sum(story.without_outcome for story in stories),
        f"{told} of {len(stories)}",
        went_on,
    )
