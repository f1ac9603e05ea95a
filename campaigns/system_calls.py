"""What a program does to files, as the kernel sees it: its system calls, by strace.

Nothing of the program is replaced: Python, SQLite and ffmpeg are watched alike, with
every byte that they write. strace asks for no privileges.
"""

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

__all__ = ["AT_END", "STRACE", "Call", "record"]

STRACE = shutil.which("strace")
AT_END = -1
LONGEST = 2**26
# With a question mark: not every processor has it.
WATCHED = (
    "?open ?creat openat write pwrite64 lseek ftruncate ?truncate fsync fdatasync "
    "?rename ?renameat renameat2 ?unlink unlinkat ?mkdir mkdirat ?rmdir writev pwritev "
    "pwritev2 fallocate ?link linkat ?symlink symlinkat sendfile copy_file_range"
)
LINE = re.compile(
    rb"(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>\d+)(<(?P<path>[^>]*)>)?\Z", re.S
)
BEGUN = re.compile(rb"(?P<part>.*) <unfinished \.\.\.>\Z", re.S)
RESUMED = re.compile(rb"<\.\.\. \w+ resumed>(?P<part>.*)\Z", re.S)
TEXT = rb'"(?P<text>[^"\\]*(?:\\.[^"\\]*)*)"'
PLACE = rb"(?:AT_FDCWD|(?P<number>\d+))<(?P<place>[^>]*)>(?P<gone>\(deleted\))?"
ARGUMENT = re.compile(TEXT + rb"|" + PLACE + rb"|(?P<word>[^\s,]+)", re.S)


class Call(NamedTuple):
    """One change, or one promise of the kernel that changes will stay.

    Attributes
    ----------
    verb : str
        ``open``, ``write``, ``cut``, ``flush``, ``rename``, ``remove`` or ``folder``.
    path : str
        Of what.
    target : str
        The new name of a rename.
    offset : int
        Of a write, `AT_END` for the end of the file; of a cut the new size.
    data : bytes
        What was written.
    began : int
        How many calls had ended when this one began: a flush promises for those.
    """

    verb: str
    path: str
    target: str = ""
    offset: int = 0
    data: bytes = b""
    began: int = 0


def record(command: Sequence[str], places: Sequence[Path], log: Path) -> List[Call]:
    """Run a command to its end and return what it did below some places.

    Parameters
    ----------
    command : sequence of str
        What to run.
    places : sequence of Path
        Files or folders; what happens elsewhere is passed over.
    log : Path
        A file to be made.

    Raises
    ------
    RuntimeError
        When there is no strace, or when the command fails.
    """
    if STRACE is None:
        raise RuntimeError("There is no strace; install it to record a program.")
    watch = [STRACE, "-f", "--seccomp-bpf", "-y", "-s", str(LONGEST), "-o", str(log), "-e"]
    watch.append("trace=" + ",".join(WATCHED.split()))
    done = subprocess.run(  # noqa: S603 - our own program
        [*watch, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace")[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {said}")
    reader = _Reader([os.fsencode(str(place)) for place in places])
    with log.open("rb") as stream:
        for line in stream:
            reader.read(line.rstrip(b"\n"))
    return reader.calls


class _Reader:
    """Turns the lines of strace into calls, in the order in which they ended."""

    def __init__(self, places: Sequence[bytes]) -> None:
        self._places = tuple(places)
        self._begun: Dict[bytes, Tuple[int, bytes]] = {}
        self._positions: Dict[Tuple[str, bytes], int] = {}
        self.calls: List[Call] = []

    def read(self, line: bytes) -> None:
        """Take one line."""
        process, _, rest = line.partition(b" ")
        rest, began = rest.lstrip(), len(self.calls)
        unfinished = BEGUN.match(rest)
        if unfinished:
            self._begun[process] = (began, unfinished.group("part"))
            return
        resumed = RESUMED.match(rest)
        if resumed and process in self._begun:
            began, part = self._begun.pop(process)
            rest = part + resumed.group("part")
        if any(place in rest for place in self._places):
            # Behind the result may stand the time or the meaning of an error.
            found = LINE.match(rest)
            if found is not None:
                self.calls += self._understood(found, began)

    def _understood(self, found: "re.Match[bytes]", began: int) -> Iterator[Call]:
        """Yield what a call that did not fail has changed."""
        name, result = found.group("call").decode(), int(found.group("result"))
        arguments = list(ARGUMENT.finditer(found.group("arguments")))
        paths = [path for path in _paths(arguments, name) if self._is_ours(path)]
        if not paths:
            return
        path, number = paths[0], arguments[0].group("number") or b""
        if name in ("open", "openat", "creat"):
            flags = found.group("arguments")
            self._positions[path, b"%d" % result] = AT_END if b"O_APPEND" in flags else 0
            if b"O_CREAT" in flags or name == "creat":
                yield Call("open", path)
            if b"O_TRUNC" in flags or name == "creat":
                yield Call("cut", path, offset=0)
        elif name == "lseek":
            if self._positions.get((path, number)) != AT_END:
                self._positions[path, number] = result
        elif name in ("write", "pwrite64"):
            data = _unquoted(arguments[1].group("text"))[:result]
            offset = self._positions.get((path, number), 0)
            if name == "pwrite64":
                offset = int(arguments[3].group("word"))
            elif offset != AT_END:
                self._positions[path, number] = offset + result
            yield Call("write", path, offset=offset, data=data)
        elif name in ("ftruncate", "truncate"):
            yield Call("cut", path, offset=int(arguments[1].group("word")))
        elif name in ("fsync", "fdatasync"):
            yield Call("flush", path, began=began)
        elif name.startswith("rename"):
            yield Call("rename", path, target=paths[1])
        elif name in ("unlink", "unlinkat", "rmdir"):
            yield Call("remove", path)
        elif name in ("mkdir", "mkdirat"):
            yield Call("folder", path)
        else:
            raise RuntimeError(f"The model knows no {name}; teach it, for {path}.")

    def _is_ours(self, path: str) -> bool:
        """Tell whether a path lies below a place."""
        raw = os.fsencode(path)
        return any(raw == place or raw.startswith(place + b"/") for place in self._places)


def _paths(arguments: "List[re.Match[bytes]]", name: str) -> Iterator[str]:
    """Yield the paths that a call names, absolute; none for a file without a name."""
    folder: Optional[bytes] = None
    takes_data = name in ("write", "pwrite64")
    for argument in arguments:
        if argument.group("place") is not None:
            folder = None if argument.group("gone") else argument.group("place")
            if name in BY_NUMBER and folder is not None:
                yield os.fsdecode(folder)
                return
        elif argument.group("text") is not None and not takes_data:
            text = _unquoted(argument.group("text"))
            yield os.path.join(os.fsdecode(folder or b"/"), os.fsdecode(text))


BY_NUMBER = ("write", "pwrite64", "lseek", "ftruncate", "fsync", "fdatasync")


def _unquoted(text: bytes) -> bytes:
    """Return the bytes that strace shows as a string of C, which is one of Python."""
    return bytes(ast.literal_eval('b"' + text.decode("ascii") + '"'))
