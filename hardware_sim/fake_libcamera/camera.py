"""The simulated camera and its manager: a sensor that runs freely, filling requests."""

import os
import threading
from collections import deque
from typing import Any, ClassVar, Deque, Dict, List, Mapping, Optional, Sequence

from hardware_sim.fake_libcamera.configuration import CameraConfiguration
from hardware_sim.fake_libcamera.control_ids import (
    ControlId,
    ControlInfo,
    checked,
    control_infos,
    property_values,
)
from hardware_sim.fake_libcamera.exposures import Exposures, Frame
from hardware_sim.fake_libcamera.feed_client import FeedClient
from hardware_sim.fake_libcamera.geometry import StreamRole
from hardware_sim.fake_libcamera.request import Request

__all__ = ["Camera", "CameraManager"]

JOIN_S = 10.0


class Camera:
    """A camera; one thread exposes while it is started.

    Parameters
    ----------
    manager : CameraManager
        Receives the requests that are done.
    """

    def __init__(self, manager: "CameraManager") -> None:
        self._manager = manager
        self._feed = FeedClient()
        shape = self._feed.shape
        self.id = f"/simulated/i2c@1/{shape.model}@10"
        self._infos = control_infos(shape.size, shape.line_us, shape.shortest_frame_us)
        self._properties = property_values(shape.model, shape.size)
        self._exposures = Exposures(self._feed)
        self._streams: List[Any] = []
        self._queue: Deque[Request] = deque()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread: Optional[threading.Thread] = None

    @property
    def controls(self) -> Dict[ControlId, ControlInfo]:
        """What may be set."""
        return self._infos

    @property
    def properties(self) -> Dict[ControlId, Any]:
        """What it is."""
        return self._properties

    def acquire(self) -> None:
        """Do nothing: nobody else can have it."""

    def release(self) -> None:
        """Do nothing."""

    def generate_configuration(
        self, roles: Sequence[StreamRole]
    ) -> CameraConfiguration:
        """Return a configuration to be filled in."""
        return CameraConfiguration(roles, self._feed.shape.size)

    def configure(self, config: CameraConfiguration) -> int:
        """Take a configuration; 0 for done."""
        self._streams = config.apply()
        return 0

    def create_request(self, cookie: int) -> Request:
        """Return a new request."""
        return Request(cookie)

    def queue_request(self, request: Request) -> None:
        """Take a request to be filled."""
        with self._lock:
            self._queue.append(request)

    def start(self, controls: Optional[Mapping[ControlId, Any]] = None) -> None:
        """Begin to expose."""
        told = {
            control.name: checked(control, value)
            for control, value in (controls or {}).items()
        }
        self._exposures.start(self._streams, told)
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="sensor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the exposures, and give back what was not filled; or hang, as a fault."""
        if self._exposures.stop_blocks:
            threading.Event().wait()
        self._ending.set()
        if self._thread is not None:
            self._thread.join(JOIN_S)
            self._thread = None
        self._cancel_all()

    # ------------------------------------------------------------------- the own thread

    def _run(self) -> None:
        """Expose frame after frame until the end, or until a fault of the pipeline."""
        while not self._ending.is_set():
            self._ending.wait(self._exposures.left_s())
            with self._lock:
                request = self._queue[0] if self._queue else None
            frame = self._exposures.next(request)
            if frame is None:
                continue
            if frame.fault == "stalled":
                return
            if frame.fault == "frontend_timeout":
                self._cancel_all()
                return
            if request is not None:
                self._deliver(request, frame)

    def _deliver(self, request: Request, frame: Frame) -> None:
        """Give a filled request back."""
        self._ending.wait(frame.late_s)
        with self._lock:
            if not self._queue or self._queue[0] is not request:
                return
            self._queue.popleft()
        self._exposures.fill(request, frame)
        request.status = Request.Status.Complete
        self._manager.completed(request)

    def _cancel_all(self) -> None:
        """Give all requests back unfilled."""
        with self._lock:
            given_up = list(self._queue)
            self._queue.clear()
        for request in given_up:
            request.status = Request.Status.Cancelled
            self._manager.completed(request)


class CameraManager:
    """The cameras, and the requests that are done."""

    _only: ClassVar[Optional["CameraManager"]] = None
    version = "v0.7.1 (simulated)"

    def __init__(self) -> None:
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._done: List[Request] = []
        self._lock = threading.Lock()
        self.cameras = [Camera(self)]

    @classmethod
    def singleton(cls) -> "CameraManager":
        """Return the one there is."""
        if cls._only is None:
            cls._only = cls()
        return cls._only

    def get(self, name: str) -> Camera:
        """Return the camera of an id."""
        return next(camera for camera in self.cameras if camera.id == name)

    find = get

    def completed(self, request: Request) -> None:
        """Take a request that is done, from any thread."""
        with self._lock:
            self._done.append(request)
        os.eventfd_write(self.event_fd, 1)

    def get_ready_requests(self) -> List[Request]:
        """Return what is done since the last time."""
        with self._lock:
            done, self._done = self._done, []
            if done:
                os.eventfd_read(self.event_fd)
        return done
