"""What goes to iNaturalist is what it takes, and reads right."""

import csv
import io
import re
from pathlib import Path
from typing import Any, Dict

import piexif
import pytest
from cases.gallery import FULL, bundled, noisy_jpeg, shared_run
from cases.stored import draft, new_run
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from openflexure_timelapse.errors import InvalidShareError
from openflexure_timelapse.record import Taxon
from openflexure_timelapse.share.inaturalist_table import (
    latin_text,
    table_name,
    table_of,
)
from openflexure_timelapse.share.order import parse_order
from openflexure_timelapse.share.record_file import write_record
from openflexure_timelapse.share.sharing import check_share
from openflexure_timelapse.share.subject import open_subject
from openflexure_timelapse.store.disk import RealDisk

NAME = "inaturalist"


def rows_of(bundle: Path) -> "list[list[str]]":
    """Return the rows of the table, as iNaturalist decodes them."""
    (table,) = bundle.glob("observations-*.csv")
    text = table.read_bytes().decode("iso-8859-1")
    return list(csv.reader(io.StringIO(text, newline="")))


def told(run: Path, **order: Any) -> "list[str]":
    """Return what is said before a bundle is written, but that there is no GIF."""
    with open_subject(run) as subject:
        try:
            found = check_share(subject, parse_order({"destination": NAME, **order}))
        except InvalidShareError as exc:
            return [f"!{item['field']}" for item in exc.fields]
    return [finding.field for finding in found if finding.field != "order.movie"]


def add_gif(run: Path, name: str, size_bytes: int = 0) -> None:
    """Put a GIF among the movies of a run, made larger than it is."""
    stream = io.BytesIO()
    Image.new("P", (8, 8)).save(stream, "gif")
    (run / "movies").mkdir(exist_ok=True)
    padding = bytes(max(0, size_bytes - len(stream.getvalue())))
    (run / "movies" / name).write_bytes(stream.getvalue() + padding)


def test_an_observation_is_a_folder_of_small_stills(tmp_path: Path) -> None:
    """At most twenty, none wider than 2048 pixels, none larger than 20 MB."""
    with new_run(tmp_path) as store:
        for slot in range(25):
            large = slot in {0, 24}
            size = (2600, 40) if large else (320, 240)
            store.add_frame(noisy_jpeg(slot, *size), draft(slot), {})
        run = store.folder
    write_record(run, FULL, RealDisk())
    stills = list(bundled(run, NAME).glob("observation-01/*.jpg"))
    assert len(stills) == 20
    for path in stills:
        with Image.open(path) as image:
            assert max(image.size) <= 2048
        assert path.stat().st_size < 20_971_520


@pytest.mark.parametrize("positions", [("here",), ("diatom", "skeletonema", "edge")])
def test_no_file_name_can_be_taken_for_an_organism(
    tmp_path: Path, positions: "tuple[str, ...]"
) -> None:
    """No word of four letters is in the name of an image."""
    run = shared_run(tmp_path, count=2, positions=positions)
    add_gif(run, f"{positions[0]}.gif")
    bundle = bundled(run, NAME)
    folders = sorted(path.name for path in bundle.iterdir() if path.is_dir())
    assert folders == [f"observation-{n:02d}" for n in range(1, len(positions) + 1)]
    for path in bundle.glob("observation-*/*"):
        assert not re.search(r"[^\W\d_]{4}", path.name)
    assert (bundle / "observation-01" / "tl-01.gif").is_file()


def test_a_gif_takes_the_place_of_a_still(tmp_path: Path) -> None:
    """Twenty files are an observation, and one that is too large is not among them."""
    run = shared_run(tmp_path, count=25)
    add_gif(run, "here.gif", 20_971_521)
    add_gif(run, "here_2.gif", 20_971_520)
    bundle = bundled(run, NAME)
    assert len(list(bundle.glob("observation-01/*"))) == 20
    assert (bundle / "observation-01" / "tl-01.gif").stat().st_size == 20_971_520


