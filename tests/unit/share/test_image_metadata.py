"""A copy says what the record says, and nothing that is not to be shared."""

import io
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict
from xml.etree import ElementTree as ET

import piexif
import pytest
from cases.gallery import FULL, bundled, digests, noisy_jpeg, shared_run
from cases.stored import draft, tiny_jpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from openflexure_timelapse.frame import Frame
from openflexure_timelapse.share.image_copy import Limits, image_copy
from openflexure_timelapse.share.image_metadata import (
    ImageMetadata,
    Place,
    with_metadata,
)
from openflexure_timelapse.share.xmp import clean

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
RIGHTS = "{http://ns.adobe.com/xap/1.0/rights/}"
FRAME = Frame(1, "frames/here/0000000.jpeg", "0" * 64, 1, draft(0))
MOMENT = datetime(
    2026, 11, 23, 9, 30, 1, 2500, tzinfo=timezone(timedelta(hours=5, minutes=45))
)


def exif_of(jpeg: bytes) -> Dict[str, Any]:
    """Return the EXIF fields of a JPEG."""
    return dict(piexif.load(jpeg))


def packet_of(jpeg: bytes) -> ET.Element:
    """Return the XMP of a JPEG."""
    begin, end = jpeg.index(b"<?xpacket begin"), jpeg.index(b'<?xpacket end="w"?>')
    return ET.fromstring(jpeg[begin:end])  # noqa: S314 (our own)


def listed(packet: ET.Element, name: str) -> "list[str]":
    """Return the values of a property."""
    return [item.text or "" for item in packet.findall(f".//{name}//{RDF}li")]


letters = st.text(max_size=300)


@given(
    letters,
    letters,
    st.tuples(st.floats(-90, 90), st.floats(-180, 180), st.floats(0.001, 1e7)),
)
def test_every_letter_and_place_is_read_back(
    title: str, description: str, place: "tuple[float, float, float]"
) -> None:
    """Text is text in EXIF and XMP; a place is the same to a third of a metre."""
    metadata = ImageMetadata(
        title, description, ("a", title), title, place=Place(*place)
    )
    copied = with_metadata(tiny_jpeg(), metadata)
    packet = packet_of(copied)
    # An XML parser makes one kind of line end of all.
    expected = clean(title).replace("\r\n", "\n").replace("\r", "\n")
    assert listed(packet, f"{DC}title") == [expected] * bool(title)
    fields = exif_of(copied)
    said = fields["0th"].get(piexif.ImageIFD.ImageDescription, b"").decode()
    assert said == clean(description or title)
    for tag, ref, minus, told in (
        (piexif.GPSIFD.GPSLatitude, piexif.GPSIFD.GPSLatitudeRef, b"S", place[0]),
        (piexif.GPSIFD.GPSLongitude, piexif.GPSIFD.GPSLongitudeRef, b"W", place[1]),
    ):
        parts = [above / below for above, below in fields["GPS"][tag]]
        found = parts[0] + parts[1] / 60 + parts[2] / 3600
        found *= -1 if fields["GPS"][ref] == minus else 1
        assert abs(found - told) < 3e-6


def test_the_compressed_image_is_not_touched() -> None:
    """From the first scan on every byte is the same, and the pixels are."""
    jpeg = noisy_jpeg(1)
    copied = with_metadata(jpeg, ImageMetadata(title="a"))
    scan = jpeg.index(b"\xff\xda")
    assert copied.endswith(jpeg[scan:])
    both = [Image.open(io.BytesIO(data)).tobytes() for data in (jpeg, copied)]
    assert both[0] == both[1]


def test_time_is_local_with_its_offset() -> None:
    """The exposure's time has its zone and its fraction."""
    detail = exif_of(with_metadata(tiny_jpeg(), ImageMetadata(moment=MOMENT)))["Exif"]
    assert detail[piexif.ExifIFD.DateTimeOriginal] == b"2026:11:23 09:30:01"
    assert detail[piexif.ExifIFD.OffsetTimeOriginal] == b"+05:45"
    assert detail[piexif.ExifIFD.SubSecTimeOriginal] == b"002500"


