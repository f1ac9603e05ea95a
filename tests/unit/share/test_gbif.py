"""What goes to GBIF: an archive of one occurrence, and the media beside it."""

import csv
import io
import zipfile
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, Iterator, List
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from cases.any_record import complete_records, records
from cases.gallery import FULL, bundled, digests, shared_run
from hypothesis import example, given
from hypothesis import strategies as st

from openflexure_timelapse.errors import InvalidShareError, ShareError
from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share.darwin_core import (
    OCCURRENCE_TERMS,
    archive_of,
    number_text,
    occurrence_of,
    term_address,
)
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.eml import eml_of
from openflexure_timelapse.share.media_rows import MEDIA_TERMS, movie_row, still_row
from openflexure_timelapse.share.movie_facts import MovieFacts, facts_in, movie_facts
from openflexure_timelapse.share.order import ShareOrder, parse_order
from openflexure_timelapse.share.shared_place import shared_place
from openflexure_timelapse.share.sharing import check_share
from openflexure_timelapse.share.subject import Subject, open_subject
from openflexure_timelapse.store.digest import sha256_of

NAME = "gbif"
ARCHIVE = "darwin-core-archive.zip"
BASE = "https://example.org/media"
ORDER = ShareOrder(destination="gbif", base_url=BASE)
BEGIN = datetime(2026, 11, 23, 8, 30, tzinfo=timezone(timedelta(hours=1)))


def table_of(archive: bytes, name: str) -> "List[Dict[str, str]]":
    """Return the rows of a table of an archive, read as `meta.xml` says."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        text = opened.read(name).decode("utf-8")
    headings, *lines = text[:-1].split("\n")
    assert text.endswith("\n")
    names = headings.split("\t")
    rows = [line.split("\t") for line in lines]
    assert {len(row) for row in rows} == {len(names)}
    return [dict(zip(names, row)) for row in rows]


def told(subject: Subject, order: ShareOrder = ORDER) -> List[str]:
    """Return what is said before a bundle is written, what blocks with a mark."""
    try:
        found = check_share(subject, order)
    except InvalidShareError as exc:
        return [f"!{item['field']}" for item in exc.fields]
    return [finding.field for finding in found]


@pytest.fixture(scope="module", name="subject")
def _subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """Return a run that every record is tried with."""
    run = shared_run(tmp_path_factory.mktemp("data"), count=1)
    with open_subject(run) as subject:
        yield subject


def test_an_archive_has_one_occurrence_and_its_media(tmp_path: Path) -> None:
    """The date is the sampling's; media lie beside it under the names in the rows."""
    run = shared_run(tmp_path, count=3)
    before = digests(run)
    bundle = bundled(run, NAME, base_url=f"{BASE}/")
    archive = (bundle / ARCHIVE).read_bytes()
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.namelist() == [
            "meta.xml",
            "eml.xml",
            "occurrence.txt",
            "multimedia.txt",
        ]
    (occurrence,) = table_of(archive, "occurrence.txt")
    name = occurrence.pop("dwc:occurrenceID")
    assert str(UUID(name.replace("urn:uuid:", ""))) in name
    assert {key: value for key, value in occurrence.items() if value} == {
        "dwc:basisOfRecord": "MachineObservation",
        "dwc:occurrenceStatus": "present",
        "dwc:scientificName": "Skeletonema marinoi",
        "dwc:taxonRank": "species",
        "dwc:scientificNameID": "urn:lsid:marinespecies.org:taxname:376667",
        "dwc:identifiedBy": "Åsa Öberg",
        "dwc:eventDate": "2026-11-22T10:30:00+01:00",
        "dwc:recordedBy": "Åsa Öberg",
        "dwc:recordNumber": "2026-11-23_083029_pond",
        "dwc:countryCode": "SE",
        "dwc:waterBody": "Östersjön",
        "dwc:locality": "Södra hamnen",
        "dwc:decimalLatitude": "60.1",
        "dwc:decimalLongitude": "19.95",
        "dwc:geodeticDatum": "EPSG:4326",
        "dwc:coordinateUncertaintyInMeters": "25",
        "dwc:occurrenceRemarks": (
            "Kiselalger från Åland, <5 µm & små. Imaged 2026-11-23T08:30:29+01:00 to "
            "2026-11-23T08:31:29+01:00; the event date is the sampling's."
        ),
        "dcterms:license": "http://creativecommons.org/licenses/by/4.0/legalcode",
        "dcterms:rightsHolder": "Åsa Öberg",
    }
    media = table_of(archive, "multimedia.txt")
    assert len(media) == 3
    for row in media:
        assert row["coreid"] == name
        base, _, file = row["ac:accessURI"].rpartition("/")
        assert base == BASE
        content = (bundle / "media" / file).read_bytes()
        assert row["ac:hashValue"] == sha256_of(content)
        assert (row["exif:PixelXDimension"], row["exif:PixelYDimension"]) == (
            "320",
            "240",
        )
        assert row["xmp:CreateDate"].startswith("2026-11-23T08:3")
    assert not (bundle / "media_manifest.csv").exists()
    assert digests(run) == before


