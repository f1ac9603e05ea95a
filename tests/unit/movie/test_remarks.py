"""What is said of a movie: frames that could not be shown, ffmpeg that is not there."""

from pathlib import Path
from typing import List

import pytest
from numbered import context, frame_of, job_of, numbered, render, write_frames

from openflexure_timelapse.errors import FfmpegMissingError
from openflexure_timelapse.movie.ffmpeg import CHOICE, find_ffmpeg
from openflexure_timelapse.movie.filters import content_size
from openflexure_timelapse.movie.job import JobFile, order_of, write_job
from openflexure_timelapse.movie.render import MovieContext, MovieFrame
from openflexure_timelapse.movie.stills import DAMAGED, Loader
from openflexure_timelapse.recipe import Recipe

EOI = b"\xff\xd9"


@pytest.fixture(name="frames")
def _frames(tmp_path: Path) -> List[MovieFrame]:
    """Write twelve numbered frames."""
    folder = tmp_path / "frames"
    folder.mkdir()
    return write_frames(folder, range(12))


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_frames_that_are_not_shown_are_counted(
    frames: List[MovieFrame], tmp_path: Path, suffix: str
) -> None:
    """A finished movie says how many frames were missing or damaged."""
    whole = render(frames, tmp_path / f"whole.{suffix}").progress()
    assert (whole.state, whole.message) == ("done", "")
    Path(frames[3].path).unlink()
    Path(frames[5].path).write_bytes(b"\xff\xd8 no picture")
    ended = render(frames, tmp_path / f"movie.{suffix}").progress()
    assert ended.state == "done"
    assert ended.message == "2 of 12 frames could not be shown"


def test_a_small_movie_says_what_is_not_written(
    frames: List[MovieFrame], tmp_path: Path
) -> None:
    """Where a picture is too small for the overlays, the movie's remark says so."""
    ended = render(frames, tmp_path / "movie.gif", width=64).progress()
    assert ended.message.startswith("no clocks, scale bar or title: 64 x 48 pixels")


@pytest.mark.parametrize("width", [192, 96, 48])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_picture_cut_in_the_middle_is_not_shown(
    frames: List[MovieFrame], width: int, kept: float
) -> None:
    """A JPEG that lost its middle and kept its end mark is damaged, not half grey."""
    loader = Loader(content_size((192, 144), (width, 144)))
    assert [loader.load(frame).problem for frame in frames] == [""] * 12
    path = Path(frames[3].path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)].rstrip(b"\xff") + EOI)
    shot = loader.load(frames[3])
    assert (shot.picture, shot.problem) == (None, DAMAGED)


def test_grey_pictures_are_shown(tmp_path: Path) -> None:
    """A picture that is whole and as grey as a decoder's fill is no damage."""
    (frame,) = write_frames(tmp_path, [0])
    assert (numbered(0)[-1, -1] == 128).all()
    shot = Loader((192, 144)).load(frame)
    assert shot.picture is not None


@pytest.mark.parametrize("kind", ["missing", "not executable", "folder"])
def test_an_unusable_ffmpeg_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A chosen ffmpeg that is none is blamed itself, with the name of the choice."""
    program = tmp_path / "ffmpeg"
    if kind == "not executable":
        program.write_bytes(b"")
    if kind == "folder":
        program.mkdir()
    monkeypatch.setenv(CHOICE, str(program))
    with pytest.raises(FfmpegMissingError, match=f"{program} .*unset {CHOICE}"):
        find_ffmpeg()
    job = job_of([frame_of(tmp_path / "x.jpeg", 0)], tmp_path / "movie.mp4")
    with pytest.raises(FfmpegMissingError):
        job.start()


def test_an_ffmpeg_that_does_not_start_is_named(
    frames: List[MovieFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that may be executed and is no program is told as what it is."""
    program = tmp_path / "ffmpeg"
    program.write_bytes(b"\x7fELF no program")
    program.chmod(0o755)
    monkeypatch.setenv(CHOICE, str(program))
    job = render(frames, tmp_path / "movie.mp4")
    assert isinstance(job.error(), FfmpegMissingError)
    assert f"The ffmpeg program {program} cannot be started" in str(job.error())
    assert list(tmp_path.glob("*movie*")) == []


def test_progress_never_falls(frames: List[MovieFrame], tmp_path: Path) -> None:
    """While a GIF is made again and smaller, its bar stays where it was."""
    job = job_of(frames, tmp_path / "movie.gif")
    seen = []
    for done in (3, 9, 1, 5, 10, 12):
        told = {"done": done, "total": 12, "fraction": done / 12, "message": "again"}
        job._note({"event": "progress", **told})
        now = job.progress()
        seen.append((now.done, now.fraction))
    assert seen == sorted(seen)
    assert [done for done, _ in seen] == [3, 9, 9, 9, 10, 12]


def test_the_reason_of_the_end_reaches_the_process(
    frames: List[MovieFrame], tmp_path: Path
) -> None:
    """Why the last slots are missing goes with the order."""
    known = MovieContext(1, 1, None, "here", 20, end_reason="disk_full")
    write_job(
        tmp_path / "job", order_of(Recipe(), known, "", "", tmp_path / "out"), frames
    )
    assert JobFile(tmp_path / "job").order.end_reason == "disk_full"
    assert context().end_reason == ""
