"""Server v2's stage as ours: every axis is approached from below."""

from typing import Any, Optional

import numpy as np

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.approach import (
    APPROACH_STEPS,
    Steps,
    first_move,
    told_place,
    way_between,
)
from openflexure_timelapse.hosts.v2_state import InstrumentState
from openflexure_timelapse.hosts.visit_locks import VisitLocks
from openflexure_timelapse.ports import StageInfo, StagePosition

__all__ = ["V2Stage"]

STEPS_PER_S = 1000.0
DELTA_STEPS = 2
"""A delta stage works x, y and z out from three legs, and drops fractions twice."""


class V2Stage:
    """The stage of the server, whatever class it has.

    The server's absolute moves know no play, and its relative ones are worked out
    before anybody has the lock; so moves are relative, made while the lock is ours, and
    the approach is our own.

    Parameters
    ----------
    microscope : object
        The server's; its stage is looked up at each call.
    locks : VisitLocks
        Frames every call.
    state : InstrumentState
        Told of each position.
    """

    def __init__(
        self, microscope: Any, locks: VisitLocks, state: InstrumentState
    ) -> None:
        self._microscope = microscope
        self._locks = locks
        self._state = state
        self._came_to: Optional[StagePosition] = None

    @property
    def _stage(self) -> Any:
        """The server's stage."""
        return self._microscope.stage

    @property
    def _is_mock(self) -> bool:
        """Whether there are no motors."""
        return not self._microscope.has_real_stage()

    def describe(self) -> StageInfo:
        """Return the constant facts; the server knows neither scale nor travel."""
        told = [self._state.part("stage", key) for key in ("board", "firmware")]
        words = ", ".join(word for word in told if isinstance(word, str))
        name = type(self._stage).__name__
        simulated = bool(self._state.part("application", "simulated"))
        return StageInfo(
            model=f"{name} ({words})" if words else name,
            simulated=self._is_mock or simulated,
            step_um=None,
            lowest=None,
            highest=None,
            steps_per_s=STEPS_PER_S,
        )

    def position(self) -> StagePosition:
        """Return where the stage believes it is; a real board is asked for it."""
        with self._locks.call("read the stage's position"):
            x, y, z = (round(float(step)) for step in self._stage.position)
        self._state.place = StagePosition(x, y, z)
        return self._state.place

    def forget_approach(self) -> None:
        """Take note that somebody else moves the stage now."""
        self._came_to = None

    def move_to(self, target: StagePosition) -> None:
        """Go there, ending every axis with a positive move that takes up the play.

        Raises
        ------
        HardwareError
            When the board does not move, or is elsewhere afterwards.
        """
        here = self.position()
        way = way_between(here, target)
        below = self._below(here, way)
        self.forget_approach()
        self._move(f"move the stage to {target.x}, {target.y}, {target.z}", below)
        self._move(
            f"move the stage up to {target.x}, {target.y}, {target.z}",
            (way[0] - below[0], way[1] - below[1], way[2] - below[2]),
        )
        there = self.position()
        off = max(abs(step) for step in way_between(there, target))
        if off > (DELTA_STEPS if hasattr(self._stage, "Tvd") else 0):
            message = f"The stage did not arrive: asked {told_place(target)}, is "
            raise HardwareError(
                f"{message}{told_place(there)}; check motors and cable."
            )
        self._came_to = there

    def _below(self, here: StagePosition, way: Steps) -> Steps:
        """Return the first move: below the target where play must be taken up.

        The mock has no play, and takes half a second for each move: it goes there in
        one.
        """
        if self._is_mock:
            return way
        return first_move(here, way, self._came_to, self._approach_steps())

    def _approach_steps(self) -> Steps:
        """Return how far below a target each axis turns round."""
        play = self._stage.backlash
        known = [0, 0, 0] if play is None else np.abs(np.asarray(play)).tolist()
        x, y, z = (int(steps) or APPROACH_STEPS for steps in known)
        return x, y, z

    def _move(self, what: str, steps: Steps) -> None:
        """Move without the server's correction for play."""
        if any(steps):
            with self._locks.call(what):
                self._stage.move_rel(np.array(steps, dtype=int), backlash=False)