@pytest.mark.parametrize(
    ("movie", "said"),
    [
        ("movies/here.gif", "iNaturalist takes 20971520; make a movie with"),
        ("movies/here.mp4", "movies/here.mp4 is no GIF of this run"),
        ("../../etc/passwd", "is no GIF of this run"),
    ],
)
def test_a_movie_that_cannot_go_along_is_told(
    tmp_path: Path, movie: str, said: str
) -> None:
    """Too large a GIF, an MP4 and what is no movie stand in the way when asked for."""
    run = shared_run(tmp_path, count=1)
    add_gif(run, "here.gif", 20_971_521)
    (run / "movies" / "here.mp4").write_bytes(b"")
    asked = parse_order({"destination": NAME, "movie": movie})
    with open_subject(run) as subject, pytest.raises(InvalidShareError) as caught:
        check_share(subject, asked)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("sampled_at", "dated"),
    [
        ("2026-11-22", False),
        ("2026-11-22T10:30+01:00", False),
        ("2026-11-23T08:00+01:00", False),
        ("2026-11-23", True),
    ],
)
def test_the_imaging_time_is_not_taken_for_the_sampling_time(
    tmp_path: Path,
    sampled_at: str,
    dated: bool,  # noqa: FBT001
) -> None:
    """Images have a time only where it is as right as what the person said."""
    record = FULL.model_copy(update={"sampled_at": sampled_at})
    bundle = bundled(shared_run(tmp_path, record, count=1), NAME)
    (still,) = bundle.glob("observation-01/*.jpg")
    detail = piexif.load(still.read_bytes())["Exif"]
    assert (piexif.ExifIFD.DateTimeOriginal in detail) is dated


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"sampled_at": None}, ["!sampled_at"]),
        ({"sampled_at": "2026-12-24"}, ["!sampled_at"]),
        ({"sampled_at": "1896-11-22"}, ["!sampled_at"]),
        ({"sampled_at": "1896-11-23"}, []),
        ({"latitude": None, "longitude": None}, ["!latitude"]),
        ({"latitude": 0.0, "longitude": -0.0}, ["!latitude"]),
        ({"latitude": 90.0}, ["!latitude"]),
        ({"latitude": -89.9999999}, ["!latitude"]),
        ({"longitude": 180.0}, []),
        ({"licence": "CC-BY-3.0"}, ["!licence"]),
        ({"licence": "MIT"}, ["!licence"]),
        ({"licence": "CC-BY-NC-4.0"}, []),
        ({"licence": "CC-BY-SA-4.0"}, ["licence"]),
        ({"origin": "culture"}, ["origin"]),
        ({"origin": "not_living"}, ["origin"]),
        ({"taxon": None}, ["taxon", "taxon.name"]),
        ({"taxon": Taxon(name="Skeletonema sp.")}, ["taxon.name"]),
        ({"taxon": Taxon(name="# Skeletonema")}, ["taxon.name"]),
        ({"taxon": Taxon(name="Скелетонема")}, ["taxon.name"]),
        ({"place": "Łódź"}, ["caption"]),
    ],
)
def test_what_it_would_refuse_is_said_before(
    tmp_path: Path, changes: Dict[str, Any], expected: "list[str]"
) -> None:
    """What is required or refused blocks; what is doubtful is told."""
    record = FULL.model_copy(update=changes)
    assert told(shared_run(tmp_path, record, count=1)) == expected


def test_there_is_no_table_where_a_row_might_be_refused(tmp_path: Path) -> None:
    """One bad row would make it refuse the whole: then there is none."""
    record = FULL.model_copy(update={"taxon": Taxon(name="Skeletonema cf. marinoi")})
    bundle = bundled(shared_run(tmp_path, record, count=1), NAME)
    assert not list(bundle.glob("*.csv"))


def test_the_table_has_eight_columns_in_latin_1(tmp_path: Path) -> None:
    """Swedish letters are one byte each, and every column is at its place."""
    record = FULL.model_copy(
        update={
            "geoprivacy": "obscured",
            "caption": "=cmd() \u201cå\u201d\nnästa \u03bcm",
        }
    )
    heading, row = rows_of(bundled(shared_run(tmp_path, record, count=3), NAME))
    assert heading == [
        "Taxon name",
        "Date observed",
        "Description",
        "Place name",
        "Latitude",
        "Longitude",
        "Tags",
        "Geoprivacy",
    ]
    assert row[:2] == ["Skeletonema marinoi", "2026-11-22 10:30"]
    assert row[2].startswith(
        "'=cmd() 'å'; nästa \u00b5m; Organism: Skeletonema marinoi;"
    )
    assert row[3:6] == ["Södra hamnen", "60.100000", "19.950000"]
    assert row[6] == "time-lapse,microscopy,OpenFlexure,Östersjön,Ängsskolan"
    assert row[7] == "obscured"


@given(st.text(max_size=200))
@example("0\r\x1b 0")
@example("a\u02d8 b")
def test_any_text_has_a_form_in_latin_1(text: str) -> None:
    """One line, no control characters, and a second look changes nothing."""
    found = latin_text(text)
    found.encode("iso-8859-1")
    assert found.isprintable()
    assert latin_text(found) == found


names = st.text(max_size=200)


@given(caption=names, place=names, organisation=names, water_body=names)
def test_any_record_makes_a_row_that_is_taken(
    tmp_path_factory: pytest.TempPathFactory,
    caption: str,
    place: str,
    organisation: str,
    water_body: str,
) -> None:
    """Eight cells in two lines, none too long, whatever somebody typed."""
    run = _shared_once(tmp_path_factory)
    record = FULL.model_copy(
        update={
            "caption": caption,
            "place": place,
            "organisation": organisation,
            "water_body": water_body,
        }
    )
    write_record(run, record, RealDisk())
    with open_subject(run) as subject:
        table = table_of(subject, 1)
        name = table_name(subject)
    assert table is not None
    rows = list(csv.reader(io.StringIO(table.decode("iso-8859-1"), newline="")))
    assert [len(row) for row in rows] == [8, 8]
    assert len(rows[1][3]) <= 256
    assert len(f"{rows[1][6]},{name}") <= 750
    assert rows[1][0] == "Skeletonema marinoi"


_RUNS: Dict[str, Path] = {}


def _shared_once(factory: pytest.TempPathFactory) -> Path:
    """Return one run for all examples."""
    if "run" not in _RUNS:
        _RUNS["run"] = shared_run(factory.mktemp("data"), count=1)
    return _RUNS["run"]