def test_without_an_address_there_is_a_manifest(tmp_path: Path) -> None:
    """A row that names no address would be dropped; the table lies beside it."""
    bundle = bundled(shared_run(tmp_path, count=2), NAME)
    archive = (bundle / ARCHIVE).read_bytes()
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert "multimedia.txt" not in opened.namelist()
        assert b"extension" not in opened.read("meta.xml")
    text = (bundle / "media_manifest.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [path.name for path in sorted((bundle / "media").iterdir())] == [
        row["file"].replace("media/", "") for row in rows
    ]
    for row in rows:
        content = (bundle / row["file"]).read_bytes()
        assert row["ac:hashValue"] == sha256_of(content)
        assert not row["ac:accessURI"]


def test_the_same_run_gives_the_same_archive(tmp_path: Path) -> None:
    """Ids, names and bytes: an archive that is made again is no other."""
    run = shared_run(tmp_path, count=2)
    first, second = (bundled(run, NAME, base_url=BASE) for _ in range(2))
    assert (first / ARCHIVE).read_bytes() == (second / ARCHIVE).read_bytes()


def test_meta_names_each_column(subject: Subject) -> None:
    """The columns of `meta.xml` are those of the tables, in their order."""
    occurrence = occurrence_of(subject, ORDER)
    archive = archive_of(eml_of(subject), occurrence, MEDIA_TERMS, [{"dc:type": "x"}])
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        root = ET.fromstring(opened.read("meta.xml"))  # noqa: S314 (our own)
        headings = {
            name: opened.read(name).decode("utf-8").splitlines()[0].split("\t")
            for name in ("occurrence.txt", "multimedia.txt")
        }
    text = "{http://rs.tdwg.org/dwc/text/}"
    for table in root:
        (location,) = table.iter(f"{text}location")
        columns = headings[str(location.text)]
        for field in table.iter(f"{text}field"):
            heading = columns[int(field.attrib["index"])]
            assert field.attrib["term"] == term_address(heading)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, []),
        ({"taxon": None}, ["!taxon"]),
        ({"sampled_at": None}, ["!sampled_at"]),
        ({"sampled_at": "2027-01-01"}, ["!sampled_at"]),
        ({"photographer": "", "organisation": ""}, ["!photographer"]),
        ({"licence": "CC-BY-ND-4.0"}, ["!licence"]),
        ({"licence": "CC-BY-NC-4.0"}, []),
        ({"latitude": None, "longitude": None}, ["latitude"]),
        ({"latitude": 0.0, "longitude": 0.0}, ["latitude"]),
        ({"accuracy_m": None}, ["accuracy_m"]),
        ({"country": ""}, ["country"]),
        ({"origin": "culture"}, ["origin"]),
        ({"origin": "not_living"}, ["origin"]),
        ({"geoprivacy": "private"}, ["geoprivacy"]),
    ],
)
def test_what_is_wrong_is_told(
    subject: Subject, changes: Dict[str, Any], fields: List[str]
) -> None:
    """Each field that is missing blocks, each that is doubtful is told."""
    data = {**FULL.to_json(), **changes}
    record = Record(**{**data, "taxon": data["taxon"] and Taxon(**data["taxon"])})
    assert told(replace(subject, record=record)) == fields


