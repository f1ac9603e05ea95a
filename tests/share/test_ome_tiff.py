"""OME-TIFF read by tifffile and ome-types, which are not ours."""

import gc
import pathlib
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import cv2
import numpy as np
import pytest
from cases.volumes import (
    STAGE,
    long_run,
    nothing,
    order_for,
    simulated_run,
    small_run,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openflexure_timelapse.frame import Frame
from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share import ome_tiff
from openflexure_timelapse.share.bundle import check_bundle, new_bundle
from openflexure_timelapse.share.ome import read_planes
from openflexure_timelapse.share.ome_xml import ome_xml
from openflexure_timelapse.share.sharing import make_bundle
from openflexure_timelapse.share.subject import Subject, open_subject
from openflexure_timelapse.share.volume import volumes_of

REASON = "the readers are in their own session"
ome_types = pytest.importorskip("ome_types", reason=REASON)
tifffile = pytest.importorskip("tifffile", reason=REASON)

ORDER = order_for("ome-tiff")


def exported(folder: Path, out: Path) -> Path:
    """Make the bundle of a run and return it."""
    with open_subject(folder) as subject:
        make_bundle(subject, ORDER, out, nothing, nothing)
    return out


def validated(path: Path) -> Any:
    """Return a file's OME-XML as ome-types reads it, valid by the schema."""
    with tifffile.TiffFile(path) as tiff:
        text = tiff.ome_metadata
    assert text is not None
    return ome_types.from_xml(text, validate=True)


def decoded(folder: Path, frame: Frame) -> Any:
    """Return a stored frame's picture as RGB."""
    picture = cv2.imread(str(folder / frame.file))
    assert picture is not None
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module", name="shared")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Tuple[Path, Path]:
    """Share the bundle of a simulated run among the tests that only look."""
    data = tmp_path_factory.mktemp("data")
    folder = simulated_run(data)
    return folder, exported(folder, data / "bundle")


def frames_of(folder: Path, position: str) -> List[Frame]:
    """Return the frames of a position."""
    with open_subject(folder) as subject:
        return list(subject.frames(position))


@pytest.mark.parametrize("position", ["left", "right"])
def test_pixels_are_those_of_the_frames(
    shared: Tuple[Path, Path], position: str
) -> None:
    """Each plane holds its frame's decoded picture, and a plane that lacks is black."""
    folder, bundle = shared
    with tifffile.TiffFile(bundle / f"{position}.ome.tiff") as tiff:
        (series,) = tiff.series
        assert series.axes == "TZYXS"
        pixels = series.asarray()
    frames = frames_of(folder, position)
    points = sorted({frame.draft.slot for frame in frames})
    assert pixels.shape == (len(points), 2, 624, 832, 3)
    expected = np.zeros_like(pixels)
    for frame in frames:
        where = points.index(frame.draft.slot), frame.draft.plane
        expected[where] = decoded(folder, frame)
    assert np.array_equal(pixels, expected)


@pytest.mark.parametrize("position", ["left", "right"])
def test_each_plane_has_its_true_time(shared: Tuple[Path, Path], position: str) -> None:
    """DeltaT is what the index says, and exposure what the camera said."""
    folder, bundle = shared
    image = validated(bundle / f"{position}.ome.tiff").images[0]
    frames = frames_of(folder, position)
    told = [(plane.delta_t, plane.exposure_time) for plane in image.pixels.planes]
    known = [
        (frame.draft.elapsed_ns / 1e9, frame.draft.metadata["exposure_us"] / 1e6)
        for frame in frames
    ]
    assert np.array(told) == pytest.approx(np.array(known), abs=1e-6)
    began = frames[0].draft.wall_ns - frames[0].draft.elapsed_ns
    assert image.acquisition_date.timestamp() == pytest.approx(began / 1e9, abs=1e-5)


def test_the_scale_is_told(shared: Tuple[Path, Path]) -> None:
    """Pixel size as calibrated, in micrometres; no interval where it varies."""
    pixels = validated(shared[1] / "left.ome.tiff").images[0].pixels
    assert (pixels.physical_size_x, pixels.physical_size_y) == (0.36, 0.36)
    assert pixels.physical_size_x_unit.value == "µm"
    assert pixels.physical_size_z is None
    assert pixels.time_increment is None
    with tifffile.TiffFile(shared[1] / "left.ome.tiff") as tiff:
        assert tiff.pages[0].get_resolution("MICROMETER") == pytest.approx(
            (1 / 0.36, 1 / 0.36), rel=1e-6
        )


def test_the_bundle_is_whole(shared: Tuple[Path, Path]) -> None:
    """Its checksums agree, and all that the README names is there."""
    _, bundle = shared
    assert check_bundle(bundle, lambda *_told: None) == ()
    text = (bundle / "README.txt").read_text("utf-8")
    there = {path.name for path in bundle.iterdir()} - {"README.txt", "LASMIG.txt"}
    assert {name for name in there if name not in text} == set()


def test_a_stack_has_its_distance_and_its_interval(tmp_path: Path) -> None:
    """Where stage and calibration are known, so are z and the interval."""
    folder = small_run(tmp_path, planes=3, stage=STAGE)
    path = exported(folder, tmp_path / "out") / "here.ome.tiff"
    pixels = validated(path).images[0].pixels
    assert pixels.physical_size_z == pytest.approx(0.5)
    assert (pixels.time_increment, pixels.size_t, pixels.size_z) == (30.0, 4, 3)
    assert pixels.planes[4].position_x == pytest.approx(0.8)


def test_nothing_is_made_up(tmp_path: Path) -> None:
    """Without calibration, clock and exposure the file is valid and tells none."""
    changes: Dict[str, Any] = {"wall_trusted": False, "metadata": {}}
    folder = small_run(tmp_path, um_per_pixel=None, draft_changes=changes)
    path = exported(folder, tmp_path / "out") / "here.ome.tiff"
    image = validated(path).images[0]
    assert image.pixels.physical_size_x is None
    assert image.acquisition_date is None
    assert {plane.exposure_time for plane in image.pixels.planes} == {None}
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].resolutionunit == 1  # none


