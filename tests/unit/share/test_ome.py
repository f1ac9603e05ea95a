"""OME files on any Python: what is said before anything is written, and the tables."""

import csv
import importlib.util
import json
from pathlib import Path
from typing import Any, List

import pytest
from cases.volumes import OME, STAGE, nothing, order_for, small_run

from openflexure_timelapse.errors import InvalidShareError
from openflexure_timelapse.share import ome
from openflexure_timelapse.share.bundle import new_bundle
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.frames_table import write_tables
from openflexure_timelapse.share.sharing import check_share, make_bundle
from openflexure_timelapse.share.subject import Subject, open_subject
from openflexure_timelapse.share.volume import volumes_of


def findings(folder: Path, destination: str = "ome-tiff") -> List[Finding]:
    """Return what is said of a run, but for what this computer lacks."""
    with open_subject(folder) as subject:
        order = order_for(destination)
        found = DESTINATIONS[destination].findings(subject, order)
    return [each for each in found if each.field != "order.destination"]


@pytest.mark.parametrize("destination", OME)
@pytest.mark.parametrize("what", ["python", "library"])
def test_what_lacks_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: str, what: str
) -> None:
    """An old Python, or one without the libraries, refuses and says what to install."""
    folder = small_run(tmp_path)
    if what == "python":
        monkeypatch.setattr(ome, "OLDEST_PYTHON", (99, 0))
    else:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    out, order = tmp_path / "bundle", order_for(destination)
    with open_subject(folder) as subject, pytest.raises(
        InvalidShareError, match=r'pip install "openflexure-timelapse\[ome\]"'
    ):
        make_bundle(subject, order, out, nothing, nothing)
    assert sorted(tmp_path.iterdir()) == [folder]


def test_a_good_run_raises_no_doubt(tmp_path: Path) -> None:
    """Of a calibrated run without gaps there is nothing to say."""
    assert findings(small_run(tmp_path, planes=2, stage=STAGE)) == []


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ({"um_per_pixel": None}, "micrometres per pixel"),
        ({"planes": 2}, "how far the planes are apart"),
        ({"slots": (0, 2, 3)}, "without a picture at position 'here': 1"),
        ({"draft_changes": {"wall_trusted": False}}, "no date"),
    ],
)
def test_doubts_are_told(tmp_path: Path, run: Any, told: str) -> None:
    """Each thing that the files cannot say is said, and blocks nothing."""
    found = findings(small_run(tmp_path, **run))
    assert [told in each.sentence for each in found].count(True) == 1
    assert not [each for each in found if each.blocks]


def test_a_run_without_frames_is_refused(tmp_path: Path) -> None:
    """There is no empty image."""
    folder = small_run(tmp_path, ())
    with open_subject(folder) as subject, pytest.raises(
        InvalidShareError, match="has no frame that could be in an image"
    ):
        check_share(subject, order_for("ome-zarr"))


@pytest.mark.parametrize("destination", OME)
def test_the_room_is_enough_for_the_pixels(tmp_path: Path, destination: str) -> None:
    """A bundle is said to take at least its pixels, not compressed."""
    with open_subject(small_run(tmp_path, planes=2)) as subject:
        needed = DESTINATIONS[destination].bytes_needed(subject, order_for(destination))
    assert needed > 4 * 2 * 16 * 12 * 3


@pytest.mark.parametrize("destination", OME)
@pytest.mark.parametrize("language", ["en", "sv"])
@pytest.mark.parametrize("um_per_pixel", [0.5, None])
def test_guides_tell_the_values_to_type(
    tmp_path: Path, destination: str, language: str, um_per_pixel: Any
) -> None:
    """Both READMEs name the files, the interval, and the scale where it is known."""
    names = ("left", "right")
    folder = small_run(tmp_path, (0, 1, 3), positions=names, um_per_pixel=um_per_pixel)
    with open_subject(folder) as subject:
        text = DESTINATIONS[destination].guide(
            subject, order_for(destination), language
        )
    ending = "." + destination.replace("-", ".")
    assert all(f"{name}{ending}" in text for name in names)
    assert "Frame interval:    45 sec" in text
    assert ("0.5" in text) == (um_per_pixel is not None)
    read = {"en": "One pixel is 0.5 µm.", "sv": "En pixel är 0,5 µm."}[language]
    assert (read in text) == (um_per_pixel is not None)
    assert "TrackMate" in text
    assert "elapsed_s" in text
    assert ("ä" in text) == (language == "sv")
    assert "{" not in text


def test_the_tables_list_every_frame(tmp_path: Path) -> None:
    """``frames.csv`` says where each frame is, or why nowhere; no name is a formula."""
    folder = small_run(tmp_path, (0, 2), positions=("=cmd()", "b"), planes=2)
    with open_subject(folder) as subject:
        rows, camera = tables(subject, tmp_path / "bundle")
    assert len(rows) == len(camera) == 8
    assert [row["t_index"] for row in rows] == ["0", "0", "1", "1"] * 2
    assert [row["z_index"] for row in rows] == ["0", "1"] * 4
    assert rows[0]["image"] == "cmd.ome.tiff"
    assert rows[0]["position"] == "'=cmd()"
    assert rows[1]["elapsed_s"] == "0.250000"
    assert rows[4]["exposure_s"] == "0.001"
    assert [row["left_out"] for row in rows].count("unreadable") == 1
    assert camera[0] == {"exposure_us": 1000, "n": 1}


def tables(subject: Subject, out: Path) -> Any:
    """Return both tables, with frame 1 as one that could not be read."""
    volumes = volumes_of(subject, order_for("ome-tiff"))
    with new_bundle(out, nothing, nothing) as bundle:
        write_tables(subject, volumes, ".ome.tiff", {1}, bundle)
    with (out / "frames.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    told = (out / "camera.jsonl").read_text("utf-8").splitlines()
    return rows, [json.loads(line) for line in told]
