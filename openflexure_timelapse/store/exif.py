"""What a frame's file says about itself, put in and read back without re-encoding.

The block is an ordinary EXIF block, so that any viewer shows the time; its
UserComment is UTF-8 JSON in the shape that the OpenFlexure server writes and reads
(``image``, ``dataset``, ``instrument``), with one more member, ``timelapse``, from
which the index can be rebuilt. The bytes of the image are copied as they are.
"""

import json
import math
import numbers
import struct
import uuid
from dataclasses import dataclass, fields, replace
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Tuple, cast

import piexif

from openflexure_timelapse.errors import IncompleteImageError
from openflexure_timelapse.frame import Flag, FrameDraft
from openflexure_timelapse.json_text import MOST_LEVELS, read_value
from openflexure_timelapse.store.layout import (
    LARGEST_COUNT,
    frame_file,
    is_possible,
    local_time,
)

__all__ = [
    "APP1",
    "EXIF_MARK",
    "LARGEST_SEGMENT",
    "START",
    "UNREADABLE",
    "FrameRecord",
    "clean_draft",
    "exif_fields",
    "is_whole_jpeg",
    "jpeg_segments",
    "jsonable",
    "read_frame_record",
    "with_exif",
]

# An APP1 segment has a 16-bit length that counts itself; OpenFlexure and piexif
# refuse anything from 65,535 up, and its gallery adds nothing larger than a few bytes.
LARGEST_SEGMENT = 65_000
LARGEST_INTEGER = 2**63 - 1
EXIF_MARK = b"Exif\x00\x00"
START, END = b"\xff\xd8", b"\xff\xd9"
APP0, APP1, SCAN = 0xE0, 0xE1, 0xDA
# The tags that point to the Exif, GPS and interoperability directories.
DIRECTORY_TAGS = (0x8769, 0x8825, 0xA005)
MOST_DIRECTORIES = 8
ALONE = frozenset(range(0xD0, 0xD8)) | {0x01}
DRAFT_FIELDS = tuple(field.name for field in fields(FrameDraft))
PLAIN = frozenset((str, bool, int, type(None)))
UNREADABLE = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    struct.error,
    piexif.InvalidImageDataError,
)


@dataclass(frozen=True)
class FrameRecord:
    """What the store writes into a frame's file.

    Attributes
    ----------
    run_id, dataset_id, name : str
        Of the run: its id, its UUID as text, and the plan's name.
    n : int
        The frame's number in the run.
    draft : FrameDraft
        Everything known of the frame.
    header : mapping or None
        The content of ``run.json``, JSON already; None when it is too large to go into
        each frame.
    """

    run_id: str
    dataset_id: str
    name: str
    n: int
    draft: FrameDraft
    header: Optional[Mapping[str, Any]] = None


