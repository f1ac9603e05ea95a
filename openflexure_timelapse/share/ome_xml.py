"""The OME-XML of one volume, a piece at a time: a run may have 10⁵ planes. Pure.

All of it is ASCII, so that every reader of TIFF understands it: other letters are
written as XML's numbers. When and where the sample was taken is not in it, but for the
date; ``bundle.json`` has the whole record.
"""

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple
from xml.sax.saxutils import escape, quoteattr

from openflexure_timelapse import __version__
from openflexure_timelapse.frame import FrameDraft
from openflexure_timelapse.record import Record
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.volume import Volume

__all__ = ["PlaneAt", "exposure_s", "ome_xml", "step_um", "z_spacing_um"]

NS = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
OUR_NS = "openflexure-timelapse/run"
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
US_PER_S = 1_000_000
NS_PER_S = 1_000_000_000
AXES = ("x", "y", "z")
SHARED = (
    "title",
    "origin",
    "sampled_at",
    "instrument",
    "objective",
    "technique",
    "contrast",
    "preservation",
    "stain",
    "photographer",
    "organisation",
    "licence",
)
"""What of the record goes along, beside the name."""


@dataclass(frozen=True)
class PlaneAt:
    """One plane that has a picture: where it is, and what is known of its frame."""

    point: int
    plane: int
    draft: FrameDraft


def step_um(subject: Subject) -> Optional[Tuple[float, float, float]]:
    """Return the stage's micrometres per step; None where the run does not know."""
    stage = subject.header.get("stage")
    told = stage.get("step_um") if isinstance(stage, Mapping) else None
    if not isinstance(told, (list, tuple)) or len(told) != len(AXES):
        return None
    if not all(isinstance(um, (int, float)) and 0 < um < math.inf for um in told):
        return None
    return float(told[0]), float(told[1]), float(told[2])


def z_spacing_um(subject: Subject, volume: Volume) -> Optional[float]:
    """Return the distance of two planes; None for one plane, or where not known."""
    steps = step_um(subject)
    if steps is None or volume.planes == 1:
        return None
    return subject.plan.planes.step * steps[2]


def exposure_s(draft: FrameDraft) -> Optional[float]:
    """Return the exposure time that the camera told; None where it told none."""
    told = draft.metadata.get("exposure_us")
    if isinstance(told, bool) or not isinstance(told, (int, float)):
        return None
    return float(told) / US_PER_S if 0 < told < math.inf else None


def ome_xml(
    subject: Subject, volume: Volume, planes: Iterable[PlaneAt], *, in_tiff: bool
) -> Iterator[str]:
    """Yield the document.

    Parameters
    ----------
    subject, volume
        Of what.
    planes : iterable of PlaneAt
        Those with a picture, in order.
    in_tiff : bool
        Whether the pixels are in the same file, plane after plane.
    """
    slots: List[List[int]] = []
    steps = step_um(subject)
    yield from _head(subject, volume, in_tiff=in_tiff)
    for each in planes:
        slot = each.draft.slot
        if slots and slot in (slots[-1][1], slots[-1][1] + 1):
            slots[-1][1] = slot
        else:
            slots.append([slot, slot])
        yield _plane(each, steps)
    yield "</Pixels>\n"
    yield '<AnnotationRef ID="Annotation:0"/>\n</Image>\n'
    yield from _annotation(subject, volume, slots)
    yield "</OME>\n"


