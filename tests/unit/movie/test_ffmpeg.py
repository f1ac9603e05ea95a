"""What ffmpeg is asked for, and what its failures mean."""

import signal
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple, Type

import cv2
import numpy as np
import pytest
from numbered import context, frame_of

from openflexure_timelapse.errors import (
    DiskFullError,
    FfmpegMissingError,
    RenderError,
    StorageError,
    TimelapseError,
)
from openflexure_timelapse.movie import ffmpeg
from openflexure_timelapse.movie.job import JobFile, write_job
from openflexure_timelapse.movie.mishap import explain
from openflexure_timelapse.movie.mp4 import limited_planes
from openflexure_timelapse.movie.render import _order
from openflexure_timelapse.recipe import Recipe

RATES = {15.0: "15", 29.97: "2997/100", 23.976: "2997/125", 0.1: "1/10", 7.5: "15/2"}
PROGRESS = {
    b"frame=12\n": 12,
    b"frame=  7": 7,
    b"fps=12.0\n": None,
    b"out_time=00:00:01\n": None,
    b"frame=x\n": None,
    b"": None,
}


@pytest.mark.parametrize(("fps", "text"), RATES.items(), ids=RATES.values())
def test_rates_are_fractions(fps: float, text: str) -> None:
    """A frame rate reaches ffmpeg as the number that a person wrote."""
    assert str(ffmpeg.rate(fps)) == text


@pytest.mark.parametrize(("line", "number"), PROGRESS.items())
def test_progress_lines(line: bytes, number: object) -> None:
    """The frame number is found in a progress line, and nowhere else."""
    assert ffmpeg.parse_progress(line) == number


@pytest.mark.parametrize(
    ("line", "number"), [(b"dup_frames=12\n", 12), (b"frame=12\n", None)]
)
def test_repeated_frames(line: bytes, number: object) -> None:
    """What ffmpeg showed twice is found in its line, and nowhere else."""
    assert ffmpeg.parse_repeated(line) == number


@pytest.mark.parametrize("kind", ["jpeg", "yuv"])
def test_commands(kind: str) -> None:
    """Both commands never read the terminal, tag their colours and start fast."""
    rate = Fraction(15)
    if kind == "jpeg":
        command = ffmpeg.jpeg_to_mp4("ffmpeg", rate, 23, "out.mp4")
    else:
        command = ffmpeg.yuv_to_mp4("ffmpeg", rate, (64, 48), 23, "out.mp4")
    assert "-nostdin" in command
    assert command[-1] == "out.mp4"
    for option, value in (
        ("-crf", "23"),
        ("-preset", "veryfast"),
        ("-movflags", "+faststart"),
        ("-color_range", "tv"),
        ("-colorspace", "smpte170m"),
        ("-color_primaries", "bt709"),
        ("-color_trc", "bt709"),
    ):
        assert command[command.index(option) + 1] == value


