"""The streams of the simulated server v3's camera, rendered one by one."""

import contextlib
import threading
import time
from typing import Any

import cv2
import numpy as np
from labthings_fastapi.exceptions import ServerNotRunningError

from hardware_sim.camera import SimCamera
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.things.camera import CameraThing
from openflexure_timelapse.ports import Clock

__all__ = ["RenderedCamera"]

LORES = (320, 240)
LORES_QUALITY = 75
SHORTEST_REST_S = 0.005
"""Between two frames of the streams, so that a still gets its turn."""


class RenderedCamera(CameraThing):
    """A `SimCamera` that streams 832 by 624 pixels, and 320 by 240.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    sim : SimCamera
        The simulated camera.
    clock : Clock
        Its clock; not a virtual one, since there are real threads.
    frames_per_s : float
        Of the streams, for each second of the machine's own time.

    Attributes
    ----------
    frames_per_s : float
        As given.
    """

    def __init__(
        self,
        thing_server_interface: Any,
        *,
        sim: SimCamera,
        clock: Clock,
        frames_per_s: float = 10.0,
    ) -> None:
        super().__init__(thing_server_interface, clock=clock)
        self.frames_per_s = frames_per_s
        self._sim = sim
        # Held for each frame of the streams, and for a still that pauses them.
        self._sensor = threading.Lock()

    def __enter__(self) -> Any:
        """Hold the exposure, which is automatic on no camera of v3, and stream."""
        self._hold_exposure()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        """End whatever hangs, and the streams."""
        self._ended.set()
        self._sim.recover()
        super().__exit__(*error)

    def _hold_exposure(self) -> None:
        """Freeze what the automatic control finds."""
        self._sim.lock_exposure()

    def _deliver(self) -> None:
        """Render frames; the work of a thread."""
        while not self._ended.is_set():
            begun_s = time.monotonic()
            with self._sensor, contextlib.suppress(ServerNotRunningError):
                self._render_one()
            rest_s = 1.0 / self.frames_per_s - (time.monotonic() - begun_s)
            self._ended.wait(max(SHORTEST_REST_S, rest_s))

    def _render_one(self) -> None:
        """Render a frame for both streams; one that fails is left out."""
        taken_s = time.time()
        try:
            jpeg = self._sim.preview().jpeg
            self._show(jpeg, _small(jpeg), taken_s)
        except (HardwareError, ValueError) as exc:
            self.logger.warning("No frame for the streams: %s", exc)


def _small(jpeg: bytes) -> bytes:
    """Return a frame of the small stream.

    Raises
    ------
    ValueError
        For one that was cut off.
    """
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("a frame was cut off")
    small = cv2.resize(pixels, LORES, interpolation=cv2.INTER_AREA)
    flags = [cv2.IMWRITE_JPEG_QUALITY, LORES_QUALITY]
    return bytes(cv2.imencode(".jpg", small, flags)[1])
