"""Dying at a write: a process that kills itself at one boundary of what it does.

A boundary is the instant after anything that changes names, flushes or commits, which
is the one before the next; inside of a write the file is torn, and inside of a
transaction the rows are there and not committed.
"""

import io
import mmap
import os
import signal
import struct
import sys
from inspect import getattr_static
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Tuple

from campaigns.kill_lives import forked
from openflexure_timelapse.store import index
from openflexure_timelapse.store.index import Index

__all__ = ["Boundaries", "killed_at"]

NUMBER = struct.Struct("q")
NEVER = 2**62

Job = Callable[[int], Any]


class Boundaries:
    """Counts the boundaries that a process passes, and ends it at one of them.

    Parameters
    ----------
    die_at : int or None
        The number of the boundary that kills, from 0 on; None for none.
    """

    def __init__(self, die_at: Optional[int] = None) -> None:
        self._shared = mmap.mmap(-1, NUMBER.size)
        self._die_at = NEVER if die_at is None else die_at

    @property
    def passed(self) -> int:
        """How many were passed; also told of a child that is dead."""
        return int(NUMBER.unpack(self._shared[:])[0])

    def within(self, job: Job) -> Job:
        """Return the job with its boundaries watched; to be done in a child."""

        def watched(writer: int) -> None:
            self._watch()
            job(writer)

        return watched

    def cross(self, last_act: Callable[[], Any] = lambda: None) -> None:
        """Pass one boundary, or do one more thing and die there."""
        if self.passed >= self._die_at:
            last_act()
            os.kill(os.getpid(), signal.SIGKILL)
        self._shared[:] = NUMBER.pack(self.passed + 1)

    def _watch(self) -> None:
        """Put a boundary after everything that writes; for good."""
        for owner, name in _places():
            self._put_after(owner, name)
        self._tear()

    def _put_after(self, owner: Any, name: str) -> None:
        """Put a boundary after each call of one function."""
        real = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            self.cross()
            return result

        is_bound = isinstance(getattr_static(owner, name), classmethod)
        setattr(owner, name, staticmethod(watched) if is_bound else watched)

    def _tear(self) -> None:
        """Put a boundary into the middle of each write of a durable file."""
        open_path, boundaries = Path.open, self

        class TornFile(io.FileIO):
            def write(self, data: Any) -> int:
                half = memoryview(data)[: len(data) // 2]
                boundaries.cross(lambda: io.FileIO.write(self, half))
                return super().write(data)

        def opened(path: Path, mode: str = "r", buffering: int = -1, **how: Any) -> Any:
            if (mode, buffering) == ("xb", 0):
                return TornFile(str(path), mode)
            return open_path(path, mode, buffering, **how)

        setattr(Path, "open", opened)  # noqa: B010 - mypy knows it for a method


def _places() -> Iterator[Tuple[Any, str]]:
    """Yield the functions that write, where this Python calls them."""
    for name in ("fsync", "unlink", "rmdir"):
        yield os, name
    # Until Python 3.10 pathlib keeps functions of its own.
    old = sys.version_info < (3, 11)
    for name in ("mkdir", "rename", "replace"):
        yield (Path if old else os), name
    if old:
        yield Path, "unlink"
    for name in ("create", "write", "close"):
        yield Index, name
    for name in ("_add_frames", "_add_slot"):
        yield index, name


def killed_at(number: int, job: Callable[[], Any], log: Path) -> bool:
    """Do a job in a child that dies at a boundary; tell whether it came so far.

    Raises
    ------
    RuntimeError
        When the job failed.
    """
    child = forked(Boundaries(number).within(lambda _writer: job()), log)
    status = child.end()
    if status not in (0, signal.SIGKILL):
        raise RuntimeError(log.read_text("utf-8", "replace"))
    return status == signal.SIGKILL