def test_nothing_of_the_old_block_tells_time_or_place() -> None:
    """What a camera wrote of when and where is gone; what it wrote of itself stays."""
    tags = piexif.ExifIFD
    old = piexif.dump(
        {
            "0th": {piexif.ImageIFD.DateTime: b"2020:01:01 00:00:00"},
            "Exif": {
                tags.DateTimeOriginal: b"2020:01:01 00:00:00",
                tags.DateTimeDigitized: b"2020:01:01 00:00:00",
                tags.ExposureTime: (1, 50),
                tags.UserComment: b"taken at 59.33 N 18.07 E",
            },
            "GPS": {piexif.GPSIFD.GPSLatitudeRef: b"N"},
        }
    )
    xmp = b"http://ns.adobe.com/xap/1.0/\x00<x>2020</x>"
    jpeg = tiny_jpeg(exif=old)
    at = jpeg.index(b"\xff\xdb")
    jpeg = jpeg[:at] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + jpeg[at:]
    copied = with_metadata(jpeg, ImageMetadata())
    assert exif_of(copied)["Exif"] == {tags.ExposureTime: (1, 50)}
    assert not exif_of(copied)["GPS"]
    assert b"2020" not in copied


def test_openflexures_comment_stays_without_the_sample(tmp_path: Path) -> None:
    """The instrument's state is in the copy; the plan with its notes is not."""
    out = bundled(shared_run(tmp_path), "nordic-microalgae", frames=[2])
    copies = [path.read_bytes() for path in out.glob("images/*-0000002*.jpg")]
    assert len(copies) == 2
    for copied in copies:
        comment = json.loads(exif_of(copied)["Exif"][piexif.ExifIFD.UserComment])
        assert comment["instrument"]["state"] == {"stage": {"x": 1}}
        assert comment["timelapse"]["slot"] == 1
        assert FULL.notes.encode() not in copied
        assert b"19.95" not in copied


@pytest.mark.parametrize("geoprivacy", ["open", "obscured", "private"])
@pytest.mark.parametrize("asked", [True, False])
def test_the_place_is_in_only_when_asked_for_and_open(
    tmp_path: Path,
    geoprivacy: str,
    asked: bool,  # noqa: FBT001
) -> None:
    """Coordinates are written for somebody who wants them seen."""
    record = FULL.model_copy(update={"geoprivacy": geoprivacy})
    run = shared_run(tmp_path, record, count=1)
    out = bundled(run, "inaturalist", place_in_images=asked)
    (copied,) = (path.read_bytes() for path in out.rglob("*.jpg"))
    assert bool(exif_of(copied)["GPS"]) is (asked and geoprivacy == "open")
    assert b"19.95" not in copied
    assert "Södra".encode() not in copied


def test_a_clock_that_was_not_set_tells_no_time(tmp_path: Path) -> None:
    """No time of exposure is in a copy whose clock nobody believes."""
    run = shared_run(tmp_path, count=1, wall_trusted=False)
    out = bundled(run, "nordic-microalgae")
    for path in out.glob("images/*.jpg"):
        detail = exif_of(path.read_bytes())["Exif"]
        assert piexif.ExifIFD.DateTimeOriginal not in detail
        assert piexif.ExifIFD.OffsetTimeOriginal not in detail


@pytest.mark.parametrize("destination", ["nordic-microalgae", "inaturalist"])
def test_originals_are_untouched(tmp_path: Path, destination: str) -> None:
    """No byte of a frame is changed."""
    run = shared_run(tmp_path)
    before = digests(run)
    bundled(run, destination, place_in_images=True)
    assert digests(run) == before


def test_a_block_that_is_too_large_loses_the_old_fields_first() -> None:
    """What a person wrote is kept; the file stays one that every reader takes."""
    comment = json.dumps({"instrument": {"state": "x" * 45_000}}).encode()
    old = piexif.dump({"Exif": {piexif.ExifIFD.UserComment: comment}})
    described = "å" * 12_000
    copied = with_metadata(tiny_jpeg(exif=old), ImageMetadata(description=described))
    fields = exif_of(copied)
    assert fields["0th"][piexif.ImageIFD.ImageDescription].decode() == described
    assert piexif.ExifIFD.UserComment not in fields["Exif"]


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_copies_are_upright_rgb_and_small_enough(mode: str) -> None:
    """Grey, four-coloured, turned and large pictures become ones that all take."""
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new(mode, (200, 100)).save(stream, "jpeg", exif=exif)
    copied = image_copy(stream.getvalue(), FRAME, ImageMetadata(), Limits(64))
    with Image.open(io.BytesIO(copied)) as image:
        assert (image.mode, image.size) == ("RGB", (32, 64))
        assert 0x0112 not in image.getexif()
