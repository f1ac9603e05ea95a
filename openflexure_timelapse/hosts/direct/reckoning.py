"""Where the stage is, worked out from what a board counts. Pure.

A board counts the steps that it makes. It forgets them when it starts anew: version 1
then counts from zero, version 0.5 from where its last whole move ended. Somebody who
noted place and count while the motors stood knows the place again; a move that was
broken off is another matter: then only a stretch is known in which the stage must be.
"""

from dataclasses import dataclass, replace
from typing import Optional, Tuple

from openflexure_timelapse.values import StagePosition

__all__ = ["Reckoning", "Stretch", "counted_on", "found", "place_at", "steps_of"]

Steps = Tuple[int, int, int]
NONE: Steps = (0, 0, 0)


@dataclass(frozen=True)
class Stretch:
    """Between which places a moving stage is.

    Attributes
    ----------
    low, high : StagePosition
        The least and the largest of each axis, on the whole way.
    """

    low: StagePosition
    high: StagePosition

    @classmethod
    def over(cls, *places: StagePosition) -> "Stretch":
        """Return the least stretch that holds all of some places."""
        rows = [steps_of(place) for place in places]
        columns = list(zip(*rows))
        low, high = (tuple(map(pick, columns)) for pick in (min, max))
        return cls(StagePosition(*low), StagePosition(*high))

    def middle(self) -> StagePosition:
        """Return the best guess: half way."""
        low, high = steps_of(self.low), steps_of(self.high)
        return StagePosition(*((a + b) // 2 for a, b in zip(low, high)))

    def doubt(self) -> Steps:
        """Return how far from the middle each axis may be."""
        low, high = steps_of(self.low), steps_of(self.high)
        x, y, z = ((b - a + 1) // 2 for a, b in zip(low, high))
        return x, y, z

    def holds(self, place: StagePosition) -> bool:
        """Tell whether a place lies in it."""
        low, here, high = map(steps_of, (self.low, place, self.high))
        return all(a <= b <= c for a, b, c in zip(low, here, high))


@dataclass(frozen=True)
class Reckoning:
    """What is known of the place.

    Attributes
    ----------
    count : (int, int, int)
        What the board said when the stage was at `place`.
    place : StagePosition
        Where the stage was, in our steps.
    unsure : (int, int, int)
        By how many steps each axis of `place` may be wrong; zeros when it is known.
    moving : Stretch or None
        Where the stage may be, while it moves; None while it stands.
    """

    count: Steps
    place: StagePosition
    unsure: Steps = NONE
    moving: Optional[Stretch] = None

    @property
    def is_sure(self) -> bool:
        """Whether the place is known to the step."""
        return self.unsure == NONE

    def arrived(self, count: Steps, place: StagePosition) -> "Reckoning":
        """Return what is known after a move that the board has counted."""
        return replace(self, count=count, place=place, moving=None)

    def leaving(self, stretch: Stretch) -> "Reckoning":
        """Return what is known while a move is under way."""
        return replace(self, moving=stretch)

    def lost(self, count: Steps, stretch: Stretch) -> "Reckoning":
        """Return what is known after a move that nobody counted to its end."""
        x, y, z = (a + b for a, b in zip(self.unsure, stretch.doubt()))
        return Reckoning(count, stretch.middle(), (x, y, z))


def steps_of(place: StagePosition) -> Steps:
    """Return a place as three numbers."""
    return place.x, place.y, place.z


def place_at(known: Reckoning, count: Steps, signs: Steps) -> StagePosition:
    """Return where the stage is when the board has counted on from what is known."""
    x, y, z = (
        here + sign * (now - then)
        for here, sign, now, then in zip(
            steps_of(known.place), signs, count, known.count
        )
    )
    return StagePosition(x, y, z)


def found(  # noqa: PLR0913 (what may be known)
    known: Reckoning,
    count: Steps,
    signs: Steps,
    *,
    starts_from_zero: bool,
    went_on: bool = False,
    narrow: Optional[Stretch] = None,
) -> Tuple[Reckoning, str]:
    """Return what is known now that a board was found with this count.

    Parameters
    ----------
    known : Reckoning
        What was noted last.
    count : (int, int, int)
        What the board says.
    signs : (int, int, int)
        Of each axis, 1 or -1.
    starts_from_zero : bool
        Whether such a board counts from zero when it starts anew.
    went_on : bool
        Whether we have heard it all the time, and nothing of a restart.
    narrow : Stretch or None
        Where a broken move ended, if that is known better than by its two ends.

    Returns
    -------
    Reckoning
        With the board's count.
    str
        What happened: ``same``, ``restarted`` (the place is known all the same),
        ``broken_move`` (it is only roughly known) or ``moved`` (by somebody else).
    """
    here = place_at(known, count, signs)
    if known.moving is not None:
        trusted = known.moving.holds(here) and went_on
        if trusted or counted_on(
            known, count, signs, starts_from_zero=starts_from_zero
        ):
            return known.arrived(count, here), "same"
        return known.lost(count, narrow or known.moving), "broken_move"
    if count == known.count:
        return known, "same"
    if starts_from_zero and count == NONE:
        return replace(known, count=count), "restarted"
    return replace(known, count=count, place=here), "moved"


def counted_on(
    known: Reckoning, count: Steps, signs: Steps, *, starts_from_zero: bool
) -> bool:
    """Tell whether a count proves that a board on its way did not start anew.

    It must be on the way, and none that a restart leaves: zero for a board that
    forgets, the count before the move for one that does not.

    Parameters
    ----------
    known, count, signs, starts_from_zero
        As `found` takes them.
    """
    here = place_at(known, count, signs)
    if known.moving is None or not known.moving.holds(here):
        return False
    return count != NONE if starts_from_zero else here != known.place
