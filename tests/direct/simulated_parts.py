"""The simulator's own camera and stage as parts of a microscope without a server."""

import threading
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

from hardware_sim import Fault, ScaledClock, SimMicroscope, build
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.direct.microscope import DirectMicroscope
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import Clock, JsonDict

__all__ = ["Frame", "SimCameraPart", "SimStagePart", "simulated"]

PAUSE_S = 0.02
GRAIN = 200


@dataclass(frozen=True)
class Frame:
    """One frame of the small stream."""

    jpeg: bytes
    exposure_start_ns: int


class SimCameraPart:
    """A `SimCamera` with a stream, whose stills take their turn with it."""

    def __init__(self, sim: SimMicroscope) -> None:
        self._sim = sim.camera
        self._turn = threading.Lock()
        self.told: List[JsonDict] = []
        self.is_closed = False

    def __getattr__(self, name: str) -> Any:
        """Return what the simulated camera has."""
        return getattr(self._sim, name)

    def capture(self, mode: Optional[str]) -> Any:
        """Take a still."""
        with self._turn:
            return self._sim.capture(mode)

    def frame(self, timeout_s: float, after_ns: Optional[int] = None) -> Frame:  # noqa: ARG002 (as the real one)
        """Return a frame that begins now, no sooner than the last one has ended."""
        if self.is_closed:
            raise HardwareError("The camera is closed.")
        time.sleep(PAUSE_S)  # a stream has a rate; nothing depends on it
        begun_ns = time.monotonic_ns()
        with self._turn:
            return Frame(self._sim.preview().jpeg, begun_ns)

    def state(self) -> JsonDict:
        """Return its state for EXIF."""
        return {"model": self._sim.describe().model}

    def status(self) -> JsonDict:
        """Return how it is."""
        return {"frame_age_s": 0.0, "restarts": 0}

    def incidents(self) -> List[JsonDict]:
        """Return what it got over."""
        told, self.told = self.told, []
        return [*told, *self._sim.incidents()]

    def close(self) -> None:
        """End it."""
        self.is_closed = True
        self._sim.recover()


class SimStagePart:
    """A `SimStage` that can be stopped on its way."""

    def __init__(self, sim: SimMicroscope) -> None:
        self._sim = sim.stage
        self._stopped = threading.Event()
        self.moving = False
        self.ended_visits = 0
        self.told: List[JsonDict] = []
        self.fails: Optional[HardwareError] = None
        self._zero = (0, 0, 0)

    def __getattr__(self, name: str) -> Any:
        """Return what the simulated stage has."""
        return getattr(self._sim, name)

    def move_by(self, steps: Tuple[int, int, int]) -> None:
        """Turn the motors in small parts, until stopped."""
        self._stopped.clear()
        self.moving = True
        try:
            done = (0, 0, 0)
            whole = max(1, -(-max(abs(step) for step in steps) // GRAIN))
            for part in range(1, whole + 1):
                if self._stopped.is_set():
                    return
                x, y, z = (step * part // whole for step in steps)
                self._sim.move_by((x - done[0], y - done[1], z - done[2]))
                done = (x, y, z)
        finally:
            self.moving = False

    def stop(self) -> None:
        """End a move."""
        self._stopped.set()

    def set_zero(self) -> None:
        """Count from here."""
        place = self._sim.position()
        self._zero = (place.x, place.y, place.z)

    def end_visit(self) -> None:
        """Take note."""
        self.ended_visits += 1
        if self.fails is not None:
            raise self.fails

    def state(self) -> JsonDict:
        """Return its state for EXIF."""
        place = self._sim.position()
        x, y, z = self._zero
        return {"position": {"x": place.x - x, "y": place.y - y, "z": place.z - z}}

    def incidents(self) -> List[JsonDict]:
        """Return what it got over."""
        told, self.told = self.told, []
        return told


def simulated(
    speed: float = 200.0,
    scene: str = "beads",
    faults: Sequence[Fault] = (),
    clock: Optional[Clock] = None,
    **options: Any,
) -> Tuple[DirectMicroscope, SimMicroscope, Clock]:
    """Return a microscope of simulated parts, their world, and its clock."""
    clock = clock or ScaledClock(speed, RealClock())
    sim = build(1, scene, clock, faults)
    how: Dict[str, Any] = {"light": sim.light, **options}
    parts: Any = (SimCameraPart(sim), SimStagePart(sim), clock)
    return DirectMicroscope(*parts, **how), sim, clock
