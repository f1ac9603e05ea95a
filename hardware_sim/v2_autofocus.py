"""The autofocus extension of the simulated server v2."""

import contextlib
import time
from typing import Any, ClassVar, ContextManager, Dict, List, Optional, Tuple

import numpy as np
from labthings import fields, find_component
from labthings.extensions import BaseExtension
from labthings.views import ActionView
from werkzeug.exceptions import ServiceUnavailable

from hardware_sim.v2_objects import Microscope

__all__ = ["AutofocusExtension", "SharpnessMonitor"]

STEPS_PER_FRAME = 40
MOST_FRAMES_PER_S = 12.0
"""A camera renders no more of them beside a moving stage, whatever it was asked for."""
NO_IMAGES = "No images were captured during the move of the stage."

MoveData = Tuple[Any, Any]


class SharpnessMonitor:
    """Moves the stage while the sizes of the live view's frames are noted.

    Parameters
    ----------
    microscope : Microscope
        Its stage and its live view.

    Attributes
    ----------
    jpeg_times, stage_times : list of float
        Unix time in seconds; two stage times for each move.
    jpeg_sizes : list of int
        Bytes.
    stage_positions : list of (int, int, int)
        At `stage_times`, in steps.
    """

    def __init__(self, microscope: Microscope) -> None:
        self._stage = microscope.stage
        self._stream = microscope.camera.stream
        self.jpeg_times: List[float] = []
        self.jpeg_sizes: List[int] = []
        self.stage_times: List[float] = []
        self.stage_positions: List[Tuple[int, int, int]] = []

    def focus_rel(self, dz: float) -> int:
        """Move in z without regard to play, and note what was seen.

        Parameters
        ----------
        dz : float
            Steps.

        Returns
        -------
        int
            The height at the end, in steps.
        """
        self._stream.start_tracking()
        self._note_place()
        self._stage.move_rel((0, 0, dz), backlash=False)
        self._stream.stop_tracking()
        self._note_place()
        for frame in self._stream.frames:
            self.jpeg_times.append(frame.time)
            self.jpeg_sizes.append(frame.size)
        self._stream.reset_tracking()
        return int(self.stage_positions[-1][2])

    def stop(self) -> None:
        """Note nothing more."""
        self._stream.stop_tracking()
        self._stream.reset_tracking()

    def sharpest_z(self) -> float:
        """Return the height at which the last move was sharpest, in steps.

        Raises
        ------
        ValueError
            When no frame was seen on the way.
        """
        times = np.array(self.jpeg_times)
        begun_s, ended_s = self.stage_times[-2:]
        during = (times > begun_s) & (times <= ended_s)
        if not during.any():
            raise ValueError(NO_IMAGES)
        heights = [place[2] for place in self.stage_positions[-2:]]
        z = np.interp(times[during], (begun_s, ended_s), heights)
        return _peak(z, np.array(self.jpeg_sizes, float)[during])

    def data_dict(self) -> Dict[str, Any]:
        """Return everything that was noted."""
        return {
            "jpeg_times": self.jpeg_times,
            "jpeg_sizes": self.jpeg_sizes,
            "stage_times": self.stage_times,
            "stage_positions": self.stage_positions,
        }

    def _note_place(self) -> None:
        self.stage_times.append(time.time())
        x, y, z = self._stage.position
        self.stage_positions.append((x, y, z))


def _peak(z: Any, sizes: Any) -> float:
    """Return the middle of the frames around the largest that are above half of it.

    The real server takes the largest one; it sees three times as many.
    """
    best = int(np.argmax(sizes))
    above = sizes - (sizes[best] + sizes.min()) / 2
    first = last = best
    while first > 0 and above[first - 1] > 0:
        first -= 1
    while last + 1 < len(sizes) and above[last + 1] > 0:
        last += 1
    weights = above[first : last + 1]
    if not weights.sum() > 0:
        return float(z[best])
    return float(np.average(z[first : last + 1], weights=weights))


class AutofocusExtension(BaseExtension):
    """Find the height at which the live view is sharpest."""

    def __init__(self) -> None:
        super().__init__(
            "org.openflexure.autofocus",
            version="2.0.0",
            description="Move in Z and pick the point with the sharpest image.",
        )
        # Made anew for each server: the class remembers the runs of its action.
        fast = type("fast_autofocus", (_FastAutofocus,), {"__doc__": _FAST})
        self.add_view(fast, "/fast_autofocus", endpoint="fast_autofocus")

    def fast_autofocus(
        self, microscope: Optional[Microscope] = None, dz: int = 2000
    ) -> Dict[str, Any]:
        """Move down by half of `dz`, up by `dz`, down again and up to the sharpest.

        Parameters
        ----------
        microscope : Microscope, optional
            None for the server's, which needs a context of the app.
        dz : int
            The range, in steps.

        Returns
        -------
        dict
            ``jpeg_times``, ``jpeg_sizes``, ``stage_times``, ``stage_positions``; see
            `SharpnessMonitor`.

        Raises
        ------
        LockError
            When camera or stage are not free within 1 s.
        ValueError
            When no frame was seen on the way.
        """
        microscope = microscope or _with_real_stage()
        camera, stage = microscope.camera, microscope.stage
        with microscope.lock(timeout=1), camera.lock, stage.lock:
            monitor = SharpnessMonitor(microscope)
            try:
                monitor.focus_rel(-dz / 2)
                with _paced(microscope):
                    monitor.focus_rel(dz)
                sharpest = monitor.sharpest_z()
                z = monitor.focus_rel(-dz)
                monitor.focus_rel(sharpest - z)
            finally:
                monitor.stop()
        return monitor.data_dict()


_FAST = "Runs of `fast_autofocus`."


class _FastAutofocus(ActionView):
    """Runs of `AutofocusExtension.fast_autofocus`."""

    args: ClassVar[Dict[str, Any]] = {"dz": fields.Int(missing=2000)}

    def post(self, arguments: Dict[str, Any]) -> Any:
        """Find the focus."""
        return self.extension.fast_autofocus(**arguments)


def _paced(microscope: Microscope) -> ContextManager[None]:
    """Hold the stage back to what the camera can render on the way."""
    rate = getattr(microscope.camera, "frames_per_s", MOST_FRAMES_PER_S)
    paced = getattr(microscope.stage, "paced", None)
    if paced is None:
        return contextlib.nullcontext()
    held: ContextManager[None] = paced(STEPS_PER_FRAME * min(rate, MOST_FRAMES_PER_S))
    return held


def _with_real_stage() -> Microscope:
    """Return the server's microscope, or answer that there is no stage."""
    microscope: Optional[Microscope] = find_component("org.openflexure.microscope")
    if microscope is not None and microscope.has_real_stage():
        return microscope
    raise ServiceUnavailable("No stage connected. Unable to autofocus.")
