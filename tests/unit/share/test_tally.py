"""Frames are counted once, and never wrongly."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, List, Mapping

import pytest
from cases.stored import draft, tiny_jpeg
from cases.volumes import small_run

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.share.tally import PlaceTally, Tallies
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.layout import INDEX_FILE
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.survey import Survey


@pytest.fixture(name="walked")
def _walked(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """Return how many frames were read each time."""
    walked: List[int] = []
    briefs = Survey.briefs

    def counted(self: Survey, *asked: int) -> Any:
        found = briefs(self, *asked)
        walked.append(len(found))
        return found

    monkeypatch.setattr(Survey, "briefs", counted)
    return walked


def tallied(
    tallies: Tallies, folder: Path, planes: int = 1
) -> Mapping[str, PlaceTally]:
    """Return what there is of a run."""
    with RunStore.open_read(folder) as store:
        return tallies.of(store, planes)


def grow(folder: Path, *slots: int) -> None:
    """Add frames to a run."""
    with RunStore.open(folder, RealDisk()) as store:
        for slot in slots:
            known = replace(draft(slot), width=32) if slot == 7 else draft(slot)
            store.add_frame(tiny_jpeg(slot), known, {})


def test_what_was_counted_is_not_walked_again(
    tmp_path: Path, walked: List[int]
) -> None:
    """A run that is over is walked once, one that grows only where it is new."""
    tallies, folder = Tallies(), small_run(tmp_path, range(5))
    first = tallied(tallies, folder)
    assert (first["here"].frames, walked) == (5, [5, 0])
    assert tallied(tallies, folder) is first
    grow(folder, 5, 6, 7)
    assert tallied(tallies, folder) == tallied(Tallies(), folder)
    assert walked[2:4] == [3, 0]
    assert first["here"].frames == 5  # somebody may still read it
    (most, other) = tallied(tallies, folder)["here"].sizes.values()
    assert (most.points, most.slots, other.frames) == (7, [0, 6], 1)


def test_an_index_that_a_repair_made_is_counted_anew(tmp_path: Path) -> None:
    """Also where it has as many frames, and also fewer."""
    tallies, folder = Tallies(), small_run(tmp_path / "run", range(5))
    assert tallied(tallies, folder)["here"].frames == 5
    for slots in (range(3), range(10, 15)):
        other = small_run(tmp_path / f"other{slots}", slots)
        id_of_run = (folder / "run.json").read_bytes()
        shutil.rmtree(str(folder))
        shutil.copytree(str(other), str(folder))
        (folder / "run.json").write_bytes(id_of_run)
        found = tallied(tallies, folder)
        assert found == tallied(Tallies(), folder)
        (tally,) = found["here"].sizes.values()
        assert tally.slots == [slots[0], slots[-1]]


def test_few_runs_are_remembered(tmp_path: Path, walked: List[int]) -> None:
    """The last ones that somebody asked for."""
    tallies = Tallies()
    folders = [small_run(tmp_path / str(each), range(1)) for each in range(9)]
    for folder in folders:
        tallied(tallies, folder)
    del walked[:]
    tallied(tallies, folders[-1])
    assert walked == []
    tallied(tallies, folders[0])
    assert walked == [1, 0]


def test_a_row_without_sense_is_damage(tmp_path: Path) -> None:
    """Not a wrong number."""
    folder = small_run(tmp_path, range(3))
    index = Index(folder / INDEX_FILE, writable=True)
    with index._transaction() as writer:
        writer.execute("UPDATE frames SET due_ns = 'soon' WHERE n = 2")
    index.close()
    with pytest.raises(DamagedRunError, match="is damaged"):
        tallied(Tallies(), folder)
