"""Movies that people ask for outlive the program that was asked."""

import json
import threading
from pathlib import Path
from typing import List

import pytest
from cases.services import PATIENCE_S, after, made, record

from openflexure_timelapse.errors import DiskFullError, StorageError
from openflexure_timelapse.hosts.job_book import JOBS_FILE
from openflexure_timelapse.hosts.movie_job import MovieJob
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.verbs import Verbs

SMALL = {"format": "gif", "width": 64}


class Stuck:
    """Movies that go on until they are cancelled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Event()
        self._undo = monkeypatch.context()
        self._patch = self._undo.__enter__()

        def work(job: MovieJob) -> "tuple[str, str]":
            self.begun.set()
            job._cancelled.wait()
            return "cancelled", ""

        self._patch.setattr(MovieJob, "work", work)

    def end(self) -> None:
        """Let later movies be made."""
        self._undo.__exit__(None, None, None)


def asked(service: Service, run_id: str, count: int) -> List[str]:
    """Ask for movies and return the names of their jobs."""
    jobs = [service.make_movie(run_id, SMALL)["jobs"][0] for _ in range(count)]
    return [str(job["job"]) for job in jobs]


@pytest.mark.parametrize("end", ["kill", "close"])
def test_movies_outlive_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """The one under way and those that wait are made by the next, under their names."""
    first = made(tmp_path)
    run_id = record(first)
    stuck = Stuck(monkeypatch)
    names = asked(first, run_id, 3)
    assert stuck.begun.wait(5)
    first.cancel_job(names[1])
    kept = (tmp_path / JOBS_FILE).read_bytes()
    if end == "close":
        first.close()
    stuck.end()
    second = after(first, tmp_path)
    tries = [job["tries"] for job in json.loads(kept)["jobs"] if "tries" in job]
    assert tries == [1]
    second.queue.take_up()
    ended = [second.queue.wait(name, PATIENCE_S) for name in (names[0], names[2])]
    assert [job["state"] for job in ended] == ["done", "done"]
    assert [job["file"] for job in ended] == ["movies/here.gif", "movies/here_2.gif"]
    assert not (tmp_path / JOBS_FILE).exists()
    monkeypatch.setattr(MovieJob, "work", lambda _: ("done", ""))
    assert asked(second, run_id, 1) == ["movie-4"]
    second.close()
    if end == "kill":
        first.close()


def test_an_orderly_end_is_no_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is restarted often does not give a long movie up."""
    service = made(tmp_path)
    record(service)
    stuck = Stuck(monkeypatch)
    asked(service, str(service.status()["run_id"]), 1)
    for _ in range(4):
        assert stuck.begun.wait(5)
        service.close()
        stuck.begun.clear()
        service = after(service, tmp_path)
        service.queue.take_up()
        again = service.jobs()["jobs"]
        assert [job["state"] for job in again] != ["failed"]
    assert stuck.begun.wait(5)
    service.close()
    stuck.end()


def test_a_movie_that_ends_the_program_again_and_again_is_given_up(
    tmp_path: Path,
) -> None:
    """Three times, then a person must decide."""
    service = made(tmp_path)
    run_id = record(service)
    order = {"job": "movie-7", "run": run_id, "position": "here", "recipe": SMALL}
    (tmp_path / JOBS_FILE).write_text(json.dumps({"jobs": [{**order, "tries": 3}]}))
    second = after(service, tmp_path)
    second.queue.take_up()
    (job,) = second.jobs()["jobs"]
    assert (job["job"], job["state"]) == ("movie-7", "failed")
    assert "ended 3 times" in job["message"]
    assert not (tmp_path / JOBS_FILE).exists()
    second.close()
    service.close()


@pytest.mark.parametrize("content", [b"\xff{", b"[]", b'{"jobs": [{"job": "a"}]}'])
def test_a_damaged_file_is_told_and_keeps_nobody_from_asking(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The servers start; the status names the file; a new movie is made."""
    monkeypatch.setattr(MovieJob, "work", lambda _: ("done", ""))
    first = made(tmp_path)
    run_id = record(first)
    (tmp_path / JOBS_FILE).write_bytes(content)
    service = after(first, tmp_path)
    with pytest.raises(StorageError, match=r"jobs\.json.*Delete it"):
        service.queue.take_up()
    (name,) = asked(service, run_id, 1)
    assert service.queue.wait(name, PATIENCE_S)["state"] == "done"
    service.close()
    first.close()


def test_what_cannot_be_kept_is_not_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk refuses the movie before anything is done."""
    service = made(tmp_path)
    run_id = record(service)

    def full(_path: str, _data: bytes) -> None:
        raise DiskFullError("The disk is full; make room.")

    monkeypatch.setattr(service._disk, "write", full)
    with pytest.raises(DiskFullError):
        service.make_movie(run_id, SMALL)
    assert service.jobs()["jobs"] == []
    service.close()


def test_a_server_takes_movies_up_as_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to ask for it."""
    first = made(tmp_path)
    run_id = record(first)
    stuck = Stuck(monkeypatch)
    (name,) = asked(first, run_id, 1)
    assert stuck.begun.wait(5)
    first.close()
    stuck.end()
    monkeypatch.setattr(MovieJob, "work", lambda _: ("done", ""))
    second = after(first, tmp_path)
    verbs = Verbs(lambda: tmp_path, lambda _: second)
    verbs.begin()
    assert second.queue.wait(name, PATIENCE_S)["state"] == "done"
    verbs.close()
