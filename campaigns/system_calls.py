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
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

__all__ = ["AT_END", "STRACE", "Call", "Reader", "record"]

STRACE = shutil.which("strace")
AT_END = -1
LONGEST = 2**26
# With a question mark: not every processor has it.
VERBS = {
    "open": "open",
    "openat": "open",
    "write": "write",
    "pwrite64": "write",
    "lseek": "seek",
    "ftruncate": "cut",
    "truncate": "cut",
    "fsync": "flush",
    "fdatasync": "flush",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
    "unlink": "remove",
    "unlinkat": "remove",
    "rmdir": "remove",
    "mkdir": "folder",
    "mkdirat": "folder",
}
BY_NUMBER = ("write", "pwrite64", "lseek", "ftruncate", "fsync", "fdatasync")
ARGUMENTS_OF_WRITE = 3
# Watched so that a program that begins to use them is refused, not misunderstood.
UNKNOWN = (
    "creat writev pwritev pwritev2 fallocate link linkat symlink symlinkat sendfile "
    "copy_file_range"
)
LINE = re.compile(
    rb"(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>\d+)(<(?P<path>[^>]*)>)?\Z",
    re.DOTALL,
)
BEGUN = re.compile(rb"(?P<part>.*) <unfinished \.\.\.>\Z", re.DOTALL)
RESUMED = re.compile(rb"<\.\.\. \w+ resumed>(?P<part>.*)\Z", re.DOTALL)
TEXT = rb'"(?P<text>[^"\\]*(?:\\.[^"\\]*)*)"'
PLACE = rb"(?:AT_FDCWD|(?P<number>\d+))<(?P<place>[^>]*)>(?P<gone>\(deleted\))?"
ARGUMENT = re.compile(TEXT + rb"|" + PLACE + rb"|(?P<word>[^\s,]+)", re.DOTALL)


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
    watch = [
        STRACE,
        "-f",
        "--seccomp-bpf",
        "-y",
        "-s",
        str(LONGEST),
        "-o",
        str(log),
        "-e",
    ]
    # With a question mark: not every processor has each of them.
    watch.append("trace=" + ",".join(f"?{name}" for name in (*VERBS, *UNKNOWN.split())))
    done = subprocess.run(
        [*watch, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace")[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {said}")
    reader = Reader([os.fsencode(str(place)) for place in places])
    with log.open("rb") as stream:
        for line in stream:
            reader.read(line.rstrip(b"\n"))
    return reader.calls


class Reader:
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
        verb = VERBS.get(name)
        if verb is None:
            raise RuntimeError(f"The model knows no {name}; teach it, for {paths[0]}.")
        if verb == "open":
            yield from self._opened(paths[0], b"%d" % result, found.group("arguments"))
        elif verb == "seek":
            file = (paths[0], arguments[0].group("number"))
            if self._positions.get(file) != AT_END:
                self._positions[file] = result
        elif verb == "write":
            yield self._written(paths[0], arguments, result)
        elif verb == "cut":
            yield Call(verb, paths[0], offset=int(arguments[1].group("word")))
        else:
            yield Call(verb, paths[0], target=paths[-1], began=began)

    def _opened(self, path: str, number: bytes, flags: bytes) -> Iterator[Call]:
        """Yield what opening a file has changed; writes go on from its start or end."""
        self._positions[path, number] = AT_END if b"O_APPEND" in flags else 0
        if b"O_CREAT" in flags:
            yield Call("open", path)
        if b"O_TRUNC" in flags:
            yield Call("cut", path)

    def _written(
        self, path: str, arguments: "List[re.Match[bytes]]", size: int
    ) -> Call:
        """Return a write, at its own place or where the last one ended."""
        file = (path, arguments[0].group("number"))
        data = _unquoted(arguments[1].group("text"))[:size]
        if len(arguments) > ARGUMENTS_OF_WRITE:
            place = int(arguments[ARGUMENTS_OF_WRITE].group("word"))
            return Call("write", path, offset=place, data=data)
        offset = self._positions.get(file, 0)
        if offset != AT_END:
            self._positions[file] = offset + size
        return Call("write", path, offset=offset, data=data)

    def _is_ours(self, path: str) -> bool:
        """Tell whether a path lies below a place."""
        raw = os.fsencode(path)
        return any(
            raw == place or raw.startswith(place + b"/") for place in self._places
        )


def _paths(arguments: "List[re.Match[bytes]]", name: str) -> Iterator[str]:
    """Yield the paths that a call names, absolute; none for a file without a name."""
    folder = b"/"
    for argument in arguments:
        if argument.group("place") is not None:
            folder = argument.group("place")
            if name in BY_NUMBER:
                if not argument.group("gone"):
                    yield os.fsdecode(folder)
                return
        elif argument.group("text") is not None:
            text = _unquoted(argument.group("text"))
            yield str(Path(os.fsdecode(folder), os.fsdecode(text)))


def _unquoted(text: bytes) -> bytes:
    """Return the bytes that strace shows as a string of C, which is one of Python."""
    return bytes(ast.literal_eval('b"' + text.decode("ascii") + '"'))
