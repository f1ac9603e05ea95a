"""The ledger: what the disk refuses waits and is written later, in order."""

from pathlib import Path
from typing import Any, Iterator, List, Mapping, Tuple

import pytest
from cases.stored import HEADER

from hardware_sim.clock import VirtualClock
from openflexure_timelapse.frame import Outcome, Reason, Slot
from openflexure_timelapse.ledger import Ledger
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore


class Watcher:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.seen: List[Tuple[str, Mapping[str, Any]]] = []

    def notice(self, kind: str, details: Mapping[str, Any]) -> None:
        """Remember."""
        self.seen.append((kind, details))


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.create(tmp_path, "run", HEADER, RealDisk()) as store:
        yield store


@pytest.fixture(name="watcher")
def _watcher() -> Watcher:
    return Watcher()


@pytest.fixture(name="ledger")
def _ledger(store: RunStore, watcher: Watcher) -> Ledger:
    return Ledger(store, VirtualClock(0), [watcher])


def fill(store: RunStore) -> None:
    """Make SQLite find its disk full: it may not grow by another page."""
    writer = store._index._writer
    assert writer is not None
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")


def empty(store: RunStore) -> None:
    """Give SQLite its space back."""
    writer = store._index._writer
    assert writer is not None
    writer.execute("PRAGMA max_page_count = 1000000")


def skipped(first: int, last: int, reason: Reason = Reason.DISK_FULL) -> Slot:
    """Return a range of skipped slots."""
    return Slot(first, last, Outcome.SKIPPED, reason, "", 0)


def fill_with_events(ledger: Ledger, store: RunStore) -> int:
    """Record large events until one waits; return how many were taken."""
    fill(store)
    taken = 0
    while not ledger.waiting:
        ledger.event("large", {"text": "x" * 3000})
        taken += 1
    return taken - 1


def test_rows_that_a_full_disk_refuses_are_written_when_space_returns(
    ledger: Ledger, store: RunStore
) -> None:
    """Nothing that has to be recorded is dropped."""
    taken = fill_with_events(ledger, store)
    ledger.slot(Slot(0, 0, Outcome.CAPTURED, None, "", 0))
    ledger.value("answer", 42)
    assert not ledger.flush()
    assert store.totals().next_slot == 0
    empty(store)
    assert ledger.flush()
    assert ledger.waiting == 0
    assert store.totals().next_slot == 1
    assert store.value("answer") == 42
    assert len(store.events(0, 1000)) == taken + 1


def test_skipped_ranges_that_wait_become_one(ledger: Ledger, store: RunStore) -> None:
    """A week of a full disk does not fill the memory."""
    fill_with_events(ledger, store)
    for slot in range(1000):
        ledger.slot(skipped(slot, slot))
    assert ledger.waiting == 2
    empty(store)
    assert ledger.flush()
    assert [(slot.first, slot.last) for slot in store.slots(0, 10)] == [(0, 999)]


def test_ranges_of_different_reasons_stay_apart(
    ledger: Ledger, store: RunStore
) -> None:
    """The reason of each slot survives the wait."""
    fill_with_events(ledger, store)
    ledger.slot(skipped(0, 0))
    ledger.slot(skipped(1, 1, Reason.PAUSED))
    empty(store)
    assert ledger.flush()
    assert [slot.reason for slot in store.slots(0, 10)] == [
        Reason.DISK_FULL,
        Reason.PAUSED,
    ]


def test_observers_hear_at_once_even_when_the_disk_refuses(
    ledger: Ledger, store: RunStore, watcher: Watcher
) -> None:
    """A full disk is told although it cannot be written down yet."""
    fill_with_events(ledger, store)
    ledger.event("disk_full", {"by": "engine"})
    assert watcher.seen[-1] == ("disk_full", {"by": "engine"})
