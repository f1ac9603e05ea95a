"""The live view of the simulated server v2: one JPEG at a time, and their sizes."""

import io
import logging
import threading
import time
from typing import Any, List, NamedTuple, Optional

from labthings import ClientEvent

__all__ = ["FrameStream", "TrackerFrame"]

LOG = logging.getLogger(__name__)

JPEG_END = b"\xff\xd9"


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


class FrameStream(io.BytesIO):
    """A file that holds the newest frame only; each write is one whole JPEG.

    Attributes
    ----------
    frames : list of TrackerFrame
        Since tracking was started or reset.
    last : TrackerFrame or None
        The newest of them.
    tracking : bool
        Whether sizes are noted.
    new_frame : labthings.ClientEvent
        Is set by each write, for each thread by itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames: List[TrackerFrame] = []
        self.last: Optional[TrackerFrame] = None
        self.tracking = False
        self.new_frame = ClientEvent()
        self._whole = threading.RLock()
        self._was_bad = False

    def start_tracking(self) -> None:
        """Begin to note sizes and times."""
        self.tracking = True

    def stop_tracking(self) -> None:
        """End it; what was noted stays."""
        self.tracking = False

    def reset_tracking(self) -> None:
        """Forget what was noted."""
        self.frames = []

    def write(self, data: Any, taken_s: Optional[float] = None) -> int:
        """Replace the frame.

        Parameters
        ----------
        data : bytes
            A whole JPEG.
        taken_s : float, optional
            Unix time at which it was exposed; None for now. A real camera delivers a
            frame soon after its exposure, a rendered one needs longer than that.
        """
        bad = bytes(data[-2:]) != JPEG_END
        if bad and not self._was_bad:
            LOG.error("The stream received a frame that is cut short.")
        with self._whole:
            self._was_bad = bad
            if self.tracking:
                moment = time.time() if taken_s is None else taken_s
                self.last = TrackerFrame(size=len(data), time=moment)
                self.frames.append(self.last)
            self.seek(0)
            self.truncate()
            written = super().write(data)
        self.new_frame.set()
        return written

    def getvalue(self) -> bytes:
        """Return the newest frame, and mark it as seen by this thread."""
        self.new_frame.clear()
        with self._whole:
            return super().getvalue()

    def getframe(self) -> bytes:
        """Wait for a frame that this thread has not seen, 5 s at most; return it."""
        self.new_frame.wait()
        return self.getvalue()
