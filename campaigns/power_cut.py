"""The power is cut: what was not flushed is lost, wholly or in part, in any order.

A program that records, resumes, repairs and deletes is watched at its system calls. For
the moment after each of them the disk is laid out as a power cut may have left it; then
the program starts again, and everything that it had promised by then is looked for.
"""

import copy
import random
import re
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from campaigns.crash_disk import CrashDisk, Image, Tree, digest
from campaigns.crash_judge import Judge, Promises, Verdict
from campaigns.findings import Findings, Table
from campaigns.power_cut_story import PLAN
from campaigns.system_calls import record
from openflexure_timelapse.store.catalogue import DELETED

__all__ = ["TRIALS", "attack"]

TRIALS = 12_000
"""Images at most, of all stories together."""
SHARES = {"record": 0.5, "resume": 0.25, "repair": 0.125, "use": 0.125}
TITLES = {
    "record": "a run from its start to its movies",
    "resume": "going on after a power cut",
    "repair": "repairing a destroyed index",
    "use": "preferences, previews, a GIF, deleting the run",
}
RESUMED_OF = 25
"""One image in so many is resumed to the end."""
SHOWN = 20
SHARED = "-shm"


class Cut(NamedTuple):
    """A disk after a power cut.

    Attributes
    ----------
    image : Image
        What it lacks.
    tree : Tree
        What it holds.
    call : int
        The number of the call after which the power went.
    """

    image: Image
    tree: Tree
    call: int


class Story:
    """One recorded story, and what was promised in it.

    Parameters
    ----------
    name : str
        Of `power_cut_story.STORIES`.
    work : Path
        An empty folder of its own.
    before : Tree
        What is on the disk when it begins.
    promises : Promises
        Made before it begins.

    Raises
    ------
    RuntimeError
        When what strace told does not lead to the folder as it is.
    """

    def __init__(
        self, name: str, work: Path, before: Tree, promises: Promises
    ) -> None:
        self.name = name
        self.data, told = work / "data", work / "told"
        lay_out(before, self.data)
        self._told = str(told)
        self._before, self.promises = before, promises
        self.disk = CrashDisk(self.data)
        for path, content in before.items():
            if content is not None:
                promises.publish(path, content)
        module = (sys.executable, "-m", "campaigns.power_cut_story")
        command = [*module, name, str(self.data), self._told]
        self.calls = record(command, (self.data, told), work / "log")

    def moments(self) -> Iterator[int]:
        """Apply one call after another; yield the number of each that changed a file."""
        for number, call in enumerate(self.calls):
            self.disk.apply(call)
            if call.path == self._told:
                self.promises.hear(call.data)
            elif call.verb == "rename":
                self._publish(call.target)
            yield number
        self._check()

    def _publish(self, target: str) -> None:
        """Take note of what has its name now, with everything below it."""
        path = target[len(str(self.data)) + 1 :]
        name = path.rpartition("/")[2]
        if name.startswith(DELETED):
            self.promises.leaving.add(name[len(DELETED) :].rpartition("-")[0])
        for file, content in self.disk.tree().items():
            if content is not None and (file == path or file.startswith(f"{path}/")):
                self.promises.publish(file, content)

    def _check(self) -> None:
        """Make sure that nothing escaped strace or the model."""
        real = {
            str(path.relative_to(self.data)): None if path.is_dir() else path.read_bytes()
            for path in self.data.rglob("*")
        }
        told = self.disk.tree()
        wrong = [
            path
            for path in {*real, *told}
            if not path.endswith(SHARED)
            and (path not in real or path not in told or real[path] != told[path])
        ]
        if wrong:
            raise RuntimeError(f"The model of {self.name} is wrong about {wrong}.")


def lay_out(tree: Tree, folder: Path) -> None:
    """Write a tree into a new folder.

    The memory that SQLite's connections share is no part of what is on the disk; after
    a power cut its file may hold anything.
    """
    folder.mkdir(parents=True)
    for path, content in tree.items():
        if content is None:
            (folder / path).mkdir()
        elif path.endswith(SHARED):
            (folder / path).write_bytes(random.Random(path).getrandbits(8 * len(content)).to_bytes(len(content), "big") if content else b"")  # noqa: S311
        else:
            (folder / path).write_bytes(content)


