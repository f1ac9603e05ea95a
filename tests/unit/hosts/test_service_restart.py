"""What a service that starts finds on the disk: runs that wait, deleted ones."""

from pathlib import Path
from typing import Any

import pytest
from cases.services import NS_PER_S, PATIENCE_S, PLAN, after, left, made, record

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
from openflexure_timelapse.store.repair import repair
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


def test_a_run_that_is_repaired_is_resumed(tmp_path: Path) -> None:
    """Damage during a run ends its process, not the run."""
    service = made(tmp_path)
    clock = service._clock
    assert isinstance(clock, VirtualClock)

    def damaged(**_rows: Any) -> None:
        raise DamagedRunError("the index is malformed; repair may mend it")

    def damage() -> None:
        engine = service._recorder._engine
        assert engine is not None
        engine._store.record = damaged  # type: ignore[method-assign]

    clock.call_at(clock.monotonic_ns() + 45 * NS_PER_S, damage)
    run_id = record(service)
    assert service.status()["end_reason"] == "failed"
    assert "repair" in service.status()["detail"]
    service.close()
    repair(tmp_path / run_id)
    second = after(service, tmp_path)
    assert second.resume_interrupted() == run_id
    assert second.wait(PATIENCE_S)
    assert second.status()["end_reason"] == "completed"
    second.close()
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
