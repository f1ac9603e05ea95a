"""A quota that ends, by btrfs, in a process of its own: the kernel may end it.

SQLite keeps a small file in memory that all its readers share. On a file system that
copies on write, a change of that memory can need space; where a quota or the disk has
none, the kernel has no other way to say so than to end the process. So the run is told
by what it has written down, and goes on in a second process as after a restart.
"""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

from campaigns.disk_strike import Attack, struck_run
from campaigns.findings import Cell, Findings, Table
from campaigns.small_disk import CannotMountError, SmallDisk, small_disk
from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify

__all__ = ["attack", "one_trial"]

KILOBYTES = 130_000
ENOUGH_S = 300
COLUMNS = (
    "attack",
    "trials",
    "ended by the kernel",
    "frames acknowledged",
    "lost",
    "altered",
    "of the others: told, paused and went on",
)


def _set_quota(run: Any, chance: random.Random) -> None:
    """Let the quota end at once, or soon."""
    run.disk.limit(chance.choice([0, 30_000, 200_000]))


def _lift_quota(run: Any) -> None:
    """Take it away."""
    run.disk.lift_limit()


QUOTA = Attack("a quota ends (btrfs)", _set_quota, _lift_quota, "disk_full")


def one_trial(seed: str, place: Path) -> Dict[str, Any]:
    """Let a process record until its quota ends, and see what is left of it."""
    diary = place / "diary"
    with small_disk(place, KILOBYTES, "btrfs") as disk:
        command = (sys.executable, "-m", __name__, str(place), seed)
        home = str(Path(__file__).parent.parent)
        done = subprocess.run(
            command,
            check=False,
            cwd=home,
            stdout=subprocess.PIPE,
            timeout=ENOUGH_S,
        )
        told: Dict[str, Any] = {"broken": [], "killed": done.returncode < 0}
        if done.returncode == 0:
            told.update(json.loads(done.stdout))
        elif done.returncode > 0:
            told["broken"] = [f"the process ended with {done.returncode}"]
        if told["killed"]:
            disk.lift_limit()
        told.update(_left(disk.point / "data" / "run", diary))
    return told


def _left(folder: Path, diary: Path) -> Dict[str, Any]:
    """Mend what a killed process left, and count what it had acknowledged."""
    told: Dict[str, Any] = {"acknowledged": 0, "lost": 0, "altered": 0}
    noted = dict(line.split() for line in diary.read_text().splitlines())
    told["acknowledged"] = len(noted)
    try:
        with RunStore.open(folder, RealDisk()) as store:
            recover(store)
            frames = {frame.file: frame.sha256 for frame in store.frames(0, 10_000)}
        report = verify(folder)
    except TimelapseError as exc:
        return {**told, "lost": len(noted), "broken": [str(exc)]}
    told["lost"] = sum(file not in frames for file in noted) + len(report.missing)
    told["altered"] = sum(
        frames.get(file, sha256) != sha256 for file, sha256 in noted.items()
    )
    if told["lost"] or told["altered"] or not report.ok:
        told["broken"] = report.lines()
    return told


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Let `trials` quotas end."""
    found: List[Dict[str, Any]] = []
    for trial in range(trials):
        try:
            found.append(one_trial(f"{seed}-quota-{trial}", work / f"quota-{trial}"))
        except CannotMountError as exc:  # noqa: PERF203 (mounts are slower)
            return Findings((), (), (f"Not tried here: {QUOTA.title}. {exc}",))
    broken = [
        f"quota, trial {trial}: {line}"
        for trial, told in enumerate(found)
        for line in told["broken"]
    ]
    lived = [told for told in found if not told["killed"]]
    row: Tuple[Cell, ...] = (
        QUOTA.title,
        len(found),
        len(found) - len(lived),
        sum(told["acknowledged"] for told in found),
        sum(told["lost"] for told in found),
        sum(told["altered"] for told in found),
        f"{sum(not told['broken'] for told in lived)} of {len(lived)}",
    )
    return Findings((Table(COLUMNS, (row,)),), tuple(broken))


def main(place: str, seed: str) -> None:
    """Record, and tell how it went, if there is time to."""
    disk = SmallDisk(Path(place), KILOBYTES, "btrfs", is_there=True)
    chance = random.Random(seed)
    story = struck_run(QUOTA, chance, disk, Path(place) / "diary")
    sys.stdout.write(json.dumps({"broken": story.broken}))


if __name__ == "__main__":
    main(*sys.argv[1:])