def test_planes_are_limited_and_averaged() -> None:
    """Planes are BT.601 in limited range; four pixels share their mean colour."""
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2, :2] = 255
    picture[2, 2] = (0, 0, 255)
    planes = limited_planes(picture)
    luma, u, v = planes[:16].reshape(4, 4), planes[16:20], planes[20:]
    assert luma[0, 0] == 235
    assert luma[0, 3] == 16
    assert abs(int(luma[2, 2]) - 81.5) <= 1  # 16 + 65.481 for pure red (BT.601)
    assert u[0] == v[0] == 128
    assert abs(int(v[3]) - (128 + 112 // 4)) <= 1
    assert abs(int(u[3]) - (128 - 38 // 4)) <= 1


def test_planes_agree_with_the_standard() -> None:
    """Random colours come out within one level of the standard's formula."""
    colours = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    picture = np.asarray(cv2.resize(colours, (64, 64), interpolation=cv2.INTER_NEAREST))
    planes = limited_planes(picture).astype(float)
    blue, green, red = (picture[..., index] / 255 for index in range(3))
    luma = 16 + 65.481 * red + 128.553 * green + 24.966 * blue
    u = 128 - 37.797 * red - 74.203 * green + 112.0 * blue
    v = 128 + 112.0 * red - 93.786 * green - 18.214 * blue
    wanted = [luma.ravel(), u[::2, ::2].ravel(), v[::2, ::2].ravel()]
    assert np.abs(planes - np.concatenate(wanted)).max() <= 1.6


class Mishap(NamedTuple):
    """What a process left behind, and the error made of it."""

    report: Mapping[str, Any]
    tail: Tuple[str, ...]
    code: int
    error: Type[TimelapseError]
    words: str


ENCODER = {"event": "failed", "kind": "encoder", "message": "ffmpeg ended with X."}
MISHAPS: Dict[str, Mishap] = {
    "full disk, told by ffmpeg": Mishap(
        ENCODER, ("av_write: No space left on device",), 1, DiskFullError, "No space"
    ),
    "full disk, told by the system": Mishap(
        {"kind": "system", "errno": 28, "message": "x"},
        (),
        1,
        DiskFullError,
        "No space",
    ),
    "file too large": Mishap(
        {**ENCODER, "message": "ffmpeg ended with signal 25."},
        (),
        1,
        StorageError,
        "too large",
    ),
    "no encoder": Mishap(
        ENCODER, ("Unknown encoder 'libx264'",), 1, FfmpegMissingError, "libx264"
    ),
    "another failure of ffmpeg": Mishap(
        ENCODER, ("first", "height not divisible by 2"), 1, RenderError, "divisible"
    ),
    "our own refusal": Mishap(
        {"kind": "render", "message": "None of it."},
        (),
        1,
        RenderError,
        "^None of it.$",
    ),
    "killed": Mishap({}, (), -int(signal.SIGKILL), RenderError, "signal 9"),
    "died of an exception": Mishap(
        {"event": "progress"}, ("KeyError: 5",), 1, RenderError, "code 1: KeyError: 5"
    ),
}


@pytest.mark.parametrize("mishap", MISHAPS.values(), ids=MISHAPS)
def test_mishaps_in_one_sentence(mishap: Mishap) -> None:
    """What a process leaves behind becomes one of our errors, in one line."""
    error = explain(Path("m/pond.mp4"), mishap.report, mishap.tail, mishap.code)
    assert type(error) is mishap.error
    assert "\n" not in str(error)
    with pytest.raises(mishap.error, match=mishap.words):
        raise error


@pytest.mark.parametrize("count", [0, 1, 3, 19, 20, 21, 500])
def test_job_files(tmp_path: Path, count: int) -> None:
    """A job file gives back its order and frames, whole, sampled, and the last slot."""
    path = tmp_path / "job.jsonl"
    order = _order(Recipe(title="\u6c34\n\u00e5"), context(9), "ffmpeg", tmp_path / "o")
    frames = [frame_of(Path("a b/\u00e5.jpeg"), 2 * slot) for slot in range(count)]
    write_job(path, order, iter(frames))
    job = JobFile(path)
    assert job.order == order
    assert list(job.frames()) == frames
    assert job.count() == count
    assert job.last_slot() == (2 * (count - 1) if count else -1)
    sample = list(job.sample(10))
    assert all(one.slot + 2 == other.slot for one, other in sample[:-1])
    slots = [frame.slot for frames_ in sample for frame in frames_]
    assert len(slots) >= min(count, 16)
    assert slots == sorted(set(slots))
    assert slots[:1] == [0][:count]
    assert_spread(slots, 2 * count)


def assert_spread(slots: List[int], end: int) -> None:
    """Check that no long stretch was left out of a sample."""
    gaps = [after - before for before, after in zip(slots, [*slots[1:], end])]
    assert max(gaps, default=0) <= max(4, end // 8)


def test_orders_carry_the_whole_recipe() -> None:
    """Every field of a recipe that concerns pixels reaches the process."""
    order = _order(Recipe(), context(), "ffmpeg", Path("out.mp4"))
    elsewhere = {"plane", "position"}  # they choose the frames
    assert set(Recipe.model_fields) - elsewhere <= set(vars(order))
    changed = Recipe(fps=7.5, crf=30, title="x", gaps="cut", gap_label=False)
    assert _order(changed, context(), "ffmpeg", Path("out.mp4")) == replace(
        order, fps=7.5, crf=30, title="x", gaps="cut", gap_label=False
    )
