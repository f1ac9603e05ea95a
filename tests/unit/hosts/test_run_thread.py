"""The thread of a run: one that is stuck is told and left alone, a dead one follows."""

import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from hardware_sim import VirtualClock, build
from openflexure_timelapse.engine import Engine
from openflexure_timelapse.errors import RunActiveError
from openflexure_timelapse.hosts import breaks, recorder, watchdog
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.status import StatusBoard
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify

START_WALL_NS = 1_795_420_800_000_000_000
PATIENCE_S = 120
FRAMES = 6
PLAN: Dict[str, Any] = {
    "name": "thread",
    "interval_s": 30,
    "frames": FRAMES,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": None,
}


class StickyDisk(RealDisk):
    """A disk whose writes of frames hang until they are let go."""

    def __init__(self) -> None:
        self.hangs = threading.Event()
        self.let_go = threading.Event()

    def write(self, path: str, data: bytes) -> None:
        """Hang, then write."""
        if path.endswith(".jpeg"):
            self.hangs.set()
            assert self.let_go.wait(PATIENCE_S)
        super().write(path, data)


@pytest.fixture(name="disk")
def _disk() -> Iterator[StickyDisk]:
    disk = StickyDisk()
    yield disk
    disk.let_go.set()


def made(folder: Path, disk: RealDisk) -> Service:
    """Return a service on a new simulated microscope."""
    clock = VirtualClock(START_WALL_NS, utc_offset_s=3600)
    return Service(folder, build(3, "algae_growth", clock), clock, disk)


def events_of(folder: Path) -> List[Any]:
    """Return all events of a run."""
    with RunStore.open_read(folder) as store:
        return store.events(0, 1000)


def stuck(service: Service, disk: StickyDisk) -> Dict[str, Any]:
    """Return the status of a run that the watchdog found stuck."""
    assert disk.hangs.wait(PATIENCE_S)
    moment = threading.Event()
    for _ in range(PATIENCE_S * 100):
        told = service.status()
        if told["stalled_for_s"] is not None:
            return told
        moment.wait(0.01)
    pytest.fail("nobody noticed")


