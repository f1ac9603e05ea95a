"""The verbs of every host, on the simulated microscope."""

import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import cv2
import pytest

from hardware_sim import VirtualClock, build
from openflexure_timelapse.errors import (
    ConfirmationError,
    DamagedRunError,
    DiskFullError,
    InvalidPlanError,
    InvalidRecipeError,
    InvalidRequestError,
    NotFoundError,
    OutOfReachError,
    RunActiveError,
    StorageError,
    TimelapseError,
    WrongPhaseError,
)
from openflexure_timelapse.hosts.movie_job import MovieJob, movie_frames
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.todo import TODO_FILE, runs_to_do
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.repair import repair
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify

START_WALL_NS = 1_795_420_800_000_000_000
PLAN: Dict[str, Any] = {
    "name": "verbs",
    "interval_s": 30,
    "frames": 3,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": None,
}
PATIENCE_S = 120
NS_PER_S = 1_000_000_000


def made(folder: Path) -> Service:
    """Return a service on a new simulated microscope."""
    clock = VirtualClock(START_WALL_NS, utc_offset_s=3600)
    return Service(folder, build(3, "algae_growth", clock), clock, RealDisk())


@pytest.fixture(name="service")
def _service(tmp_path: Path) -> Iterator[Service]:
    service = made(tmp_path)
    yield service
    service.close()


@pytest.fixture(scope="module", name="finished")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Share one finished run among the tests that only look."""
    service = made(tmp_path_factory.mktemp("data"))
    service.start({**PLAN, "movie": {"format": "mp4", "width": 320}})
    assert service.wait(PATIENCE_S)
    for job_id in service.queue.movie_ids(run_of(service)):
        service.queue.wait(job_id, PATIENCE_S)
    service.queue.close()
    yield service
    service.close()


def run_of(service: Service) -> str:
    """Return the id of the service's last run."""
    return str(service.status()["run_id"])


def record(service: Service, **changes: Any) -> str:
    """Record a plan to its end and return the run's id."""
    run_id = str(service.start({**PLAN, **changes})["run"])
    assert service.wait(PATIENCE_S)
    return run_id


def jsonable(data: Dict[str, Any]) -> None:
    """Fail unless a browser could parse `data`."""
    json.dumps(data, allow_nan=False)


def test_before_any_run_the_phase_is_idle(service: Service) -> None:
    """A fresh service says that nothing runs, and refuses what needs a run."""
    assert service.status()["phase"] == "idle"
    with pytest.raises(NotFoundError, match="start a run"):
        service.latest()
    for verb in (service.pause, service.resume, service.stop):
        with pytest.raises(WrongPhaseError, match="No run is active"):
            verb()


def test_a_run_from_start_to_end(service: Service) -> None:
    """The id, the status and the mark on disk follow the run."""
    run_id = record(service)
    status = service.status()
    assert run_id == "2026-11-23_090000_verbs"
    assert (status["phase"], status["end_reason"]) == ("ended", "completed")
    assert status["counts"] == {"captured": 3, "late": 0, "skipped": 0, "failed": 0}
    assert not (service.library.folder(run_id).parent / TODO_FILE).exists()
    jsonable(status)


def test_ids_are_never_used_twice(tmp_path: Path) -> None:
    """Two runs of one second and one name have two folders."""
    ids = []
    for _ in range(2):
        service = made(tmp_path)
        ids.append(record(service))
        service.close()
    assert ids == ["2026-11-23_090000_verbs", "2026-11-23_090000_verbs_2"]


def test_a_second_start_names_the_active_run(tmp_path: Path) -> None:
    """While a run is active, another start is a conflict."""
    clock = VirtualClock(START_WALL_NS)
    microscope = build(3, "algae_growth", clock)
    service = Service(tmp_path, microscope, clock, RealDisk())
    refused = []

    def start_again() -> None:
        try:
            service.start(PLAN)
        except RunActiveError as exc:
            refused.append(str(exc))

    clock.call_at(clock.monotonic_ns() + 45_000_000_000, start_again)
    run_id = record(service)
    service.close()
    assert len(refused) == 1
    assert run_id in refused[0]


