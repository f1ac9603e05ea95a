"""The movies of a service: a queue, cancelled and remembered."""

from pathlib import Path
from typing import Any

import pytest
from cases.services import (
    NS_PER_S,
    PATIENCE_S,
    PLAN,
    after,
    jsonable,
    made,
    record,
    run_of,
)

from hardware_sim import VirtualClock
from openflexure_timelapse.errors import (
    InvalidRecipeError,
    NotFoundError,
)
from openflexure_timelapse.hosts.footage import movie_frames
from openflexure_timelapse.hosts.movie_job import MovieJob
from openflexure_timelapse.hosts.service import Service


def test_a_movie_that_the_run_cannot_give_is_refused(finished: Service) -> None:
    """Unknown positions, planes and fields name what there is."""
    run_id = run_of(finished)
    with pytest.raises(InvalidRecipeError, match="here"):
        finished.make_movie(run_id, {"position": "nowhere"})
    with pytest.raises(InvalidRecipeError, match="planes are 0 to 0"):
        finished.make_movie(run_id, {"plane": 1})
    with pytest.raises(InvalidRecipeError, match="'fps'"):
        finished.make_movie(run_id, {"fpss": 3})
    leaves = {"x": 5000, "y": 0, "width": 64, "height": 64}
    with pytest.raises(InvalidRecipeError, match=r"The crop reaches to x 5064"):
        finished.make_movie(run_id, {"crop": leaves})
    with pytest.raises(NotFoundError, match="known: "):
        finished.cancel_job("movie-99")


def test_movies_wait_for_one_another_and_can_be_cancelled(service: Service) -> None:
    """Each job ends in one state, names are not reused, a cancelled one leaves none."""
    run_id = record(service)
    made_jobs = [
        service.make_movie(run_id, {"format": "gif", "width": 64})["jobs"][0]
        for _ in range(3)
    ]
    service.cancel_job(made_jobs[2]["job"])
    ended = [service.queue.wait(job["job"], PATIENCE_S) for job in made_jobs]
    assert [job["state"] for job in ended] == ["done", "done", "cancelled"]
    assert [job["file"] for job in ended] == [
        "movies/here.gif",
        "movies/here_2.gif",
        None,
    ]
    folder = service.library.folder(run_id) / "movies"
    assert sorted(path.name for path in folder.iterdir()) == ["here.gif", "here_2.gif"]
    jsonable(service.jobs())


def test_the_movie_of_a_stopped_run_ends_where_it_was_stopped(tmp_path: Path) -> None:
    """The week that a person gave up is not shown as a gap of a week."""
    service = made(tmp_path)
    clock = service._clock
    assert isinstance(clock, VirtualClock)
    clock.call_at(clock.monotonic_ns() + 45 * NS_PER_S, service.stop)
    run_id = record(service, frames=20_160)
    assert service.status()["counts"]["skipped"] == 20_158
    (job,) = service.make_movie(run_id, {"format": "gif", "width": 64})["jobs"]
    assert service.queue.wait(job["job"], PATIENCE_S)["done"] == 2
    service.close()


def test_the_header_has_the_scale_of_the_frames_that_are_stored(
    tmp_path: Path,
) -> None:
    """A mode of half the width has twice as many micrometres in a pixel."""
    service = made(tmp_path)
    scales = {}
    for mode, width in (("half", 1640), ("preview", 832)):
        run_id = record(service, camera_mode=mode, frames=1)
        header = service.run(run_id)["header"]
        scales[mode] = header["camera"]["um_per_pixel"]
        assert scales[mode] * width == pytest.approx(0.105 * 3280)
    service.close()


