"""Checking a run: every byte is read, nothing is changed.

Frames are compared with their SHA-256, the folder with the index in both directions,
the kept totals with counted ones, and the slots with the rule that each has an outcome.
"""

import contextlib
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple, Union

from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.frame import Outcome
from openflexure_timelapse.json_text import read_value
from openflexure_timelapse.run_state import Phase
from openflexure_timelapse.store import rows
from openflexure_timelapse.store.disk import is_temporary
from openflexure_timelapse.store.evidence import (
    Verdict,
    judge_listed,
    judge_unlisted,
    run_place,
    stored_files,
    temporaries,
)
from openflexure_timelapse.store.header import read_header
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.layout import (
    INDEX_FILE,
    REPAIRED_INDEX_FILE,
    FrameName,
    parse_frame_file,
)
from openflexure_timelapse.store.lock import is_active
from openflexure_timelapse.store.planned import Planned, planned

__all__ = ["Progress", "VerifyReport", "holes", "verify", "wrong_counts"]

Progress = Callable[[int, int], None]
PAGE = 500
SHOWN = 10
SENTENCES = {
    "missing": "Acknowledged frames whose file is gone",
    "altered": "Acknowledged frames whose file was changed",
    "truncated": "Files that are cut short",
    "unreadable": "Files that the device cannot read",
    "unlisted": "Files that the index does not list",
    "temporaries": "Left over from writes that were cut short",
    "holes": "Slots without an outcome",
    "wrong_counts": "Totals that are wrong",
    "damage": "Damage of the index or header",
}


@dataclass(frozen=True)
class VerifyReport:
    """What a check found.

    Attributes
    ----------
    run_id : str
        The folder's name.
    active : bool
        True when some process wrote the run meanwhile; its newest files are left out.
    frames_checked, bytes_checked : int
        Files that were read and are as they were acknowledged.
    missing, altered, truncated, unreadable : tuple of str
        Files, as paths inside the run; `truncated` also has unlisted ones.
    unlisted : tuple of str
        Files below ``frames/`` that the index does not know.
    temporaries : tuple of str
        Left by writes that were cut short.
    holes : tuple of (int, int)
        First and last slot of each stretch without an outcome.
    wrong_counts : tuple of str
        One sentence for each total that is wrong.
    damage : tuple of str
        What is wrong with ``run.db`` and ``run.json``, in sentences.
    set_aside : int
        Files that an earlier repair found lost or damaged; they are not a new problem.
    ended : bool or None
        Whether the run's end is on record; None when the index does not tell.
    """

    run_id: str
    active: bool
    frames_checked: int
    bytes_checked: int
    missing: Tuple[str, ...] = ()
    altered: Tuple[str, ...] = ()
    truncated: Tuple[str, ...] = ()
    unreadable: Tuple[str, ...] = ()
    unlisted: Tuple[str, ...] = ()
    temporaries: Tuple[str, ...] = ()
    holes: Tuple[Tuple[int, int], ...] = ()
    wrong_counts: Tuple[str, ...] = ()
    damage: Tuple[str, ...] = ()
    set_aside: int = 0
    ended: Optional[bool] = None

    @property
    def ok(self) -> bool:
        """True when nothing is wrong."""
        return not any(getattr(self, name) for name in SENTENCES)

    def to_json(self) -> Dict[str, Any]:
        """Return the report as JSON-able data, with ``ok``."""
        return {"ok": self.ok, **asdict(self)}

    def lines(self) -> List[str]:
        """Return the report for people: one line for each kind of finding."""
        size = f"{self.bytes_checked / 1e6:.1f} MB"
        told = [f"{self.frames_checked} frames ({size}) are as they were acknowledged."]
        for name, sentence in SENTENCES.items():
            found = getattr(self, name)
            if found:
                shown = "; ".join(str(item).rstrip(".") for item in found[:SHOWN])
                more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
                told.append(f"{sentence} ({len(found)}): {shown}{more}.")
        if self.set_aside:
            told.append(f"Not listed since an earlier repair: {self.set_aside} files.")
        if self.ended is False and not self.active:
            told.append("The run was interrupted and can be resumed.")
        told.append("Nothing is wrong." if self.ok else "Run repair to mend this.")
        return told


