"""SQLite's write-ahead file stays small, whoever reads."""

import threading
from pathlib import Path

import pytest
from cases.stored import captured, new_run

from openflexure_timelapse.store import database
from openflexure_timelapse.store.run_store import RunStore

SMALL = 200_000


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LARGEST_WAL_BYTES", SMALL)


def size_of_wal(store: RunStore) -> int:
    """Return the size of the write-ahead file."""
    return (store.folder / "run.db-wal").stat().st_size


def test_readers_without_end_do_not_let_it_grow(tmp_path: Path) -> None:
    """There is no moment without one of them."""
    over = threading.Event()
    with new_run(tmp_path) as store:

        def read() -> None:
            while not over.is_set():
                with RunStore.open_read(store.folder) as reader:
                    reader.slots(0, 1000)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        largest = 0
        for slot in range(400):
            store.add_slot(captured(slot))
            largest = max(largest, size_of_wal(store))
        over.set()
        for thread in threads:
            thread.join()
    assert largest < 10 * SMALL


def test_a_reader_that_stays_is_waited_for_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row is refused because of it; once it has gone the file is folded."""
    monkeypatch.setattr(database, "FOLD_MS", 1)
    with new_run(tmp_path) as store:
        with store._index.readers.borrow() as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM totals").fetchone()
            for slot in range(100):
                store.add_slot(captured(slot))
            assert size_of_wal(store) > SMALL
            reader.execute("ROLLBACK")
        for slot in range(100, 200):
            store.add_slot(captured(slot))
        assert size_of_wal(store) <= SMALL
        assert store.totals().next_slot == 200
