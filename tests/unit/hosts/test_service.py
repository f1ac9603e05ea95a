"""The verbs of every host, on the simulated microscope."""

import os
from pathlib import Path
from typing import Any, Dict

import cv2
import pytest
from cases.services import PLAN, START_WALL_NS, jsonable, made, record, run_of

from hardware_sim import VirtualClock, build
from openflexure_timelapse.errors import (
    DiskFullError,
    InvalidPlanError,
    InvalidRequestError,
    NotFoundError,
    OutOfReachError,
    RunActiveError,
    StorageError,
    TimelapseError,
    WrongPhaseError,
)
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.todo import TODO_FILE
from openflexure_timelapse.store.disk import RealDisk


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


def test_previews_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at a long run does not fill the disk; an old preview is made again."""
    monkeypatch.setattr("openflexure_timelapse.hosts.previews.MOST", 4)
    monkeypatch.setattr("openflexure_timelapse.hosts.previews.LOOK_EACH", 1)
    service = made(tmp_path)
    run_id = record(service, frames=6)
    first = service.frame(run_id, 1, 160)
    for n in range(2, 7):
        service.frame(run_id, n, 160)
    assert not first.exists()
    assert len(list(first.parent.iterdir())) <= 4
    assert service.frame(run_id, 1, 160).is_file()
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
    assert service._recorder._place._lock is not None
    service._recorder.notice("disk_error", {})
    assert service._recorder._place._lock is None
    record(service)
    service.close()
