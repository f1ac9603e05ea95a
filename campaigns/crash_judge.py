"""Whether a disk after a power cut keeps what the program had promised before it."""

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from campaigns.power_cut_story import WORLD, service_of
from hardware_sim.session import simulate
from openflexure_timelapse.errors import RenderError, TimelapseError
from openflexure_timelapse.frame import Frame, Slot
from openflexure_timelapse.hosts.preferences import PREFERENCES_FILE, PreferenceFile
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.todo import runs_to_do
from openflexure_timelapse.movie.render import sweep_renders
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.schedule import Grid, grid_of
from openflexure_timelapse.store.catalogue import DELETED, list_runs
from openflexure_timelapse.store.disk import RealDisk, is_temporary
from openflexure_timelapse.store.recover import recover, repair, verify
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["Judge", "Promises", "Verdict"]

MANY = 10_000
LIVE = ("run.db", "run.db-wal", "run.db-shm", "run.db-journal", "truth.jsonl")
"""Written in place: SQLite's own, and what the simulated world tells of itself."""


class Promises:
    """What the program has promised up to some moment.

    Attributes
    ----------
    frames : dict
        SHA-256 by the path of an acknowledged frame in the data folder.
    slots : set of (run, first slot, last slot, outcome)
        Recorded outcomes.
    files : set of str
        Movies that were told to be made.
    versions : dict
        The SHA-256 of every whole content that a path had; empty when nobody knows.
    newest : dict
        The last of them.
    started, leaving, deleted : set of str
        Runs; one is leaving while it is being deleted.
    preferences : dict or None
        As last chosen.
    """

    def __init__(self) -> None:
        self.frames: Dict[str, str] = {}
        self.slots: Set[Tuple[str, int, int, str]] = set()
        self.files: Set[str] = set()
        self.versions: Dict[str, Set[str]] = {}
        self.newest: Dict[str, str] = {}
        self.started: Set[str] = set()
        self.leaving: Set[str] = set()
        self.deleted: Set[str] = set()
        self.preferences: Optional[Dict[str, Any]] = None

    def hear(self, lines: bytes) -> None:
        """Take what the program told."""
        for line in filter(None, lines.splitlines()):
            told = json.loads(line)
            run = told.get("run", "")
            if "frame" in told:
                self.frames[f"{run}/{told['frame']}"] = told["sha256"]
            elif "slots" in told:
                self.slots.update((run, *slot) for slot in told["slots"])
            elif "movie" in told:
                self.files.add(f"{run}/{told['movie']}")
            elif "started" in told:
                self.started.add(told["started"])
            elif "deleted" in told:
                self.deleted.add(told["deleted"])
            else:
                self.preferences = told["preferences"]

    def knows(self, file: str, path: Path) -> bool:
        """Tell whether a file is one that stood whole under its name, or may be."""
        if not self.versions or path.name in LIVE:
            return True
        return _sha256(path) in self.versions.get(file, ())

    def publish(self, path: str, content: bytes) -> None:
        """Take a content that stands whole under its name from now on."""
        self.newest[path] = hashlib.sha256(content).hexdigest()
        self.versions.setdefault(path, set()).add(self.newest[path])


class Verdict(NamedTuple):
    """What an image kept.

    Attributes
    ----------
    frames : int
        Acknowledged before the cut.
    lost, altered : int
        Of them.
    broken : tuple of str
        Everything that is not as promised, in sentences without a full stop.
    """

    frames: int
    lost: int
    altered: int
    broken: Tuple[str, ...]


class Judge:
    """Brings data folders back as the program does, and compares.

    Parameters
    ----------
    spare : Path
        A folder for a microscope that stands by.
    """

    def __init__(self, spare: Path) -> None:
        self._microscope, self._clock = simulate(*WORLD, None, RealClock(), spare)

    def judge(self, data: Path, promises: Promises, way: str) -> Verdict:
        """Start as after a power cut, and look for everything that was promised.

        Parameters
        ----------
        data : Path
            The data folder; is changed.
        promises : Promises
            Made before the cut.
        way : str
            ``open`` recovers every run; ``resume`` goes on to the end, movies and all;
            ``repair`` rebuilds an index that was destroyed before.
        """
        broken: List[str] = []
        try:
            self._start(data, way)
        except (TimelapseError, OSError) as exc:
            broken.append(f"{way} failed: {exc}")
        frames = {
            file: sha256
            for file, sha256 in promises.frames.items()
            if (data / _run_of(file)).exists() or _run_of(file) not in promises.leaving
        }
        lost = [file for file in frames if not (data / file).is_file()]
        altered = [
            file
            for file, sha256 in frames.items()
            if file not in lost and _sha256(data / file) != sha256
        ]
        broken += [f"{file} is lost" for file in lost]
        broken += [f"{file} is altered" for file in altered]
        broken += _wrong_runs(data, promises, way)
        broken += _wrong_files(data, promises, way)
        return Verdict(len(frames), len(lost), len(altered), tuple(broken))

    def _start(self, data: Path, way: str) -> None:
        """Do what the program does when it is started again."""
        if way == "resume":
            service = service_of(data)
            service.resume_interrupted()
            service.wait()
            for job in service.jobs()["jobs"]:
                ended = service.queue.wait(job["job"])
                if ended["state"] != "done":
                    raise RenderError(f"{ended['file']}: {ended['message']}")
        else:
            service = Service(data, self._microscope, self._clock, RealDisk())
        service.close()
        if way == "repair":
            for summary in list_runs(data):
                repair(data / summary.run_id)
        for run in runs_to_do(data):
            sweep_renders(data / run)
            with RunStore.open(data / run, RealDisk()) as store:
                recover(store)