def test_a_run_without_scale_is_told(subject: Subject) -> None:
    """Nobody has calibrated: the rows say so, and the person is told."""
    unscaled = replace(subject, um_per_pixel=None, scale_source="")
    assert told(unscaled) == ["um_per_pixel"]
    (frame,) = subject.frames()
    row = still_row(unscaled, frame, "a.jpg", "0" * 64, (320, 240))
    assert "scale: not calibrated" in row["ac:resourceCreationTechnique"]


@pytest.mark.parametrize(
    "base",
    [
        "example.org/media",
        "ftp://example.org/media",
        "https://",
        "https://example.org/a b",
        "https://example.org/å",
        "https://example.org/?x=",
        "https://[::1/",
        "https://example.org/\n",
    ],
)
def test_an_address_that_is_none_is_refused(subject: Subject, base: str) -> None:
    """The address of the media is a plain one of the web, or none."""
    order = parse_order({"destination": NAME, "base_url": base})
    assert told(subject, order) == ["!order.base_url"]


def test_a_movie_that_is_not_there_is_refused(subject: Subject) -> None:
    """An order can name a movie; only one that the run has."""
    order = parse_order({"destination": NAME, "movie": "../run.db"})
    assert "!order.movie" in told(subject, order)


def test_a_place_is_told_as_its_privacy_allows() -> None:
    """Exactly, by its cell of a tenth of a degree, or not at all."""
    place = shared_place(FULL)
    assert (place.latitude, place.longitude) == (60.1, 19.95)
    assert place.locality == "Södra hamnen"
    hidden = FULL.model_copy(update={"geoprivacy": "obscured", "latitude": 60.123})
    place = shared_place(hidden)
    assert place.latitude == pytest.approx(60.1)
    assert place.uncertainty_m == 8025
    assert not place.locality + place.water_body
    assert place.generalised
    private = shared_place(FULL.model_copy(update={"geoprivacy": "private"}))
    assert private.latitude is None
    assert not private.locality + private.water_body
    assert private.country == "SE"


def test_a_private_place_is_in_no_file(tmp_path: Path) -> None:
    """Neither in the archive nor beside it, nor are the notes."""
    record = FULL.model_copy(update={"geoprivacy": "private"})
    run = shared_run(tmp_path, record, count=2)
    bundle = bundled(run, NAME, place_in_images=True)
    contents = [path.read_bytes() for path in bundle.rglob("*") if path.is_file()]
    with zipfile.ZipFile(bundle / ARCHIVE) as opened:
        contents += [opened.read(name) for name in opened.namelist()]
    for content in contents:
        for secret in ("hamnen", "Östersjön", "19.95", "not for anybody"):
            assert secret.encode() not in content


