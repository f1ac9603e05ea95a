"""Recovering a run that a process left: tidied, and nothing lost."""

from pathlib import Path

import pytest
from cases.damage import FILE_DAMAGE, orphan
from cases.stored import captured, draft, finished_run

from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.exif import read_frame_record
from openflexure_timelapse.store.recover import recover, verify
from openflexure_timelapse.store.run_store import RunStore


def test_recover_cleans_and_adopts(tmp_path: Path) -> None:
    """Before a resume, leftovers go and a frame that lacks only its row is listed."""
    folder = finished_run(tmp_path, 2)
    leftover = folder / "frames/here/.0000002.jpeg.0123456789ab.part"
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
