"""What an exported image says of itself, put in beside its pixels. Pure.

A copy carries what the record says, in EXIF and in XMP. Of what the frame's own block
says, OpenFlexure's comment stays, without the header of the run: that holds the plan
with all that is known of the sample, also what is not to be shared. Times, places and
thumbnails of the old block go; the copy has the ones that it may have.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Dict, List, Optional, Tuple

import piexif

from openflexure_timelapse.json_text import read_value
from openflexure_timelapse.movie.metadata import SOFTWARE, gps_fields
from openflexure_timelapse.share.licences import licence_of
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.xmp import XMP_MARK, clean, xmp_packet
from openflexure_timelapse.store.exif import (
    APP1,
    EXIF_MARK,
    LARGEST_SEGMENT,
    START,
    UNREADABLE,
    exif_fields,
    jpeg_segments,
)

__all__ = [
    "ImageMetadata",
    "Place",
    "exif_block",
    "place_in_images",
    "rights_of",
    "with_metadata",
]

APP0, APP13 = 0xE0, 0xED
FREE = ("CC0-1.0", "CC-PDM-1.0")
CENTIMETRES = 100
IMAGE, DETAIL, GPS = piexif.ImageIFD, piexif.ExifIFD, piexif.GPSIFD
# Other times than the exposure's, what an upright copy does not need, and notes whose
# offsets hold only in the file that the camera wrote.
DROPPED_OF_IMAGE = (IMAGE.DateTime, IMAGE.Orientation, IMAGE.XMLPacket, IMAGE.GPSTag)
DROPPED_OF_DETAIL = (
    DETAIL.DateTimeOriginal,
    DETAIL.DateTimeDigitized,
    DETAIL.SubSecTime,
    DETAIL.SubSecTimeOriginal,
    DETAIL.SubSecTimeDigitized,
    DETAIL.OffsetTime,
    DETAIL.OffsetTimeOriginal,
    DETAIL.OffsetTimeDigitized,
    DETAIL.MakerNote,
    DETAIL.PixelXDimension,
    DETAIL.PixelYDimension,
)


@dataclass(frozen=True)
class Place:
    """Where a sample was taken, in degrees and metres."""

    latitude: float
    longitude: float
    accuracy_m: Optional[float]


@dataclass(frozen=True)
class ImageMetadata:
    """What a copy says; an empty text is not said.

    Attributes
    ----------
    title, description : str
        Of the image.
    subjects : tuple of str
        Keywords.
    creator, holder : str
        Who took it, and whose it is.
    licence : str
        As an SPDX id.
    moment : datetime or None
        When it was exposed, local with the offset.
    place : Place or None
        Where the sample was taken.
    """

    title: str = ""
    description: str = ""
    subjects: Tuple[str, ...] = ()
    creator: str = ""
    holder: str = ""
    licence: str = "CC-BY-4.0"
    moment: Optional[datetime] = None
    place: Optional[Place] = None


def place_in_images(subject: Subject, order: ShareOrder) -> Optional[Place]:
    """Return the place that images may carry: only if asked for, and if it is open."""
    record = subject.record
    if not order.place_in_images or record.geoprivacy != "open":
        return None
    if record.latitude is None or record.longitude is None:
        return None
    return Place(record.latitude, record.longitude, record.accuracy_m)


def rights_of(metadata: ImageMetadata) -> str:
    """Return whose an image is and under which licence, in one line."""
    licence = licence_of(metadata.licence)
    if licence.spdx in FREE or not metadata.holder:
        return licence.title
    return f"\u00a9 {metadata.holder}, {licence.title}"


def with_metadata(
    jpeg: bytes, metadata: ImageMetadata, original: Optional[bytes] = None
) -> bytes:
    """Return a copy that says so; the compressed image is not touched.

    Parameters
    ----------
    jpeg : bytes
        A whole JPEG.
    metadata : ImageMetadata
        What to say.
    original : bytes or None
        The frame that it was made of, whose own block is kept; None for itself.

    Raises
    ------
    IncompleteImageError
        When `jpeg` is no JPEG.
    """
    place = last = len(START)
    kept: List[bytes] = []
    for marker, start, end in jpeg_segments(jpeg):
        if marker == APP0 and start == len(START):
            place = end
        elif marker not in {APP1, APP13}:
            kept.append(jpeg[start:end])
        last = end
    old = _own_fields(jpeg if original is None else original)
    ours = _segment(exif_block(old, metadata)) + _segment(XMP_MARK + _packet(metadata))
    return b"".join((jpeg[:place], ours, *kept, jpeg[last:]))


def _own_fields(jpeg: bytes) -> Dict[str, Any]:
    """Return the fields of a frame's own EXIF block; none where it has none."""
    for marker, start, end in jpeg_segments(jpeg):
        if marker == APP1 and jpeg[start + 4 : start + 10] == EXIF_MARK:
            return exif_fields(jpeg[start + 4 : end])
    return {}