def verify(
    folder: Union[str, Path], progress: Optional[Progress] = None
) -> VerifyReport:
    """Check a run and return what was found; nothing is changed.

    Parameters
    ----------
    folder : str or Path
        The run's folder.
    progress : callable or None
        Called with the frames done and the frames there are, and then for each file
        that is looked for in the index; what it raises ends the check.

    Raises
    ------
    NotFoundError
        When the folder does not exist, or holds nothing of a run.
    StorageError
        When the folder cannot be listed.
    """
    return _Check(run_place(folder), progress).report()


class _Check:
    """One check on its way."""

    def __init__(self, folder: Path, progress: Optional[Progress]) -> None:
        self._folder = folder
        self._progress = progress
        self._active = is_active(folder)
        self._newest = -1
        self._checked = self._bytes = self._aside = self._total = 0
        self._run_id: Optional[str] = None
        self._ended: Optional[bool] = None
        self._planned: Optional[Planned] = None
        self._index_is_sound = False
        # Files that already have their place in the report.
        self._named: Set[str] = set()
        self._found: Dict[str, List[Any]] = {name: [] for name in SENTENCES}

    def report(self) -> VerifyReport:
        """Do all of it."""
        damage: List[str] = []
        try:
            header = read_header(self._folder)
            self._run_id, self._planned = header["id"], planned(header)
        except StorageError as exc:
            damage.append(str(exc))
        if (self._folder / REPAIRED_INDEX_FILE).exists():
            damage.append("A repair was cut short.")
        if not self._active:
            self._found["temporaries"] += temporaries(self._folder)
            self._named.update(self._found["temporaries"])
        with contextlib.ExitStack() as opened:
            index = None
            try:
                index = Index(self._folder / INDEX_FILE, writable=False)
                opened.callback(index.close)
                self._check_index(index)
            except StorageError as exc:
                damage.append(str(exc))
            self._check_files(index)
        found = [*self._found["damage"], *damage]
        self._found["damage"] = list(dict.fromkeys(found))
        return VerifyReport(
            run_id=self._folder.name,
            active=self._active,
            frames_checked=self._checked,
            bytes_checked=self._bytes,
            set_aside=self._aside,
            ended=self._ended,
            **{name: tuple(found) for name, found in self._found.items()},
        )

    def _check_index(self, index: Index) -> None:
        """Compare the index with itself and with the files that it lists."""
        damage = self._found["damage"]
        with index.readers.borrow() as reader:
            # One transaction, so that a run that goes on is seen at one instant. It
            # ends before any file is read: while it lasts the WAL can only grow.
            reader.execute("BEGIN")
            try:
                for (said,) in reader.execute("PRAGMA integrity_check(20)").fetchall():
                    if said != "ok":
                        damage.append(f"{INDEX_FILE}: {said}.")
                self._found["wrong_counts"] += wrong_counts(reader)
                self._found["holes"] += holes(reader)
                self._check_end(reader)
                query = "SELECT count(*), coalesce(max(n), 0) FROM frames"
                total, last_n = reader.execute(query).fetchone()
            finally:
                reader.execute("ROLLBACK")
            self._check_frames(reader, total, last_n)
        self._index_is_sound = not damage

    def _check_end(self, reader: sqlite3.Connection) -> None:
        """See whether the run is over; then each slot of its plan has an outcome."""
        row = reader.execute("SELECT value FROM meta WHERE key = 'engine'").fetchone()
        try:
            self._ended = read_value(row[0])["state"]["phase"] == Phase.ENDED.value
        except (TypeError, ValueError, KeyError):
            return
        slots = None if self._planned is None else self._planned.slots
        query = "SELECT coalesce(max(last), -1) + 1 FROM slots"
        following = reader.execute(query).fetchone()[0]
        if self._ended and slots is not None and following < slots:
            self._found["holes"].append((following, slots - 1))

    def _check_frames(
        self, reader: sqlite3.Connection, total: int, last_n: int
    ) -> None:
        """Compare each listed file with its row."""
        self._total = total
        for done, row in enumerate(_frame_rows(reader, last_n)):
            self._tell(done, total)
            try:
                frame = rows.frame_from_row(row)
            except (ValueError, TypeError, AttributeError) as exc:
                self._found["damage"].append(f"{INDEX_FILE}: {exc}.")
                continue
            self._newest = max(self._newest, frame.draft.slot)
            seen = judge_listed(
                self._folder, frame.file, frame.sha256, frame.size_bytes
            )
            if seen.verdict is Verdict.FRAME:
                self._checked += 1
                self._bytes += frame.size_bytes
            else:
                self._found[seen.verdict.value].append(frame.file)
                self._named.add(frame.file)
        self._tell(total, total)

    def _tell(self, done: int, total: int) -> None:
        """Report progress."""
        if self._progress is not None:
            self._progress(done, total)

    def _check_files(self, index: Optional[Index]) -> None:
        """Look at each file that the index does not list."""
        usable = index if self._index_is_sound else None
        for file in stored_files(self._folder):
            self._tell(self._total, self._total)
            name = parse_frame_file(file)
            if file in self._named:
                continue
            if self._active and self._may_be_in_flight(file, name):
                continue
            known = None
            if usable is not None:
                if name is not None and usable.lists(name):
                    continue
                known = usable.set_aside(file)
            self._judge(file, known)

    def _may_be_in_flight(self, file: str, name: Optional[FrameName]) -> bool:
        """Tell whether the process that writes the run may be writing this file."""
        if is_temporary(file.rpartition("/")[2]):
            return True
        return name is not None and name.slot >= self._newest

    def _judge(self, file: str, known: Optional[Tuple[str, Optional[str]]]) -> None:
        """Say what an unlisted file is, unless a repair knew it as it is now."""
        sha256 = None if known is None else known[1]
        seen = judge_unlisted(self._folder, file, self._run_id, sha256)
        if known is not None and seen.verdict is not Verdict.FRAME:
            self._aside += 1
        elif seen.verdict in (Verdict.TRUNCATED, Verdict.UNREADABLE):
            self._found[seen.verdict.value].append(file)
        elif self._index_is_sound:
            self._found["unlisted"].append(file)
        elif seen.verdict is Verdict.FRAME:
            self._checked += 1
            self._bytes += len(seen.content)


