"""Damage of every kind: `verify` names it, `repair` mends it, nothing gets worse."""

import contextlib
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest
from cases.stored import (
    HEADER,
    RUN_ID,
    captured,
    draft,
    fill,
    finished_run,
    new_run,
    tiny_jpeg,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from openflexure_timelapse.errors import (
    DamagedRunError,
    NotFoundError,
    RunActiveError,
    StorageError,
)
from openflexure_timelapse.frame import Frame, Outcome, Reason, Slot, Visit
from openflexure_timelapse.store import repair as repair_module
from openflexure_timelapse.store.disk import (
    RealDisk,
    rename_durably,
    usual_temporary_name,
)
from openflexure_timelapse.store.exif import read_frame_record, with_exif
from openflexure_timelapse.store.header import MEMBERS, frame_record
from openflexure_timelapse.store.recover import recover, repair, verify
from openflexure_timelapse.store.run_store import RunStore

SECOND_FRAME = "frames/here/0000001.jpeg"
OTHER_RUN = "2020-01-01_000000_other"


def change(path: Path, place: int, data: bytes) -> None:
    """Write over some bytes of a file."""
    content = bytearray(path.read_bytes())
    content[place : place + len(data)] = data
    path.write_bytes(bytes(content))


def execute(folder: Path, statement: str) -> None:
    """Change the index behind the store's back."""
    with closing(sqlite3.connect(str(folder / "run.db"))) as database:
        database.execute(statement)
        database.commit()


def all_frames(folder: Path) -> List[Frame]:
    """Return what a run lists."""
    with RunStore.open_read(folder) as reader:
        return reader.frames(0, 1000)


def orphan(folder: Path, slot: int, n: int, run_id: str = RUN_ID) -> Path:
    """Put a whole frame into the folder whose row was never committed."""
    header = {**json.loads((folder / "run.json").read_text("utf-8")), "id": run_id}
    path = folder / f"frames/here/{slot:07d}.jpeg"
    record = frame_record(header, n, draft(slot))
    path.write_bytes(with_exif(tiny_jpeg(slot), record, {}))
    return path


def half(path: Path) -> None:
    """Cut a file in half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path: Path, text: bytes) -> None:
    """Put a byte that is no text into the last word of some text in a file."""
    change(path, path.read_bytes().index(text) + text.rindex(b" ") + 1, b"\x80")


def take_out(folder: Path, path: str, value: Any = None) -> None:
    """Set a member of the header to null, or to a value."""
    header = json.loads((folder / "run.json").read_text("utf-8"))
    *outer, last = path.split(".")
    inner = header
    for name in outer:
        inner = inner[name]
    inner[last] = [] if path in NULLABLE and value is None else value
    (folder / "run.json").write_text(json.dumps(header), "utf-8")


NULLABLE = ("camera.simulated", "camera.um_per_pixel")
FRAME_DAMAGE: Dict[str, Tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda f: (f / SECOND_FRAME).unlink(), "missing"),
    "cut": (lambda f: half(f / SECOND_FRAME), "truncated"),
    "empty": (lambda f: (f / SECOND_FRAME).write_bytes(b""), "truncated"),
    "zeroed": (
        lambda f: change(f / SECOND_FRAME, 0, bytes((f / SECOND_FRAME).stat().st_size)),
        "truncated",
    ),
    "one bit": (lambda f: change(f / SECOND_FRAME, -20, b"\x55"), "altered"),
    "swapped": (
        lambda f: shutil.copy(
            str(f / "frames/here/0000002.jpeg"), str(f / SECOND_FRAME)
        ),
        "altered",
    ),
    "folder": (
        lambda f: ((f / SECOND_FRAME).unlink(), (f / SECOND_FRAME).mkdir()),
        "missing",
    ),
}
FILE_DAMAGE: Dict[str, Tuple[Callable[[Path], Any], str]] = {
    "orphan": (lambda f: orphan(f, 50, 7), "unlisted"),
    "orphan of a taken number": (lambda f: orphan(f, 50, 2), "unlisted"),
    "frame of another run": (lambda f: orphan(f, 50, 7, OTHER_RUN), "unlisted"),
    "image": (
        lambda f: (f / "frames/here/0000050.jpeg").write_bytes(tiny_jpeg()),
        "unlisted",
    ),
    "note": (lambda f: (f / "frames/note.txt").write_bytes(b"hello"), "unlisted"),
    "cut orphan": (lambda f: half(orphan(f, 50, 7)), "truncated"),
    "temporary": (
        lambda f: (f / "frames/here/.0000050.jpeg.0123456789ab.part").write_bytes(b""),
        "temporaries",
    ),
    "temporary index": (
        lambda f: (f / ".run.db.0123456789ab.part-wal").write_bytes(b""),
        "temporaries",
    ),
}
INDEX_DAMAGE: Dict[str, Tuple[Callable[[Path], Any], str]] = {
    "no index": (lambda f: (f / "run.db").unlink(), "damage"),
    "empty index": (lambda f: (f / "run.db").write_bytes(b""), "damage"),
    "zeroed index": (
        lambda f: (f / "run.db").write_bytes(bytes((f / "run.db").stat().st_size)),
        "damage",
    ),
    "garbage": (lambda f: (f / "run.db").write_bytes(b"\x93" * 70_000), "damage"),
    "index cut in half": (lambda f: half(f / "run.db"), "damage"),
    "no text in the schema": (
        lambda f: garble(f / "run.db", b"CREATE TABLE"),
        "damage",
    ),
    "no header": (lambda f: (f / "run.json").unlink(), "damage"),
    "garbled header": (lambda f: half(f / "run.json"), "damage"),
    "nested header": (
        lambda f: (f / "run.json").write_bytes(b"[" * 100_000),
        "damage",
    ),
    "folder as header": (
        lambda f: ((f / "run.json").unlink(), (f / "run.json").mkdir()),
        "damage",
    ),
    **{
        f"header without {path}": (lambda f, path=path: take_out(f, path), "damage")
        for path in MEMBERS
    },
    "foreign header": (lambda f: (f / "run.json").write_bytes(b"[1]"), "damage"),
    "neither": (
        lambda f: ((f / "run.json").unlink(), (f / "run.db").write_bytes(b"no")),
        "damage",
    ),
    "altered row": (
        lambda f: execute(f, "UPDATE frames SET z = 5 WHERE n = 2"),
        "damage",
    ),
    "no tables": (lambda f: execute(f, "DROP TABLE slots"), "damage"),
    "wrong total": (
        lambda f: execute(f, "UPDATE totals SET frames = 99"),
        "wrong_counts",
    ),
    "wrong bytes": (
        lambda f: execute(f, "UPDATE totals SET bytes = 0"),
        "wrong_counts",
    ),
    "lost row": (
        lambda f: execute(f, "DELETE FROM frames WHERE n = 2"),
        "wrong_counts",
    ),
    "hole": (lambda f: execute(f, "DELETE FROM slots WHERE first = 2"), "holes"),
}
DAMAGE = {**FRAME_DAMAGE, **FILE_DAMAGE, **INDEX_DAMAGE}


def cases(damage: Dict[str, Any]) -> Any:
    """Return the decorator for a test of each damage."""
    return pytest.mark.parametrize(
        ("break_it", "kind"), list(damage.values()), ids=list(damage)
    )


@cases(DAMAGE)
def test_verify_names_the_damage(
    tmp_path: Path, break_it: Callable[[Path], Any], kind: str
) -> None:
    """Each kind of damage is found, named, and told in a sentence; nothing changes."""
    folder = finished_run(tmp_path)
    assert verify(folder).ok
    break_it(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    report = verify(folder)
    assert not report.ok
    assert getattr(report, kind)
    assert len(report.lines()) > 2
    assert json.loads(json.dumps(report.to_json()))["ok"] is False
    assert all(path.read_bytes() == content for path, content in before.items())


@cases(DAMAGE)
def test_repair_mends_the_damage(
    tmp_path: Path, break_it: Callable[[Path], Any], kind: str
) -> None:
    """After a repair the run is sound, and a second repair has nothing to do."""
    folder = finished_run(tmp_path)
    acknowledged = {frame.file: frame for frame in all_frames(folder)}
    break_it(folder)
    before = {path for path in folder.rglob("*.jpeg") if path.is_file()}
    report = repair(folder)
    assert report.changed
    assert report.lines()
    assert json.loads(json.dumps(report.to_json()))["run_id"] == RUN_ID
    after = verify(folder)
    assert after.ok, after.lines()
    assert {path for path in folder.rglob("*.jpeg") if path.is_file()} == before
    listed = {frame.file: frame for frame in all_frames(folder)}
    for file, frame in acknowledged.items():
        if file != SECOND_FRAME or kind not in FRAME_DAMAGE_KINDS:
            assert listed[file] == frame
    assert not repair(folder).changed


FRAME_DAMAGE_KINDS = {"missing", "truncated", "altered"}


@cases(FRAME_DAMAGE)
def test_a_damaged_frame_is_left_but_not_listed(
    tmp_path: Path, break_it: Callable[[Path], Any], kind: str
) -> None:
    """A frame that is not what it was is left where it is and not listed any more."""
    folder = finished_run(tmp_path)
    break_it(folder)
    assert repair(folder).set_aside == ((SECOND_FRAME, kind),)
    assert [frame.n for frame in all_frames(folder)] == [1, 3, 4, 5, 6]
    with RunStore.open(folder, RealDisk()) as store:
        recover(store)
        assert store.add_frame(tiny_jpeg(), draft(9), {}).n == 7
        assert len(store.frames()) == 6


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


def test_damage_is_told_once(tmp_path: Path) -> None:
    """A page that is met again and again is one sentence, and one in the event."""
    with new_run(tmp_path) as store:
        fill(store, 60)
    database = store.folder / "run.db"
    change(database, 4096, b"\xff" * (database.stat().st_size - 4096))
    assert len(set(verify(store.folder).damage)) == len(verify(store.folder).damage)
    report = repair(store.folder)
    assert report.damage
    assert len(set(report.damage)) == len(report.damage)
    with RunStore.open_read(store.folder) as reader:
        told = reader.events()[-1].details["damage"]
    assert len(set(told)) == len(told)


def test_a_report_says_what_becomes_of_files(tmp_path: Path) -> None:
    """A file that stays is not said to have been moved, a lost one not to stay."""
    folder = finished_run(tmp_path)
    half(folder / SECOND_FRAME)
    (folder / "frames/here/0000002.jpeg").unlink()
    told = "\n".join(repair(folder).lines())
    assert f"left in place: {SECOND_FRAME} (truncated)." in told
    assert "Gone, and not listed any more: frames/here/0000002.jpeg." in told
    assert (folder / SECOND_FRAME).exists()


def test_nothing_left_is_said(tmp_path: Path) -> None:
    """A folder with neither header, index nor frame cannot be repaired, and says so."""
    (tmp_path / RUN_ID / "frames").mkdir(parents=True)
    with pytest.raises(DamagedRunError, match="Nothing is left of the run") as caught:
        repair(tmp_path / RUN_ID)
    assert "delete" not in str(caught.value)


def test_verify_tells_its_progress(tmp_path: Path) -> None:
    """Progress goes from none to all of the frames."""
    folder = finished_run(tmp_path, 3)
    told: List[Tuple[int, int]] = []
    verify(folder, lambda done, total: told.append((done, total)))
    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)
    assert told == sorted(told)


# ------------------------------------------------------------------------------ recover


@pytest.mark.parametrize("way", ["recover", "repair"])
def test_what_a_killed_process_did_is_flushed_before_it_is_built_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Names and rows that a power cut could still take back are made to stay first."""
    folder = finished_run(tmp_path, 2)
    (folder / "run.db-wal").touch()
    seen: List[str] = []
    flush = os.fsync

    def watched(descriptor: int) -> None:
        place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        seen.append(str(place.relative_to(tmp_path)))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    if way == "recover":
        with RunStore.open(folder, RealDisk()) as store:
            recover(store)
    else:
        repair(folder)
    frames = f"{RUN_ID}/frames"
    assert seen[:4] == [".", RUN_ID, frames, f"{frames}/here"]
    assert seen[4] == f"{RUN_ID}/run.db-wal"


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


# -------------------------------------------------------------------------- any damage

PLACES = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.one_of(
            st.binary(min_size=1, max_size=40),
            st.integers(1, 9000).map(bytes),
        ),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40)
