"""A camera of ours on the real picamera2, over a libcamera that is no camera."""

import importlib.util
from pathlib import Path
from typing import Any, List, Optional, Sequence

import pytest

from hardware_sim import Fault, ScaledClock, SimMicroscope, build
from hardware_sim.camera_feed import CameraFeed, SensorShape
from hardware_sim.fake_libcamera import environment
from openflexure_timelapse.hosts.direct.camera import DirectCamera
from openflexure_timelapse.hosts.direct.camera_settings import CameraSettings
from openflexure_timelapse.hosts.system import RealClock

SMALL = {"stream_size": (208, 156)}
WIDTH = 416
HOUR_S = 3600.0


def need_picamera2() -> None:
    """Skip a module of tests where picamera2 is not installed."""
    if importlib.util.find_spec("picamera2") is None:
        pytest.skip("picamera2 is not installed", allow_module_level=True)


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
        **settings: Any,
    ) -> None:
        self.clock = ScaledClock(speed, RealClock())
        self.sim: SimMicroscope = build(seed, scene, self.clock, faults, age_s=HOUR_S)
        folder.mkdir(parents=True, exist_ok=True)
        shape = SensorShape(width, width * 3 // 4, speed=frame_speed)
        self.feed = CameraFeed(self.sim, self.clock, folder / "eye", shape)
        self.settings = CameraSettings(**{**SMALL, **settings})
        env = environment(self.feed.socket_path)
        self.camera = DirectCamera(self.clock, self.settings, env)

    def start(self) -> DirectCamera:
        """Start the camera."""
        self.camera.start()
        return self.camera

    def close(self) -> None:
        """End camera and world."""
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
