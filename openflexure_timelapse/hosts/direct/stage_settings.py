"""How a person sets up the stage; frozen, checked when it is made."""

from typing import Optional, Tuple

from pydantic import Field, model_validator
from typing_extensions import Annotated, Self

from openflexure_timelapse.document import Document

__all__ = ["StageSettings"]

FASTEST_US = 200
SLOWEST_US = 100_000
MOST_PLAY = 5_000

Play = Annotated[int, Field(ge=0, le=MOST_PLAY)]
StepSize = Annotated[float, Field(gt=0)]


class StageSettings(Document):
    """Figures of the stage that no board knows.

    Attributes
    ----------
    backlash_steps : (int, int, int)
        How far below a target x, y and z turn round, so that every move ends upwards;
        more than the play of the axis. OpenFlexure's 200 are enough for its stages.
    inverted : (bool, bool, bool)
        Whether the board counts an axis the other way. OpenFlexure server v3 turns x
        and z of its usual stage.
    step_um : (float, float, float) or None
        Micrometres for a step of x, y and z; None when nobody measured them.
    lowest, highest : (int, int, int) or None
        The travel in steps of x, y and z, both ends included, as the stage counts after
        `inverted`; None when there is none. The turning round below a target may go
        beyond. Both or neither.
    release_after_visit : bool
        Whether the coils are without current between visits: cooler, and each motor
        may spring to its next notch.
    step_us : int
        Microseconds for a step. Most boards keep it over a power cut, in a memory that
        wears out: it is written only where it differs, and looked at again whenever the
        board may have started anew.
    move_when_unsure : bool
        Whether the stage goes on by its best guess after a move was broken off by a
        restart of the board or a power cut. Every frame then says by how many steps the
        place may be wrong. False: it refuses to move until a person sets its zero.
    """

    backlash_steps: Tuple[Play, Play, Play] = (200, 200, 200)
    inverted: Tuple[bool, bool, bool] = (False, False, False)
    step_um: Optional[Tuple[StepSize, StepSize, StepSize]] = None
    lowest: Optional[Tuple[int, int, int]] = None
    highest: Optional[Tuple[int, int, int]] = None
    release_after_visit: bool = False
    step_us: int = Field(default=1000, ge=FASTEST_US, le=SLOWEST_US)
    move_when_unsure: bool = True

    @model_validator(mode="after")
    def _check_travel(self) -> Self:
        """Refuse half a travel, and one that is upside down."""
        if (self.lowest is None) != (self.highest is None):
            raise ValueError("lowest and highest belong together; give both or none")
        if self.lowest is not None and self.highest is not None:
            for axis, low, high in zip("xyz", self.lowest, self.highest):
                if low > high:
                    told = f"the travel of {axis} goes from {low} to {high}"
                    raise ValueError(f"{told}; exchange the two")
        return self

    @property
    def signs(self) -> Tuple[int, int, int]:
        """Return 1 for each axis that the board counts our way, else -1."""
        x, y, z = (-1 if turned else 1 for turned in self.inverted)
        return x, y, z
