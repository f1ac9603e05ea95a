"""A repair: what it keeps, mends and salvages, also when it is cut short."""

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
from cases.damage import SECOND_FRAME, all_frames, change, execute, orphan, take_out
from cases.stored import (
    HEADER,
    RUN_ID,
    draft,
    fill,
    finished_run,
    new_run,
    tiny_jpeg,
)

from openflexure_timelapse.errors import (
    DamagedRunError,
    NotFoundError,
    RunActiveError,
)
from openflexure_timelapse.frame import Outcome, Reason, Slot, Visit
from openflexure_timelapse.store import repair as repair_module
from openflexure_timelapse.store.disk import (
    RealDisk,
    rename_durably,
)
from openflexure_timelapse.store.header import MEMBERS
from openflexure_timelapse.store.recover import recover, repair, verify
from openflexure_timelapse.store.run_store import RunStore


def test_a_lost_number_is_never_used_again(tmp_path: Path) -> None:
    """The number of a lost last frame stays unused after a repair."""
    folder = finished_run(tmp_path, 3)
    (folder / "frames/here/0000002.jpeg").unlink()
    repair(folder)
    with RunStore.open(folder, RealDisk()) as store:
        assert store.add_frame(tiny_jpeg(), draft(9), {}).n == 4


def test_a_frame_that_comes_back_is_listed_again(tmp_path: Path) -> None:
    """A lost file that is copied back from elsewhere is found, and listed as it was."""
    folder = finished_run(tmp_path)
    frames = all_frames(folder)
    content = (folder / SECOND_FRAME).read_bytes()
    (folder / SECOND_FRAME).unlink()
    repair(folder)
    (folder / SECOND_FRAME).write_bytes(content)
    assert verify(folder).unlisted == (SECOND_FRAME,)
    assert repair(folder).adopted == (SECOND_FRAME,)
    assert verify(folder).ok
    assert all_frames(folder) == frames


def test_an_altered_file_is_never_listed_as_acknowledged(tmp_path: Path) -> None:
    """A whole image that took the place of a frame is not listed, however often."""
    folder = finished_run(tmp_path)
    change(folder / SECOND_FRAME, -20, b"\x55")
    for _ in range(2):
        repair(folder)
        with RunStore.open(folder, RealDisk()) as store:
            recover(store)
        assert SECOND_FRAME not in {frame.file for frame in all_frames(folder)}
    assert verify(folder).set_aside == 1


def test_repair_keeps_what_the_old_index_knew(tmp_path: Path) -> None:
    """Visits, reasons, events and the engine's values survive the loss of one table."""
    with new_run(tmp_path) as store:
        fill(store, 4)
        skipped = Slot(4, 9, Outcome.SKIPPED, Reason.PAUSED, "by the user", 0)
        visit = Visit(0, "here", Outcome.CAPTURED, None, "", 5, 6)
        store.record(visits=[visit], slots=[skipped], values={"engine": {"phase": 1}})
    execute(store.folder, "DROP TABLE frames")
    assert len(repair(store.folder).adopted) == 4
    with RunStore.open_read(store.folder) as reader:
        assert reader.visits() == [visit]
        assert reader.slots()[-1] == skipped
        assert reader.value("engine") == {"phase": 1}
        assert [event.kind for event in reader.events()] == ["repaired"]
        assert reader.totals().next_slot == 10


def test_the_frames_tell_the_outcomes_of_a_lost_index(tmp_path: Path) -> None:
    """Without an index each slot has an outcome again: its frames', or lost."""
    with new_run(tmp_path) as store:
        for slot in (0, 1, 4):
            store.add_frame(tiny_jpeg(slot), draft(slot), {})
    (store.folder / "run.db").unlink()
    report = repair(store.folder)
    assert report.slots_filled == 5
    with RunStore.open_read(store.folder) as reader:
        told = {slot.first: (slot.last, slot.outcome) for slot in reader.slots()}
        assert reader.totals().next_slot == 5
    fine, lost = Outcome.CAPTURED, Outcome.FAILED
    assert told == {0: (0, fine), 1: (1, fine), 4: (4, fine), 2: (3, lost)}


