"""What a person knows of the sample; it travels with the plan and is shared later."""

from datetime import datetime
from typing import Optional

from pydantic import Field, field_validator

from openflexure_timelapse.document import Document
from openflexure_timelapse.names import checked_licence

__all__ = ["Sample", "Taxon"]


class Taxon(Document):
    """A name of an organism, as precise as it is known."""

    name: str = Field(min_length=1, max_length=200)
    rank: Optional[str] = Field(default=None, max_length=40)
    aphia_id: Optional[int] = Field(default=None, ge=1)


class Sample(Document):
    """What the person knows of the sample; all of it optional, editable later."""

    title: str = Field(default="", max_length=200)
    taxon: Optional[Taxon] = None
    sampled_at: Optional[datetime] = None
    place: str = Field(default="", max_length=200)
    latitude: Optional[float] = Field(default=None, ge=-90, le=90)
    longitude: Optional[float] = Field(default=None, ge=-180, le=180)
    photographer: str = Field(default="", max_length=200)
    licence: str = "CC-BY-4.0"
    notes: str = Field(default="", max_length=4000)

    @field_validator("licence")
    @classmethod
    def _looks_like_spdx(cls, licence: str) -> str:
        """Check the form; which licences a destination takes is its own affair."""
        return checked_licence(licence)
