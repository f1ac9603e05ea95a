"""An engine on the simulated microscope, on a clock that jumps."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from hardware_sim import Fault, SimMicroscope, VirtualClock, build
from hardware_sim.disk import FaultyDisk
from hardware_sim.world import Drift
from openflexure_timelapse.engine import Engine
from openflexure_timelapse.frame import Event, Frame, Slot, Visit
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.run_state import Phase, RunState
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore

NS_PER_S = 1_000_000_000
HOUR_NS = 3600 * NS_PER_S
START_WALL_NS = 1_795_420_800 * NS_PER_S
INTERVAL_S = 30
PLAN: Dict[str, Any] = {
    "name": "rig",
    "interval_s": INTERVAL_S,
    "frames": 8,
    "camera_mode": "preview",
    "settle_s": 0.1,
    "keep_free_mb": 0,
    "movie": None,
}

PLACES = [
    {"name": "left", "x": 0, "y": 0, "z": 0},
    {"name": "right", "x": 600, "y": -300, "z": 0},
]


HEADER: Dict[str, Any] = {
    "created": "2026-11-23T09:00:00+01:00",
    "microscope": {},
    "camera": {"model": "simulated", "simulated": True, "um_per_pixel": None},
}


class Rig:
    """One run, which may live in several processes one after the other.

    Parameters
    ----------
    folder : Path
        Of the data.
    scene, faults, seed, drift
        Of the simulator.
    clock : VirtualClock or None
        None for one that starts at `START_WALL_NS`.
    truth_path : Path or None
        Where the truth is written; None for nowhere.
    plan : Any
        Changes to `PLAN`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (each test names what it needs)
        self,
        folder: Path,
        scene: str = "algae_growth",
        faults: Sequence[Fault] = (),
        clock: Optional[VirtualClock] = None,
        seed: int = 3,
        drift: Drift = Drift(),  # noqa: B008 (frozen)
        truth_path: Optional[Path] = None,
        **plan: Any,
    ) -> None:
        self.clock = clock or VirtualClock(START_WALL_NS, "boot-1", 3600)
        self.microscope: SimMicroscope = build(
            seed, scene, self.clock, faults, drift=drift, truth_path=truth_path
        )
        self.disk = FaultyDisk(RealDisk(), self.microscope.faults)
        self.plan: Plan = parse_plan({**PLAN, **plan})
        self.folder = folder / "run"
        if not self.folder.exists():
            header = {**HEADER, "plan": self.plan.to_json()}
            RunStore.create(folder, "run", header, RealDisk()).close()
        self.store = RunStore.open(self.folder, self.disk)
        recover(self.store)
        self.engine = Engine(
            self.plan, self.store, self.microscope, self.clock, self.disk
        )
        self.origin_ns = self.clock.monotonic_ns()

    def at(self, seconds: float, function: Callable[[], None]) -> "Rig":
        """Do something when so many seconds of this process have passed."""
        self.clock.call_at(self.origin_ns + int(seconds * NS_PER_S), function)
        return self

    def run(self) -> RunState:
        """Run to the end, or until somebody leaves."""
        try:
            return self.engine.run()
        finally:
            self.store.close()

    # ------------------------------------------------------------------ what remains

    def slots(self) -> List[Slot]:
        """Return the outcomes as recorded, ranges unfolded."""
        with RunStore.open_read(self.folder) as store:
            rows = store.slots(0, 100_000)
        return [
            Slot(n, n, row.outcome, row.reason, row.detail, row.lateness_ns)
            for row in rows
            for n in range(row.first, row.last + 1)
        ]

    def outcomes(self) -> str:
        """Return one letter per slot: c, l, s, f."""
        slots = self.slots()
        assert [slot.first for slot in slots] == list(range(len(slots)))
        return "".join(slot.outcome.value[0] for slot in slots)

    def reasons(self) -> List[Optional[str]]:
        """Return the reason of each slot."""
        return [slot.reason and slot.reason.value for slot in self.slots()]

    def frames(self) -> List[Frame]:
        """Return all frames."""
        with RunStore.open_read(self.folder) as store:
            return store.frames(0, 1000)

    def visits(self) -> List[Visit]:
        """Return all visits."""
        with RunStore.open_read(self.folder) as store:
            return store.visits(0, 1000)

    def events(self) -> List[Event]:
        """Return all events."""
        with RunStore.open_read(self.folder) as store:
            return store.events(0, 1000)

    def kinds(self) -> List[str]:
        """Return the kinds of all events."""
        return [event.kind for event in self.events()]

    def captured_at_s(self) -> List[Tuple[int, float]]:
        """Return each frame's slot and when its exposure began, in seconds."""
        return [
            (frame.draft.slot, frame.draft.elapsed_ns / NS_PER_S)
            for frame in self.frames()
        ]


def later(rig: Rig, seconds: float, boot: str, **kwargs: bool) -> VirtualClock:
    """Return the clock of a process that starts so much later."""
    passed_ns = int(seconds * NS_PER_S)
    same = boot == rig.clock.boot_id()
    return VirtualClock(
        rig.clock.wall_ns() + passed_ns,
        boot,
        3600,
        start_monotonic_ns=rig.clock.monotonic_ns() + passed_ns if same else 5,
        **kwargs,
    )


def left_after(tmp_path: Path, seconds: float, **plan: object) -> Rig:
    """Return a run whose process ended so early."""
    rig = Rig(tmp_path, **plan)
    rig.at(seconds, rig.engine.leave)
    assert rig.run().phase is not Phase.ENDED
    return rig


def whole_seconds(rig: Rig) -> List[int]:
    """Return the second in which each exposure began."""
    return [int(at_s) for _, at_s in rig.captured_at_s()]
