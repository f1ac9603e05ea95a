"""A disk that loses what was not flushed: all that a power cut may leave of it.

The model is harsher than any one file system. Until a file is flushed each of its
blocks, and each growth of its size, is there or not, one without the other; until a
folder is flushed each change of a name in it has happened or not. A flush of a file
says nothing of its name. Only the rename of a folder is whole, as it is everywhere.
"""

import copy
import hashlib
import random
from itertools import product
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Tuple, Union

from campaigns.system_calls import AT_END, Call

__all__ = [
    "BLOCK",
    "DESTROYED",
    "CrashDisk",
    "File",
    "Folder",
    "Image",
    "Tree",
    "digest",
    "images",
]

BLOCK = 4096
SECTOR = 512
WHATEVER = ("-shm", "truth.jsonl")
"""No question is asked of these: memory that SQLite's connections share, which is on no
disk, and what the simulated world tells of itself."""
EXHAUSTIVE = 6
"""Up to so many open questions every combination of answers is tried."""

DESTROYED = "a block destroyed"

Question = Tuple[int, str, int]
"""What may be on the disk or not: the number of a call, ``name``, ``block`` or
``size``, and which of them."""
Tree = Dict[str, Optional[bytes]]
"""Files with their content, and folders with None, by path; parents come first."""


class _Change(NamedTuple):
    """A change that waits for a flush: of a name, of bytes, or of a size."""

    call: int
    question: Question
    name: str = ""
    node: "Optional[Node]" = None
    offset: int = 0
    data: bytes = b""


