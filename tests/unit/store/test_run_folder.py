"""A run's folder: opened, locked, full, read-only, damaged, and listed as CSV."""

import csv
import hashlib
import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest
from cases.stored import (
    HEADER,
    RUN_ID,
    captured,
    draft,
    fill,
    finished_run,
    make_read_only,
    new_run,
    small_disk,
    tiny_jpeg,
)

from openflexure_timelapse.errors import (
    ConflictError,
    DamagedRunError,
    DiskFullError,
    InvalidRequestError,
    NotFoundError,
    RunActiveError,
    StorageError,
    TimelapseError,
)
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

OPEN_ELSEWHERE = """
import sys
from openflexure_timelapse.errors import RunActiveError
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore
with RunStore.open_read(sys.argv[1]) as reader:
    print(reader.totals().frames)
try:
    RunStore.open(sys.argv[1], RealDisk()).close()
except RunActiveError as exc:
    print(exc)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    """Return a new run, open for writing."""
    with new_run(tmp_path / "data") as made:
        yield made


def add(store: RunStore, slot: int, position: str = "here", plane: int = 0) -> Any:
    """Add a frame."""
    return store.add_frame(tiny_jpeg(slot), draft(slot, position, plane), {})


# ------------------------------------------------------------------ opening and closing


def test_the_folder_is_as_documented(tmp_path: Path) -> None:
    """A run's folder has the files that the documentation names, and no others."""
    with new_run(tmp_path) as store:
        add(store, 0)
        store.write_csv()
    found = {str(path.relative_to(store.folder)) for path in store.folder.rglob("*")}
    assert found == {
        "run.json",
        "run.db",
        "frames.csv",
        "frames",
        "frames/here",
        "frames/here/0000000.jpeg",
        "movies",
    }


def test_the_header_has_the_id(store: RunStore) -> None:
    """``run.json`` has what was given, and the run's own ids."""
    header = json.loads((store.folder / "run.json").read_text(encoding="utf-8"))
    assert header == store.header
    assert header["id"] == store.run_id == RUN_ID
    assert {key: header[key] for key in HEADER} == HEADER


def test_an_id_is_used_once(store: RunStore) -> None:
    """A second run of an id is refused and the first is untouched."""
    add(store, 0)
    with pytest.raises(ConflictError, match=RUN_ID):
        new_run(store.folder.parent)
    assert store.totals().frames == 1


@pytest.mark.parametrize("run_id", ["a/b", "../x", "", ".", "/abs"])
def test_a_path_makes_no_run(tmp_path: Path, run_id: str) -> None:
    """An id that is a path is refused before anything is made."""
    with pytest.raises(InvalidRequestError):
        new_run(tmp_path / "data", run_id)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "opener", [RunStore.open_read, lambda f: RunStore.open(f, RealDisk())]
)
def test_a_missing_run_is_not_found(tmp_path: Path, opener: Callable[..., Any]) -> None:
    """A run that is not there is a sentence with its name."""
    with pytest.raises(NotFoundError, match=r"no run nowhere in"):
        opener(tmp_path / "nowhere")


