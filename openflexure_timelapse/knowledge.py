"""What visits to a position have taught about it."""

from dataclasses import dataclass, field, replace
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from openflexure_timelapse import quality
from openflexure_timelapse.drift import Reference
from openflexure_timelapse.frame import Flag
from openflexure_timelapse.ports import StagePosition

__all__ = ["NOTHING_YET", "Knowledge"]

NOTHING_YET = quality.Neighbours("", (), None)
RECENT = 15
NO_VIEW = frozenset({Flag.DARK, Flag.BRIGHT, Flag.REPEATED, Flag.WRONG_SIZE})


@dataclass(frozen=True)
class Knowledge:
    """What visits to one position have taught; survives a restart, except pictures.

    Attributes
    ----------
    good_z : int or None
        The last accepted height in steps; None before the first accepted focus.
    home : StagePosition or None
        Where the last visit began and where its stack was centred; None before the
        first. A plan that stays has no other way back than this.
    visited : bool
        Whether a visit came to its end there.
    offset : (int, int)
        Drift correction so far, in steps of x and y.
    recent : mapping of int to `quality.Neighbours`
        By plane: what the last frames looked like.
    reference : Reference or None
        What drift is measured against; None before the first.
    """

    good_z: Optional[int] = None
    home: Optional[StagePosition] = None
    visited: bool = False
    offset: Tuple[int, int] = (0, 0)
    recent: Mapping[int, quality.Neighbours] = field(default_factory=dict)
    reference: Optional[Reference] = None

    def to_json(self) -> Dict[str, Any]:
        """Return what is worth keeping across a restart."""
        home = self.home
        return {
            "good_z": self.good_z,
            "home": None if home is None else [home.x, home.y, home.z],
            "visited": self.visited,
            "offset": list(self.offset),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Knowledge":
        """Read what `to_json` wrote."""
        x, y = data["offset"]
        home = None if data["home"] is None else StagePosition(*data["home"])
        return cls(data["good_z"], home, data["visited"], (int(x), int(y)))

    def seen(
        self, plane: int, facts: quality.ImageFacts, flags: Sequence[Flag] = ()
    ) -> "Knowledge":
        """Return this knowledge after one more frame of `plane`.

        Only pictures that show the scene teach how sharp it is: a night of black ones
        must not hide the blur of the morning.
        """
        before = self.recent.get(plane, NOTHING_YET)
        sharpness = before.recent_sharpness
        if NO_VIEW.isdisjoint(flags):
            sharpness = (*sharpness, facts.sharpness)[-RECENT:]
        after = quality.Neighbours(
            facts.fingerprint,
            sharpness,
            before.size or (facts.width, facts.height),
        )
        return replace(self, recent={**self.recent, plane: after})
