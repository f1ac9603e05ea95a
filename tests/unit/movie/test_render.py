"""Movies made for real: every frame in its place, or one clear sentence and no file."""

import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, List, Optional

import cv2
import numpy as np
import pytest
from numbered import (
    BARE,
    HEIGHT,
    WIDTH,
    Pixels,
    context,
    frame_of,
    number_of,
    numbered,
    render,
    write_frames,
)
from PIL import Image, ImageSequence

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.ffmpeg import find_ffmpeg
from openflexure_timelapse.movie.gif import read_facts
from openflexure_timelapse.movie.render import MovieFrame, RenderJob
from openflexure_timelapse.recipe import Recipe

LONG = 60.0


def decoded(path: Path) -> List[Pixels]:
    """Return every frame of an MP4, blue first."""
    command = [find_ffmpeg(), "-v", "error", "-nostdin", "-i", str(path)]
    command += ["-f", "rawvideo", "-pix_fmt", "bgr24", "-"]
    raw = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    width, height = size_of(path)
    frames = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
    return list(frames)


def size_of(path: Path) -> "tuple[int, int]":
    """Return the width and height in the track header of an MP4 (ISO 14496-12)."""
    data = path.read_bytes()
    header = data.index(b"tkhd")
    size = data[header + 4 + 76 : header + 4 + 84]
    return int.from_bytes(size[:2], "big"), int.from_bytes(size[4:6], "big")


def gif_frames(path: Path) -> List[Pixels]:
    """Return every frame of a GIF, blue first."""
    with Image.open(path) as movie:
        return [
            np.asarray(frame.convert("RGB"))[..., ::-1]
            for frame in ImageSequence.Iterator(movie)
        ]


def numbers(frames: List[Pixels]) -> List[Optional[int]]:
    """Return the number in each frame."""
    return [number_of(frame) for frame in frames]


