"""The list of runs, and how a run goes away: whole or not at all."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from cases.stored import (
    HEADER,
    START_NS,
    fill,
    finished_run,
    make_read_only,
    new_run,
    small_disk,
)

from openflexure_timelapse.errors import (
    ConfirmationError,
    InvalidRequestError,
    NotFoundError,
    RunActiveError,
    StorageError,
)
from openflexure_timelapse.store import catalogue
from openflexure_timelapse.store.catalogue import (
    delete_run,
    finish_deletes,
    free_run_id,
    list_runs,
    run_folder,
)
from openflexure_timelapse.store.lock import is_active

IDS = ["2026-01-01_000000_a", "2026-01-02_000000_b", "2026-01-03_000000_c"]


def ids(data: Path, **page: Any) -> Any:
    """Return the ids of a page."""
    return [summary.run_id for summary in list_runs(data, **page)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder with three runs, and with what is none."""
    for number, run_id in enumerate(IDS):
        finished_run(tmp_path, number, run_id)
    (tmp_path / "2026-01-02_000000_empty").mkdir()
    (tmp_path / "photos" / "holiday").mkdir(parents=True)
    (tmp_path / ".hidden" / "frames").mkdir(parents=True)
    (tmp_path / "with.dot" / "frames").mkdir(parents=True)
    (tmp_path / "notes.txt").write_bytes(b"")
    (tmp_path / "run").write_bytes(b"")
    return tmp_path


def test_runs_are_listed_newest_first(data: Path) -> None:
    """The list has the runs and nothing else, newest first, with their counts."""
    summaries = list_runs(data)
    assert [summary.run_id for summary in summaries] == IDS[::-1]
    assert [summary.totals.frames for summary in summaries if summary.totals] == [
        2,
        1,
        0,
    ]
    for summary in summaries:
        assert summary.header is not None
        assert summary.header["plan"] == HEADER["plan"]
        assert (summary.active, summary.problem) == (False, "")


def test_runs_come_in_pages(data: Path) -> None:
    """A page goes on after an id, also after one that is gone by now."""
    assert ids(data, limit=2) == IDS[:0:-1]
    assert ids(data, after=IDS[1]) == IDS[:1]
    shutil.rmtree(str(data / IDS[1]))
    assert ids(data, after=IDS[1]) == IDS[:1]
    assert ids(data, after=IDS[0]) == []


