"""A microscope whose stage is a board on a wire; its camera is the simulator's own.

Quicker than a camera in a process of its own, where the camera is not what is tried.
"""

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional, Sequence

from hardware_sim import Fault, ScaledClock, SimMicroscope, build
from hardware_sim.sangaboard_pty import SangaboardPty
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.direct.board import Board
from openflexure_timelapse.hosts.direct.kept_place import KeptPlace
from openflexure_timelapse.hosts.direct.light import DirectLight
from openflexure_timelapse.hosts.direct.microscope import DirectMicroscope
from openflexure_timelapse.hosts.direct.stage import DirectStage
from openflexure_timelapse.hosts.direct.stage_settings import StageSettings
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import Clock, Image, JsonDict
from openflexure_timelapse.store.disk import RealDisk

__all__ = ["Frame", "SimCameraPart", "World", "simulated"]

PAUSE_S = 0.02


@dataclass(frozen=True)
class Frame:
    """One frame of the small stream."""

    jpeg: bytes
    exposure_start_ns: int


class SimCameraPart:
    """A `SimCamera` with a stream, whose stills take their turn with it."""

    def __init__(self, sim: SimMicroscope, clock: Clock) -> None:
        self._sim = sim.camera
        self._clock = clock
        self._turn = threading.Lock()
        self.told: List[JsonDict] = []
        self.is_closed = False
        self.is_missed = threading.Event()
        self._last = Frame(b"", -1)
        self.frames = 0
        self.age_s = 0.0
        self.dng: Optional[bytes] = None

    def __getattr__(self, name: str) -> Any:
        """Return what the simulated camera has."""
        return getattr(self._sim, name)

    def capture(self, mode: Optional[str]) -> Any:
        """Take a still."""
        with self._turn:
            return self._sim.capture(mode)

    def frame(self, timeout_s: float, after_ns: Optional[int] = None) -> Frame:  # noqa: ARG002 (as the real one)
        """Return the last frame if it is new enough, else one that begins now."""
        if self.is_closed:
            self.is_missed.set()
            raise HardwareError("The camera is closed.")
        if after_ns is not None and after_ns <= self._last.exposure_start_ns:
            return self._last
        time.sleep(PAUSE_S)  # a stream has a rate; nothing depends on it
        begun_ns = self._clock.monotonic_ns()
        with self._turn:
            self._last = Frame(self._sim.preview().jpeg, begun_ns)
        self.frames += 1
        return self._last

    def raw(self, mode: Optional[str] = None) -> Image:  # noqa: ARG002 (as the real one)
        """Return raw data where there are some, as little as the real one's may be."""
        if self.dng is None:
            raise HardwareError("No raw data: not asked for in the settings.")
        return Image(self.dng, {"mode": "raw"})

    def state(self) -> JsonDict:
        """Return its state for EXIF."""
        return {"model": self._sim.describe().model}

    def status(self) -> JsonDict:
        """Return how it is."""
        return {"frame_age_s": self.age_s, "restarts": 0}

    def incidents(self) -> List[JsonDict]:
        """Return what it got over."""
        told, self.told = self.told, []
        return [*told, *self._sim.incidents()]

    def calibrate(self, scale: Callable[[], Optional[float]]) -> None:
        """Take note; the simulated camera knows its scale."""
        self.scale = scale

    def close(self) -> None:
        """End it."""
        self.is_closed = True
        self._sim.recover()


class World(NamedTuple):
    """A microscope, its world, and the wire between them."""

    microscope: DirectMicroscope
    sim: SimMicroscope
    board: SangaboardPty
    clock: Clock


def simulated(  # noqa: PLR0913, PLR0917 (each has a default)
    folder: Path,
    speed: float = 200.0,
    scene: str = "beads",
    faults: Sequence[Fault] = (),
    clock: Optional[Clock] = None,
    dialect: str = "v1.0",
    **settings: Any,
) -> World:
    """Return a microscope; closing it ends the wire as well.

    Parameters
    ----------
    folder : Path
        For the port and the kept place.
    speed, scene, faults, clock
        Of the world.
    dialect : str
        Of the board.
    **settings
        Of `StageSettings`.
    """
    clock = clock or ScaledClock(speed, RealClock())
    sim = build(1, scene, clock, faults)
    with contextlib.ExitStack() as ending:
        wire = SangaboardPty(sim, clock, folder, dialect)
        ending.callback(wire.close)
        board = Board(wire.port)
        ending.callback(board.close)
        kept = KeptPlace(folder / "place.json", RealDisk())
        stage = DirectStage(board, clock, StageSettings(**settings), kept)
        camera: Any = SimCameraPart(sim, clock)
        ending.callback(camera.close)
        light = DirectLight(board) if board.facts.has_light else None
        microscope = DirectMicroscope(
            camera, stage, clock, light=light, closing=ending.pop_all()
        )
    return World(microscope, sim, wire, clock)