def _head(subject: Subject, volume: Volume, *, in_tiff: bool) -> Iterator[str]:
    """Yield all that stands before the planes."""
    record = subject.record
    creator = f"OpenFlexure Timelapse {__version__}"
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<OME xmlns="{NS}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    yield f' xsi:schemaLocation="{NS} {NS}/ome.xsd"' + _pairs({"Creator": creator})
    yield ">\n<Rights>" + _element("RightsHolder", _holder(record))
    yield _element("RightsHeld", record.licence) + "</Rights>\n"
    yield from _instrument(subject)
    name = f"{subject.run_id} {volume.position}"
    yield '<Image ID="Image:0"' + _pairs({"Name": name}) + ">\n"
    if volume.began_ns is not None:
        began = EPOCH + timedelta(microseconds=volume.began_ns // 1000)
        yield _element("AcquisitionDate", f"{began:%Y-%m-%dT%H:%M:%S.%f}Z")
    yield _element("Description", record.caption or record.title)
    yield '<InstrumentRef ID="Instrument:0"/>\n'
    if record.objective:
        yield '<ObjectiveSettings ID="Objective:0"/>\n'
    yield from _pixels(subject, volume)
    kind = f'<TiffData IFD="0" PlaneCount="{volume.points * volume.planes}"/>\n'
    yield kind if in_tiff else "<MetadataOnly/>\n"


def _instrument(subject: Subject) -> Iterator[str]:
    """Yield what it was imaged with."""
    record, camera = subject.record, subject.header["camera"]
    model = record.instrument or "OpenFlexure Microscope"
    yield '<Instrument ID="Instrument:0"><Microscope' + _pairs({"Model": model})
    yield '/><Detector ID="Detector:0" Type="CMOS"'
    yield _pairs({"Model": camera["model"]}) + "/>"
    if record.objective:
        yield '<Objective ID="Objective:0"' + _pairs({"Model": record.objective}) + "/>"
    yield "</Instrument>\n"


def _pixels(subject: Subject, volume: Volume) -> Iterator[str]:
    """Yield the beginning of the pixels, with their channel."""
    known: Dict[str, Any] = {
        "SizeX": volume.width,
        "SizeY": volume.height,
        "SizeC": 3,
        "SizeZ": volume.planes,
        "SizeT": volume.points,
    }
    if subject.um_per_pixel is not None:
        for axis in "XY":
            known[f"PhysicalSize{axis}"] = repr(subject.um_per_pixel)
            known[f"PhysicalSize{axis}Unit"] = "µm"
    spacing_um = z_spacing_um(subject, volume)
    if spacing_um is not None:
        known["PhysicalSizeZ"], known["PhysicalSizeZUnit"] = repr(spacing_um), "µm"
    if volume.interval_ns is not None:
        known["TimeIncrement"] = repr(volume.interval_ns / NS_PER_S)
        known["TimeIncrementUnit"] = "s"
    yield '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" BigEndian="false"'
    yield ' SignificantBits="8" Interleaved="true"' + _pairs(known) + ">\n"
    channel = {"Name": subject.record.contrast or "RGB"}
    yield '<Channel ID="Channel:0:0" SamplesPerPixel="3"' + _pairs(channel) + "/>\n"


def _plane(each: PlaneAt, steps: Optional[Tuple[float, float, float]]) -> str:
    """Return one plane: its place, its true time, its exposure, the stage."""
    draft = each.draft
    known: Dict[str, Any] = {"DeltaT": f"{draft.elapsed_ns / NS_PER_S:.6f}"}
    exposed_s = exposure_s(draft)
    if exposed_s is not None:
        known["ExposureTime"] = f"{exposed_s:.9g}"
    for index, axis in enumerate(AXES):
        at = getattr(draft, axis)
        known[f"Position{axis.upper()}"] = (
            f"{at if steps is None else at * steps[index]:.9g}"
        )
        # Motor steps have no unit in OME but this one.
        unit = "reference frame" if steps is None else "µm"
        known[f"Position{axis.upper()}Unit"] = unit
    where = f'<Plane TheZ="{each.plane}" TheT="{each.point}" TheC="0"'
    return where + _pairs(known) + "/>\n"


def _annotation(
    subject: Subject, volume: Volume, slots: Iterable[List[int]]
) -> Iterator[str]:
    """Yield what has no place elsewhere: the slots of the time points, the record."""
    record, taxon = subject.record, subject.record.taxon
    ranges = (str(a) if a == b else f"{a}-{b}" for a, b in slots)
    known = {
        "run": subject.run_id,
        "position": volume.position,
        "occurrence_id": subject.occurrence_id,
        "simulated": str(subject.header["camera"]["simulated"]).lower(),
        "slots": " ".join(ranges),
        "scale": subject.scale_source,
        "taxon": "" if taxon is None else taxon.name,
        **{name: str(getattr(record, name) or "") for name in SHARED},
    }
    yield '<StructuredAnnotations><MapAnnotation ID="Annotation:0"'
    yield f' Namespace="{OUR_NS}"><Value>\n'
    for key, value in known.items():
        if value:
            yield f'<M K="{key}">{_text(value)}</M>\n'
    yield "</Value></MapAnnotation></StructuredAnnotations>\n"


def _holder(record: Record) -> str:
    """Return who holds the rights, as far as somebody told."""
    return record.rights_holder or record.photographer


def _element(name: str, value: str) -> str:
    """Return an element with a text; nothing for no text."""
    return f"<{name}>{_text(value)}</{name}>\n" if value else ""


def _pairs(values: Mapping[str, Any]) -> str:
    """Return attributes, each with a space before it."""
    return "".join(
        f" {name}={_ascii(quoteattr(_clean(value)))}" for name, value in values.items()
    )


def _text(value: str) -> str:
    """Return a text that a person may have typed as XML."""
    return _ascii(escape(_clean(value)))


def _clean(value: Any) -> str:
    """Return a text without what XML cannot hold."""
    return NOT_XML.sub("\ufffd", str(value))


def _ascii(markup: str) -> str:
    """Return XML with other letters as numbers."""
    return markup.encode("ascii", "xmlcharrefreplace").decode("ascii")
