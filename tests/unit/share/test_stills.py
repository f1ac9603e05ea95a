"""Stills are sharp, spread over time and change, and never more than asked for."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import List

import pytest
from cases.gallery import bundled, noisy_jpeg, shared_run
from cases.stored import draft, new_run
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.errors import InvalidShareError, ShareError
from openflexure_timelapse.frame import Flag
from openflexure_timelapse.share.order import parse_order
from openflexure_timelapse.share.sharing import check_share, choices_of
from openflexure_timelapse.share.stills import (
    Candidate,
    chosen,
    quotas,
    suggested,
)
from openflexure_timelapse.share.subject import open_subject


def candidate(n: int, sharpness: float = 1.0) -> Candidate:
    """Return a frame of the second `n`."""
    return Candidate(n, f"{n}.jpeg", n * 10**9, sharpness)


known = st.tuples(st.floats(0, 1e6), st.floats(0, 255))


@given(st.lists(known, min_size=1, max_size=60), st.integers(1, 20))
def test_no_more_are_chosen_than_may_be_and_none_twice(
    facts: List["tuple[float, float]"], most: int
) -> None:
    """As many as may be, or all there are, in the order of time, each once."""
    candidates = [candidate(n, sharpness) for n, (sharpness, _) in enumerate(facts)]
    found = chosen(candidates, [0.0, *(change for _, change in facts[1:])], most)
    numbers = [one.n for one in found]
    assert len(numbers) == min(most, len(candidates))
    assert numbers == sorted(set(numbers))


def test_where_more_happens_more_is_shown() -> None:
    """Of a run that is quiet and then grows, the growth has most of the stills."""
    candidates = [candidate(n) for n in range(80)]
    found = chosen(candidates, [0.0] * 60 + [9.0] * 20, 10)
    assert sum(one.n >= 60 for one in found) >= 5
    assert sum(one.n < 60 for one in found) >= 3


def test_the_sharpest_of_its_time_is_chosen() -> None:
    """In a run where nothing changes, each tenth shows its sharpest frame."""
    sharp = {4, 11, 27, 33, 48, 56, 61, 72, 85, 97}
    candidates = [candidate(n, 9.0 if n in sharp else 1.0) for n in range(100)]
    assert {one.n for one in chosen(candidates, [0.0] * 100, 10)} == sharp


def test_a_sudden_change_leaves_nothing_empty() -> None:
    """Ten are chosen also where half the change lies between two frames."""
    changes = [0.0] * 40
    changes[20] = 200.0
    assert len(chosen([candidate(n) for n in range(40)], changes, 10)) == 10


@given(st.integers(1, 30), st.integers(1, 20))
def test_positions_share_the_stills(positions: int, most: int) -> None:
    """All may be used, and nobody has two more than another."""
    shares = quotas([str(index) for index in range(positions)], most)
    assert sum(shares.values()) == most
    assert max(shares.values()) - min(shares.values()) <= 1


def test_bad_and_lost_frames_are_not_suggested(tmp_path: Path) -> None:
    """What failed a check, and what is gone from the disk, is not among them."""
    with new_run(tmp_path) as store:
        for slot in range(8):
            flags = (Flag.BLURRED,) if slot < 3 else ()
            store.add_frame(noisy_jpeg(slot), replace(draft(slot), flags=flags), {})
        run = store.folder
    with open_subject(run) as subject:
        gone = subject.reader.frame(5)
        subject.path(gone).unlink()
        frames = suggested(subject, {"here": 20})
    assert [frame.n for frame in frames] == [4, 6, 7, 8]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"frames": [99]}, "has no frame 99; its last frame is 24"),
        ({"frames": [2], "position": "left"}, "of the position right, not of left"),
        ({"frames": list(range(1, 12))}, "11 stills of 2026-11-23_083029_pond are"),
    ],
)
def test_frames_that_cannot_be_shared_are_told(
    tmp_path: Path, order: "dict[str, object]", told: str
) -> None:
    """A number that is none, of another position, or one too many stands in the way."""
    run = shared_run(tmp_path, positions=("left", "right"))
    asked = parse_order({"destination": "nordic-microalgae", **order})
    with open_subject(run) as subject, pytest.raises(InvalidShareError) as caught:
        check_share(subject, asked)
    assert told in str(caught.value)


def test_what_can_be_chosen_is_what_would_be_suggested(tmp_path: Path) -> None:
    """Named one by one they make the same bundle; what fails is shown if all fail."""
    run = shared_run(tmp_path / "good", positions=("left", "right"))
    for destination, most, each in (
        ("nordic-microalgae", 10, False),
        ("inaturalist", 20, True),
        ("artportalen", 6, False),
        ("gbif", 10, False),
    ):
        with open_subject(run) as subject:
            told = choices_of(subject, parse_order({"destination": destination}))
        assert (told["most"], told["each"]) == (most, each)
        numbers = [still["n"] for still in told["stills"]]
        assert len(numbers) == min(most, 12) * 2 if each else most
        whole, named = (
            bundled(run, destination),
            bundled(run, destination, frames=numbers),
        )
        assert digests_of_images(whole) == digests_of_images(named)
    with open_subject(run) as subject:
        told = choices_of(subject, parse_order({"destination": "ome-tiff"}))
    assert told == {"most": None, "each": False, "stills": [], "movies": []}
    bad = shared_run(tmp_path / "bad", count=3, flags=(Flag.DARK,))
    with open_subject(bad) as subject:
        told = choices_of(subject, parse_order({"destination": "gbif"}))
    assert [still["flags"] for still in told["stills"]] == [["dark"]] * 3


def digests_of_images(bundle: Path) -> "list[str]":
    """Return what the images of a bundle hold."""
    files = sorted(bundle.rglob("*.jpg"))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def test_movies_that_can_be_named(tmp_path: Path) -> None:
    """Of iNaturalist the GIFs that are small enough, of GBIF every movie it takes."""
    run = shared_run(tmp_path)
    for name in ("here.gif", "here.mp4", "here.webm", "large.gif"):
        (run / "movies" / name).write_bytes(b"GIF")
    with (run / "movies" / "large.gif").open("ab") as stream:
        stream.truncate(20_971_521)
    found = {}
    with open_subject(run) as subject:
        for name in ("inaturalist", "gbif", "artportalen"):
            order = parse_order({"destination": name})
            found[name] = choices_of(subject, order)["movies"]
            found[name, "most"] = choices_of(subject, order)["most"]
    assert found["inaturalist"] == ["movies/here.gif"]
    assert found["inaturalist", "most"] == 19
    assert found["gbif"] == ["movies/here.gif", "movies/here.mp4", "movies/large.gif"]
    assert found["artportalen"] == []


def test_a_run_of_bad_frames_is_told(tmp_path: Path) -> None:
    """Where no frame passed its checks none is suggested, and they can be named."""
    run = shared_run(tmp_path, count=3, flags=(Flag.DARK,))
    with open_subject(run) as subject:
        with pytest.raises(InvalidShareError, match="passed its checks"):
            check_share(subject, parse_order({"destination": "nordic-microalgae"}))
        named = parse_order({"destination": "nordic-microalgae", "frames": [2]})
        (doubt,) = check_share(subject, named)
    assert "Frame 2 failed a check (dark)" in doubt.sentence


@pytest.mark.parametrize("damage", ["gone", "cut short"])
@pytest.mark.parametrize("destination", ["nordic-microalgae", "inaturalist"])
def test_a_named_frame_that_is_damaged_makes_no_bundle(
    tmp_path: Path, destination: str, damage: str
) -> None:
    """It is said which, and what to do; nothing is left behind."""
    run = shared_run(tmp_path, count=3)
    path = run / "frames" / "here" / "0000001.jpeg"
    path.write_bytes(path.read_bytes()[:9000])
    if damage == "gone":
        path.unlink()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ShareError, match=r"Frame 2 \(frames/here/0000001.jpeg\)"):
        bundled(run, destination, frames=[2])
    assert sorted(tmp_path.iterdir()) == before


def test_a_run_whose_files_are_gone_makes_no_bundle(tmp_path: Path) -> None:
    """An empty bundle is none."""
    run = shared_run(tmp_path, count=3)
    for path in run.rglob("*.jpeg"):
        path.unlink()
    with pytest.raises(ShareError, match=r"None of the frames .* is there"):
        bundled(run, "inaturalist")