# ------------------------------------------------------------------------- bad input

BAD_PLANS = {
    "a misspelt field": ({"intervall_s": 30}, InvalidPlanError, "'interval_s'"),
    "an interval of 0": ({"interval_s": 0}, InvalidPlanError, "interval_s"),
    "a negative interval": ({"interval_s": -1}, InvalidPlanError, "interval_s"),
    "no number": ({"interval_s": float("nan")}, InvalidPlanError, "interval_s"),
    "no frames": ({"frames": 0}, InvalidPlanError, "frames"),
    "a past start": (
        {"start_at": "2020-01-01T00:00:00+00:00"},
        InvalidPlanError,
        "start_at",
    ),
    "an unknown position": (
        {"movie": {"position": "nowhere"}},
        InvalidPlanError,
        "nowhere",
    ),
    "an unreachable z": (
        {"positions": [{"name": "a", "x": 0, "y": 0, "z": 10**7}]},
        OutOfReachError,
        "10000000",
    ),
    "an odd movie": ({"movie": {"width": 641}}, InvalidPlanError, "641"),
    "no fps": ({"movie": {"fps": 0}}, InvalidPlanError, "fps"),
    "an unknown mode": ({"camera_mode": "huge"}, InvalidPlanError, "preview"),
}


@pytest.mark.parametrize(
    ("changes", "error", "words"), BAD_PLANS.values(), ids=BAD_PLANS
)
def test_a_bad_plan_is_refused_before_anything_is_written(
    service: Service,
    tmp_path: Path,
    changes: Dict[str, Any],
    error: type,
    words: str,
) -> None:
    """Start and estimate say what is wrong in one sentence; no folder appears."""
    for verb in (service.start, service.estimate):
        with pytest.raises(error) as caught:
            verb({**PLAN, **changes})
        assert words in str(caught.value)
        assert isinstance(caught.value, TimelapseError)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_for_one_slot_is_refused(service: Service) -> None:
    """The sentence says how much is free and what to do."""
    with pytest.raises(DiskFullError, match="MB free") as caught:
        service.start({**PLAN, "keep_free_mb": 10**9})
    assert "keep_free_mb" in str(caught.value)


@pytest.mark.parametrize("run_id", ["../etc", "a/b", ".", "", "..", "x\0y", "no-such"])
def test_a_run_id_is_a_name_and_never_a_path(finished: Service, run_id: str) -> None:
    """Nothing outside the data folder can be named."""
    for verb in (
        finished.run,
        finished.frames,
        finished.files,
        lambda name: finished.frame(name, 1),
        lambda name: finished.file(name, "run.json"),
        lambda name: finished.make_movie(name, {}),
        lambda name: finished.delete(name, name),
    ):
        with pytest.raises((NotFoundError, InvalidRequestError)):
            verb(run_id)


@pytest.mark.parametrize("name", ["../run.json", "run.db", "frames", "/etc/passwd", ""])
def test_only_listed_files_are_served(finished: Service, name: str) -> None:
    """What the list does not name is not found."""
    with pytest.raises(NotFoundError, match="it has"):
        finished.file(run_of(finished), name)


def test_a_page_is_bounded(finished: Service) -> None:
    """A page of no rows or of millions is refused."""
    for limit in (0, -1, 1001):
        with pytest.raises(InvalidRequestError, match="limit"):
            finished.frames(run_of(finished), 0, limit)
        with pytest.raises(InvalidRequestError, match="limit"):
            finished.runs("", limit)


# ---------------------------------------------------------------------------- looking


def test_runs_and_frames_come_in_pages(finished: Service) -> None:
    """A page goes on after the last row of the one before."""
    (brief,) = finished.runs()["runs"]
    run_id = brief["run"]
    assert finished.runs(after=run_id)["runs"] == []
    first = finished.frames(run_id, 0, 2)["frames"]
    rest = finished.frames(run_id, first[-1]["n"], 2)["frames"]
    assert [frame["n"] for frame in first + rest] == [1, 2, 3]
    assert [frame["slot"] for frame in first + rest] == [0, 1, 2]
    assert first[0]["time"].startswith("2026-11-23T09:00:0")
    jsonable(finished.run(run_id))
    jsonable({"frames": first, "runs": finished.runs()})


