"""EXIF goes in without touching the image, and comes back as it went in."""

import io
import json
import struct
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any, Dict

import numpy as np
import piexif
import pytest
from cases.stored import HEADER, draft, tiny_jpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from openflexure_timelapse.errors import IncompleteImageError
from openflexure_timelapse.frame import Flag, FrameDraft
from openflexure_timelapse.store.exif import (
    FrameRecord,
    _load,
    clean_draft,
    is_whole_jpeg,
    jsonable,
    read_frame_record,
    with_exif,
)

DATASET = "6ebc9d83-5618-40e3-96ac-b49b82d58298"
STATE = {"stage": {"position": {"x": 1, "y": 2, "z": 3}}, "camera": {"gain": 1.5}}
# The library that writes the block drops the first segments of a thumbnail.
THUMBNAIL = tiny_jpeg(3)[tiny_jpeg(3).index(b"\xff\xdb") :]
CAMERA_EXIF = piexif.dump(
    {
        "0th": {piexif.ImageIFD.Make: b"Raspberry Pi"},
        "Exif": {piexif.ExifIFD.ISOSpeedRatings: 100},
        "1st": {piexif.ImageIFD.Compression: 6},
        "thumbnail": tiny_jpeg(3),
    }
)


def record(**changes: Any) -> FrameRecord:
    """Return a frame's record with some facts of its draft changed."""
    facts = replace(draft(5), **changes)
    return FrameRecord("r1", DATASET, "pond", 17, facts, HEADER)


def segment(marker: int, content: bytes) -> bytes:
    """Return one segment of a JPEG."""
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


PLAIN = tiny_jpeg(1)
TABLES = PLAIN[PLAIN.index(b"\xff\xdb") :]
JPEGS: Dict[str, bytes] = {
    "jfif": PLAIN,
    "bare": b"\xff\xd8" + TABLES,
    "exif": tiny_jpeg(1, exif=CAMERA_EXIF),
    "exif first": b"\xff\xd8" + segment(0xE1, CAMERA_EXIF) + PLAIN[2:],
    "exif after comment": b"\xff\xd8"
    + segment(0xFE, b"hello")
    + segment(0xE1, CAMERA_EXIF)
    + TABLES,
    "xmp": b"\xff\xd8" + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>") + TABLES,
    "damaged exif": b"\xff\xd8"
    + segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff")
    + TABLES,
    "fill bytes": b"\xff\xd8\xff\xff\xff" + TABLES[1:],
    "raw data behind": PLAIN + b"BRCM" + bytes(1000),
}


@pytest.mark.parametrize("jpeg", JPEGS.values(), ids=JPEGS.keys())
def test_the_image_is_untouched(jpeg: bytes) -> None:
    """From the first table to the last byte the file is the camera's own."""
    made = with_exif(jpeg, record(), STATE)
    tail = jpeg[jpeg.rindex(TABLES[:4]) :]
    assert made.endswith(tail)
    assert is_whole_jpeg(made)
    with Image.open(io.BytesIO(made)) as ours, Image.open(io.BytesIO(PLAIN)) as camera:
        assert np.array_equal(np.asarray(ours), np.asarray(camera))


@pytest.mark.parametrize("jpeg", JPEGS.values(), ids=JPEGS.keys())
def test_the_record_comes_back(jpeg: bytes) -> None:
    """Whatever the camera put into its header, our record is read back whole."""
    assert read_frame_record(with_exif(jpeg, record(), STATE)) == record()


def test_other_segments_stay() -> None:
    """JFIF, XMP and comments stay where they were; there is one EXIF block."""
    made = with_exif(JPEGS["exif"], record(), STATE)
    assert made[:20] == JPEGS["exif"][:20]
    assert made.count(b"Exif\0\0") == 1
    assert b"ns.adobe.com" in with_exif(JPEGS["xmp"], record(), STATE)
    assert b"hello" in with_exif(JPEGS["exif after comment"], record(), STATE)


def test_fields_of_the_camera_stay() -> None:
    """Maker, sensitivity and thumbnail of the camera's own EXIF are kept."""
    fields = piexif.load(with_exif(JPEGS["exif"], record(), STATE))
    assert fields["0th"][piexif.ImageIFD.Make] == b"Raspberry Pi"
    assert fields["Exif"][piexif.ExifIFD.ISOSpeedRatings] == 100
    assert fields["thumbnail"].endswith(THUMBNAIL)


def test_any_viewer_reads_the_time() -> None:
    """Local time, offset and sub-seconds stand in the standard fields."""
    made = with_exif(PLAIN, record(utc_offset_s=-12600), STATE)
    with Image.open(io.BytesIO(made)) as image:
        fields = image.getexif().get_ifd(0x8769)
    assert fields[piexif.ExifIFD.DateTimeOriginal] == "2026:11:23 04:02:59"
    assert fields[piexif.ExifIFD.SubSecTimeOriginal] == "123456"
    assert fields[piexif.ExifIFD.OffsetTimeOriginal] == "-03:30"


def test_the_comment_has_the_shape_of_openflexure() -> None:
    """The members that the OpenFlexure server needs are there and well formed."""
    made = with_exif(PLAIN, record(position="Öst"), STATE)
    comment = piexif.load(made)["Exif"][piexif.ExifIFD.UserComment]
    data = json.loads(comment.decode())
    image = data["image"]
    assert uuid.UUID(image["id"])
    assert image["name"] == "0000005.jpeg"
    assert datetime.fromisoformat(image["time"]).utcoffset() is not None
    assert (image["format"], image["tags"], image["annotations"]) == ("jpeg", [], {})
    assert data["dataset"] == {"id": DATASET, "name": "pond", "type": "timeLapse"}
    assert data["instrument"]["state"] == STATE
    assert data["timelapse"]["position"] == "Öst"


