"""A recorded story: what a program did to a disk, and what it promised meanwhile."""

import copy
import hashlib
import sys
from pathlib import Path
from typing import Iterator

from campaigns.crash_disk import CrashDisk, Tree
from campaigns.crash_judge import Promises
from campaigns.system_calls import record
from openflexure_timelapse.store.catalogue import DELETED

__all__ = ["Story", "lay_out"]

SHARED = "-shm"


class Story:
    """One recorded story, and what was promised in it.

    Parameters
    ----------
    name : str
        Its own.
    verb : str
        What is told, of `power_cut_story.STORIES`.
    work : Path
        An empty folder of its own.
    before : CrashDisk
        As an earlier process left it when it was killed.
    promises : Promises
        Made before it begins.

    Raises
    ------
    RuntimeError
        When what strace told does not lead to the folder as it is.
    """

    def __init__(
        self, name: str, verb: str, work: Path, before: CrashDisk, promises: Promises
    ) -> None:
        self.name = name
        self.data, told = work / "data", work / "told"
        self._told = str(told)
        self.disk = before.after_a_kill(self.data)
        self.promises = copy.deepcopy(promises)
        tree = before.tree()
        lay_out(tree, self.data)
        for path, content in tree.items():
            if content is not None:
                self.promises.publish(path, content)
        module = (sys.executable, "-m", "campaigns.power_cut_story")
        command = [*module, verb, str(self.data), self._told]
        self.calls = record(command, (self.data, told), work / "log")

    def moments(self) -> Iterator[int]:
        """Apply one call after another; yield the number of each."""
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
            str(path.relative_to(self.data)): None
            if path.is_dir()
            else path.read_bytes()
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

    The memory that SQLite's connections share is on no disk; after a power cut its file
    may hold anything.
    """
    folder.mkdir(parents=True)
    for path, content in tree.items():
        if content is None:
            (folder / path).mkdir()
        elif path.endswith(SHARED):
            anything = hashlib.shake_128(path.encode()).digest(len(content))
            (folder / path).write_bytes(anything)
        else:
            (folder / path).write_bytes(content)
