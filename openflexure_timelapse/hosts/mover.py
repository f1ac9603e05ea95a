"""Moving the stage because a person wants to look, with the hardware taken for it."""

from dataclasses import asdict
from typing import Any, Dict, List, Mapping, Optional

from pydantic import Field

from openflexure_timelapse.document import Document, listed, parse
from openflexure_timelapse.errors import InvalidRequestError, OutOfReachError
from openflexure_timelapse.hosts.turns import Turns
from openflexure_timelapse.instrument import LONGEST_WAIT_FOR_HARDWARE_S, Handle
from openflexure_timelapse.plan import MOST_STEPS
from openflexure_timelapse.ports import Clock, StageInfo, StagePosition

__all__ = ["Mover", "Target"]

AXES = ("x", "y", "z")


class Target(Document):
    """Where to go, in steps of the stage.

    Attributes
    ----------
    x, y, z : int or None
        None: this axis stays where it is.
    """

    x: Optional[int] = Field(default=None, ge=-MOST_STEPS, le=MOST_STEPS)
    y: Optional[int] = Field(default=None, ge=-MOST_STEPS, le=MOST_STEPS)
    z: Optional[int] = Field(default=None, ge=-MOST_STEPS, le=MOST_STEPS)


class Mover:
    """Moves the stage once for each request.

    Parameters
    ----------
    turns : Turns
        Of the microscope; a visit that comes meanwhile waits for the move.
    clock : Clock
        Keeps the deadlines.
    """

    def __init__(self, turns: Turns, clock: Clock) -> None:
        self._turns = turns
        self._clock = clock

    def go_to(self, target: Mapping[str, Any]) -> Dict[str, Any]:
        """Move, and return where the stage is then.

        Parameters
        ----------
        target : mapping
            A `Target`, as JSON.

        Raises
        ------
        InvalidRequestError
            For an unknown field or what is no whole number; nothing has moved.
        OutOfReachError
            For a target outside the travel, where the stage knows its own.
        HardwareBusyError
            When somebody else holds the hardware for longer than ten seconds.
        HardwareError
            When the stage did not do it.
        """
        wanted = parse(Target, target, InvalidRequestError, "target")
        microscope = self._turns.user()
        _check_reach(wanted, microscope.stage.describe())
        lane = self._clock.lane("timelapse-move")
        handle = Handle(microscope, self._clock, lane)
        try:
            handle.take(LONGEST_WAIT_FOR_HARDWARE_S)
            try:
                handle.move(_place(wanted, handle.position()))
                found = handle.position()
            finally:
                handle.give_back()
        finally:
            lane.close()
            self._turns.give(microscope)  # also after a call that hangs
        return asdict(found)


def _place(wanted: Target, here: StagePosition) -> StagePosition:
    """Return the whole target: the axes that were not named stay."""
    x, y, z = (
        getattr(here if getattr(wanted, axis) is None else wanted, axis)
        for axis in AXES
    )
    return StagePosition(x, y, z)


def _check_reach(wanted: Target, stage: StageInfo) -> None:
    """Refuse a target outside the travel; a stage without limits reaches everything."""
    if stage.lowest is None or stage.highest is None:
        return
    fields: List[Dict[str, str]] = []
    for axis in AXES:
        value = getattr(wanted, axis)
        lowest, highest = getattr(stage.lowest, axis), getattr(stage.highest, axis)
        if value is not None and not lowest <= value <= highest:
            told = f"{axis} {value}, the stage goes from {lowest} to {highest}"
            fields.append({"field": axis, "reason": told})
    if fields:
        told = listed([item["reason"] for item in fields])
        message = f"The target is out of the stage's reach: {told}; choose one inside."
        raise OutOfReachError(message, fields)
