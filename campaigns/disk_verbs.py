"""What the verbs of a host answer when the disk of its runs is full."""

import contextlib
import os
import random
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type

from campaigns.disk_run import START_WALL_NS
from campaigns.findings import Cell, Findings, Table
from campaigns.small_disk import CannotMountError, SmallDisk, small_disk
from hardware_sim import VirtualClock, build
from openflexure_timelapse.errors import DiskFullError, StorageError, TimelapseError
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.repair import repair
from openflexure_timelapse.store.verify import verify

__all__ = ["attack", "one_card", "one_trial"]

PATIENCE_S = 300
INTERVAL_NS = 30_000_000_000
KEEP_FREE_MB = 2
RUNS = 2
PLAN: Dict[str, Any] = {
    "name": "verbs",
    "interval_s": 30,
    "frames": 12,
    "camera_mode": "preview",
    "keep_free_mb": KEEP_FREE_MB,
    "movie": None,
}
MOVIE = {"format": "mp4", "fps": 1, "crf": 10, "width": 832}
Told = Dict[str, str]
"""What was asked, and what was wrong with the answer; empty for nothing."""


def one_trial(chance: random.Random, place: Path) -> Told:
    """Record two runs, fill the disk, and ask for everything."""
    told: Told = {}
    with small_disk(place, options=("-b", "4096")) as disk:
        clock = VirtualClock(START_WALL_NS)
        microscope = build(chance.randrange(1000), "algae_growth", clock)
        data = disk.point / "data"
        service = Service(data, microscope, clock, RealDisk())
        try:
            first, second = (_recorded(service) for _ in range(RUNS))
            _ask_before_full(service, disk, first, told)
            disk.fill()
            _ask_when_full(service, first, told)
        finally:
            service.close()
        _damage_and_repair(data / second, disk, chance, told)
        _delete(data, disk, first, second, told)
    return told


def one_card(chance: random.Random, place: Path) -> Told:
    """Let the disk fail under a server's run, unmount it, ask, and put it back."""
    told: Told = {}
    with small_disk(place, options=("-e", "remount-ro")) as disk:
        disk.check_can_fail()
        clock = VirtualClock(START_WALL_NS)
        microscope = build(chance.randrange(1000), "algae_growth", clock)
        service = Service(disk.point / "data", microscope, clock, RealDisk())

        def at(slots: float, function: Callable[[], None]) -> None:
            clock.call_at(clock.monotonic_ns() + int(slots * INTERVAL_NS), function)

        def fail() -> None:
            disk.fail()
            for _ in range(2):
                os.sync()

        def take_out() -> None:
            told["status of a failed card"] = _wrong(
                lambda: service.status()["pause_reason"] == "disk_error"
            )
            told["unmounting it"] = _wrong(disk.unmount)
            told["a start in its absence"] = _refused(
                lambda: service.start(PLAN), StorageError, "not mounted"
            )
            left = [item.name for item in disk.point.iterdir()]
            told["nothing written in its place"] = ", ".join(left)
            disk.mend()
            disk.mount()

        struck = chance.uniform(2, 5)
        at(struck, fail)
        at(struck + chance.uniform(1.1, 3), take_out)
        try:
            run_id = _recorded(service)
            told["the run goes on when it is back"] = _wrong(
                lambda: (
                    service.status()["end_reason"] == "completed"
                    and service.slots(run_id, limit=1000)["slots"][-1]["reason"] is None
                )
            )
        finally:
            service.close()
    return told


def _recorded(service: Service) -> str:
    """Record a run to its end and return its id."""
    run_id = str(service.start(PLAN)["run"])
    service.wait(PATIENCE_S)
    return run_id


def _ask_before_full(
    service: Service, disk: SmallDisk, run_id: str, told: Told
) -> None:
    """Let a movie begin with a little room, which somebody else takes."""
    (job,) = service.make_movie(run_id, MOVIE)["jobs"]
    disk.fill(KEEP_FREE_MB * 1_000_000 - 300_000)
    ended = service.queue.wait(job["job"], PATIENCE_S)
    told["a movie under way"] = _no_movie(service, run_id, ended)
    disk.clear()


