"""The attacks on ways that people use today, and on ours beside them.

All ways record at the same time, each from a camera of the same kind, and are attacked
at the same moment. A frame is lost when its program had told that it was taken, and an
independent reader cannot read it afterwards.
"""

import contextlib
import threading
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Tuple

from campaigns.findings import Cell, Findings, Table
from campaigns.rival_disks import Place, SmallDisk, refusal
from campaigns.rival_recording import Recording, find_reader, found
from campaigns.rival_ways import OURS, WAYS
from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.frame import Outcome
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify

__all__ = [
    "ATTACKS",
    "PACE",
    "TRIALS",
    "Field",
    "Pace",
    "Tally",
    "Told",
    "attack",
    "tried",
]

TRIALS = 10
KILL, FULL, CUT = "kill -9", "full disk", "power cut"
COLUMNS = (
    "attack",
    "way",
    "trials",
    "frames reported",
    "lost",
    "most lost at once",
    "damaged files that look whole",
    "goes on",
)
MOST_SLOTS = 100_000
Span = Tuple[float, float]
Lines = Mapping[str, List[str]]


@dataclass(frozen=True)
class Pace:
    """How long things take, in seconds: each time is drawn from a pair."""

    before_kill: Span = (5.0, 60.0)
    before_full: Span = (4.0, 8.0)
    full: Span = (30.0, 60.0)
    after_full: Span = (8.0, 8.0)
    before_cut: Span = (10.0, 40.0)
    again: Span = (2.0, 2.0)


PACE = Pace()


@dataclass
class Tally:
    """What became of one way under one attack.

    Attributes
    ----------
    reported, lost, most_lost : int
        Frames; the last in one trial.
    damaged : int
        Files under their final name that the reader refuses, or complains of.
    went_on : int
        Trials after which new frames came.
    missed : int
        Time points that it recorded as missed, with the reason.
    broken : list of str
        Promises that fell; only ours promises.
    """

    reported: int = 0
    lost: int = 0
    most_lost: int = 0
    damaged: int = 0
    went_on: int = 0
    missed: int = 0
    broken: List[str] = field(default_factory=list)

    def cells(self, trials: int) -> Tuple[Cell, ...]:
        """Return the figures of a row."""
        counts = (self.reported, self.lost, self.most_lost, self.damaged)
        return (*counts, f"{self.went_on} of {trials}")


class Told(NamedTuple):
    """What the ways had told, by their names.

    Attributes
    ----------
    before : mapping
        When they were attacked.
    counted : mapping
        When what counts had been told.
    """

    before: Lines
    counted: Lines


class Field:
    """All ways at work, each in a place of its own.

    Parameters
    ----------
    places : mapping of str to place
        By the way.
    chance : Random
        Draws the moments.
    """

    def __init__(self, places: Mapping[str, Place], chance: Random) -> None:
        self.disks = [item for item in places.values() if isinstance(item, SmallDisk)]
        self.recordings = [Recording(way, item.folder) for way, item in places.items()]
        self._chance = chance

    def each(self, act: Callable[[Recording], None]) -> None:
        """Do something to every way, as good as at once."""
        for recording in self.recordings:
            act(recording)

    def start(self) -> None:
        """Start all, and wait until each has told of a frame, or has ended."""
        self.each(Recording.start)
        self.each(Recording.wait_for_news)

    def record(self, span: Span) -> None:
        """Let them record for a time that is drawn."""
        threading.Event().wait(self._chance.uniform(*span))

    def told(self) -> Lines:
        """Return what each way has told by now."""
        return {recording.way: list(recording.told) for recording in self.recordings}

    def start_again(self) -> None:
        """Start all once more, as a service would, and end them soon."""
        self.start()
        self.record(PACE.again)
        self.each(Recording.end)


# ------------------------------------------------------------------------ the attacks


def _kill(ways: Field) -> Told:
    """Kill -9 every process of each way."""
    ways.start()
    ways.record(PACE.before_kill)
    ways.each(Recording.kill)
    told = ways.told()
    ways.start_again()
    return Told(told, told)


def _fill(ways: Field) -> Told:
    """Take all space for a while; nobody starts anything again."""
    ways.start()
    ways.record(PACE.before_full)
    before = ways.told()
    for disk in ways.disks:
        disk.fill()
    ways.record(PACE.full)
    for disk in ways.disks:
        disk.free()
    ways.record(PACE.after_full)
    ways.each(Recording.end)
    return Told(before, ways.told())


