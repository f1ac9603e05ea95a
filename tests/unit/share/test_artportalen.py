"""What goes to Artportalen is what its import reads."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from cases.any_record import complete_records, records
from cases.gallery import FULL, bundled, digests, noisy_jpeg, shared_run
from cases.stored import draft, new_run
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import load_workbook
from PIL import Image

from openflexure_timelapse.errors import InvalidShareError
from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share.artportalen_row import (
    ACCURACIES_M,
    HEADINGS,
    LONGEST_COMMENT,
    LONGEST_PLACE,
    accuracy_text,
    place_text,
    row_of,
)
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.order import ShareOrder, parse_order
from openflexure_timelapse.share.record_file import write_record
from openflexure_timelapse.share.sharing import check_share
from openflexure_timelapse.share.subject import Subject, open_subject
from openflexure_timelapse.share.workbook import workbook_of
from openflexure_timelapse.store.disk import RealDisk

NAME = "artportalen"
PLACE = HEADINGS.index("Lokalnamn")
ORDER = ShareOrder(destination="artportalen")
POND = FULL.model_copy(update={"latitude": 57.7, "longitude": 11.967})


def cells_of(bundle: Path) -> Dict[str, str]:
    """Return the row of the table under its headings."""
    text = (bundle / "artportalen.tsv").read_bytes().decode("utf-8")
    headings, row, rest = text.split("\r\n")
    assert not rest
    assert tuple(headings.split("\t")) == HEADINGS
    return dict(zip(HEADINGS, row.split("\t")))


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
    run = shared_run(tmp_path_factory.mktemp("data"), POND, count=1)
    with open_subject(run) as subject:
        yield subject


def test_a_row_has_what_the_record_says(tmp_path: Path) -> None:
    """Every cell, with its Swedish letters; the dates are those of the sampling."""
    run = shared_run(tmp_path, POND, count=3)
    before = digests(run)
    bundle = bundled(run, NAME)
    cells = cells_of(bundle)
    name = cells.pop("Externid")
    assert len(name) == 36
    assert {key: value for key, value in cells.items() if value} == {
        "Artnamn": "Skeletonema marinoi",
        "Lokalnamn": "Södra hamnen",
        "Ost": "319261",
        "Nord": "6399356",
        "Noggrannhet": "25 m",
        "Startdatum": "2026-11-22",
        "Starttid": "10:30",
        "Slutdatum": "2026-11-22",
        "Sluttid": "10:30",
        "Publik kommentar": (
            "Kiselalger från Åland, <5 µm & små. Fotograferat i mikroskop: 3 bilder "
            "med 30 s mellanrum, 2026-11-23 08:30 till 2026-11-23 08:31."
        ),
        "Privat kommentar": "OpenFlexure Timelapse 2026-11-23_083029_pond",
        "Biotop-beskrivning": "Östersjön",
        "Artbestämd av (fritext)": "Åsa Öberg",
        "Beskrivning artbestämning": (
            "Från mikroskopbilder, OpenFlexure Microscope, 0,25 µm per pixel"
        ),
    }
    images = sorted((bundle / "images").iterdir())
    assert [path.name for path in images] == [f"{name}_{n:02d}.jpg" for n in (1, 2, 3)]
    assert digests(run) == before


def test_images_are_few_and_small_enough(tmp_path: Path) -> None:
    """A frame of 3000 pixels becomes one of 2048; at most six are suggested."""
    with new_run(tmp_path) as store:
        for slot in range(9):
            store.add_frame(noisy_jpeg(slot, 3000, 60), draft(slot), {"x": slot})
        run = store.folder
    write_record(run, POND, RealDisk())
    images = list((bundled(run, NAME) / "images").iterdir())
    assert len(images) == 6
    for path in images:
        with Image.open(path) as image:
            assert (image.format, image.size) == ("JPEG", (2048, 41))


def test_the_workbook_says_the_same_as_text(tmp_path: Path) -> None:
    """Each cell of the table is a text cell of the sheet."""
    bundle = bundled(shared_run(tmp_path, POND, count=1), NAME)
    sheet = load_workbook(bundle / "artportalen.xlsx").active
    headings, row = sheet.iter_rows()
    assert tuple(cell.value for cell in headings) == HEADINGS
    found = {name: cell.value or "" for name, cell in zip(HEADINGS, row)}
    assert found == cells_of(bundle)
    assert {cell.data_type for cell in row if cell.value} == {"s"}
    assert {cell.number_format for cell in row} == {"@"}


TYPED = ["=cmd()", '"=cmd()"', "+1", "-1", "@x", "2026-01-01", "0042"]


@pytest.mark.parametrize("typed", TYPED)
def test_what_is_typed_stays_text(tmp_path: Path, typed: str) -> None:
    """In the workbook as it is, in the table behind an apostrophe if it must."""
    record = POND.model_copy(update={"place": typed, "caption": typed})
    bundle = bundled(shared_run(tmp_path, record, count=1), NAME)
    sheet = load_workbook(bundle / "artportalen.xlsx").active
    (cell,) = (cell for cell in sheet[2] if cell.column == 1 + PLACE)
    assert (cell.value, cell.data_type) == (typed, "s")
    table = (bundle / "artportalen.tsv").read_text("utf-8")
    _headings, row = csv.reader(io.StringIO(table, newline=""), "excel-tab")
    plain = typed[0].isdigit()
    assert row[PLACE] == (typed if plain else f"'{typed}")


def test_the_profile_is_told_in_the_guide(subject: Subject) -> None:
    """The file cannot say which system its numbers are in; the guide does, first."""
    destination = DESTINATIONS[NAME]
    other = ShareOrder(destination="artportalen", coordinates="wgs84")
    for language in ("en", "sv"):
        guide = destination.guide(subject, ORDER, language)
        assert guide.index("SWEREF 99 TM") < guide.index("ImportSighting")
        assert "319261" in guide
        assert "SWEREF" not in destination.guide(subject, other, language)
        assert "11.967000" in destination.guide(subject, other, language)
        assert "CC0" in guide


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, []),
        ({"taxon": None}, ["!taxon"]),
        ({"place": " \n"}, ["!place"]),
        ({"sampled_at": None}, ["!sampled_at"]),
        ({"sampled_at": "2027-01-01"}, ["!sampled_at"]),
        ({"sampled_at": "2026-11-20T08:00Z"}, ["sampled_at"]),
        ({"accuracy_m": None}, ["!accuracy_m"]),
        ({"accuracy_m": 5000.1}, ["!accuracy_m"]),
        ({"latitude": None, "longitude": None}, ["latitude"]),
        ({"latitude": 11.967, "longitude": 57.7}, ["!latitude"]),
        ({"geoprivacy": "private"}, ["!geoprivacy"]),
        ({"geoprivacy": "obscured"}, ["geoprivacy"]),
        ({"country": "AX"}, ["country"]),
        ({"origin": "culture"}, ["origin"]),
        ({"origin": "not_living"}, ["origin"]),
        ({"origin": None}, ["origin"]),
        ({"licence": "CC-BY-ND-4.0"}, ["licence"]),
        ({"place": "Bryggan, Ås"}, ["place"]),
        ({"caption": "lång " * 300}, ["caption"]),
    ],
)
def test_what_is_wrong_is_told(
    subject: Subject, changes: Dict[str, Any], fields: List[str]
) -> None:
    """Each field that is missing blocks, each that is doubtful is told."""
    data = {**POND.to_json(), **changes}
    record = Record(**{**data, "taxon": data["taxon"] and Taxon(**data["taxon"])})
    assert told(replace(subject, record=record)) == fields


def test_other_coordinates_are_only_doubtful_in_degrees(subject: Subject) -> None:
    """Degrees can say any place; that it is not in Sweden is told."""
    order = parse_order({"destination": NAME, "coordinates": "wgs84"})
    record = POND.model_copy(update={"latitude": -0.5, "longitude": 179.9999999})
    abroad = replace(subject, record=record)
    assert told(abroad, order) == ["latitude"]
    row = row_of(abroad, order)
    assert (row["Ost"], row["Nord"]) == ("180.000000", "-0.500000")


@given(st.floats(0.001, 5000))
@example(25.0)
def test_an_accuracy_is_rounded_up(accuracy_m: float) -> None:
    """To the next step, never below what is known."""
    step = int(accuracy_text(accuracy_m).replace(" m", ""))
    assert step in ACCURACIES_M
    assert step >= accuracy_m
    assert all(other < accuracy_m for other in ACCURACIES_M if other < step)


@given(st.text(max_size=200))
@example("a, , b,")
@example("x" * 76)
def test_a_place_has_no_comma_and_is_short(typed: str) -> None:
    """Whatever was typed, the name of the site is one line that is taken."""
    place = place_text(typed)
    assert len(place) <= LONGEST_PLACE
    assert "," not in place
    assert place == place.strip()
    assert len(place.splitlines()) <= 1


@given(records() | complete_records())
@example(POND)
def test_any_record_gives_a_row_or_a_reason(subject: Subject, record: Record) -> None:
    """A row has its required cells, no cell leaves its line or starts a formula."""
    subject = replace(subject, record=record)
    destination = DESTINATIONS[NAME]
    findings = list(destination.findings(subject, ORDER))
    assert all(finding.sentence.endswith(".") for finding in findings)
    row = row_of(subject, ORDER)
    assert set(row) == set(HEADINGS)
    for text in row.values():
        assert text == " ".join(text.split())
    assert len(row["Publik kommentar"]) <= LONGEST_COMMENT
    content = io.BytesIO(workbook_of("Test", [list(row.values())]))
    (cells,) = load_workbook(content).active.iter_rows()
    assert [cell.value or "" for cell in cells] == list(row.values())
    assert {cell.data_type for cell in cells if cell.value} <= {"s"}
    if any(finding.blocks for finding in findings):
        return
    assert all(row[name] for name in ("Artnamn", "Lokalnamn", "Startdatum", "Externid"))
    assert all(row[name] for name in ("Ost", "Nord", "Noggrannhet")) == bool(row["Ost"])
    for language in ("en", "sv"):
        assert row["Externid"] in destination.guide(subject, ORDER, language)
