"""Rows of Audiovisual Core: what each still and movie is, and what it shows when. Pure.

Its ``frameRate`` is the rate of capture, not that of playing; its ``mediaSpeed`` is how
many times faster than life a movie plays.
"""

import uuid
from datetime import datetime, timezone
from typing import Dict, Optional, Tuple

from openflexure_timelapse.frame import Frame
from openflexure_timelapse.movie.metadata import SOFTWARE
from openflexure_timelapse.share.darwin_core import core_id, number_text
from openflexure_timelapse.share.image_words import (
    description_of,
    holder_of,
    scale_text,
    title_of,
)
from openflexure_timelapse.share.licences import GBIF, licence_of
from openflexure_timelapse.share.line_text import line_text
from openflexure_timelapse.share.movie_facts import MovieFacts
from openflexure_timelapse.share.subject import Subject, time_of

__all__ = ["MEDIA_TERMS", "movie_row", "still_row"]

MEDIA_TERMS: Tuple[str, ...] = (
    "dcterms:identifier",
    "ac:accessURI",
    "dc:type",
    "dcterms:type",
    "dc:format",
    "dcterms:title",
    "dcterms:description",
    "dc:creator",
    "dc:rights",
    "dcterms:rights",
    "xmpRights:Owner",
    "xmpRights:UsageTerms",
    "xmpRights:WebStatement",
    "xmp:CreateDate",
    "ac:startTimestamp",
    "ac:endTimestamp",
    "ac:frameRate",
    "ac:mediaDuration",
    "ac:mediaSpeed",
    "ac:captureDevice",
    "ac:resourceCreationTechnique",
    "ac:physicalSetting",
    "exif:PixelXDimension",
    "exif:PixelYDimension",
    "ac:hashFunction",
    "ac:hashValue",
    "ac:associatedObservationReference",
    "dwc:scientificName",
)
KINDS = "http://purl.org/dc/dcmitype/"


def still_row(
    subject: Subject, frame: Frame, file: str, sha256: str, size: Tuple[int, int]
) -> Dict[str, str]:
    """Return the row of a still.

    Parameters
    ----------
    subject, frame
        Of which frame.
    file, sha256, size
        The copy's name, its checksum, its width and height.
    """
    moment = time_of(frame)
    when = "" if moment is None else moment.isoformat(timespec="milliseconds")
    return {
        **_common(subject, file, sha256, "StillImage", "image/jpeg"),
        "dcterms:title": line_text(f"{title_of(subject)}, frame {frame.n}"),
        "dcterms:description": _described(subject, frame),
        "xmp:CreateDate": when,
        "ac:resourceCreationTechnique": _technique(subject, "One frame of a"),
        "exif:PixelXDimension": str(size[0]),
        "exif:PixelYDimension": str(size[1]),
    }


def movie_row(
    subject: Subject, facts: MovieFacts, file: str, sha256: str, media_type: str
) -> Dict[str, str]:
    """Return the row of a movie; what its file does not tell stays empty.

    Parameters
    ----------
    subject : Subject
        Of which run.
    facts : MovieFacts
        From its file.
    file, sha256, media_type : str
        The copy's name, its checksum, its media type.
    """
    interval_s, speed = facts.interval_s, facts.speed
    begin = facts.begin
    return {
        **_common(subject, file, sha256, "MovingImage", media_type),
        "dcterms:title": line_text(f"{title_of(subject)}, time-lapse"),
        "dcterms:description": _described(subject, None),
        "xmp:CreateDate": "" if begin is None else begin.isoformat(),
        "ac:startTimestamp": _utc(begin),
        "ac:endTimestamp": _utc(facts.end),
        "ac:frameRate": number_text(1 / interval_s) if interval_s else "",
        "ac:mediaDuration": number_text(facts.duration_s),
        "ac:mediaSpeed": "" if speed is None else number_text(speed),
        "ac:resourceCreationTechnique": _technique(subject, f"{SOFTWARE}, movie of a"),
        "exif:PixelXDimension": str(facts.width),
        "exif:PixelYDimension": str(facts.height),
    }


def _common(
    subject: Subject, file: str, sha256: str, kind: str, media_type: str
) -> Dict[str, str]:
    """Return what is alike for stills and movies."""
    record, taxon = subject.record, subject.record.taxon
    licence = licence_of(record.licence)
    address = GBIF.get(licence.spdx, "")
    holder = line_text(holder_of(subject))
    named = uuid.uuid5(uuid.UUID(subject.occurrence_id), file)
    device = (record.instrument or "OpenFlexure Microscope", record.objective)
    return {
        "dcterms:identifier": f"urn:uuid:{named}",
        "dc:type": kind,
        "dcterms:type": KINDS + kind,
        "dc:format": media_type,
        "dc:creator": line_text(record.photographer),
        "dc:rights": f"{holder}, {licence.title}" if holder else licence.title,
        "dcterms:rights": address,
        "xmpRights:Owner": holder,
        "xmpRights:UsageTerms": licence.title,
        "xmpRights:WebStatement": address,
        "ac:captureDevice": ", ".join(filter(None, map(line_text, device))),
        "ac:physicalSetting": "Artificial",
        "ac:hashFunction": "SHA-256",
        "ac:hashValue": sha256,
        "ac:associatedObservationReference": core_id(subject),
        "dwc:scientificName": "" if taxon is None else line_text(taxon.name),
    }


def _described(subject: Subject, frame: Optional[Frame]) -> str:
    """Return the description in one line."""
    lines = description_of(subject, frame).splitlines()
    told = (line_text(line).rstrip(".") for line in lines)
    return "; ".join(line for line in told if line)


def _technique(subject: Subject, what: str) -> str:
    """Return how the images came to be."""
    record, imaged = subject.record, subject.imaged
    every = f"{what} time-lapse, one frame each {imaged.interval_s:g} s"
    known = (
        every,
        record.technique or "Light microscopy",
        record.contrast,
        record.stain,
        record.preservation,
        f"scale: {scale_text(subject)}",
    )
    return "; ".join(filter(None, map(line_text, known)))


def _utc(moment: Optional[datetime]) -> str:
    """Return a moment in UTC, as its time stamps are; empty for none."""
    if moment is None:
        return ""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
