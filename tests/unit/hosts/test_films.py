"""The film so far of a run: it grows, it plays, and it is in nobody's way."""

import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from cases.services import NS_PER_S, PATIENCE_S, after, left, made, record

from hardware_sim import VirtualClock
from openflexure_timelapse.errors import DiskFullError
from openflexure_timelapse.hosts import films
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.movie.rolling import can_roll, next_step
from openflexure_timelapse.movie.segments import SEGMENT_FRAMES
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.store.verify import verify

MOVIE: Dict[str, Any] = {"width": 160, "scale_bar": False}
FILM = "movies/here_so_far.mp4"

Steps = threading.Semaphore


@pytest.fixture(name="steps")
def _steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Let films grow at once; each look at them that has ended is counted."""
    monkeypatch.setattr(films, "FIRST_REST_NS", 0)
    monkeypatch.setattr(films, "REST", 0)
    steps, inner = threading.Semaphore(0), films._FilmSet.step

    def step(films_of_run: films._FilmSet) -> bool:
        try:
            return inner(films_of_run)
        finally:
            steps.release()

    monkeypatch.setattr(films._FilmSet, "step", step)
    return steps


def at(service: Service, second: int, act: Callable[[], Any]) -> None:
    """Do something at a time of a run; the run waits for it."""
    clock = service._clock
    assert isinstance(clock, VirtualClock)
    clock.call_at(clock.monotonic_ns() + second * NS_PER_S, act)


def leave(service: Service) -> None:
    """Leave a run to a later process."""
    engine = service._recorder._engine
    assert engine is not None
    engine.leave()


def names(service: Service, run_id: str) -> List[str]:
    """Return the names of the movies that are listed."""
    listed = [entry["name"] for entry in service.files(run_id)["files"]]
    return [name for name in listed if name.startswith("movies/")]


def frames_in(movie: Path) -> int:
    """Return how many frames another reader finds."""
    program = shutil.which("ffprobe")
    if program is None:
        pytest.skip("ffprobe, from Debian's package ffmpeg, is not installed")
    command = [program, "-v", "error", "-count_frames", "-of", "csv=p=0"]
    command += ["-show_entries", "stream=nb_read_frames", str(movie)]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def test_a_film_grows_and_becomes_the_movie(tmp_path: Path, steps: Steps) -> None:
    """It can be had while the run records; then the movie stands in its place."""
    service = made(tmp_path)
    seen: List[Any] = []

    def look() -> None:
        assert steps.acquire(timeout=PATIENCE_S)
        run_id = str(service.status()["run_id"])
        seen.extend(names(service, run_id))
        seen.append(frames_in(service.file(run_id, FILM)))
        seen.extend(service.run(run_id)["movies"])
        seen.append(verify(tmp_path / run_id).ok)

    at(service, 45, look)
    run_id = record(service, movie=MOVIE, frames=4)
    assert seen == [FILM, seen[1], True]
    assert seen[1] in {1, 2}
    (job,) = service.queue.movie_ids(run_id)
    assert service.queue.wait(job, PATIENCE_S)["state"] == "done"
    service.close()
    movies = tmp_path / run_id / "movies"
    assert [item.name for item in movies.iterdir()] == ["here.mp4"]
    third = after(service, tmp_path)
    (asked,) = third.make_movie(run_id, MOVIE)["jobs"]
    assert third.queue.wait(asked["job"], PATIENCE_S)["state"] == "done"
    third.close()
    assert (movies / "here_2.mp4").read_bytes() == (movies / "here.mp4").read_bytes()


def test_a_film_goes_on_after_a_restart(tmp_path: Path, steps: Steps) -> None:
    """What a program left of a run, another one shows, and adds to it."""
    service = made(tmp_path)
    at(service, 40, lambda: steps.acquire(timeout=PATIENCE_S))
    at(service, 45, lambda: leave(service))
    run_id = record(service, movie=MOVIE, frames=4)
    service.close()
    film = tmp_path / run_id / FILM
    before = frames_in(film)
    movies = tmp_path / run_id / "movies"
    assert sorted(item.name for item in movies.iterdir()) == [
        ".here_so_far.jsonl",
        "here_so_far.mp4",
    ]
    second = after(service, tmp_path)
    grown: List[int] = []

    def look() -> None:
        assert steps.acquire(timeout=PATIENCE_S)
        grown.append(frames_in(film))

    at(second, 40, look)
    assert second.resume_interrupted() == run_id
    assert second.wait(PATIENCE_S)
    assert grown
    assert grown[0] >= before
    (job,) = second.queue.movie_ids(run_id)
    assert second.queue.wait(job, PATIENCE_S)["state"] == "done"
    second.close()
    assert [item.name for item in movies.iterdir()] == ["here.mp4"]


def test_a_film_that_fails_is_told_and_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: Steps
) -> None:
    """The status says what is wrong, the run captures on."""
    service = made(tmp_path)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/dev/null")
    told: List[str] = []

    def look() -> None:
        assert steps.acquire(timeout=PATIENCE_S)
        told.extend(service.status()["warnings"])

    at(service, 45, look)
    record(service, movie=MOVIE)
    assert "The film so far of 'here' does not grow" in told[0]
    assert "IMAGEIO_FFMPEG_EXE" in told[0]
    assert service.status()["end_reason"] == "completed"
    service.close()


def test_what_nobody_foresaw_is_told_and_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log is read by nobody; the status says it until a look goes well."""
    monkeypatch.setattr(films, "FIRST_REST_NS", 0)
    looked = threading.Semaphore(0)

    def step(_: films._FilmSet) -> bool:
        looked.release()
        raise RuntimeError("a library has changed")

    monkeypatch.setattr(films._FilmSet, "step", step)
    service = made(tmp_path)
    told: List[str] = []

    def look() -> None:
        # The second look comes when the first is over and done with.
        assert looked.acquire(timeout=PATIENCE_S)
        told.extend(service.status()["warnings"])

    at(service, 15, lambda: looked.acquire(timeout=PATIENCE_S))
    at(service, 45, look)
    record(service, movie=MOVIE)
    assert told == ["The films so far do not grow: a library has changed"]
    assert service.status()["end_reason"] == "completed"
    service.close()


