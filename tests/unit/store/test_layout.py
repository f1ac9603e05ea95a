"""Names of runs and files: plain, unique, and read back as they were written."""

import re
from datetime import timedelta

import pytest
from cases.stored import RUN_ID, START_NS
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.errors import InvalidRequestError
from openflexure_timelapse.plan import slug
from openflexure_timelapse.store.layout import (
    FrameName,
    check_run_id,
    frame_file,
    is_run_id,
    local_time,
    new_run_id,
    parse_frame_file,
)

BAD_IDS = [
    "",
    ".",
    "..",
    "../pond",
    "a/b",
    "/etc",
    "a\\b",
    ".hidden",
    "a.b",
    "-rf",
    "a b",
    "a\n",
    "a\0",
    "å",
    "x" * 121,
]
FOREIGN = [
    "frames/here/1.jpeg",
    "frames/here/0000001.jpg",
    "frames/here/0000001.JPEG",
    "frames/here/0000001_z0.jpeg",
    "frames/here/0000001_z01.jpeg",
    "frames/here/00000001.jpeg",
    "frames/Here/0000001.jpeg",
    "frames/-/0000001.jpeg",
    "frames/0000001.jpeg",
    "frames/here/deep/0000001.jpeg",
    "movies/here/0000001.jpeg",
    "/frames/here/0000001.jpeg",
    "frames/../here/0000001.jpeg",
    "frames/here/0000001.jpeg\n",
]


@pytest.mark.parametrize("run_id", BAD_IDS)
def test_a_path_is_not_a_run_id(run_id: str) -> None:
    """A run id with a slash, a dot or anything else odd is refused and shown."""
    with pytest.raises(InvalidRequestError, match=re.escape(repr(run_id))):
        check_run_id(run_id)


def test_new_ids_are_made_of_local_time_and_name() -> None:
    """An id has the local start time and the plan's name, and is taken only once."""
    taken = set()
    for expected in (RUN_ID, f"{RUN_ID}_2", f"{RUN_ID}_3"):
        run_id = new_run_id("Pond", START_NS, 3600, taken.__contains__)
        taken.add(check_run_id(run_id))
        assert run_id == expected
    assert len(taken) == 3


@given(st.text(max_size=90), st.integers(-(10**18), 4 * 10**18))
def test_every_name_gives_a_valid_id(name: str, wall_ns: int) -> None:
    """Whatever a plan is called and whatever the clock says, the id is a plain name."""
    assert is_run_id(new_run_id(name, wall_ns, 0, lambda _run_id: False))


@given(st.integers(0, 4 * 10**18), st.integers(-14 * 3600, 14 * 3600))
def test_local_time_is_the_same_instant(wall_ns: int, offset_s: int) -> None:
    """Local time with its offset names the same instant, to the microsecond."""
    moment = local_time(wall_ns, offset_s)
    epoch = local_time(0, 0)
    assert (moment - epoch) // timedelta(microseconds=1) == wall_ns // 1000
    assert abs(moment.utcoffset() - timedelta(seconds=offset_s)).seconds <= 30


@given(
    st.text(min_size=1, max_size=80).filter(slug),
    st.integers(0, 10**9),
    st.integers(0, 999),
)
def test_a_file_name_tells_its_frame(position: str, slot: int, plane: int) -> None:
    """Position, slot and plane are read back from a frame's file name."""
    expected = FrameName(slug(position), slot, plane)
    assert parse_frame_file(frame_file(position, slot, plane)) == expected


def test_file_names_are_as_documented() -> None:
    """The first plane has the plain name, the others say which they are."""
    assert frame_file("Left Pond", 7, 0) == "frames/left-pond/0000007.jpeg"
    assert frame_file("Left Pond", 7, 2) == "frames/left-pond/0000007_z2.jpeg"


@pytest.mark.parametrize("file", FOREIGN)
def test_other_files_are_not_frames(file: str) -> None:
    """Only the one spelling that the store writes is taken for a frame."""
    assert parse_frame_file(file) is None
