"""One run of a microscope without a server, on the real libraries, through faults.

The clock leaves out the waits for the next slot and nothing else (`SkippingClock`), so
whatever the hardware does takes the time that it takes; it stops for each fault until
the camera has got over it, as it would have in the time that is left out.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from hardware_sim.camera_feed import SensorShape
from hardware_sim.direct_rig import DirectRig
from hardware_sim.disk import FaultyDisk
from hardware_sim.faults import Fault
from hardware_sim.skipping import SkippingClock
from openflexure_timelapse.engine import Engine
from openflexure_timelapse.frame import Event, Frame, Slot
from openflexure_timelapse.hosts.admission import admit, header_of
from openflexure_timelapse.hosts.direct.config import parse_config
from openflexure_timelapse.hosts.direct.opening import open_direct
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

if TYPE_CHECKING:
    from openflexure_timelapse.hosts.direct.microscope import DirectMicroscope

__all__ = ["FIRST_S", "INTERVAL_S", "Outcome", "Week", "run_week"]

NS_PER_S = 1_000_000_000
EVERYTHING = 1_000_000
FIRST_S = 20.0
"""Of the rig's life: when slot 0 is due. The camera has started by then."""
INTERVAL_S = 600.0
FRESH_S = 0.6
NOTICED_S = 2.0
"""A fault that has begun is seen by then, and its recovery waited for."""
SENSOR = SensorShape(416, 312)
"""Fewer pixels than a real one, so that a computer draws them as fast as it must."""
SETTINGS: Mapping[str, Any] = {"camera": {"stream_size": [208, 156]}}
PLAN: Mapping[str, Any] = {
    "name": "week",
    "interval_s": INTERVAL_S,
    "positions": [
        {"name": "left", "x": 0, "y": 0, "z": 0},
        {"name": "right", "x": 300, "y": -200, "z": 50},
    ],
    "settle_s": 0.1,
    "keep_free_mb": 0,
    "movie": None,
}


class Week(NamedTuple):
    """What is to happen.

    Attributes
    ----------
    slots : int
        Time points, ten minutes apart.
    faults : sequence of Fault
        In seconds of the rig's life; slot 0 is due at `FIRST_S`.
    seed : int
        Of the world.
    """

    slots: int
    faults: Sequence[Fault]
    seed: int = 1


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes
    ----------
    slots, frames, events
        As recorded.
    folder : Path
        Of the run.
    real_s : float
        Seconds of the machine.
    restarts : int
        Of the camera.
    off_steps, unsure_steps : int
        By so much the stage was not where it was believed to be in the end, and by so
        much it said that it might not be: a board that starts anew in the middle of a
        move has forgotten how far it had come.
    """

    slots: Tuple[Slot, ...]
    frames: Tuple[Frame, ...]
    events: Tuple[Event, ...]
    folder: Path
    real_s: float
    restarts: int
    off_steps: int
    unsure_steps: int

    def incidents(self) -> List[Tuple[float, str]]:
        """Return when each incident was recorded, in seconds of the rig's life."""
        return [
            (event.elapsed_ns / NS_PER_S + FIRST_S, str(event.details["kind"]))
            for event in self.events
            if event.kind == "hardware"
        ]


class _Pace:
    """Says how far the clock may jump."""

    def __init__(self, moments_s: Sequence[float], zero_ns: int) -> None:
        self._moments_ns = sorted(zero_ns + int(s * NS_PER_S) for s in moments_s)
        self.microscope: "Optional[DirectMicroscope]" = None

    def skip_to(self, now_ns: int) -> int:
        """Return the next moment at which something begins; now while it goes on."""
        if self.microscope is None:
            return now_ns
        age_s = self.microscope.status()["frame_age_s"]
        if age_s is None or age_s > FRESH_S:
            return now_ns
        noticed_ns = int(NOTICED_S * NS_PER_S)
        ahead = [ns for ns in self._moments_ns if ns + noticed_ns > now_ns]
        return max(now_ns, ahead[0]) if ahead else now_ns + EVERYTHING * NS_PER_S


def run_week(week: Week, folder: Path) -> Outcome:
    """Live through it.

    Parameters
    ----------
    week : Week
        What is to happen.
    folder : Path
        Empty; its path must be short, as sockets have it.
    """
    real = RealClock()
    began_ns = real.monotonic_ns()
    pace = _Pace(_moments(week.faults), began_ns)
    clock = SkippingClock(real, pace.skip_to)
    with contextlib.ExitStack() as ending:
        rig = DirectRig(
            folder, "beads", week.seed, clock=clock, faults=week.faults, shape=SENSOR
        )
        ending.callback(rig.close)
        settings = parse_config(rig.config(**SETTINGS))
        microscope = open_direct(settings, clock, folder, rig.environ())
        ending.callback(microscope.close)
        pace.microscope = microscope
        start_s = FIRST_S - (clock.monotonic_ns() - began_ns) / NS_PER_S
        asked = {**PLAN, "frames": week.slots, "start_in_s": start_s}
        plan = admit(asked, microscope, clock)
        disk = FaultyDisk(RealDisk(), rig.sim.faults)
        header = header_of(plan, microscope, clock)
        RunStore.create(folder, "run", header, RealDisk()).close()
        store = ending.enter_context(RunStore.open(folder / "run", disk))
        clock.follow_me()
        Engine(plan, store, microscope, clock, disk).run()
        restarts = int(microscope.status()["restarts"])
        off_steps = _apart(microscope.stage.position(), rig.sim.stage.position())
        unsure_steps = max(microscope.stage_part.state()["unsure_steps"].values())
    real_s = (real.monotonic_ns() - began_ns) / NS_PER_S
    return Outcome(
        *_recorded(folder / "run"),
        folder / "run",
        real_s,
        restarts,
        off_steps,
        unsure_steps,
    )


def _moments(faults: Sequence[Fault]) -> List[float]:
    """Return when something begins or ends by itself."""
    ends = [fault.to_s for fault in faults if fault.to_s != float("inf")]
    return [fault.from_s for fault in faults] + ends


def _apart(one: StagePosition, other: StagePosition) -> int:
    """Return how far two places are apart, in steps of the axis where it is most."""
    return max(abs(one.x - other.x), abs(one.y - other.y), abs(one.z - other.z))


def _recorded(
    folder: Path,
) -> Tuple[Tuple[Slot, ...], Tuple[Frame, ...], Tuple[Event, ...]]:
    """Return slots, frames and events of a run."""
    with RunStore.open_read(folder) as store:
        rows = store.slots(0, EVERYTHING)
        frames = tuple(store.frames(0, EVERYTHING))
        events = tuple(store.events(0, EVERYTHING))
    slots = tuple(
        Slot(n, n, row.outcome, row.reason, row.detail, row.lateness_ns)
        for row in rows
        for n in range(row.first, row.last + 1)
    )
    return slots, frames, events
