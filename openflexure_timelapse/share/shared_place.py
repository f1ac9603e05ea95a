"""Where a sample was taken, as exactly as its geoprivacy lets everybody know. Pure."""

import math
from dataclasses import dataclass
from typing import Any, Dict, Optional

from openflexure_timelapse.record import Record
from openflexure_timelapse.share.line_text import line_text

__all__ = ["SharedPlace", "degree_text", "shared_place", "shared_record"]

CELL_DEGREES = 0.1
CELL_RADIUS_M = 8000
"""From the middle of a cell to its corner, on the equator, rounded up."""


@dataclass(frozen=True)
class SharedPlace:
    """A place as it may be told; an empty text is not told.

    Attributes
    ----------
    locality, water_body, country : str
        In words.
    latitude, longitude : float or None
        In degrees, WGS 84.
    uncertainty_m : float or None
        Radius around them that surely holds the place.
    generalised, withheld : str
        What was made coarser, and what is left out.
    """

    locality: str = ""
    water_body: str = ""
    country: str = ""
    latitude: Optional[float] = None
    longitude: Optional[float] = None
    uncertainty_m: Optional[float] = None
    generalised: str = ""
    withheld: str = ""


def shared_place(record: Record) -> SharedPlace:
    """Return what of the place is told: all, a cell of a tenth of a degree, nothing."""
    latitude, longitude = record.latitude, record.longitude
    if record.geoprivacy == "open":
        return SharedPlace(
            locality=line_text(record.place),
            water_body=line_text(record.water_body),
            country=record.country,
            latitude=latitude,
            longitude=longitude,
            uncertainty_m=record.accuracy_m if latitude is not None else None,
        )
    if record.geoprivacy == "private" or latitude is None or longitude is None:
        return SharedPlace(
            country=record.country, withheld="Place and coordinates withheld"
        )
    return SharedPlace(
        country=record.country,
        latitude=_rounded(latitude),
        longitude=_rounded(longitude),
        uncertainty_m=math.ceil((record.accuracy_m or 0) + CELL_RADIUS_M),
        generalised=f"Coordinates rounded to {CELL_DEGREES:g} degrees",
        withheld="Name of the place withheld",
    )


def shared_record(record: Record) -> Record:
    """Return the record without the notes, and without a place that is not open."""
    hidden: Dict[str, Any] = {"notes": ""}
    if record.geoprivacy != "open":
        hidden.update(place="", water_body="")
        hidden.update(latitude=None, longitude=None, accuracy_m=None)
    return record.model_copy(update=hidden)


def degree_text(angle: float) -> str:
    """Return degrees with at most seven decimals: a centimetre."""
    text = f"{angle:.7f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _rounded(angle: float) -> float:
    """Return the middle of the cell that an angle lies in."""
    return round(angle / CELL_DEGREES) * CELL_DEGREES
