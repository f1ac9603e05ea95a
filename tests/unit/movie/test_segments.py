"""Segments: the same bytes whenever they were encoded, and a film that always plays."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, List

import pytest
from numbered import BARE, context, frame_of, render, write_frames

from openflexure_timelapse.movie import segments
from openflexure_timelapse.movie.codecs import tools_of
from openflexure_timelapse.movie.ffmpeg import find_ffmpeg
from openflexure_timelapse.movie.frames import MovieFrame
from openflexure_timelapse.movie.job import JobFile, order_of, write_job
from openflexure_timelapse.movie.reel import _write_whole, forget_reel, journal_of
from openflexure_timelapse.movie.worker import _Work
from openflexure_timelapse.recipe import Recipe

SMALL = 8
SLOTS = 30
MISSING = (13, 14, 15, 16, 17)  # the gap goes across the end of a segment
BROKEN = 21

Make = Callable[..., bytes]


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory: pytest.TempPathFactory) -> List[MovieFrame]:
    """Return the frames of a run with a gap and a broken file."""
    folder = tmp_path_factory.mktemp("run")
    frames = write_frames(folder, [n for n in range(SLOTS) if n not in MISSING])
    (broken,) = [frame for frame in frames if frame.slot == BROKEN]
    Path(broken.path).write_bytes(b"\xff\xd8 not a picture \xff\xd9")
    return frames


@pytest.fixture(name="make")
def _make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return what makes movies of small segments, in this process."""
    monkeypatch.setattr(segments, "SEGMENT_FRAMES", SMALL)

    def make(frames: List[MovieFrame], film: str = "", **order: Any) -> bytes:
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        recipe = Recipe(**{**BARE, **order.pop("recipe", {})})
        asked = order_of(recipe, context(SLOTS), *tools_of(recipe), tmp_path / "o.mp4")
        path = str(tmp_path / film) if film else ""
        write_job(work / "job.jsonl", replace(asked, film=path, **order), frames)
        _Work(JobFile(work / "job.jsonl"), work).make()
        shutil.rmtree(str(work))
        return b"" if order.get("rolling") else (tmp_path / "o.mp4").read_bytes()

    return make


def probe(path: Path, *shown: str) -> Dict[str, Any]:
    """Return what ffprobe says."""
    program = shutil.which("ffprobe")
    if program is None:
        pytest.skip("ffprobe, from Debian's package ffmpeg, is not installed")
    command = [program, "-v", "error", *shown, "-of", "json", str(path)]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return dict(json.loads(told))


def pictures(path: Path) -> List[str]:
    """Return a digest of each picture of a movie, as ffmpeg decodes it."""
    command = [find_ffmpeg(), "-v", "error", "-nostdin", "-i", str(path)]
    command += ["-f", "framemd5", "-"]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
    lines = [line for line in told.splitlines() if not line.startswith("#")]
    return [line.split(",")[-1].strip() for line in lines]


@pytest.mark.parametrize("recipe", [{}, {"timestamp": True}], ids=["files", "drawn"])
def test_work_done_along_the_way_is_the_work_of_the_movie(
    run: List[MovieFrame], make: Make, tmp_path: Path, recipe: Dict[str, Any]
) -> None:
    """Encoded as the frames came, or all at once: the same bytes."""
    fresh = make(run, recipe=recipe)
    assert make(run, recipe=recipe) == fresh
    film = tmp_path / "f_so_far.mp4"
    for count in (1, 3, 9, 14, 18, 24):
        make(run[:count], film.name, rolling=True, recipe=recipe)
    kept = [line for line in journal_of(film).read_bytes().splitlines() if line]
    assert len(kept) == 1 + run[23].slot // SMALL
    assert make(run, film.name, recipe=recipe) == fresh


def test_frames_follow_one_another_exactly(
    run: List[MovieFrame], make: Make, tmp_path: Path
) -> None:
    """Across the ends of segments every frame lasts as long, also at an odd rate."""
    make(run, recipe={"fps": 29.97})
    shown = probe(tmp_path / "o.mp4", "-show_packets", "-show_streams")
    times = sorted(packet["pts"] for packet in shown["packets"])
    ticks = times[1]
    assert times == [index * ticks for index in range(SLOTS)]
    decoded = [packet["dts"] for packet in shown["packets"]]
    assert decoded == sorted(set(decoded))
    (stream,) = shown["streams"]
    assert stream["avg_frame_rate"] == "2997/100"
    assert stream["nb_frames"] == str(SLOTS)
    assert float(stream["duration"]) == pytest.approx(SLOTS / 29.97, abs=1e-5)


