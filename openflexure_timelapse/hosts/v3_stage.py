"""Server v3's stage as ours: every axis is approached from below."""

from typing import Any, Dict, Optional

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.approach import (
    APPROACH_STEPS,
    Steps,
    first_move,
    told_place,
    way_between,
)
from openflexure_timelapse.hosts.v3_features import (
    accepts,
    is_simulated,
    offers,
    whole_compensation,
)
from openflexure_timelapse.hosts.visit_locks import VisitLocks
from openflexure_timelapse.ports import StageInfo, StagePosition

__all__ = ["V3Stage"]

STEPS_PER_S = 1000.0
TRIES = 2
"""The server's dummy stage says on a busy machine that it is there before it begins."""


class V3Stage:
    """The stage Thing.

    The server counts the play that each axis has taken up, also by moves of others; so
    it is asked to compensate. A server of the alphas cannot: then the approach is ours.

    Parameters
    ----------
    stage : object
        As `v3_protocols.StageThing` says; only ``position`` and ``move_absolute`` are
        needed.
    locks : VisitLocks
        Frames every call.
    """

    def __init__(self, stage: Any, locks: VisitLocks) -> None:
        self._stage = stage
        self._locks = locks
        self._came_to: Optional[StagePosition] = None
        self._how: Dict[str, Any] = {}
        if accepts(stage, "move_absolute", "block_cancellation"):
            self._how["block_cancellation"] = True
        self._compensates = accepts(stage, "move_absolute", "backlash_compensation")
        if self._compensates:
            wanted = whole_compensation(stage, "move_absolute")
            self._how["backlash_compensation"] = wanted

    def describe(self) -> StageInfo:
        """Return the constant facts; the server knows neither scale nor travel."""
        step_s = getattr(self._stage, "step_time", None)
        known = isinstance(step_s, (int, float)) and step_s > 0
        return StageInfo(
            model=type(self._stage).__name__,
            simulated=is_simulated(self._stage),
            step_um=None,
            lowest=None,
            highest=None,
            steps_per_s=1.0 / step_s if known and step_s else STEPS_PER_S,
        )

    def position(self) -> StagePosition:
        """Return where the stage believes it is; needs no lock."""
        with self._locks.call("read the stage's position"):
            place = self._stage.position
            return StagePosition(*(int(place[axis]) for axis in ("x", "y", "z")))

    def forget_approach(self) -> None:
        """Take note that somebody else moves the stage now."""
        self._came_to = None

    def move_to(self, target: StagePosition) -> None:
        """Go there, ending every axis with a move that takes up the play.

        Raises
        ------
        HardwareError
            When the stage does not move, or is elsewhere afterwards.
        """
        there = target
        for _ in range(TRIES):
            self._approach(target)
            there = self.position()
            if there == target:
                self._came_to = there
                return
        message = f"The stage did not arrive: asked {told_place(target)}, is "
        raise HardwareError(f"{message}{told_place(there)}; check motors and cable.")

    def _approach(self, target: StagePosition) -> None:
        """Move, by way of a place below the target where the server sees to nothing."""
        if self._compensates:
            self._move(target)
            return
        here = self.position()
        way = way_between(here, target)
        first = first_move(here, way, self._came_to, self._play())
        self.forget_approach()
        if any(first):
            x, y, z = first
            self._move(StagePosition(here.x + x, here.y + y, here.z + z))
        if any(first) or any(way):
            self._move(target)

    def _play(self) -> Steps:
        """Return how far below a target each axis turns round."""
        known: Any = {}
        if offers(self._stage, "backlash_steps"):
            with self._locks.call("read the stage's play"):
                known = self._stage.backlash_steps
        x, y, z = (abs(int(known.get(axis, 0))) or APPROACH_STEPS for axis in "xyz")
        return x, y, z

    def _move(self, place: StagePosition) -> None:
        """Call the server's move."""
        with self._locks.call(f"move the stage to {place.x}, {place.y}, {place.z}"):
            self._stage.move_absolute(x=place.x, y=place.y, z=place.z, **self._how)
