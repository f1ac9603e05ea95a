"""Nordic Microalgae: stills for its gallery of citizen science, and what to type there.

Its form takes one image at a time. Beside the images lie the values for the form as a
table, and the same as the file that the people who run the site can load.
"""

import csv
import io
import json
from typing import Any, Dict, List, Mapping, Sequence

from openflexure_timelapse.frame import Frame
from openflexure_timelapse.names import slug
from openflexure_timelapse.share.bundle import Bundle
from openflexure_timelapse.share.cell_text import cell_text
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.guide_text import guide_text
from openflexure_timelapse.share.image_copy import (
    Limits,
    image_copy,
    largest_copy_bytes,
    read_frame,
    scale_bar_copy,
)
from openflexure_timelapse.share.image_words import metadata_of, title_of
from openflexure_timelapse.share.licences import NORDIC_MICROALGAE, refused_licence
from openflexure_timelapse.share.nordic_findings import (
    MOST_STILLS,
    doubts,
    form_findings,
    left_out,
)
from openflexure_timelapse.share.nordic_form import FIELDS, attributes_of
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.sampling import place_findings, sampling_findings
from openflexure_timelapse.share.stills import Allowance, stills, stills_findings
from openflexure_timelapse.share.subject import Subject

__all__ = ["NordicMicroalgae"]

# It makes WebP pictures of what it is given, and WebP has no more.
LIMITS = Limits(16_383)
IMAGES = "images"
TABLE, MEDIA = "nordicmicroalgae.csv", "media.json"
NUMBERS = ("latitude_degree", "latitude_minute", "longitude_degree", "longitude_minute")
LONGEST_STEM = 40
ALLOWANCE = Allowance(MOST_STILLS, each=False)


class NordicMicroalgae:
    """The gallery of SMHI and SBDI."""

    name = "nordic-microalgae"
    title = "Nordic Microalgae"
    feeds_gbif = False

    def findings(self, subject: Subject, order: ShareOrder) -> List[Finding]:
        """Return what its form would refuse, and what is doubtful."""
        return [
            *form_findings(subject),
            *refused_licence(subject.record.licence, NORDIC_MICROALGAE, self.title),
            *sampling_findings(subject),
            *stills_findings(subject, order, self.stills(subject, order)),
            *doubts(subject),
            *left_out(subject, order),
            *place_findings(subject, order),
        ]

    def stills(self, subject: Subject, order: ShareOrder) -> Allowance:  # noqa: ARG002
        """Return how many stills it takes."""
        return ALLOWANCE

    def movies(self, subject: Subject) -> Sequence[str]:  # noqa: ARG002
        """Return none: it takes no movie."""
        return ()

    def bytes_needed(self, subject: Subject, order: ShareOrder) -> int:
        """Return how much room the copies take, with a scale bar and without."""
        return 2 * MOST_STILLS * largest_copy_bytes(subject, order)

    def write(self, subject: Subject, order: ShareOrder, bundle: Bundle) -> None:
        """Write the images, the table and ``media.json``."""
        allowed = ALLOWANCE.by_position(subject, order)
        files = [
            _add_images(subject, order, bundle, frame)
            for frame in stills(subject, order, allowed, bundle)
        ]
        attributes = attributes_of(subject)
        bundle.add_text(TABLE, _table(subject, attributes, files), "utf-8-sig")
        bundle.add_text(MEDIA, _media(subject, attributes, files))

    def guide(
        self,
        subject: Subject,
        order: ShareOrder,  # noqa: ARG002
        language: str,
    ) -> str:
        """Return how to submit the images, with the values to type."""
        attributes = attributes_of(subject)
        taxon = subject.record.taxon
        name = "-" if taxon is None else taxon.name
        if taxon is not None and taxon.aphia_id is not None:
            name += f" (AphiaID {taxon.aphia_id})"
        typed = [
            f"  {FIELDS[key]}: {'; '.join(value) if isinstance(value, list) else value}"
            for key, value in attributes.items()
        ]
        values = {"run": subject.run_id, "taxon": name, "values": "\n".join(typed)}
        return guide_text(self.name, language, values)


def _add_images(
    subject: Subject, order: ShareOrder, bundle: Bundle, frame: Frame
) -> str:
    """Write a still, and a copy with a scale bar; return the name of the better one."""
    jpeg = read_frame(subject, frame)
    metadata = metadata_of(subject, order, frame, title=title_of(subject))
    stem = slug(title_of(subject))[:LONGEST_STEM].strip("-") or "image"
    name = f"{stem}-{frame.n:07d}.jpg"
    bundle.add(f"{IMAGES}/{name}", image_copy(jpeg, frame, metadata, LIMITS))
    scale = subject.um_per_pixel
    if scale is None:
        return name
    name = f"{stem}-{frame.n:07d}-scale-bar.jpg"
    drawn = scale_bar_copy(jpeg, frame, metadata, LIMITS, scale)
    bundle.add(f"{IMAGES}/{name}", drawn)
    return name


def _table(subject: Subject, attributes: Mapping[str, Any], files: List[str]) -> str:
    """Return a row for each image, its columns in the order of the form."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(FIELDS)
    taxon = subject.record.taxon
    shared: Dict[str, str] = {"taxon": "" if taxon is None else taxon.name}
    for key, value in attributes.items():
        shared[key] = "; ".join(value) if isinstance(value, list) else str(value)
    for file in files:
        row = {**shared, "file": file}
        cells = (
            row.get(key, "") if key in NUMBERS else cell_text(row.get(key, ""))
            for key in FIELDS
        )
        writer.writerow(cells)
    return stream.getvalue()


def _media(subject: Subject, attributes: Mapping[str, Any], files: List[str]) -> str:
    """Return what its command ``importmedia`` reads; who loads it puts in a user."""
    taxon = subject.record.taxon
    entries = [
        {
            "taxon": None if taxon is None else taxon.aphia_id,
            "file": file,
            "type": "image/jpeg",
            "created_by": "",
            "attributes": dict(attributes),
        }
        for file in files
    ]
    return json.dumps(entries, ensure_ascii=False, indent=2) + "\n"