def leftovers(folder: Path) -> List[str]:
    """Return the hidden names in a folder."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def probe(path: Path) -> Dict[str, Any]:
    """Return what ffprobe says of the video stream."""
    program = shutil.which("ffprobe")
    if program is None:
        pytest.skip("ffprobe, from Debian's package ffmpeg, is not installed")
    command = [program, "-v", "error", "-select_streams", "v", "-count_frames"]
    command += ["-show_streams", "-of", "json", str(path)]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return dict(json.loads(told)["streams"][0])


EXPECTED: Dict[str, List[Optional[int]]] = {
    "hold": [*range(10), 9, 9, *range(12, 26), 25, 25],
    "blank": [*range(10), None, None, *range(12, 26), None, None],
}


@pytest.mark.parametrize("written", [True, False], ids=["overlays", "untouched"])
@pytest.mark.parametrize("gaps", ["hold", "blank"])
def test_every_slot_is_one_frame(
    frames: List[MovieFrame], tmp_path: Path, gaps: str, *, written: bool
) -> None:
    """Each slot is in its place, held or blank where it is missing, and labelled."""
    out = tmp_path / "movie.mp4"
    recipe = {} if written else BARE
    ended = render(frames, out, 28, gaps=gaps, **recipe).progress()
    assert (ended.state, ended.done, ended.fraction) == ("done", 28, 1.0)
    assert ended.file == str(out)
    made = decoded(out)
    assert numbers(made) == EXPECTED[gaps]
    assert [amber(frame) for frame in (made[9], made[10], made[26])] == [0, 1, 1]
    assert leftovers(tmp_path) == []


def amber(frame: Pixels) -> int:
    """Return 1 when something stands in the colour of gap labels."""
    blue, red = frame[..., 0].astype(int), frame[..., 2].astype(int)
    return int((red - blue > 60).sum() > 20)


def test_cut_gaps_are_labelled(frames: List[MovieFrame], tmp_path: Path) -> None:
    """A cut gap takes no time, but the frames after it say that there was one."""
    out = tmp_path / "movie.mp4"
    render(frames, out, gaps="cut", fps=2.0, **BARE)
    made = decoded(out)
    assert numbers(made) == [*range(10), *range(12, 26)]
    assert [amber(frame) for frame in made] == [0] * 10 + [1] * 3 + [0] * 11


def test_stream_is_what_browsers_play(frames: List[MovieFrame], tmp_path: Path) -> None:
    """Rate, length, colours, size and pixel format are those that we promise."""
    out = tmp_path / "movie.mp4"
    render(frames[:10], out, fps=12.5, width=128)
    stream = probe(out)
    found = {name: stream.get(name) for name in PROMISED}
    assert found == PROMISED
    assert Fraction(stream["avg_frame_rate"]) == Fraction(25, 2)
    assert float(stream["duration"]) == pytest.approx(10 / 12.5)


PROMISED = {
    "codec_name": "h264",
    "width": 128,
    "height": 96,
    "pix_fmt": "yuv420p",
    "color_range": "tv",
    "color_space": "smpte170m",
    "color_primaries": "bt709",
    "color_transfer": "bt709",
    "nb_read_frames": "10",
}


def test_index_comes_first(frames: List[MovieFrame], tmp_path: Path) -> None:
    """A browser can play before it has the whole file: moov stands before mdat."""
    out = tmp_path / "movie.mp4"
    render(frames[:3], out, **BARE)
    data = out.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("written", [True, False], ids=["overlays", "untouched"])
def test_colours_survive(tmp_path: Path, *, written: bool) -> None:
    """Saturated colours come back within a few levels, on both ways into ffmpeg."""
    colours = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (200, 60, 150), (255, 255, 255)]
    picture = np.zeros((128, 64 * len(colours), 3), np.uint8)
    for index, colour in enumerate(colours):
        picture[:, 64 * index : 64 * (index + 1)] = colour
    path = tmp_path / "patches.jpeg"
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 98])
    stored = cv2.imread(str(path)).astype(int)
    out = tmp_path / "movie.mp4"
    recipe = {**BARE, "title": "x"} if written else BARE
    render([frame_of(path, 0)], out, crf=4, **recipe)
    shown = decoded(out)[0].astype(int)
    for index in range(len(colours)):
        middle = (slice(56, 72), slice(64 * index + 24, 64 * index + 40))
        off = np.abs(shown[middle].mean(axis=(0, 1)) - stored[middle].mean(axis=(0, 1)))
        assert off.max() <= 4


@pytest.mark.parametrize("written", [True, False], ids=["overlays", "untouched"])
def test_odd_sizes_become_even(tmp_path: Path, *, written: bool) -> None:
    """A frame of odd width and height loses one column and one row."""
    odd = write_frames(tmp_path, range(4), (WIDTH + 1, HEIGHT + 1))
    out = tmp_path / "movie.mp4"
    render(odd, out, **({} if written else BARE))
    made = decoded(out)
    assert made[0].shape == (HEIGHT, WIDTH, 3)
    assert numbers(made) == [0, 1, 2, 3]


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_broken_files_are_labelled_gaps(tmp_path: Path, suffix: str) -> None:
    """A truncated, a missing and a garbage file are gaps; none is shown or fatal."""
    broken = write_frames(tmp_path, range(8))
    whole = Path(broken[2].path).read_bytes()
    Path(broken[2].path).write_bytes(whole[: len(whole) * 6 // 10])
    Path(broken[4].path).unlink()
    Path(broken[6].path).write_bytes(b"\xff\xd8 not a picture \xff\xd9")
    Path(broken[7].path).write_bytes(b"")
    out = tmp_path / f"movie.{suffix}"
    assert render(broken, out, fps=1.0, **BARE).progress().state == "done"
    made = decoded(out) if suffix == "mp4" else gif_frames(out)
    assert numbers(made) == [0, 1, 1, 3, 3, 5, 5, 5][: len(made)]
    assert [amber(frame) for frame in made[:3]] == [0, 0, 1]


def test_frames_of_another_size_are_fitted(tmp_path: Path) -> None:
    """A larger frame in the middle of a run changes neither size nor order."""
    mixed = write_frames(tmp_path, range(3))
    cv2.imwrite(mixed[1].path, numbered(1, (2 * WIDTH, 2 * HEIGHT)))
    out = tmp_path / "movie.mp4"
    render(mixed, out, **BARE)
    made = decoded(out)
    assert numbers(made) == [0, 1, 2]
    assert made[0].shape == (HEIGHT, WIDTH, 3)


def test_frames_of_another_shape_are_not_stretched(tmp_path: Path) -> None:
    """A wider frame in an untouched movie lies between black bars."""
    mixed = write_frames(tmp_path, range(3))
    cv2.imwrite(mixed[1].path, numbered(1, (2 * WIDTH, HEIGHT)))
    out = tmp_path / "movie.mp4"
    render(mixed, out, **BARE)
    made = decoded(out)
    middle = [made[index][:, WIDTH // 2].mean(axis=1) for index in range(3)]
    assert [bool(column[HEIGHT // 8] < 40) for column in middle] == [False, True, False]
    assert all(column[HEIGHT * 3 // 8] > 90 for column in middle)


def test_a_frame_that_ffmpeg_refuses_is_noticed(tmp_path: Path) -> None:
    """A movie with fewer frames than were sent is a failure, not a shorter movie."""
    frames = write_frames(tmp_path, range(3))
    data = Path(frames[1].path).read_bytes()
    arithmetic = data.replace(b"\xff\xc0", b"\xff\xc9", 1)  # ITU T.81, table B.1
    Path(frames[1].path).write_bytes(arithmetic)
    job = render(frames, tmp_path / "movie.mp4", **BARE)
    assert "2 frames where 3 were sent" in job.progress().message
    assert isinstance(job.error(), RenderError)
    assert not (tmp_path / "movie.mp4").exists()


def test_gif_has_every_slot(frames: List[MovieFrame], tmp_path: Path) -> None:
    """A GIF shows each slot for its time, loops, and has one palette."""
    out = tmp_path / "movie.gif"
    render(frames, out, 27, fps=7.0)
    made = gif_frames(out)
    with out.open("rb") as stream:
        facts = read_facts(stream)
    assert numbers(made) == [*range(10), 9, 9, *range(12, 26), 25]
    assert sum(facts.delays_cs) == round(100 * 27 / 7)
    assert set(facts.delays_cs) == {14, 15}
    assert facts.loops
    assert facts.local_palettes == 0


def test_gif_meets_its_budget(tmp_path: Path) -> None:
    """A noisy GIF is made smaller until it fits; what was given up is told."""
    noisy = []
    draw = np.random.default_rng(5)
    for slot in range(10):
        picture = numbered(slot, (480, 360)).astype(float)
        picture += draw.normal(0, 5, picture.shape)
        path = tmp_path / f"{slot}.jpeg"
        cv2.imwrite(str(path), np.clip(picture, 0, 255).astype(np.uint8))
        noisy.append(frame_of(path, slot))
    out = tmp_path / "movie.gif"
    ended = render(noisy, out, fps=5.0, max_mb=0.15).progress()
    assert ended.state == "done"
    assert out.stat().st_size <= 150_000
    assert "0.15 MB" in ended.message
    with out.open("rb") as stream:
        assert sum(read_facts(stream).delays_cs) == 200
    job = render(noisy, tmp_path / "tiny.gif", fps=5.0, max_mb=0.002)
    assert job.progress().state == "failed"
    assert "max_mb 0.002" in job.progress().message
    assert sorted(path.name for path in tmp_path.glob("*.gif")) == ["movie.gif"]
    assert leftovers(tmp_path) == []


def test_the_process_begins_lean() -> None:
    """It loads nothing that checks recipes, which took half of its start."""
    told = "import sys, openflexure_timelapse.movie.worker; "
    told += "print('pydantic' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", told], stdout=subprocess.PIPE, check=True
    )
    assert said.stdout.strip() == b"False"


def test_uncalibrated_cameras_get_a_remark(
    frames: List[MovieFrame], tmp_path: Path
) -> None:
    """A scale bar that cannot be drawn is no error, and is not passed over."""
    recipe = Recipe(format="mp4", timestamp=False, elapsed_time=False)
    out = tmp_path / "movie.mp4"
    job = RenderJob(frames[:3], 3, recipe, context(um=None), str(out))
    job.start()
    assert "not calibrated" in job.wait(LONG).message