def test_a_stuck_run_is_told_and_goes_on_by_itself(
    tmp_path: Path, disk: StickyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status says for how long and at what; then nothing is left of it."""
    monkeypatch.setattr(watchdog, "LOOK_S", 0.01)
    service = made(tmp_path, disk)
    run_id = service.start(PLAN)["run"]
    told = stuck(service, disk)
    assert told["phase"] == "running"
    assert not service.is_well
    assert any("has made no progress for" in each for each in told["warnings"])
    with pytest.raises(RunActiveError):
        service.start(PLAN)
    disk.let_go.set()
    assert service.wait(PATIENCE_S)
    told = service.status()
    assert (told["end_reason"], told["stalled_for_s"]) == ("completed", None)
    assert not any("no progress" in each for each in told["warnings"])
    assert service.is_well
    kinds = [event.kind for event in events_of(tmp_path / run_id)]
    assert {"stalled", "stall_over"} <= set(kinds)
    assert verify(tmp_path / run_id).ok
    service.close()


def test_a_service_closes_though_its_run_is_stuck(
    tmp_path: Path, disk: StickyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for; while it may still write, nobody else records there."""
    monkeypatch.setattr(watchdog, "LOOK_S", 0.01)
    service = made(tmp_path, disk)
    run_id = service.start(PLAN)["run"]
    stuck(service, disk)
    service.close()
    second = made(tmp_path, RealDisk())
    with pytest.raises(RunActiveError):
        second.resume_interrupted()
    disk.let_go.set()
    assert service.wait(PATIENCE_S)
    service.close()
    assert second.resume_interrupted() == run_id
    assert second.wait(PATIENCE_S)
    second.close()
    assert verify(tmp_path / run_id).ok


# ----------------------------------------------------------------------- a dead one


def outcomes(service: Service, run_id: str) -> str:
    """Return one letter per slot."""
    rows = service.slots(run_id)["slots"]
    return "".join(row["outcome"][0] * (row["last"] - row["first"] + 1) for row in rows)


def broken_at(monkeypatch: pytest.MonkeyPatch, *calls: int) -> None:
    """Have an error of our own in the so manieth visits of this process."""
    see_visit, count = StatusBoard.see_visit, [0]

    def broken(board: StatusBoard, visit: Any) -> None:
        count[0] += 1
        if count[0] in calls or calls == (0,):
            raise ZeroDivisionError("a defect")
        see_visit(board, visit)

    monkeypatch.setattr(StatusBoard, "see_visit", broken)


def test_an_error_of_our_own_costs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another engine goes on with the same grid, and both facts are on record."""
    broken_at(monkeypatch, 3)
    service = made(tmp_path, RealDisk())
    run_id = service.start(PLAN)["run"]
    assert service.wait(PATIENCE_S)
    assert service.status()["end_reason"] == "completed"
    assert outcomes(service, run_id) == "c" * FRAMES
    events = {event.kind: event for event in events_of(tmp_path / run_id)}
    assert "ZeroDivisionError" in events["broke_off"].details["traceback"]
    assert "a defect" in events["resumed"].details["after"]
    service.close()
    assert verify(tmp_path / run_id).ok


def test_a_stop_between_two_engines_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine that a person asked reads no more; the next one stops."""
    follow = recorder.Recorder._follow

    def stopped(active: Any, ended: Any, status: Any) -> bool:
        ended.engine.stop()
        return follow(active, ended, status)

    monkeypatch.setattr(recorder.Recorder, "_follow", stopped)
    broken_at(monkeypatch, 3)
    service = made(tmp_path, RealDisk())
    run_id = service.start(PLAN)["run"]
    assert service.wait(PATIENCE_S)
    assert service.status()["end_reason"] == "stopped"
    assert outcomes(service, run_id) == "cccsss"
    service.close()


def test_an_error_that_stays_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three others without a frame in between, the next says that it failed."""
    monkeypatch.setattr(breaks, "MOST", 3)

    def broken(board: StatusBoard, visit: Any) -> None:
        raise ZeroDivisionError(board, visit)

    monkeypatch.setattr("openflexure_timelapse.visit.Visitor.visit", broken)
    service = made(tmp_path, RealDisk())
    run_id = service.start({**PLAN, "frames": 9})["run"]
    assert service.wait(PATIENCE_S)
    status = service.status()
    assert (status["phase"], status["end_reason"]) == ("ended", "failed")
    assert "ZeroDivisionError" in status["detail"]
    kinds = [event.kind for event in events_of(tmp_path / run_id)]
    assert (kinds.count("broke_off"), kinds.count("failed")) == (3, 1)
    assert len(outcomes(service, run_id)) == 9
    service.close()


def test_a_thread_that_dies_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ended it: its store is closed, so nothing else writes."""
    loop, deaths = Engine._loop, [0]

    def dies(engine: Engine) -> None:
        deaths[0] += 1
        if deaths[0] == 1:
            raise SystemExit("a library thought that it owns the process")
        loop(engine)

    monkeypatch.setattr(Engine, "_loop", dies)
    service = made(tmp_path, RealDisk())
    run_id = service.start(PLAN)["run"]
    assert service.wait(PATIENCE_S)
    assert service.status()["end_reason"] == "completed"
    assert outcomes(service, run_id) == "c" * FRAMES
    service.close()


def test_an_error_at_the_end_is_followed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is closed by the next engine, not left as if it were under way."""
    write_csv, calls = RunStore.write_csv, [0]

    def broken(store: RunStore, *args: Any) -> Any:
        calls[0] += 1
        if calls[0] == 1:
            raise ZeroDivisionError("a defect")
        return write_csv(store, *args)

    monkeypatch.setattr(RunStore, "write_csv", broken)
    service = made(tmp_path, RealDisk())
    run_id = service.start(PLAN)["run"]
    assert service.wait(PATIENCE_S)
    assert service.status()["end_reason"] == "completed"
    assert (tmp_path / run_id / "frames.csv").exists()
    service.close()


def test_a_run_that_nobody_can_go_on_with_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shown as failed, not as running, and waits on disk for the next process."""
    broken_at(monkeypatch, 3)

    def refuse(*_args: Any, **_more: Any) -> Any:
        raise ZeroDivisionError("another defect")

    service = made(tmp_path, RealDisk())
    run_id = service.start(PLAN)["run"]
    monkeypatch.setattr(RunStore, "open", refuse)
    assert service.wait(PATIENCE_S)
    status = service.status()
    assert (status["phase"], status["end_reason"]) == ("ended", "failed")
    assert "waits to be taken up again" in status["detail"]
    service.close()
    monkeypatch.undo()
    second = made(tmp_path, RealDisk())
    assert second.resume_interrupted() == run_id
    assert second.wait(PATIENCE_S)
    assert second.status()["end_reason"] == "completed"
    second.close()
