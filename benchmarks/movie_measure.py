"""What the benchmarks of movies share: running, watching, comparing, printing."""

import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.render import MovieContext, MovieFrame, RenderJob
from openflexure_timelapse.recipe import Recipe

Pixels = NDArray[np.uint8]

INTERVAL_NS = 30_000_000_000
SAMPLE_S = 0.04
MEGA = 1_000_000
BARE = {"timestamp": False, "elapsed_time": False, "scale_bar": False}


@dataclass
class Measured:
    """One run of one way."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    file_mb: float


class Way(NamedTuple):
    """One way to make a file."""

    run: Callable[[], None]
    out: Path


def measure(way: Way) -> Measured:
    """Run something and watch its child processes."""
    done = threading.Event()
    peak = [0.0]

    def watch() -> None:
        while not done.wait(SAMPLE_S):
            peak[0] = max(peak[0], children_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun, used = time.perf_counter(), children_cpu_s()
    try:
        way.run()
    finally:
        wall = time.perf_counter() - begun
        done.set()
        watcher.join()
    cpu = children_cpu_s() - used
    return Measured(wall, cpu, peak[0], way.out.stat().st_size / MEGA)


def children_cpu_s() -> float:
    """Return the processor time of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def children_mb() -> float:
    """Return the resident size of all descendants of this process."""
    parents: Dict[int, int] = {}
    sizes: Dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            after_name = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        parents[int(entry.name)] = int(after_name[1])
        sizes[int(entry.name)] = int(after_name[21]) * os.sysconf("SC_PAGESIZE")
    return (
        sum(size for pid, size in sizes.items() if _is_descendant(pid, parents)) / MEGA
    )


def _is_descendant(pid: int, parents: Dict[int, int]) -> bool:
    """Tell whether a process was started, directly or not, by this one."""
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False


def ours(paths: Sequence[Path], out: Path, **recipe: object) -> None:
    """Render with our own job."""
    frames = (
        MovieFrame(str(path), slot, slot * INTERVAL_NS, slot * INTERVAL_NS, 0)
        for slot, path in enumerate(paths)
    )
    context = MovieContext(INTERVAL_NS, INTERVAL_NS, 0.21, "here", len(paths))
    job = RenderJob(frames, len(paths), Recipe(**recipe), context, str(out))
    job.start()
    ended = job.wait()
    if ended.state != "done":
        raise SystemExit(ended.message)


def command(*arguments: str) -> None:
    """Run a program at the priority of our own process."""
    subprocess.run(["nice", "-n", "10", *arguments], check=True)  # noqa: S607


def rounds(ways: Dict[str, Way], count: int) -> Dict[str, Measured]:
    """Run every way `count` times, interleaved; return the medians.

    Every other round runs backwards: a computer that has just worked hard is slower,
    and no way may always be the one that follows the hardest work.
    """
    seen: Dict[str, List[Measured]] = {name: [] for name in ways}
    for turn in range(count):
        order = list(ways.items())
        for name, way in order if turn % 2 == 0 else reversed(order):
            print(f"round {turn + 1}: {name}", file=sys.stderr)
            seen[name].append(measure(way))
    return {
        name: Measured(
            statistics.median(one.wall_s for one in all_),
            statistics.median(one.cpu_s for one in all_),
            statistics.median(one.peak_mb for one in all_),
            all_[-1].file_mb,
        )
        for name, all_ in seen.items()
    }


def table(title: str, *columns: str) -> None:
    """Print the head of a table."""
    print(f"\n{title}\n\n| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")


def row(*cells: str) -> None:
    """Print one row."""
    print(f"| {' | '.join(cells)} |", flush=True)


def ssim(one: Pixels, other: Pixels) -> float:
    """Return the structural similarity of two grey pictures (Wang et al. 2004)."""
    a, b = one.astype(np.float64), other.astype(np.float64)

    def mean(value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(value, (11, 11), 1.5))

    mu_a, mu_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mu_a**2, mean(b * b) - mu_b**2
    both = mean(a * b) - mu_a * mu_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    upper = (2 * mu_a * mu_b + c1) * (2 * both + c2)
    return float((upper / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2))).mean())
