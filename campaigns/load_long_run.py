"""One run of very many frames: every answer, and the way back, costs as for ten."""

import errno
import os
import shutil
import statistics
import threading
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from campaigns.findings import Cell, Findings, Table
from campaigns.load_endurance import SmallMicroscope
from campaigns.load_meter import Steps, counting_steps
from hardware_sim.clock import ScaledClock
from openflexure_timelapse.frame import Frame, Outcome, Slot, Visit
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.layout import INDEX_FILE, frame_file
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["stay_flat"]

NS_PER_S = 1_000_000_000
PLAN: Dict[str, Any] = {
    "name": "long",
    "interval_s": 1,
    "settle_s": 0,
    "keep_free_mb": 0,
    "movie": None,
}
AFTER_NS = 60 * NS_PER_S
"""A pause between the end of the run so far and its resume."""
FASTER = 20.0
SHORT = 10
MIDDLE = 10_000
BATCH = 5000
CALLS = 30
RESUMES = 3
PATIENCE_S = 600.0
DROP_CACHES = Path("/proc/sys/vm/drop_caches")
MOST_MORE_STEPS = 600_000
"""Of a timeline or a curve: as many rows as make up its bins, whatever the run."""


@dataclass(frozen=True)
class Way:
    """A way back to a run that was interrupted.

    Attributes
    ----------
    seconds : float
        From the call until the engine has taken the run up.
    steps : int
        Of SQLite's readers.
    """

    seconds: float
    steps: int


class Resumed:
    """An observer that waits for the moment at which a run goes on."""

    def __init__(self) -> None:
        self.is_on = threading.Event()

    def notice(self, kind: str, details: Mapping[str, Any]) -> None:  # noqa: ARG002 (the port's)
        """Take note."""
        if kind == "resumed":
            self.is_on.set()


