"""Server v2's fast autofocus as a sweep: what it saw on its way up, and no more.

Its own choice of a height is not used: it takes the largest frame, also of an empty
field. Our rules of focus judge the curve.
"""

from typing import Any

from openflexure_timelapse.hosts.upward_sweep import upward_sweep
from openflexure_timelapse.hosts.v2_stage import V2Stage
from openflexure_timelapse.hosts.visit_locks import VisitLocks
from openflexure_timelapse.ports import FocusSweep

__all__ = ["V2Focuser"]


class V2Focuser:
    """The autofocus extension of the server.

    Parameters
    ----------
    microscope : object
        The server's. It is handed to the extension, which finds it by itself only
        within a request.
    extension : object
        Has ``fast_autofocus``.
    locks : VisitLocks
        Frames the sweep; the extension takes the same locks again.
    stage : V2Stage
        Is told that somebody else moves it.
    """

    def __init__(
        self, microscope: Any, extension: Any, locks: VisitLocks, stage: V2Stage
    ) -> None:
        self._microscope = microscope
        self._extension = extension
        self._locks = locks
        self._stage = stage

    def sweep(self, range_steps: int) -> FocusSweep:
        """Measure sharpness over `range_steps` centred on the present height.

        Raises
        ------
        HardwareError
            When the extension fails, or saw too few frames on its way up.
        """
        # The extension moves by half of it, and half a step is none.
        even = range_steps - range_steps % 2
        self._stage.forget_approach()
        with self._locks.call("focus"):
            camera = self._microscope.camera
            if not camera.stream_active:
                camera.start_stream()
            told = self._extension.fast_autofocus(microscope=self._microscope, dz=even)
            return upward_sweep(told)