def test_the_header_is_rebuilt_from_a_frame(tmp_path: Path) -> None:
    """Header and index both lost, the plan is still in every frame."""
    folder = finished_run(tmp_path)
    with RunStore.open_read(folder) as reader:
        header = reader.header
    (folder / "run.json").unlink()
    (folder / "run.db").unlink()
    assert repair(folder).header_rebuilt
    with RunStore.open_read(folder) as reader:
        assert reader.header == header
        assert len(reader.frames()) == 6


def test_a_large_header_leaves_at_least_the_name(tmp_path: Path) -> None:
    """A header too large for a frame is not in it; id and name are."""
    header = {**HEADER, "positions": ["x" * 100] * 100}
    with RunStore.create(tmp_path, RUN_ID, header, RealDisk()) as store:
        fill(store, 1)
    (store.folder / "run.json").unlink()
    (store.folder / "run.db").unlink()
    repair(store.folder)
    with RunStore.open_read(store.folder) as reader:
        assert reader.header["plan"] == {"name": "pond"}
        assert reader.header["created"] == "2026-11-23T08:30:28.873456+01:00"
        assert reader.header["camera"]["model"] == "unknown"
        assert reader.header["id"] == RUN_ID


def test_old_files_are_kept(tmp_path: Path) -> None:
    """A damaged index and a damaged header are moved aside, never deleted."""
    folder = finished_run(tmp_path)
    damaged = [b"first" * 2000, b"second" * 2000]
    for content in damaged:
        (folder / "run.db").write_bytes(content)
        repair(folder)
    (folder / "run.json").write_bytes(b"third")
    repair(folder)
    kept = sorted(path.read_bytes() for path in folder.glob("*.before-repair-*"))
    assert kept == sorted([*damaged, b"third"])


def test_a_folder_in_the_place_of_the_header_is_kept(tmp_path: Path) -> None:
    """A folder named as the header is moved aside with what it holds."""
    folder = finished_run(tmp_path)
    (folder / "run.json").unlink()
    (folder / "run.json").mkdir()
    (folder / "run.json" / "note").write_bytes(b"mine")
    assert repair(folder).moved_aside == ("run.json.before-repair-1",)
    assert (folder / "run.json.before-repair-1" / "note").read_bytes() == b"mine"


def test_rows_in_the_wal_are_salvaged(tmp_path: Path) -> None:
    """After a power cut, rows that only the WAL holds are part of the repair."""
    with new_run(tmp_path / "data") as store:
        fill(store, 3)
        store.set_value("engine", 5)
        cut = tmp_path / "cut" / RUN_ID
        shutil.copytree(str(store.folder), str(cut))
    (cut / SECOND_FRAME).unlink()
    assert (cut / "run.db-wal").stat().st_size
    report = repair(cut)
    assert (report.frames, report.damage) == (2, ())
    with RunStore.open_read(cut) as reader:
        assert reader.value("engine") == 5


def test_an_unreadable_wal_is_kept(tmp_path: Path) -> None:
    """The WAL of an index that is empty or garbage is moved aside whole."""
    with new_run(tmp_path / "data") as store:
        fill(store, 2)
        for number, content in enumerate([b"", b"\x93" * 50_000]):
            cut = tmp_path / str(number) / RUN_ID
            shutil.copytree(str(store.folder), str(cut))
            (cut / "run.db").write_bytes(content)
            wal = (cut / "run.db-wal").read_bytes()
            if not content:
                with pytest.raises(DamagedRunError):
                    RunStore.open(cut, RealDisk())
                verify(cut)
            repair(cut)
            assert (cut / "run.db.before-repair-1-wal").read_bytes() == wal


def test_rows_behind_damage_are_salvaged(tmp_path: Path) -> None:
    """Of a table with a damaged page, the rows before and behind it are kept."""
    with new_run(tmp_path) as store:
        detail = "number {} " + "x" * 100
        visits = [
            Visit(slot, "here", Outcome.CAPTURED, None, detail.format(slot), 5, 6)
            for slot in range(400)
        ]
        store.record(visits=visits)
        fill(store, 2)
    database = store.folder / "run.db"
    page = database.read_bytes().index(b"number 200 ") // 4096 * 4096
    change(database, page, b"\xff" * 4096)
    repair(store.folder)
    with RunStore.open_read(store.folder) as reader:
        kept = reader.visits(0, 1000)
    assert (kept[0], kept[-1]) == (visits[0], visits[-1])
    assert 300 < len(kept) < 400
    assert kept == [visit for visit in visits if visit in kept]


