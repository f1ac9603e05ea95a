"""Filling a new index from the frames of a run and the remains of its old index."""

import itertools
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
)

from openflexure_timelapse.errors import ConflictError
from openflexure_timelapse.frame import Event, Frame, Outcome, Reason, Slot
from openflexure_timelapse.store.evidence import (
    Evidence,
    Verdict,
    judge_listed,
    judge_unlisted,
    stored_files,
)
from openflexure_timelapse.store.header import HEADER_KEY
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.layout import parse_frame_file
from openflexure_timelapse.store.planned import planned
from openflexure_timelapse.store.salvage import Salvage
from openflexure_timelapse.store.verify import holes

__all__ = ["Rebuild"]

BATCH = 200
LOST = "no frame and no record of this slot survived"
TOLD_BY_FRAMES = "rebuilt from the frames"
PARTLY_TOLD = "{} of {} frames; rebuilt from the frames"
# The frames of each slot. And how late the first exposure of each position was, and
# of these the latest.
FRAME_SLOTS = """
SELECT slot, sum(number), max(lateness) FROM (
    SELECT slot, count(*) AS number, min(elapsed_ns - due_ns) AS lateness FROM frames
    GROUP BY slot, position
) GROUP BY slot ORDER BY slot
"""
IS_COVERED = """
SELECT (SELECT last FROM slots WHERE first <= ? ORDER BY first DESC LIMIT 1) >= ?
"""


