"""The autofocus extension of the simulated server v2."""

import contextlib
import time
from typing import Any, ClassVar, ContextManager, Dict, List, Optional, Tuple

import numpy as np
from labthings import fields, find_component
from labthings.extensions import BaseExtension
from labthings.views import ActionView
from numpy.typing import NDArray
from werkzeug.exceptions import ServiceUnavailable

from hardware_sim.sweep import MOST_FRAMES_PER_S, pace
from hardware_sim.v2_objects import Microscope
from openflexure_timelapse.hosts.things.peak import sharpest

__all__ = ["AutofocusExtension"]

COMPONENT = "org.openflexure.microscope"


class _Sweeps:
    """Moves in z, each with the live view's frames during it."""

    def __init__(self, microscope: Microscope) -> None:
        self._stage = microscope.stage
        self._stream = microscope.camera.stream
        self._places: List[Tuple[float, Any]] = []
        self._frames: List[Tuple[float, int]] = []

    def sweep(self, steps: float) -> Tuple[NDArray[Any], NDArray[Any]]:
        """Move without regard to play; return heights and sizes of the frames seen."""
        self._stream.reset_tracking()
        self._stream.start_tracking()
        begun = self._here()
        try:
            self._stage.move_rel((0, 0, steps), backlash=False)
        finally:
            self._stream.stop_tracking()
            seen = [(frame.time, frame.size) for frame in self._stream.frames]
            self._frames += seen
            ended = self._here()
        during = [frame for frame in seen if begun[0] < frame[0] <= ended[0]]
        times, sizes = np.array(during, float).reshape(-1, 2).T
        heights = (begun[1][2], ended[1][2])
        return np.interp(times, (begun[0], ended[0]), heights), sizes

    def told(self) -> Dict[str, Any]:
        """Return everything that was noted, in the words of the server."""
        return {
            "jpeg_times": [moment for moment, _ in self._frames],
            "jpeg_sizes": [size for _, size in self._frames],
            "stage_times": [moment for moment, _ in self._places],
            "stage_positions": [place for _, place in self._places],
        }

    @property
    def z(self) -> int:
        """The height at the end of the last sweep, in steps."""
        return int(self._places[-1][1][2])

    def _here(self) -> Tuple[float, Any]:
        self._places.append((time.time(), self._stage.position))
        return self._places[-1]


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
            ``jpeg_times`` and ``jpeg_sizes`` in Unix seconds and bytes, for each frame;
            ``stage_times`` and ``stage_positions`` in Unix seconds and steps, two for
            each move. Nothing says whether there was a focus.

        Raises
        ------
        LockError
            When camera or stage are not free within 1 s.
        ValueError
            When no frame was seen on the way; the stage stays where it is then.
        """
        microscope = microscope or _with_real_stage()
        camera, stage = microscope.camera, microscope.stage
        with microscope.lock(timeout=1), camera.lock, stage.lock:
            sweeps = _Sweeps(microscope)
            sweeps.sweep(-dz / 2)
            with _paced(microscope):
                peak = sharpest(*sweeps.sweep(dz))
            sweeps.sweep(-dz)
            sweeps.sweep(peak - sweeps.z)
        return sweeps.told()


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
    held: ContextManager[None] = paced(pace(rate))
    return held


def _with_real_stage() -> Microscope:
    """Return the server's microscope, or answer that there is no stage."""
    microscope: Optional[Microscope] = find_component(COMPONENT)
    if microscope is None or not microscope.has_real_stage():
        raise ServiceUnavailable("Without a stage there is no autofocus.")
    return microscope
