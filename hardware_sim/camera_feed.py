"""Serves the simulated world's pixels to a `fake_libcamera` in another process.

A camera there lets the feed look at the world for each exposure, as it is now, and gets
the picture of its small stream; where somebody wants the full one, it has that exposure
developed.

``start``   with the controls with which a stream begins.
``expose``  with exposure, gains and the small size; answers with a ``token``, the real
            time and the time of day at which the world was looked at, how bright it is,
            and what goes wrong; behind it the small picture, blue first.
``develop`` with a token and a size; answers with the picture of that exposure.
"""

import contextlib
import socket
import threading
from collections import OrderedDict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Set, Tuple, Union

import numpy as np

from hardware_sim import optics
from hardware_sim.exposure import LEVEL_PER_US
from hardware_sim.fake_libcamera.sensor import WHITE
from hardware_sim.faults import FaultKind
from hardware_sim.microscope import SimMicroscope
from hardware_sim.optics import Shot
from hardware_sim.sight import Sight, View
from openflexure_timelapse.hosts.direct.frames import TimeBridge
from openflexure_timelapse.hosts.direct.wire import Message, receive, send
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import Clock

__all__ = ["CameraFeed", "SensorShape"]

KEPT_EXPOSURES = 2048
JOIN_S = 5.0
STRIKING: Tuple[FaultKind, ...] = (
    "camera_stalled",
    "camera_frontend_timeout",
    "camera_killed",
)
"""Faults that end a camera's life; one that is opened later lives."""
LASTING: Tuple[FaultKind, ...] = (
    "camera_exposure_ignored",
    "camera_metadata_missing",
    "camera_stop_blocks",
)
"""Faults of single frames."""


@dataclass(frozen=True)
class SensorShape:
    """What the sensor is. Every size shows the whole field.

    Attributes
    ----------
    width, height : int
        In pixels; those of the Pi camera v2, or fewer for a quick simulation.
    line_us : float
        Time of one line: exposures are whole numbers of lines.
    shortest_frame_us : int
        The sensor delivers no faster.
    model : str
        As the kernel's driver calls it.
    speed : float
        Sensor seconds in a real second, where the world's clock runs as fast.
    """

    width: int = 3280
    height: int = 2464
    line_us: float = 18.9
    shortest_frame_us: int = 47_169
    model: str = "imx219"
    speed: float = 1.0


class _Exposure(NamedTuple):
    """What one exposure saw; the sample is the same again for the same time."""

    shot: Shot
    t_s: float
    level: float
    tint: Tuple[float, float, float]
    truth: Dict[str, Any]


