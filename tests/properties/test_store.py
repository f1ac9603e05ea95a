"""Whatever happens to a run, in whatever order: the store equals a plain dictionary.

The rules include power cuts. A cut leaves the old object behind as it is and goes on
with a copy of what the disk held at that instant, perhaps with a half-written file in
it, or with a frame that got its name but not its row.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from cases.stored import RUN_ID, draft, new_run, tiny_jpeg
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from openflexure_timelapse.errors import ConflictError
from openflexure_timelapse.frame import Frame, Outcome, Reason, Slot
from openflexure_timelapse.store.disk import RealDisk, usual_temporary_name
from openflexure_timelapse.store.exif import with_exif
from openflexure_timelapse.store.header import frame_record
from openflexure_timelapse.store.layout import frame_file
from openflexure_timelapse.store.recover import recover, repair, verify
from openflexure_timelapse.store.run_store import RunStore

SLOTS = st.integers(0, 12)
POSITIONS = st.sampled_from(["left", "Öster sjön"])
PLANES = st.integers(0, 1)
Place = Tuple[int, str, int]


class StoredRun(RuleBasedStateMachine):
    """A run and what it must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="stored-run-"))
        self.lives = 0
        self.left_behind: List[RunStore] = []
        self.frames: Dict[Place, Frame] = {}
        self.slots: Dict[int, str] = {}
        self.ranges: List[Slot] = []
        self.values: Dict[str, Any] = {}

    @initialize()
    def start(self) -> None:
        """Start the run."""
        self.store = new_run(self.folder / "0")

    @rule(slot=SLOTS, position=POSITIONS, plane=PLANES, number=st.integers(0, 999))
    def add_frame(self, slot: int, position: str, plane: int, number: int) -> None:
        """A new frame is acknowledged; one that is there is never replaced."""
        place = (slot, position, plane)
        facts = draft(*place)
        if place in self.frames:
            with pytest.raises(ConflictError):
                self.store.add_frame(tiny_jpeg(number), facts, {})
            return
        frame = self.store.add_frame(tiny_jpeg(number), facts, {})
        assert (frame.n, frame.draft) == (len(self.frames) + 1, facts)
        self.frames[place] = frame

    @rule(
        first=SLOTS,
        length=st.integers(1, 4),
        outcome=st.sampled_from(Outcome),
        reason=st.sampled_from([None, *Reason]),
    )
    def add_slot(self, first: int, length: int, outcome: Any, reason: Any) -> None:
        """Each slot gets one outcome, whatever the ranges."""
        slot = Slot(first, first + length - 1, outcome, reason, "", 0)
        covered = range(slot.first, slot.last + 1)
        if any(index in self.slots for index in covered):
            with pytest.raises(ConflictError):
                self.store.add_slot(slot)
            return
        self.store.add_slot(slot)
        self.slots.update(dict.fromkeys(covered, outcome.value))
        self.ranges.append(slot)

    @rule(key=st.sampled_from("ab"), value=st.integers() | st.text(max_size=5))
    def set_value(self, key: str, value: Any) -> None:
        """The last value of a key is kept."""
        self.store.set_value(key, value)
        self.values[key] = value

    @rule()
    def reopen(self) -> None:
        """Everything is there after a clean end."""
        self.store.close()
        self.store = RunStore.open(self.store.folder, RealDisk())

    @rule()
    def power_cut(self) -> None:
        """Everything acknowledged is there after a power cut."""
        self._cut()
        assert recover(self.store).to_json() == {
            "temporaries_removed": (),
            "frames_adopted": (),
        }

    @rule(slot=SLOTS, position=POSITIONS, length=st.integers(0, 200))
    def power_cut_while_writing(self, slot: int, position: str, length: int) -> None:
        """A file that was half written is removed; nothing else changes."""
        self._cut()
        slot, position, plane = self._next_place(slot, position, 0)
        name = frame_file(position, slot, plane)
        path = self.store.folder / name
        path.parent.mkdir(exist_ok=True)
        half = path.with_name(usual_temporary_name(path.name))
        half.write_bytes(tiny_jpeg()[:length])
        report = recover(self.store)
        assert len(report.temporaries_removed) == 1
        assert not half.exists()

    @rule(slot=SLOTS, position=POSITIONS, plane=PLANES)
    def power_cut_before_the_row(self, slot: int, position: str, plane: int) -> None:
        """A frame that has its name but not its row is adopted as it is."""
        place = self._next_place(slot, position, plane)
        slot, position, plane = place
        if place in self.frames:
            return
        self._cut()
        n = len(self.frames) + 1
        record = frame_record(self.store.header, n, draft(*place))
        content = with_exif(tiny_jpeg(n), record, {})
        path = self.store.folder / frame_file(position, slot, plane)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        assert len(recover(self.store).frames_adopted) == 1
        frame = self.store.frame(n)
        assert frame.sha256 == hashlib.sha256(content).hexdigest()
        assert frame.draft == draft(*place)
        self.frames[place] = frame

    def _next_place(self, slot: int, position: str, plane: int) -> Place:
        """Return a place that a run may write to next, near to the one asked for."""
        last = self.store.last_frame()
        first = self.store.totals().next_slot
        after_last = max(first, 0 if last is None else last.draft.slot + 1)
        largest = max((place[2] for place in self.frames), default=-1)
        slot = first + slot % (after_last - first + 1)
        return slot, position, min(plane, largest + 1)

    @rule()
    def lose_the_index(self) -> None:
        """A lost index costs the values, never a frame or a slot's frame."""
        self.store.close()
        folder = self.store.folder
        (folder / "run.db").unlink()
        repair(folder)
        self.store = RunStore.open(folder, RealDisk())
        self.values = {}
        with_frames = {place[0] for place in self.frames}
        end = max(with_frames, default=-1) + 1
        told = dict.fromkeys(range(end), "failed")
        told.update(dict.fromkeys(with_frames, "captured"))
        self.slots = told
        self.ranges = self.store.slots(0, 1000)

    def _cut(self) -> None:
        """Go on with a copy of what the disk holds; the old process is no more."""
        self.lives += 1
        self.left_behind.append(self.store)
        copy = self.folder / str(self.lives) / RUN_ID
        shutil.copytree(str(self.store.folder), str(copy))
        self.store = RunStore.open(copy, RealDisk())

    @invariant()
    def equals_the_model(self) -> None:
        """Lists, counts, last frames and values are those of the dictionary."""
        if not hasattr(self, "store"):
            return
        frames = sorted(self.frames.values(), key=lambda frame: frame.n)
        assert self.store.frames(0, 1000) == frames
        assert self.store.slots(0, 1000) == self.ranges
        totals = self.store.totals()
        assert totals.frames == len(frames)
        assert totals.bytes == sum(frame.size_bytes for frame in frames)
        for outcome in Outcome:
            expected = list(self.slots.values()).count(outcome.value)
            assert totals.counts[outcome.value] == expected
        assert totals.next_slot == next(i for i in range(99) if i not in self.slots)
        assert self.store.last_frame() == (frames[-1] if frames else None)
        for key in "ab":
            assert self.store.value(key) == self.values.get(key)

    def teardown(self) -> None:
        """Check every byte, and clean up."""
        if hasattr(self, "store"):
            self.store.close()
            report = verify(self.store.folder)
            assert report.missing == ()
            problems = json.loads(json.dumps(report.to_json()))
            for kind in ("altered", "truncated", "unlisted", "temporaries", "damage"):
                assert problems[kind] == []
            assert report.frames_checked == len(self.frames)
        for store in self.left_behind:
            store.close()
        shutil.rmtree(str(self.folder))


StoredRun.TestCase.settings = settings(max_examples=20, stateful_step_count=20)
TestStoredRun = StoredRun.TestCase
