"""What the images of a run say in words, from its record. Pure.

When the sample was taken and when it was imaged are two sentences, never one.
"""

from typing import Optional, Tuple

from openflexure_timelapse.frame import Frame
from openflexure_timelapse.record import Taxon
from openflexure_timelapse.share.image_metadata import ImageMetadata, place_in_images
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject, time_of

__all__ = [
    "description_of",
    "holder_of",
    "metadata_of",
    "scale_text",
    "taxon_text",
    "title_of",
]

KEYWORDS = ("time-lapse", "microscopy", "OpenFlexure Microscope")


def title_of(subject: Subject) -> str:
    """Return the images' title; the organism's name where none was given."""
    return subject.record.title.strip() or taxon_text(subject.record.taxon)


def taxon_text(taxon: Optional[Taxon]) -> str:
    """Return the name of an organism; empty for none."""
    return "" if taxon is None else taxon.name.strip()


def holder_of(subject: Subject) -> str:
    """Return whose the images are."""
    return subject.record.rights_holder or subject.record.photographer


def scale_text(subject: Subject) -> str:
    """Return how large a pixel of the stored frames is, and who says so."""
    if subject.um_per_pixel is None:
        return "not calibrated"
    source = f" ({subject.scale_source})" if subject.scale_source else ""
    return f"{subject.um_per_pixel:.4g} \u00b5m per pixel{source}"


def description_of(subject: Subject, frame: Optional[Frame]) -> str:
    """Return the caption, and what is known of the images.

    Parameters
    ----------
    subject : Subject
        Of which run.
    frame : Frame or None
        The one that is described; None for all of them.
    """
    record, taxon = subject.record, subject.record.taxon
    name = taxon_text(taxon)
    if taxon is not None and taxon.uncertain:
        name += ", not certain"
    interval = f"{subject.imaged.interval_s:g} s"
    known = [
        ("", record.caption.strip()),
        ("Organism", name),
        (
            "Origin",
            {"culture": "culture", "not_living": "not living"}.get(
                str(record.origin), ""
            ),
        ),
        ("Sampled", record.sampled_at or ""),
        ("Sampling method", record.sampling_method),
        ("Imaged", _imaged(subject, frame)),
        ("Time-lapse", f"{subject.imaged.frames} frames, one each {interval}"),
        ("Instrument", record.instrument or "OpenFlexure Microscope"),
        ("Objective", record.objective),
        ("Scale of the original", scale_text(subject)),
        ("Field of view", _width(subject, frame)),
        ("Sighting", subject.occurrence_id),
    ]
    told = (f"{label}: {text}" if label else text for label, text in known if text)
    return "\n".join(told)


def _imaged(subject: Subject, frame: Optional[Frame]) -> str:
    """Return when a frame, or the run, was imaged; empty where nobody knows."""
    if frame is not None:
        moment = time_of(frame)
        return "" if moment is None else moment.isoformat(timespec="seconds")
    begin, end = subject.imaged.begin, subject.imaged.end
    if begin is None or end is None:
        return ""
    ends = (moment.isoformat(timespec="seconds") for moment in (begin, end))
    return " to ".join(ends)


def _width(subject: Subject, frame: Optional[Frame]) -> str:
    """Return how much of the sample a frame shows; holds for smaller copies as well."""
    if frame is None or subject.um_per_pixel is None:
        return ""
    return f"{subject.um_per_pixel * frame.draft.width:.4g} \u00b5m wide"


def metadata_of(
    subject: Subject,
    order: ShareOrder,
    frame: Frame,
    *,
    title: str,
    dated: bool = True,
) -> ImageMetadata:
    """Return what the copy of a frame says of itself.

    Parameters
    ----------
    subject, order, frame
        Of what, for whom.
    title : str
        As the destination understands a title.
    dated : bool
        Whether it may say when it was imaged where readers take that for the sampling.
    """
    record = subject.record
    subjects: Tuple[str, ...] = (taxon_text(record.taxon), *KEYWORDS)
    return ImageMetadata(
        title=title,
        description=description_of(subject, frame),
        subjects=tuple(text for text in subjects if text),
        creator=record.photographer,
        holder=holder_of(subject),
        licence=record.licence,
        moment=time_of(frame) if dated else None,
        place=place_in_images(subject, order),
    )