def test_a_film_leaves_free_what_the_plan_leaves_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: Steps
) -> None:
    """Where the plan leaves no room for it, there is none, and people know."""
    service = made(tmp_path)

    def full(_keep_free_mb: int) -> None:
        raise DiskFullError("The disk has 4 MB free; delete something.")

    monkeypatch.setattr(service.library, "check_space", full)
    told: List[str] = []

    def look() -> None:
        assert steps.acquire(timeout=PATIENCE_S)
        told.extend(service.status()["warnings"])

    at(service, 45, look)
    run_id = record(service, movie=MOVIE)
    assert "does not grow: The disk has 4 MB free" in told[0]
    service.close()
    assert names(service, run_id) == []


def test_a_film_whose_movie_cannot_be_made_stays(tmp_path: Path) -> None:
    """At a start only films go whose movie is there, and journals without a film."""
    first, run_id = left(tmp_path)
    movies = tmp_path / run_id / "movies"
    listed = ("a_so_far.mp4", "a.mp4", "b_so_far.mp4", ".b_so_far.jsonl")
    for name in (*listed, ".a_so_far.jsonl", ".c_so_far.jsonl"):
        (movies / name).write_bytes(b"x")
    after(first, tmp_path).close()  # the run may still go on: nothing is touched
    assert len(list(movies.iterdir())) == 6
    second = after(first, tmp_path)
    second.resume_interrupted(give_up=True)
    assert second.wait(PATIENCE_S)
    second.close()
    found = sorted(item.name for item in movies.iterdir())
    assert found == sorted({*listed} - {"a_so_far.mp4"})


def test_tails_cost_no_more_than_the_movie() -> None:
    """The next step comes when the tail has doubled, or fills its segment."""
    given, settled, steps = 0, 0, []
    while given < 2 * SEGMENT_FRAMES:
        given = next_step(given, settled)
        settled = given // SEGMENT_FRAMES * SEGMENT_FRAMES
        steps.append(given)
    assert steps[:8] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert steps[8:] == [128 + step for step in steps[:8]]
    assert next_step(500, 100) == 900


@pytest.mark.parametrize(
    ("recipe", "rolls"),
    [
        ({}, True),
        ({"title": "Pond", "gaps": "cut", "width": 640, "codec": "h264"}, True),
        ({"stabilise": True}, False),
        ({"deflicker": True}, False),
        ({"max_mb": 4.0}, False),
        ({"format": "gif"}, False),
        ({"pace": "real"}, False),
        ({"view": "grid"}, False),
        ({"codec": "hevc"}, False),
        ({"planes": "sharpest"}, False),
    ],
)
def test_which_movies_have_a_film(recipe: Dict[str, Any], *, rolls: bool) -> None:
    """Only those that need not see all frames first."""
    assert can_roll(Recipe(**recipe)) is rolls
