"""Those who take our rows and archives read them: pyproj, lxml, python-dwca-reader."""

import os
import subprocess
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, Tuple

import pytest
from cases.any_record import complete_records, records
from cases.gallery import FULL, bundled, shared_run
from cases.services import PATIENCE_S, PLAN, made, run_of
from cases.volumes import long_run
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openflexure_timelapse.movie.ffmpeg import find_ffmpeg
from openflexure_timelapse.record import Record
from openflexure_timelapse.share.darwin_core import archive_of, meta_xml, occurrence_of
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.eml import eml_of
from openflexure_timelapse.share.media_rows import MEDIA_TERMS, still_row
from openflexure_timelapse.share.movie_facts import movie_facts
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.record_file import write_record
from openflexure_timelapse.share.subject import Subject, open_subject
from openflexure_timelapse.share.sweref99 import sweref99_of
from openflexure_timelapse.store.digest import sha256_of
from openflexure_timelapse.store.disk import RealDisk

pyproj = pytest.importorskip("pyproj", reason="the readers are in their own session")
etree = pytest.importorskip("lxml.etree", reason="the readers are in their own session")
read = pytest.importorskip("dwca.read", reason="the readers are in their own session")

SCHEMAS = "TIMELAPSE_GBIF_SCHEMAS"
ARCHIVE = "darwin-core-archive.zip"
BASE = "https://example.org/media"
ORDER = ShareOrder(destination="gbif", base_url=BASE)
DWC, AC = "http://rs.tdwg.org/dwc/terms/", "http://rs.tdwg.org/ac/terms/"
MILLIMETRE = 0.001
POND = FULL.model_copy(update={"latitude": 57.7, "longitude": 11.967})

# ------------------------------------------------------------------------ SWEREF 99 TM


def their_sweref99(latitude: float, longitude: float) -> Tuple[float, float]:
    """Return the point as PROJ works it out."""
    found = TRANSFORM.transform(longitude, latitude)
    return float(found[0]), float(found[1])


TRANSFORM = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3006", always_xy=True)


@given(st.floats(54.9, 69.1), st.floats(10, 24.2))
@example(69.0600, 20.5486)  # Treriksröset, the northernmost point
@example(67.8557, 20.2253)  # Kiruna
@example(65.8355, 24.1368)  # Haparanda, the easternmost town
@example(60.0973, 19.9348)  # Mariehamn on Åland
@example(57.9667, 19.3)  # Gotska Sandön, north of Gotland
@example(57.6348, 18.2948)  # Visby on Gotland
@example(58.9359, 11.1712)  # Strömstad, in the west
@example(55.3371, 13.3593)  # Smygehuk, the southernmost point
@example(54.9, 10.0)
@example(69.1, 24.2)
def test_pyproj_finds_the_same_point(latitude: float, longitude: float) -> None:
    """Over all of Sweden, Åland and Gotland, to a millimetre."""
    ours = sweref99_of(latitude, longitude)
    assert ours == pytest.approx(their_sweref99(latitude, longitude), abs=MILLIMETRE)


# -------------------------------------------------------------------------- the archive


