"""Whole runs in which time matters: a day of drift, and a clock that runs faster."""

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from cases.rig import Rig

from hardware_sim import ScaledClock, build
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

HOUR_S = 3600
DEPTH_OF_FIELD_UM = 1.5


def defocus_um(rig: Rig, truth: Path) -> List[float]:
    """Return how far each stored frame was from focus, by the truth beside the run."""
    lines = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    by_time: Dict[int, Dict[str, Any]] = {line["monotonic_ns"]: line for line in lines}
    frames = rig.frames()
    origin_ns = rig.engine._origin.monotonic_ns
    return [
        by_time[origin_ns + frame.draft.elapsed_ns]["defocus_um"] for frame in frames
    ]


@pytest.mark.parametrize("focused", [True, False])
def test_a_day_stays_in_focus(tmp_path: Path, focused: bool) -> None:  # noqa: FBT001
    """With autofocus each frame of a day is within the depth of field; without, not."""
    truth = tmp_path / "truth.jsonl"
    rig = Rig(
        tmp_path,
        frames=12,
        interval_s=2 * HOUR_S,
        autofocus={"every": 1, "range": 1600} if focused else None,
        truth_path=truth,
    )
    rig.run()
    off = [abs(um) for um in defocus_um(rig, truth)]
    assert len(off) == 12
    if focused:
        assert max(off) <= DEPTH_OF_FIELD_UM
    else:
        assert max(off) > 2 * DEPTH_OF_FIELD_UM


def test_a_faster_clock_leaves_the_hardware_time_to_compute(tmp_path: Path) -> None:
    """At a hundred times, focus and captures meet their deadlines."""
    clock = ScaledClock(100, RealClock())
    service = Service(tmp_path, build(3, "diatoms", clock), clock, RealDisk())
    plan = {
        "name": "fast",
        "interval_s": 86_400,
        "frames": 1,
        "autofocus": {"every": 1, "range": 2000},
        "keep_free_mb": 0,
        "movie": None,
    }
    run_id = service.start(plan)["run"]
    assert service.wait(120)
    service.close()
    with RunStore.open_read(tmp_path / run_id) as store:
        (visit,) = store.visits(0, 10)
    # Late by the machine's own time for the start, which counts a hundred times.
    assert visit.outcome.value in ("captured", "late")
    assert visit.focus is not None
    assert visit.focus["accepted"]
