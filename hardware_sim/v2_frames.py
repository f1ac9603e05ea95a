"""The live view of the simulated server v2: its newest frame, and the sizes of all."""

import threading
import time
from typing import List, NamedTuple, Optional

from labthings import ClientEvent

__all__ = ["FrameStream", "TrackerFrame"]

PATIENCE_S = 5


class TrackerFrame(NamedTuple):
    """One frame of a sweep.

    Attributes
    ----------
    size : int
        Bytes of the JPEG, which stand for its sharpness.
    time : float
        Unix time in seconds, by the machine's clock.
    """

    size: int
    time: float


class FrameStream:
    """Holds one JPEG, for any number of threads that wait for the next.

    Attributes
    ----------
    new_frame : labthings.ClientEvent
        Is up for each thread that has not looked since the last frame. Its `wait`
        gives up after 5 s.
    tracking : bool
        Whether sizes are noted.
    frames : list of TrackerFrame
        What was noted.
    last : TrackerFrame or None
        The newest of them.
    """

    def __init__(self) -> None:
        self.new_frame = ClientEvent()
        self.tracking = False
        self.frames: List[TrackerFrame] = []
        self.last: Optional[TrackerFrame] = None
        self._newest = b""
        self._shown = threading.Lock()

    def show(self, jpeg: bytes, taken_s: Optional[float] = None) -> None:
        """Replace the frame; for the cameras of the simulator.

        Parameters
        ----------
        jpeg : bytes
            The new one.
        taken_s : float, optional
            Unix time at which it was exposed; None for now. A real camera delivers a
            frame soon after its exposure, a rendered one needs longer than that.
        """
        moment = time.time() if taken_s is None else taken_s
        with self._shown:
            self._newest = jpeg
            if self.tracking:
                self.last = TrackerFrame(len(jpeg), moment)
                self.frames.append(self.last)
        self.new_frame.set()

    def start_tracking(self) -> None:
        """Begin to note sizes and times."""
        self.tracking = True

    def stop_tracking(self) -> None:
        """End it; what was noted stays."""
        self.tracking = False

    def reset_tracking(self) -> None:
        """Forget what was noted."""
        with self._shown:
            self.frames = []

    def getframe(self) -> bytes:
        """Return a frame that this thread has not seen; an old one after 5 s in vain.

        So a live view that stands still looks like one of a sample that does.
        """
        self.new_frame.wait(timeout=PATIENCE_S)
        return self._look()

    def getvalue(self) -> bytes:
        """Return the newest frame at once, seen or not."""
        return self._look()

    def _look(self) -> bytes:
        """Lower the flag of this thread before reading: the next frame raises it."""
        self.new_frame.clear()
        with self._shown:
            return self._newest
