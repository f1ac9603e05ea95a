"""iNaturalist's table of observations: eight columns by their place, in Latin-1. Pure.

One row that it does not understand makes it refuse the whole table, so a row that it
might refuse is not written.
"""

import csv
import io
import re
import unicodedata
from typing import Optional, Tuple

from openflexure_timelapse.share.cell_text import cell_text
from openflexure_timelapse.share.image_words import description_of, taxon_text
from openflexure_timelapse.share.subject import Subject

__all__ = [
    "CODING",
    "LONGEST_TAGS",
    "date_text",
    "latin_text",
    "table_name",
    "table_of",
    "tags_of",
    "why_no_table",
]

CODING = "iso-8859-1"
HEADINGS = (
    "Taxon name",
    "Date observed",
    "Description",
    "Place name",
    "Latitude",
    "Longitude",
    "Tags",
    "Geoprivacy",
)
LONGEST_TAGS = 750
LONGEST_PLACE = 256
TAGS = ("time-lapse", "microscopy", "OpenFlexure")

# A name that must agree with exactly one: no "sp.", "cf." or question mark in it.
NAME = re.compile(r"[^\W\d_]+([ '\u00d7-]{1,2}[^\W\d_]+)*\Z")
ALIKE = {
    "\u03bc": "\u00b5",
    "\u2010": "-",
    "\u2011": "-",
    "\u2012": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2212": "-",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": "'",
    "\u201d": "'",
    "\u2026": "...",
    "\u2192": "->",
    "\u20ac": "EUR",
}


def latin_text(text: str) -> str:
    """Return a text in one line whose every letter Latin-1 has.

    What it has not is written with what looks alike, or as a question mark.
    """
    line = " ".join(unicodedata.normalize("NFC", text).split())
    # Split again: what controls may stand between two spaces, or be replaced by one.
    return " ".join("".join(_latin(char) for char in line).split())


def _latin(char: str) -> str:
    """Return what stands for a character in Latin-1; nothing for what controls."""
    if unicodedata.category(char) in {"Cc", "Cf"}:
        return ""
    if char <= "\u00ff":
        return char
    if char in ALIKE:
        return ALIKE[char]
    base = unicodedata.normalize("NFKD", char)[0]
    return base if base <= "\u00ff" else "?"


def table_name(subject: Subject) -> str:
    """Return the file's name: iNaturalist makes it a tag, so no two have the same."""
    return f"observations-{subject.occurrence_id[:8]}.csv"


def date_text(subject: Subject) -> str:
    """Return when the sample was taken, in local time as iNaturalist reads it."""
    sampled = subject.record.sampled
    if sampled is None:
        return ""
    if sampled.clock is None:
        return sampled.day.isoformat()
    return f"{sampled.day.isoformat()} {sampled.clock:%H:%M}"


def tags_of(subject: Subject) -> Tuple[str, ...]:
    """Return the tags that fit, with the file's name that iNaturalist adds."""
    own = (subject.record.water_body, subject.record.organisation)
    room = LONGEST_TAGS - len(table_name(subject))
    tags = []
    for text in (*TAGS, *own):
        tag = latin_text(text.replace(",", " "))
        if tag and len(tag) + 1 <= room:
            tags.append(tag)
            room -= len(tag) + 1
    return tuple(tags)


def why_no_table(subject: Subject) -> str:
    """Return why no row would be taken for sure; empty where one would."""
    name = taxon_text(subject.record.taxon)
    if not name:
        return "a row needs the name of an organism"
    if not NAME.match(name) or latin_text(name) != name:
        return f"a row needs a plain scientific name, and {name!r} is none"
    return ""


def table_of(subject: Subject, rows: int) -> Optional[bytes]:
    """Return the table with a row for each observation; None where none is sure.

    Parameters
    ----------
    subject : Subject
        The run, with a date and coordinates that iNaturalist takes.
    rows : int
        How many observations there are.
    """
    if why_no_table(subject):
        return None
    record = subject.record
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(HEADINGS)
    row = (
        taxon_text(record.taxon),
        date_text(subject),
        cell_text(latin_text(description_of(subject, None).replace("\n", "; "))),
        cell_text(latin_text(record.place)[: LONGEST_PLACE - 1]),
        f"{record.latitude:.6f}",
        f"{record.longitude:.6f}",
        cell_text(",".join(tags_of(subject))),
        "" if record.geoprivacy == "open" else record.geoprivacy,
    )
    writer.writerows([row] * rows)
    return stream.getvalue().encode(CODING)
