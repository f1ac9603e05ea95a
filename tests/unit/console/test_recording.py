"""Recording in the foreground: what Ctrl-C ends, and what is told afterwards."""

import json
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import pytest

from hardware_sim.session import simulate
from openflexure_timelapse.cli import main
from openflexure_timelapse.console import record as recording
from openflexure_timelapse.console.printing import Printer
from openflexure_timelapse.console.record import follow
from openflexure_timelapse.errors import DiskFullError
from openflexure_timelapse.frame import Outcome, Reason, Slot
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.todo import TODO_FILE
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

PLAN: Dict[str, Any] = {
    "name": "movie",
    "interval_s": 30,
    "frames": 3,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": {"format": "gif", "width": 120, "scale_bar": False},
}


class When(threading.Event):
    """Ctrl-C at a moment of the run, not of the clock."""

    def __init__(self, moment: Callable[[], bool]) -> None:
        super().__init__()
        self._moment = moment

    def is_set(self) -> bool:
        """Tell whether the moment has come."""
        if self._moment():
            self.set()
        return super().is_set()


def recorded(
    folder: Path,
    moment: Callable[[Service], bool],
    speed: Optional[float] = None,
    **changes: Any,
) -> Dict[str, Any]:
    """Record with a Ctrl-C at a moment; return what was told."""
    microscope, clock = simulate("algae_growth", 1, speed, RealClock(), folder)
    service = Service(folder, microscope, clock, RealDisk())
    try:
        run_id = service.start({**PLAN, **changes})["run"]
        event = When(lambda: moment(service))
        return follow(service, run_id, Printer(as_json=True), event)
    finally:
        service.close()


def test_an_interrupted_movie_is_told_with_the_way_to_make_it(tmp_path: Path) -> None:
    """Ctrl-C while the movie is made ends it; the run has ended and is whole."""

    def being_made(service: Service) -> bool:
        return any(job["total"] for job in service.queue.jobs())

    movie = {"format": "gif", "timestamp": False}
    told = recorded(tmp_path, being_made, frames=40, movie=movie)
    assert (told["left"], told["status"]["phase"]) == (False, "ended")
    assert told["movies"] == []
    (problem,) = told["problems"]
    assert problem.startswith("The GIF of here was not made; make it with: ")
    command = problem.partition("make it with: ")[2].split()
    assert command == [
        "openflexure-timelapse",
        "movie",
        told["folder"],
        "--format=gif",
        "--no-timestamp",
        "--position=here",
    ]
    assert main([*command[1:], "--width=120", "--json"]) == 0


def test_an_interrupted_run_is_left(tmp_path: Path) -> None:
    """Ctrl-C before the last slot leaves the run, to be resumed."""
    told = recorded(tmp_path, lambda _: True, speed=1.0)
    assert told["left"]
    assert (told["movies"], told["remarks"], told["problems"]) == ([], [], [])


def test_a_run_that_finds_no_room_for_its_end_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command does not wait for ever, and does not say that the run is over."""

    def refuse(*_store: Any, **_rows: Any) -> None:
        raise DiskFullError("no space is left")

    begun = [False]

    def full_once_begun(service: Service) -> bool:
        if not begun[0] and service.status()["last_frame"] is not None:
            begun[0] = True
            monkeypatch.setattr(RunStore, "record", refuse)
        return False

    monkeypatch.setattr(recording, "ROOM_S", 0.3)
    told = recorded(tmp_path, full_once_begun, speed=60.0)
    assert begun[0]
    assert told["left"]
    assert told["status"]["phase"] == "finishing"
    assert told["status"]["rows_waiting"] > 0
    assert (tmp_path / TODO_FILE).read_text("utf-8").strip() == told["run"]


def test_remarks_on_movies_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What had to be given up for a movie is printed, and is in the JSON."""
    told = recorded(tmp_path, lambda _: False)
    assert told["remarks"] == []
    command = ["movie", told["folder"], "--format", "gif", "--max-mb", "0.03"]
    assert main([*command, "--json"]) == 0
    (remark,) = json.loads(capsys.readouterr().out)["remarks"]
    assert remark.startswith("here_2.gif: made to fit 0.03 MB")
    assert main(command) == 0
    assert "here_3.gif: made to fit 0.03 MB" in capsys.readouterr().out


def test_skipped_slots_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the counts of a run stands why slots have no frame."""
    told = recorded(tmp_path, lambda _: False, movie=None)
    assert told["reasons"] == []
    with RunStore.open(told["folder"], RealDisk()) as store:
        for first, last, reason in (
            (3, 80, Reason.DISK_FULL),
            (81, 90, Reason.PAUSED),
            (91, 92, Reason.DISK_FULL),
        ):
            store.add_slot(Slot(first, last, Outcome.SKIPPED, reason, "", 0))
    assert main(["show", told["folder"]]) == 0
    printed = capsys.readouterr().out
    assert "80 slots skipped: the disk was full\n" in printed
    assert "10 slots skipped: the run was paused\n" in printed
    assert main(["show", told["folder"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reasons"] == [
        {"outcome": "skipped", "reason": "disk_full", "slots": 80},
        {"outcome": "skipped", "reason": "paused", "slots": 10},
    ]
