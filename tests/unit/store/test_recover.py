"""The way back after a power cut: nothing is missed, and no long run is walked."""

import os
from pathlib import Path
from typing import Any, List

import pytest
from cases.damage import FILE_DAMAGE, orphan
from cases.stored import (
    captured,
    draft,
    finished_run,
    tiny_jpeg,
)

from openflexure_timelapse.frame import Outcome, Reason, Slot, Visit
from openflexure_timelapse.store.disk import (
    RealDisk,
    usual_temporary_name,
)
from openflexure_timelapse.store.exif import read_frame_record, with_exif
from openflexure_timelapse.store.header import frame_record
from openflexure_timelapse.store.recover import recover, verify
from openflexure_timelapse.store.run_store import RunStore

HERE = "frames/here"


def put(store: RunStore, slot: int, n: int, plane: int = 0) -> str:
    """Put a whole frame into the folder that has no row; return its file."""
    facts = draft(slot, plane=plane)
    file = f"{HERE}/{slot:07d}{'_z1' if plane else ''}.jpeg"
    content = with_exif(tiny_jpeg(n), frame_record(store.header, n, facts), {})
    (store.folder / file).write_bytes(content)
    return file


def steps_of_recover(store: RunStore) -> int:
    """Return how many steps SQLite takes for a recovery."""
    taken: List[int] = []
    with store._index.readers.borrow() as reader:
        reader.set_progress_handler(lambda: taken.append(1), 1)
    recover(store)  # with the same connection: the one that was given back last
    return len(taken)


def test_a_recovery_costs_the_same_for_a_longer_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder of frames is listed, and no row more is read."""
    listed: List[str] = []
    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, _noting(getattr(os, name), listed))
    steps = []
    for count in (8, 80):
        folder = finished_run(tmp_path / str(count), count)
        with RunStore.open(folder, RealDisk()) as store:
            steps.append(steps_of_recover(store))
        assert str(folder / "frames") in listed
        assert str(folder / HERE) not in listed
    assert steps[1] <= steps[0] + 10


def _noting(real: Any, listed: List[str]) -> Any:
    """Return a function that lists a folder and takes note of it."""

    def listing(path: Any) -> Any:
        listed.append(str(path))
        return real(path)

    return listing


def test_a_frame_that_the_disk_refused_earlier_is_adopted(tmp_path: Path) -> None:
    """Its slot has its outcome, and the run has gone on for long."""
    folder = finished_run(tmp_path, 2)
    with RunStore.open(folder, RealDisk()) as store:
        file = put(store, 2, 3)
        half = folder / HERE / usual_temporary_name("0000003.jpeg")
        half.write_bytes(b"half")
        for slot, reason in ((2, Reason.STORAGE), (3, Reason.DISK_FULL)):
            failed = Outcome.FAILED
            store.record(
                visits=[Visit(slot, "here", failed, reason, "", 0, 1, 0, None, None)],
                slots=[Slot(slot, slot, failed, reason, "", 0)],
            )
        for slot in (4, 5):
            store.add_frame(tiny_jpeg(slot), draft(slot), {})
            store.add_slot(captured(slot))
        report = recover(store)
        assert report.frames_adopted == (file,)
        assert report.temporaries_removed == (str(half.relative_to(folder)),)
        assert recover(store).to_json() == {
            "temporaries_removed": (),
            "frames_adopted": (),
        }


def test_the_next_plane_of_a_stack_is_looked_for(tmp_path: Path) -> None:
    """A visit was cut short between two of its planes, in a place that had none yet."""
    folder = finished_run(tmp_path, 2)
    with RunStore.open(folder, RealDisk()) as store:
        store.add_frame(tiny_jpeg(2), draft(2), {})
        file = put(store, 2, 4, plane=1)
        (folder / "frames/there").mkdir()
        half = folder / "frames/there" / usual_temporary_name("0000002.jpeg")
        half.write_bytes(b"half")
        report = recover(store)
    assert report.frames_adopted == (file,)
    assert report.temporaries_removed == (str(half.relative_to(folder)),)


def test_recover_cleans_and_adopts(tmp_path: Path) -> None:
    """Before a resume, leftovers go and a frame that lacks only its row is listed."""
    folder = finished_run(tmp_path, 2)
    leftover = folder / "frames/here" / usual_temporary_name("0000002.jpeg")
    leftover.write_bytes(b"half a frame")
    path = orphan(folder, 2, 3)
    with RunStore.open(folder, RealDisk()) as store:
        report = recover(store)
        assert report.frames_adopted == ("frames/here/0000002.jpeg",)
        assert report.temporaries_removed == (str(leftover.relative_to(folder)),)
        record = read_frame_record(path.read_bytes())
        assert record is not None
        assert store.frame(3).draft == record.draft == draft(2)
        kinds = [event.kind for event in store.events()]
        assert kinds == ["temporaries_removed", "frame_adopted"]
        assert store.events()[1].details == {"file": report.frames_adopted[0], "n": 3}
        again = recover(store)
        assert again.to_json() == {"temporaries_removed": (), "frames_adopted": ()}
        store.add_slot(captured(2))
    assert not leftover.exists()
    assert verify(folder).ok


@pytest.mark.parametrize(
    "name", ["frame of another run", "image", "note", "cut orphan"]
)
def test_recover_leaves_what_is_not_its_own(tmp_path: Path, name: str) -> None:
    """What is not a whole frame of this run is neither listed nor removed."""
    folder = finished_run(tmp_path, 2)
    FILE_DAMAGE[name][0](folder)
    before = sorted(folder.rglob("*"))
    with RunStore.open(folder, RealDisk()) as store:
        assert recover(store).frames_adopted == ()
        assert len(store.frames()) == 2
    assert [path for path in before if not path.exists()] == []
    assert not verify(folder).ok
