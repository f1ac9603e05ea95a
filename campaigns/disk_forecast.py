"""A run that fills its disk by itself: how right is the forecast an hour ahead."""

import math
import random
import statistics
from datetime import datetime
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

from campaigns.disk_run import INTERVAL_S, START_WALL_NS, DiskRun, Story, audit
from campaigns.findings import Cell, Findings, Table
from campaigns.small_disk import CannotMountError, small_disk

__all__ = ["SHAPES", "Filled", "attack", "one_trial"]

HOUR_S = 3600
NS_PER_S = 1_000_000_000
WITHIN = 0.10
BYTES_BESIDE = 2500
KILOBYTES = 38_000
USABLE_BYTES = 22_000_000
"""What a disk of that size has for frames."""
OLD_FILM_KB = 3_000
KEEP_FREE_MB = 2
NEAR_ENOUGH = 0.98
COLUMNS = (
    "frame sizes",
    "trials",
    "frames acknowledged",
    "lost",
    "slots without outcome",
    "forecast error an hour ahead (median, worst)",
    "others could still write",
    "goes on after, slots (worst)",
)
Size = Callable[[float], float]
SHAPES: Dict[str, Callable[[random.Random], Size]] = {
    "alike, 20 % up and down": lambda _chance: lambda _slot: 1.0,
    "growing by a tenth in an hour": lambda _chance: lambda slot: 1 + slot / 1200,
    "falling by a tenth in an hour": lambda _chance: lambda slot: 1 - slot / 1200,
    "swinging by a tenth in 2 h": lambda chance: _swing(chance.uniform(0, 240)),
}


def _swing(start: float) -> Size:
    """Return sizes that go up and down by a tenth."""
    return lambda slot: 1.0 + 0.1 * math.sin((slot + start) * 2 * math.pi / 240)


class Filled:
    """What was seen of a run that filled its disk.

    Attributes
    ----------
    story : Story
        As of every run.
    error : float or None
        Of the forecast an hour before the pause, as a share of that hour.
    """

    def __init__(self, story: Story, error: Optional[float]) -> None:
        self.story = story
        self.error = error


def one_trial(shape: str, chance: random.Random, place: Path) -> Filled:
    """Let a run fill a disk, look at each slot, then make room."""
    planes, positions = chance.choice([1, 3]), chance.randint(1, 3)
    per_slot = planes * positions
    until_full = chance.uniform(160, 220)
    mean = USABLE_BYTES / (until_full * per_slot) - BYTES_BESIDE
    trend = SHAPES[shape](chance)
    noise = [chance.uniform(0.8, 1.2) for _ in range(997)]

    def size(n: int) -> int:
        return int(mean * trend(n / per_slot) * noise[n % len(noise)])

    with small_disk(place, KILOBYTES, options=("-b", "4096")) as disk:
        run = DiskRun(
            disk,
            size,
            frames=None,
            keep_free_mb=KEEP_FREE_MB,
            planes={"count": planes, "step": 1},
            positions=[
                {"name": f"p{n}", "x": n, "y": 0, "z": 0} for n in range(positions)
            ],
        )
        old_film = disk.point / "old-film"
        old_film.write_bytes(bytes(OLD_FILM_KB * 1000))
        seen: Dict[str, float] = {}

        def look() -> None:
            run.look()
            status = run.engine.status()
            if status.pause_reason is None:
                run.at(run.now_s + INTERVAL_S, look)
                return
            seen["full_s"] = run.now_s - INTERVAL_S / 2
            run.story.others_wrote = disk.others_can_write()
            seen["free_bytes"] = disk.free_bytes()
            run.at(run.now_s + 3 * INTERVAL_S, give_back)

        def give_back() -> None:
            old_film.unlink()
            seen["back_s"] = run.now_s
            run.at(run.now_s + 3 * INTERVAL_S, run.engine.stop)

        run.at(INTERVAL_S / 2, look)
        run.run()
        story = audit(run, seen.get("back_s"))
        error = _error(story, seen)
        _judge(story, error, seen)
    return Filled(story, error)


def _error(story: Story, seen: Dict[str, float]) -> Optional[float]:
    """Return by how much of an hour the forecast was wrong, an hour before."""
    if "full_s" not in seen:
        return None
    ahead = [
        (abs(seen["full_s"] - at_s - HOUR_S), at_s, status)
        for at_s, status in story.told
        if status.disk_full_at is not None
    ]
    if not ahead:
        return None
    _, at_s, status = min(ahead, key=lambda look: look[0])
    told = datetime.fromisoformat(str(status.disk_full_at)).timestamp()
    told_s = told - START_WALL_NS / NS_PER_S
    return (told_s - seen["full_s"]) / (seen["full_s"] - at_s)


def _judge(story: Story, error: Optional[float], seen: Dict[str, float]) -> None:
    """Name the promises that fell."""
    if error is None:
        story.broken.append("nothing was foreseen an hour ahead")
        return
    if abs(error) > WITHIN:
        story.broken.append(f"the forecast was wrong by {error:+.0%}")
    if not story.others_wrote:
        story.broken.append("others could not write any more")
    if seen["free_bytes"] < NEAR_ENOUGH * KEEP_FREE_MB * 1_000_000:
        story.broken.append(f"only {seen['free_bytes']:.0f} bytes were left free")
    if story.went_on_after_slots is None:
        story.broken.append("the run did not go on when space returned")


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Fill disks by runs of their own, `trials` in each way."""
    rows: List[Tuple[Cell, ...]] = []
    broken: List[str] = []
    for shape in SHAPES:
        found: List[Filled] = []
        for trial in range(trials):
            chance = random.Random(f"{seed}-{shape}-{trial}")
            try:
                one = one_trial(shape, chance, work / f"fill-{len(rows)}-{trial}")
            except CannotMountError as exc:
                return Findings((), (), (f"Not tried here: the forecast. {exc}",))
            found.append(one)
            broken += [f"{shape}, trial {trial}: {told}" for told in one.story.broken]
        rows.append(_row(shape, found))
    return Findings((Table(COLUMNS, tuple(rows)),), tuple(broken))


def _row(shape: str, found: List[Filled]) -> Tuple[Cell, ...]:
    """Return the figures of one shape."""
    stories = [one.story for one in found]
    errors = [abs(one.error) for one in found if one.error is not None] or [math.nan]
    waits = [story.went_on_after_slots or 0.0 for story in stories]
    wrote = sum(bool(story.others_wrote) for story in stories)
    return (
        shape,
        len(found),
        sum(len(story.acknowledged) for story in stories),
        sum(story.lost + story.altered for story in stories),
        sum(story.without_outcome for story in stories),
        f"{statistics.median(errors):.1%}, {max(errors):.1%}",
        f"{wrote} of {len(found)}",
        f"{max(waits):.2f}",
    )
