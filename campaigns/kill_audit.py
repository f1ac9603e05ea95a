"""What must be true of a run that was killed and has come to its end all the same.

`Account` keeps what was acknowledged before each kill: what the process had told, and
what the index and the files held when it was dead. In the end all of it is looked for.
"""

import csv
import hashlib
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

import cv2

from campaigns.kill_bench import Condition
from campaigns.kill_cases import Case
from campaigns.kill_lives import Told
from openflexure_timelapse.errors import DamagedRunError, StorageError
from openflexure_timelapse.frame import Frame, Outcome
from openflexure_timelapse.hosts.todo import runs_to_do
from openflexure_timelapse.run_state import Phase
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.layout import (
    CSV_FILE,
    FRAMES,
    HEADER_FILE,
    INDEX_FILE,
    MOVIES,
    is_run_id,
)
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify

__all__ = ["PHASES", "Account", "Losses", "audited", "check_put_back", "run_folder"]

ALL = 100_000
EXPECTED = {"overdue", "paused", "interrupted", "stopped"}
"""Why a slot may be missed when nothing happens but kills and requests."""
NO_RUN = "no run, not yet or no more"
RUINED = "index ruined"
PHASES = (NO_RUN, *(phase.value for phase in Phase), RUINED)


@dataclass
class Losses:
    """What was found wrong, in figures and in sentences."""

    lost: int = 0
    altered: int = 0
    doubled: int = 0
    without_outcome: int = 0
    off_grid: int = 0
    stray: int = 0
    broken: List[str] = field(default_factory=list)

    def count(self, kind: str, found: Iterable[Any], sentence: str) -> None:
        """Count what was found, and say it."""
        items = sorted(map(str, found))
        if items:
            setattr(self, kind, getattr(self, kind) + len(items))
            self.say(f"{sentence}: {', '.join(items[:5])}")

    def say(self, sentence: str) -> None:
        """Take note of a promise that fell."""
        self.broken.append(sentence)


class Account:
    """What a run had acknowledged when its processes were killed.

    Attributes
    ----------
    frames : dict of str to str
        The SHA-256 of each frame, by file.
    phases : list of str
        In which phase the run was at each kill.
    before_kill : int
        How many frames were acknowledged before the last kill.
    losses : Losses
        What was wrong right after a kill.
    """

    def __init__(self) -> None:
        self.frames: Dict[str, str] = {}
        self.phases: List[str] = []
        self.before_kill = 0
        self.losses = Losses()
        self._origin_ns: Optional[int] = None

    def hear(self, told: Sequence[Told]) -> None:
        """Take what a process has told."""
        self.frames.update({frame.file: frame.sha256 for frame in told})

    def see(self, data: Path) -> None:
        """Look at a data folder whose process was killed; nothing is changed there."""
        folder = run_folder(data)
        if folder is None:
            self.phases.append(NO_RUN)
            if self.frames:
                self.losses.count("lost", self.frames, "Lost with its run")
            return
        with tempfile.TemporaryDirectory(dir=str(data.parent)) as place:
            # A reader of a WAL writes beside it: the copy is read, so that the next
            # process finds all as it was left.
            for suffix in ("", "-wal"):
                source = folder / f"{INDEX_FILE}{suffix}"
                if source.exists():
                    shutil.copy(str(source), f"{place}/{INDEX_FILE}{suffix}")
            self._see_index(folder, Path(place, INDEX_FILE))

    def _see_index(self, folder: Path, copy: Path) -> None:
        """Compare the index with the files and with what was told."""
        try:
            index = Index(copy, writable=False)
        except DamagedRunError:
            self.phases.append(RUINED)
            self.compare(folder, dict(self.frames))
            return
        try:
            rows = {frame.file: frame.sha256 for frame in index.frames(0, ALL)}
            kept, anchor = index.value("engine") or {}, index.value("anchor")
        finally:
            index.close()
        state = kept.get("state", {})
        self.phases.append(state.get("phase", Phase.WAITING.value))
        if anchor is not None and self._origin_ns is None:
            self._origin_ns = _origin_ns(anchor)
        self.compare(folder, rows)
        self.frames.update(rows)
        self.before_kill = len(self.frames)

    def compare(self, folder: Path, rows: Dict[str, str]) -> None:
        """Look for every acknowledged frame: its row and its file."""
        losses = self.losses
        known = {**rows, **self.frames}
        gone = {
            file for file in known if file not in rows or not (folder / file).is_file()
        }
        losses.count("lost", gone, "Acknowledged and lost")
        changed = [
            file
            for file, sha256 in known.items()
            if file not in gone
            and {sha256, rows.get(file)} != {_sha256_of(folder / file)}
        ]
        losses.count("altered", changed, "Acknowledged and altered")

    def check_origin(self, anchor: Dict[str, Any], frames: Sequence[Frame]) -> None:
        """See that the grid lies where it lay at the first kill, for each frame too."""
        origin_ns = self._origin_ns or _origin_ns(anchor)
        found = {frame.draft.wall_ns - frame.draft.elapsed_ns for frame in frames}
        off = found | {_origin_ns(anchor)}
        off.discard(origin_ns)
        self.losses.count("off_grid", off, f"The grid moved from {origin_ns} to")