def _segment(content: bytes) -> bytes:
    """Return an APP1 segment."""
    return b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content


def _packet(metadata: ImageMetadata) -> bytes:
    """Return the XMP packet."""
    licence = licence_of(metadata.licence)
    terms = f"{licence.title} ({licence.url})" if licence.url else licence.title
    return xmp_packet(
        title=metadata.title,
        description=metadata.description,
        subjects=metadata.subjects,
        creator=metadata.creator,
        rights=rights_of(metadata),
        terms=terms,
        licence_url=licence.url,
        protected=licence.spdx not in FREE,
    )


def exif_block(old: Dict[str, Any], metadata: ImageMetadata) -> bytes:
    """Return the EXIF block, without what of the old one makes it too large.

    Parameters
    ----------
    old : mapping
        The fields of the frame's own block, by directory.
    metadata : ImageMetadata
        What to say.
    """
    image = _without(old.get("0th"), DROPPED_OF_IMAGE)
    detail = _without(old.get("Exif"), DROPPED_OF_DETAIL)
    comment = _shared_comment(detail.pop(DETAIL.UserComment, b""))
    said = {DETAIL.UserComment: comment} if comment else {}
    poor: Dict[int, Any] = {}
    for kept, told in ((image, {**detail, **said}), (poor, said)):
        try:
            block = _dump(kept, told, metadata)
        except UNREADABLE:
            continue
        if len(block) <= LARGEST_SEGMENT:
            return block
    return _dump({}, {}, metadata)


def _without(
    fields: Optional[Dict[int, Any]], dropped: Tuple[int, ...]
) -> Dict[int, Any]:
    """Return a directory without some of its fields."""
    return {tag: value for tag, value in (fields or {}).items() if tag not in dropped}


def _shared_comment(comment: bytes) -> bytes:
    """Return OpenFlexure's comment without the header of the run.

    Nothing for one that is not understood: it may say where the sample was taken.
    """
    try:
        told = read_value(bytes(comment).decode("utf-8"))
        if not isinstance(told, dict):
            return b""
        ours = told.get("timelapse")
        if isinstance(ours, dict):
            told["timelapse"] = {**ours, "header": None}
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    except UNREADABLE:
        return b""
    return text.encode("utf-8", "backslashreplace")


def _dump(
    image: Dict[int, Any], detail: Dict[int, Any], metadata: ImageMetadata
) -> bytes:
    """Return a block with our fields over the old ones, as UTF-8."""
    words = {
        IMAGE.ImageDescription: metadata.description or metadata.title,
        IMAGE.Artist: metadata.creator,
        IMAGE.Copyright: rights_of(metadata),
        IMAGE.Software: SOFTWARE,
    }
    cleaned = {tag: clean(text).encode() for tag, text in words.items()}
    image.update({tag: text for tag, text in cleaned.items() if text})
    moment = metadata.moment
    if moment is not None:
        offset = moment.strftime("%z")
        detail[DETAIL.DateTimeOriginal] = f"{moment:%Y:%m:%d %H:%M:%S}".encode()
        detail[DETAIL.SubSecTimeOriginal] = f"{moment:%f}".encode()
        detail[DETAIL.OffsetTimeOriginal] = f"{offset[:3]}:{offset[3:5]}".encode()
    return bytes(
        piexif.dump({"0th": image, "Exif": detail, "GPS": _gps(metadata.place)})
    )


def _gps(place: Optional[Place]) -> Dict[int, Any]:
    """Return a place as EXIF has it; empty for none."""
    if place is None:
        return {}
    fields = gps_fields((place.latitude, place.longitude))
    fields[GPS.GPSVersionID] = (2, 3, 0, 0)
    fields[GPS.GPSMapDatum] = b"WGS-84"
    if place.accuracy_m is not None:
        rounded = max(1, round(place.accuracy_m * CENTIMETRES))
        fields[GPS.GPSHPositioningError] = (rounded, CENTIMETRES)
    return fields
