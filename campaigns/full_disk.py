"""Disks that are full, over a quota, without inodes, read-only, failing, or pulled."""

import os
import random
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

from campaigns import disk_forecast, disk_verbs
from campaigns.disk_run import INTERVAL_S, DiskRun, Story, any_size, audit
from campaigns.findings import Cell, Findings, Table
from campaigns.small_disk import CannotMountError, small_disk

__all__ = ["ATTACKS", "TRIALS", "Attack", "attack", "one_trial"]

TRIALS = 12
SLOTS = 16
IN_FRAME = ("before", "within", "after")
INTERVAL = "interval"
AT_END = ("last frame", "frames.csv")
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


@dataclass(frozen=True)
class Attack:
    """One thing that happens to a disk, and is taken back.

    Attributes
    ----------
    title : str
        For the table.
    strike, mend : callable
        Do it and undo it.
    pause_reason : str
        What the status must say.
    moments : tuple of str
        When it may happen.
    kind : str
        Of the file system.
    kilobytes : int
        Of the disk.
    options : tuple of str
        Of the making of the file system.
    """

    title: str
    strike: Callable[[DiskRun, random.Random], None]
    mend: Callable[[DiskRun], None]
    pause_reason: str
    moments: Tuple[str, ...] = (INTERVAL, *IN_FRAME)
    kind: str = "ext4"
    kilobytes: int = 24_000
    options: Tuple[str, ...] = ()


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


def _set_quota(run: DiskRun, chance: random.Random) -> None:
    """Let the quota end at once, or soon."""
    run.disk.limit(chance.choice([0, 30_000, 200_000]))


def _lift_quota(run: DiskRun) -> None:
    """Take it away."""
    run.disk.limit(None)


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
    """Unmount, mend and mount, as a person does."""
    run.disk.pull(dead=False)
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
    "quota": Attack(
        "a quota ends (btrfs)",
        _set_quota,
        _lift_quota,
        "disk_full",
        kind="btrfs",
        kilobytes=130_000,
    ),
    "io_error": Attack(
        "the device reports errors",
        _fail,
        _mend,
        "disk_error",
        (INTERVAL, *IN_FRAME, AT_END[0]),
        options=("-O", "^has_journal", "-e", "continue"),
    ),
    "read_only": Attack(
        "it turns read-only, and is mounted anew",
        _turn_read_only,
        _mount_again,
        "disk_error",
        (INTERVAL, *IN_FRAME, AT_END[0]),
        options=("-e", "remount-ro"),
    ),
    "pulled": Attack(
        "the card is pulled and put back",
        _pull,
        _put_back,
        "disk_error",
        (INTERVAL, *IN_FRAME, AT_END[0]),
    ),
}


def one_trial(attack: Attack, chance: random.Random, place: Path) -> Story:
    """Do it once, at a time that `chance` chooses, and see what became of the run."""
    with small_disk(place, attack.kilobytes, attack.kind, attack.options) as disk:
        positions = [
            {"name": f"p{n}", "x": n, "y": 0, "z": 0}
            for n in range(chance.randint(1, 3))
        ]
        sizes = any_size(chance, 20_000, 150_000)
        run = DiskRun(disk, sizes, frames=SLOTS, positions=positions)
        moment = chance.choice(attack.moments)
        struck = _arm(run, attack, chance, moment, len(positions))
        run.run()
        if run.disk.others_can_write() is False:
            run.story.broken.append("the disk was not given back by the attack")
        story = audit(run, struck.get("back_s"))
        _judge(run, story, attack, struck)
        story.broken = [f"{moment}: {told}" for told in story.broken]
    return story


def _arm(
    run: DiskRun,
    attack: Attack,
    chance: random.Random,
    moment: str,
    frames_per_slot: int,
) -> Dict[str, float]:
    """Let the attack happen at its moment; return when it did, once it has."""
    lasts_s = chance.uniform(1.3, 4.0) * INTERVAL_S
    struck: Dict[str, float] = {}

    def strike() -> None:
        if struck:
            return
        struck["at_s"] = run.now_s
        struck["back_s"] = run.now_s + lasts_s
        attack.strike(run, chance)
        run.at(run.now_s + INTERVAL_S + 1, run.look)
        run.at(struck["back_s"], lambda: attack.mend(run))

    slot = chance.randrange(2, SLOTS - 7)
    if moment == INTERVAL:
        run.at(slot * INTERVAL_S + chance.uniform(1, INTERVAL_S - 1), strike)
    elif moment in IN_FRAME:
        run.port.at = slot * frames_per_slot + chance.randrange(frames_per_slot)
        run.port.where, run.port.strike = moment, strike
    elif moment == "last frame":
        run.port.at = SLOTS * frames_per_slot - 1
        run.port.where, run.port.strike = chance.choice(IN_FRAME), strike
    else:
        run.at_last_frame(SLOTS * frames_per_slot, strike)
    return struck


def _judge(
    run: DiskRun, story: Story, attack: Attack, struck: Dict[str, float]
) -> None:
    """See that the status told the truth, and that the run came to its end."""
    if not struck:
        story.broken.append("the attack never happened")
        return
    # A run that needed no more than it had has ended before anybody looked.
    status = story.told[0][1] if story.told else run.engine.status()
    phase, reason = status.phase.value, status.pause_reason
    said = reason.value if reason is not None else phase
    if (phase == "paused" and said != attack.pause_reason) or phase == "running":
        story.broken.append(f"the status said {said} instead of {attack.pause_reason}")
    if phase != "ended" and not status.warnings:
        story.broken.append(f"the status had no warning while it was {said}")
    ended = run.engine.status()
    if ended.end_reason is None or ended.end_reason.value != "completed":
        story.broken.append(f"the run ended as {ended.end_reason}: {ended.detail}")
    if not run.engine.closed:
        story.broken.append("the end of the run is not on record")
    if not (run.folder / "frames.csv").is_file():
        story.broken.append("frames.csv is missing")
    others = sorted(item.name for item in run.data.iterdir() if item.name != "run")
    if others:
        story.broken.append(f"stray files: {', '.join(others)}")


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
    parts = [disk_forecast.attack, disk_verbs.attack]
    tables = [Table(COLUMNS, tuple(rows))]
    for part in parts:
        found = part(trials, seed, work)
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
