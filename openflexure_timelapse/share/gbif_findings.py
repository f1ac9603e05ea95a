"""What GBIF would refuse, and what a person should know before. Pure."""

import re
from typing import List, Optional
from urllib.parse import SplitResult, urlsplit

from openflexure_timelapse.record import Record
from openflexure_timelapse.share.eml import people_of
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.line_text import line_text
from openflexure_timelapse.share.movie_files import movie_files
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject

__all__ = ["address_findings", "doubts", "movie_findings", "required_findings"]

# What an address can be made of without being written in another way.
ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+\Z")


def required_findings(record: Record) -> List[Finding]:
    """Return what the archive cannot be without."""
    found = []
    if record.taxon is None or not line_text(record.taxon.name):
        told = "The organism is missing; give its scientific name, or that of a group."
        found.append(Finding("taxon", told, blocks=True))
    if record.sampled is None:
        told = "The sampling date is missing; tell when the sample was taken."
        found.append(Finding("sampled_at", told, blocks=True))
    if not people_of(record):
        told = "Nobody is named; give the photographer, or an organisation."
        found.append(Finding("photographer", told, blocks=True))
    return found


def address_findings(order: ShareOrder) -> List[Finding]:
    """Return what is wrong with the address of the media."""
    base = order.base_url
    if not base:
        told = "No address of the media is given, so the archive has no rows about "
        told += "them; media_manifest.csv holds what the data manager needs."
        return [Finding("order.base_url", told)]
    parts = _split(base)
    if parts is None or parts.query or parts.fragment:
        told = f"{base[:80]!r} is no address of a folder; write one such as "
        told += "https://example.org/media, or leave it empty."
        return [Finding("order.base_url", told, blocks=True)]
    return []


def movie_findings(subject: Subject, order: ShareOrder) -> List[Finding]:
    """Return what is wrong with the movies."""
    files = movie_files(subject, order)
    if order.movie is not None and not files:
        told = f"{subject.run_id} has no movie {order.movie!r} that is an MP4 or a GIF;"
        told += " name one of those, or none."
        return [Finding("order.movie", told, blocks=True)]
    if files and subject.record.geoprivacy != "open":
        told = f"geoprivacy is {subject.record.geoprivacy}; look that no movie was made"
        return [Finding("geoprivacy", told + " with its place in the file.")]
    return []


def doubts(subject: Subject) -> List[Finding]:
    """Return what is doubtful about the record."""
    record = subject.record
    found = []
    if record.latitude is None:
        told = "There are no coordinates; GBIF cannot show the occurrence on a map."
        found.append(Finding("latitude", told))
    elif (record.latitude, record.longitude) == (0, 0):
        told = "0, 0 is where GBIF looks for forgotten coordinates; correct them."
        found.append(Finding("latitude", told))
    elif record.accuracy_m is None:
        told = "The accuracy of the coordinates is not told; give its radius in metres."
        found.append(Finding("accuracy_m", told))
    if not record.country:
        told = "The country is not told; GBIF wants its two letters, such as SE."
        found.append(Finding("country", told))
    if record.origin == "culture":
        told = "The sample is a culture, which is no occurrence in nature; ask the data"
        found.append(Finding("origin", told + " manager whether they take it."))
    elif record.origin == "not_living":
        told = "The sample is said not to be living; GBIF takes organisms only."
        found.append(Finding("origin", told))
    if record.geoprivacy != "open":
        told = f"geoprivacy is {record.geoprivacy}; coordinates are "
        told += "left out" if record.geoprivacy == "private" else "rounded"
        found.append(Finding("geoprivacy", f"{told}, and the place is not named."))
    if subject.um_per_pixel is None:
        told = "The scale is not known, and the rows say so; calibrate, and write the "
        found.append(Finding("um_per_pixel", told + "scale into the record."))
    return found


def _split(base: str) -> Optional[SplitResult]:
    """Return the parts of an address; None for what is none."""
    if not ADDRESS.match(base):
        return None
    try:
        parts = urlsplit(base)
    except ValueError:
        return None
    return parts if parts.hostname else None