class _PowerCutError(Exception):
    """The power is gone."""


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("index", ["kept", "garbage", "gone"])
def test_a_repair_that_is_cut_short_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, moment: str, index: str
) -> None:
    """A power cut at any rename of a repair is made good by the next repair."""
    with new_run(tmp_path / "data") as store:
        fill(store, 4)
        folder = tmp_path / "cut" / RUN_ID
        shutil.copytree(str(store.folder), str(folder))
    (folder / SECOND_FRAME).unlink()
    if index == "garbage":
        (folder / "run.db").write_bytes(b"\x93" * 70_000)
    if index == "gone":
        (folder / "run.db").unlink()
    done = []

    def cut(source: Path, target: Path) -> None:
        done.append(source)
        if len(done) == step + 1 and moment == "before":
            raise _PowerCutError
        rename_durably(source, target)
        if len(done) == step + 1 and moment == "after":
            raise _PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(repair_module, "rename_durably", cut)
        with contextlib.suppress(_PowerCutError):
            repair(folder)
    repair(folder)
    assert verify(folder).ok
    assert [frame.n for frame in all_frames(folder)] == [1, 3, 4]
    assert not repair(folder).changed


def test_an_unfinished_repair_is_not_opened(tmp_path: Path) -> None:
    """A run whose repair was cut short is not written before it is finished."""
    folder = finished_run(tmp_path)
    shutil.copy(str(folder / "run.db"), str(folder / "run.db.new"))
    with pytest.raises(DamagedRunError, match="cut short; run it again"):
        RunStore.open(folder, RealDisk())
    repair(folder)
    RunStore.open(folder, RealDisk()).close()


def test_an_active_run_is_not_repaired(tmp_path: Path) -> None:
    """A run that is being written is checked, but not repaired."""
    with new_run(tmp_path) as store:
        fill(store, 2)
        (store.folder / "frames/here/.0000009.jpeg.0123456789ab.part").write_bytes(b"")
        orphan(store.folder, 2, 3)
        report = verify(store.folder)
        assert (report.active, report.ok, report.frames_checked) == (True, True, 2)
        with pytest.raises(RunActiveError, match=RUN_ID):
            repair(store.folder)


@pytest.mark.parametrize("call", [verify, repair])
def test_a_missing_run_is_not_found(
    tmp_path: Path, call: Callable[[Path], Any]
) -> None:
    """A run that is not there is a sentence with its name."""
    with pytest.raises(NotFoundError, match="no run nowhere"):
        call(tmp_path / "nowhere")


@pytest.mark.parametrize("call", [verify, repair])
@pytest.mark.parametrize("place", ["/", "..", "a folder"])
def test_a_folder_that_is_no_run_is_left_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[Path], Any],
    place: str,
) -> None:
    """A folder that holds nothing of a run is refused by name, and stays as it is."""
    inner = tmp_path / "a folder"
    inner.mkdir()
    leftover = inner / ".run.db.0123456789ab.part"
    leftover.write_bytes(b"of somebody else")
    monkeypatch.chdir(inner)
    with pytest.raises(NotFoundError, match="is not a run's folder: it holds none of"):
        call(Path(place) if place != "a folder" else inner)
    assert leftover.exists()


@pytest.mark.parametrize("member", [*MEMBERS, "camera", "plan"])
def test_a_header_that_no_reader_can_use_is_mended(tmp_path: Path, member: str) -> None:
    """A header without a member that readers need is taken from the index again."""
    folder = finished_run(tmp_path)
    header = (folder / "run.json").read_bytes()
    take_out(folder, member)
    with pytest.raises(DamagedRunError, match=r"its member \S+ is missing"):
        RunStore.open_read(folder)
    assert repair(folder).header_rebuilt
    assert json.loads((folder / "run.json").read_bytes()) == json.loads(header)