class File:
    """A file, its name apart."""

    def __init__(self, content: bytes = b"") -> None:
        self.flushed = content
        self.now = bytearray(content)
        self.waiting: List[_Change] = []

    def write(self, call: int, offset: int, data: bytes) -> None:
        """Write, in blocks that reach the disk one by one."""
        offset = len(self.now) if offset == AT_END else offset
        end, at = offset + len(data), offset
        while at < end:
            until = min(end, (at // BLOCK + 1) * BLOCK)
            piece = data[at - offset : until - offset]
            question = (call, "block", at // BLOCK)
            self.waiting.append(_Change(call, question, offset=at, data=piece))
            at = until
        if end > len(self.now):
            self._resize(call, end)
        self.now[offset:end] = data

    def cut(self, call: int, size: int) -> None:
        """Make it shorter or longer."""
        if size != len(self.now):
            self._resize(call, size)

    def _resize(self, call: int, size: int) -> None:
        self.waiting.append(_Change(call, (call, "size", 0), offset=size))
        self.now = self.now[:size].ljust(size, b"\0")

    def flush(self, before: int) -> None:
        """Take for certain what was done before a call."""
        done = [change for change in self.waiting if change.call < before]
        self.flushed = _filled(self.flushed, done, frozenset(), None, 0)
        self.waiting = self.waiting[len(done) :]

    def content(self, image: "Image") -> bytes:
        """Return what is in it after a power cut."""
        return _filled(
            self.flushed, self.waiting, image.lost, image.torn, image.sectors
        )


class Folder:
    """A folder: names."""

    def __init__(self) -> None:
        self.flushed: "Dict[str, Node]" = {}
        self.now: "Dict[str, Node]" = {}
        self.waiting: List[_Change] = []

    def change(self, question: Question, name: str, node: "Optional[Node]") -> None:
        """Give a name to something, or take it away."""
        self.waiting.append(_Change(question[0], question, name, node))
        _name(self.now, name, node)

    def flush(self, before: int) -> None:
        """Take for certain what was done before a call."""
        done = [change for change in self.waiting if change.call < before]
        for change in done:
            _name(self.flushed, change.name, change.node)
        self.waiting = self.waiting[len(done) :]

    def names(self, image: "Image") -> "Dict[str, Node]":
        """Return what is in it after a power cut."""
        names = dict(self.flushed)
        for change in self.waiting:
            if change.question not in image.lost:
                _name(names, change.name, change.node)
        return names


Node = Union[File, Folder]


class Image(NamedTuple):
    """One way in which the disk may have answered all open questions.

    Attributes
    ----------
    kind : str
        In words.
    lost : frozenset
        What did not reach the disk.
    torn : tuple or None
        A block that was being written.
    sectors : int
        How many of its sectors were; -1 when the whole block was destroyed.
    """

    kind: str
    lost: FrozenSet[Question]
    torn: Optional[Question] = None
    sectors: int = 0


class CrashDisk:
    """The disk of a program whose calls are applied one after the other.

    Parameters
    ----------
    root : Path
        The folder that is watched; what is in it now is on the disk.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._count = self._first = 0
        self.top = Folder()
        self._parent = Folder()
        self._parent.now["."] = self._parent.flushed["."] = self.top
        for path in sorted(root.rglob("*")):
            node = Folder() if path.is_dir() else File(path.read_bytes())
            folder, name = self._place(str(path))
            folder.flushed[name] = folder.now[name] = node

    def after_a_kill(self, root: Path) -> "CrashDisk":
        """Return this disk for the next process, which sees its content at `root`.

        What the killed process had not flushed is not flushed now.
        """
        other = copy.deepcopy(self)
        other._root, other._first = str(root), self._count  # noqa: SLF001 - our own
        return other

    def apply(self, call: Call) -> None:
        """Do what a call did."""
        number = self._count
        self._count += 1
        is_inside = call.path.startswith(f"{self._root}/")
        if not is_inside and (call.path != self._root or call.verb == "folder"):
            return
        folder, name = self._place(call.path)
        node = folder.now.get(name)
        if call.verb in ("open", "folder"):
            if node is None:
                made = File() if call.verb == "open" else Folder()
                folder.change((number, "name", 0), name, made)
        elif call.verb == "rename":
            target, new_name = self._place(call.target)
            target.change((number, "name", 0), new_name, node)
            is_file = isinstance(node, File)
            folder.change((number, "name", 1 if is_file else 0), name, None)
        elif call.verb == "remove":
            folder.change((number, "name", 0), name, None)
        elif call.verb == "flush":
            if node is not None:
                node.flush(self._first + call.began)
        elif isinstance(node, File):
            self._fill(node, call)
            if name.endswith(WHATEVER):
                node.flush(self._count)

    def _fill(self, file: File, call: Call) -> None:
        """Change the content of a file."""
        if call.verb == "write":
            file.write(self._count - 1, call.offset, call.data)
        else:
            file.cut(self._count - 1, call.offset)

    def _place(self, path: str) -> Tuple[Folder, str]:
        """Return the folder of a path, and the last name."""
        if path == self._root:
            return self._parent, "."
        *folders, name = path[len(self._root) + 1 :].split("/")
        place = self.top
        for part in folders:
            inner = place.now[part]
            if not isinstance(inner, Folder):
                raise NotADirectoryError(path)
            place = inner
        return place, name

    def tree(self, image: Optional[Image] = None) -> Tree:
        """Return what is there after a power cut; without one, what is there now."""
        found: Tree = {}
        waiting: List[Tuple[str, Folder]] = [("", self.top)]
        while waiting:
            path, folder = waiting.pop()
            names = folder.now if image is None else folder.names(image)
            for name, node in sorted(names.items()):
                if isinstance(node, Folder):
                    found[path + name] = None
                    waiting.append((f"{path}{name}/", node))
                else:
                    content = node.now if image is None else node.content(image)
                    found[path + name] = bytes(content)
        return found

    def questions(self) -> List[Question]:
        """Return what may be on the disk or not at this moment."""
        found: Dict[Question, None] = {}
        seen = set()
        waiting: List[Node] = [self.top]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            found.update((change.question, None) for change in node.waiting)
            if isinstance(node, Folder):
                waiting += [*node.now.values(), *node.flushed.values()]
                waiting += [item.node for item in node.waiting if item.node]
        return sorted(found)


def images(
    questions: List[Question], chance: random.Random, most: int
) -> Tuple[List[Image], bool]:
    """Return disks after a power cut, and whether they are all there may be.

    Torn and destroyed blocks are more than a choice of what is lost: they come on top,
    and do not count for "all".

    Parameters
    ----------
    questions : list
        What may be on the disk or not.
    chance : random.Random
        Chooses where there are too many; nothing lost and everything lost come first.
    most : int
        At most so many, and at least these two.
    """
    is_all = len(questions) <= EXHAUSTIVE
    choices = _all(questions) if is_all else _some(questions, chance, most)
    found = [Image(_kind(questions, lost), lost) for lost in choices]
    if is_all:  # the last is the one in which everything is lost
        found.insert(1, found.pop())
    is_all = is_all and len(found) <= most
    blocks = [item for item in questions if item[1] == "block"]
    for block in chance.sample(blocks, min(len(blocks), max(1, most // 4))):
        sectors = chance.randrange(1, BLOCK // SECTOR)
        later = frozenset(item for item in questions if _is_later(item, block))
        found.append(Image("a block written in part", later, block, sectors))
        found.append(Image(DESTROYED, later, block, -1))
    if len(found) > most:
        found = found[:2] + chance.sample(found[2:], max(0, most - 2))
    return found, is_all


def digest(tree: Tree) -> bytes:
    """Return what tells one tree from another."""
    whole = hashlib.sha256()
    for path, content in sorted(tree.items()):
        part = b"" if content is None else hashlib.sha256(content).digest()
        whole.update(path.encode() + b"\0" + part)
    return whole.digest()


def _name(names: "Dict[str, Node]", name: str, node: "Optional[Node]") -> None:
    """Change one name."""
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _filled(
    old: bytes,
    changes: List[_Change],
    lost: FrozenSet[Question],
    torn: Optional[Question],
    sectors: int,
) -> bytes:
    """Return a content after those of its changes that reached the disk."""
    content, size = bytearray(old), len(old)
    for change in changes:
        if change.question in lost:
            continue
        at, piece = change.offset, change.data
        if change.question[1] == "size":
            if at < size:  # what is cut off never comes back
                del content[at:]
            size = at
            continue
        block = at // BLOCK * BLOCK
        if change.question == torn and sectors >= 0:
            piece = piece[: max(0, block + sectors * SECTOR - at)]
        elif change.question == torn:
            at, piece = block, _noise(block)
        content = content.ljust(at, b"\0")
        content[at : at + len(piece)] = piece
    return bytes(content[:size].ljust(size, b"\0"))


def _noise(seed: int) -> bytes:
    """Return the content of a destroyed block."""
    return hashlib.shake_128(b"%d" % seed).digest(BLOCK)


def _kind(questions: List[Question], lost: FrozenSet[Question]) -> str:
    """Return in words what an image lacks."""
    if not lost:
        return "all that was written is there"
    if len(lost) == len(questions):
        return "only what was flushed is there"
    whats = {question[1] for question in lost}
    if whats == {"name"}:
        return "names lost"
    return "names and data lost" if "name" in whats else "data lost"


def _is_later(question: Question, block: Question) -> bool:
    """Tell what is written after a block, by the same call or another."""
    same = question[:2] == block[:2] and question[2] > block[2]
    return question[0] > block[0] or same


def _all(questions: List[Question]) -> Iterator[FrozenSet[Question]]:
    """Yield every choice: nothing lost first, everything last."""
    for answers in product((False, True), repeat=len(questions)):
        pairs = zip(questions, answers)
        yield frozenset(question for question, is_lost in pairs if is_lost)


def _some(
    questions: List[Question], chance: random.Random, most: int
) -> Iterator[FrozenSet[Question]]:
    """Yield nothing, everything, each alone, all but each, and any."""
    everything = frozenset(questions)
    yield frozenset()
    yield everything
    for question in questions:
        yield frozenset([question])
        yield everything - {question}
    for _ in range(most):
        share = chance.choice((0.1, 0.5, 0.9))
        yield frozenset(item for item in questions if chance.random() < share)
