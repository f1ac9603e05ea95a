"""The service as a server offers it, whatever is broken."""

import functools
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from cases.services import NS_PER_S, PATIENCE_S, START_WALL_NS, left, made

from hardware_sim import VirtualClock, build
from openflexure_timelapse.errors import (
    HardwareError,
    NotFoundError,
    StorageError,
    WrongPhaseError,
)
from openflexure_timelapse.hosts.requests import Asked
from openflexure_timelapse.hosts.routes import ROUTES, Reply
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.verbs import Verbs
from openflexure_timelapse.store.disk import RealDisk


def at(folder: Path, make: Callable[[Path], Service] = made) -> Verbs:
    """Return verbs that keep their runs in one folder."""
    return Verbs(lambda: folder, make)


def asked(verbs: Verbs, method: str, rule: str, **path: str) -> Reply:
    """Ask for an address of the table, without a query or a body."""
    (route,) = [route for route in ROUTES if route.rule == rule]
    return route.handlers[method](verbs, Asked(path))


def test_a_broken_host_is_told_and_tried_again(tmp_path: Path) -> None:
    """The status says what is wrong; when it is mended, nothing need be restarted."""
    trouble: List[Exception] = [
        StorageError("The folder is read-only."),
        ZeroDivisionError("driver"),
    ]

    def make(folder: Path) -> Service:
        if trouble:
            raise trouble.pop(0)
        return made(folder)

    verbs = at(tmp_path, make)
    told = verbs.status()
    assert told["phase"] == "unavailable"
    assert told["warnings"] == ["The folder is read-only."]
    with pytest.raises(HardwareError, match="driver"):
        asked(verbs, "GET", "runs")
    assert verbs.status()["phase"] == "idle"
    verbs.close()


def test_the_page_is_there_without_a_microscope() -> None:
    """It is what tells the trouble."""

    def broken() -> Path:
        raise HardwareError("The server has no microscope.")

    verbs = Verbs(broken, made)
    page = asked(verbs, "GET", "page/")
    assert isinstance(page, Path)
    assert "<!doctype html>" in page.read_text("utf-8")
    for name in ("page.js", "page.css"):
        file = asked(verbs, "GET", "page/<name>", name=name)
        assert isinstance(file, Path)
        assert file.is_file()


@pytest.mark.parametrize("name", ["..", "../cli.py", "nothing", "", "/etc/hostname"])
def test_the_page_has_no_other_files(tmp_path: Path, name: str) -> None:
    """Only those that lie beside it, by their plain names."""
    with pytest.raises(NotFoundError):
        asked(at(tmp_path), "GET", "page/<name>", name=name)


def test_data_go_where_the_captures_go(tmp_path: Path) -> None:
    """A user moves them to a memory stick: the next run goes there, not this one."""
    where = [tmp_path / "card"]
    verbs = Verbs(lambda: where[0], made)
    first = verbs.service
    where[0] = tmp_path / "stick"
    assert verbs.service is not first
    assert (tmp_path / "stick").is_dir()
    verbs.close()


def test_a_run_stays_where_it_began(tmp_path: Path, monkeypatch: Any) -> None:
    """While a run is under way its folder is not left."""
    where = [tmp_path / "card"]
    verbs = Verbs(lambda: where[0], made)
    service = verbs.service
    monkeypatch.setattr(type(service), "is_busy", True)
    where[0] = tmp_path / "stick"
    assert verbs.service is service
    verbs.close()


def later(folder: Path, *, simulated: bool = True) -> Service:
    """Return the service of a later boot, with hardware that may say it is real."""
    clock = VirtualClock(START_WALL_NS + 60 * NS_PER_S, "another boot")
    microscope = build(3, "algae_growth", clock)
    service = Service(folder, microscope, clock, RealDisk())
    assert microscope.camera.describe().simulated is simulated
    return service


def test_an_interrupted_run_goes_on_by_itself(tmp_path: Path) -> None:
    """When the server starts."""
    _, run_id = left(tmp_path)
    verbs = at(tmp_path, later)
    verbs._resume_interrupted()
    assert verbs.service.wait(PATIENCE_S)
    told = verbs.status()
    assert (told["run_id"], told["phase"]) == (run_id, "ended")
    assert told["end_reason"] == "completed"
    verbs.close()


def test_a_run_in_a_folder_that_comes_late_goes_on(tmp_path: Path) -> None:
    """What kept the server from it at first is no longer told, nor in the way."""
    _, run_id = left(tmp_path)
    trouble: List[Exception] = [StorageError("The folder is read-only.")]

    def make(folder: Path) -> Service:
        if trouble:
            raise trouble.pop()
        return later(folder)

    verbs = at(tmp_path, make)
    verbs.begin()
    assert verbs._begin is not None
    verbs._begin.join()
    assert verbs._trouble == "The folder is read-only."
    service = verbs.service
    verbs._begin.join()
    assert service.wait(PATIENCE_S)
    told = verbs.status()
    assert (told["run_id"], told["end_reason"]) == (run_id, "completed")
    assert told["warnings"] == []
    verbs.close()