def _ask_when_full(service: Service, run_id: str, told: Told) -> None:
    """Ask for what only reads, and for what needs room."""
    told["status"] = _wrong(lambda: service.status()["phase"] == "ended")
    told["lists and frames"] = _wrong(
        lambda: (
            len(service.frames(run_id)["frames"]) == PLAN["frames"]
            and service.frame(run_id, 1, 160).is_file()
            and len(service.runs()["runs"]) == RUNS
        )
    )
    told["an estimate"] = _wrong(
        lambda: any("room" in line for line in service.estimate(PLAN)["warnings"])
    )
    told["a start"] = _refused(
        lambda: service.start(PLAN), DiskFullError, "MB free", "keep_free_mb"
    )
    told["a movie"] = _refused(
        lambda: service.make_movie(run_id, MOVIE), DiskFullError, "No space", "free"
    )
    job = service.verify(run_id)["job"]
    checked = service.queue.wait(job["job"], PATIENCE_S)
    told["verify"] = "" if checked["state"] == "done" else checked["message"]


def _no_movie(service: Service, run_id: str, ended: Dict[str, Any]) -> str:
    """Return what is wrong with a movie that was to be given up and leave nothing."""
    left = [item.name for item in (service.library.folder(run_id) / "movies").iterdir()]
    wrong = []
    if ended["state"] != "failed" or "MB free" not in ended["message"]:
        wrong.append(f"{ended['state']}: {ended['message']}")
    if left:
        wrong.append(f"left {', '.join(left)}")
    return "; ".join(wrong)


def _damage_and_repair(
    folder: Path, disk: SmallDisk, chance: random.Random, told: Told
) -> None:
    """Spoil an index, mend it without room, then with."""
    index = folder / "run.db"
    size = index.stat().st_size
    with index.open("r+b", buffering=0) as stream:
        stream.seek(chance.randrange(size // 2))
        stream.write(bytes(chance.randrange(4096, size // 2)))
    spoilt = index.read_bytes()
    told["repair"] = _refused(lambda: repair(folder), StorageError, "No space", "free")
    if index.read_bytes() != spoilt:
        told["repair"] += " changed the index"
    disk.clear()
    told["repair with room"] = _wrong(
        lambda: repair(folder).frames == PLAN["frames"] and verify(folder).ok
    )


def _delete(data: Path, disk: SmallDisk, first: str, second: str, told: Told) -> None:
    """Delete on a disk so full that not even a longer name finds room."""
    disk.fill()
    _fill_names(data)
    clock = VirtualClock(START_WALL_NS)
    service = Service(data, build(1, "algae_growth", clock), clock, RealDisk())
    try:
        told["delete"] = _wrong(
            lambda: (
                service.delete(first, first)["deleted"] == first
                and service.delete(second, second)["deleted"] == second
                and not any(data.glob(".deleted-*"))
                and not (data / first).exists()
            )
        )
    finally:
        service.close()


def _fill_names(data: Path) -> None:
    """Use up the block of the folder's names, so that a rename needs a new one."""
    number = 0
    with contextlib.suppress(OSError):
        while True:
            (data / f"{number:08d}").touch()
            number += 1


def _wrong(question: Callable[[], Optional[bool]]) -> str:
    """Return what is wrong with an answer; empty for True, or for none."""
    try:
        return "the answer is wrong" if question() is False else ""
    except (TimelapseError, CannotMountError) as exc:
        return str(exc)


def _refused(
    request: Callable[[], Any], kind: Type[TimelapseError], *words: str
) -> str:
    """Return what is wrong with a refusal; empty for nothing."""
    try:
        request()
    except kind as exc:
        lacking = [word for word in words if word not in str(exc)]
        return f"{exc} (does not say {lacking})" if lacking else ""
    except TimelapseError as exc:
        return f"refused as {type(exc).__name__}: {exc}"
    return "it was not refused"


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Ask on `trials` full disks, and on as many that fail."""
    tables: List[Table] = []
    broken: List[str] = []
    notes: List[str] = []
    for name, title, one in (
        ("full", "on a full disk", one_trial),
        ("card", "on a card that fails under a server", one_card),
    ):
        found: List[Told] = []
        for trial in range(trials):
            chance = random.Random(f"{seed}-{name}-{trial}")
            try:
                found.append(one(chance, work / f"{name}-{trial}"))
            except CannotMountError as exc:
                notes.append(f"Not tried here: {title}. {exc}")
                break
        broken += [
            f"{name}, trial {trial}: {what}: {wrong}"
            for trial, told in enumerate(found)
            for what, wrong in told.items()
            if wrong
        ]
        if found:
            tables.append(_table(title, found))
    return Findings(tuple(tables), tuple(broken), tuple(notes))


def _table(title: str, found: Sequence[Told]) -> Table:
    """Return how often each answer was as it should be."""
    rows: List[Tuple[Cell, ...]] = [
        (what, len(found), sum(not told.get(what, "missing") for told in found))
        for what in found[0]
    ]
    return Table((title, "trials", "as it should be"), tuple(rows))