def run_folder(data: Path) -> Optional[Path]:
    """Return the folder of the only run; None when there is none."""
    if not data.is_dir():
        return None
    found = [path for path in data.iterdir() if is_run_id(path.name)]
    if len(found) > 1:
        raise ValueError(f"there are {len(found)} runs in {data} and not one")
    return found[0] if found else None


def audited(
    data: Path, case: Case, account: Account, beside: Sequence[Path] = ()
) -> Losses:
    """Return what is wrong with a run that was killed and has ended.

    Parameters
    ----------
    data : Path
        The data folder; it has this run and nothing else.
    case : Case
        What was asked for.
    account : Account
        What was acknowledged at the kills.
    beside : sequence of Path
        Files that somebody else keeps in the data folder.
    """
    losses = account.losses
    there = {path for path in data.rglob("*") if not _is_usual(data, path)}
    folder = run_folder(data)
    if folder is None:
        losses.say("There is no run in the end")
        return losses
    report = verify(folder)
    if not report.ok or not report.ended:
        losses.say("verify: " + " ".join(report.lines()))
    if runs_to_do(data):
        losses.say("The run still waits to be resumed")
    try:
        with RunStore.open_read(folder) as store:
            frames, slots = store.frames(0, ALL), store.slots(0, ALL)
            anchor = store.value("anchor")
            kept = store.value("engine")
    except StorageError as exc:
        losses.say(str(exc))
        return losses
    if kept is None or anchor is None:
        losses.say("The run exists, and nobody has ever gone on with it")
        return losses
    account.compare(folder, {frame.file: frame.sha256 for frame in frames})
    account.check_origin(anchor, frames)
    _check_doubles(frames, losses)
    _check_times(case, frames, losses)
    outcomes = [
        (n, slot.outcome, slot.reason)
        for slot in slots
        for n in range(slot.first, slot.last + 1)
    ]
    _check_outcomes(case, outcomes, frames, losses)
    movies = case.movies if frames and kept["state"]["end_reason"] != "failed" else 0
    made = _check_movies(folder, movies, losses)
    _check_csv(folder / CSV_FILE, len(frames), losses)
    known = {folder / name for name in (HEADER_FILE, INDEX_FILE, CSV_FILE)}
    known.update(folder / frame.file for frame in frames)
    known.update(made, beside)
    stray = (str(path.relative_to(data)) for path in there - known)
    losses.count("stray", stray, "Stray files")
    return losses


def check_put_back(case: Case, after: Condition, losses: Losses) -> None:
    """See that the run has left the microscope as it had found it."""
    before = case.before
    if after.light != before.light:
        losses.say(f"The light is left at {after.light} and was at {before.light}")
    if after.exposure is None and before.exposure is None:
        pass
    elif after.exposure is None or before.exposure is None:
        losses.say(f"The camera is left with {after.exposure}, not {before.exposure}")
    elif any(after.exposure[key] != value for key, value in before.exposure.items()):
        losses.say(f"The camera is left at {after.exposure}, not {before.exposure}")
    place, home = (after.x, after.y, after.z), (before.x, before.y, before.z)
    kept = 2 if "autofocus" in case.plan else 3
    moves = "drift_correction" in case.plan
    if case.stays and not moves and place[:kept] != home[:kept]:
        losses.say(f"The stage is left at {place} and was at {home}")


