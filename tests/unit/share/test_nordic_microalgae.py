"""What goes to Nordic Microalgae is what its form takes."""

import csv
import io
import json
from pathlib import Path
from typing import Any, Dict

import pytest
from cases.gallery import FULL, bundled, shared_run
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from openflexure_timelapse.errors import InvalidShareError
from openflexure_timelapse.record import Record
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.nordic_form import FIELDS, degrees_and_minutes
from openflexure_timelapse.share.order import parse_order
from openflexure_timelapse.share.sharing import check_share
from openflexure_timelapse.share.subject import open_subject

NAME = "nordic-microalgae"


def rows_of(bundle: Path) -> "list[Dict[str, str]]":
    """Return the rows of the table."""
    text = (bundle / "nordicmicroalgae.csv").read_bytes().decode("utf-8-sig")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    rows = list(reader)
    assert tuple(reader.fieldnames or ()) == tuple(FIELDS)
    return rows


def told(run: Path, **order: Any) -> "list[str]":
    """Return what is said before a bundle is written, the fields that block first."""
    with open_subject(run) as subject:
        try:
            found = check_share(subject, parse_order({"destination": NAME, **order}))
        except InvalidShareError as exc:
            return [f"!{item['field']}" for item in exc.fields]
    return [finding.field for finding in found]


@given(st.floats(-180, 180))
@example(-0.0)
@example(59.999999999)
def test_degrees_and_minutes_are_the_angle(angle: float) -> None:
    """Whole degrees with the sign and minutes below 60, to two metres."""
    degrees, minutes = degrees_and_minutes(angle)
    assert float(minutes) < 60
    found = abs(int(degrees)) + float(minutes) / 60
    found = -found if degrees.startswith("-") else found
    assert abs(found - angle) <= 0.0005 / 60 + 1e-9


def test_a_row_for_each_image_in_the_order_of_the_form(tmp_path: Path) -> None:
    """The table has ten rows of known files, and their Swedish letters."""
    bundle = bundled(shared_run(tmp_path), NAME)
    rows = rows_of(bundle)
    assert len(rows) == 10
    assert len({row["file"] for row in rows}) == 10
    for row in rows:
        assert row["file"].endswith("-scale-bar.jpg")
        assert (bundle / "images" / row["file"]).is_file()
    (values,) = {json.dumps({**row, "file": ""}) for row in rows}
    filled = {key: value for key, value in json.loads(values).items() if value}
    assert filled == {
        "taxon": "Skeletonema marinoi",
        "title": "Kedjan växer",
        "photographer_artist": "Åsa Öberg",
        "copyright_holder": "Åsa Öberg",
        "institute": "Ängsskolan",
        "contributing_organisation": "Ängsskolan",
        "contributor": "Åsa Öberg",
        "caption": "Kiselalger från Åland, <5 µm & små.",
        "sampling_date": "2026-11-22",
        "geographic_area": "Baltic Sea - Åland Sea",
        "location": "Södra hamnen, Östersjön",
        "latitude_degree": "60",
        "latitude_minute": "6",
        "longitude_degree": "19",
        "longitude_minute": "57",
        "license": "Creative Commons Attribution 4.0 International",
        "technique": "Light microscopy",
        "galleries": "Citizen science",
    }


def test_media_json_says_the_same(tmp_path: Path) -> None:
    """What the site's people load has the five members of their command."""
    bundle = bundled(shared_run(tmp_path, count=2), NAME)
    media = json.loads((bundle / "media.json").read_text("utf-8"))
    assert [sorted(entry) for entry in media] == [
        ["attributes", "created_by", "file", "taxon", "type"]
    ] * 2
    for entry, row in zip(media, rows_of(bundle)):
        assert entry["taxon"] == 376667
        assert entry["file"] == row["file"]
        attributes = entry["attributes"]
        assert attributes.pop("galleries") == ["Citizen science"]
        assert attributes.pop("technique") == ["Light microscopy"]
        assert attributes == {key: row[key] for key in attributes}


