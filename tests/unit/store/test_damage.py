"""Damage of every kind: `verify` names it, `repair` mends it, nothing gets worse."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest
from cases.damage import (
    FILE_DAMAGE,
    SECOND_FRAME,
    all_frames,
    change,
    execute,
    half,
    take_out,
)
from cases.stored import (
    HEADER,
    RUN_ID,
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
    StorageError,
)
from openflexure_timelapse.store.disk import (
    RealDisk,
)
from openflexure_timelapse.store.header import MEMBERS
from openflexure_timelapse.store.recover import recover, repair, verify
from openflexure_timelapse.store.run_store import RunStore


def garble(path: Path, text: bytes) -> None:
    """Put a byte that is no text into the last word of some text in a file."""
    change(path, path.read_bytes().index(text) + text.rindex(b" ") + 1, b"\x80")


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
