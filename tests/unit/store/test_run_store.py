"""One run on disk: what goes in comes out, once, and is never written over."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator

import pytest
from cases.stored import (
    captured,
    draft,
    new_run,
    tiny_jpeg,
)

from openflexure_timelapse.errors import (
    ConflictError,
    IncompleteImageError,
    InvalidRequestError,
    NotFoundError,
)
from openflexure_timelapse.frame import Event, Flag, Outcome, Reason, Slot, Visit
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore, Totals


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    """Return a new run, open for writing."""
    with new_run(tmp_path / "data") as made:
        yield made


def add(store: RunStore, slot: int, position: str = "here", plane: int = 0) -> Any:
    """Add a frame."""
    return store.add_frame(tiny_jpeg(slot), draft(slot, position, plane), {})


def skipped(first: int, last: int) -> Slot:
    """Return the outcome of skipped slots."""
    return Slot(first, last, Outcome.SKIPPED, Reason.PAUSED, "by the user", 0)


# ------------------------------------------------------------------------------ frames


def test_a_frame_comes_back_as_it_was_acknowledged(store: RunStore) -> None:
    """Number, file, hash and every fact of a frame are read back as returned."""
    facts = replace(draft(3, "Öster sjön", 2), flags=(Flag.DARK, Flag.BLURRED))
    frame = store.add_frame(tiny_jpeg(3), facts, {"stage": {}})
    content = (store.folder / frame.file).read_bytes()
    assert frame.n == 1
    assert frame.file == "frames/oster-sjon/0000003_z2.jpeg"
    assert frame.sha256 == hashlib.sha256(content).hexdigest()
    assert frame.size_bytes == len(content)
    assert frame.draft == facts
    assert store.frame(1) == store.last_frame() == store.frames()[0] == frame


def test_a_frame_is_there_after_reopening(tmp_path: Path) -> None:
    """What was acknowledged is there for every later process."""
    with new_run(tmp_path) as store:
        frames = [add(store, slot) for slot in range(3)]
    with RunStore.open(store.folder, RealDisk()) as again:
        assert again.frames() == frames
        assert add(again, 3).n == 4


def test_an_acknowledged_frame_is_never_written_over(store: RunStore) -> None:
    """A second frame for the same slot, position and plane is refused."""
    frame = add(store, 1)
    with pytest.raises(ConflictError, match=r"Slot 1 .* has its frame of 'here'"):
        store.add_frame(tiny_jpeg(99), draft(1), {})
    content = (store.folder / frame.file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == frame.sha256
    assert store.totals().frames == 1


def test_two_positions_of_one_folder_are_refused(store: RunStore) -> None:
    """Positions whose names share a folder cannot overwrite one another's frames."""
    add(store, 1, "Pond")
    with pytest.raises(ConflictError):
        add(store, 1, "pond")
    with pytest.raises(ConflictError):
        add(store, 2, "pond")
    assert [frame.draft.position for frame in store.frames()] == ["Pond"]


def test_a_cut_image_is_not_a_frame(store: RunStore) -> None:
    """An image that is cut short leaves neither a file nor a row."""
    with pytest.raises(IncompleteImageError):
        store.add_frame(tiny_jpeg()[:-2], draft(0), {})
    assert store.frames() == []
    assert list((store.folder / "frames").iterdir()) == []


def test_frames_come_in_pages(store: RunStore) -> None:
    """Pages go on after a number, forward only, of all frames or of some."""
    for slot in range(4):
        for position in ("a", "b"):
            for plane in (0, 1):
                add(store, slot, position, plane)
    numbers = [frame.n for frame in store.frames(limit=100)]
    assert numbers == list(range(1, 17))
    assert [frame.n for frame in store.frames(5, 3)] == [6, 7, 8]
    assert [frame.n for frame in store.frames(0, 3, "b")] == [3, 4, 7]
    assert [frame.n for frame in store.frames(4, 9, "b", 1)] == [8, 12, 16]
    assert [frame.n for frame in store.frames(13, 9, None, 1)] == [14, 16]
    assert (
        store.frames(16) == store.frames(0, 9, "c") == store.frames(0, 9, "a", 7) == []
    )