class CameraFeed:
    """The camera's side of a simulated world, behind a socket.

    Parameters
    ----------
    sim : SimMicroscope
        Its world, stage and light are looked at; its faults of kinds ``camera_…``
        strike the camera, and its truth log gets a line for each full picture.
    clock : Clock
        Of the simulation.
    socket_path : str or Path
        Made by this; for `fake_libcamera.environment`.
    shape : SensorShape
        What the sensor is.

    Attributes
    ----------
    frames : int
        Exposures so far.
    starved : int
        Those of them that were lost because no request waited for them.
    begun_with : dict
        The controls with which the last stream began.
    """

    def __init__(
        self,
        sim: SimMicroscope,
        clock: Clock,
        socket_path: Union[str, Path],
        shape: SensorShape = SensorShape(),
    ) -> None:
        self._sim = sim
        self._clock = clock
        self.socket_path = Path(socket_path)
        self.shape = shape
        self.frames = self.starved = 0
        self.begun_with: Dict[str, Any] = {}
        self._bridge = TimeBridge(clock, RealClock())
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._kept: "OrderedDict[int, _Exposure]" = OrderedDict()
        self._lines: Set[socket.socket] = set()
        self._threads: List[threading.Thread] = []
        self._struck: Set[FaultKind] = set()
        with contextlib.suppress(FileNotFoundError):
            self.socket_path.unlink()
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(str(self.socket_path))
        self._door.listen()
        self._start(self._admit, "camera-feed")

    def close(self) -> None:
        """End all connections: the cameras lose their world."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        with self._lock:
            lines, threads = list(self._lines), list(self._threads)
        for line in lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(JOIN_S)
        with contextlib.suppress(FileNotFoundError):
            self.socket_path.unlink()

    # ----------------------------------------------------------------------- serving

    def _start(self, function: Any, name: str, *values: Any) -> None:
        """Run a function in a thread of its own."""
        thread = threading.Thread(target=function, name=name, args=values, daemon=True)
        with self._lock:
            living = [each for each in self._threads if each.is_alive()]
            self._threads = [*living, thread]
        thread.start()

    def _admit(self) -> None:
        """Let cameras in until the door is closed."""
        while True:
            try:
                line, _ = self._door.accept()
            except OSError:
                return
            with self._lock:
                self._lines.add(line)
            self._start(self._serve, "camera-feed-line", line)

    def _serve(self, line: socket.socket) -> None:
        """Answer one camera until it hangs up."""
        sim = self._sim
        sight = Sight(sim.world, sim.stage, sim.light, sim.faults)
        with line, contextlib.suppress(OSError):
            while True:
                asked = receive(line)
                if asked is None:
                    break
                header, body = self._answer(sight, asked)
                send(line, header, [body])
        with self._lock:
            self._lines.discard(line)

    def _answer(self, sight: Sight, asked: Message) -> Tuple[Dict[str, Any], Any]:
        """Return the answer to a message."""
        header = asked.header
        if header["do"] == "hello":
            self._mend()
            return asdict(self.shape), b""
        if header["do"] == "start":
            self.begun_with = header["controls"]
            return {}, b""
        if header["do"] == "expose":
            return self._expose(sight, header)
        with self._lock:
            kept = self._kept.get(header["token"])
        if kept is None:
            message = "the exposure is long gone: the request was held for too long"
            raise RuntimeError(message)
        width, height = header["size"]
        return {}, self._develop(sight, kept, (width, height))

    # ----------------------------------------------------------------------- pictures

    def _expose(
        self, sight: Sight, asked: Mapping[str, Any]
    ) -> Tuple[Dict[str, Any], Any]:
        """Look at the world now."""
        sampled_ns, at_ns = self._bridge.both()
        wall_ns = self._clock.wall_ns()
        number = self.frames
        self.frames += 1
        self.starved += bool(asked["starved"])
        told: Dict[str, Any] = {
            "token": number,
            "sampled_ns": sampled_ns,
            "wall_ns": wall_ns,
            **self._faults(number),
        }
        small: Optional[Tuple[int, int]] = None
        if asked["size"] is not None:
            small = (asked["size"][0], asked["size"][1])
        with self._looking:  # the world remembers what it has worked out
            size = small or (self.shape.width, self.shape.height)
            view = sight.view(size, at_ns)
        light = sight.lamp(at_ns)
        kept = self._keep(number, sight, view, light, at_ns, asked)
        if small is None:
            return {**told, "light": light}, b""
        density = sight.density(view)
        told["light"] = light * optics.mean_transmission(density)
        black = self._sim.faults.find("camera_black", number) is not None
        return told, self._bytes(density, kept, black=black)

    def _keep(  # noqa: PLR0913, PLR0917 (what an exposure is)
        self,
        number: int,
        sight: Sight,
        view: View,
        light: float,
        at_ns: int,
        asked: Mapping[str, Any],
    ) -> _Exposure:
        """Remember an exposure, and forget the oldest."""
        total_us = asked["exposure_us"] * asked["gain"]
        if self._sim.faults.find("camera_black", number) is not None:
            total_us = 0.0
        red, blue = asked["colour_gains"]
        truth = sight.truth(view, at_ns, self._clock)
        truth.update(
            frame=number,
            light=light,
            exposure_us=asked["exposure_us"],
            analogue_gain=asked["gain"],
        )
        kept = _Exposure(
            view.shot,
            self._sim.world.world_s(at_ns),
            total_us * LEVEL_PER_US * light,
            (round(blue / WHITE[1], 4), 1.0, round(red / WHITE[0], 4)),
            truth,
        )
        with self._lock:
            self._kept[number] = kept
            while len(self._kept) > KEPT_EXPOSURES:
                self._kept.popitem(last=False)
        return kept

    def _develop(self, sight: Sight, kept: _Exposure, size: Tuple[int, int]) -> Any:
        """Return an exposure's picture in a size, and write down what is true of it."""
        with self._looking:
            bodies = self._sim.world.bodies(kept.t_s, kept.shot.centre_um)
        shot = replace(kept.shot, size=size)
        view = View(shot, bodies)
        listed = sight.listed(view, kept.t_s)
        mode = f"{size[0]}x{size[1]}"
        self._sim.truth.add({**kept.truth, "mode": mode, **listed})
        return self._bytes(sight.density(view), kept, black=not kept.level)

    @staticmethod
    def _bytes(density: optics.Pixels, kept: _Exposure, *, black: bool) -> Any:
        """Return the pixels of a density as they are sent."""
        pixels = optics.expose(density, kept.level, kept.tint)
        if black:
            pixels = np.zeros_like(pixels)
        return pixels.reshape(-1)

    # ------------------------------------------------------------------------- faults

    def _faults(self, number: int) -> Dict[str, Any]:
        """Return what goes wrong with a frame."""
        faults = self._sim.faults
        told: Dict[str, Any] = {}
        for kind in STRIKING:
            if faults.find(kind, number) is not None:
                self._struck.add(kind)
                told["fault"] = kind[len("camera_") :]
                break
        late = faults.find("camera_late", number)
        if late is not None:
            told["late_s"] = late.amount
        for kind in LASTING:
            told[kind[len("camera_") :]] = faults.find(kind, number) is not None
        return told

    def _mend(self) -> None:
        """End what has struck a camera, now that it is opened anew."""
        struck, self._struck = self._struck, set()
        for kind in struck:
            self._sim.faults.mend(kind)