def test_a_copy_has_a_scale_bar_and_another_has_not(tmp_path: Path) -> None:
    """The pictures differ where the bar is, and nowhere above."""
    bundle = bundled(shared_run(tmp_path, count=1), NAME)
    plain, drawn = (
        Image.open(path).convert("L")
        for path in sorted(bundle.glob("images/*"), key=lambda path: len(path.name))
    )
    assert plain.size == drawn.size == (320, 240)
    top, bottom = (0, 0, 320, 160), (200, 200, 320, 240)
    assert plain.crop(bottom).getextrema()[1] < 235 < drawn.crop(bottom).getextrema()[1]
    assert abs(_mean(plain.crop(top)) - _mean(drawn.crop(top))) < 1


def _mean(picture: Image.Image) -> float:
    """Return the mean grey of a picture."""
    return sum(grey * count for grey, count in enumerate(picture.histogram())) / (
        picture.size[0] * picture.size[1]
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"title": "", "taxon": None}, ["!title"]),
        ({"photographer": " "}, ["!photographer"]),
        ({"licence": "CC-BY-NC-4.0"}, ["!licence"]),
        ({"licence": "cc-by-4.0"}, []),
        ({"licence": "CC-BY-ND-4.0"}, ["licence"]),
        ({"geographic_area": "Kattegatt"}, ["!geographic_area"]),
        ({"sampled_at": "2026-11-24"}, ["!sampled_at"]),
        ({"sampled_at": "2026-11-23T08:31"}, ["!sampled_at"]),
        ({"sampled_at": "2026-11-23"}, []),
        ({"taxon": None}, ["taxon"]),
        ({"origin": "not_living"}, ["origin"]),
        ({"organisation": "x" * 29}, ["organisation"]),
        ({"geoprivacy": "private"}, ["geoprivacy"]),
        ({"latitude": 51.5, "longitude": -0.12}, ["longitude"]),
    ],
)
def test_what_its_form_would_refuse_is_said_before(
    tmp_path: Path, changes: Dict[str, Any], expected: "list[str]"
) -> None:
    """What is missing or unknown blocks; what is doubtful is told."""
    record = FULL.model_copy(update=changes)
    assert told(shared_run(tmp_path, record, count=1)) == expected


def test_without_a_scale_there_is_no_bar(tmp_path: Path) -> None:
    """A run that nobody calibrated has plain stills only, and it is said."""
    run = shared_run(tmp_path, FULL.model_copy(update={"um_per_pixel": None}), count=1)
    header = json.loads((run / "run.json").read_text("utf-8"))
    header["camera"]["um_per_pixel"] = None
    (run / "run.json").write_text(json.dumps(header), "utf-8")
    assert told(run) == ["um_per_pixel"]
    (row,) = rows_of(bundled(run, NAME))
    assert row["file"].endswith("-0000001.jpg")


def test_a_place_that_is_not_open_is_left_out(tmp_path: Path) -> None:
    """No coordinate and no name of a place is in any file but the person's own."""
    record = FULL.model_copy(update={"geoprivacy": "obscured"})
    bundle = bundled(shared_run(tmp_path, record, count=1), NAME, place_in_images=True)
    for path in bundle.rglob("*"):
        if path.is_file() and path.name != "bundle.json":
            assert "Södra".encode() not in path.read_bytes()
    (row,) = rows_of(bundle)
    assert row["location"] == row["latitude_degree"] == row["longitude_minute"] == ""


def test_what_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    """A spreadsheet shows what was typed, and runs nothing."""
    formula = '=HYPERLINK("x";"y")'
    record = Record(title=formula, photographer="@me", um_per_pixel=1.0)
    row = rows_of(bundled(shared_run(tmp_path, record, count=1), NAME))[0]
    assert row["title"] == f"'{formula}"
    assert row["photographer_artist"] == "'@me"


@pytest.mark.parametrize("destination", [NAME, "inaturalist"])
@pytest.mark.parametrize("language", ["en", "sv"])
def test_a_guide_takes_any_text(
    tmp_path: Path, destination: str, language: str
) -> None:
    """Braces and percent signs in a record are text in the guide."""
    record = FULL.model_copy(update={"title": "{run} %s", "place": "{0}"})
    with open_subject(shared_run(tmp_path, record, count=1)) as subject:
        order = parse_order({"destination": destination})
        text = DESTINATIONS[destination].guide(subject, order, language)
    assert ("{run} %s" if destination == NAME else "{0}") in text
    assert "Skeletonema marinoi" in text
    assert max(map(len, text.splitlines())) < 120
