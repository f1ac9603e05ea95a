"""What a service that starts finds on the disk: runs that wait, deleted ones."""

from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from cases.services import (
    NS_PER_S,
    PATIENCE_S,
    PLAN,
    after,
    left,
    made,
    record,
)

from hardware_sim import VirtualClock
from openflexure_timelapse.errors import (
    ConfirmationError,
    DamagedRunError,
    DiskFullError,
    RunActiveError,
    StorageError,
    TimelapseError,
)
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.todo import TODO_FILE, runs_to_do
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.repair import repair
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify


def test_a_delete_needs_the_id_twice(service: Service) -> None:
    """Without its confirmation nothing is deleted; with it, everything is."""
    run_id = record(service)
    with pytest.raises(ConfirmationError):
        service.delete(run_id, "yes")
    assert service.library.folder(run_id).is_dir()
    assert service.delete(run_id, run_id) == {"deleted": run_id}
    assert service.runs()["runs"] == []


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


def test_a_data_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The sentence names the folder."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    with pytest.raises(TimelapseError, match="file"):
        made(blocked / "data")


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
    assert "repair" in " ".join(told[0]["warnings"])
    assert service.status()["end_reason"] == "completed"
    slots = service.slots(run_id)["slots"]
    assert [slot["reason"] for slot in slots if slot["reason"]] == ["disk_error"]
    assert service.status()["counts"]["captured"] == 5
    service.close()
    assert verify(tmp_path / run_id).ok
