"""What the user asks for: a frozen, validated plan.

The smallest plan is ``{"name": "pond", "interval_s": 30, "frames": 120}``. Every
number carries its unit in its name; stage positions and z distances are motor steps.
"""

import math
from datetime import datetime
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from pydantic import Field, field_validator, model_validator
from typing_extensions import Literal

from openflexure_timelapse.document import Document, parse
from openflexure_timelapse.errors import InvalidPlanError
from openflexure_timelapse.names import slug, usable_name
from openflexure_timelapse.notify import Notify
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.record import Record, Taxon

__all__ = [
    "FARTHEST_START_S",
    "Accept",
    "Autofocus",
    "DriftCorrection",
    "Phase",
    "Plan",
    "PlanPosition",
    "Planes",
    "Record",
    "Taxon",
    "parse_plan",
    "plan_schema",
    "slug",
]

DAY_S = 24 * 3600.0
LONGEST_INTERVAL_S = 31 * DAY_S
LONGEST_RUN_S = 3660 * DAY_S
FARTHEST_START_S = 366 * DAY_S
MOST_SLOTS = 100_000_000
MOST_STEPS = 1_000_000_000
HERE = "here"
NS_PER_S = 1_000_000_000


def _check_length(phases: Sequence["Phase"]) -> None:
    """Refuse runs that outlive the instrument, or that no index could hold."""
    spans = [part.duration_s or (part.frames or 0) * part.interval_s for part in phases]
    length_s = sum(spans)
    slots = sum(span / part.interval_s for span, part in zip(spans, phases))
    if length_s > LONGEST_RUN_S:
        message = f"the run would last {math.ceil(length_s / DAY_S)} days; "
        raise ValueError(message + f"at most {LONGEST_RUN_S / DAY_S:.0f} are possible")
    if slots > MOST_SLOTS:
        message = f"the run would have {math.ceil(slots)} time points; "
        raise ValueError(message + f"at most {MOST_SLOTS} are possible")


class PlanPosition(Document):
    """A named place to visit, in stage steps."""

    name: str = Field(min_length=1, max_length=80)
    x: int = Field(ge=-MOST_STEPS, le=MOST_STEPS)
    y: int = Field(ge=-MOST_STEPS, le=MOST_STEPS)
    z: int = Field(ge=-MOST_STEPS, le=MOST_STEPS)

    @field_validator("name")
    @classmethod
    def _is_usable(cls, name: str) -> str:
        """Check the name, which becomes a folder."""
        return usable_name(name)


class Planes(Document):
    """A stack of heights around the focus.

    Attributes
    ----------
    count : int
        Number of planes; an odd number has one in focus.
    step : int
        Distance of neighbouring planes in steps of z.
    """

    count: int = Field(default=1, ge=1, le=200)
    step: int = Field(default=0, ge=0, le=MOST_STEPS)

    @model_validator(mode="after")
    def _check(self) -> "Planes":
        """Planes on top of one another are a mistake."""
        if self.count > 1 and self.step == 0:
            raise ValueError(
                f"{self.count} planes need a step of at least 1, in z steps"
            )
        return self

    def offsets(self) -> Tuple[int, ...]:
        """Return each plane's distance from the focus in steps, lowest first."""
        lowest = -(self.step * (self.count - 1)) // 2
        return tuple(lowest + self.step * index for index in range(self.count))


class Accept(Document):
    """When a focus result is believed.

    Attributes
    ----------
    max_shift : int or None
        Steps of z by which the result may differ from the last good one; None for
        half of the sweep's range.
    min_gain : float
        The peak's sharpness over that of the sweep's blurred end; an empty field
        stays near 1.
    """

    max_shift: Optional[int] = Field(default=None, ge=1, le=MOST_STEPS)
    min_gain: float = Field(default=1.08, gt=1.0)


class Autofocus(Document):
    """When and how far to sweep for focus.

    Attributes
    ----------
    every : int
        In slots: 1 focuses in each slot, at each position.
    range : int
        Whole height of the sweep in steps of z.
    accept : Accept
        Limits outside of which a result is rejected and the last good z used.
    """

    every: int = Field(default=10, ge=1)
    range: int = Field(default=2000, ge=20, le=MOST_STEPS)
    accept: Accept = Accept()


class DriftCorrection(Document):
    """Following the scene in x and y.

    Attributes
    ----------
    every : int
        In slots.
    max_step : int
        The largest correction of one axis in one go, in steps; more is rejected.
    """

    every: int = Field(default=1, ge=1)
    max_step: int = Field(default=200, ge=1, le=MOST_STEPS)


class Phase(Document):
    """A stretch of the run with its own interval.

    Attributes
    ----------
    interval_s : float
        From one slot to the next, in seconds.
    frames : int or None
        How many slots.
    duration_s : float or None
        Or how long; 60 s at 0.1 s are 600 slots. With neither, until stopped.
    """

    interval_s: float = Field(ge=0.05, le=LONGEST_INTERVAL_S)
    frames: Optional[int] = Field(default=None, ge=1, le=MOST_SLOTS)
    duration_s: Optional[float] = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> "Phase":
        """Frames and duration may contradict one another, so one is enough."""
        if self.frames is not None and self.duration_s is not None:
            raise ValueError("give frames or duration_s, not both")
        return self