def test_a_damaged_frame_is_black_and_told(tmp_path: Path) -> None:
    """A file that holds no picture any more leaves a black plane without a time."""
    folder = small_run(tmp_path)
    (folder / "frames/here/0000001.jpeg").write_bytes(b"damaged")
    out = exported(folder, tmp_path / "out")
    assert not tifffile.imread(out / "here.ome.tiff")[1].any()
    planes = validated(out / "here.ome.tiff").images[0].pixels.planes
    assert [plane.the_t for plane in planes] == [0, 2, 3]
    assert "unreadable" in (out / "frames.csv").read_text("utf-8")


def test_a_large_file_is_a_bigtiff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above what classic TIFF can count the file is a BigTIFF, else it is not."""
    folder = small_run(tmp_path)
    classic = exported(folder, tmp_path / "classic") / "here.ome.tiff"
    monkeypatch.setattr(ome_tiff, "MOST_CLASSIC_BYTES", 1000)
    large = exported(folder, tmp_path / "large") / "here.ome.tiff"
    pixels = []
    for path, is_big in ((classic, False), (large, True)):
        with tifffile.TiffFile(path) as tiff:
            assert tiff.is_bigtiff == is_big
            pixels.append(tiff.asarray())
        assert validated(path).images[0].pixels.size_t == 4
    assert np.array_equal(*pixels)


@pytest.fixture(scope="module", name="subject")
def _subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    with open_subject(small_run(tmp_path_factory.mktemp("data"), (0,))) as subject:
        yield subject


TEXT = st.text(max_size=30)


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    title=TEXT,
    name=st.text(min_size=1, max_size=30),
    photographer=TEXT,
    objective=TEXT,
    licence=st.sampled_from(["CC-BY-4.0", "CC0-1.0", "CC-BY-NC-SA-4.0"]),
    latitude=st.sampled_from([None, -90.0, 0.0, 60.1, 90.0]),
)
def test_any_record_makes_a_valid_document(
    subject: Subject, name: str, latitude: Any, **known: str
) -> None:
    """Whatever is known of the sample, the schema holds."""
    longitude = None if latitude is None else 180.0
    record = Record(
        taxon=Taxon(name=name), latitude=latitude, longitude=longitude, **known
    )
    changed = replace(subject, record=record)
    (volume,) = volumes_of(changed, ORDER)
    planes = read_planes(changed, volume, set())
    text = "".join(ome_xml(changed, volume, planes, in_tiff=True))
    read = ome_types.from_xml(text, validate=True)
    assert read.rights.rights_held == known["licence"]


def bytes_at_the_end(folder: Path, out: Path) -> int:
    """Return how much memory is held when the last frame is written.

    Without pathlib's part: the table of names that Python shares grows by leaps.
    """
    held = [0]

    def look(done: int, total: int) -> None:
        if done == total - 1:
            gc.collect()
            found = tracemalloc.take_snapshot()
            ours = found.filter_traces([tracemalloc.Filter(False, pathlib.__file__)])  # noqa: FBT003
            held[0] = sum(each.size for each in ours.statistics("filename"))

    with open_subject(folder) as subject:
        tracemalloc.start()
        with new_bundle(out, look, nothing) as bundle:
            ome_tiff.OME_TIFF.write(subject, ORDER, bundle)
        tracemalloc.stop()
    assert held[0]
    return held[0]


def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    """Three times as many frames take no more memory: no list of them is kept."""
    held = []
    for count in (10, 500, 1500):
        data = tmp_path / str(count)
        data.mkdir()
        held.append(bytes_at_the_end(long_run(data, count), data / "out"))
    assert held[2] < held[1] + 50 * 1000


def test_the_first_colour_is_red(tmp_path: Path) -> None:
    """A red frame is red in the file."""
    folder = small_run(tmp_path, (0, 30))
    path = exported(folder, tmp_path / "out") / "here.ome.tiff"
    red, green, _ = tifffile.imread(path)[1].mean(axis=(0, 1))
    assert red > 200
    assert green < 10
