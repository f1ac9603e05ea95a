"""What ffmpeg is asked for, and what its failures mean."""

import signal
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Type

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
from openflexure_timelapse.movie.codecs import coding, container
from openflexure_timelapse.movie.encoder import limited_planes
from openflexure_timelapse.movie.job import JobFile, order_of, write_job
from openflexure_timelapse.movie.mishap import explain
from openflexure_timelapse.recipe import Recipe

NS_PER_S = 1_000_000_000

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
    target = [*coding("libx264", 23), *container("mp4")]
    if kind == "jpeg":
        command = ffmpeg.jpeg_to_movie("ffmpeg", rate, target, "out.mp4")
    else:
        command = ffmpeg.yuv_to_movie("ffmpeg", rate, (64, 48), target, "out.mp4")
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
    order = order_of(
        Recipe(title="\u6c34\n\u00e5"), context(9), "ffmpeg", "libx264", tmp_path / "o"
    )
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
    order = order_of(Recipe(), context(), "ffmpeg", "libx264", Path("out.mp4"))
    # They choose the frames, and what is said of them; or reach it as other words.
    elsewhere = {"plane", "position", "author", "licence", "place"}
    elsewhere |= {"pace", "speed_up", "position_name"}  # beat_ns, name and names
    assert set(Recipe.model_fields) - elsewhere <= set(vars(order))
    changed = Recipe(fps=7.5, crf=30, title="x", gaps="cut", gap_label=False)
    assert order_of(
        changed, context(), "ffmpeg", "libx264", Path("out.mp4")
    ) == replace(
        order,
        fps=7.5,
        crf=30,
        title="x",
        gaps="cut",
        gap_label=False,
        about={"title": "x", "position": "here"},
    )


@pytest.mark.parametrize(
    ("recipe", "beat_ns"),
    [
        ({}, None),
        ({"pace": "real"}, 60 * NS_PER_S),
        ({"pace": "real", "speed_up": 45}, 3 * NS_PER_S),
    ],
    ids=str,
)
def test_real_time_in_a_frame_of_the_movie(
    recipe: Dict[str, Any], beat_ns: Optional[int]
) -> None:
    """The commonest interval, or as much as the speed says; none by slots."""
    usual = replace(context(), usual_interval_ns=60 * NS_PER_S)
    assert order_of(Recipe(**recipe), usual, "", "", Path("out")).beat_ns == beat_ns


@pytest.mark.parametrize(
    ("wanted", "several", "name"),
    [
        (None, False, ""),
        (None, True, "here"),
        (True, False, "here"),
        (False, True, ""),
    ],
)
def test_whose_name_is_drawn(
    *, wanted: Optional[bool], several: bool, name: str
) -> None:
    """The position's where there are several, or as the recipe says; so in a grid."""
    recipe, known = Recipe(position_name=wanted), replace(context(), several=several)
    assert order_of(recipe, known, "", "", Path("out")).name == name
    grid = replace(known, names=("left", "right"))
    order = order_of(recipe, grid, "", "", Path("out"))
    assert (order.name, any(order.names), len(order.names)) == ("", bool(name), 2)