def test_one_process_writes_a_run(store: RunStore) -> None:
    """A second writer is refused by name, here and in any process; readers are not."""
    fill(store, 2)
    with pytest.raises(RunActiveError, match=RUN_ID):
        RunStore.open(store.folder, RealDisk())
    command = [sys.executable, "-c", OPEN_ELSEWHERE, str(store.folder)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    assert told.splitlines()[0] == "2"
    assert RUN_ID in told.splitlines()[1]


def test_closing_ends_the_lock(store: RunStore) -> None:
    """After closing, twice if need be, the run can be opened for writing again."""
    store.close()
    store.close()
    RunStore.open(store.folder, RealDisk()).close()


def test_a_failed_opening_ends_the_lock(tmp_path: Path) -> None:
    """A run that cannot be opened is not locked by the attempt."""
    folder = finished_run(tmp_path, 1)
    header = (folder / "run.json").read_bytes()
    (folder / "run.json").write_bytes(b"{}")
    with pytest.raises(DamagedRunError):
        RunStore.open(folder, RealDisk())
    (folder / "run.json").write_bytes(header)
    RunStore.open(folder, RealDisk()).close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """A run that is open for reading refuses every change."""
    folder = finished_run(tmp_path, 1)
    with RunStore.open_read(folder) as reader:
        for attempt in (
            lambda: add(reader, 9),
            lambda: reader.add_slot(captured(9)),
            lambda: reader.set_value("a", 1),
        ):
            with pytest.raises(StorageError, match="open for reading only"):
                attempt()
        assert reader.totals().frames == 1


def test_readers_in_threads_see_whole_changes(store: RunStore) -> None:
    """While frames come in, readers wait for nobody and see each frame whole."""
    done, seen = threading.Event(), []  # type: threading.Event, List[str]

    def read() -> None:
        with RunStore.open_read(store.folder) as other:
            while not done.is_set():
                for reader in (store, other):
                    frames = reader.frames(0, 1000)
                    if reader.totals().frames < len(frames):
                        seen.append("a count fell behind")
                    if [frame.n for frame in frames] != list(range(1, len(frames) + 1)):
                        seen.append("a frame is missing")

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    fill(store, 40)
    done.set()
    for thread in threads:
        thread.join()
    assert seen == []


# ------------------------------------------------------------------------------- disks


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A full disk refuses frames by name; those before are whole, later ones fit."""
    with small_disk(tmp_path / "small", 1024) as small, new_run(small) as store:
        filler = small / "filler"
        fill(store, 3)
        filler.write_bytes(bytes(RealDisk().free_bytes(str(small))))
        with pytest.raises(DiskFullError):
            fill(store, 200, first=3)
        kept = store.totals().frames
        filler.unlink()
        fill(store, 2, first=500)
        files = {path.name for path in (store.folder / "frames/here").iterdir()}
        assert len(files) == store.totals().frames == kept + 2
        for frame in store.frames(0, 1000):
            content = (store.folder / frame.file).read_bytes()
            assert hashlib.sha256(content).hexdigest() == frame.sha256


def test_a_full_index_takes_the_frame_back(tmp_path: Path) -> None:
    """A frame whose row finds no space is not left behind as a file."""
    with small_disk(tmp_path / "small", 1024) as small, new_run(small) as store:
        fill(store, 1)
        jpeg = tiny_jpeg() + bytes(100_000)
        free = RealDisk().free_bytes(str(small))
        (small / "filler").write_bytes(bytes(free - 104 * 1024))
        with pytest.raises(DiskFullError, match=r"run\.db"):
            store.add_frame(jpeg, draft(1), {})
        assert not (store.folder / "frames/here/0000001.jpeg").exists()
        (small / "filler").unlink()
        assert store.add_frame(jpeg, draft(1), {}).n == 2


def test_a_full_disk_starts_no_run(tmp_path: Path) -> None:
    """A run that finds no space to start leaves nothing of itself."""
    with small_disk(tmp_path / "small", 64) as small:
        with pytest.raises(DiskFullError):
            new_run(small)
        assert list(small.iterdir()) == []


def test_a_read_only_disk_can_be_read(tmp_path: Path) -> None:
    """A run on a read-only disk is readable, and writing it is a clear sentence."""
    with small_disk(tmp_path / "small", 1024) as small:
        folder = finished_run(small, 2)
        make_read_only(small)
        with RunStore.open_read(folder) as reader:
            assert len(reader.frames()) == 2
        with pytest.raises(StorageError, match=r"Cannot open .*may be written\.$"):
            RunStore.open(folder, RealDisk())
        with pytest.raises(StorageError, match="read-only"):
            new_run(small, "other")


def test_a_read_only_disk_after_a_power_cut_can_be_read(tmp_path: Path) -> None:
    """Rows that only the WAL has are readable on a read-only disk, or it is said."""
    with small_disk(tmp_path / "small", 2048) as small:
        with new_run(small / "data") as store:
            fill(store, 2)
            cut = small / "cut" / RUN_ID
            subprocess.run(["cp", "-r", str(store.folder), str(cut.parent)], check=True)  # noqa: S607
        make_read_only(small)
        with RunStore.open_read(small / "cut") as reader:
            assert len(reader.frames()) == 2


@pytest.mark.parametrize("place", ["file", "file/data"])
def test_a_data_folder_that_is_a_file_is_one_sentence(
    tmp_path: Path, place: str
) -> None:
    """A data folder that cannot be made ends in a sentence with its path."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"Cannot create the folder .*file.*\.$"):
        new_run(tmp_path / place)


# -------------------------------------------------------------------------------- index


@pytest.mark.parametrize(
    "content", [b"", bytes(40_000), b"SQLite format 3\0" + bytes(100), b"x" * 5000]
)
def test_a_damaged_index_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    """An index that cannot be trusted is named, with what to do, and left alone."""
    folder = finished_run(tmp_path, 1)
    (folder / "run.db").write_bytes(content)
    for opener in (RunStore.open_read, lambda f: RunStore.open(f, RealDisk())):
        with pytest.raises(DamagedRunError, match=r"run\.db .*; run repair on its run"):
            opener(folder)
    assert (folder / "run.db").read_bytes() == content


def test_an_index_of_a_newer_program_is_not_touched(tmp_path: Path) -> None:
    """An index with a newer schema is refused with the advice to update."""
    folder = finished_run(tmp_path, 1)
    with closing(sqlite3.connect(str(folder / "run.db"))) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageError, match=r"version 99.*update the program"):
        RunStore.open(folder, RealDisk())