def stay_flat(frames: int, work: Path) -> Findings:
    """Compare a run of so many frames with short ones.

    Parameters
    ----------
    frames : int
        Of the longest run.
    work : Path
        An empty folder.
    """
    lengths = (SHORT, min(MIDDLE, max(SHORT, frames // 10)), frames)
    times: List[Dict[str, float]] = []
    steps: List[Dict[str, int]] = []
    ways: List[Dict[str, List[Way]]] = []
    with counting_steps() as meter:
        for length in lengths:
            data = work / f"of-{length}"
            run_id, wall_ns = begin(data, length)
            found = _verbs(data, run_id, length, meter)
            times.append({name: each[0] for name, each in found.items()})
            steps.append({name: each[1] for name, each in found.items()})
            ways.append(_ways_back(data, wall_ns, meter))
            shutil.rmtree(str(data))
    broken = [*_steps_fell(lengths, steps), *_ways_fell(lengths, ways)]
    return Findings(
        (_verb_table(lengths, times, steps), _way_table(lengths, ways)),
        tuple(broken),
        (NOTE.format(calls=CALLS, resumes=RESUMES),),
    )


NOTE = (
    "A long run: medians of {calls} calls, each of which opens the run anew, as a "
    "request does; steps are those of SQLite's machine, which no load of the computer "
    "changes. Ten frames fill no page of a hundred. The way back is measured {resumes} "
    "times each, from the call until the engine has taken the run up; the worst is "
    "shown. Rows were written by the store in batches; the files are hard links of one "
    "frame, since the way back reads none of them. *Cold* is after the kernel was told "
    "to forget its caches, where that is permitted."
)


# ------------------------------------------------------------------------------ a run


def begin(data: Path, frames: int) -> Tuple[str, int]:
    """Record a run for a moment, then fill it up; return its id and its last time."""
    clock = ScaledClock(FASTER, RealClock())
    service = Service(data, SmallMicroscope(), clock, RealDisk())
    run_id = str(service.start(PLAN)["run"])
    while not (service.status()["last_frame"] or {}):
        service.wait(0.01)
    service.close()
    folder = data / run_id
    with RunStore.open_read(folder) as store:
        first, next_slot = store.frame(1), store.totals().next_slot
        n = store.totals().frames
    with closing(Index(folder / INDEX_FILE, writable=True)) as index:
        for slots in _batches(next_slot, frames - n + next_slot):
            shift = n + 1 - slots.start
            made = [_frame(first, slot, slot + shift) for slot in slots]
            index.write(
                frames=made,
                visits=[_visit(first, slot) for slot in slots],
                slots=[Slot(s, s, Outcome.CAPTURED, None, "", s % 97) for s in slots],
            )
            n += len(slots)
            _link(folder, first, made)
    with RunStore.open_read(folder) as store:
        last = store.last_frame()
    return run_id, (first if last is None else last).draft.wall_ns


def _batches(first: int, end: int) -> Iterator[range]:
    """Yield the slots that are missing, some at a time."""
    for start in range(first, end, BATCH):
        yield range(start, min(start + BATCH, end))


def _frame(first: Frame, slot: int, n: int) -> Frame:
    """Return a later frame like the first one."""
    later_ns = (slot - first.draft.slot) * NS_PER_S
    draft = replace(
        first.draft,
        slot=slot,
        due_ns=first.draft.due_ns + later_ns,
        elapsed_ns=first.draft.elapsed_ns + later_ns,
        wall_ns=first.draft.wall_ns + later_ns,
    )
    return replace(first, n=n, file=frame_file(draft.position, slot, 0), draft=draft)


def _visit(first: Frame, slot: int) -> Visit:
    """Return a visit that went well."""
    position, late_ns = first.draft.position, slot % 97
    captured = Outcome.CAPTURED
    return Visit(slot, position, captured, None, "", late_ns, 1, 0, None, None)


def _link(folder: Path, first: Frame, made: List[Frame]) -> None:
    """Give frames their files: links of one, as many as the file system permits."""
    source = str(folder / first.file)
    for frame in made:
        target = str(folder / frame.file)
        try:
            os.link(source, target)
        except OSError as exc:
            if exc.errno != errno.EMLINK:
                raise
            copy = shutil.copyfile(source, f"{source}.copy")
            Path(copy).replace(source)
            os.link(source, target)


# -------------------------------------------------------------------------- the verbs


def _verbs(
    data: Path, run_id: str, frames: int, meter: Steps
) -> Dict[str, Tuple[float, int]]:
    """Return milliseconds and steps of each verb."""
    service = Service(data, SmallMicroscope(), RealClock(), RealDisk())
    library, look, middle = service.library, service.overview, frames // 2
    calls: Dict[str, Callable[[], Any]] = {
        "status": service.status,
        "runs": service.runs,
        "run": lambda: library.run(run_id),
        "frames, from the middle": lambda: library.frames(run_id, middle, 100),
        "slots, from the middle": lambda: library.slots(run_id, middle, 100),
        "visits, from the middle": lambda: look.visits(run_id, middle, 100),
        "frame": lambda: library.frame(run_id, middle),
        "latest": lambda: library.latest(run_id),
        "positions": lambda: look.positions(run_id),
        "timeline": lambda: look.timeline(run_id, 200),
        "series, lateness": lambda: look.series(run_id, "lateness", 200),
        "series, focus": lambda: look.series(run_id, "focus", 200),
        "estimate": lambda: service.estimate(PLAN),
    }
    found = {name: _measured(call, meter) for name, call in calls.items()}
    service.close()
    return found


def _measured(call: Callable[[], Any], meter: Steps) -> Tuple[float, int]:
    """Return the median time of a call in milliseconds, and its steps."""
    meter.clear()
    call()
    steps, times = meter.taken, []
    for _ in range(CALLS):
        began_s = time.perf_counter()
        call()
        times.append((time.perf_counter() - began_s) * 1000)
    return statistics.median(times), steps


# ------------------------------------------------------------------------ the way back


def _ways_back(data: Path, wall_ns: int, meter: Steps) -> Dict[str, List[Way]]:
    """Resume a run again and again, with cold and with warm caches."""
    ways: Dict[str, List[Way]] = {"cold": [], "warm": []}
    for _ in range(RESUMES):
        for caches, found in ways.items():
            if caches == "cold" and not forget():
                continue
            wall_ns += AFTER_NS
            found.append(_way_back(data, wall_ns, meter))
    return ways


def forget() -> bool:
    """Have the kernel forget what it has read; False where that is not permitted."""
    os.sync()
    try:
        DROP_CACHES.write_text("3", "ascii")
    except OSError:
        return False
    return True


def _way_back(data: Path, wall_ns: int, meter: Steps) -> Way:
    """Resume the interrupted run in a data folder, and leave it again."""
    resumed = Resumed()
    clock = ScaledClock(1.0, RealClock(), start_wall_ns=wall_ns)
    service = Service(data, SmallMicroscope(), clock, RealDisk(), [resumed])
    meter.clear()
    began_s = time.perf_counter()
    run_id: Optional[str] = service.resume_interrupted()
    if run_id is None or not resumed.is_on.wait(PATIENCE_S):
        raise TimeoutError(f"No run in {data} goes on.")
    way = Way(time.perf_counter() - began_s, meter.taken)
    service.close()
    return way


# ------------------------------------------------------------------------- what is told


def _verb_table(
    lengths: Tuple[int, ...],
    times: List[Dict[str, float]],
    steps: List[Dict[str, int]],
) -> Table:
    """Return the table of the verbs."""
    told = [f"{length:,}".replace(",", " ") for length in lengths]
    columns = (
        "verb",
        *(f"ms, {each} frames" for each in told),
        *(f"steps, {each}" for each in told),
    )
    rows: List[Tuple[Cell, ...]] = [
        (
            name,
            *(f"{found[name]:.2f}" for found in times),
            *(found[name] for found in steps),
        )
        for name in times[0]
    ]
    return Table(columns, tuple(rows))


def _way_table(lengths: Tuple[int, ...], ways: List[Dict[str, List[Way]]]) -> Table:
    """Return the table of the ways back."""
    rows: List[Tuple[Cell, ...]] = []
    for length, found in zip(lengths, ways):
        worst = [
            f"{max(way.seconds for way in found[caches]):.3f}"
            if found[caches]
            else "not permitted here"
            for caches in ("cold", "warm")
        ]
        rows.append((length, *worst, max(way.steps for way in found["warm"])))
    columns = ("frames", "the way back, s, cold", "warm", "steps of SQLite")
    return Table(columns, tuple(rows))


def _steps_fell(lengths: Tuple[int, ...], steps: List[Dict[str, int]]) -> List[str]:
    """Return a sentence for each verb that walks the run."""
    _, middle, longest = steps
    return [
        f"{name} takes {longest[name]} steps for {lengths[2]} frames, and "
        f"{middle[name]} for {lengths[1]}."
        for name in middle
        if longest[name] > 2 * middle[name] + MOST_MORE_STEPS
    ]


def _ways_fell(lengths: Tuple[int, ...], ways: List[Dict[str, List[Way]]]) -> List[str]:
    """Return a sentence when the way back walks the run."""
    _, middle, longest = ([way.steps for way in found["warm"]] for found in ways)
    if max(longest) <= 2 * max(middle) + 1000:
        return []
    told = f"The way back takes {max(longest)} steps for {lengths[2]} frames, and "
    return [told + f"{max(middle)} for {lengths[1]}."]
