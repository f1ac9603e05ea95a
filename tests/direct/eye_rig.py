"""A camera of ours on the real picamera2, over a libcamera that is no camera."""

import contextlib
import importlib.util
import os
from pathlib import Path
from typing import Any, List, Optional, Sequence

import pytest

from hardware_sim import Fault, ScaledClock, SimMicroscope, build
from hardware_sim.camera_feed import CameraFeed, SensorShape
from hardware_sim.fake_libcamera import environment
from hardware_sim.light import USUAL_LEVEL
from hardware_sim.sangaboard_pty import SangaboardPty
from openflexure_timelapse.hosts.direct.board import Board
from openflexure_timelapse.hosts.direct.camera import DirectCamera
from openflexure_timelapse.hosts.direct.camera_settings import CameraSettings
from openflexure_timelapse.hosts.direct.kept_place import KeptPlace
from openflexure_timelapse.hosts.direct.stage import DirectStage
from openflexure_timelapse.hosts.direct.stage_settings import StageSettings
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.store.disk import RealDisk

SMALL = {"stream_size": (208, 156)}
WIDTH = 416
HOUR_S = 3600.0


def need_picamera2(*more: str) -> None:
    """Skip a module of tests where picamera2 is not installed, or another library."""
    for name in ("picamera2", *more):
        if importlib.util.find_spec(name) is None:
            told = f"needs {name}: pip install '.[direct]'"
            pytest.skip(told, allow_module_level=True)


class Eye:
    """A camera, and the world that it looks at.

    Parameters
    ----------
    folder : Path
        For the socket.
    faults : sequence of Fault
        What goes wrong.
    speed : float
        Of the world's clock.
    frame_speed : float
        Of the sensor.
    width : int
        Of the sensor, in pixels.
    path : Path, optional
        A folder whose modules the camera's process finds first.
    settings
        Of `CameraSettings`.
    """

    def __init__(  # noqa: PLR0913 (what a test may want)
        self,
        folder: Path,
        faults: Sequence[Fault] = (),
        *,
        scene: str = "algae_growth",
        seed: int = 3,
        speed: float = 1.0,
        frame_speed: float = 4.0,
        width: int = WIDTH,
        path: Optional[Path] = None,
        **settings: Any,
    ) -> None:
        self.clock = ScaledClock(speed, RealClock())
        self.sim: SimMicroscope = build(seed, scene, self.clock, faults, age_s=HOUR_S)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ending = contextlib.ExitStack()
        rows_us = round(SensorShape().shortest_frame_us / frame_speed)
        shape = SensorShape(
            width, width * 3 // 4, shortest_frame_us=rows_us, speed=frame_speed
        )
        self.feed = CameraFeed(self.sim, self.clock, folder / "eye", shape)
        self.settings = CameraSettings(**{**SMALL, **settings})
        env = environment(self.feed.socket_path)
        if path is not None:
            env["PYTHONPATH"] = os.pathsep.join([str(path), env["PYTHONPATH"]])
        self.camera = DirectCamera(self.clock, self.settings, env)

    def start(self) -> DirectCamera:
        """Start the camera."""
        self.camera.start()
        return self.camera

    def stage(self, reach: int = 9000) -> DirectStage:
        """Return a stage of ours on a board that moves this world.

        Parameters
        ----------
        reach : int
            Steps of its travel on either side.
        """
        self.wire = SangaboardPty(self.sim, self.clock, self._folder)
        self._ending.callback(self.wire.close)
        self.sim.light.set_level(USUAL_LEVEL)  # a board that starts is dark
        board = Board(self.wire.port)
        self._ending.callback(board.close)
        kept = KeptPlace(self._folder / "place.json", RealDisk())
        travel = {"lowest": (-reach,) * 3, "highest": (reach,) * 3}
        return DirectStage(board, self.clock, StageSettings(**travel), kept)

    def close(self) -> None:
        """End camera, board and world."""
        self._ending.close()
        self.camera.close()
        self.feed.close()


class Eyes:
    """Makes cameras, which end with the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: List[Eye] = []

    def __call__(self, faults: Sequence[Fault] = (), **how: Any) -> Eye:
        """Return one, started."""
        eye = self.idle(faults, **how)
        eye.start()
        return eye

    def idle(self, faults: Sequence[Fault] = (), **how: Any) -> Eye:
        """Return one that is not started yet."""
        # The kernel takes no long names of sockets.
        eye = Eye(self._folder / str(len(self._made)), faults, **how)
        self._made.append(eye)
        return eye

    def close(self) -> None:
        """End all."""
        for eye in self._made:
            eye.close()


def kinds_of(camera: DirectCamera) -> List[str]:
    """Return the kinds of what happened since the last time."""
    return [str(each["kind"]) for each in camera.incidents()]


def waited_for(camera: DirectCamera, kind: str, most_s: float = 20.0) -> Optional[Any]:
    """Return an incident of a kind, once it happened; None when it does not."""
    clock = RealClock()
    until_ns = clock.monotonic_ns() + int(most_s * 1e9)
    while clock.monotonic_ns() < until_ns:
        for incident in camera.incidents():
            if incident["kind"] == kind:
                return incident
        clock.wait_until(clock.monotonic_ns() + 10_000_000, clock.signal())
    return None