def test_a_frame_and_its_preview(finished: Service) -> None:
    """The original is served as stored; a preview is smaller and made once."""
    run_id = run_of(finished)
    original = finished.frame(run_id, 1)
    small = finished.frame(run_id, 1, 200)
    assert cv2.imread(str(original)).shape[1] == 832
    assert cv2.imread(str(small)).shape[1] == 320
    assert finished.frame(run_id, 1, 200).stat().st_mtime == small.stat().st_mtime
    assert finished.frame(run_id, 1, 5000) == original
    assert finished.latest(160).name == "3_w160.jpeg"
    with pytest.raises(NotFoundError, match="last frame is 3"):
        finished.frame(run_id, 4)


def test_the_latest_frame_outlives_the_server(tmp_path: Path) -> None:
    """After a restart the newest frame is that of the last run on disk."""
    first = made(tmp_path)
    shown = first.library.folder(record(first)) / "frames"
    first.close()
    second = made(tmp_path)
    assert second.latest().parent.parent == shown
    second.close()


def test_files_name_tables_and_movies(finished: Service) -> None:
    """Each listed file can be had under its name."""
    run_id = run_of(finished)
    names = [entry["name"] for entry in finished.files(run_id)["files"]]
    assert names == ["run.json", "frames.csv", "movies/here.mp4"]
    for name in names:
        assert finished.file(run_id, name).is_file()


# ----------------------------------------------------------------------------- movies


def test_a_movie_that_the_run_cannot_give_is_refused(finished: Service) -> None:
    """Unknown positions, planes and fields name what there is."""
    run_id = run_of(finished)
    with pytest.raises(InvalidRecipeError, match="here"):
        finished.make_movie(run_id, {"position": "nowhere"})
    with pytest.raises(InvalidRecipeError, match="planes are 0 to 0"):
        finished.make_movie(run_id, {"plane": 1})
    with pytest.raises(InvalidRecipeError, match="'fps'"):
        finished.make_movie(run_id, {"fpss": 3})
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


# -------------------------------------------------------------------- delete, restart


def test_a_delete_needs_the_id_twice(service: Service) -> None:
    """Without its confirmation nothing is deleted; with it, everything is."""
    run_id = record(service)
    with pytest.raises(ConfirmationError):
        service.delete(run_id, "yes")
    assert service.library.folder(run_id).is_dir()
    assert service.delete(run_id, run_id) == {"deleted": run_id}
    assert service.runs()["runs"] == []


def left(tmp_path: Path, **changes: Any) -> "tuple[Service, str]":
    """Return a service that has left a run after 45 s, and the run's id."""
    service = made(tmp_path)
    clock = service._clock
    assert isinstance(clock, VirtualClock)

    def leave() -> None:
        engine = service._recorder._engine
        assert engine is not None
        engine.leave()

    clock.call_at(clock.monotonic_ns() + 45 * NS_PER_S, leave)
    run_id = record(service, **changes)
    service.close()
    return service, run_id


def after(first: Service, tmp_path: Path) -> Service:
    """Return the service of a later process on the same folder."""
    clock = VirtualClock(first._clock.wall_ns() + NS_PER_S, "another boot")
    return Service(tmp_path, build(3, "algae_growth", clock), clock, RealDisk())


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_is_on_the_list_before_it_is_there(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: Any
) -> None:
    """Cut off between the two, the run would be there and nobody would end it."""
    create, lists = RunStore.create, []

    def watched(data: Path, run_id: str, *rest: Any) -> RunStore:
        lists.append((tmp_path / TODO_FILE).read_text("utf-8").split() == [run_id])
        if fails:
            raise DiskFullError("No space is left; free some space.")
        return create(data, run_id, *rest)

    monkeypatch.setattr(RunStore, "create", watched)
    if fails:
        with pytest.raises(DiskFullError):
            service.start(PLAN)
    else:
        record(service)
    assert lists == [True]
    assert not (tmp_path / TODO_FILE).exists()


