"""The power is cut: what was not flushed is lost, wholly or in part, in any order.

A program that records, resumes, repairs and deletes is watched at its system calls. For
the moment after each of them the disk is laid out as a power cut may have left it; then
the program starts again, and everything that it had promised by then is looked for.
"""

import copy
import random
import re
import shutil
from pathlib import Path
from typing import Collection, Dict, List, Set, Tuple

from campaigns.crash_device import missing
from campaigns.crash_disk import DESTROYED, CrashDisk, Image, Tree, digest, images
from campaigns.crash_judge import Judge, Promises, Verdict
from campaigns.crash_mount import Mount
from campaigns.crash_story import Story, lay_out
from campaigns.findings import Cell, Findings, Table
from openflexure_timelapse.store.layout import FRAMES, is_run_id

__all__ = ["TRIALS", "attack"]

TRIALS = 12_000
"""Disks at most, of all stories together."""
STORIES = {
    "record": ("record", "a run from its start to its movies", 0.4),
    "frame": ("resume", "killed when a frame had its name; going on", 0.15),
    "run": ("resume", "killed when the run had its name; going on", 0.1),
    "folder": ("resume", "killed when a position had its folder; going on", 0.1),
    "end": ("resume", "killed when the end was written; going on", 0.05),
    "repair": ("repair", "repairing a destroyed index", 0.1),
    "use": ("use", "preferences, a preview, a GIF, deleting the run", 0.1),
}
"""What is told, a title, and the share of the disks."""
RESUMED_OF = 40
"""One disk in so many is resumed to the end."""
ON_DEVICE, AT_LEAST = 25, 1000
"""One disk in so many is of ext4, when there are many."""
MOST = 80
"""Disks of one moment."""
SHOWN = 20
UNIQUE = re.compile("[0-9a-f]{12}")
State = Tuple[CrashDisk, Promises]


class Tally:
    """Counts of some of the disks."""

    COLUMNS = (
        "disks",
        "acknowledged frames on them",
        "lost",
        "altered",
        "verify failed",
        "run to the end",
        "could not go on",
        "anything not as promised",
    )

    def __init__(self) -> None:
        self._counts = [0] * len(self.COLUMNS)

    def count(self, verdict: Verdict, way: str) -> None:
        """Add a disk."""
        said = verdict.broken
        new = (
            1,
            verdict.frames,
            verdict.lost,
            verdict.altered,
            any(sentence.startswith("verify") for sentence in said),
            way == "resume",
            any(sentence.startswith(f"{way} failed") for sentence in said),
            bool(said),
        )
        self._counts = [old + more for old, more in zip(self._counts, new)]

    @property
    def disks(self) -> int:
        """How many were counted."""
        return self._counts[0]

    def row(self) -> Tuple[int, ...]:
        """Return the counts in the order of the columns."""
        return tuple(self._counts)