@pytest.mark.parametrize(
    ("jpeg", "state", "metadata"),
    [
        (PLAIN, {"table": "x" * 70_000}, {}),
        (PLAIN, {"table": "x" * 64_900}, {}),
        (PLAIN, {"å": "å" * 32_400}, {}),
        (tiny_jpeg(1, exif=piexif.dump({"0th": {270: b"y" * 64_000}})), STATE, {}),
        (tiny_jpeg(1, exif=CAMERA_EXIF), {"table": "x" * 63_000}, {"a": "z" * 60_000}),
        (PLAIN, STATE, {"a": "z" * 70_000}),
    ],
    ids=["state", "just", "utf-8", "camera", "all", "metadata"],
)
def test_the_block_never_grows_too_large(
    jpeg: bytes, state: Any, metadata: Any
) -> None:
    """A block stays below 65,535 bytes, and what a repair needs is always in it."""
    made = with_exif(jpeg, record(metadata=metadata), state)
    start = made.index(b"Exif\0\0") - 2
    assert int.from_bytes(made[start : start + 2], "big") < 65_535
    found = read_frame_record(made)
    assert found is not None
    assert replace(found.draft, metadata={}) == record(metadata={}).draft


def test_the_state_goes_first() -> None:
    """An oversized instrument state does not cost the camera's facts."""
    made = with_exif(tiny_jpeg(1, exif=CAMERA_EXIF), record(), {"t": "x" * 70_000})
    assert read_frame_record(made) == record()
    assert piexif.load(made)["thumbnail"].endswith(THUMBNAIL)


@given(st.integers(0, len(PLAIN) - 1))
def test_a_cut_image_is_refused(length: int) -> None:
    """A JPEG that is cut anywhere is not stored as a frame."""
    assert not is_whole_jpeg(PLAIN[:length])
    with pytest.raises(IncompleteImageError, match=f"{length} bytes"):
        with_exif(PLAIN[:length], record(), STATE)


NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
DRAFTS = st.builds(
    FrameDraft,
    slot=st.integers(0, 10**8),
    position=st.sampled_from(["here", "Öster sjön", "池塘"]),
    plane=st.integers(0, 200),
    due_ns=NUMBERS,
    elapsed_ns=NUMBERS,
    wall_ns=st.integers(0, 4 * 10**18),
    utc_offset_s=st.integers(-50_400, 50_400),
    wall_trusted=st.booleans(),
    x=NUMBERS,
    y=NUMBERS,
    z=NUMBERS,
    width=st.integers(1, 10**5),
    height=st.integers(1, 10**5),
    mean_grey=st.floats(0, 255),
    sharpness=st.floats(0, 1e12),
    flags=st.lists(st.sampled_from(Flag), unique=True).map(tuple),
    metadata=st.dictionaries(st.text(), JSON, max_size=3),
)


@given(DRAFTS)
def test_any_draft_comes_back(facts: FrameDraft) -> None:
    """Every frame that can be stored can be rebuilt from its file alone."""
    made = with_exif(PLAIN, replace(record(), draft=facts), {})
    found = read_frame_record(made)
    assert found is not None
    assert found.draft == clean_draft(facts)


@given(st.binary(max_size=300), st.integers(0, 1400))
def test_damaged_headers_are_never_a_record(damage: bytes, place: int) -> None:
    """A damaged file is read as a true record or as none; it never raises."""
    made = with_exif(PLAIN, record(), STATE)
    broken = made[:place] + damage + made[place + len(damage) :]
    found = read_frame_record(broken)
    assert found is None or isinstance(found.draft.slot, int)


def test_an_impossible_count_is_refused_before_it_is_believed() -> None:
    """A damaged count costs neither gigabytes of memory nor the frame."""
    entry = struct.pack(">HHLL", 0x8769, 4, 0xFFFFFFFF, 26)
    tiff = b"MM\0*" + struct.pack(">LH", 8, 1) + entry + bytes(30)
    jpeg = b"\xff\xd8" + segment(0xE1, b"Exif\0\0" + tiff) + TABLES
    with pytest.raises(ValueError, match="4294967295 values in 52 bytes"):
        _load(b"Exif\0\0" + tiff)
    assert read_frame_record(jpeg) is None
    assert read_frame_record(with_exif(jpeg, record(), STATE)) == record()


@pytest.mark.parametrize("jpeg", JPEGS.values(), ids=JPEGS.keys())
def test_foreign_images_have_no_record(jpeg: bytes) -> None:
    """An image that we did not write is not taken for a frame."""
    assert read_frame_record(jpeg) is None


def test_odd_numbers_become_json() -> None:
    """What cameras hand out is stored as JSON can hold it."""
    odd = {1: float("nan"), "a": (np.int32(3), np.float64(0.5)), "b": b"x", "c": True}
    expected = {"1": None, "a": [3, 0.5], "b": "b'x'", "c": True}
    assert jsonable(odd) == expected
    cleaned = clean_draft(replace(draft(1), x=np.int64(4), metadata=odd))
    assert (type(cleaned.x), cleaned.metadata) == (int, expected)