def test_an_interrupted_run_is_resumed_once(tmp_path: Path) -> None:
    """The list on disk leads the next process to the run, and ends with it."""
    first, run_id = left(tmp_path)
    assert first.status()["phase"] == "running"
    second = after(first, tmp_path)
    assert second.resume_interrupted() == run_id
    assert second.wait(PATIENCE_S)
    assert second.status()["counts"]["captured"] == 3
    assert second.resume_interrupted() is None
    second.close()


def test_a_start_does_not_bury_a_run_that_waits(tmp_path: Path) -> None:
    """Another run is refused by name until the first is resumed or given up."""
    first, run_id = left(tmp_path)
    second = after(first, tmp_path)
    with pytest.raises(RunActiveError, match=run_id):
        second.start(PLAN)
    assert second.resume_interrupted(give_up=True) == run_id
    assert second.wait(PATIENCE_S)
    status = second.status()
    assert (status["end_reason"], status["counts"]["skipped"]) == ("stopped", 1)
    record(second)
    second.close()


def test_a_run_that_was_cut_off_in_its_end_can_be_given_up(tmp_path: Path) -> None:
    """A process that is killed while it stops a run leaves only the rest to do."""
    first, run_id = left(tmp_path)
    with RunStore.open(tmp_path / run_id, RealDisk()) as store:
        kept = store.value("engine")
        kept["state"].update(phase="finishing", end_reason="stopped")
        store.set_value("engine", kept)
    second = after(first, tmp_path)
    assert second.resume_interrupted(give_up=True) == run_id
    assert second.wait(PATIENCE_S)
    assert second.status()["end_reason"] == "stopped"
    assert runs_to_do(tmp_path) == []
    second.close()


def test_a_damaged_run_keeps_no_other_from_starting(tmp_path: Path) -> None:
    """What cannot be read is left for a repair, and does not wait."""
    first, run_id = left(tmp_path)
    for file in (tmp_path / run_id).glob("run.db*"):
        file.write_bytes(b"damaged" * 1000)
    second = after(first, tmp_path)
    with pytest.raises(StorageError):
        second.resume_interrupted()
    record(second)
    second.close()


def test_a_run_that_is_damaged_waits_for_its_repair(tmp_path: Path) -> None:
    """Damage during a run ends neither the run nor the process; the status says why."""
    service = made(tmp_path)
    clock = service._clock
    assert isinstance(clock, VirtualClock)
    told: List[Dict[str, Any]] = []

    def at(seconds: float, function: Callable[[], Any]) -> None:
        clock.call_at(clock.monotonic_ns() + int(seconds * NS_PER_S), function)

    def damaged(**_rows: Any) -> None:
        raise DamagedRunError("the index is malformed; repair may mend it")

    def store() -> Any:
        engine = service._recorder._engine
        assert engine is not None
        return engine._store

    def spoil() -> None:
        del store().record
        (index,) = tmp_path.glob("*/run.db")
        index.write_bytes(b"\0" * 10_000)
        told.append(service.status())

    at(45, lambda: setattr(store(), "record", damaged))
    at(65, spoil)
    at(100, lambda: repair(store().folder))
    run_id = record(service, frames=6)
    assert told[0]["pause_reason"] == "disk_error"
    assert "repair" in told[0]["warnings"][-1]
    assert service.status()["end_reason"] == "completed"
    slots = service.slots(run_id)["slots"]
    assert [slot["reason"] for slot in slots if slot["reason"]] == ["disk_error"]
    assert service.status()["counts"]["captured"] == 5
    service.close()
    assert verify(tmp_path / run_id).ok