def test_the_movie_of_changing_intervals_tells_its_last_gap(tmp_path: Path) -> None:
    """The gap at the end has the length of the last phase's slots, and the reason."""
    service = made(tmp_path)
    clock = service._clock
    assert isinstance(clock, VirtualClock)
    phases = [{"interval_s": 5, "frames": 2}, {"interval_s": 600, "frames": 3}]
    clock.call_at(clock.monotonic_ns() + 20 * NS_PER_S, service.pause)
    plan = {key: PLAN[key] for key in ("name", "camera_mode", "keep_free_mb", "movie")}
    run_id = str(service.start({**plan, "phases": phases})["run"])
    assert service.wait(PATIENCE_S)
    (job,) = service.make_movie(run_id, {"format": "gif", "width": 64})["jobs"]
    service.queue.wait(job["job"], PATIENCE_S)
    made_job = service.queue._find(job["job"])
    assert isinstance(made_job, MovieJob)
    assert made_job.render is not None
    context = made_job.render._context
    assert (context.interval_ns, context.last_interval_ns) == (5 * 10**9, 600 * 10**9)
    assert (context.slots, context.end_reason) == (5, "paused")
    service.close()


def test_a_movie_says_that_its_dates_may_be_wrong(tmp_path: Path) -> None:
    """Each frame carries to the movie whether its time of day was synchronised."""
    service = made(tmp_path)
    clock = service._clock
    assert isinstance(clock, VirtualClock)
    clock.trusted = False
    half_way_ns = clock.monotonic_ns() + 45 * NS_PER_S
    clock.call_at(half_way_ns, lambda: setattr(clock, "trusted", True))
    run_id = record(service)
    frames = movie_frames(service.library, run_id, "here", 0)
    assert [frame.clock_trusted for frame in frames] == [False, False, True]
    service.close()


def test_a_run_has_ended_when_its_movies_are_queued(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sees the end sees the movies that come, and can start another run."""
    seen = []
    inner = service.queue.add_movies

    def add(*args: Any) -> Any:
        seen.append(service.status()["phase"])
        return inner(*args)

    monkeypatch.setattr(service.queue, "add_movies", add)
    record(service, frames=1, movie={"format": "mp4", "width": 320})
    assert seen == ["finishing"]
    told = service.status()
    assert (told["phase"], len(told["movie_jobs"])) == ("ended", 1)
    service.queue.wait(told["movie_jobs"][0], PATIENCE_S)


def test_a_planned_movie_outlives_its_process(tmp_path: Path) -> None:
    """A run whose movie was not finished is on the list until it is."""
    movie = {"format": "gif", "width": 64}
    first = made(tmp_path)
    first.queue.close()  # as if the process ended before the movie began
    run_id = record(first, movie=movie)
    first.close()
    second = after(first, tmp_path)
    assert second.resume_interrupted() == run_id
    assert second.status()["phase"] == "ended"
    (job,) = second.queue.movie_ids(run_id)
    assert second.queue.wait(job, PATIENCE_S)["state"] == "done"
    second.close()
    third = after(second, tmp_path)
    assert third.resume_interrupted() is None
    assert [job["name"] for job in third.files(run_id)["files"]][-1] == (
        "movies/here.gif"
    )
    third.close()


def test_a_movie_can_be_cancelled_before_its_process_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel between the queue and the process is not lost."""
    service = made(tmp_path)
    run_id = record(service)
    prepare = MovieJob._prepared

    def prepare_and_cancel(job: MovieJob) -> Any:
        service.cancel_job(job.id)
        return prepare(job)

    monkeypatch.setattr(MovieJob, "_prepared", prepare_and_cancel)
    (job,) = service.make_movie(run_id, {"format": "gif", "width": 64})["jobs"]
    assert service.queue.wait(job["job"], PATIENCE_S)["state"] == "cancelled"
    service.close()


def test_a_movie_leaves_free_what_the_plan_leaves_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up under way, says so, and leaves nothing."""
    service = made(tmp_path)
    run_id = record(service, keep_free_mb=5)
    looked = []

    def free_bytes(_path: str) -> int:
        looked.append(1)
        return 6_000_000 if len(looked) == 1 else 4_000_000

    monkeypatch.setattr(service.library._disk, "free_bytes", free_bytes)
    monkeypatch.setattr("openflexure_timelapse.hosts.movie_job.LOOK_S", 0.0)
    (job,) = service.make_movie(run_id, {"format": "gif", "width": 320})["jobs"]
    ended = service.queue.wait(job["job"], PATIENCE_S)
    assert ended["state"] == "failed"
    assert "4 MB free and the plan leaves 5 MB free" in ended["message"]
    assert list((service.library.folder(run_id) / "movies").iterdir()) == []
    service.close()
