"""Very many runs in one data folder: what is asked of one does not open the others."""

import contextlib
import json
import shutil
import statistics
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple
from unittest import mock

from campaigns.findings import Findings, Table
from campaigns.load_endurance import SmallMicroscope
from campaigns.load_long_run import PLAN, begin
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.todo import TODO_FILE, interrupted_run
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["list_many"]

FEW = 10
FRAMES = 3
CALLS = 20
PAGE = 50
MOST_MORE_OPENED = PAGE - FEW
"""Ten runs do not fill a page."""


def list_many(runs: int, work: Path) -> Findings:
    """Compare a data folder with so many runs with one of ten.

    Parameters
    ----------
    runs : int
        In the larger folder.
    work : Path
        An empty folder.
    """
    found: List[Dict[str, Tuple[float, int]]] = []
    for count in (FEW, runs):
        data = work / f"{count}-runs"
        fill(data, count)
        found.append(_measured(data))
        shutil.rmtree(str(data))
    few, many = found
    rows = tuple(
        (name, f"{few[name][0]:.2f}", f"{many[name][0]:.2f}", few[name][1], opened)
        for name, (_, opened) in many.items()
    )
    columns = ("what", f"ms, {FEW} runs", f"ms, {runs} runs")
    opened = (f"runs opened, of {FEW}", f"of {runs}")
    broken = [
        f"{name} opens {many[name][1]} of {runs} runs, and {few[name][1]} of {FEW}."
        for name in many
        if many[name][1] > few[name][1] + MOST_MORE_OPENED
    ]
    note = (
        f"Many runs: medians of {CALLS} calls. A list has pages of {PAGE} runs. The "
        "names in the data folder are read and sorted for each list; no more grows."
    )
    return Findings((Table((*columns, *opened), rows),), tuple(broken), (note,))


def fill(data: Path, runs: int) -> None:
    """Record one run, and put copies of it beside it; the last one was interrupted."""
    first, _ = begin(data, FRAMES)
    header = json.loads((data / first / "run.json").read_text("utf-8"))
    for number in range(runs - 1):
        copy = data / f"2026-01-01_{number:06d}_copy"
        shutil.copytree(str(data / first), str(copy))
        text = json.dumps({**header, "id": copy.name})
        (copy / "run.json").write_text(text, "utf-8")


def _measured(data: Path) -> Dict[str, Tuple[float, int]]:
    """Return milliseconds, and how many runs are opened, for each question."""
    service = _service(data)
    oldest = "2026-01-01_000030_copy"
    calls: Dict[str, Callable[[], Any]] = {
        "start of a server": lambda: _service(data).close(),
        "status": service.status,
        "estimate": lambda: service.estimate(PLAN),
        "which run waits": lambda: interrupted_run(data),
        "first page of runs": service.runs,
        "a page in the middle": lambda: service.runs(after=oldest),
        "newest frame": service.latest,
        "start of a run": lambda: _started(data),
    }
    found = {}
    for name, call in calls.items():
        with _counting() as opened:
            call()
        times = []
        for _ in range(CALLS):
            began_s = time.perf_counter()
            call()
            times.append((time.perf_counter() - began_s) * 1000)
        found[name] = (statistics.median(times), len(opened))
    service.close()
    return found


def _service(data: Path) -> Service:
    """Return what a server makes when it starts."""
    return Service(data, SmallMicroscope(), RealClock(), RealDisk())


def _started(data: Path) -> None:
    """Start a run as if none waited, leave it, and remove it."""
    kept = (data / TODO_FILE).read_bytes()
    (data / TODO_FILE).unlink()
    service = _service(data)
    try:
        run_id = service.start({**PLAN, "start_in_s": 3600})["run"]
    finally:
        service.close()
    shutil.rmtree(str(data / run_id))
    (data / TODO_FILE).write_bytes(kept)


@contextlib.contextmanager
def _counting() -> Iterator[List[Path]]:
    """Take note of each run that is opened for reading."""
    opened: List[Path] = []
    real = RunStore.open_read

    def watched(folder: Any) -> RunStore:
        opened.append(Path(folder))
        return real(folder)

    with mock.patch.object(RunStore, "open_read", watched):
        yield opened