@pytest.fixture(scope="module", name="recorded")
def _recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a simulated run of a pond with an MP4 and a GIF."""
    service = made(tmp_path_factory.mktemp("data"))
    service.start({**PLAN, "frames": 6, "movie": {"format": "mp4", "width": 320}})
    assert service.wait(PATIENCE_S)
    run_id = run_of(service)
    service.make_movie(run_id, {"format": "gif", "width": 160, "place": True})
    for job_id in service.queue.movie_ids(run_id):
        service.queue.wait(job_id, PATIENCE_S)
    folder = service.library.folder(run_id)
    service.close()
    write_record(folder, FULL, RealDisk())
    assert len(list((folder / "movies").iterdir())) == 2
    return Path(folder)


@pytest.fixture(scope="module", name="bundle")
def _bundle(recorded: Path) -> Path:
    """Return its bundle, with the address of its media."""
    return bundled(recorded, "gbif", base_url=BASE)


def test_the_reader_finds_the_occurrence_and_its_media(bundle: Path) -> None:
    """Each term has its value, and each row the checksum of a file in the bundle."""
    with read.DwCAReader(str(bundle / ARCHIVE)) as archive:
        assert archive.descriptor.metadata_filename == "eml.xml"
        assert archive.metadata is not None
        (occurrence,) = archive.rows
        assert occurrence.id == occurrence.data[f"{DWC}occurrenceID"]
        assert occurrence.data[f"{DWC}eventDate"] == "2026-11-22T10:30:00+01:00"
        assert occurrence.data[f"{DWC}locality"] == "Södra hamnen"
        rows = [row.data for row in occurrence.extensions]
    files = {row[f"{AC}accessURI"].rpartition("/")[2]: row for row in rows}
    media = sorted(path.name for path in (bundle / "media").iterdir())
    assert sorted(files) == media
    assert [Path(name).suffix for name in media].count(".jpg") == 6
    for name, row in files.items():
        content = (bundle / "media" / name).read_bytes()
        assert row[f"{AC}hashValue"] == sha256_of(content)
        assert row[f"{AC}physicalSetting"] == "Artificial"


def test_a_movie_has_its_times(bundle: Path) -> None:
    """Captured each 30 s, shown at 15 frames a second: 450 times faster than life."""
    with read.DwCAReader(str(bundle / ARCHIVE)) as archive:
        (occurrence,) = archive.rows
        rows = [row.data for row in occurrence.extensions]
    moving = [row for row in rows if row.get(f"{AC}frameRate")]
    assert len(moving) == 2
    for row in moving:
        assert float(row[f"{AC}frameRate"]) == pytest.approx(1 / 30, rel=1e-5)
        assert float(row[f"{AC}mediaSpeed"]) == pytest.approx(450, rel=0.1)
        assert row[f"{AC}startTimestamp"].endswith("Z")
        assert row[f"{AC}startTimestamp"] < row[f"{AC}endTimestamp"]


def test_ffmpeg_sees_the_size_and_the_duration_that_we_read(recorded: Path) -> None:
    """Our few lines about MP4 and GIF against the program that knows them all."""
    for path in sorted((recorded / "movies").iterdir()):
        facts = movie_facts(path)
        asked = [find_ffmpeg(), "-hide_banner", "-i", str(path)]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert f"{facts.width}x{facts.height}" in done.stderr
        duration = done.stderr.partition("Duration: ")[2][:11]
        hours, minutes, seconds = duration.split(":")
        known = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        assert facts.duration_s == pytest.approx(known, abs=0.011)
        assert facts.frames == 6
        assert facts.interval_s == 30


# -------------------------------------------------------------------------- the schemas


class _Local(etree.Resolver):  # type: ignore[misc, name-defined]
    """Finds in one folder what schemas import from the web."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def resolve(self, url: str, _id: Any, context: Any) -> Any:
        """Return the file of that name; an empty schema where there is none."""
        local = self._folder / url.rpartition("/")[2]
        if local.is_file():
            return self.resolve_filename(str(local), context)
        return self.resolve_string(
            XML_NAMESPACE if "xml" in local.name else EMPTY, context
        )


EMPTY = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
 targetNamespace="http://rs.tdwg.org/dwc/terms/"/>"""
XML_NAMESPACE = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
 targetNamespace="http://www.w3.org/XML/1998/namespace">
<xs:attribute name="lang" type="xs:language"/></xs:schema>"""


def schema(name: str) -> Any:
    """Return a schema from the folder that the environment names."""
    folder = os.environ.get(SCHEMAS)
    if not folder:
        pytest.skip(
            f"{SCHEMAS} names no folder with eml.xsd, eml-gbif-profile.xsd and dc.xsd "
            "of gbif/eml-profile and tdwg_dwc_text.xsd of tdwg/dwc"
        )
    parser = etree.XMLParser()
    parser.resolvers.add(_Local(Path(folder)))
    return etree.XMLSchema(etree.parse(str(Path(folder) / name), parser))


