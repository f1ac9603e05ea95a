"""A whole movie is put right: read back, it stands still and does not flicker."""

from pathlib import Path
from typing import Dict, List, Tuple

import cv2
import numpy as np
import pytest
from numbered import BARE, frame_of, job_of
from shaken import HEIGHT, WIDTH, Pixels, shaken

from openflexure_timelapse.drift import measure_shift
from openflexure_timelapse.movie.deflicker import correct_brightness
from openflexure_timelapse.movie.render import MovieFrame, RenderProgress

COUNT = 24
PATCH = slice(20, 60)


@pytest.fixture(name="frames", scope="module")
def _frames(tmp_path_factory: pytest.TempPathFactory) -> List[MovieFrame]:
    """Write a jittering, flickering run; the fourth frame is missing."""
    folder = tmp_path_factory.mktemp("frames")
    chance = np.random.default_rng(9)
    made = []
    for slot, shot in enumerate(shaken("algae_growth", COUNT, 120.0, 40)):
        if slot == 3:
            continue
        gain = np.full(3, 1.0 + chance.normal(0, 0.04), np.float32)
        path = folder / f"{slot}.jpeg"
        cv2.imwrite(str(path), correct_brightness(shot.pixels, gain))
        made.append(frame_of(path, slot))
    return made


def movie(
    frames: List[MovieFrame], out: Path, **recipe: object
) -> Tuple[RenderProgress, List[Pixels]]:
    """Return how a movie ended, and its frames."""
    job = job_of(frames, out, **{**BARE, "gap_label": False, **recipe})
    job.start()
    ended = job.wait()
    video = cv2.VideoCapture(str(out))
    pictures = []
    while True:
        found, picture = video.read()
        if not found:
            return ended, pictures
        pictures.append(np.asarray(picture, np.uint8))


def shake_px(pictures: List[Pixels]) -> float:
    """Return by how much the pictures jump from one to the next, in pixels."""
    greys = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in pictures]
    jumps = [
        measure_shift(np.asarray(a, np.uint8), np.asarray(b, np.uint8))
        for a, b in zip(greys, greys[1:])
    ]
    return float(np.median([np.hypot(jump.dx_px, jump.dy_px) for jump in jumps]))


def flicker(pictures: List[Pixels]) -> float:
    """Return by how much the background jumps in brightness, as a share."""
    levels = np.log([float(np.median(picture)) for picture in pictures])
    return float(np.abs(np.diff(levels)).mean())


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_a_movie_is_put_right(
    frames: List[MovieFrame], tmp_path: Path, suffix: str
) -> None:
    """With both filters the movie has a fraction of the jitter and of the flicker."""
    size: Dict[str, object] = {"width": 416}
    plain, before = movie(frames, tmp_path / f"plain.{suffix}", **size)
    both = {"deflicker": True, "stabilise": True, **size}
    right, after = movie(frames, tmp_path / f"right.{suffix}", **both)
    assert (plain.state, right.state) == ("done", "done"), right.message
    assert right.message == ""
    if suffix == "mp4":
        assert len(before) == len(after) == COUNT
    assert after[0].shape == before[0].shape
    assert shake_px(after) < 0.5 < shake_px(before) / 3
    assert flicker(after) < flicker(before) / 3


def test_deflicker_alone_moves_nothing(
    frames: List[MovieFrame], tmp_path: Path
) -> None:
    """Each filter does its own work only."""
    _, plain = movie(frames, tmp_path / "plain.mp4")
    _, even = movie(frames, tmp_path / "even.mp4", deflicker=True)
    assert flicker(even) < flicker(plain) / 3
    assert shake_px(even) == pytest.approx(shake_px(plain), rel=0.1)
    assert even[0].shape == (HEIGHT, WIDTH, 3)


def test_what_cannot_be_held_is_told(tmp_path: Path) -> None:
    """Where nothing stands still the movie is made, as it is, and says so."""
    made = []
    for slot, shot in enumerate(shaken("empty", 14, 20.0, 10)):
        path = tmp_path / f"{slot}.jpeg"
        path.write_bytes(shot.jpeg)
        made.append(frame_of(path, slot))
    ended, pictures = movie(made, tmp_path / "movie.mp4", stabilise=True)
    assert ended.state == "done"
    assert "nothing in the pictures stands still" in ended.message
    assert len(pictures) == len(made)