def test_a_movie_is_described_by_its_own_words(subject: Subject) -> None:
    """The rate is that of the capture, the speed that of the playing."""
    comment = "Comment: 60 frames, one each 5 s; "
    comment += "2026-11-23T08:30:00+01:00 to 2026-11-23T08:34:55+01:00; position here"
    facts = facts_in(comment, (640, 480), 5.0)
    assert facts == MovieFacts(
        640, 480, 5.0, 60, 5.0, BEGIN, BEGIN + timedelta(seconds=295)
    )
    row = movie_row(subject, facts, "a.mp4", "0" * 64, "video/mp4")
    assert row["ac:frameRate"] == "0.2"
    assert row["ac:mediaSpeed"] == "60"
    assert row["ac:mediaDuration"] == "5"
    assert row["ac:startTimestamp"] == "2026-11-23T07:30:00Z"
    assert row["ac:endTimestamp"] == "2026-11-23T07:34:55Z"
    assert row["dc:type"] == "MovingImage"


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "somebody's movie",
        "60 frames, one each 1e99999999 s",
        "60 frames, one each 5-5 s",
        "60 frames, one each 0 s; position a to b",
        f"1 frames, one each 5 s; 2026-99-23T08:30:00+01:00 to {BEGIN.isoformat()}",
    ],
)
def test_what_a_movie_does_not_tell_stays_empty(subject: Subject, comment: str) -> None:
    """Nothing is guessed, whatever stands there."""
    facts = facts_in(comment, (640, 480), 5.0)
    row = movie_row(subject, facts, "a.mp4", "0" * 64, "video/mp4")
    assert not row["ac:startTimestamp"] + row["ac:mediaSpeed"] + row["ac:frameRate"]
    assert row["ac:mediaDuration"] == "5"


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for files that are no movies."""
    return tmp_path_factory.mktemp("movies")


@given(st.binary(max_size=300))
@example(b"")
@example(b"\x00\x00\x00\x08free\x00\x00\x00\x00moov")
@example(b"\x00\x00\x00\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\x00\x00\x00\x10moov\x00\x00\x00\x08mvhd")
@example(b"GIF89a\xff\xff\xff\xff\x00\x00\x00")
def test_a_movie_that_is_none_is_refused_in_words(folder: Path, content: bytes) -> None:
    """Whatever the bytes are, a sentence names the movie."""
    for name in ("film.mp4", "film.gif"):
        path = folder / name
        path.write_bytes(content)
        with pytest.raises(ShareError, match=rf"{name} cannot be read"):
            movie_facts(path)


@given(st.floats(0, 1e12))
@example(1 / 86_400)
@example(1e-9)
def test_numbers_have_no_exponent(number: float) -> None:
    """A number is written out, true to six digits."""
    text = number_text(number)
    assert set(text) <= set("0123456789.")
    assert float(text) == pytest.approx(number, rel=1e-5, abs=1e-15)


@given(records() | complete_records())
@example(FULL)
@example(FULL.model_copy(update={"latitude": 90.0, "geoprivacy": "obscured"}))
@example(FULL.model_copy(update={"title": "\x00 ", "photographer": "\ufffe"}))
def test_any_record_gives_an_archive_or_a_reason(
    subject: Subject, record: Record
) -> None:
    """Tables keep their columns, documents are XML, and the place keeps its privacy."""
    subject = replace(subject, record=record)
    findings = list(DESTINATIONS[NAME].findings(subject, ORDER))
    assert all(finding.sentence.endswith(".") for finding in findings)
    if any(finding.blocks for finding in findings):
        return
    (frame,) = subject.frames()
    media = still_row(subject, frame, "a.jpg", "0" * 64, (320, 240))
    eml = eml_of(subject)
    archive = archive_of(eml, occurrence_of(subject, ORDER), MEDIA_TERMS, [media])
    (occurrence,) = table_of(archive, "occurrence.txt")
    assert tuple(occurrence) == OCCURRENCE_TERMS
    (row,) = table_of(archive, "multimedia.txt")
    assert row["coreid"] == occurrence["dwc:occurrenceID"]
    assert occurrence["dwc:eventDate"] == record.sampled_at
    for needed in ("dwc:scientificName", "dcterms:license", "dwc:eventDate"):
        assert occurrence[needed]
    if occurrence.get("dwc:decimalLatitude"):
        assert -90 <= float(occurrence["dwc:decimalLatitude"]) <= 90
        assert -180 <= float(occurrence["dwc:decimalLongitude"]) <= 180
    if record.geoprivacy != "open":
        assert not occurrence["dwc:locality"] + occurrence["dwc:waterBody"]
    root = ET.fromstring(eml)  # noqa: S314 (our own)
    assert (root.findtext("dataset/title") or "").strip()
    assert root.findtext("dataset/creator//surName") or root.findtext(
        "dataset/creator/organizationName"
    )
    for language in ("en", "sv"):
        guide = DESTINATIONS[NAME].guide(subject, ORDER, language)
        assert occurrence["dwc:occurrenceID"] in guide