def test_of_two_runs_that_wait_one_goes_on_at_a_time(tmp_path: Path) -> None:
    """One microscope never serves two runs: the second keeps its place on the list."""
    first, older = left(tmp_path)
    folder, aside = tmp_path / older, tmp_path / "aside"
    folder.rename(aside)
    second, newer = left(tmp_path, name="newer")
    aside.rename(folder)
    (tmp_path / TODO_FILE).write_text(f"{older}\n{newer}\n", encoding="utf-8")
    third = after(second, tmp_path)
    assert first.status()["phase"] == "running"
    assert third.resume_interrupted() == older
    assert third.wait(PATIENCE_S)
    assert runs_to_do(tmp_path) == [newer]
    assert third.resume_interrupted() == newer
    assert third.wait(PATIENCE_S)
    assert runs_to_do(tmp_path) == []
    third.close()


def test_two_programs_do_not_record_into_one_folder(tmp_path: Path) -> None:
    """The second one is refused before it moves anything."""
    first = made(tmp_path)
    record(first)
    second = made(tmp_path)
    with pytest.raises(RunActiveError, match="Another program"):
        second.start(PLAN)
    first.close()
    record(second)
    second.close()


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


def test_a_deleted_run_is_not_resumed(tmp_path: Path) -> None:
    """Its id leaves the list with it."""
    first, run_id = left(tmp_path)
    second = after(first, tmp_path)
    second.delete(run_id, run_id)
    assert second.resume_interrupted() is None
    record(second)
    second.close()


def test_a_start_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of the run is gone, its lock too, and the next start works."""
    service = made(tmp_path)

    def refuse(*_arguments: Any) -> None:
        raise DiskFullError("no space is left")

    with monkeypatch.context() as patch:
        patch.setattr(service._recorder._todo, "_write", refuse)
        with pytest.raises(DiskFullError):
            service.start(PLAN)
    assert service.runs()["runs"] == []
    record(service)
    service.close()


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


def test_a_disk_that_takes_no_preview_still_shows_the_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at a run needs no space."""
    service = made(tmp_path)
    run_id = record(service)

    def refuse(*_arguments: Any) -> None:
        raise DiskFullError("no space is left")

    monkeypatch.setattr(service.library._previews._disk, "write", refuse)
    assert service.frame(run_id, 1, 160) == service.frame(run_id, 1)
    service.close()


def test_a_data_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The sentence names the folder."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    with pytest.raises(TimelapseError, match="file"):
        made(blocked / "data")


def test_previews_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at a long run does not fill the disk; an old preview is made again."""
    monkeypatch.setattr("openflexure_timelapse.hosts.previews.MOST", 4)
    service = made(tmp_path)
    run_id = record(service, frames=6)
    first = service.frame(run_id, 1, 160)
    for n in range(2, 7):
        service.frame(run_id, n, 160)
    assert not first.exists()
    assert len(list(first.parent.iterdir())) <= 4
    assert service.frame(run_id, 1, 160).is_file()
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
    ended = service.movies.wait(job["job"], PATIENCE_S)
    assert ended["state"] == "failed"
    assert "4 MB free and the plan leaves 5 MB free" in ended["message"]
    assert list((service.library.folder(run_id) / "movies").iterdir()) == []
    service.close()


def test_a_start_is_refused_while_the_disk_of_the_data_is_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No run is begun in the empty place of a card."""
    mounted = {str(tmp_path)}
    ismount = os.path.ismount
    monkeypatch.setattr(
        os.path, "ismount", lambda path: str(path) in mounted or ismount(path)
    )
    monkeypatch.setattr(Path, "is_mount", lambda path: os.path.ismount(str(path)))
    service = made(tmp_path)
    record(service)
    mounted.clear()
    with pytest.raises(StorageError, match="not mounted"):
        service.start(PLAN)
    mounted.add(str(tmp_path))
    record(service)
    service.close()


def test_a_folder_on_a_failing_disk_is_let_go(tmp_path: Path) -> None:
    """Its disk can be unmounted; the list keeps other runs from it."""
    service = made(tmp_path)
    record(service)
    assert service._recorder._data_lock is not None
    service._recorder.notice("disk_error", {})
    assert service._recorder._data_lock is None
    record(service)
    service.close()
