"""OME-Zarr read by zarr and ome-zarr, the tables by pandas: none of them is ours."""

import json
from pathlib import Path
from typing import Any, Tuple

import cv2
import numpy as np
import pytest
from cases.volumes import STAGE, nothing, order_for, simulated_run, small_run

from openflexure_timelapse.share.bundle import check_bundle
from openflexure_timelapse.share.sharing import make_bundle
from openflexure_timelapse.share.subject import open_subject

REASON = "the readers are in their own session"
ome_types = pytest.importorskip("ome_types", reason=REASON)
pd = pytest.importorskip("pandas", reason=REASON)
zarr = pytest.importorskip("zarr", reason=REASON)
parse_url = pytest.importorskip("ome_zarr.io", reason=REASON).parse_url
Reader = pytest.importorskip("ome_zarr.reader", reason=REASON).Reader


def exported(folder: Path, out: Path) -> Path:
    """Make the bundle of a run and return it."""
    with open_subject(folder) as subject:
        make_bundle(subject, order_for("ome-zarr"), out, nothing, nothing)
    return out


@pytest.fixture(scope="module", name="shared")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Tuple[Path, Path]:
    """Share the bundle of a simulated run among the tests that only look."""
    data = tmp_path_factory.mktemp("data")
    folder = simulated_run(data)
    return folder, exported(folder, data / "bundle")


@pytest.mark.parametrize("position", ["left", "right"])
def test_pixels_and_times_are_those_of_the_frames(
    shared: Tuple[Path, Path], position: str
) -> None:
    """Each plane holds its frame's decoded picture and time; one that lacks, none."""
    folder, bundle = shared
    image = zarr.open_group(str(bundle / f"{position}.ome.zarr"), mode="r")
    pixels, slots = image["0"][:], list(image["slot"][:])
    with open_subject(folder) as subject:
        frames = list(subject.frames(position))
    assert slots == sorted({frame.draft.slot for frame in frames})
    expected = np.zeros_like(pixels)
    elapsed_s = np.full(image["elapsed_s"].shape, np.nan)
    for frame in frames:
        point, plane = slots.index(frame.draft.slot), frame.draft.plane
        picture = cv2.imread(str(folder / frame.file))
        assert picture is not None
        expected[point, :, plane] = picture[..., ::-1].transpose(2, 0, 1)
        elapsed_s[point, plane] = frame.draft.elapsed_ns / 1e9
    assert np.array_equal(pixels, expected)
    assert np.array_equal(image["elapsed_s"][:], elapsed_s, equal_nan=True)


def test_each_plane_is_one_small_file(shared: Tuple[Path, Path]) -> None:
    """A chunk is a plane with its three channels, in nested folders, compressed."""
    place = shared[1] / "left.ome.zarr"
    array = zarr.open_group(str(place), mode="r")["0"]
    assert array.chunks == (1, 3, 1, 624, 832)
    told = json.loads((place / "0" / ".zarray").read_text("utf-8"))
    assert (told["dimension_separator"], told["compressor"]["id"]) == ("/", "zlib")
    assert (place / "0" / "0" / "0" / "1" / "0" / "0").stat().st_size < 832 * 624


def node_of(place: Path) -> Any:
    """Return what the reference reader makes of an image."""
    location = parse_url(place, mode="r")
    assert location is not None
    return next(iter(Reader(location)()))


def test_the_reference_reader_knows_axes_and_scale(tmp_path: Path) -> None:
    """ome-zarr finds axes, units and distances where all of them are known."""
    folder = small_run(tmp_path, planes=2, stage=STAGE)
    node = node_of(exported(folder, tmp_path / "out") / "here.ome.zarr")
    axes = node.metadata["axes"]
    assert [axis["name"] for axis in axes] == ["t", "c", "z", "y", "x"]
    assert [axis.get("unit") for axis in axes] == [
        "second",
        None,
        *["micrometer"] * 3,
    ]
    (transform,) = node.metadata["coordinateTransformations"][0]
    assert transform["scale"] == pytest.approx([30.0, 1.0, 0.5, 0.5, 0.5])
    assert node.data[0].shape == (4, 3, 2, 12, 16)
    assert node.metadata["channel_names"] == ["red", "green", "blue"]


def test_without_calibration_no_unit_is_told(tmp_path: Path) -> None:
    """What is not known has no unit: its steps are pixels and time points."""
    folder = small_run(tmp_path, (0, 1, 3), um_per_pixel=None)
    node = node_of(exported(folder, tmp_path / "out") / "here.ome.zarr")
    assert not [axis for axis in node.metadata["axes"] if "unit" in axis]


def test_its_xml_is_valid(shared: Tuple[Path, Path]) -> None:
    """The OME-XML beside the pixels holds by the schema, with the times."""
    text = (shared[1] / "left.ome.zarr/OME/METADATA.ome.xml").read_text("ascii")
    pixels = ome_types.from_xml(text, validate=True).images[0].pixels
    assert pixels.metadata_only
    assert len(pixels.planes) == 5


def test_the_bundle_is_whole(shared: Tuple[Path, Path]) -> None:
    """Its checksums agree, every chunk included, and a changed chunk is found."""
    bundle = shared[1]
    assert check_bundle(bundle, lambda *_told: None) == ()
    listed = (bundle / "checksums.sha256").read_text("utf-8")
    assert "left.ome.zarr/0/0/0/1/0/0" in listed


def test_pandas_reads_the_tables(shared: Tuple[Path, Path]) -> None:
    """Headings carry units; times, places in the images and exposures are numbers."""
    folder, bundle = shared
    table = pd.read_csv(bundle / "frames.csv", parse_dates=["time"])
    with open_subject(folder) as subject:
        frames = {frame.n: frame for frame in subject.frames()}
    assert sorted(table["n"]) == sorted(frames)
    for row in table.itertuples():
        draft = frames[row.n].draft
        assert row.elapsed_s == pytest.approx(draft.elapsed_ns / 1e9, abs=1e-6)
        assert (row.x_steps, row.y_steps, row.z_steps) == (draft.x, draft.y, draft.z)
        assert row.time.timestamp() == pytest.approx(draft.wall_ns / 1e9, abs=1e-5)
        assert row.exposure_s == pytest.approx(draft.metadata["exposure_us"] / 1e6)
    left = table[table["image"] == "left.ome.zarr"]
    assert list(left["t_index"]) == [0, 0, 1, 2, 2]
    assert list(left["z_index"]) == [0, 1, 0, 0, 1]
    camera = pd.read_json(bundle / "camera.jsonl", lines=True)
    assert list(camera["n"]) == list(table["n"])
    assert (camera["digital_gain"] == 1.0).all()
