"""The row of a sighting as Artportalen reads it. Pure.

The headings are those of its template, letter by letter; it knows a column by them.
The words that are added are Swedish, since that is the language of its readers.
"""

import math
from datetime import datetime
from typing import Dict, List, Optional, Tuple

from openflexure_timelapse.record import Record
from openflexure_timelapse.share.line_text import line_text, shortened
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.sweref99 import in_sweden, sweref99_of

__all__ = [
    "ACCURACIES_M",
    "HEADINGS",
    "LONGEST_COMMENT",
    "LONGEST_PLACE",
    "NUMBERS",
    "accuracy_text",
    "coordinates_of",
    "place_text",
    "public_comment",
    "row_of",
]

HEADINGS: Tuple[str, ...] = (
    "Artnamn",
    "Metod",
    "Lokalnamn",
    "Ost",
    "Nord",
    "Noggrannhet",
    "Djup min",
    "Djup max",
    "Startdatum",
    "Starttid",
    "Slutdatum",
    "Sluttid",
    "Publik kommentar",
    "Privat kommentar",
    "Osäker artbestämning",
    "Biotop-beskrivning",
    "Artbestämd av (fritext)",
    "Beskrivning artbestämning",
    "Externid",
)
NUMBERS = ("Ost", "Nord")
"""Columns that we write and nobody types."""

# fmt: off
ACCURACIES_M = (
    1, 5, 10, 25, 50, 75, 100, 125, 150, 200, 250, 300, 400, 500, 750, 1000, 1500,
    2000, 2500, 3000, 5000,
)
# fmt: on
METHODS = ("vattenhåvning", "håvning")
"""Of its list of methods, those that bring algae home."""

LONGEST_PLACE = 75
LONGEST_COMMENT = 1000
LONGEST_DESCRIPTION = 250
DEGREE_DECIMALS = 6


def accuracy_text(accuracy_m: Optional[float]) -> str:
    """Return the smallest allowed radius that still holds the place.

    Empty where it is not known, or none is large enough.
    """
    if accuracy_m is None:
        return ""
    fitting = (step for step in ACCURACIES_M if step >= accuracy_m)
    return next((f"{step} m" for step in fitting), "")


def place_text(place: str) -> str:
    """Return the name of a place without commas, not too long."""
    parts = (part.strip() for part in line_text(place).split(","))
    return shortened(" - ".join(part for part in parts if part), LONGEST_PLACE)


def coordinates_of(record: Record, order: ShareOrder) -> Optional[Tuple[str, str]]:
    """Return east and north in the system of the order; None where there are none.

    The file cannot name the system: the person's profile does.
    """
    latitude, longitude = record.latitude, record.longitude
    if latitude is None or longitude is None:
        return None
    if order.coordinates == "wgs84":
        return f"{longitude:.{DEGREE_DECIMALS}f}", f"{latitude:.{DEGREE_DECIMALS}f}"
    if not in_sweden(latitude, longitude):
        return None
    point = sweref99_of(latitude, longitude)
    return str(round(point.east_m)), str(round(point.north_m))


def row_of(subject: Subject, order: ShareOrder) -> Dict[str, str]:
    """Return the sighting under the headings, each cell in one line."""
    record, taxon = subject.record, subject.record.taxon
    method = record.sampling_method.strip().lower()
    return {
        "Artnamn": "" if taxon is None else line_text(taxon.name),
        "Metod": method if method in METHODS else "",
        "Lokalnamn": place_text(record.place),
        **_where(record, order),
        **_when(record),
        "Publik kommentar": public_comment(subject),
        "Privat kommentar": f"OpenFlexure Timelapse {subject.run_id}",
        "Osäker artbestämning": "Ja" if taxon is not None and taxon.uncertain else "",
        "Biotop-beskrivning": line_text(record.water_body),
        "Artbestämd av (fritext)": (
            ""
            if taxon is None
            else line_text(taxon.identified_by) or line_text(record.photographer)
        ),
        "Beskrivning artbestämning": _how_identified(subject),
        "Externid": subject.occurrence_id,
    }


def _where(record: Record, order: ShareOrder) -> Dict[str, str]:
    """Return the coordinates, and the depths in whole metres."""
    east, north = coordinates_of(record, order) or ("", "")
    shallow, deep = record.depth_min_m, record.depth_max_m
    return {
        "Ost": east,
        "Nord": north,
        "Noggrannhet": accuracy_text(record.accuracy_m) if east else "",
        "Djup min": "" if shallow is None else str(math.floor(shallow)),
        "Djup max": "" if deep is None else str(math.ceil(deep)),
    }


def _when(record: Record) -> Dict[str, str]:
    """Return when the sample was taken."""
    sampled = record.sampled
    day = "" if sampled is None else sampled.day.isoformat()
    clock = ""
    if sampled is not None and sampled.clock is not None:
        clock = sampled.clock.strftime("%H:%M")
    return {
        "Startdatum": day,
        "Starttid": clock,
        "Slutdatum": day,
        "Sluttid": clock,
    }


def public_comment(subject: Subject) -> str:
    """Return what everybody reads: the caption, shortened for what follows it."""
    told = " ".join(text for text in _told(subject) if text)
    room = LONGEST_COMMENT - len(told) - 1
    caption = shortened(line_text(subject.record.caption), max(room, 1))
    return shortened(f"{caption} {told}".strip(), LONGEST_COMMENT)


def _told(subject: Subject) -> List[str]:
    """Return what is said of the sample and of the imaging, a sentence each."""
    record, imaged = subject.record, subject.imaged
    method = line_text(record.sampling_method)
    sampler = line_text(record.sampled_by)
    told = [
        f"Provet taget av {sampler}." if sampler else "",
        f"Provtagning: {method}." if method and method.lower() not in METHODS else "",
        "Från odling." if record.origin == "culture" else "",
    ]
    noun = "bild" if imaged.frames == 1 else "bilder"
    between = _swedish(f"{imaged.interval_s:g}")
    series = f"Fotograferat i mikroskop: {imaged.frames} {noun} med {between} s "
    series += "mellanrum"
    if imaged.begin is not None and imaged.end is not None:
        series += f", {_minute(imaged.begin)} till {_minute(imaged.end)}"
    return [*told, f"{series}."]


def _how_identified(subject: Subject) -> str:
    """Return what the organism was identified with."""
    record = subject.record
    parts = [
        "Från mikroskopbilder",
        line_text(record.instrument) or "OpenFlexure Microscope",
        line_text(record.objective),
    ]
    if subject.um_per_pixel is not None:
        parts.append(_swedish(f"{subject.um_per_pixel:.4g}") + " µm per pixel")
    return shortened(", ".join(part for part in parts if part), LONGEST_DESCRIPTION)


def _minute(moment: datetime) -> str:
    """Return a moment to the minute, local."""
    return f"{moment:%Y-%m-%d %H:%M}"


def _swedish(number: str) -> str:
    """Return a number with the decimal sign of Swedish."""
    return number.replace(".", ",")
