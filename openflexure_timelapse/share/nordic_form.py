"""The form of Nordic Microalgae's image gallery: its fields, choices and values. Pure.

The names and the choices are those of its form, letter by letter.
"""

from typing import Any, Dict, List, Mapping, Optional, Tuple

from openflexure_timelapse.share.image_words import holder_of, taxon_text, title_of
from openflexure_timelapse.share.licences import NORDIC_MICROALGAE, licence_of
from openflexure_timelapse.share.subject import Subject

__all__ = [
    "FIELDS",
    "LONGEST_ORGANISATION",
    "attributes_of",
    "degrees_and_minutes",
]

LONGEST_ORGANISATION = 28
GALLERY = "Citizen science"
THOUSANDTHS = 1000

FIELDS: Mapping[str, str] = {
    "taxon": "Taxon",
    "file": "File",
    "title": "Title",
    "photographer_artist": "Photographer/artist",
    "copyright_holder": "Copyright holder",
    "copyright_stamp": "Copyright stamp",
    "copyright_stamp_position": "Copyright stamp position",
    "institute": "Institute",
    "contributing_organisation": "Contributing organisation",
    "contributor": "Contributor",
    "caption": "Caption",
    "sampling_date": "Sampling date",
    "geographic_area": "Geographic area",
    "location": "Location",
    "latitude_degree": "Latitude degree",
    "latitude_minute": "Latitude minute",
    "longitude_degree": "Longitude degree",
    "longitude_minute": "Longitude minute",
    "license": "License",
    "preservation": "Preservation",
    "stain": "Stain",
    "contrast_enhancement": "Contrast enhancement",
    "technique": "Technique",
    "galleries": "Galleries",
}
"""Its fields in order, and what stands before each."""

# Fields with any number of values.
SEVERAL = ("preservation", "stain", "contrast_enhancement", "technique", "galleries")


def degrees_and_minutes(angle: float) -> Tuple[str, str]:
    """Return whole degrees with the sign, and minutes with up to three decimals."""
    thousandths = round(abs(angle) * 60 * THOUSANDTHS)
    degrees, rest = divmod(thousandths, 60 * THOUSANDTHS)
    minutes = f"{rest / THOUSANDTHS:.3f}".rstrip("0").rstrip(".")
    sign = "-" if angle < 0 and thousandths else ""
    return f"{sign}{degrees}", minutes


def attributes_of(subject: Subject) -> Dict[str, Any]:
    """Return what goes into the form for every image, in order, without empty fields.

    Taxon and file are left out. The place is told only where it is open.
    """
    record = subject.record
    sampled = record.sampled
    organisation = record.organisation
    values: Dict[str, Any] = {
        "title": title_of(subject),
        "photographer_artist": record.photographer,
        "copyright_holder": holder_of(subject),
        "institute": organisation,
        "contributing_organisation": (
            organisation if len(organisation) <= LONGEST_ORGANISATION else ""
        ),
        "contributor": record.contributor or record.photographer,
        "caption": _caption(subject),
        "sampling_date": "" if sampled is None else sampled.day.isoformat(),
        "geographic_area": record.geographic_area,
        **_where(subject),
        "license": NORDIC_MICROALGAE.get(licence_of(record.licence).spdx, ""),
        "preservation": record.preservation,
        "stain": record.stain,
        "contrast_enhancement": record.contrast,
        "technique": record.technique or "Light microscopy",
        "galleries": GALLERY,
    }
    return {
        key: [value] if key in SEVERAL else value
        for key, value in values.items()
        if value
    }


def _caption(subject: Subject) -> str:
    """Return the caption, which also says how certain the name is."""
    record, taxon = subject.record, subject.record.taxon
    told: List[Optional[str]] = [record.caption.strip()]
    if taxon is not None and taxon.uncertain:
        told.append(f"The name {taxon_text(taxon)} is not certain.")
    if record.origin == "culture":
        told.append("From a culture.")
    return " ".join(text for text in told if text)


def _where(subject: Subject) -> Dict[str, str]:
    """Return where the sample was taken; nothing where that is not open."""
    record = subject.record
    if record.geoprivacy != "open":
        return {}
    places = (record.place.strip(), record.water_body.strip())
    found = {"location": ", ".join(text for text in places if text)}
    if record.latitude is not None and record.longitude is not None:
        angles = (("latitude", record.latitude), ("longitude", record.longitude))
        for name, angle in angles:
            degree, minute = degrees_and_minutes(angle)
            found[f"{name}_degree"], found[f"{name}_minute"] = degree, minute
    return found
