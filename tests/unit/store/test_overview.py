"""A run at a glance: right, and as cheap for a long run as a page needs."""

import shutil
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest
from cases.stored import draft, new_run

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.frame import Frame, Outcome, Reason, Slot, Visit
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

SLOTS = 100_000
PAUSED = (20_000, 79_999)
NAMES = ("left", "right")
EVERY = 10
LATER = (
    ("TRIGGER", "slot_in_block"),
    ("TRIGGER", "visit_in_block"),
    ("TRIGGER", "frame_in_stack"),
    ("TABLE", "slot_blocks"),
    ("TABLE", "visit_blocks"),
    ("TABLE", "stacks"),
    ("INDEX", "long_slots"),
    ("INDEX", "focused_visits"),
    ("INDEX", "refused_visits"),
)
"""What runs of version 0.1.0 do not have."""


def visit(slot: int, position: str, **changes: Any) -> Visit:
    """Return a visit that was made, with a focus in each tenth slot."""
    focus = {"accepted": True, "z": slot // EVERY} if slot % EVERY == 0 else None
    kept = {"outcome": Outcome.CAPTURED, "reason": None, "detail": "", "focus": focus}
    late_ns = 5_000_000 if slot == 150 else 1_000_000
    return Visit(
        slot=slot,
        position=position,
        lateness_ns=late_ns,
        duration_ns=1,
        **{**kept, **changes},
    )


def frame(n: int, slot: int, position: str) -> Frame:
    """Return a frame whose scene has drifted by a step in each hundred slots."""
    kept = {**vars(draft(slot, position)), "x": 500 + slot // 100, "y": -7, "z": slot}
    return Frame(n, "", "0" * 64, 1000, type(draft(0))(**kept))


def fill(store: RunStore, slots: Iterator[int], first_n: int = 1) -> None:
    """Put slots with two positions straight into the index."""
    made = list(slots)
    pairs = [(slot, name) for slot in made for name in NAMES]
    store._index.write(
        frames=[frame(n, *pair) for n, pair in enumerate(pairs, first_n)],
        visits=[visit(*pair) for pair in pairs],
        slots=[Slot(slot, slot, Outcome.CAPTURED, None, "", 0) for slot in made],
    )


@pytest.fixture(scope="module", name="long")
def _long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunStore]:
    """Share a run of 100,000 slots, the middle of it paused."""
    with new_run(tmp_path_factory.mktemp("data")) as store:
        fill(store, iter(range(PAUSED[0])))
        store.add_slot(Slot(*PAUSED, Outcome.SKIPPED, Reason.PAUSED, "", 0))
        fill(store, iter(range(PAUSED[1] + 1, SLOTS)), 2 * PAUSED[0] + 1)
        yield store


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[RunStore]:
    with new_run(tmp_path) as made:
        yield made


def steps_of(store: RunStore, ask: Callable[[], Any]) -> int:
    """Return how many thousand steps SQLite took for an answer."""
    taken: List[int] = []

    def count() -> int:
        taken.append(1)
        return 0

    with store._index.readers.borrow() as reader:
        reader.set_progress_handler(count, 1000)
    ask()  # with the same connection: the one that was given back last
    with store._index.readers.borrow() as reader:
        reader.set_progress_handler(None, 1000)
    return len(taken)


# --------------------------------------------------------------------------- timeline


def test_a_timeline_counts_every_slot_once(long: RunStore) -> None:
    """The bins lie end to end, have one width, and add up to the totals."""
    for most in (1, 7, 200, 1000):
        bins = long.overview.timeline(most)
        assert len(bins) <= most
        assert (bins[0].first, bins[-1].last) == (0, SLOTS - 1)
        for before, after in zip(bins, bins[1:]):
            assert after.first == before.last + 1
            assert before.last - before.first == bins[0].last
        for name, total in long.totals().counts.items():
            assert sum(each.counts[name] for each in bins) == total


def test_a_range_of_outcomes_is_spread_over_its_bins(store: RunStore) -> None:
    """Also where it begins or ends inside of one."""
    store.add_slot(Slot(0, 0, Outcome.CAPTURED, None, "", 0))
    store.add_slot(Slot(1, 6, Outcome.SKIPPED, Reason.PAUSED, "", 0))
    store.add_slot(Slot(7, 7, Outcome.FAILED, Reason.TIMEOUT, "", 0))
    store.add_slot(Slot(8, 8, Outcome.LATE, Reason.OVERDUE, "", 0))
    bins = store.overview.timeline(3)
    assert [(each.first, each.last) for each in bins] == [(0, 2), (3, 5), (6, 8)]
    assert [tuple(each.counts.values()) for each in bins] == [
        (1, 0, 2, 0),
        (0, 0, 3, 0),
        (0, 1, 1, 1),
    ]
    assert len(store.overview.timeline(1000)) == 9


def test_before_the_first_slot_there_is_nothing(store: RunStore) -> None:
    """No bins, no points, no visits; and no error."""
    look = store.overview
    assert look.timeline(200) == []
    assert look.visits(0, 100, 0) == []
    assert look.focus("left", 10) == look.drift("left", 10) == []
    assert look.lateness_ns(10) == {}
    assert look.count_frames("left") == 0
    assert look.frames_of_slot(0, 0, 10) == []


# ----------------------------------------------------------------------------- curves


def test_a_curve_has_no_more_points_than_asked(long: RunStore) -> None:
    """They are spread over the run, and the pause is a gap."""
    focus = long.overview.focus("left", 200)
    assert 50 < len(focus) <= 200
    assert all(z == slot // EVERY for slot, z in focus)
    slots = [slot for slot, _ in focus]
    assert slots == sorted(set(slots))
    assert not [slot for slot in slots if PAUSED[0] <= slot <= PAUSED[1]]
    assert slots[-1] > SLOTS - SLOTS // 100


def test_drift_counts_from_the_first_frame(long: RunStore) -> None:
    """In steps of x and y, wherever the position lies."""
    drift = long.overview.drift("right", 50)
    assert drift[0] == (0, 0, 0)
    assert drift[-1][0] >= SLOTS - SLOTS // 25
    assert all((x, y) == (slot // 100, 0) for slot, x, y in drift)


def test_the_worst_lateness_survives_the_thinning(long: RunStore) -> None:
    """What a person looks for is not thinned away."""
    found = long.overview.lateness_ns(20)
    assert sorted(found) == sorted(NAMES)
    for points in found.values():
        assert len(points) <= 20
        assert (150, 5_000_000) in points


def test_a_search_for_points_does_not_walk_the_run(long: RunStore) -> None:
    """Every curve costs what its points cost, a timeline what its bins do."""
    look = long.overview
    assert steps_of(long, lambda: look.drift("left", 200)) < 50
    assert steps_of(long, lambda: look.focus("left", 200)) < 50
    assert steps_of(long, lambda: look.timeline(200)) < 100
    assert steps_of(long, lambda: look.lateness_ns(200)) < 100
    assert steps_of(long, lambda: look.count_frames("left")) < 2


def test_a_run_of_an_older_version_is_shown_as_well(long: RunStore) -> None:
    """It has no sums over blocks of slots: then its rows are walked."""

    def looks(run: RunStore) -> List[Any]:
        look = run.overview
        return [
            *(look.timeline(most) for most in (7, 200, 1000)),
            *(look.lateness_ns(most) for most in (7, 200, 1000)),
            look.focus("left", 200),
            look.count_frames("left"),
        ]

    told = looks(long)
    shutil.copytree(str(long.folder), str(long.folder.with_name("old")))
    with RunStore.open(long.folder.with_name("old"), RealDisk()) as old:
        with old._index._transaction() as writer:
            for kind, name in LATER:
                writer.execute(f"DROP {kind} {name}")
        assert looks(old) == told
        old.add_slot(Slot(SLOTS, SLOTS, Outcome.FAILED, Reason.TIMEOUT, "", 0))
        assert old.overview.timeline(7)[-1].counts["failed"] == 1


# ------------------------------------------------------------------ visits and frames


def test_visits_come_in_pages_with_height_and_time(long: RunStore) -> None:
    """From their number on, of one position if so asked; the page alone is read."""
    look = long.overview
    first = look.visits(0, 3, 0)
    assert [(made.n, made.visit.position) for made in first] == [
        (1, "left"),
        (2, "right"),
        (3, "left"),
    ]
    after = look.visits(79_990, 100, 0, "right")
    assert [made.n for made in after] == [79_992, 79_994, 79_996, 79_998, 80_000]
    assert [made.z for made in after] == [made.visit.slot for made in after]
    assert after[0].wall_ns == draft(after[0].visit.slot, "right").wall_ns
    assert steps_of(long, lambda: look.visits(40_000, 100, 0, "right")) < 40


def test_a_visit_without_a_frame_has_neither_height_nor_time(store: RunStore) -> None:
    """They are the frame's."""
    failed = visit(0, "left", outcome=Outcome.FAILED, reason=Reason.TIMEOUT)
    store.add_visit(failed)
    assert store.overview.visits(0, 10, 0) == [(1, None, None, failed)]


def test_the_height_of_a_stack_is_that_of_its_middle(store: RunStore) -> None:
    """Or of the plane next to it, where a visit was cut short."""
    planes = [{**vars(draft(0, "left", plane)), "z": 10 * plane} for plane in (0, 1, 2)]
    kind = type(draft(0))
    frames = [Frame(n, "", "", 1, kind(**kept)) for n, kept in enumerate(planes, 1)]
    store._index.write(frames=frames, visits=[visit(0, "left")])
    assert [made.z for made in store.overview.visits(0, 1, 1)] == [10]
    assert [made.z for made in store.overview.visits(0, 1, 7)] == [20]


def test_the_frames_of_a_slot_are_found_by_it(long: RunStore) -> None:
    """Of all positions or of one, without a walk."""
    look = long.overview
    found = look.frames_of_slot(90_000, 0, 10)
    assert [each.draft.position for each in found] == list(NAMES)
    assert look.frames_of_slot(90_000, 0, 10, "right") == found[1:]
    assert look.frames_of_slot(90_000, found[0].n, 10) == found[1:]
    assert look.frames_of_slot(90_000, 0, 1) == found[:1]
    assert look.frames_of_slot(50_000, 0, 10) == []
    assert steps_of(long, lambda: look.frames_of_slot(90_000, 0, 10)) < 3


def test_a_position_is_counted_in_its_index(long: RunStore) -> None:
    """No row of a frame is read for it, nor for the newest frame."""
    assert long.overview.count_frames("left") == long.totals().frames // 2
    last = long.last_frame("left")
    assert last is not None
    assert last.draft.slot == SLOTS - 1
    assert steps_of(long, lambda: long.last_frame("left")) < 3


def test_a_row_without_sense_is_damage(store: RunStore) -> None:
    """Told as for every other look at the index."""
    fill(store, iter(range(3)))
    with store._index._transaction() as writer:
        writer.execute("UPDATE visits SET focus = '{', outcome = 'fine'")
        writer.execute("UPDATE slots SET outcome = 'fine'")
    look = store.overview
    for ask in (
        lambda: look.focus("left", 10),
        lambda: look.visits(0, 10, 0),
        lambda: look.timeline(10),
    ):
        with pytest.raises(DamagedRunError, match="run repair"):
            ask()