def jsonable(value: Any, levels: int = MOST_LEVELS // 2) -> Any:
    """Return `value` as JSON can hold it: no NaN, no tuples, only text as keys.

    Cameras hand out all sorts of numbers; a frame is never lost over one of them.
    What is nested in more than so many `levels` becomes None.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        if not levels:
            return None
        return {str(key): jsonable(item, levels - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item, levels - 1) for item in value] if levels else None
    return _plain(value)


def _plain(value: Any) -> Any:
    """Return a scalar of some library as a plain one."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return jsonable(float(value))
    return str(value)


def clean_draft(draft: FrameDraft) -> FrameDraft:
    """Return the draft with plain Python numbers, as it will be read back."""
    values: Dict[str, Any] = {}
    for field in fields(FrameDraft):
        value = getattr(draft, field.name)
        known = field.type in (int, float, bool, str)
        values[field.name] = cast("Any", field.type)(value) if known else value
    values["metadata"] = jsonable(draft.metadata)
    return FrameDraft(**values)


# --------------------------------------------------------------------- JPEG structure


def jpeg_segments(jpeg: bytes) -> Iterator[Tuple[int, int, int]]:
    """Yield marker, start and end of each segment up to the first scan.

    Raises
    ------
    IncompleteImageError
        When the bytes are not a JPEG, or end before the first scan.
    """
    place = 2
    if jpeg[:2] == START:
        while place + 4 <= len(jpeg) and jpeg[place] == END[0]:
            marker = jpeg[place + 1]
            if marker == END[0]:
                place += 1
                continue
            if marker in ALONE:
                place += 2
                continue
            end = place + 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
            if end > len(jpeg):
                break
            yield marker, place, end
            if marker == SCAN:
                return
            place = end
    message = f"The {len(jpeg)} bytes are not a whole JPEG; capture the image again."
    raise IncompleteImageError(message)


def is_whole_jpeg(jpeg: bytes) -> bool:
    """Tell whether the bytes have all parts of a JPEG up to its end marker.

    Entropy-coded data cannot contain the end marker, so a file that was cut short has
    none. Data after it (raw Bayer data, padding) are allowed.
    """
    try:
        _split(jpeg)
    except IncompleteImageError:
        return False
    return True


def _split(jpeg: bytes) -> Tuple[int, Optional[Tuple[int, int]]]:
    """Find where EXIF goes, and where the old one is; check that the image is whole."""
    place, old, end = len(START), None, 0
    for marker, start, end in jpeg_segments(jpeg):
        if marker == APP0 and start == place:
            place = end
        if marker == APP1 and jpeg[start + 4 : start + 10] == EXIF_MARK:
            old = old or (start, end)
    if jpeg.rfind(END, end) < 0:
        message = f"The JPEG of {len(jpeg)} bytes is cut short; capture it again."
        raise IncompleteImageError(message)
    return place, old


# ---------------------------------------------------------------------------- writing


def with_exif(jpeg: bytes, record: FrameRecord, state: Mapping[str, Any]) -> bytes:
    """Return the JPEG with its EXIF block; the compressed image is not touched.

    Parameters
    ----------
    jpeg : bytes
        A whole JPEG. Fields of an EXIF block that it has are kept where they do not
        contradict the record.
    record : FrameRecord
        What to write.
    state : mapping
        The instrument's state, JSON-able. When the block would grow too large, it is
        the first to be left out, then the old thumbnail, the other old fields, and the
        header with the camera's metadata.

    Raises
    ------
    IncompleteImageError
        When `jpeg` is not a whole JPEG.
    """
    place, old = _split(jpeg)
    kept = {} if old is None else exif_fields(jpeg[old[0] + 4 : old[1]])
    block = _block(kept, record, state)
    head = jpeg[:place]
    app1 = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    if old is None:
        return b"".join((head, app1, memoryview(jpeg)[place:]))
    between = jpeg[place : old[0]] if old[0] >= place else b""
    return b"".join((head, app1, between, memoryview(jpeg)[max(old[1], place) :]))


def exif_fields(block: bytes) -> Dict[str, Any]:
    """Return the fields of an EXIF block, none when it cannot be read."""
    try:
        return _load(block)
    except UNREADABLE:
        return {}


def _load(block: bytes) -> Dict[str, Any]:
    """Return the fields of an EXIF block by directory.

    Raises
    ------
    any of UNREADABLE
        When it is damaged. A count that is larger than the block is refused first: the
        library would ask for gigabytes of memory to read it.
    """
    tiff = block[len(EXIF_MARK) :]
    order = "<" if tiff[:2] == b"II" else ">"
    directories = [struct.unpack_from(order + "L", tiff, 4)[0]]
    for place in directories:
        (entries,) = struct.unpack_from(order + "H", tiff, place)
        for entry in range(place + 2, place + 2 + 12 * entries, 12):
            tag, _kind, count, value = struct.unpack_from(order + "HHLL", tiff, entry)
            if count > len(tiff):
                message = f"tag {tag} has {count} values in {len(tiff)} bytes"
                raise ValueError(message)
            if tag in DIRECTORY_TAGS and len(directories) < MOST_DIRECTORIES:
                directories.append(value)
        if place == directories[0]:
            behind = struct.unpack_from(order + "L", tiff, place + 2 + 12 * entries)
            directories += [offset for offset in behind if offset]
    return dict(piexif.load(block))


def _block(
    kept: Dict[str, Any], record: FrameRecord, state: Mapping[str, Any]
) -> bytes:
    """Return the EXIF block, without what makes it too large."""
    bare = {key: value for key, value in kept.items() if key != "thumbnail"}
    poor = replace(record, header=None, draft=replace(record.draft, metadata={}))
    attempts: Tuple[Callable[[], bytes], ...] = (
        lambda: _dump(kept, record, jsonable(state)),
        lambda: _dump(kept, record, None),
        lambda: _dump(bare, record, None),
        lambda: _dump({}, record, None),
    )
    for attempt in attempts:
        try:
            block = attempt()
        except UNREADABLE:
            continue
        if len(block) <= LARGEST_SEGMENT:
            return block
    return _dump({}, poor, None)


def _dump(kept: Dict[str, Any], record: FrameRecord, state: Optional[Any]) -> bytes:
    """Return an EXIF block with our fields over the old ones."""
    draft = record.draft
    moment = local_time(draft.wall_ns, draft.utc_offset_s)
    offset = moment.strftime("%z")
    tags = piexif.ExifIFD
    exif = dict(kept.get("Exif") or {})
    exif[tags.DateTimeOriginal] = f"{moment:%Y:%m:%d %H:%M:%S}".encode()
    exif[tags.SubSecTimeOriginal] = f"{moment:%f}".encode()
    exif[tags.OffsetTimeOriginal] = f"{offset[:3]}:{offset[3:5]}".encode()
    exif[tags.UserComment] = _comment(record, state, moment.isoformat())
    return bytes(piexif.dump({**kept, "Exif": exif}))


def _comment(record: FrameRecord, state: Optional[Any], time: str) -> bytes:
    """Return the JSON of a frame in the shape of the OpenFlexure server."""
    draft = record.draft
    file = frame_file(draft.position, draft.slot, draft.plane)
    instrument = {"state": state} if state is not None else {"omitted": "too large"}
    dataset = uuid.UUID(record.dataset_id)
    comment = {
        "image": {
            "id": str(uuid.uuid5(dataset, file)),
            "name": file.rpartition("/")[2],
            "time": time,
            "format": "jpeg",
            "tags": [],
            "annotations": {},
        },
        "dataset": {"id": str(dataset), "name": record.name, "type": "timeLapse"},
        "instrument": instrument,
        "timelapse": {
            "run": record.run_id,
            "n": record.n,
            "header": record.header,
            **{name: jsonable(getattr(draft, name)) for name in DRAFT_FIELDS},
            "flags": [flag.value for flag in draft.flags],
        },
    }
    text = json.dumps(comment, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


# ---------------------------------------------------------------------------- reading


def read_frame_record(jpeg: bytes) -> Optional[FrameRecord]:
    """Return what the store wrote into a frame's file.

    Parameters
    ----------
    jpeg : bytes
        The file, or its first 70 kB.

    Returns
    -------
    FrameRecord or None
        None when the file is not a frame of ours, or not readable as one.
    """
    try:
        for marker, start, end in jpeg_segments(jpeg):
            if marker == APP1 and jpeg[start + 4 : start + 10] == EXIF_MARK:
                exif = _load(jpeg[start + 4 : end])["Exif"]
                comment = exif[piexif.ExifIFD.UserComment]
                return _record(read_value(comment.decode("utf-8")))
    except (IncompleteImageError, *UNREADABLE):
        return None
    return None


def _record(comment: Mapping[str, Any]) -> FrameRecord:
    """Read the JSON of `_comment`; whatever it raises means: not ours."""
    ours, dataset = comment["timelapse"], comment["dataset"]
    draft = {
        field.name: _typed(field.type, ours[field.name]) for field in fields(FrameDraft)
    }
    draft["flags"] = tuple(Flag(flag) for flag in ours["flags"])
    record = FrameRecord(
        run_id=str(ours["run"]),
        dataset_id=str(uuid.UUID(dataset["id"])),
        name=str(dataset["name"]),
        n=_typed(int, ours["n"]),
        draft=FrameDraft(**draft),
        header=ours["header"],
    )
    if not (is_possible(record.draft) and 0 < record.n <= LARGEST_COUNT):
        raise ValueError(record.n)
    return record


def _typed(kind: Any, value: Any) -> Any:
    """Return `value`, checked where the index needs its type."""
    if kind in (int, str, bool) and type(value) is not kind:
        raise TypeError(value)
    if kind is int and abs(value) > LARGEST_INTEGER:
        raise OverflowError(value)
    if kind is float:
        return math.nan if value is None else float(value)
    if kind not in (int, str, bool) and not isinstance(value, (list, dict)):
        raise TypeError(value)
    return value
