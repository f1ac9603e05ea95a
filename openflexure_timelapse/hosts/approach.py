"""How to end every move from below, where a server does not see to it. Pure."""

from typing import List, Optional, Tuple

from openflexure_timelapse.ports import StagePosition

__all__ = ["APPROACH_STEPS", "Steps", "first_move", "told_place", "way_between"]

APPROACH_STEPS = 200
"""Where the server does not know the play: more than that of any OpenFlexure axis."""

Steps = Tuple[int, int, int]


def first_move(
    here: StagePosition, way: Steps, came_to: Optional[StagePosition], play: Steps
) -> Steps:
    """Return the first move: below the target where play must be taken up.

    An axis that stands where it came from below needs none upwards, and a long way up
    takes up any play by itself.

    Parameters
    ----------
    here : StagePosition
        Where the stage is by its own count.
    way : (int, int, int)
        What is to be moved in all.
    came_to : StagePosition or None
        Where an earlier move ended from below; None when somebody else has moved since.
    play : (int, int, int)
        How far below a target each axis turns round.
    """
    first: List[int] = []
    for axis, step in enumerate(way):
        engaged = came_to is not None and _steps(came_to)[axis] == _steps(here)[axis]
        enough = step >= (0 if engaged else play[axis])
        first.append(0 if enough else step - play[axis])
    return first[0], first[1], first[2]


def way_between(here: StagePosition, there: StagePosition) -> Steps:
    """Return the steps from one place to another."""
    return there.x - here.x, there.y - here.y, there.z - here.z


def told_place(place: StagePosition) -> str:
    """Return a place for a message."""
    return f"({place.x}, {place.y}, {place.z})"


def _steps(place: StagePosition) -> Steps:
    """Return a place as three numbers."""
    return place.x, place.y, place.z
