"""What the index tells of a volume, before anything is written."""

from dataclasses import replace
from pathlib import Path
from typing import Any, List, Optional, Tuple

import pytest
from cases.stored import draft, tiny_jpeg
from cases.volumes import order_for, small_run

from openflexure_timelapse.share.subject import open_subject
from openflexure_timelapse.share.volume import (
    Volume,
    pixels_of,
    places_of,
    time_points,
    volumes_of,
)
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

INTERVAL_NS = 30_000_000_000
ORDER = order_for("ome-tiff")


def volume_of(folder: Path) -> Volume:
    """Return the only volume of a run."""
    with open_subject(folder) as subject:
        (volume,) = volumes_of(subject, ORDER)
    return volume


@pytest.mark.parametrize(
    ("slots", "missing", "interval_ns"),
    [
        ((0, 1, 2, 3), 0, INTERVAL_NS),
        ((3, 4), 0, INTERVAL_NS),
        ((0, 1, 3), 1, None),
        ((0, 2, 4), 2, 2 * INTERVAL_NS),
        ((5,), 0, None),
    ],
)
def test_time_points_are_those_captured(
    tmp_path: Path, slots: Tuple[int, ...], missing: int, interval_ns: Optional[int]
) -> None:
    """Slots without a frame are counted and not filled; the interval is told if one."""
    volume = volume_of(small_run(tmp_path, slots))
    assert (volume.points, volume.missing_slots) == (len(slots), missing)
    assert volume.interval_ns == interval_ns


def test_the_mean_interval_is_that_of_the_due_times(tmp_path: Path) -> None:
    """Where the interval varies, its mean is from the first to the last time point."""
    volume = volume_of(small_run(tmp_path, (0, 1, 3, 4)))
    assert volume.mean_interval_ns == 4 * INTERVAL_NS // 3


def test_a_stack_may_lack_planes(tmp_path: Path) -> None:
    """A time point is one of which any plane was captured, the first or not."""
    folder = small_run(tmp_path, (0, 1, 2), planes=3, without={(1, 0), (2, 1), (2, 2)})
    with open_subject(folder) as subject:
        (volume,) = volumes_of(subject, ORDER)
        planes = [sorted(point) for point in time_points(subject, volume)]
    assert planes == [[0, 1, 2], [1, 2], [0]]
    assert (volume.points, volume.planes, volume.frames) == (3, 3, 6)


def with_odd_frames(tmp_path: Path, **odd: Any) -> Path:
    """Return a run whose frame of slot 4 of 6 is different."""
    folder = small_run(tmp_path, (0, 1, 2, 3))
    with RunStore.open(folder, RealDisk()) as store:
        store.add_frame(tiny_jpeg(4), replace(draft(4), **odd), {})
        store.add_frame(tiny_jpeg(5), draft(5), {})
    return folder


@pytest.mark.parametrize(
    ("odd", "why"),
    [({"width": 8, "height": 6}, "other_size"), ({"plane": 1}, "no_such_plane")],
)
def test_what_fits_nowhere_is_left_out(tmp_path: Path, odd: Any, why: str) -> None:
    """A frame of another size, or of a plane that no plan asked for, has no place."""
    with open_subject(with_odd_frames(tmp_path, **odd)) as subject:
        (volume,) = volumes_of(subject, ORDER)
        places = list(places_of(subject, volume))
    assert [place.point for place in places] == [0, 1, 2, 3, None, 4]
    assert places[4].left_out == why
    assert (volume.frames, volume.misfits, volume.missing_slots) == (5, 1, 1)


def test_what_is_recorded_meanwhile_waits(tmp_path: Path) -> None:
    """Frames that come after the look at the index are in no image of this bundle."""
    folder = small_run(tmp_path, (0, 1))
    with open_subject(folder) as subject:
        (volume,) = volumes_of(subject, ORDER)
        with RunStore.open(folder, RealDisk()) as store:
            store.add_frame(tiny_jpeg(2), draft(2), {})
        assert len(list(time_points(subject, volume))) == volume.points == 2


def test_each_position_is_a_volume(tmp_path: Path) -> None:
    """Positions are apart, one may be chosen, and one without frames is none."""
    names = ("left", "Åland")
    folder = small_run(tmp_path, (0, 1), positions=names)
    with open_subject(folder) as subject:
        every = volumes_of(subject, ORDER)
        one = volumes_of(subject, order_for("ome-tiff", position="Åland"))
        none = volumes_of(subject, order_for("ome-tiff", position="nowhere"))
    assert [(volume.position, volume.stem) for volume in every] == [
        ("left", "left"),
        ("Åland", "aland"),
    ]
    assert one == every[1:]
    assert none == []


def test_no_date_without_a_clock(tmp_path: Path) -> None:
    """The beginning is told only by a frame whose clock was believed."""
    untrusted = {"wall_trusted": False}
    assert volume_of(small_run(tmp_path, draft_changes=untrusted)).began_ns is None


@pytest.mark.parametrize("content", [b"", b"no picture", tiny_jpeg()[:400], None])
def test_a_file_without_a_picture_is_black(
    tmp_path: Path, content: Optional[bytes]
) -> None:
    """A damaged, cut or missing file gives no pixels and no error."""
    folder = small_run(tmp_path)
    path = folder / "frames/here/0000001.jpeg"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert pixels(folder)[1] is None


def test_no_file_beside_the_run_is_read(tmp_path: Path) -> None:
    """A frame that is a link out of the run gives no pixels."""
    folder = small_run(tmp_path)
    (tmp_path / "secret.jpeg").write_bytes(tiny_jpeg())
    path = folder / "frames/here/0000001.jpeg"
    path.unlink()
    path.symlink_to(tmp_path / "secret.jpeg")
    assert pixels(folder)[1] is None


def pixels(folder: Path) -> List[Any]:
    """Return the pictures of a run of one volume."""
    with open_subject(folder) as subject:
        (volume,) = volumes_of(subject, ORDER)
        points = list(time_points(subject, volume))
        return [pixels_of(subject, volume, point[0]) for point in points]


def test_pixels_are_red_green_blue(tmp_path: Path) -> None:
    """A picture has the colours of its JPEG, in the order that OME files have."""
    red, green, blue = pixels(small_run(tmp_path, (0, 30)))[1][5, 5]
    assert (abs(int(red) - 210), abs(int(green)), abs(int(blue) - 90)) < (4, 4, 4)
