"""Artportalen, the Swedish Species Observation System: a row to paste, and images.

Its import takes rows that are pasted from a table. The images are added by hand while
the sighting is reviewed, so their names begin with the row's ``Externid``.
"""

from typing import Dict, List, Sequence

from openflexure_timelapse.share.artportalen_findings import (
    coordinate_findings,
    doubts,
    row_findings,
)
from openflexure_timelapse.share.artportalen_row import HEADINGS, NUMBERS, row_of
from openflexure_timelapse.share.bundle import Bundle
from openflexure_timelapse.share.cell_text import cell_text
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.guide_text import guide_text
from openflexure_timelapse.share.image_copy import (
    Limits,
    image_copy,
    largest_copy_bytes,
    read_frame,
)
from openflexure_timelapse.share.image_words import holder_of, metadata_of, title_of
from openflexure_timelapse.share.licences import licence_of
from openflexure_timelapse.share.line_text import line_text
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.sampling import place_findings, sampling_findings
from openflexure_timelapse.share.stills import Allowance, stills, stills_findings
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.workbook import workbook_of

__all__ = ["Artportalen"]

MOST_STILLS = 6
ALLOWANCE = Allowance(MOST_STILLS, each=False)
LIMITS = Limits(2048)
IMAGES = "images"
TABLE, WORKBOOK = "artportalen.tsv", "artportalen.xlsx"
SHEET = "Observationer"
SYSTEMS = {"sweref99tm": "SWEREF 99 TM", "wgs84": "WGS 84"}
WORKBOOK_BYTES = 20_000


class Artportalen:
    """The Swedish Species Observation System."""

    name = "artportalen"
    title = "Artportalen"
    feeds_gbif = True

    def findings(self, subject: Subject, order: ShareOrder) -> List[Finding]:
        """Return what its import would refuse, and what is doubtful."""
        return [
            *row_findings(subject.record),
            *sampling_findings(subject),
            *coordinate_findings(subject.record, order),
            *stills_findings(subject, order, self.stills(subject, order)),
            *doubts(subject),
            *place_findings(subject, order),
        ]

    def stills(self, subject: Subject, order: ShareOrder) -> Allowance:  # noqa: ARG002
        """Return how many stills it takes."""
        return ALLOWANCE

    def movies(self, subject: Subject) -> Sequence[str]:  # noqa: ARG002
        """Return none: it takes no movie."""
        return ()

    def bytes_needed(self, subject: Subject, order: ShareOrder) -> int:
        """Return how much room the images and the row take."""
        return MOST_STILLS * largest_copy_bytes(subject, order) + WORKBOOK_BYTES

    def write(self, subject: Subject, order: ShareOrder, bundle: Bundle) -> None:
        """Write the row twice, and the images."""
        row = row_of(subject, order)
        bundle.add_text(TABLE, _table(row))
        lines = (HEADINGS, [row[heading] for heading in HEADINGS])
        bundle.add(WORKBOOK, workbook_of(SHEET, lines))
        allowed = ALLOWANCE.by_position(subject, order)
        for number, frame in enumerate(stills(subject, order, allowed, bundle), 1):
            metadata = metadata_of(subject, order, frame, title=title_of(subject))
            name = f"{IMAGES}/{subject.occurrence_id}_{number:02d}.jpg"
            jpeg = read_frame(subject, frame)
            bundle.add(name, image_copy(jpeg, frame, metadata, LIMITS))

    def guide(self, subject: Subject, order: ShareOrder, language: str) -> str:
        """Return how to paste the row and to add the images."""
        row = row_of(subject, order)
        record = subject.record
        values = {
            "run": subject.run_id,
            "system": SYSTEMS[order.coordinates],
            "taxon": row["Artnamn"],
            "place": row["Lokalnamn"],
            "east": row["Ost"] or "-",
            "north": row["Nord"] or "-",
            "accuracy": row["Noggrannhet"] or "-",
            "day": row["Startdatum"],
            "clock": row["Starttid"] or "-",
            "certainty": row["Osäker artbestämning"] or "-",
            "external_id": subject.occurrence_id,
            "licence": licence_of(record.licence).title,
            "holder": line_text(holder_of(subject)) or "-",
        }
        return guide_text(self.name, language, values)


def _table(row: Dict[str, str]) -> str:
    """Return the headings and the row, with tabs between the cells.

    Nothing is quoted: what is pasted from a text editor would keep the quotes.
    """
    cells = (
        row[heading] if heading in NUMBERS else _cell(row[heading])
        for heading in HEADINGS
    )
    return "\t".join(HEADINGS) + "\r\n" + "\t".join(cells) + "\r\n"


def _cell(text: str) -> str:
    """Return a text that a spreadsheet takes for text, also when it is in quotes."""
    return f"'{text}" if text.startswith('"') else cell_text(text)
