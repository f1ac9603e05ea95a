"""Many slots in one run: nothing is lost, and nothing grows."""

import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any, Dict, List

from benchmarks.engine import InstantCamera, InstantMicroscope
from campaigns.findings import Findings, Table
from campaigns.load_meter import Holding, growth, holding
from hardware_sim.clock import ScaledClock, VirtualClock
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.recover import verify

__all__ = ["SmallMicroscope", "endure", "grown"]

FASTEST = 40.0
SLOWEST = 1.0
SPARE = 3.0
"""A slot has so many times what a slot has cost just before, without the verbs."""
SLOTS_BEFORE = 500
SIZE = (64, 48)
PLAN: Dict[str, Any] = {
    "name": "endurance",
    "interval_s": 1,
    "settle_s": 0,
    "keep_free_mb": 0,
    "late": "catch_up",
    "catch_up_slots": 1000,
    "movie": None,
}
LOOK_S = 0.25
WIDTH = 32
WARM_UP = 0.2
"""Caches fill in this part of the run; growth is looked for in the rest."""
LOOKS_TO_JUDGE = 20
SLOTS_TO_JUDGE = 10_000
MOST_MORE = 3
"""Descriptors and threads that come and go with an answer."""
MOST_KB = 1024
"""For 10,000 slots; a slot that leaves a hundred bytes behind leaves as much."""
LARGEST_WAL_KB = 16_384


NOTE = (
    "Endurance: the clock runs {speed:.0f} times faster, so each slot has "
    "{slot_ms:.0f} ms of the machine's own time; one that the machine did not manage "
    "in that is caught up, and counted as late. The camera delivers small pictures at "
    "once, the run is kept in memory, and the verbs are asked {asked:.0f} times a "
    "second. *First* is after a fifth of the run, when the caches are full."
)


class SmallMicroscope(InstantMicroscope):
    """No hardware, and small pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.camera = InstantCamera(*SIZE)


def endure(slots: int, work: Path) -> Findings:
    """Record 1 frame/s for so many slots, and look at this process meanwhile.

    Parameters
    ----------
    slots : int
        Of the run.
    work : Path
        An empty folder, better in memory.
    """
    speed = _speed(work / "before")
    clock = ScaledClock(speed, RealClock())
    service = Service(work, SmallMicroscope(), clock, RealDisk())
    run_id = service.start({**PLAN, "frames": slots})["run"]
    looks = _watched(service, work / run_id)
    counts = service.status()["counts"]
    service.close()
    made = counts["captured"] + counts["late"]
    broken = _fell(slots, made, work / run_id, looks)
    row = (
        "1 frame/s on the scaled clock",
        slots,
        counts["captured"],
        counts["late"],
        slots - made,
    )
    rows = (_held("memory, MB", "rss_kb", looks, 1024), *_others(looks))
    return Findings(
        (
            Table(("run", "slots", "captured", "late", "lost"), (row,)),
            Table(
                ("what is held", "first", "peak", "last", "more for 10 000 slots"), rows
            ),
        ),
        tuple(broken),
        (NOTE.format(speed=speed, slot_ms=1000 / speed, asked=1 / LOOK_S),),
    )


def _speed(work: Path) -> float:
    """Return how fast a clock this machine can follow at this moment."""
    work.mkdir()
    clock = VirtualClock(start_wall_ns=time.time_ns())
    plan = {**PLAN, "frames": SLOTS_BEFORE}
    service = Service(work, SmallMicroscope(), clock, RealDisk())
    began_s = time.perf_counter()
    service.start(plan)
    service.wait()
    slot_s = (time.perf_counter() - began_s) / SLOTS_BEFORE
    service.close()
    shutil.rmtree(str(work))
    return min(FASTEST, max(SLOWEST, 1 / (SPARE * slot_s)))


def _watched(service: Service, run: Path) -> List[Holding]:
    """Ask the verbs until the run has ended; return a look for each time."""
    looks: List[Holding] = []
    while not service.wait(LOOK_S):
        status = service.status()
        last = status["last_frame"]
        if last is not None:
            service.latest(WIDTH)
            service.frames(run.name, max(0, last["n"] - 100))
            service.overview.timeline(run.name, 200)
            service.overview.series(run.name, "lateness", 200)
            service.runs()
            looks.append(holding(last["n"], os.getpid(), run))
    return looks


def _after_warm_up(looks: List[Holding]) -> List[Holding]:
    """Return the looks at which the caches were full."""
    end = looks[-1].at if looks else 0
    return [look for look in looks if look.at >= WARM_UP * end]


def _held(label: str, name: str, looks: List[Holding], unit: int) -> "tuple[str, ...]":
    """Return a row of the table."""
    steady = _after_warm_up(looks)
    if not steady:
        return (label, "", "", "", "")
    values = [getattr(look, name) / unit for look in steady]
    told = (values[0], max(values), values[-1])
    more = growth(steady, name) / unit
    return (label, *(f"{value:.4g}" for value in told), f"{more:+.3f}")


def _others(looks: List[Holding]) -> "tuple[tuple[str, ...], ...]":
    """Return the rows of all but memory."""
    return (
        _held("file descriptors", "descriptors", looks, 1),
        _held("threads", "threads", looks, 1),
        _held("SQLite's write-ahead file, MB", "wal_kb", looks, 1024),
    )


def _fell(slots: int, made: int, run: Path, looks: List[Holding]) -> List[str]:
    """Return a sentence for each promise that fell."""
    fell = []
    if made != slots:
        fell.append(f"{slots - made} of {slots} slots have no frame.")
    report = verify(run)
    if not report.ok or report.frames_checked != slots:
        told = " ".join(report.lines())
        fell.append(f"The run of {slots} slots is not whole: {told}")
    return [*fell, *grown(looks)]


def grown(looks: List[Holding]) -> List[str]:
    """Return a sentence for each thing that grows; a short run cannot tell."""
    steady = _after_warm_up(looks)
    fell: List[str] = []
    if len(steady) < LOOKS_TO_JUDGE:
        return fell
    half = len(steady) // 2
    for name in ("descriptors", "threads"):
        before, after = (
            statistics.median(getattr(look, name) for look in part)
            for part in (steady[:half], steady[half:])
        )
        if after - before > MOST_MORE:
            fell.append(f"There were {before:.0f} {name}, and later {after:.0f}.")
    largest_kb = max(look.wal_kb for look in steady)
    if largest_kb > LARGEST_WAL_KB:
        fell.append(f"SQLite's write-ahead file grew to {largest_kb} kB.")
    more_kb = growth(steady, "rss_kb")
    if steady[-1].at - steady[0].at >= SLOTS_TO_JUDGE and more_kb > MOST_KB:
        fell.append(f"Memory grows by {more_kb:.0f} kB for 10,000 slots.")
    return fell
