"""What Nordic Microalgae would refuse, and what a person should know before. Pure."""

from typing import List

from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.image_words import title_of
from openflexure_timelapse.share.nordic_form import LONGEST_ORGANISATION
from openflexure_timelapse.share.nordic_waters import AREAS, nearest_areas
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject

__all__ = ["MOST_STILLS", "doubts", "form_findings", "left_out"]

MOST_STILLS = 10
"""More of one organism is seldom useful, its own guide says."""


def form_findings(subject: Subject) -> List[Finding]:
    """Return what its form requires and the record lacks, or says in other words."""
    found = []
    record = subject.record
    if not title_of(subject):
        told = "A title is missing; the name of the organism is usual."
        found.append(Finding("title", told, blocks=True))
    if not record.photographer.strip():
        told = "The photographer is missing; name who took the images."
        found.append(Finding("photographer", told, blocks=True))
    area = record.geographic_area
    if area and area not in AREAS:
        near = ", ".join(nearest_areas(area)) or f"{AREAS[0]} ... {AREAS[-1]}"
        told = f"{area!r} is no area of Nordic Microalgae; choose one such as {near}, "
        told += "or leave it empty."
        found.append(Finding("geographic_area", told, blocks=True))
    return found


def doubts(subject: Subject) -> List[Finding]:
    """Return what is doubtful about the record."""
    found = []
    record = subject.record
    if record.taxon is None:
        told = "No organism is named; the images cannot be found by its name."
        found.append(Finding("taxon", told))
    if record.origin == "not_living":
        told = "The gallery shows algae, and this sample is said not to be living."
        found.append(Finding("origin", told))
    if subject.um_per_pixel is None:
        told = "The scale is not known, so no copy has a scale bar, and the gallery "
        told += "wants one; calibrate, and write the scale into the record."
        found.append(Finding("um_per_pixel", told))
    if record.licence.upper().startswith(("CC-BY-ND", "CC-BY-SA")):
        told = f"Nordic Microalgae takes {record.licence}, GBIF does not; CC-BY-4.0 is "
        found.append(Finding("licence", told + "taken everywhere."))
    return found


def left_out(subject: Subject, order: ShareOrder) -> List[Finding]:
    """Return what is not given to the gallery, or in an odd form."""
    found = []
    record = subject.record
    angles = (record.latitude, record.longitude)
    if len(record.organisation) > LONGEST_ORGANISATION:
        told = f"{record.organisation!r} has more than {LONGEST_ORGANISATION} letters, "
        told += (
            "so it is given as the institute only, not as contributing organisation."
        )
        found.append(Finding("organisation", told))
    if record.geoprivacy != "open":
        told = (
            f"geoprivacy is {record.geoprivacy}; coordinates and place are left out, "
        )
        told += "since the gallery shows them to everybody."
        found.append(Finding("geoprivacy", told))
    elif any(angle is not None and -1 < angle < 0 for angle in angles):
        told = "Coordinates between -1 and 0 are written as -0 degrees; look whether "
        found.append(Finding("longitude", told + "the form keeps the sign."))
    alone = order.position is None and not order.frames
    if alone and len(subject.positions) > MOST_STILLS:
        told = f"The run has {len(subject.positions)} positions, and only the first "
        told += f"{MOST_STILLS} have a still; choose a position, or name the frames."
        found.append(Finding("order.position", told))
    return found
