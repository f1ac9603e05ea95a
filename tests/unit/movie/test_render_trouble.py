"""Renders that are cancelled, killed or refused leave nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

import pytest
from cases.limits import file_size_limit
from numbered import BARE, context, frame_of, job_of, render

from openflexure_timelapse.errors import (
    DiskFullError,
    RenderCancelledError,
    RenderError,
    StorageError,
)
from openflexure_timelapse.movie.child import WORKER
from openflexure_timelapse.movie.ffmpeg import find_ffmpeg
from openflexure_timelapse.movie.job import order_of, write_job
from openflexure_timelapse.movie.mishap import explain
from openflexure_timelapse.movie.render import MovieFrame, RenderJob
from openflexure_timelapse.recipe import Recipe

LONG = 60.0
MANY = 3000


def endless(frames: List[MovieFrame]) -> Iterator[MovieFrame]:
    """Yield so many frames that no machine is done before a test is."""
    for slot in range(MANY * 100):
        path = Path(frames[slot % len(frames)].path)
        yield frame_of(path, slot)


def under_way(job: RenderJob) -> None:
    """Wait until a job has encoded something."""
    while job.progress().done == 0 and job.wait(0.02).state == "running":
        pass


def many(frames: List[MovieFrame]) -> List[MovieFrame]:
    """Return a run that takes a while."""
    return [
        frame_of(Path(frames[slot % len(frames)].path), slot) for slot in range(MANY)
    ]


def living_in_group(group: int) -> List[str]:
    """Return the processes of a group, without those that only wait to be reaped."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = entry.read_text().rpartition(")")
        except OSError:
            continue  # it ended meanwhile
        state, _, of_group = rest.split()[:3]
        if int(of_group) == group and state not in "ZX":
            found.append(name)
    return found


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_cancel_leaves_nothing(
    frames: List[MovieFrame], tmp_path: Path, suffix: str
) -> None:
    """A render cancelled half-way ends at once, with no file and no process."""
    job = job_of(many(frames), tmp_path / f"movie.{suffix}")
    job.start()
    under_way(job)
    process = job._child.process
    assert process is not None
    job.cancel()
    ended = job.wait(LONG)
    assert ended.state == "cancelled"
    assert process.returncode == -signal.SIGKILL
    assert isinstance(job.error(), RenderCancelledError)
    assert list(tmp_path.iterdir()) == []
    assert living_in_group(process.pid) == []


def test_a_render_steps_back(frames: List[MovieFrame], tmp_path: Path) -> None:
    """The recording comes first: for the processor, the card, and the memory."""
    job = job_of(many(frames), tmp_path / "movie.mp4")
    job.start()
    under_way(job)
    process = job._child.process
    assert process is not None
    proc = Path(f"/proc/{process.pid}")
    niceness = proc.joinpath("stat").read_text().rpartition(")")[2].split()[16]
    assert int(niceness) == min(os.nice(0) + 10, 19)
    assert int(proc.joinpath("oom_score_adj").read_text()) == 500
    session = proc.joinpath("autogroup")
    if session.exists():  # else the niceness alone decides
        assert session.read_text().split()[-1] == niceness
    if shutil.which("ionice"):
        command = ["ionice", "-p", str(process.pid)]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        assert told.stdout.startswith(b"idle")
    job.cancel()
    job.wait(LONG)


def test_cancel_while_frames_are_listed(
    frames: List[MovieFrame], tmp_path: Path
) -> None:
    """A render of an endless list of frames can be cancelled."""
    job = RenderJob(
        endless(frames), 1, Recipe(), context(), str(tmp_path / "movie.mp4")
    )
    job.start()
    job.cancel()
    assert job.wait(LONG).state == "cancelled"
    assert list(tmp_path.iterdir()) == []


def test_cancel_before_the_start(frames: List[MovieFrame], tmp_path: Path) -> None:
    """A job cancelled in the queue never starts."""
    job = job_of(frames, tmp_path / "movie.mp4")
    job.cancel()
    job.start()
    assert job.wait(LONG).state == "cancelled"
    assert list(tmp_path.iterdir()) == []


def test_cancel_after_the_end_keeps_the_movie(
    frames: List[MovieFrame], tmp_path: Path
) -> None:
    """A finished movie stays finished, and a job starts only once."""
    job = render(frames[:2], tmp_path / "movie.mp4", **BARE)
    job.cancel()
    assert job.progress().state == "done"
    assert (tmp_path / "movie.mp4").exists()
    with pytest.raises(RenderError, match="started before"):
        job.start()


