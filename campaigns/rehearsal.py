"""One run on the simulated microscope, in one process after another."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from hardware_sim.faults import Fault
from hardware_sim.microscope import SimMicroscope, build
from hardware_sim.world import Drift
from openflexure_timelapse.engine import Engine
from openflexure_timelapse.frame import Event, Frame, Slot, Visit
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.ports import Clock
from openflexure_timelapse.run_state import RunState, RunStatus
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["NS_PER_S", "PowerCutError", "Rehearsal"]

NS_PER_S = 1_000_000_000
RUN_ID = "run"
EVERYTHING = 1_000_000
PLAN: Mapping[str, Any] = {
    "name": "rehearsal",
    "camera_mode": "preview",
    "settle_s": 0.1,
    "keep_free_mb": 0,
    "movie": None,
}


class PowerCutError(BaseException):
    """Ends a process in the middle of whatever it does; nothing catches it."""


class Rehearsal:
    """One run; `begin` and `run` once for each process that it lives in.

    Parameters
    ----------
    data_folder : Path
        Where the run's folder is made.
    plan : mapping
        Over `PLAN`.
    seed : int
        Of the world.
    scene : str
        Of the world.

    Attributes
    ----------
    seen : list of (int, RunStatus)
        What the status said, and the monotonic time; see `watch`.
    """

    def __init__(
        self, data_folder: Path, plan: Mapping[str, Any], seed: int, scene: str
    ) -> None:
        self.plan: Plan = parse_plan({**PLAN, **plan})
        self.data_folder = data_folder
        self.folder = data_folder / RUN_ID
        self.seen: List[Tuple[int, RunStatus]] = []
        self._seed = seed
        self._scene = scene
        header = {
            "plan": self.plan.to_json(),
            "created": "2026-11-23T09:00:00+01:00",
            "microscope": {},
            "camera": {"model": "", "simulated": True, "um_per_pixel": None},
        }
        RunStore.create(data_folder, RUN_ID, header, RealDisk()).close()

    def begin(
        self,
        clock: Clock,
        faults: Sequence[Fault] = (),
        wrap: Callable[[SimMicroscope], Any] = lambda microscope: microscope,
    ) -> Engine:
        """Return the engine of the next process, which `run` starts."""
        self.clock = clock
        self.microscope: SimMicroscope = build(
            self._seed,
            self._scene,
            clock,
            faults,
            truth_path=self.data_folder / "truth.jsonl",
            drift=Drift(enabled=False),
        )
        disk = RealDisk()
        self._store = RunStore.open(self.folder, disk)
        recover(self._store)
        self.engine = Engine(self.plan, self._store, wrap(self.microscope), clock, disk)
        return self.engine

    def run(self) -> Optional[RunState]:
        """Run to the end of the process; None after a power cut."""
        try:
            return self.engine.run()
        except PowerCutError:
            return None
        finally:
            self._store.close()

    def look(self) -> None:
        """Keep what the status says now."""
        self.seen.append((self.clock.monotonic_ns(), self.engine.status()))

    # ------------------------------------------------------------------ what remains

    def slots(self) -> List[Slot]:
        """Return the outcomes as recorded, ranges unfolded."""
        with RunStore.open_read(self.folder) as store:
            rows = store.slots(0, EVERYTHING)
        return [
            Slot(n, n, row.outcome, row.reason, row.detail, row.lateness_ns)
            for row in rows
            for n in range(row.first, row.last + 1)
        ]

    def frames(self) -> List[Frame]:
        """Return all frames."""
        with RunStore.open_read(self.folder) as store:
            return store.frames(0, EVERYTHING)

    def visits(self) -> List[Visit]:
        """Return all visits."""
        with RunStore.open_read(self.folder) as store:
            return store.visits(0, EVERYTHING)

    def events(self) -> List[Event]:
        """Return all events."""
        with RunStore.open_read(self.folder) as store:
            return store.events(0, EVERYTHING)

    def details(self, kind: str) -> List[Dict[str, Any]]:
        """Return the details of all events of a kind."""
        return [dict(event.details) for event in self.events() if event.kind == kind]