class Plan(Document):
    """A whole time-lapse as asked for.

    Attributes
    ----------
    name : str
        For people, and for the run's id.
    interval_s, frames, duration_s
        As in `Phase`, for a run of one phase.
    phases : tuple of Phase
        Instead of those three, for an interval that changes.
    start_at : datetime or None
        With its UTC offset; None with `start_in_s` None for now.
    start_in_s : float or None
        Seconds from the start request to slot 0.
    positions : tuple of PlanPosition
        Visited in this order in each slot; empty to stay.
    planes, autofocus, drift_correction
        See their types; None for none.
    light : {"leave", "only_while_capturing"}
        Whether the light goes out between visits.
    settle_s : float
        Pause between the last movement and the exposure.
    late : {"skip", "catch_up", "shift"}
        What becomes of slots that are overdue: skipped; captured back to back, at
        most `catch_up_slots` of them; or the rest of the grid moves.
    exposure : {"lock", "auto"}
        Whether exposure, gain and white balance are frozen for the run.
    camera_mode : str or None
        One of the camera's modes; None for its default.
    keep_free_mb : int
        Space that the run leaves free, in megabytes (10⁶ bytes).
    movie : Recipe or None
        Made when the run ends; None for none.
    sample : Record or None
        What is known of the sample.
    notify : Notify or None
        Of what people are told where the computer has notifications; None for nothing.
    """

    name: str = Field(min_length=1, max_length=80)
    interval_s: Optional[float] = Field(default=None, ge=0.05, le=LONGEST_INTERVAL_S)
    frames: Optional[int] = Field(default=None, ge=1, le=MOST_SLOTS)
    duration_s: Optional[float] = Field(default=None, gt=0)
    phases: Tuple[Phase, ...] = Field(default=(), max_length=100)
    start_at: Optional[datetime] = None
    start_in_s: Optional[float] = Field(default=None, ge=0, le=FARTHEST_START_S)
    positions: Tuple[PlanPosition, ...] = Field(default=(), max_length=1000)
    planes: Planes = Planes()
    autofocus: Optional[Autofocus] = None
    drift_correction: Optional[DriftCorrection] = None
    light: Literal["leave", "only_while_capturing"] = "leave"
    settle_s: float = Field(default=0.3, ge=0, le=60)
    late: Literal["skip", "catch_up", "shift"] = "skip"
    catch_up_slots: int = Field(default=3, ge=1, le=1000)
    exposure: Literal["lock", "auto"] = "lock"
    camera_mode: Optional[str] = Field(default=None, max_length=80)
    keep_free_mb: int = Field(default=500, ge=0)
    movie: Optional[Recipe] = Recipe()
    sample: Optional[Record] = None
    notify: Optional[Notify] = Notify()

    @field_validator("name")
    @classmethod
    def _is_usable(cls, name: str) -> str:
        """Check the name, which becomes part of the run's folder."""
        return usable_name(name)

    @field_validator("start_at")
    @classmethod
    def _has_offset(cls, start_at: Optional[datetime]) -> Optional[datetime]:
        """Refuse local times, which mean something else on each computer."""
        if start_at is not None and start_at.utcoffset() is None:
            message = "the time needs its UTC offset, for example "
            raise ValueError(message + f"{start_at.isoformat()}+02:00")
        return start_at

    @model_validator(mode="after")
    def _check(self) -> "Plan":
        """Refuse plans that contradict themselves."""
        if bool(self.phases) == (self.interval_s is not None):
            raise ValueError(
                "give interval_s (with frames, duration_s or neither) or phases"
            )
        if self.phases and (self.frames is not None or self.duration_s is not None):
            raise ValueError("frames and duration_s belong inside phases")
        if self.frames is not None and self.duration_s is not None:
            raise ValueError("give frames or duration_s, not both")
        for index, phase in enumerate(self.phases[:-1]):
            if phase.frames is None and phase.duration_s is None:
                raise ValueError(f"phase {index} never ends; only the last one may")
        if self.start_at is not None and self.start_in_s is not None:
            raise ValueError("give start_at or start_in_s, not both")
        _check_length(self.all_phases())
        self._check_positions()
        self._check_movie()
        return self

    def _check_positions(self) -> None:
        """Two positions of one folder would overwrite one another."""
        seen: Dict[str, str] = {}
        for position in self.positions:
            folder = slug(position.name)
            if folder in seen:
                message = f"the position names {seen[folder]!r} and {position.name!r} "
                raise ValueError(message + "are too alike; change one of them")
            seen[folder] = position.name

    def _check_movie(self) -> None:
        """Refuse movies of what the run does not capture."""
        if self.movie is None:
            return
        wanted, names = self.movie.position, self.position_names()
        if wanted is not None and wanted not in names:
            message = f"the movie's position {wanted!r} is unknown; "
            raise ValueError(message + f"known: {', '.join(names)}")
        plane = self.movie.plane
        if plane is not None and plane >= self.planes.count:
            message = f"the movie's plane {plane} is unknown; "
            raise ValueError(message + f"known: 0 to {self.planes.count - 1}")
        unfit = self.movie.unfit_for(len(names), self.planes.count)
        if unfit:
            raise ValueError(f"the movie's {unfit}")

    def all_phases(self) -> Tuple[Phase, ...]:
        """Return the phases, also of a plan that was written without them."""
        if self.interval_s is None:
            return self.phases
        return (
            Phase(
                interval_s=self.interval_s,
                frames=self.frames,
                duration_s=self.duration_s,
            ),
        )

    def position_names(self) -> Tuple[str, ...]:
        """Return the names of what is visited; ``("here",)`` for a plan that stays."""
        return tuple(position.name for position in self.positions) or (HERE,)


def parse_plan(data: Mapping[str, Any]) -> Plan:
    """Check JSON-able `data` and return the plan.

    Raises
    ------
    InvalidPlanError
        With one entry per bad field.
    """
    return parse(Plan, data, InvalidPlanError, "plan")


def plan_schema() -> Dict[str, Any]:
    """Return the JSON Schema of a plan."""
    return dict(Plan.model_json_schema())
