"""Measure the engine: lateness on the real clock, cost per visit, a week of slots.

Run ``python benchmarks/engine.py``; prints a markdown table. The runs are kept in
memory (``/dev/shm``), so neither hardware nor fsync is in the figures.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import cv2
import numpy as np

from hardware_sim.clock import VirtualClock
from openflexure_timelapse.engine import Engine
from openflexure_timelapse.hosts.admission import header_of
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.ports import (
    CameraInfo,
    Clock,
    Image,
    JsonDict,
    StageInfo,
    StagePosition,
)
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

NS_PER_S = 1_000_000_000
MEMORY = Path("/dev/shm")  # noqa: S108 (memory is the point)
WEEK_SLOTS = 7 * 24 * 3600 // 30
LATENESS_SLOTS = 1000


class InstantCamera:
    """Delivers one of a few small pictures at once."""

    def __init__(self, width: int = 320, height: int = 240) -> None:
        random = np.random.default_rng(1)
        self._pictures: List[bytes] = []
        for _ in range(8):
            grey = random.normal(128, 20, (height, width)).clip(0, 255)
            _, data = cv2.imencode(".jpeg", grey.astype(np.uint8))
            self._pictures.append(data.tobytes())
        self._size = (width, height)
        self._served = 0

    def describe(self) -> CameraInfo:
        """Return the constant facts."""
        return CameraInfo("instant", True, {"only": self._size}, 0.5, 20_000, 0.001)  # noqa: FBT003 (a record)

    def capture(self, mode: Optional[str]) -> Image:  # noqa: ARG002 (the port's)
        """Return the next picture."""
        self._served += 1
        return Image(self._pictures[self._served % len(self._pictures)], {})

    def preview(self) -> Image:
        """Return the next picture."""
        return self.capture(None)

    def exposure(self) -> JsonDict:
        """There is nothing to control."""
        return {}

    def lock_exposure(self, values: Optional[Mapping[str, Any]] = None) -> JsonDict:
        """There is nothing to lock."""
        return dict(values or {})

    def restore_exposure(self, saved: Mapping[str, Any]) -> None:
        """There is nothing to restore."""

    def recover(self) -> None:
        """There is nothing to recover."""


class StillStage:
    """A stage that is always where it should be."""

    def describe(self) -> StageInfo:
        """Return the constant facts."""
        return StageInfo("still", True, None, None, None, 1000.0)  # noqa: FBT003 (a record)

    def position(self) -> StagePosition:
        """Return the origin."""
        return StagePosition(0, 0, 0)

    def move_to(self, target: StagePosition) -> None:
        """Be there."""


class InstantMicroscope:
    """No hardware at all."""

    focuser = None
    light = None

    def __init__(self) -> None:
        self.camera, self.stage = InstantCamera(), StillStage()

    def describe(self) -> JsonDict:
        """Return the constant facts."""
        return {"name": "instant"}

    def state(self) -> JsonDict:
        """Return the instrument's state."""
        return {"stage": {"position": {"x": 0, "y": 0, "z": 0}}}

    def acquire(self, deadline_ns: int) -> None:
        """Nobody else wants it."""

    def release(self) -> None:
        """Nobody else wants it."""

    def incidents(self) -> Sequence[JsonDict]:
        """Nothing ever happens."""
        return ()


def run(plan_data: Dict[str, Any], clock: Clock, folder: Path) -> RunStore:
    """Run a plan to its end and return the store, open."""
    plan = parse_plan(plan_data)
    header = header_of(plan, InstantMicroscope(), clock)
    store = RunStore.create(folder, f"run-{time.time_ns()}", header, RealDisk())
    Engine(plan, store, InstantMicroscope(), clock, RealDisk()).run()
    return store


def lateness(folder: Path) -> str:
    """Measure how late slots begin on the real clock."""
    plan = {
        "name": "lateness",
        "interval_s": 0.2,
        "frames": LATENESS_SLOTS,
        "settle_s": 0,
        "keep_free_mb": 0,
        "movie": None,
    }
    with run(plan, RealClock(), folder) as store:
        late_ms = [slot.lateness_ns / 1e6 for slot in store.slots(0, LATENESS_SLOTS)]
        counts = store.totals().counts
    p50, p99, worst = np.percentile(late_ms, [50, 99, 100])
    return (
        f"| slot lateness, {LATENESS_SLOTS} slots at 0.2 s, real clock | "
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, worst {worst:.2f} ms; "
        f"{counts['captured']} captured | p99 <= 5 ms |"
    )


def week(folder: Path) -> List[str]:
    """Run a week of slots on the virtual clock."""
    plan = {
        "name": "week",
        "interval_s": 30,
        "frames": WEEK_SLOTS,
        "keep_free_mb": 0,
        "movie": None,
    }
    small = {**plan, "frames": 500}
    clock = VirtualClock(start_wall_ns=time.time_ns())
    run(small, clock, folder).close()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with run(plan, clock, folder) as store:
        totals = store.totals()
    took_s = time.perf_counter() - began
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    per_visit_ms = took_s / WEEK_SLOTS * 1000
    captured = totals.counts["captured"]
    rows = (
        (
            "engine per visit, no hardware, no fsync",
            f"{per_visit_ms:.2f} ms",
            "<= 3 ms",
        ),
        (
            f"a week at 30 s on the virtual clock, {captured} of {WEEK_SLOTS} captured",
            f"{took_s:.1f} s, memory +{grown_mb:.1f} MB",
            "<= 60 s, flat",
        ),
    )
    return [f"| {what} | {measured} | {aim} |" for what, measured, aim in rows]


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory(dir=str(MEMORY)) as folder:
        rows = [*week(Path(folder)), lateness(Path(folder))]
    print("| figure | measured | aim |\n|---|---|---|")
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
