"""A whole run of the engine over a host's microscope, without the host's verbs."""

from pathlib import Path
from typing import Any, Dict, List, Mapping

from openflexure_timelapse.engine import Engine
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.ports import Clock, Microscope
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["PLAN", "EngineRun"]

# The grid is shifted rather than a slot skipped: how quickly a picture is rendered then
# decides only whether it counts as captured or as late.
PLAN: Dict[str, Any] = {
    "name": "whole",
    "interval_s": 60,
    "frames": 3,
    "late": "shift",
    "settle_s": 0.1,
    "keep_free_mb": 0,
    "movie": None,
}


class EngineRun:
    """A run, from its start to its end.

    Parameters
    ----------
    folder : Path
        Of the runs.
    microscope, clock
        The host's.
    plan : mapping
        As JSON.
    """

    def __init__(
        self,
        folder: Path,
        microscope: Microscope,
        clock: Clock,
        plan: Mapping[str, Any],
    ) -> None:
        parsed = parse_plan(plan)
        camera = microscope.camera.describe()
        header = {
            "created": "2026-11-23T09:00:00+01:00",
            "microscope": microscope.describe(),
            "camera": {
                "model": camera.model,
                "simulated": camera.simulated,
                "um_per_pixel": camera.um_per_pixel,
            },
            "plan": parsed.to_json(),
        }
        disk = RealDisk()
        self.folder = folder / "run"
        RunStore.create(folder, "run", header, disk).close()
        store = RunStore.open(self.folder, disk)
        recover(store)
        Engine(parsed, store, microscope, clock, disk).run()
        store.close()

    def visits(self) -> List[Any]:
        """Return what became of each visit."""
        with RunStore.open_read(self.folder) as store:
            return list(store.visits(0, 100))

    def frames(self) -> List[Path]:
        """Return the files of the frames, in order."""
        return sorted((self.folder / "frames").rglob("*.jpeg"))