class _Attack:
    """All stories, one after the other."""

    def __init__(self, trials: int, seed: int, work: Path) -> None:
        self._trials = trials
        self._chance = random.Random(seed)
        self._work = work
        self._judge = Judge(work / "spare")
        self._tried = 0
        self._kinds: Dict[str, Tally] = {}
        self._stories: List[Tuple[Cell, ...]] = []
        self._broken: Dict[str, int] = {}
        self._states: Dict[str, State] = {}

    def run(self) -> Findings:
        """Cut the power in every story; all but the first go on from the first."""
        self._tell("record", CrashDisk(self._work / "nothing"), Promises())
        for name in STORIES:
            if name in self._states:
                self._tell(name, *self._states[name])
        kinds: List[Tuple[Cell, ...]] = [
            (kind, *tally.row()) for kind, tally in sorted(self._kinds.items())
        ]
        told = ("story", "calls", "cuts", "of them in every way")
        tables = [
            Table(("what the cut left", *Tally.COLUMNS), tuple(kinds)),
            Table((*told, *Tally.COLUMNS), tuple(self._stories)),
        ]
        notes = self._mount(tables)
        return Findings(
            tables=tuple(tables),
            notes=notes,
            broken=tuple(
                f"{said} ({count} disks)."
                for said, count in list(self._broken.items())[:SHOWN]
            ),
        )

    def _mount(self, tables: List[Table]) -> Tuple[str, ...]:
        """Cut the power below a real file system too; return what is to be said."""
        most = self._trials // ON_DEVICE
        lack = missing() if self._trials >= AT_LEAST else f"{AT_LEAST} trials"
        if lack:
            return (f"Without ext4 on a device: that needs {lack}.",)
        work = self._work / "mount"
        work.mkdir()
        mount = Mount(work)
        tallies: Dict[str, Tally] = {}
        for kind, verdict, way in mount.cuts(
            most, self._chance, self._judge, RESUMED_OF
        ):
            tallies.setdefault(kind, Tally()).count(verdict, way)
            # The block may be the file system's own and hold what was flushed long ago.
            if kind != DESTROYED:
                self._note("ext4", kind, verdict)
        rows: List[Tuple[Cell, ...]] = [
            (kind, *tally.row()) for kind, tally in sorted(tallies.items())
        ]
        columns = ("what the cut left below ext4", *Tally.COLUMNS)
        tables.append(Table(columns, tuple(rows)))
        told = f"ext4 sent {len(mount.calls)} writes and flushes to its device. "
        told += "A destroyed block may be its own, with the names or places of files "
        return (told + "that were flushed long ago: that is counted, not promised.",)

    def _note(self, story: str, kind: str, verdict: Verdict) -> None:
        """Keep what fell."""
        for said in verdict.broken:
            sentence = UNIQUE.sub("*", f"{story}, {kind}: {said}")
            self._broken[sentence] = self._broken.get(sentence, 0) + 1

    def _tell(self, name: str, before: CrashDisk, promises: Promises) -> None:
        """Record a story and cut the power after its calls."""
        verb, title, share = STORIES[name]
        story = Story(name, verb, self._work / name, before, promises)
        begins = _begins(story) if name == "record" else {}
        budget = int(self._trials * share)
        tally = Tally()
        seen: Set[Tuple[bytes, int, int]] = set()
        cuts = whole = 0
        chosen = self._chosen(len(story.calls), budget)
        for number in story.moments():
            for later in begins.get(number, ()):
                self._states[later] = copy.deepcopy((story.disk, story.promises))
            if number not in chosen:
                continue
            # What earlier moments left over goes to later ones.
            most = budget * (number + 1) // len(story.calls) - tally.disks
            most = min(max(most, 2), MOST)
            found, is_all = images(story.disk.questions(), self._chance, most)
            cuts, whole = cuts + 1, whole + is_all
            for image in found:
                tree = story.disk.tree(image)
                promised = len(story.promises.frames), len(story.promises.slots)
                key = (digest(tree), *promised)
                if key not in seen:
                    seen.add(key)
                    self._try(story, image, tree, tally)
        self._stories.append((title, len(story.calls), cuts, whole, *tally.row()))
        if name == "record":
            self._states["use"] = story.disk, story.promises
            destroyed = self._work / "destroyed"
            lay_out(with_destroyed_index(story.disk.tree()), destroyed)
            self._states["repair"] = CrashDisk(destroyed), story.promises

    def _chosen(self, calls: int, disks: int) -> Collection[int]:
        """Return after which calls the power goes: all, or as many as may be."""
        if disks >= 2 * calls:
            return range(calls)
        return set(self._chance.sample(range(calls), max(1, disks // 2)))

    def _try(self, story: Story, image: Image, tree: Tree, tally: Tally) -> None:
        """Lay one disk out, start the program on it, and look."""
        self._tried += 1
        way = "repair" if story.name == "repair" else "open"
        if way == "open" and self._tried % RESUMED_OF == 0:
            way = "resume"
        data = self._work / "disk"
        lay_out(tree, data)
        verdict = self._judge.judge(data, story.promises, way)
        shutil.rmtree(str(data))
        for counted in (tally, self._kinds.setdefault(image.kind, Tally())):
            counted.count(verdict, way)
        self._note(story.name, image.kind, verdict)


def _begins(story: Story) -> Dict[int, List[str]]:
    """Return after which calls a process is killed, and for which stories.

    Each time something is done and not flushed, on which the next process builds.
    """
    calls = list(enumerate(story.calls))
    runs = [n for n, call in calls if call.verb == "rename" and _is_run(call.target)]
    named = [n for n, call in calls if call.target.endswith(".jpeg")]
    folders = [n for n, call in calls if call.verb == "folder" and _is_place(call.path)]
    rows = [n for n, call in calls if call.verb == "write" and "db-wal" in call.path]
    found: Dict[int, List[str]] = {}
    for name, number in (
        ("run", runs[0]),
        ("folder", folders[-1]),
        ("frame", named[len(named) // 2]),
        ("end", rows[-1]),
    ):
        found.setdefault(number, []).append(name)
    return found


def _is_run(path: str) -> bool:
    """Tell whether a path is the folder of a run."""
    return is_run_id(Path(path).name) and Path(path).parent.name == "data"


def _is_place(path: str) -> bool:
    """Tell whether a path is the folder of a position's frames."""
    return Path(path).parent.name == FRAMES


def with_destroyed_index(tree: Tree) -> Tree:
    """Return a folder in which nothing of any index is left."""
    changed = {
        path: content
        for path, content in tree.items()
        if not path.endswith(("/run.db-wal", "/run.db-shm"))
    }
    changed.update(
        (path, b"\x93" * 50_000) for path in tree if path.endswith("/run.db")
    )
    return changed


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Cut the power so that at most about `trials` different disks remain.

    Raises
    ------
    RuntimeError
        When there is no strace.
    """
    return _Attack(trials, seed, work).run()
