"""Requests: buffers and wishes on their way to the camera, pictures on the way back."""

import enum
from typing import Any, Dict

from hardware_sim.fake_libcamera.buffers import FrameBuffer
from hardware_sim.fake_libcamera.configuration import Stream
from hardware_sim.fake_libcamera.control_ids import ControlId, checked

__all__ = ["Request"]


class Request:
    """One exposure to be.

    Parameters
    ----------
    cookie : int
        Whose it is.
    """

    class Status(enum.Enum):
        """What became of it."""

        Pending = 0
        Complete = 1
        Cancelled = 2

    def __init__(self, cookie: int) -> None:
        self.cookie = cookie
        self.status = Request.Status.Pending
        self.buffers: Dict[Stream, FrameBuffer] = {}
        self.metadata: Dict[ControlId, Any] = {}
        self.controls: Dict[str, Any] = {}

    def add_buffer(self, stream: Stream, buffer: FrameBuffer) -> None:
        """Give it memory for a stream."""
        self.buffers[stream] = buffer

    def set_control(self, control: ControlId, value: Any) -> None:
        """Give it a wish."""
        self.controls[control.name] = checked(control, value)

    def reuse(self) -> None:
        """Empty it for the next time; the buffers stay."""
        self.status = Request.Status.Pending
        self.metadata, self.controls = {}, {}
        for buffer in self.buffers.values():
            buffer.expose(None)