class Rebuild:
    """One rebuilding: `run` fills `index`, the attributes tell what was done.

    Attributes
    ----------
    frames : int
        Listed in the new index.
    adopted : list of str
        Files that the old index did not list.
    newly_aside : list of (str, str)
        Files set aside now, with the verdict.
    slots_filled : int
        Slots whose outcome had to be told by the frames.
    """

    def __init__(
        self, folder: Path, header: Mapping[str, Any], old: Salvage, index: Index
    ) -> None:
        self._folder = folder
        self._header = header
        self._old = old
        self._index = index
        self._planned = planned(header)
        self._aside: Dict[str, Tuple[str, Optional[str]]] = {}
        self.frames = 0
        self.adopted: List[str] = []
        self.newly_aside: List[Tuple[str, str]] = []
        self.slots_filled = 0

    @property
    def changed(self) -> bool:
        """Whether the new index says anything that the old one did not."""
        done = (self.adopted, self.newly_aside, self.slots_filled, self._old.damage)
        return any(done)

    def run(self) -> None:
        """Fill the new index.

        Raises
        ------
        DiskFullError, StorageError
            When it cannot be written.
        """
        known = {file: (why, sha256) for file, why, sha256 in self._old.set_aside()}
        self._keep_frames()
        self._look_at_files(known)
        self._copy_records()
        self._tell_slots()
        for file, (why, sha256) in known.items():
            if not (self._folder / file).exists():
                self._aside.setdefault(file, (why, sha256))
        self._index.write(
            set_aside=[(file, *why) for file, why in self._aside.items()],
            last_n=self._old.last_n(),
            values={**self._old.values(), HEADER_KEY: self._header},
        )
        self.frames = self._index.totals().frames
        if self.changed:
            self._index.write(events=(self._event(),))

    # ------------------------------------------------------------------------- frames

    def _keep_frames(self) -> None:
        """List again what was listed and is as it was acknowledged."""
        self._insert(lambda rows: self._index.write(frames=rows), self._unaltered())

    def _unaltered(self) -> Iterator[Frame]:
        """Yield the old index's frames whose files are sound."""
        for frame in self._old.frames():
            seen = judge_listed(
                self._folder, frame.file, frame.sha256, frame.size_bytes
            )
            if seen.verdict is Verdict.FRAME:
                yield frame
            else:
                self._aside[frame.file] = (seen.verdict.value, frame.sha256)
                self.newly_aside.append((frame.file, seen.verdict.value))

    def _look_at_files(self, known: Mapping[str, Tuple[str, Optional[str]]]) -> None:
        """List whole frames that the old index did not list; set the rest aside."""
        taken = []
        for file in stored_files(self._folder):
            name = parse_frame_file(file)
            if file in self._aside or (name is not None and self._index.lists(name)):
                continue
            why, sha256 = known.get(file, (None, None))
            seen = judge_unlisted(self._folder, file, self._header["id"], sha256)
            if seen.verdict is not Verdict.FRAME:
                self._set_aside(file, seen.verdict.value, sha256, known=why is not None)
            elif not self._adopt(file, seen, None):
                taken.append(file)
        for file in taken:
            seen = judge_unlisted(self._folder, file, self._header["id"])
            if not self._adopt(file, seen, self._index.last_n() + 1):
                self._set_aside(file, Verdict.FOREIGN.value, None, known=False)

    def _set_aside(
        self, file: str, why: str, sha256: Optional[str], *, known: bool
    ) -> None:
        """Remember a file that is not listed."""
        self._aside[file] = (why, sha256)
        if not known:
            self.newly_aside.append((file, why))

    def _adopt(self, file: str, seen: Evidence, n: Optional[int]) -> bool:
        """List a frame under the number `n`, None for its own; False when taken."""
        if seen.record is None or seen.sha256 is None:
            return False
        number = seen.record.n if n is None else n
        size = len(seen.content)
        frame = Frame(number, file, seen.sha256, size, seen.record.draft)
        try:
            self._index.write(frames=(frame,))
        except ConflictError:
            return False
        self.adopted.append(file)
        return True

    # -------------------------------------------------------------------- the records

    def _copy_records(self) -> None:
        """Copy what is left of visits, slots and events."""
        self._insert(lambda rows: self._index.write(visits=rows), self._old.visits())
        self._insert(lambda rows: self._index.write(slots=rows), self._old.slots())
        self._insert(lambda rows: self._index.write(events=rows), self._old.events())

    def _insert(
        self, write: Callable[[List[Any]], None], records: Iterable[Any]
    ) -> None:
        """Write records in batches; one that contradicts the others is damage."""
        waiting = iter(records)
        batch = list(itertools.islice(waiting, BATCH))
        while batch:
            try:
                write(batch)
            except ConflictError:
                for record in batch:
                    self._insert_one(write, record)
            batch = list(itertools.islice(waiting, BATCH))

    def _insert_one(self, write: Callable[[List[Any]], None], record: Any) -> None:
        """Write one record, or note why not."""
        try:
            write([record])
        except ConflictError as exc:
            self._old.damage.append(str(exc))

    # -------------------------------------------------------------------------- slots

    def _tell_slots(self) -> None:
        """Give an outcome to each slot that lost its own.

        In a sound index only slots before the last outcome can lack one; the run was
        cut short in those after it, and the engine says so when it resumes.
        """
        untold = list(self._untold_slots())
        self._index.write(slots=untold)
        with self._index.readers.borrow() as reader:
            gaps = holes(reader)
        failed, lost = Outcome.FAILED, Reason.STORAGE
        self._index.write(slots=[Slot(*gap, failed, lost, LOST, 0) for gap in gaps])
        self.slots_filled = len(untold) + sum(last - first + 1 for first, last in gaps)

    def _untold_slots(self) -> Iterator[Slot]:
        """Yield an outcome for each slot that has frames and no outcome."""
        with self._index.readers.borrow() as reader:
            end = reader.execute("SELECT coalesce(max(last), -1) FROM slots")
            last = end.fetchone()[0]
            for slot, frames, lateness_ns in reader.execute(FRAME_SLOTS).fetchall():
                if slot > last and not self._old.damage:
                    return
                if not reader.execute(IS_COVERED, (slot, slot)).fetchone()[0]:
                    yield self._told_slot(slot, frames, max(0, lateness_ns))

    def _told_slot(self, slot: int, frames: int, lateness_ns: int) -> Slot:
        """Return the outcome of a slot as its frames tell it."""
        wanted = self._planned.frames_per_slot if self._planned else frames
        if frames >= wanted:
            outcome, detail = Outcome.CAPTURED, TOLD_BY_FRAMES
            return Slot(slot, slot, outcome, None, detail, lateness_ns)
        outcome, detail = Outcome.FAILED, PARTLY_TOLD.format(frames, wanted)
        return Slot(slot, slot, outcome, Reason.STORAGE, detail, lateness_ns)

    def _event(self) -> Event:
        """Return the event that says what was done, now as the file system tells it."""
        last = self._index.last_frame()
        return Event(
            wall_ns=self._index.path.stat().st_mtime_ns,
            elapsed_ns=0 if last is None else last.draft.elapsed_ns,
            kind="repaired",
            details={
                "frames": self.frames,
                "adopted": len(self.adopted),
                "set_aside": len(self.newly_aside),
                "slots_filled": self.slots_filled,
                "damage": self._old.damage[:20],
            },
        )
