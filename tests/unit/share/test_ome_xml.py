"""The OME-XML: what it tells, what it leaves out, and that no text breaks it."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List

import pytest
from cases.volumes import STAGE, order_for, small_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share.ome import read_planes
from openflexure_timelapse.share.ome_xml import ome_xml
from openflexure_timelapse.share.subject import Subject, open_subject
from openflexure_timelapse.share.volume import volumes_of

NS = {"ome": "http://www.openmicroscopy.org/Schemas/OME/2016-06"}
ORDER = order_for("ome-tiff")
TEXT = st.text(max_size=40)


def document(subject: Subject) -> ET.Element:
    """Return the OME-XML of the only volume of a run, parsed."""
    (volume,) = volumes_of(subject, ORDER)
    planes = read_planes(subject, volume, set())
    text = "".join(ome_xml(subject, volume, planes, in_tiff=True))
    assert text.isascii()
    return ET.fromstring(text)  # noqa: S314 - our own document


def told_of(folder: Path) -> ET.Element:
    """Return the OME-XML of a run on disk."""
    with open_subject(folder) as subject:
        return document(subject)


def pixels_of(root: ET.Element) -> Dict[str, str]:
    """Return the attributes of the pixels."""
    found = root.find("ome:Image/ome:Pixels", NS)
    assert found is not None
    return dict(found.attrib)


def planes_of(root: ET.Element) -> List[Dict[str, str]]:
    """Return the attributes of every plane."""
    found = root.findall("ome:Image/ome:Pixels/ome:Plane", NS)
    return [dict(plane.attrib) for plane in found]


def notes_of(root: ET.Element) -> Dict[str, str]:
    """Return the annotation."""
    found = root.findall(".//ome:M", NS)
    return {str(item.get("K")): item.text or "" for item in found}


def test_what_is_known_is_told(tmp_path: Path) -> None:
    """Scale, distance of planes, interval, place and exposure are in the document."""
    root = told_of(small_run(tmp_path, planes=2, stage=STAGE))
    pixels = pixels_of(root)
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeXUnit"]) == ("0.5", "µm")
    assert float(pixels["PhysicalSizeZ"]) == pytest.approx(0.5)
    assert (pixels["TimeIncrement"], pixels["SizeT"]) == ("30.0", "4")
    plane = planes_of(root)[5]
    assert (plane["TheT"], plane["TheZ"]) == ("2", "1")
    assert (plane["DeltaT"], plane["ExposureTime"]) == ("60.250000", "0.001")
    assert (float(plane["PositionX"]), plane["PositionXUnit"]) == (1.6, "µm")
    date = root.find("ome:Image/ome:AcquisitionDate", NS)
    assert date is not None
    assert date.text == "2026-11-23T07:30:28.873456Z"


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    """Without a calibration no scale is told; never 1, which would look like one."""
    changes = {"wall_trusted": False, "metadata": {"exposure_us": "long"}}
    slots = (0, 1, 5)
    root = told_of(
        small_run(tmp_path, slots, planes=2, um_per_pixel=None, draft_changes=changes)
    )
    told = pixels_of(root)
    assert not [name for name in told if name.startswith(("Physical", "Time"))]
    plane = planes_of(root)[-1]
    assert "ExposureTime" not in plane
    assert (plane["PositionX"], plane["PositionXUnit"]) == ("50", "reference frame")
    assert root.find("ome:Image/ome:AcquisitionDate", NS) is None
    assert notes_of(root)["slots"] == "0-1 5"


def test_a_plane_that_lacks_has_no_time(tmp_path: Path) -> None:
    """Only planes with a picture are listed; the file has all of them."""
    folder = small_run(tmp_path, (0, 1), planes=2, without={(0, 1)})
    root = told_of(folder)
    where = [(plane["TheT"], plane["TheZ"]) for plane in planes_of(root)]
    assert where == [("0", "0"), ("1", "0"), ("1", "1")]
    data = root.find("ome:Image/ome:Pixels/ome:TiffData", NS)
    assert data is not None
    assert data.get("PlaneCount") == "4"


def test_the_sample_is_told_and_its_place_is_not(tmp_path: Path) -> None:
    """Title, name, licence and photographer go along; coordinates and notes do not."""
    record = Record(
        title="Grönalger från Åland",
        taxon=Taxon(name="Scenedesmus"),
        photographer="Åsa Öberg",
        latitude=60.1234,
        longitude=19.9,
        place="Eckerö",
        notes="between us",
    )
    with open_subject(small_run(tmp_path)) as subject:
        root = document(replace(subject, record=record))
    notes = notes_of(root)
    assert notes["taxon"] == "Scenedesmus"
    assert notes["title"] == "Grönalger från Åland"
    assert notes["photographer"] == "Åsa Öberg"
    text = ET.tostring(root, "unicode")
    assert not [hidden for hidden in ("60.1234", "Eckerö", "between") if hidden in text]


@pytest.fixture(scope="module", name="subject")
def _subject(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = small_run(tmp_path_factory.mktemp("data"), (0,))
    with open_subject(folder) as subject:
        yield subject


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(title=TEXT, caption=TEXT, objective=TEXT, contrast=TEXT, organisation=TEXT)
def test_no_text_breaks_it(subject: Subject, **texts: str) -> None:
    """Whatever a person typed, the document is well formed and holds the text."""
    root = document(replace(subject, record=Record(**texts)))
    objective = root.find("ome:Instrument/ome:Objective", NS)
    assert (objective is not None) == bool(texts["objective"])
    printable = texts["title"].isprintable()
    assert not printable or notes_of(root).get("title", "") == texts["title"]
