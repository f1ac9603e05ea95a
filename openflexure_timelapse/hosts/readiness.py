"""Waiting until the hardware answers, before a run that was interrupted goes on."""

import threading

from openflexure_timelapse.errors import HardwareBusyError, HardwareTimeoutError
from openflexure_timelapse.ports import Clock, Lane, Microscope

__all__ = ["Readiness"]

LOOKS = 60
LOOK_S = 0.5
LOOK_DEADLINE_NS = 5_000_000_000
LOOKS_PER_HUNG_ONE = 10
"""One that hangs takes the time of so many."""


class Readiness:
    """Looks at the camera.

    Parameters
    ----------
    microscope, clock
        The ports.
    """

    def __init__(self, microscope: Microscope, clock: Clock) -> None:
        self._microscope = microscope
        self._clock = clock
        self._look_hung = False

    def wait(self, leaving: threading.Event) -> None:
        """Wait, for half a minute at most, until the camera shows a picture.

        Parameters
        ----------
        leaving : threading.Event
            Ends the wait.
        """
        lane = self._clock.lane("timelapse-look")
        try:
            looks = LOOKS
            while looks > 0:
                if self._camera_answers(lane) or leaving.wait(LOOK_S):
                    return
                looks -= LOOKS_PER_HUNG_ONE if self._look_hung else 1
        finally:
            lane.close()

    def _camera_answers(self, lane: Lane) -> bool:
        """Tell whether the camera shows a picture."""
        deadline_ns = self._clock.monotonic_ns() + LOOK_DEADLINE_NS
        try:
            lane.call("look", lambda: self._look(deadline_ns), deadline_ns)
        except HardwareBusyError:
            # Somebody works with it; but a look that hangs has the hardware itself.
            return not self._look_hung
        except HardwareTimeoutError:
            self._look_hung = True
            return False
        except Exception:  # noqa: BLE001 - drivers raise what they like before they start
            return False
        return True

    def _look(self, deadline_ns: int) -> None:
        """Take a small picture, with the hardware taken."""
        self._microscope.acquire(deadline_ns)
        try:
            self._microscope.camera.preview()
        finally:
            self._microscope.release()
