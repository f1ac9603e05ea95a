"""The record: what a person knows of the sample. One form serves every destination.

It travels with the plan, is kept with the run, can be changed later, and is shared.
When and where the sample was taken is in it; when it was imaged is not: the run knows.
"""

import math
import re
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, Optional
from uuid import UUID

from pydantic import Field, field_validator, model_validator
from typing_extensions import Literal

from openflexure_timelapse.document import Document
from openflexure_timelapse.names import checked_licence

__all__ = ["Geoprivacy", "Moment", "Origin", "Record", "Taxon", "moment_of"]

Origin = Literal["wild", "culture", "not_living"]
Geoprivacy = Literal["open", "obscured", "private"]

MOMENT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"([T ](?P<time>\d\d:\d\d(?P<seconds>:\d\d)?)(?P<offset>Z|[+-]\d\d:\d\d)?)?\Z"
)
COUNTRY = re.compile(r"[A-Z]{2}\Z")


class Moment(NamedTuple):
    """When a sample was taken, as precisely as a person knows.

    Attributes
    ----------
    day : date
        The local date.
    clock : time or None
        The local time of day; None where only the date is known.
    offset : timedelta or None
        From UTC; None where it is not known.
    """

    day: date
    clock: Optional[time]
    offset: Optional[timedelta]

    def __str__(self) -> str:
        """Return it as ISO 8601, no more precise than it is."""
        text = self.day.isoformat()
        if self.clock is None:
            return text
        text += "T" + self.clock.isoformat(timespec="seconds")
        if self.offset is None:
            return text
        minutes = round(self.offset.total_seconds() / 60)
        sign = "-" if minutes < 0 else "+"
        return text + "{}{:02d}:{:02d}".format(sign, *divmod(abs(minutes), 60))


def moment_of(text: str) -> Moment:
    """Return the moment that a text such as ``2026-03-01T09:30+01:00`` tells.

    Raises
    ------
    ValueError
        When it tells none.
    """
    found = MOMENT.match(text.strip())
    if found is None:
        told = "should be a date such as 2026-03-01, or a time such as "
        raise ValueError(f"{told}2026-03-01T09:30+01:00 (it is {text[:40]!r})")
    clock, offset = None, None
    try:
        day = datetime.strptime(found["date"], "%Y-%m-%d").date()  # noqa: DTZ007
        if found["time"]:
            form = "%H:%M:%S" if found["seconds"] else "%H:%M"
            clock = datetime.strptime(found["time"], form).time()  # noqa: DTZ007
    except ValueError as exc:
        raise ValueError(f"should be a day of the calendar (it is {text!r})") from exc
    if found["offset"]:
        hours, minutes = 0, 0
        if found["offset"] != "Z":
            hours, minutes = int(found["offset"][1:3]), int(found["offset"][4:])
        if hours > 14 or minutes > 59:  # noqa: PLR2004 (the widest zone in use)
            raise ValueError(
                f"should have an offset of 14 hours at most (it is {text!r})"
            )
        offset = timedelta(hours=hours, minutes=minutes)
        offset = -offset if found["offset"][0] == "-" else offset
    return Moment(day, clock, offset)


class Taxon(Document):
    """A name of an organism, as precise as it is known.

    Attributes
    ----------
    name : str
        The scientific name, without its author.
    rank : str or None
        Such as ``species``, ``genus``.
    aphia_id, dyntaxa_id, gbif_key : int or None
        Its number in WoRMS, in Dyntaxa and in the GBIF backbone.
    uncertain : bool
        Whether the person is not sure.
    identified_by : str
        Who told the name; empty: the photographer.
    """

    name: str = Field(min_length=1, max_length=200)
    rank: Optional[str] = Field(default=None, max_length=40)
    aphia_id: Optional[int] = Field(default=None, ge=1)
    dyntaxa_id: Optional[int] = Field(default=None, ge=1)
    gbif_key: Optional[int] = Field(default=None, ge=1)
    uncertain: bool = False
    identified_by: str = Field(default="", max_length=200)