def test_a_damaged_row_is_damage_and_no_nonsense(tmp_path: Path) -> None:
    """A row whose bytes changed is reported as damage, never returned."""
    folder = finished_run(tmp_path, 3)
    with closing(sqlite3.connect(str(folder / "run.db"))) as database:
        database.execute("UPDATE frames SET x = 77 WHERE n = 2")
        database.commit()
    with RunStore.open_read(folder) as reader:
        assert reader.frame(1).n == 1
        with pytest.raises(DamagedRunError, match="frame 2 is damaged"):
            reader.frames()


def test_index_is_durable_and_concurrent(store: RunStore) -> None:
    """The index is in WAL mode, and each commit is flushed to the device."""
    writer = store._index._writer
    assert writer is not None
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)


PLANS = [
    ("frames(0, 10)", lambda store: store.frames(0, 10)),
    ("frames of a position", lambda store: store.frames(0, 10, "here")),
    ("frames of a plane", lambda store: store.frames(0, 10, None, 0)),
    ("frames of a stack", lambda store: store.frames(0, 10, "here", 0)),
    ("last frame", lambda store: store.last_frame()),
    ("last frame of a stack", lambda store: store.last_frame("here", 0)),
    ("frame by place", lambda store: store.frame_at(0, "here", 0)),
    ("visits", lambda store: store.visits(0, 10)),
    ("slots", lambda store: store.slots(0, 10)),
    ("events", lambda store: store.events(0, 10)),
]


@pytest.mark.parametrize("call", [plan[1] for plan in PLANS], ids=[p[0] for p in PLANS])
def test_no_call_walks_or_sorts_a_table(
    store: RunStore, call: Callable[[RunStore], Any]
) -> None:
    """Every list and every last frame is found through an index, in its order."""
    fill(store, 1)
    queries: List[str] = []

    def note(query: str) -> None:
        queries.append(query)

    with store._index.readers.borrow() as reader:
        reader.set_trace_callback(note)
    call(store)
    with store._index.readers.borrow() as reader:
        reader.set_trace_callback(None)
        steps = [
            row[-1]
            for query in queries
            for row in reader.execute(f"EXPLAIN QUERY PLAN {query}")
        ]
    assert steps
    assert not [step for step in steps if "SCAN" in step or "TEMP B-TREE" in step]


# --------------------------------------------------------------------------------- csv


def test_the_csv_lists_every_frame(store: RunStore) -> None:
    """``frames.csv`` has one line for each frame, in order, with its hash."""
    frames = [add(store, slot, 'Öst; "x"') for slot in range(3)]
    with store.write_csv().open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["sha256"] for line in lines] == [frame.sha256 for frame in frames]
    assert [line["file"] for line in lines] == [frame.file for frame in frames]
    assert lines[1]["position"] == 'Öst; "x"'
    assert lines[1]["time"] == "2026-11-23T08:30:59.123456+01:00"
    assert lines[1]["elapsed_s"] == "30.250000"
    assert (lines[1]["x_steps"], lines[1]["height_px"]) == ("10", "12")


def test_a_failed_csv_keeps_the_older_one(tmp_path: Path) -> None:
    """A list that finds no space leaves the one before, and no temporary file."""
    with small_disk(tmp_path / "small", 4096) as small, new_run(small) as store:
        fill(store, 20)
        before = store.write_csv().read_bytes()
        fill(store, 20, first=20)
        free = RealDisk().free_bytes(str(small))
        (small / "filler").write_bytes(bytes(max(0, free - 4096)))
        with pytest.raises(TimelapseError, match=r"frames\.csv; free some space"):
            store.write_csv()
        assert (store.folder / "frames.csv").read_bytes() == before
        assert not list(store.folder.glob(".*"))