def _origin_ns(anchor: Dict[str, Any]) -> int:
    """Return the time of day of slot 0 as the run keeps it."""
    since_ns = anchor["wall_at_monotonic_ns"] - anchor["origin_monotonic_ns"]
    return int(anchor["wall_ns"] - since_ns)


def _check_doubles(frames: Sequence[Frame], losses: Losses) -> None:
    """See that no frame is there twice, by place or by content."""
    places = Counter(
        (frame.draft.slot, frame.draft.position, frame.draft.plane) for frame in frames
    )
    contents = Counter(frame.sha256 for frame in frames)
    twice = [key for key, times in places.items() if times > 1]
    same = [key for key, times in contents.items() if times > 1]
    losses.count("doubled", [*twice, *same], "There twice")


def _check_times(case: Case, frames: Sequence[Frame], losses: Losses) -> None:
    """See that each frame belongs to its slot's due time and was taken after it."""
    off = [
        frame.file
        for frame in frames
        if frame.draft.due_ns != case.due_ns[frame.draft.slot]
        or frame.draft.elapsed_ns < frame.draft.due_ns
    ]
    losses.count("off_grid", off, "Not on the grid")


def _check_outcomes(
    case: Case,
    outcomes: Sequence[Tuple[int, Outcome, Any]],
    frames: Sequence[Frame],
    losses: Losses,
) -> None:
    """See that each slot has one outcome, a reason if it was missed, and its frames."""
    times = Counter(n for n, _, _ in outcomes)
    wrong = [n for n in range(len(case.due_ns)) if times[n] != 1]
    wrong += [n for n in times if n >= len(case.due_ns)]
    losses.count("without_outcome", wrong, "Slots without one outcome")
    silent = [
        n for n, outcome, why in outcomes if outcome is not Outcome.CAPTURED and not why
    ]
    losses.count("without_outcome", silent, "Missed slots without a reason")
    strange = {why.value for _, _, why in outcomes if why} - EXPECTED
    if strange:
        losses.say(f"Slots were missed for no reason of this attack: {strange}")
    taken = Counter(frame.draft.slot for frame in frames)
    whole = (Outcome.CAPTURED, Outcome.LATE)
    short = [
        n for n, outcome, _ in outcomes if outcome in whole and taken[n] < case.per_slot
    ]
    losses.count("lost", short, "Captured slots that lack frames")


def _check_movies(folder: Path, planned: int, losses: Losses) -> List[Path]:
    """See that the planned movies are there and can be played; return them."""
    made = [path for path in (folder / MOVIES).iterdir() if path.suffix == ".mp4"]
    if len(made) != planned:
        losses.say(f"{planned} movies were planned, and {len(made)} are there")
    for path in made:
        if not cv2.VideoCapture(str(path)).read()[0]:
            losses.say(f"The movie {path.name} cannot be played")
    return made


def _check_csv(path: Path, frames: int, losses: Losses) -> None:
    """See that the table has a line for each frame."""
    lines = 0
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as stream:
            lines = len(list(csv.reader(stream)))
    if lines != frames + 1:
        losses.say(f"{path.name} has {lines} lines for {frames} frames")


def _is_usual(data: Path, path: Path) -> bool:
    """Tell whether a path is a folder that runs have, or a reader's lock on the index.

    SQLite leaves the files of a WAL behind when its last user may only read.
    """
    parts = path.relative_to(data).parts
    if path.name == f"{INDEX_FILE}-shm":
        return True
    if path.name == f"{INDEX_FILE}-wal":
        return not path.stat().st_size
    usual = is_run_id(parts[0]) and parts[1:2] in {(), (FRAMES,), (MOVIES,)}
    return usual and path.is_dir() and not any(part[0] == "." for part in parts)


def _sha256_of(path: Path) -> str:
    """Return the digest of a file as it is now."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