def test_the_last_frame_is_known_for_each_stack(store: RunStore) -> None:
    """The newest frame is found over all, of a position, and of a plane."""
    assert store.last_frame() is None
    frames = [add(store, 0, "a", 0), add(store, 0, "a", 1), add(store, 0, "b", 0)]
    assert store.last_frame() == frames[2]
    assert store.last_frame("a") == frames[1]
    assert store.last_frame("a", 0) == frames[0]
    assert store.last_frame(plane=1) == frames[1]
    assert store.last_frame("c") is None


def test_a_frame_is_found_by_its_place(store: RunStore) -> None:
    """Slot, position and plane find their frame, also for a resume in mid-slot."""
    frame = add(store, 4, "a", 1)
    assert store.frame_at(4, "a", 1) == frame
    assert store.frame_at(4, "a", 0) is None


@pytest.mark.parametrize("n", [0, -1, 2, 2**63, 10**30])
def test_an_unknown_frame_is_not_found(store: RunStore, n: int) -> None:
    """A number that no frame has, however odd, is a sentence with that number."""
    add(store, 0)
    with pytest.raises(NotFoundError, match=f"no frame {n}; its last frame is 1"):
        store.frame(n)


@pytest.mark.parametrize("name", ["frames", "visits", "slots", "events"])
@pytest.mark.parametrize(("after", "limit"), [(-1, 10), (0, 0), (0, -1)])
def test_a_bad_page_is_refused(
    store: RunStore, name: str, after: int, limit: int
) -> None:
    """A negative start or a page of nothing is wrong use, not the whole list."""
    with pytest.raises(InvalidRequestError, match=f"{after} with {limit} items"):
        getattr(store, name)(after, limit)


@pytest.mark.parametrize("name", ["frames", "visits", "slots", "events"])
def test_a_page_far_behind_the_end_is_empty(store: RunStore, name: str) -> None:
    """A start beyond any number is an empty page, and so is a huge limit fine."""
    assert getattr(store, name)(10**30, 10**30) == []


# ------------------------------------------------------------ visits, slots and events


def test_records_come_back(store: RunStore) -> None:
    """Visits, slots, events and values are read back as they were recorded."""
    visits = [
        Visit(0, "a", Outcome.CAPTURED, None, "", 5, 6, 1, {"gain": 1.5}, None),
        Visit(0, "b", Outcome.FAILED, Reason.TIMEOUT, "10 s", 7, 8, 0, None, {"x": 1}),
    ]
    slots = [captured(0), skipped(1, 9)]
    events = [Event(1, 2, "paused", {"by": "user"}), Event(3, 4, "resumed", {})]
    for visit in visits:
        store.add_visit(visit)
    for slot in slots:
        store.add_slot(slot)
    for event in events:
        store.add_event(event)
    store.set_value("engine", {"phase": [1, None, "å"]})
    store.set_value("engine", {"phase": 2})
    assert store.visits() == visits
    assert store.visits(1, 5) == visits[1:]
    assert store.slots() == slots
    assert store.slots(1, 5) == slots[1:]
    assert store.events() == events
    assert store.events(1, 5) == events[1:]
    assert store.value("engine") == {"phase": 2}
    assert store.value("other") is None


@pytest.mark.parametrize(
    "second",
    [
        captured(5),
        captured(9),
        skipped(0, 5),
        skipped(9, 12),
        skipped(0, 12),
        skipped(6, 7),
        captured(20),
        skipped(19, 21),
    ],
    ids=lambda slot: f"{slot.first}-{slot.last}",
)
def test_a_slot_has_one_outcome(store: RunStore, second: Slot) -> None:
    """A second outcome for a slot, however it overlaps, is refused by the database."""
    store.add_slot(skipped(5, 9))
    store.add_slot(captured(20))
    before = store.totals()
    with pytest.raises(ConflictError, match="has its outcome"):
        store.add_slot(second)
    assert store.totals() == before
    assert store.slots() == [skipped(5, 9), captured(20)]