def test_whatever_keeps_a_run_from_going_on_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what is none of our errors: nobody sees a thread that has died."""
    verbs = at(tmp_path)

    def broken() -> None:
        raise ZeroDivisionError("driver")

    monkeypatch.setattr(verbs.service, "resume_interrupted", broken)
    verbs.begin()
    assert verbs._begin is not None
    verbs._begin.join()
    assert "driver" in verbs.status()["warnings"][0]
    verbs.close()


def test_a_run_can_be_steered_when_its_place_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that no longer knows its folder of captures must not keep it."""
    known = [True]

    def place() -> Path:
        if not known[0]:
            raise KeyError("default")
        return tmp_path

    verbs = Verbs(place, made)
    service = verbs.service
    monkeypatch.setattr(type(service), "is_busy", True)
    known[0] = False
    assert verbs.service is service
    verbs.close()


def test_a_user_who_is_quicker_leaves_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stops an interrupted run while the server looks for its camera."""
    _, run_id = left(tmp_path)
    verbs = at(tmp_path, later)
    service = verbs.service
    monkeypatch.setattr(service, "wait_for_hardware", lambda _: verbs.resume())
    verbs._resume_interrupted()
    assert service.wait(PATIENCE_S)
    told = verbs.status()
    assert (told["run_id"], told["end_reason"]) == (run_id, "completed")
    assert told["warnings"] == []
    verbs.close()


def test_a_run_of_real_hardware_does_not_go_on_with_a_stand_in(tmp_path: Path) -> None:
    """Drawn pictures must not end up among those of a sample."""
    _, run_id = left(tmp_path)
    header = tmp_path / run_id / "run.json"
    text = header.read_text("utf-8")
    assert '"simulated": true' in text
    header.write_text(text.replace('"simulated": true', '"simulated": false'), "utf-8")
    verbs = at(tmp_path, later)
    verbs._resume_interrupted()
    told = verbs.status()
    assert (told["phase"], told["waiting_run"]) == ("idle", run_id)
    assert "is not there now" in told["warnings"][-1]
    with pytest.raises(HardwareError, match="is not there now"):
        verbs.resume()
    verbs.stop()
    assert verbs.service.wait(PATIENCE_S)
    told = verbs.status()
    assert (told["run_id"], told["end_reason"]) == (run_id, "stopped")
    assert told["warnings"] == []
    verbs.close()


def test_a_simulated_run_does_not_go_on_with_real_hardware(tmp_path: Path) -> None:
    """A real stage must not go to the places of a trial on the simulator."""
    _, run_id = left(tmp_path)

    def real(folder: Path) -> Service:
        service = later(folder)
        stage: Any = service._microscope.stage
        told = replace(stage.describe(), simulated=False)
        stage.describe = lambda: told
        return service

    verbs = at(tmp_path, real)
    verbs._resume_interrupted()
    told = verbs.status()
    assert (told["phase"], told["waiting_run"]) == ("idle", run_id)
    assert "used a simulated stage" in told["warnings"][-1]
    verbs.close()


def test_nothing_to_stop_is_told(tmp_path: Path) -> None:
    """Neither a run nor one that waits."""
    verbs = at(tmp_path)
    for verb in (verbs.stop, verbs.resume):
        with pytest.raises(WrongPhaseError, match="No run is active"):
            verb()
    verbs.close()
    assert verbs.status()["phase"] == "unavailable"


def test_a_failed_remark_is_only_a_remark(tmp_path: Path) -> None:
    """A status is never lost over it."""

    def remarks() -> List[str]:
        raise ZeroDivisionError

    verbs = Verbs(lambda: tmp_path, made, remarks)
    assert "ZeroDivisionError" in verbs.status()["warnings"][0]
    verbs.close()


def test_many_who_look_keep_nobody_from_the_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few of them work at once; the others wait for them, and the status does not."""
    let_go, entered, lock = threading.Event(), threading.Semaphore(0), threading.Lock()
    inside, most = 0, 0

    def runs(*_arguments: Any) -> Dict[str, Any]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        entered.release()
        let_go.wait()
        with lock:
            inside -= 1
        return {"runs": []}

    monkeypatch.setattr(Service, "runs", runs)
    verbs = at(tmp_path)
    verbs.status()
    ask = functools.partial(asked, verbs, "GET", "runs")
    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    entered.acquire()
    told = asked(verbs, "GET", "status")
    let_go.set()
    for thread in threads:
        thread.join()
    verbs.close()
    assert isinstance(told, dict)
    assert told["phase"] == "idle"
    assert most <= 3
    assert sum(entered.acquire(blocking=False) for _ in range(20)) == 19
