"""Many slots, long runs, many runs, many clients, movies beside: nothing is lost."""

import contextlib
import tempfile
from pathlib import Path
from typing import Iterator, List

from campaigns.findings import Findings
from campaigns.load_endurance import endure
from campaigns.load_long_run import stay_flat
from campaigns.load_many_runs import list_many
from campaigns.load_server import beside_load, can_serve

__all__ = ["TRIALS", "attack"]

TRIALS = 100_000
"""Slots of the endurance run; all other sizes follow."""
FRAMES_PER_TRIAL = 10
TRIALS_PER_RUN = 100
SECONDS_PER_TRIAL = 0.0054
FEWEST_RUNS = 20
SHORTEST_S = 30.0
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of its own is made in it)


def attack(trials: int, seed: int, work: Path) -> Findings:  # noqa: ARG001 (nothing is drawn)
    """Load everything, one after the other.

    Parameters
    ----------
    trials : int
        Slots of the endurance run. The long run has ten times as many frames, the data
        folder a hundredth as many runs, and the server records for 5.4 ms for each.
    seed : int
        Nothing is drawn by lot.
    work : Path
        An empty folder on the device to attack.
    """
    # First, since only this part asks for a machine that does nothing else.
    beside = _beside(SECONDS_PER_TRIAL * trials, work)
    with _in_memory(work) as memory:
        parts = [endure(trials, memory)]
    parts.append(stay_flat(FRAMES_PER_TRIAL * trials, _new(work / "long")))
    runs = max(FEWEST_RUNS, trials // TRIALS_PER_RUN)
    parts += [list_many(runs, _new(work / "many")), beside]
    return Findings(
        tuple(table for part in parts for table in part.tables),
        tuple(sentence for part in parts for sentence in part.broken),
        tuple(note for part in parts for note in part.notes),
    )


def _beside(seconds: float, work: Path) -> Findings:
    """Load a server, where there can be one and there is time for it."""
    untried: List[str] = []
    if not can_serve():
        untried.append("the library of server v3 is not installed")
    if seconds < SHORTEST_S:
        untried.append(f"{seconds:.0f} s are too short for it")
    if untried:
        note = f"Clients and movies beside a server: not tried, {untried[0]}."
        return Findings((), notes=(note,))
    return beside_load(seconds, _new(work / "server"))


def _new(folder: Path) -> Path:
    """Make a folder."""
    folder.mkdir()
    return folder


@contextlib.contextmanager
def _in_memory(work: Path) -> Iterator[Path]:
    """Have a folder in memory; in the given one where the machine has no such."""
    place = MEMORY if MEMORY.is_dir() else work
    with tempfile.TemporaryDirectory(dir=str(place), prefix="load-") as name:
        yield Path(name)
