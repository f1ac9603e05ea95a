"""The load campaign in short: it holds, and it sees what falls."""

from pathlib import Path
from typing import Any, List

import pytest

from benchmarks.engine import InstantCamera
from campaigns import load, load_endurance, load_long_run, load_many_runs
from campaigns.load_meter import Holding, growth
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts import todo
from openflexure_timelapse.store import run_reader
from openflexure_timelapse.store.evidence import stored_files
from openflexure_timelapse.store.run_store import RunStore

SLOTS = 60
FRAMES = 1500


@pytest.fixture(autouse=True)
def _in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no times, and forget no caches of a machine that others use."""
    for module in (load_long_run, load_many_runs):
        monkeypatch.setattr(module, "CALLS", 1)
    monkeypatch.setattr(load_long_run, "RESUMES", 1)
    monkeypatch.setattr(load_long_run, "forget", lambda: False)
    monkeypatch.setattr(load_endurance, "SLOTS_BEFORE", 10)


def test_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All parts but the server, whose short form is beside the tests of the hosts."""
    monkeypatch.setattr(load, "FRAMES_PER_TRIAL", FRAMES // SLOTS)
    found = load.attack(SLOTS, 1, tmp_path)
    assert found.broken == ()
    assert len(found.tables) == 5


def test_it_sees_a_lost_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that fails once."""
    real = InstantCamera.capture

    def capture(self: Any, mode: Any) -> Any:
        image = real(self, mode)
        if self._served in {30, 31}:
            raise HardwareError("it has failed")
        return image

    monkeypatch.setattr(InstantCamera, "capture", capture)
    broken = load_endurance.endure(SLOTS, tmp_path).broken
    assert any(
        sentence.endswith(f"of {SLOTS} slots have no frame.") for sentence in broken
    )


def test_it_sees_what_grows() -> None:
    """Descriptors, memory and SQLite's file of a run that leaks."""
    looks = [Holding(n, n, 10 + n // 1000, 5, n) for n in range(0, 100_000, 1000)]
    assert growth(looks, "rss_kb") == pytest.approx(10_000)
    fell = load_endurance.grown(looks)
    assert [sentence.split()[0] for sentence in fell] == ["There", "SQLite's", "Memory"]
    flat = [look.__class__(look.at, 9, 9, 9, 9) for look in looks]
    assert load_endurance.grown(flat) == []


def test_it_sees_a_way_back_that_walks_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was: each file is looked up."""

    def all_files(_reader: Any, folder: Path) -> List[str]:
        return list(stored_files(folder))

    monkeypatch.setattr(run_reader, "begun_files", all_files)
    (broken,) = load_long_run.stay_flat(FRAMES, tmp_path).broken
    assert broken.startswith("The way back takes")


def test_it_sees_a_list_that_opens_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking for the run that waits in all of them."""
    real = todo.runs_to_do

    def all_runs(data: Path) -> List[str]:
        for path in data.iterdir():
            if path.is_dir():
                RunStore.open_read(path).close()
        return real(data)

    monkeypatch.setattr(todo, "runs_to_do", all_runs)
    broken = load_many_runs.list_many(60, tmp_path).broken
    assert any(sentence.startswith("status opens") for sentence in broken)
