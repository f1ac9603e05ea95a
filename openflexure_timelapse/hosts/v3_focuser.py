"""Server v3's fast autofocus as a sweep.

Its own choice of a height is not used: it takes the largest frame, also of an empty
field. Our rules of focus judge the curve.
"""

from typing import Any, Dict, Mapping

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.upward_sweep import upward_sweep
from openflexure_timelapse.hosts.v3_features import accepts
from openflexure_timelapse.hosts.v3_stage import V3Stage
from openflexure_timelapse.hosts.visit_locks import VisitLocks
from openflexure_timelapse.ports import FocusSweep

__all__ = ["V3Focuser"]

ARRAYS = ("jpeg_times", "jpeg_sizes", "stage_times")


class V3Focuser:
    """The autofocus Thing.

    Parameters
    ----------
    autofocus : object
        As `v3_protocols.AutofocusThing` says.
    locks : VisitLocks
        Frames the sweep.
    stage : V3Stage
        Is told that somebody else moves it.
    """

    def __init__(self, autofocus: Any, locks: VisitLocks, stage: V3Stage) -> None:
        self._autofocus = autofocus
        self._locks = locks
        self._stage = stage
        self._how: Dict[str, Any] = {}
        if accepts(autofocus, "fast_autofocus", "start"):
            self._how["start"] = "centre"

    def sweep(self, range_steps: int) -> FocusSweep:
        """Measure sharpness over `range_steps` centred on the present height.

        Raises
        ------
        HardwareError
            When the autofocus fails, or saw too few frames on its way up.
        """
        # The server moves by half of it, and rounds that differently on either side.
        even = range_steps - range_steps % 2
        self._stage.forget_approach()
        with self._locks.call("focus"):
            seen = self._autofocus.fast_autofocus(dz=even, **self._how)
            return upward_sweep(_told(seen))


def _told(seen: Any) -> Dict[str, Any]:
    """Return the arrays of a sweep, with places as three numbers.

    Raises
    ------
    HardwareError
        When the server tells something else.
    """
    try:
        fields = seen if isinstance(seen, Mapping) else vars(seen)
        told = {name: fields[name] for name in ARRAYS}
        places = fields["stage_positions"]
        rows = [[place[axis] for axis in ("x", "y", "z")] for place in places]
    except (KeyError, TypeError) as exc:
        message = f"The autofocus told no curve: {exc!r} is missing; "
        raise HardwareError(message + "update the microscope's server.") from exc
    return {**told, "stage_positions": rows}
