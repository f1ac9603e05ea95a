"""One thing that happens to the disk of a run at a moment that chance chooses."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Optional, Tuple

from campaigns.disk_run import INTERVAL_S, DiskRun, Story, any_size, audit
from campaigns.small_disk import SmallDisk, small_disk

__all__ = [
    "AT_END",
    "INTERVAL",
    "IN_FRAME",
    "SLOTS",
    "Attack",
    "one_trial",
    "struck_run",
]

SLOTS = 16
IN_FRAME = ("before", "within", "after")
INTERVAL = "interval"
AT_END = ("last frame", "frames.csv")


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
    needs_errors : bool
        Whether the device must be able to fail.
    """

    title: str
    strike: Callable[[DiskRun, random.Random], None]
    mend: Callable[[DiskRun], None]
    pause_reason: str
    moments: Tuple[str, ...] = (INTERVAL, *IN_FRAME)
    kind: str = "ext4"
    kilobytes: int = 24_000
    options: Tuple[str, ...] = ()
    needs_errors: bool = False


def one_trial(attack: Attack, chance: random.Random, place: Path) -> Story:
    """Do it once, at a time that `chance` chooses, and see what became of the run."""
    with small_disk(place, attack.kilobytes, attack.kind, attack.options) as disk:
        if attack.needs_errors:
            disk.check_can_fail()
        return struck_run(attack, chance, disk)


def struck_run(
    attack: Attack,
    chance: random.Random,
    disk: SmallDisk,
    diary: Optional[Path] = None,
) -> Story:
    """Do it once on a disk that is mounted.

    Parameters
    ----------
    attack, chance, disk
        What, when and where.
    diary : Path or None
        A file to which each acknowledged frame is written, for a process that may not
        live to tell.
    """
    count = chance.randint(1, 3)
    positions = [{"name": f"p{n}", "x": n, "y": 0, "z": 0} for n in range(count)]
    sizes = any_size(chance, 20_000, 150_000)
    run = DiskRun(disk, sizes, diary, frames=SLOTS, positions=positions)
    moment = chance.choice(attack.moments)
    struck = _arm(run, attack, chance, moment, count)
    run.run()
    if not disk.others_can_write():
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