def test_other_frames_and_another_recipe_are_not_taken_over(
    run: List[MovieFrame], make: Make, tmp_path: Path
) -> None:
    """What was encoded of other frames, or in another way, is encoded anew."""
    fresh = make(run)
    make(run[:20], "f_so_far.mp4", rolling=True, recipe={"crf": 40})
    assert make(run, "f_so_far.mp4") == fresh
    forget_reel(tmp_path / "f_so_far.mp4")
    others = [replace(run[0], gap_reason="paused"), *run[1:]]
    make(others[:20], "f_so_far.mp4", rolling=True)
    assert make(run, "f_so_far.mp4") == fresh


def test_a_damaged_film_is_not_taken_over(
    run: List[MovieFrame], make: Make, tmp_path: Path
) -> None:
    """A byte that changed in a segment costs that segment, and no picture."""
    fresh = make(run)
    film = tmp_path / "f_so_far.mp4"
    make(run, film.name, rolling=True)
    data = bytearray(film.read_bytes())
    data[len(data) // 2] ^= 0xFF
    film.write_bytes(bytes(data))
    assert make(run, film.name) == fresh


class KilledError(Exception):
    """Stands for a kill."""


class Dying:
    """A file whose writer is killed after so many bytes, in the middle of a write."""

    def __init__(self, stream: BinaryIO, left: int) -> None:
        self._stream = stream
        self.left = left

    def write(self, data: bytes) -> None:
        """Write what still can be written."""
        self._stream.write(data[: self.left])
        self._stream.flush()
        self.left -= len(data)
        if self.left < 0:
            raise KilledError

    def __getattr__(self, name: str) -> Any:
        """Do everything else as usual."""
        return getattr(self._stream, name)


def split_at(data: bytes, kind: bytes) -> List[bytes]:
    """Return what lies between boxes of a kind; each box is the begin of a part."""
    places = [0]
    at = data.find(kind)
    while at >= 0:
        places.append(at - 4)
        at = data.find(kind, at + 1)
    return [data[one:other] for one, other in zip(places, [*places[1:], len(data)])]


def test_a_kill_at_any_byte_leaves_a_film_that_plays(
    run: List[MovieFrame], make: Make, tmp_path: Path
) -> None:
    """What was there before plays to its end, and the film goes on from there."""
    fresh = make(run)
    film = tmp_path / "f_so_far.mp4"
    make(run[:16], film.name, rolling=True)
    before, lines = film.read_bytes(), journal_of(film).read_bytes()
    _, *parts = split_at(before, b"moof")
    new = parts[-1]
    total = len(new) + len(b"moof")
    for killed in [*range(0, total, 487), len(new), total - 1]:
        film.write_bytes(before[: len(before) - len(new)])
        with film.open("r+b") as stream:
            stream.seek(0, os.SEEK_END)
            with pytest.raises(KilledError):
                _write_whole(Dying(stream, killed), [new])  # type: ignore[arg-type]
        told = probe(film, "-count_frames", "-show_streams")["streams"][0]
        assert int(told["nb_read_frames"]) == 2 * SMALL
        assert len(pictures(film)) == 2 * SMALL
        if killed % 3 == 0:
            cut = lines[: len(lines) - killed % 60]
            journal_of(film).write_bytes(cut)
            assert make(run, film.name) == fresh
            journal_of(film).write_bytes(lines)


def test_whole_renders_are_the_same_bytes(tmp_path: Path) -> None:
    """Two processes, and a copy of the frames in another folder, agree to the byte."""
    made = []
    for name in ("here", "somebody's other folder"):
        folder = tmp_path / name
        folder.mkdir()
        (first,) = write_frames(folder, [0])
        frames = [frame_of(Path(first.path), slot) for slot in range(140)]
        job = render(frames, folder / "movie.mp4", fps=30.0)
        assert job.progress().state == "done"
        movie = folder / "movie.mp4"
        made.append(hashlib.sha256(movie.read_bytes()).hexdigest())
        assert len(set(pictures(movie))) > 1
    assert made[0] == made[1]