class _Tally:
    """Counts of one kind of image, or of one story."""

    def __init__(self) -> None:
        self.images = self.frames = self.resumed = 0
        self.lost = self.altered = self.unverified = self.other = self.stuck = 0

    def count(self, verdict: Verdict, way: str) -> None:
        """Add an image."""
        self.images += 1
        self.resumed += way == "resume"
        self.frames += verdict.frames
        self.lost += verdict.lost
        self.altered += verdict.altered
        self.unverified += any(said.startswith("verify") for said in verdict.broken)
        self.stuck += any(said.startswith(f"{way} failed") for said in verdict.broken)
        self.other += bool(verdict.broken)

    def row(self, what: str) -> Tuple[str, int, int, int, int, int, int, int, int]:
        """Return the line of the table."""
        counts = (self.images, self.frames, self.lost, self.altered, self.unverified)
        return (what, *counts, self.resumed, self.stuck, self.other)


COLUMNS = (
    "images",
    "acknowledged frames in them",
    "lost",
    "altered",
    "verify failed",
    "resumed to the end",
    "could not go on",
    "anything not as promised",
)


class _Attack:
    """All stories, one after the other."""

    def __init__(self, trials: int, seed: int, work: Path) -> None:
        self._trials = trials
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._work = work
        self._judge = Judge(work / "spare")
        self._number = 0
        self.kinds: Dict[str, _Tally] = {}
        self.stories: List[Tuple[object, ...]] = []
        self.broken: Dict[str, int] = {}
        self._middle: Optional[Tuple[Tree, Promises]] = None
        self._end: Optional[Tuple[Tree, Promises]] = None

    def run(self) -> Findings:
        """Cut the power in every story."""
        self._tell("record", {}, Promises())
        for name, before in (
            ("resume", self._middle),
            ("repair", self._end),
            ("use", self._end),
        ):
            assert before is not None
            tree, promises = copy.deepcopy(before)
            self._tell(name, damaged(tree) if name == "repair" else tree, promises)
        kinds = tuple(tally.row(kind) for kind, tally in self.kinds.items())
        broken = tuple(
            f"{said} ({count} images)" for said, count in list(self.broken.items())
        )
        return Findings(
            (
                Table(("what a power cut left", *COLUMNS), kinds),
                Table(("story", "calls", "cuts", "every combination", *COLUMNS), tuple(self.stories)),
            ),
            broken[:SHOWN],
        )

    def _tell(self, name: str, before: Tree, promises: Promises) -> None:
        """Record a story and cut the power after its calls."""
        story = Story(name, self._work / name, before, promises)
        budget = int(self._trials * SHARES[name])
        calls = len(story.calls)
        chosen = range(calls)
        if budget < 2 * calls:
            chosen = set(self._chance.sample(chosen, max(1, budget // 2)))
        most = max(2, budget // calls)
        tally, seen = _Tally(), set()
        cuts = whole = 0
        for number in story.moments():
            self._keep(story, number)
            if number not in chosen:
                continue
            images, is_all = story.disk.images(self._chance, most)
            cuts, whole = cuts + 1, whole + is_all
            for image in images:
                tree = story.disk.tree(image)
                key = (digest(tree), len(promises.frames), len(promises.slots))
                if key not in seen:
                    seen.add(key)
                    self._try(story, Cut(image, tree, number), tally)
        row = tally.row(TITLES[name])
        self.stories.append((row[0], calls, cuts, whole, *row[1:]))
        if name == "record":
            self._end = (story.disk.tree(), copy.deepcopy(promises))

    def _keep(self, story: Story, number: int) -> None:
        """Keep a disk for a story that goes on with it: a frame has no row yet."""
        call = story.calls[number]
        half = PLAN["frames"] * len(PLAN["positions"]) // 2
        if self._middle is None and len(story.promises.frames) > half:
            if call.verb == "rename" and call.target.endswith(".jpeg"):
                self._middle = (story.disk.tree(), copy.deepcopy(story.promises))

    def _try(self, story: Story, cut: Cut, tally: _Tally) -> None:
        """Lay one image out, start the program on it, and look."""
        self._number += 1
        way = "repair" if story.name == "repair" else "open"
        if way == "open" and self._number % RESUMED_OF == 0:
            way = "resume"
        data = self._work / "image"
        lay_out(cut.tree, data)
        verdict = self._judge.judge(data, story.promises, way)
        shutil.rmtree(str(data))
        for counted in (tally, self.kinds.setdefault(cut.image.kind, _Tally())):
            counted.count(verdict, way)
        for said in verdict.broken:
            key = f"{story.name}, {cut.image.kind}: {re.sub('[0-9a-f]{12}', '*', said)}"
            self.broken[key] = self.broken.get(key, 0) + 1


def damaged(tree: Tree) -> Tree:
    """Return a folder whose index was destroyed."""
    changed = dict(tree)
    for path in tree:
        if path.endswith(("/run.db-wal", "/run.db-shm")):
            del changed[path]
        elif path.endswith("/run.db"):
            changed[path] = bytes(50_000)
    return changed


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Cut the power at most `trials` times."""
    return _Attack(trials, seed, work).run()
