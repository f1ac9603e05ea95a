"""The simulated camera's way to the world: a socket to a `CameraFeed`."""

import os
import socket
import threading
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple

import numpy as np
from numpy.typing import NDArray

from hardware_sim.fake_libcamera import SOCKET_VARIABLE
from openflexure_timelapse.hosts.direct.wire import Message, receive, send

__all__ = ["FeedClient", "FeedLostError", "Shape"]

Pixels = NDArray[np.uint8]
CONNECTING_S = 5.0


class FeedLostError(RuntimeError):
    """The process with the simulated world is gone."""


@dataclass(frozen=True)
class Shape:
    """What the feed says of its sensor; see `hardware_sim.camera_feed.SensorShape`."""

    width: int
    height: int
    line_us: float
    shortest_frame_us: int
    model: str
    speed: float

    @property
    def size(self) -> Tuple[int, int]:
        """Width and height, in pixels."""
        return self.width, self.height


class FeedClient:
    """Asks the feed: on one line for frames, on another for pictures of full size.

    Raises
    ------
    FeedLostError
        When there is no feed; and by every method when it is gone.
    """

    def __init__(self) -> None:
        path = os.environ.get(SOCKET_VARIABLE)
        if not path:
            message = f"No simulated camera: {SOCKET_VARIABLE} is not set; "
            raise FeedLostError(message + "start a CameraFeed and name its socket.")
        self._frames, self._pictures = _connected(path), _connected(path)
        self._turn = threading.Lock()
        told = self._ask(self._frames, {"do": "hello"}).header
        self.shape = Shape(**told)

    def start(self, controls: Mapping[str, Any]) -> None:
        """Tell with which controls a stream begins."""
        self._ask(self._frames, {"do": "start", "controls": dict(controls)})

    def expose(self, asked: Mapping[str, Any]) -> Message:
        """Let the feed look at the world now; see `CameraFeed`."""
        return self._ask(self._frames, {"do": "expose", **asked})

    def develop(self, token: int, size: Tuple[int, int]) -> Pixels:
        """Return the picture of an exposure, blue first, in a size."""
        with self._turn:
            asked = {"do": "develop", "token": token, "size": list(size)}
            body = self._ask(self._pictures, asked).body
        return np.frombuffer(body, np.uint8).reshape(size[1], size[0], 3)

    def close(self) -> None:
        """Close both lines."""
        self._frames.close()
        self._pictures.close()

    @staticmethod
    def _ask(line: socket.socket, asked: Dict[str, Any]) -> Message:
        """Ask, and return the answer."""
        try:
            send(line, asked)
        except OSError as exc:
            raise FeedLostError("The simulated world is gone.") from exc
        answer = receive(line)
        if answer is None:
            raise FeedLostError("The simulated world is gone.")
        return answer


def _connected(path: str) -> socket.socket:
    """Return a line to the feed."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(CONNECTING_S)
    try:
        line.connect(path)
    except OSError as exc:
        line.close()
        message = f"No simulated camera at {path}: {exc}; start a CameraFeed there."
        raise FeedLostError(message) from exc
    line.settimeout(None)
    return line