def _cut(ways: Field) -> Told:
    """Cut the power of all disks and programs, and start the computer again."""
    ways.start()
    ways.record(PACE.before_cut)
    ways.each(Recording.freeze)
    for disk in ways.disks:
        disk.cut_power()
    ways.each(Recording.kill)
    told = ways.told()
    for disk in ways.disks:
        disk.switch_on()
    ways.start_again()
    return Told(told, told)


ATTACKS: Mapping[str, Callable[[Field], Told]] = {KILL: _kill, FULL: _fill, CUT: _cut}


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Kill, fill up and cut off all ways of recording, so many times each.

    Parameters
    ----------
    trials : int
        Of each attack.
    seed : int
        Of the moments.
    work : Path
        An empty folder.
    """
    if not find_reader():
        return Findings((), notes=("Not covered here: ffprobe is not installed.",))
    refused = refusal(work / "probe")
    rows: List[Tuple[Cell, ...]] = []
    broken: List[str] = []
    missed = 0
    for name in [KILL] if refused else ATTACKS:
        for way, tally in tried(name, trials, seed, work).items():
            rows.append((name, way, trials, *tally.cells(trials)))
            broken += tally.broken
            missed += tally.missed
    told = f"{OURS} recorded {missed} time points as missed, each with its reason; "
    notes = [told + "the others record none of those that they miss."]
    if refused:
        notes.append(f"Not covered here: {FULL} and {CUT}, since {refused}.")
    return Findings((Table(COLUMNS, tuple(rows)),), tuple(broken), tuple(notes))


def tried(name: str, trials: int, seed: int, work: Path) -> Dict[str, Tally]:
    """Return what became of each way under one attack.

    Parameters
    ----------
    name : str
        Of `ATTACKS`.
    trials, seed, work
        As for `attack`.
    """
    tallies = {way: Tally() for way in WAYS}
    for number in range(trials):
        moment = f"{name}, trial {number} of seed {seed}"
        place = work / f"{name} {number}"
        with _places(place, on_disks=name != KILL) as places:
            ways = Field(places, Random(moment))
            try:
                told = ATTACKS[name](ways)
            finally:
                ways.each(Recording.kill)
            for recording in ways.recordings:
                _judge(recording, told, tallies[recording.way], moment)
    return tallies


@contextlib.contextmanager
def _places(place: Path, *, on_disks: bool) -> Iterator[Dict[str, Place]]:
    """Make a place for each way."""
    place.mkdir()
    kind: Callable[[Path], Place] = SmallDisk if on_disks else Place
    with contextlib.ExitStack() as stack:
        yield {
            way: stack.enter_context(kind(place / str(number)))
            for number, way in enumerate(WAYS)
        }


# ----------------------------------------------------------------------- what remains


def _judge(recording: Recording, told: Told, tally: Tally, moment: str) -> None:
    """Look for all that one way had told, and add it up."""
    way = recording.way
    before, counted = told.before[way], told.counted[way]
    remains = found(recording.folder)
    lost = remains.lost(counted)
    went_on = remains.has_new(before, recording.told)
    tally.reported += len(counted)
    tally.lost += lost
    tally.most_lost = max(tally.most_lost, lost)
    tally.damaged += remains.damaged
    tally.went_on += went_on
    if way != OURS:
        return
    fallen = [f"lost {lost} of {len(counted)} frames"] if lost else []
    fallen += [f"left {remains.damaged} broken files"] if remains.damaged else []
    fallen += [] if went_on else ["did not go on"]
    try:
        tally.missed += _missed(recording.folder, fallen)
    except (TimelapseError, ValueError) as exc:
        fallen.append(f"left no run that can be read ({exc})")
    tally.broken += [f"{OURS} {sentence}: {moment}." for sentence in fallen]


def _missed(folder: Path, fallen: List[str]) -> int:
    """Return how many time points the only run misses with a reason; tell what fell."""
    (run,) = (path.parent for path in folder.glob("*/run.json"))
    report = verify(run)
    if not report.ok:
        fallen.append(f"left what verify complains of ({' '.join(report.lines())})")
    with RunStore.open_read(run) as store:
        slots = store.slots(0, MOST_SLOTS)
    gaps = [slot for slot in slots if slot.outcome in (Outcome.SKIPPED, Outcome.FAILED)]
    if any(slot.reason is None for slot in gaps):
        fallen.append("recorded a missed time point without its reason")
    return sum(slot.last - slot.first + 1 for slot in gaps)
