"""What Artportalen would refuse, and what a person should know before. Pure."""

from datetime import timedelta
from typing import List

from openflexure_timelapse.record import Record
from openflexure_timelapse.share.artportalen_row import (
    ACCURACIES_M,
    LONGEST_PLACE,
    accuracy_text,
    coordinates_of,
    place_text,
    public_comment,
)
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.licences import licence_of
from openflexure_timelapse.share.line_text import line_text
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.sweref99 import in_sweden

__all__ = ["coordinate_findings", "doubts", "row_findings"]

SWEDISH_OFFSETS = (timedelta(hours=1), timedelta(hours=2))
AS_OPEN = ("CC0-1.0", "CC-PDM-1.0", "CC-BY-4.0", "CC-BY-3.0")


def row_findings(record: Record) -> List[Finding]:
    """Return which required columns would stay empty."""
    found = []
    if record.taxon is None or not line_text(record.taxon.name):
        told = "The organism is missing; name it, a genus or higher will do."
        found.append(Finding("taxon", told, blocks=True))
    if not place_text(record.place):
        told = "The place is missing; name the lake, the beach or the nearest village."
        found.append(Finding("place", told, blocks=True))
    if record.sampled is None:
        told = "The sampling date is missing; tell when the sample was taken."
        found.append(Finding("sampled_at", told, blocks=True))
    return found


def coordinate_findings(record: Record, order: ShareOrder) -> List[Finding]:
    """Return what is wrong with the coordinates and their accuracy."""
    if record.latitude is None or record.longitude is None:
        told = "There are no coordinates; Artportalen takes the row only if you have a "
        told += "site with this very name there. Give latitude, longitude and accuracy."
        return [Finding("latitude", told)]
    found = []
    where = f"{record.latitude:g}, {record.longitude:g}"
    if not in_sweden(record.latitude, record.longitude):
        told = f"{where} is not in Sweden; Artportalen takes sightings in Sweden only."
        blocks = coordinates_of(record, order) is None
        if blocks:
            told += " It has no place in SWEREF 99 TM; correct the coordinates."
        found.append(Finding("latitude", told, blocks=blocks))
    if record.accuracy_m is None:
        told = "The accuracy of the coordinates is missing; tell the radius in metres "
        told += "that surely holds the place."
        found.append(Finding("accuracy_m", told, blocks=True))
    elif not accuracy_text(record.accuracy_m):
        told = f"An accuracy of {record.accuracy_m:g} m is too coarse; Artportalen "
        told += f"takes {ACCURACIES_M[-1]} m at most. Give a more exact place."
        found.append(Finding("accuracy_m", told, blocks=True))
    if record.geoprivacy == "private":
        told = "geoprivacy is private, and Artportalen shows the place to everybody; "
        told += "choose a coarser place and make it open, or do not report it there."
        found.append(Finding("geoprivacy", told, blocks=True))
    elif record.geoprivacy == "obscured":
        told = "geoprivacy is obscured, and Artportalen shows the place to everybody "
        told += "as exactly as it stands in the row; choose a coarser place if need be."
        found.append(Finding("geoprivacy", told))
    return found


def doubts(subject: Subject) -> List[Finding]:
    """Return what is doubtful about the record."""
    record = subject.record
    return [*_of_the_sighting(record), *_of_the_texts(subject)]


def _of_the_sighting(record: Record) -> List[Finding]:
    """Return whether it is a wild organism in Sweden, and what becomes public."""
    found = []
    if record.country and record.country != "SE":
        told = f"The country is {record.country}; Artportalen takes sightings in "
        found.append(Finding("country", told + "Sweden only."))
    wild = "Artportalen takes wild organisms only"
    if record.origin == "culture":
        found.append(Finding("origin", f"The sample is a culture; {wild}."))
    elif record.origin == "not_living":
        found.append(Finding("origin", f"The sample is said not to be living; {wild}."))
    elif record.origin is None:
        told = f"{wild}; tell whether this one lived wild."
        found.append(Finding("origin", told))
    if licence_of(record.licence).spdx not in AS_OPEN:
        told = f"The images are {record.licence}, but the sighting itself goes to GBIF "
        found.append(Finding("licence", told + "as CC0: anybody may use it."))
    sampled = record.sampled
    offset = None if sampled is None else sampled.offset
    if sampled is not None and offset is not None and offset not in SWEDISH_OFFSETS:
        told = f"{sampled} is not Swedish time, which Artportalen takes it for; "
        found.append(Finding("sampled_at", told + "give the local time."))
    return found


def _of_the_texts(subject: Subject) -> List[Finding]:
    """Return what is given in other words, or shortened."""
    found = []
    record = subject.record
    place = line_text(record.place)
    if place_text(place) != place and place_text(place):
        told = f"The place is given as {place_text(place)!r}: Artportalen takes "
        told += f"{LONGEST_PLACE} characters without commas."
        found.append(Finding("place", told))
    caption = line_text(record.caption)
    if not public_comment(subject).startswith(caption):
        told = "The caption is too long for Artportalen's comment and is cut; "
        found.append(Finding("caption", told + "shorten it if the end matters."))
    return found