def test_the_documents_are_valid(bundle: Path) -> None:
    """`eml.xml` by GBIF's profile, `meta.xml` by Darwin Core's schema of text."""
    profile, text = schema("eml.xsd"), schema("tdwg_dwc_text.xsd")
    with zipfile.ZipFile(bundle / ARCHIVE) as archive:
        profile.assertValid(etree.fromstring(archive.read("eml.xml")))
        text.assertValid(etree.fromstring(archive.read("meta.xml")))
    text.assertValid(etree.fromstring(meta_xml(())))


@pytest.fixture(scope="module", name="subject")
def _subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """Return a run that every record is tried with."""
    run = shared_run(tmp_path_factory.mktemp("data"), count=1)
    with open_subject(run) as subject:
        yield subject


def archives(subject: Subject, record: Record) -> "Iterator[Tuple[bytes, bytes]]":
    """Yield the archive of a record and its `eml.xml`; none for one that is refused."""
    subject = replace(subject, record=record)
    findings = DESTINATIONS["gbif"].findings(subject, ORDER)
    if not any(finding.blocks for finding in findings):
        (frame,) = subject.frames()
        row = still_row(subject, frame, "a.jpg", "0" * 64, (320, 240))
        eml = eml_of(subject)
        yield archive_of(eml, occurrence_of(subject, ORDER), MEDIA_TERMS, [row]), eml


@pytest.fixture(scope="module", name="profile")
def _profile() -> Any:
    """Return GBIF's profile; to skip inside a property would print its example."""
    return schema("eml.xsd")


@given(records() | complete_records())
@example(FULL)
@example(FULL.model_copy(update={"title": "\x00\ufffe", "organisation": "A & <b>"}))
def test_any_record_gives_a_valid_document(
    profile: Any, subject: Subject, record: Record
) -> None:
    """Whatever a person typed, `eml.xml` is valid by GBIF's profile."""
    for _archive, eml in archives(subject, record):
        profile.assertValid(etree.fromstring(eml))


@settings(max_examples=50)
@given(records() | complete_records())
@example(FULL)
@example(FULL.model_copy(update={"caption": 'a\tb\nc\r\u2028d"', "place": '"x" y'}))
def test_the_reader_finds_what_was_typed(
    tmp_path_factory: pytest.TempPathFactory, subject: Subject, record: Record
) -> None:
    """Whatever a person typed, it stands in its own column, in one line."""
    for archive, _eml in archives(subject, record):
        path = tmp_path_factory.mktemp("archive") / ARCHIVE
        path.write_bytes(archive)
        wanted = occurrence_of(replace(subject, record=record), ORDER)
        with read.DwCAReader(str(path)) as opened:
            (occurrence,) = opened.rows
            assert len(occurrence.extensions) == 1
            for name in ("locality", "scientificName", "recordedBy", "waterBody"):
                assert occurrence.data[DWC + name] == wanted[f"dwc:{name}"]


# ----------------------------------------------------------------------------- the size


def peak_bytes(data: Path, count: int, destination: str) -> int:
    """Return the most memory that a bundle of so many frames had at once."""
    data.mkdir()
    run = long_run(data, count)
    write_record(run, POND, RealDisk())
    tracemalloc.start()
    bundled(run, destination)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("destination", ["artportalen", "gbif"])
def test_memory_does_not_grow_with_the_run(tmp_path: Path, destination: str) -> None:
    """Ten times as many frames take no more memory: no list of them is kept."""
    peak_bytes(tmp_path / "warm", 10, destination)
    few = peak_bytes(tmp_path / "few", 1000, destination)
    assert peak_bytes(tmp_path / "many", 10_000, destination) < few + 1_000_000
