"""What a process holds while it works, and how much SQLite does for an answer."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence
from unittest import mock

from openflexure_timelapse.store import database

__all__ = ["Holding", "Steps", "counting_steps", "growth", "holding"]

STEPS_EACH = 100


@dataclass(frozen=True)
class Holding:
    """One look at a process.

    Attributes
    ----------
    at : int
        How much of the work was done.
    rss_kb, descriptors, threads : int
        Resident memory, open files, threads.
    wal_kb : int
        The size of SQLite's write-ahead file.
    """

    at: int
    rss_kb: int
    descriptors: int
    threads: int
    wal_kb: int


def holding(at: int, pid: int, run: Path) -> Holding:
    """Look at a process that writes a run."""
    place = Path("/proc", str(pid))
    told = dict(
        line.split(":", 1)
        for line in (place / "status").read_text("ascii", "replace").splitlines()
        if ":" in line
    )
    wal_bytes = 0
    with contextlib.suppress(FileNotFoundError):  # before the first write
        wal_bytes = (run / "run.db-wal").stat().st_size
    return Holding(
        at,
        int(told["VmRSS"].split()[0]),
        sum(1 for _ in (place / "fd").iterdir()),
        int(told["Threads"]),
        wal_bytes // 1024,
    )


def growth(looks: Sequence[Holding], name: str) -> float:
    """Return by how much something grows for 10,000 pieces of work.

    The slope of the straight line through all looks.
    """
    values = [float(getattr(look, name)) for look in looks]
    places = [look.at / 10_000 for look in looks]
    middle = sum(places) / len(places)
    mean = sum(values) / len(values)
    spread = sum((place - middle) ** 2 for place in places)
    if not spread:
        return 0.0
    pairs = zip(places, values)
    return sum((place - middle) * (value - mean) for place, value in pairs) / spread


class Steps:
    """How many steps SQLite's readers have taken, in hundreds of them.

    Attributes
    ----------
    taken : int
        Since the last `clear`.
    """

    def __init__(self) -> None:
        self.taken = 0

    def clear(self) -> None:
        """Begin to count anew."""
        self.taken = 0

    def count(self) -> int:
        """Count a hundred; what SQLite calls."""
        self.taken += STEPS_EACH
        return 0


@contextlib.contextmanager
def counting_steps() -> Iterator[Steps]:
    """Count what all readers do that are opened within the block."""
    steps = Steps()
    real = database.connect_reader

    def watched(path: Path) -> sqlite3.Connection:
        connection = real(path)
        connection.set_progress_handler(steps.count, STEPS_EACH)
        return connection

    with mock.patch.object(database, "connect_reader", watched):
        yield steps