def _frame_rows(reader: sqlite3.Connection, last_n: int) -> Iterator[rows.Row]:
    """Yield the rows of all frames up to `last_n`, undecoded, a page at a time."""
    query = f"{rows.SELECT_FRAMES} WHERE n > ? AND n <= ? ORDER BY n LIMIT ?"
    after = -(2**63)
    page = reader.execute(query, (after, last_n, PAGE)).fetchall()
    # A damaged tree can answer in a circle; only progress goes on.
    while page and page[-1][0] > after:
        yield from page
        after = page[-1][0]
        page = reader.execute(query, (after, last_n, PAGE)).fetchall()


def wrong_counts(reader: sqlite3.Connection) -> List[str]:
    """Compare the kept totals with counted ones; one sentence for each that differs."""
    counted = {outcome.value: 0 for outcome in Outcome}
    query = "SELECT count(*), coalesce(sum(size_bytes), 0) FROM frames"
    counted["frames"], counted["bytes"] = reader.execute(query).fetchone()
    query = "SELECT sum(last - first + 1) FROM slots WHERE outcome = ?"
    for outcome in Outcome:
        number = reader.execute(query, (outcome.value,)).fetchone()[0]
        counted[outcome.value] = number or 0
    gaps = holes(reader)
    query = "SELECT coalesce(max(last), -1) + 1 FROM slots"
    end = reader.execute(query).fetchone()[0]
    counted["next_slot"] = gaps[0][0] if gaps else end
    query = f"SELECT {', '.join(counted)} FROM totals"  # noqa: S608 - our own names
    kept = dict(zip(counted, reader.execute(query).fetchone() or ()))
    return [
        f"{name} is kept as {kept.get(name)} and counted as {number}"
        for name, number in counted.items()
        if kept.get(name) != number
    ]


def holes(reader: sqlite3.Connection) -> List[Tuple[int, int]]:
    """Return the stretches of slots without an outcome before the last one with."""
    found, following = [], 0
    for first, last in reader.execute("SELECT first, last FROM slots ORDER BY first"):
        if type(first) is not int or type(last) is not int:
            raise sqlite3.DatabaseError(f"malformed: a slot is {first!r} to {last!r}")
        if first > following:
            found.append((following, first - 1))
        following = last + 1
    return found