def test_a_position_has_one_visit_in_a_slot(store: RunStore) -> None:
    """A second visit of a position in one slot is refused."""
    visit = Visit(0, "a", Outcome.CAPTURED, None, "", 5, 6)
    store.add_visit(visit)
    with pytest.raises(ConflictError):
        store.add_visit(visit)


@pytest.mark.parametrize("bad", [captured(-1), Slot(5, 4, Outcome.LATE, None, "", 0)])
def test_an_impossible_slot_is_refused(store: RunStore, bad: Slot) -> None:
    """A slot before the first or a range that runs backwards is not recorded."""
    with pytest.raises(ConflictError):
        store.add_slot(bad)
    assert store.slots() == []


def test_totals_follow_every_change(store: RunStore) -> None:
    """Counts, bytes and the first open slot are right after every record."""
    zeros = {"captured": 0, "late": 0, "skipped": 0, "failed": 0}
    assert store.totals() == Totals(0, 0, 0, zeros)
    size = add(store, 0).size_bytes
    assert store.totals() == Totals(1, size, 0, zeros)
    steps = [
        (captured(0), 1),
        (skipped(3, 7), 1),
        (Slot(2, 2, Outcome.FAILED, Reason.BUSY, "", 0), 1),
        (Slot(9, 9, Outcome.LATE, Reason.OVERDUE, "", 1), 1),
        (captured(1), 8),
        (captured(8), 10),
    ]
    for slot, next_slot in steps:
        store.add_slot(slot)
        assert store.totals().next_slot == next_slot
    assert store.totals().counts == {
        "captured": 3,
        "late": 1,
        "skipped": 5,
        "failed": 1,
    }


def test_a_block_that_is_destroyed_takes_no_earlier_row(tmp_path: Path) -> None:
    """Each change begins in a block of its own; the one before does not share it."""
    with new_run(tmp_path) as store:
        wal = store.folder / "run.db-wal"
        for slot in range(5):
            store.add_slot(captured(slot))
            size = wal.stat().st_size
            copy = tmp_path / f"copy{slot}"
            shutil.copytree(str(store.folder), str(copy))
            block = size // 4096 * 4096
            content = (copy / "run.db-wal").read_bytes()
            (copy / "run.db-wal").write_bytes(content[:block] + b"\x93" * 4096)
            with RunStore.open_read(copy) as reader:
                assert reader.totals().next_slot == slot + 1


def test_a_joint_record_is_all_or_nothing(store: RunStore) -> None:
    """What is recorded together is there together, or not at all."""
    visit = Visit(0, "a", Outcome.CAPTURED, None, "", 5, 6)
    store.record(visits=[visit], slots=[captured(0)], values={"k": 1})
    with pytest.raises(ConflictError):
        store.record(
            visits=[replace(visit, slot=1, position="b")],
            slots=[captured(1), captured(0)],
            events=[Event(0, 0, "x", {})],
            values={"k": 2},
        )
    assert (store.visits(), store.slots()) == ([visit], [captured(0)])
    assert (store.events(), store.value("k")) == ([], 1)
    store.add_visit(replace(visit, slot=1, position="b"))
    assert store.visits()[1].position == "b"


def test_the_outcome_of_a_slot_is_found(store: RunStore) -> None:
    """Any slot of a range finds its outcome; a slot without one finds none."""
    store.add_slot(skipped(5, 9))
    store.add_slot(captured(20))
    assert store.slot_at(5) == store.slot_at(9) == skipped(5, 9)
    assert store.slot_at(20) == captured(20)
    assert [store.slot_at(slot) for slot in (0, 4, 10, 19, 21)] == [None] * 5


def test_the_frames_of_a_stack_are_counted(store: RunStore) -> None:
    """The frames of a position and plane are counted, of others not."""
    for slot in range(3):
        add(store, slot, "a")
    add(store, 0, "a", 1)
    assert [store.count_frames("a", plane) for plane in (0, 1, 2)] == [3, 1, 0]
