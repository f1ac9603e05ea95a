"""Full, failing and missing disks, in short; and that a broken promise is seen."""

import contextlib
import random
from pathlib import Path
from typing import Iterator, List

import pytest

from campaigns import disk_forecast, disk_verbs
from campaigns.disk_strike import one_trial
from campaigns.full_disk import ATTACKS
from campaigns.small_disk import CannotMountError
from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.forecast import Forecast
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.store.run_store import RunStore

HERE = ("others", "at_end", "inodes", "io_error", "read_only", "pulled")


def chance(seed: str) -> random.Random:
    """Return what chooses, the same each time."""
    return random.Random(seed)  # noqa: S311 (repeatable is the point)


@contextlib.contextmanager
def mounting() -> Iterator[None]:
    """Skip the test where nothing may be mounted."""
    try:
        yield
    except CannotMountError as exc:
        pytest.skip(f"this test mounts a small disk, which cannot be done here: {exc}")


def broken(name: str, seed: str, work: Path) -> List[str]:
    """Do one trial and return the promises that fell."""
    with mounting():
        return one_trial(ATTACKS[name], chance(seed), work / "disk").broken


@pytest.mark.parametrize("name", HERE)
def test_a_disk_that_is_struck_loses_nothing(tmp_path: Path, name: str) -> None:
    """The run pauses, says why, loses nothing, and goes on when the disk is back."""
    assert broken(name, f"short-{name}", tmp_path) == []


def test_a_full_disk_is_foreseen_an_hour_ahead(tmp_path: Path) -> None:
    """The forecast is right within a tenth, and others can write to the end."""
    shape = "growing by a tenth in an hour"
    with mounting():
        found = disk_forecast.one_trial(shape, chance("short-1"), tmp_path / "d")
    assert found.story.broken == []


def test_a_full_disk_answers(tmp_path: Path) -> None:
    """Status, lists and delete work; what needs room says so."""
    with mounting():
        told = disk_verbs.one_trial(chance("short"), tmp_path / "disk")
    assert {what: wrong for what, wrong in told.items() if wrong} == {}
    assert "delete" in told


def test_a_card_that_fails_under_a_server_can_be_taken_out(tmp_path: Path) -> None:
    """Nothing holds it, nothing is written in its place, the run goes on."""
    with mounting():
        told = disk_verbs.one_card(chance("short"), tmp_path / "disk")
    assert {what: wrong for what, wrong in told.items() if wrong} == {}
    assert "the run goes on when it is back" in told


# ------------------------------------------------------------------ the attacks see


def test_a_run_that_does_not_look_where_its_folder_is_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open files of a pulled card go on as if nothing had happened."""
    monkeypatch.setattr(RunStore, "check_in_place", lambda _store: None)
    assert broken("pulled", "seen-2", tmp_path)


def test_a_run_that_calls_every_disk_full_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status must tell the truth."""
    monkeypatch.setattr("openflexure_timelapse.disk_watch.DiskFullError", StorageError)
    fell = broken("read_only", "short-read_only", tmp_path)
    assert any("the status said disk_full" in line for line in fell)


def test_a_run_that_does_not_try_the_disk_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that were open when a disk failed are of no use afterwards."""
    monkeypatch.setattr(RunStore, "reopen", lambda _store: None)
    assert broken("io_error", "short-io_error", tmp_path)


def test_a_forecast_by_the_cameras_word_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frames themselves must be measured."""
    monkeypatch.setattr(Forecast, "after", lambda self, *_totals: self)
    with mounting():
        found = disk_forecast.one_trial(
            "alike, 20 % up and down", chance("short-1"), tmp_path / "d"
        )
    assert any("forecast was wrong" in line for line in found.story.broken)


def test_a_movie_that_takes_what_is_kept_free_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must be given up before the disk is full."""
    monkeypatch.setattr(Library, "check_space", lambda *_arguments: None)
    with mounting():
        told = disk_verbs.one_trial(chance("short"), tmp_path / "disk")
    assert told["a movie under way"]