class Record(Document):
    """What the person knows of the sample; all of it optional, editable later.

    Attributes
    ----------
    uuid : UUID or None
        Of the sighting, in every place that it is deposited in; None for the run's own.
    title, caption, notes : str
        Of the images, for everybody; `notes` are never shared.
    taxon : Taxon or None
        What is seen.
    origin : str or None
        Whether it lived wild or in a culture, or is no organism; None when not told.
    sampled_at : str or None
        When the sample was taken (not when it was imaged): see `moment_of`.
    sampled_by, sampling_method : str
        By whom and how.
    place, country, water_body, geographic_area : str
        Where, in words; the country by its two letters (ISO 3166-1), the area as
        Nordic Microalgae lists them.
    latitude, longitude : float or None
        Of where the sample was taken, in degrees, WGS 84. Both or none.
    accuracy_m : float or None
        Radius around them that surely holds the place.
    depth_min_m, depth_max_m : float or None
        Below the surface.
    instrument, objective : str
        Empty for what the run knows of them.
    um_per_pixel : float or None
        Of the stored frames; None for the run's own.
    calibration : str
        How the scale was found; empty for what the run knows.
    technique, contrast, preservation, stain : str
        How it was looked at.
    photographer, contributor, organisation, rights_holder : str
        People; `contributor` and `rights_holder` are the photographer where empty.
    licence : str
        As an SPDX id.
    geoprivacy : str
        Who may see the exact place.
    """

    uuid: Optional[UUID] = None
    title: str = Field(default="", max_length=200)
    caption: str = Field(default="", max_length=4000)
    taxon: Optional[Taxon] = None
    origin: Optional[Origin] = None
    sampled_at: Optional[str] = Field(default=None, max_length=40)
    sampled_by: str = Field(default="", max_length=200)
    sampling_method: str = Field(default="", max_length=200)
    place: str = Field(default="", max_length=200)
    country: str = Field(default="", max_length=2)
    water_body: str = Field(default="", max_length=200)
    geographic_area: str = Field(default="", max_length=200)
    latitude: Optional[float] = Field(default=None, ge=-90, le=90)
    longitude: Optional[float] = Field(default=None, ge=-180, le=180)
    accuracy_m: Optional[float] = Field(default=None, gt=0, le=10_000_000)
    depth_min_m: Optional[float] = Field(default=None, ge=0, le=11_000)
    depth_max_m: Optional[float] = Field(default=None, ge=0, le=11_000)
    instrument: str = Field(default="", max_length=200)
    objective: str = Field(default="", max_length=200)
    um_per_pixel: Optional[float] = Field(default=None, gt=0, le=1000)
    calibration: str = Field(default="", max_length=400)
    technique: str = Field(default="", max_length=100)
    contrast: str = Field(default="", max_length=100)
    preservation: str = Field(default="", max_length=100)
    stain: str = Field(default="", max_length=100)
    photographer: str = Field(default="", max_length=200)
    contributor: str = Field(default="", max_length=200)
    organisation: str = Field(default="", max_length=200)
    rights_holder: str = Field(default="", max_length=200)
    licence: str = "CC-BY-4.0"
    geoprivacy: Geoprivacy = "open"
    notes: str = Field(default="", max_length=4000)

    @field_validator("licence")
    @classmethod
    def _looks_like_spdx(cls, licence: str) -> str:
        """Check the form; which licences a destination takes is its own affair."""
        return checked_licence(licence)

    @field_validator("sampled_at")
    @classmethod
    def _tells_a_moment(cls, told: Optional[str]) -> Optional[str]:
        """Check and tidy the form; whether it lies ahead is told when it is shared."""
        return None if told is None else str(moment_of(told))

    @field_validator("country")
    @classmethod
    def _is_a_code(cls, country: str) -> str:
        """Check the form of a country's code."""
        if country and not COUNTRY.match(country):
            told = "should be two capital letters such as SE"
            raise ValueError(f"{told} (it is {country!r})")
        return country

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Record":
        """Check what belongs together."""
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude should be given both, or none")
        deepest = math.inf if self.depth_max_m is None else self.depth_max_m
        if (self.depth_min_m or 0) > deepest:
            raise ValueError("depth_min_m should be at most depth_max_m")
        return self

    @property
    def sampled(self) -> Optional[Moment]:
        """When the sample was taken; None when not told."""
        return None if self.sampled_at is None else moment_of(self.sampled_at)