def _wrong_runs(data: Path, promises: Promises, way: str) -> Iterator[str]:
    """Yield what is wrong with the runs."""
    there = [summary.run_id for summary in list_runs(data)]
    for run in promises.started - promises.leaving - set(there):
        yield f"the run {run} is gone"
    for run in promises.deleted & set(there):
        yield f"the deleted run {run} is back"
    for run in there:
        report = verify(data / run)
        if not report.ok:
            yield f"verify of {run}: {' '.join(report.lines())}"
            continue
        # What had been ended is not known when the index was destroyed.
        if way != "repair" and not report.ended and run not in runs_to_do(data):
            yield f"{run} has not ended and nobody would go on with it"
        with RunStore.open_read(data / run) as store:
            frames, slots = store.frames(0, MANY), store.slots(0, MANY)
            grid = grid_of(parse_plan(store.header["plan"]))
        yield from _wrong_frames(run, frames, grid, promises)
        yield from _wrong_slots(run, slots, promises, way)
        covered = [n for slot in slots for n in range(slot.first, slot.last + 1)]
        wanted = len(covered) if grid.slots is None or way != "resume" else grid.slots
        if covered != list(range(wanted)):
            yield f"the slots with an outcome are {covered}"


def _wrong_frames(
    run: str, frames: Sequence[Frame], grid: Grid, promises: Promises
) -> Iterator[str]:
    """Yield what is wrong with the frames that a run lists."""
    listed = {f"{run}/{frame.file}": frame.sha256 for frame in frames}
    for file, sha256 in promises.frames.items():
        if _run_of(file) == run and listed.get(file) != sha256:
            yield f"{file} is not listed as it was acknowledged"
    for frame in frames:
        if frame.draft.due_ns != grid.due_ns(frame.draft.slot):
            yield f"{frame.file} left the grid: it was due at {frame.draft.due_ns} ns"


def _wrong_slots(
    run: str, slots: Sequence[Slot], promises: Promises, way: str
) -> Iterator[str]:
    """Yield what is wrong with the outcomes of a run."""
    kept = {(run, slot.first, slot.last, slot.outcome.value) for slot in slots}
    for lost in promises.slots - kept:
        # An index that was destroyed takes them with it; the frames tell new ones.
        if lost[0] == run and way != "repair":
            yield f"the outcome {lost[1:]} is gone"


def _wrong_files(data: Path, promises: Promises, way: str) -> Iterator[str]:
    """Yield what is wrong with the other files."""
    for file in promises.files:
        if not (data / file).is_file() and _run_of(file) not in promises.leaving:
            yield f"the movie {file} is lost"
    for path in sorted(data.rglob("*")):
        file = str(path.relative_to(data))
        if is_temporary(path.name) or path.name.startswith(DELETED):
            yield f"{file} is left over"
        elif way == "open" and path.is_file() and not promises.knows(file, path):
            yield f"{file} is not whole"
    if promises.preferences is not None:
        yield from _wrong_preferences(data, promises)


def _wrong_preferences(data: Path, promises: Promises) -> Iterator[str]:
    """Yield what is wrong with the user's choices; newer ones may be there already."""
    try:
        chosen = PreferenceFile(data, RealDisk()).read().to_json()
        newest = _sha256(data / PREFERENCES_FILE)
    except (TimelapseError, OSError) as exc:
        yield f"preferences: {exc}"
        return
    if promises.preferences != chosen and newest != promises.newest[PREFERENCES_FILE]:
        yield f"the preferences are {chosen}"


def _run_of(file: str) -> str:
    """Return the run of a path in the data folder."""
    return file.split("/", 1)[0]


def _sha256(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
