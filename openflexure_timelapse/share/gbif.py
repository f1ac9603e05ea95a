"""GBIF, through a data manager: a Darwin Core Archive, and the media beside it.

GBIF is no place to upload to. Whoever runs a publishing tool takes the archive, puts
the media on a server, and tells us under which address; then the archive can name them.
"""

import csv
import io
from pathlib import Path
from typing import Dict, List, Sequence
from urllib.parse import quote

from PIL import Image

from openflexure_timelapse.names import slug
from openflexure_timelapse.share.bundle import Bundle
from openflexure_timelapse.share.cell_text import cell_text
from openflexure_timelapse.share.darwin_core import archive_of, core_id, occurrence_of
from openflexure_timelapse.share.eml import dataset_title, eml_of
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.gbif_findings import (
    address_findings,
    doubts,
    movie_findings,
    required_findings,
)
from openflexure_timelapse.share.guide_text import guide_text
from openflexure_timelapse.share.image_copy import (
    Limits,
    image_copy,
    largest_copy_bytes,
    read_frame,
)
from openflexure_timelapse.share.image_words import metadata_of, title_of
from openflexure_timelapse.share.licences import GBIF, licence_of, refused_licence
from openflexure_timelapse.share.media_rows import MEDIA_TERMS, movie_row, still_row
from openflexure_timelapse.share.movie_facts import movie_facts
from openflexure_timelapse.share.movie_files import (
    MOVIE_TYPES,
    movie_files,
    movie_name,
    movies_of,
)
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.sampling import place_findings, sampling_findings
from openflexure_timelapse.share.stills import Allowance, stills, stills_findings
from openflexure_timelapse.share.subject import Subject

__all__ = ["Gbif"]

MOST_STILLS = 10
ALLOWANCE = Allowance(MOST_STILLS, each=False)
# No JPEG is larger.
LIMITS = Limits(65_535)
MEDIA = "media"
ARCHIVE, MANIFEST = "darwin-core-archive.zip", "media_manifest.csv"
TABLES_BYTES = 200_000

Row = Dict[str, str]


class Gbif:
    """The Global Biodiversity Information Facility."""

    name = "gbif"
    title = "GBIF"
    feeds_gbif = True

    def findings(self, subject: Subject, order: ShareOrder) -> List[Finding]:
        """Return what would be refused, and what is doubtful."""
        return [
            *required_findings(subject.record),
            *refused_licence(subject.record.licence, GBIF, self.title),
            *sampling_findings(subject),
            *address_findings(order),
            *stills_findings(subject, order, self.stills(subject, order)),
            *movie_findings(subject, order),
            *doubts(subject),
            *place_findings(subject, order),
        ]

    def stills(self, subject: Subject, order: ShareOrder) -> Allowance:  # noqa: ARG002
        """Return how many stills it takes."""
        return ALLOWANCE

    def movies(self, subject: Subject) -> Sequence[str]:
        """Return the MP4s and GIFs."""
        return [movie_name(path) for path in movies_of(subject, MOVIE_TYPES)]

    def bytes_needed(self, subject: Subject, order: ShareOrder) -> int:
        """Return how much room stills and movies take."""
        movies = sum(path.stat().st_size for path in movie_files(subject, order))
        return MOST_STILLS * largest_copy_bytes(subject, order) + movies + TABLES_BYTES

    def write(self, subject: Subject, order: ShareOrder, bundle: Bundle) -> None:
        """Write the media, the archive, and the manifest where the archive has none."""
        rows = _add_stills(subject, order, bundle)
        rows.update(_add_movies(subject, order, bundle))
        media = []
        if order.base_url:
            base = order.base_url.rstrip("/")
            for file, row in rows.items():
                media.append({**row, "ac:accessURI": f"{base}/{quote(file)}"})
        else:
            bundle.add_text(MANIFEST, _manifest(rows), "utf-8-sig")
        occurrence = occurrence_of(subject, order)
        archive = archive_of(eml_of(subject), occurrence, MEDIA_TERMS, media)
        bundle.add(ARCHIVE, archive)

    def guide(self, subject: Subject, order: ShareOrder, language: str) -> str:
        """Return what the data manager does with it."""
        values = {
            "run": subject.run_id,
            "dataset": dataset_title(subject),
            "occurrence_id": core_id(subject),
            "basis": order.basis_of_record,
            "licence": licence_of(subject.record.licence).title,
            "sampled": subject.record.sampled_at or "-",
            "address": order.base_url or "-",
        }
        return guide_text(self.name, language, values)


def _add_stills(subject: Subject, order: ShareOrder, bundle: Bundle) -> Dict[str, Row]:
    """Write the stills, and return their rows by file name."""
    rows = {}
    allowed = ALLOWANCE.by_position(subject, order)
    for frame in stills(subject, order, allowed, bundle):
        metadata = metadata_of(subject, order, frame, title=title_of(subject))
        jpeg = image_copy(read_frame(subject, frame), frame, metadata, LIMITS)
        file = f"{subject.occurrence_id}_{frame.n:07d}.jpg"
        name = f"{MEDIA}/{file}"
        bundle.add(name, jpeg)
        with Image.open(io.BytesIO(jpeg)) as image:
            size = image.size
        rows[file] = still_row(subject, frame, file, bundle.sha256(name), size)
    return rows


def _add_movies(subject: Subject, order: ShareOrder, bundle: Bundle) -> Dict[str, Row]:
    """Write the movies, and return their rows by file name."""
    rows = {}
    total = subject.imaged.frames + MOST_STILLS
    for number, path in enumerate(movie_files(subject, order), 1):
        bundle.tell(total, total)
        file = _movie_name(subject, path, number)
        name = f"{MEDIA}/{file}"
        bundle.copy(name, path)
        facts, media_type = movie_facts(path), MOVIE_TYPES[path.suffix]
        rows[file] = movie_row(subject, facts, file, bundle.sha256(name), media_type)
    return rows


def _movie_name(subject: Subject, path: Path, number: int) -> str:
    """Return the name of a movie's copy; the number keeps names apart."""
    called = f"_{slug(path.stem)}" if slug(path.stem) else ""
    return f"{subject.occurrence_id}_movie{number:02d}{called}{path.suffix}"


def _manifest(rows: Dict[str, Row]) -> str:
    """Return a table of the media, for whoever makes rows of it later."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(("file", *MEDIA_TERMS))
    for file, row in rows.items():
        cells = (cell_text(row.get(term, "")) for term in MEDIA_TERMS)
        writer.writerow((f"{MEDIA}/{file}", *cells))
    return stream.getvalue()
