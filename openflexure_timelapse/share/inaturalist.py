"""iNaturalist: a folder of stills for each observation, and one GIF that moves.

A time-lapse of one position is one observation, never one for each frame.
"""

import contextlib
from typing import Dict, List, Sequence, Tuple

from openflexure_timelapse.errors import NotFoundError
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.share.bundle import Bundle
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.gifs import fitting_gif, gifs_of
from openflexure_timelapse.share.guide_text import guide_text
from openflexure_timelapse.share.image_copy import (
    Limits,
    image_copy,
    largest_copy_bytes,
    read_frame,
)
from openflexure_timelapse.share.image_words import metadata_of, taxon_text
from openflexure_timelapse.share.inaturalist_findings import (
    LARGEST_BYTES,
    doubts,
    gif_findings,
    required_findings,
    table_findings,
)
from openflexure_timelapse.share.inaturalist_table import (
    date_text,
    table_name,
    table_of,
    tags_of,
)
from openflexure_timelapse.share.licences import (
    INATURALIST,
    licence_of,
    refused_licence,
)
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.sampling import place_findings, sampling_findings
from openflexure_timelapse.share.stills import Allowance, stills, stills_findings
from openflexure_timelapse.share.subject import Subject, time_of

__all__ = ["MOST_PHOTOS", "INaturalist"]

MOST_PHOTOS = 20
"""Of an observation; its uploader takes no more. The GIF is one of them."""

LIMITS = Limits(2048, LARGEST_BYTES)

WORDS: Dict[str, Dict[str, str]] = {
    "en": {
        "unknown": "(leave empty; others will help)",
        "none": "(none)",
        "radius": "{:g} m",
        "open": "Open",
        "obscured": "Obscured",
        "private": "Private",
        "culture": 'Tick "Captive / Cultivated": the sample is a culture.',
        "wild": 'Leave "Captive / Cultivated" without a tick.',
        "folder": "  {folder}   position {position}",
    },
    "sv": {
        "unknown": "(lämna tomt; andra hjälper till)",
        "none": "(ingen)",
        "radius": "{:g} m",
        "open": "Open (öppen)",
        "obscured": "Obscured (dold)",
        "private": "Private (privat)",
        "culture": 'Kryssa i "Captive / Cultivated": provet är en odling.',
        "wild": 'Kryssa inte i "Captive / Cultivated".',
        "folder": "  {folder}   position {position}",
    },
}


class INaturalist:
    """The community of observers."""

    name = "inaturalist"
    title = "iNaturalist"
    feeds_gbif = True

    def findings(self, subject: Subject, order: ShareOrder) -> List[Finding]:
        """Return what it would refuse, and what is doubtful."""
        positions = _positions(subject, order)
        return [
            *required_findings(subject),
            *sampling_findings(subject),
            *refused_licence(subject.record.licence, INATURALIST, self.title),
            *stills_findings(subject, order, self.stills(subject, order)),
            *doubts(subject, positions),
            *gif_findings(subject, order, positions),
            *table_findings(subject),
            *place_findings(subject, order),
        ]

    def stills(self, subject: Subject, order: ShareOrder) -> Allowance:
        """Return how many stills an observation may have beside its GIF."""
        gifs = gifs_of(subject)
        with_gif = any(
            fitting_gif(gifs, order.movie, position, LARGEST_BYTES)
            for position in _positions(subject, order)
        )
        return Allowance(MOST_PHOTOS - with_gif, each=True)

    def movies(self, subject: Subject) -> Sequence[str]:
        """Return the GIFs that are small enough."""
        gifs = gifs_of(subject)
        return [gif.name for gif in gifs if gif.size_bytes <= LARGEST_BYTES]

    def bytes_needed(self, subject: Subject, order: ShareOrder) -> int:
        """Return how much room the copies and GIFs take."""
        photos = MOST_PHOTOS * largest_copy_bytes(subject, order)
        return len(_positions(subject, order)) * (photos + LARGEST_BYTES)

    def write(self, subject: Subject, order: ShareOrder, bundle: Bundle) -> None:
        """Write a folder for each observation, and the table."""
        positions = _positions(subject, order)
        allowed = dict.fromkeys(positions, self.stills(subject, order).most)
        for frame in stills(subject, order, allowed, bundle):
            number = positions.index(frame.draft.position) + 1
            name = f"{_folder(number)}/tl-{number:02d}-{frame.n:07d}.jpg"
            bundle.add(name, _copy(subject, order, frame))
        _add_gifs(subject, order, bundle, positions)
        table = table_of(subject, len(positions))
        if table is not None:
            bundle.add(table_name(subject), table)

    def guide(self, subject: Subject, order: ShareOrder, language: str) -> str:
        """Return how to upload, with what the uploader fills in wrongly."""
        record, words = subject.record, WORDS[language]
        accuracy = record.accuracy_m
        values = {
            "run": subject.run_id,
            "folders": "\n".join(
                words["folder"].format(folder=_folder(number), position=position)
                for number, position in enumerate(_positions(subject, order), 1)
            ),
            "taxon": taxon_text(record.taxon) or words["unknown"],
            "date": date_text(subject),
            "place": record.place or words["none"],
            "latitude": f"{record.latitude:.6f}",
            "longitude": f"{record.longitude:.6f}",
            "accuracy": (
                words["none"] if accuracy is None else words["radius"].format(accuracy)
            ),
            "tags": ", ".join(tags_of(subject)),
            "geoprivacy": words[record.geoprivacy],
            "captive": words["culture" if record.origin == "culture" else "wild"],
            "licence": INATURALIST.get(licence_of(record.licence).spdx, ""),
            "table": table_name(subject),
            "sighting": subject.occurrence_id,
        }
        return guide_text(self.name, language, values)


def _positions(subject: Subject, order: ShareOrder) -> Tuple[str, ...]:
    """Return the positions of which there is an observation each."""
    if order.position is not None:
        return (order.position,)
    if not order.frames:
        return subject.positions
    shown = set()
    for n in order.frames:
        with contextlib.suppress(NotFoundError):  # `stills_findings` tells of it
            shown.add(subject.reader.frame(n).draft.position)
    return tuple(name for name in subject.positions if name in shown)


def _folder(number: int) -> str:
    """Return the folder of an observation."""
    return f"observation-{number:02d}"


def _copy(subject: Subject, order: ShareOrder, frame: Frame) -> bytes:
    """Return the copy of a still.

    The uploader takes the time in it for the time of the sighting. It is therefore left
    out, unless the sample was imaged on the day it was taken and no hour was told.
    """
    sampled, moment = subject.record.sampled, time_of(frame)
    dated = (
        sampled is not None
        and moment is not None
        and sampled.clock is None
        and sampled.day == moment.date()
    )
    title = taxon_text(subject.record.taxon)
    metadata = metadata_of(subject, order, frame, title=title, dated=dated)
    return image_copy(read_frame(subject, frame), frame, metadata, LIMITS)


def _add_gifs(
    subject: Subject, order: ShareOrder, bundle: Bundle, positions: Tuple[str, ...]
) -> None:
    """Copy the GIFs to their observations; one that was named goes along once."""
    gifs = gifs_of(subject)
    for number, position in enumerate(positions, 1):
        gif = fitting_gif(gifs, order.movie, position, LARGEST_BYTES)
        if gif is None:
            continue
        elsewhere = [name for name in positions if gif.shows(name)]
        if position == (elsewhere or positions)[0]:
            bundle.copy(f"{_folder(number)}/tl-{number:02d}.gif", gif.path)
