"""The process is killed, really and everywhere: nothing acknowledged is lost.

A child process does the work and dies of SIGKILL, at every boundary of a write in turn
or at whatever instant the signal reaches it. What it acknowledged before, and only the
disk, is then compared with the run.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable, List

import pytest
from cases.stored import RUN_ID, captured, draft, finished_run, new_run, tiny_jpeg

from campaigns.kill_boundaries import killed_at
from campaigns.kill_lives import Told
from openflexure_timelapse.hosts.leftovers import sweep
from openflexure_timelapse.store.catalogue import (
    delete_run,
    finish_deletes,
    list_runs,
)
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.evidence import temporaries
from openflexure_timelapse.store.recover import recover, repair, verify
from openflexure_timelapse.store.run_store import RunStore

# Records for ever, and tells on a pipe what is acknowledged.
FOR_EVER = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from cases.stored import RUN_ID, captured, draft, new_run, tiny_jpeg
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore

data = Path(sys.argv[1])
fresh = not (data / RUN_ID).exists()
store = new_run(data) if fresh else RunStore.open(data / RUN_ID, RealDisk())
recover(store)
last = store.last_frame()
slot = 0 if last is None else last.draft.slot + 1
padding = bytes(300_000)
while True:
    frame = store.add_frame(tiny_jpeg(slot) + padding, draft(slot), {})
    print(frame.n, frame.file, frame.sha256, flush=True)
    slot += 1
"""
TESTS = str(Path(__file__).resolve().parents[1])
LIVES = (1, 7, 20, 3)


def told(lines: List[str]) -> List[Told]:
    """Return the acknowledgements in whole lines of text."""
    parts = [line.split() for line in lines if line.endswith("\n")]
    return [Told(int(n), file, sha256) for n, file, sha256 in parts]


def at_every_boundary(job: Callable[[Path], object], place: Path) -> List[Path]:
    """Do a job once for each boundary; return the data folders that were left."""
    folders: List[Path] = []
    killed = True
    while killed:
        data = place / str(len(folders))
        if (place / "start").exists():
            shutil.copytree(str(place / "start"), str(data))
        else:
            data.mkdir()
        folders.append(data)
        number = len(folders) - 1
        killed = killed_at(number, lambda: job(folders[-1]), place / "log")
    return folders


def record(data: Path) -> None:
    """Record three frames of two slots and tell each once it is acknowledged."""
    acks = os.open(str(data / "acks"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with new_run(data) as store:
        for slot in range(2):
            for plane in range(2 - slot):
                frame = store.add_frame(tiny_jpeg(slot), draft(slot, plane=plane), {})
                os.write(acks, f"{frame.n} {frame.file} {frame.sha256}\n".encode())
            store.add_slot(captured(slot))


def assert_all_there(store: RunStore, acknowledged: List[Told]) -> None:
    """Check that every acknowledged frame is listed once, and its file unaltered."""
    listed = {frame.n: frame for frame in store.frames(0, 10_000)}
    assert len({frame.file for frame in listed.values()}) == len(listed)
    for n, file, sha256 in acknowledged:
        content = (store.folder / file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256
        assert (listed[n].file, listed[n].sha256) == (file, sha256)
    assert temporaries(store.folder) == []


def assert_sound(folder: Path) -> None:
    """Check that nothing is wrong with a run."""
    report = verify(folder)
    assert report.ok, report.lines()


def test_killed_at_every_boundary_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Killed before and after each step of a write, a run goes on with every frame."""
    folders = at_every_boundary(record, tmp_path)
    assert len(folders) > 30
    begun = 0
    for data in folders:
        acks = data / "acks"
        acknowledged = told(acks.read_text().splitlines(keepends=True))
        if not (data / RUN_ID).exists():
            assert (acknowledged, list_runs(data)) == ([], [])
            sweep(data)
            assert [path.name for path in data.iterdir()] == ["acks"]
            new_run(data).close()
            continue
        begun += 1
        with RunStore.open(data / RUN_ID, RealDisk()) as store:
            recover(store)
            assert_all_there(store, acknowledged)
            assert len(store.frames()) - len(acknowledged) in (0, 1)
            for slot in range(store.totals().next_slot, 3):
                if store.frame_at(slot, "here", 0) is None:
                    store.add_frame(tiny_jpeg(slot), draft(slot), {})
                store.add_slot(captured(slot))
        assert_sound(data / RUN_ID)
    assert begun > 15


def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """One run, recorded by processes that are killed one after the other, is whole."""
    acknowledged: List[Told] = []
    for frames in LIVES:
        command = [sys.executable, "-c", FOR_EVER, str(tmp_path), TESTS]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, universal_newlines=True
        ) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(frames)]
            child.send_signal(signal.SIGKILL)
            lines += child.stdout.readlines()
        acknowledged += told(lines)
    assert len(acknowledged) >= sum(LIVES)
    with RunStore.open(tmp_path / RUN_ID, RealDisk()) as store:
        recover(store)
        assert_all_there(store, acknowledged)
        assert len(store.frames(0, 10_000)) - len(acknowledged) <= len(LIVES)
    assert_sound(tmp_path / RUN_ID)


@pytest.mark.parametrize("damage", ["garbage", "orphan"])
def test_killed_at_every_boundary_a_repair_can_be_repeated(
    tmp_path: Path, damage: str
) -> None:
    """Killed before and after each step of a repair, the next repair ends well."""
    folder = finished_run(tmp_path / "start", 4)
    if damage == "garbage":
        (folder / "run.db").write_bytes(b"\x93" * 50_000)
    else:
        (folder / "frames/here/0000001.jpeg").unlink()
    kept = {path.name: path.read_bytes() for path in folder.rglob("*.jpeg")}
    folders = at_every_boundary(lambda data: repair(data / RUN_ID), tmp_path)
    assert len(folders) > 4
    for data in folders:
        repair(data / RUN_ID)
        assert_sound(data / RUN_ID)
        with RunStore.open_read(data / RUN_ID) as reader:
            assert len(reader.frames()) == len(kept)
        for path in (data / RUN_ID).rglob("*.jpeg"):
            assert path.read_bytes() == kept[path.name]


def test_killed_at_every_boundary_a_delete_leaves_no_half_run(tmp_path: Path) -> None:
    """Killed before and after each step of a delete, the run is whole or gone."""
    finished_run(tmp_path / "start", 2)
    folders = at_every_boundary(lambda data: delete_run(data, RUN_ID, RUN_ID), tmp_path)
    assert len(folders) > 4
    for data in folders:
        for summary in list_runs(data):
            assert summary.problem == ""
            assert_sound(data / summary.run_id)
        finish_deletes(data)
        left = [path.name for path in data.iterdir()]
        assert left in ([], [RUN_ID])
    assert left == []
    shutil.rmtree(str(tmp_path))