def test_only_the_runs_on_the_page_are_opened(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page costs its own runs, however many there are."""
    opened = []
    look = catalogue._summary
    monkeypatch.setattr(
        catalogue,
        "_summary",
        lambda folder: (opened.append(folder.name), look(folder))[1],
    )
    list_runs(data, limit=1)
    assert opened == [IDS[2]]


def test_no_data_folder_has_no_runs(tmp_path: Path) -> None:
    """A data folder that was not made yet is an empty list."""
    assert list_runs(tmp_path / "not" / "yet") == []


def test_a_data_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    """A data folder that cannot be listed ends in a sentence."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="Cannot list"):
        list_runs(tmp_path / "file")


@pytest.mark.parametrize(
    "page", [{"limit": 0}, {"limit": -1}, {"after": "../x"}, {"after": ""}]
)
def test_a_bad_page_is_refused(data: Path, page: Any) -> None:
    """A page of nothing, or after what is no id, is wrong use."""
    with pytest.raises(InvalidRequestError):
        list_runs(data, **page)


@pytest.mark.parametrize("name", ["run.db", "run.json"])
def test_a_damaged_run_is_listed_with_its_problem(data: Path, name: str) -> None:
    """A run that cannot be read does not hide the others, and says what is wrong."""
    (data / IDS[1] / name).unlink()
    summaries = {summary.run_id: summary for summary in list_runs(data)}
    assert list(summaries) == IDS[::-1]
    assert f"{name} is missing" in summaries[IDS[1]].problem
    assert summaries[IDS[2]].problem == ""


def test_an_active_run_says_so(data: Path) -> None:
    """A run is active while somebody writes it, and asking does not disturb that."""
    with new_run(data, "2026-01-04_000000_d") as store:
        assert [summary.active for summary in list_runs(data)] == [True] + [False] * 3
        fill(store, 1)
    assert not is_active(store.folder)


def test_a_new_id_is_free(data: Path) -> None:
    """A new run's id is not that of any folder that is there."""
    run_id = free_run_id(data, "Pond", START_NS, 0)
    (data / run_id).mkdir()
    assert free_run_id(data, "Pond", START_NS, 0) == f"{run_id}_2"


@pytest.mark.parametrize("run_id", ["../x", "a/b", "/etc", "", "."])
def test_a_path_finds_no_run(data: Path, run_id: str) -> None:
    """A path is refused as wrong use, whatever is there."""
    with pytest.raises(InvalidRequestError, match="is not a run id"):
        run_folder(data, run_id)


@pytest.mark.parametrize(
    "run_id", ["nothing", "photos", "run", "2026-01-02_000000_empty"]
)
def test_what_is_no_run_is_not_found(data: Path, run_id: str) -> None:
    """A name that is no run's is not found, also when a folder has it."""
    with pytest.raises(NotFoundError, match=run_id):
        run_folder(data, run_id)
    with pytest.raises(NotFoundError, match=run_id):
        delete_run(data, run_id, run_id)


def test_a_deleted_run_is_gone(data: Path) -> None:
    """A delete removes the run with all of its files, and only that run."""
    delete_run(data, IDS[1], confirm=IDS[1])
    assert ids(data) == [IDS[2], IDS[0]]
    assert not [path for path in data.iterdir() if IDS[1] in path.name]
    assert (data / "photos" / "holiday").is_dir()


@pytest.mark.parametrize("confirm", ["", "yes", IDS[0], IDS[1] + " "])
def test_a_delete_needs_its_confirmation(data: Path, confirm: str) -> None:
    """Without the run's own id as confirmation nothing is deleted."""
    with pytest.raises(ConfirmationError, match=IDS[1]):
        delete_run(data, IDS[1], confirm)
    assert ids(data) == IDS[::-1]


def test_an_active_run_is_not_deleted(data: Path) -> None:
    """A run that is being written is not deleted."""
    run_id = "2026-01-04_000000_d"
    with new_run(data, run_id) as store:
        with pytest.raises(RunActiveError, match=run_id):
            delete_run(data, run_id, run_id)
        fill(store, 1)
        assert store.totals().frames == 1


def test_a_damaged_run_can_be_deleted(data: Path) -> None:
    """A run that cannot even be read can be deleted."""
    (data / IDS[1] / "run.db").write_bytes(b"")
    (data / IDS[1] / "run.json").unlink()
    delete_run(data, IDS[1], IDS[1])
    assert IDS[1] not in ids(data)


def test_a_delete_that_is_cut_short_leaves_no_half_run(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delete that is cut short has the run off the list, and can be finished."""

    def fail(_path: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", fail)
        with pytest.raises(KeyboardInterrupt):
            delete_run(data, IDS[1], IDS[1])
    assert ids(data) == [IDS[2], IDS[0]]
    assert [path for path in data.iterdir() if IDS[1] in path.name]
    finish_deletes(data)
    assert not [path for path in data.iterdir() if IDS[1] in path.name]


def test_a_read_only_disk_keeps_its_runs(tmp_path: Path) -> None:
    """On a read-only disk a delete is a clear sentence and the run stays listed."""
    with small_disk(tmp_path / "small", 1024) as small:
        finished_run(small, 1, IDS[0])
        make_read_only(small)
        with pytest.raises(StorageError, match="read-only"):
            delete_run(small, IDS[0], IDS[0])
        assert ids(small) == IDS[:1]