@given(places=PLACES, keep=st.floats(0.05, 1))
def test_no_damage_of_the_index_costs_a_frame(
    tmp_path_factory: pytest.TempPathFactory,
    places: List[Tuple[float, bytes]],
    keep: float,
) -> None:
    """However the index is damaged, a repair lists every frame, with its hash."""
    data = tmp_path_factory.mktemp("any")
    folder = finished_run(data, 12)
    acknowledged = all_frames(folder)
    content = bytearray((folder / "run.db").read_bytes())
    for place, damage in places:
        start = int(place * (len(content) - 1))
        content[start : start + len(damage)] = damage
    (folder / "run.db").write_bytes(bytes(content[: int(len(content) * keep)]))
    try:
        verify(folder)
        repair(folder)
    except StorageError as exc:
        pytest.fail(f"a repair must not give up: {exc}")
    report = verify(folder)
    assert report.ok, report.lines()
    assert all_frames(folder) == acknowledged
    with RunStore.open_read(folder) as reader:
        assert reader.totals().next_slot >= 12
    shutil.rmtree(str(data))


def test_an_ended_run_without_all_outcomes_is_wrong(tmp_path: Path) -> None:
    """A run that says it is over has an outcome for each slot of its plan."""
    folder = finished_run(tmp_path)
    assert verify(folder).ended is False
    assert "The run was interrupted and can be resumed." in verify(folder).lines()
    with RunStore.open(folder, RealDisk()) as store:
        store.set_value("engine", {"state": {"phase": "ended"}})
    report = verify(folder)
    assert report.ended
    assert report.holes == ((6, 119),)


def test_a_slot_of_too_few_frames_is_not_told_as_captured(tmp_path: Path) -> None:
    """A repair counts the frames that the plan wants of a slot."""
    header = {**HEADER, "plan": {**HEADER["plan"], "planes": {"count": 2, "step": 40}}}
    with RunStore.create(tmp_path, RUN_ID, header, RealDisk()) as store:
        for slot, planes in ((0, 2), (1, 1)):
            for plane in range(planes):
                store.add_frame(
                    tiny_jpeg(2 * slot + plane), draft(slot, plane=plane), {}
                )
    folder = tmp_path / RUN_ID
    (folder / "run.db").write_bytes(b"lost")
    repair(folder)
    with RunStore.open_read(folder) as store:
        told = [(slot.outcome.value, slot.detail) for slot in store.slots(0, 10)]
    assert told == [
        ("captured", "rebuilt from the frames"),
        ("failed", "1 of 2 frames; rebuilt from the frames"),
    ]