def test_a_killed_process_is_reported(frames: List[MovieFrame], tmp_path: Path) -> None:
    """A process that the system kills is a failure in words, with nothing left."""
    job = job_of(many(frames), tmp_path / "movie.mp4")
    job.start()
    under_way(job)
    process = job._child.process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    ended = job.wait(LONG)
    assert ended.state == "failed"
    assert "signal 9" in ended.message
    assert list(tmp_path.iterdir()) == []


def test_a_worker_without_its_parent_ends(
    frames: List[MovieFrame], tmp_path: Path
) -> None:
    """When the server is killed, its movies stop and remove what they began."""
    folder = tmp_path / "work"
    folder.mkdir()
    out = folder / "movie.mp4"
    order = order_of(Recipe(), context(), find_ffmpeg(), "libx264", out)
    write_job(folder / "job.jsonl", order, many(frames))
    worker = started(folder / "job.jsonl")
    assert worker.stdout is not None
    assert b"progress" in worker.stdout.readline()
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(LONG) == -signal.SIGKILL
    worker.stdout.close()
    assert list(tmp_path.iterdir()) == []


def started(job: Path) -> "subprocess.Popen[bytes]":
    """Start the process as `RenderJob` does."""
    return subprocess.Popen(
        [sys.executable, "-m", WORKER, str(job)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.fixture
def open_pipe() -> Iterator[int]:
    """Give the reading end of a pipe that stays open: the parent that lives."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_a_full_disk_is_one_sentence(
    frames: List[MovieFrame], tmp_path: Path, open_pipe: int, suffix: str
) -> None:
    """Writing to a device without space is told as a full disk."""
    order = order_of(
        Recipe(format=suffix, **BARE),
        context(),
        find_ffmpeg(),
        "libx264",
        Path("/dev/full"),
    )
    job = tmp_path / "job.jsonl"
    write_job(job, order, frames)
    worker = subprocess.run(
        [sys.executable, "-m", WORKER, str(job)],
        stdin=open_pipe,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    report = json.loads(worker.stdout.splitlines()[-1])
    tail = worker.stderr.decode().splitlines()
    error = explain(Path("movie.mp4"), report, tail, worker.returncode)
    assert isinstance(error, DiskFullError)
    assert str(error) == "No space is left to write movie.mp4; free some space."


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_a_file_that_cannot_grow(
    frames: List[MovieFrame], tmp_path: Path, suffix: str
) -> None:
    """A file system that refuses the movie leaves one sentence and no file."""
    job = job_of(frames, tmp_path / f"movie.{suffix}", crf=0, noise_hold=0)
    with file_size_limit(9_000):
        job.start()
        ended = job.wait(LONG)
    assert ended.state == "failed"
    assert isinstance(job.error(), StorageError)
    assert "too large" in ended.message
    assert "\n" not in ended.message
    assert list(tmp_path.iterdir()) == []


def test_refusals(frames: List[MovieFrame], tmp_path: Path) -> None:
    """No frames, only broken ones, disorder, no folder: a sentence each, no file."""
    nowhere = frame_of(tmp_path / "none.jpeg", 0)
    cases = {
        "no frames to show": ([], tmp_path / "a.mp4"),
        "None of the 1 frames": ([nowhere], tmp_path / "b.gif"),
        "Slot 0 comes after": ([frames[1], frames[0]], tmp_path / "c.mp4"),
        "does not exist": (frames[:1], tmp_path / "no" / "d.mp4"),
    }
    for words, (some, out) in cases.items():
        job = render(some, out, **BARE)
        assert job.progress().state == "failed"
        assert words in job.progress().message
        assert job.error() is not None
    assert list(tmp_path.iterdir()) == []


def test_frames_that_fail_are_reported(tmp_path: Path) -> None:
    """An error of whoever lists the frames ends the job, in words."""

    def failing() -> Iterator[MovieFrame]:
        yield frame_of(tmp_path / "x.jpeg", 0)
        raise KeyError(5)

    job = RenderJob(failing(), 1, Recipe(), context(), str(tmp_path / "movie.mp4"))
    job.start()
    assert "KeyError(5" in job.wait(LONG).message
    assert list(tmp_path.iterdir()) == []
