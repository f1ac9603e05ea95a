"""Measure what our Thing costs server v3: starts, the lock shared with others, idling.

Run ``python benchmarks/server_v3.py [--seconds S] [--frames-per-s N] [--parts ...]``
where server v3's library is installed (``pip install '.[server-v3]'``); prints markdown
tables. The server is the simulated one in a process of its own, at speed 1, with a
further Thing that does nothing but hold the server's lock when it is told to.
"""

import argparse
import contextlib
import os
import platform
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import labthings_fastapi as lt
from server_v2 import MEMORY, Server, milliseconds, stopped

from hardware_sim.v3_server import create
from openflexure_timelapse.hosts.v3 import TimelapseThing

PARTS = ("starts", "lock", "idle")
API = "/api/v3"
STARTS = 20
SHORT_S, LONG_S = 0.3, 5.0
EVERY_S = (0.7, 1.3)
"""Evenly spread, or others and run would keep step and meet always or never."""
LONG_EACH = 20
"""Of so many actions of others one is long."""
BESIDE = (
    ("none", "skip", None),
    ("0.3 s each second", "skip", 0),
    (f"and each {LONG_EACH}th time 5 s", "skip", LONG_EACH),
    (f"and each {LONG_EACH}th time 5 s", "catch_up", LONG_EACH),
)
"""Others, what becomes of late slots, and how often an action of others is long."""
INTERVAL_S, IDLE_INTERVAL_S = 2, 10
WARM_UP_S = 5.0
LOOK_S = 0.05
NS_PER_MS = 1_000_000
PLAN: dict[str, Any] = {"name": "benchmark", "keep_free_mb": 0, "movie": None}


class Somebody(lt.Thing):
    """Another user's Thing."""

    @lt.action
    def work(self, seconds: float) -> None:
        """Hold the server's lock, as every action does."""
        time.sleep(seconds)  # it works


class ServerV3(Server):
    """A simulated server v3 in a process of its own.

    Parameters
    ----------
    folder : Path
        For its settings and pictures.
    frames_per_s : float
        Of its live view.
    """

    ours = f"{API}/timelapse"

    def __init__(self, folder: Path, frames_per_s: float) -> None:
        self._frames_per_s = frames_per_s
        super().__init__(folder)

    def command(self, folder: Path) -> list[str]:
        """Return what starts it."""
        serve = ["--serve", str(folder), "--frames-per-s", str(self._frames_per_s)]
        return [sys.executable, __file__, *serve]


def serve(folder: str, frames_per_s: float) -> None:
    """Serve until Ctrl-C; the work of the other process."""
    over = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: over.set())
    things = {"somebody": Somebody, "timelapse": TimelapseThing}
    running = create(folder, things=things, frames_per_s=frames_per_s).run()
    print(f'{{"url": "{running.url}"}}', flush=True)
    over.wait()
    running.close()


@contextlib.contextmanager
def serving(frames_per_s: float, place: Path | None = None) -> Iterator[ServerV3]:
    """Have a server whose data are in a new folder in a place; None for the usual."""
    with tempfile.TemporaryDirectory(dir=place) as name:
        server = ServerV3(Path(name), frames_per_s)
        try:
            yield server
        finally:
            server.close()


def start(server: Server, **plan: Any) -> str:
    """Start a run and return its id."""
    return str(server.ask(f"{server.ours}/start", {**PLAN, **plan})["run"])


# ----------------------------------------------------------------------------- starts


def starts(options: argparse.Namespace) -> list[str]:
    """Measure how soon a start answers, on the disk and in memory, in turn."""
    found: dict[str, list[float]] = {
        "the server's own `GET stage/position`": [],
        f"`POST start`, {STARTS} times, each stopped again": [],
        "the same, with the data in memory": [],
    }
    theirs, on_disk, in_memory = found.values()
    rate = options.frames_per_s
    with serving(rate) as server, serving(rate, MEMORY) as other:
        for _ in range(STARTS):
            theirs.append(milliseconds(lambda: server.ask(f"{API}/stage/position")))
            for each, times in ((server, on_disk), (other, in_memory)):
                times.append(milliseconds(lambda each=each: start(each, interval_s=5)))
                stopped(each)
    rows = ["| request | median ms | max ms | over 300 ms |", "|---|--:|--:|--:|"]
    for what, times in found.items():
        late = sum(each > 300 for each in times)  # noqa: PLR2004 (the aim)
        rows.append(
            f"| {what} | {statistics.median(times):.0f} | {max(times):.0f} | {late} |"
        )
    return rows


# --------------------------------------------------------------- the lock of the server


class Others:
    """Somebody whose actions hold the lock for nearly a third of the time.

    Parameters
    ----------
    server : Server
        Where.
    long_each : int
        Of so many actions one is long; 0 for none.
    """

    def __init__(self, server: Server, long_each: int) -> None:
        self._server = server
        self._long_each = long_each
        self._over = threading.Event()
        self.asked = self.refused = 0
        self.held_s = 0.0
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        """Ask for an action about each second, one after the other."""
        spread = random.Random(1)  # noqa: S311 (no secret)
        due_s = time.monotonic()
        while not self._over.wait(max(0.0, due_s - time.monotonic())):
            self.asked += 1
            is_long = self._long_each and self.asked % self._long_each == 0
            self._act(LONG_S if is_long else SHORT_S)
            due_s += spread.uniform(*EVERY_S)
            if is_long:  # what was missed meanwhile is not made up for
                due_s = max(due_s, time.monotonic())

    def _act(self, seconds: float) -> None:
        """Hold the lock once; who is refused asks again."""
        while not self._over.is_set():
            told = self._server.ask(f"{API}/somebody/work", {"seconds": seconds})
            path = f"{API}/action_invocations/{told['id']}"
            while told["status"] in ("pending", "running"):
                time.sleep(LOOK_S)  # a poll
                told = self._server.ask(path)
            if told["status"] == "completed":
                self.held_s += seconds
                return
            self.refused += 1

    def close(self) -> None:
        """Let it end what it does."""
        self._over.set()
        self._thread.join()


def lock(options: argparse.Namespace) -> list[str]:
    """Record 1 frame per 2 s beside others who hold the lock."""
    heads = ["others", "late slots", "held", "refused to others", "slots", "captured"]
    heads += [
        "late",
        "skipped",
        "failed",
        "median ms",
        "p99 ms",
        "max ms",
        "why skipped",
    ]
    rows = [f"| {' | '.join(heads)} |", "|---|---|--:|--:|" + "--:|" * 8 + "---|"]
    with serving(options.frames_per_s) as server:
        for what, late, long_each in BESIDE:
            rows.append(_beside(server, options, what, late, long_each))
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _beside(
    server: Server,
    options: argparse.Namespace,
    what: str,
    late: str,
    long_each: int | None,
) -> str:
    """Make one run beside others; return its row."""
    frames = round(options.seconds / INTERVAL_S)
    others = None if long_each is None else Others(server, long_each)
    began_s = time.monotonic()
    run = start(
        server,
        interval_s=INTERVAL_S,
        frames=frames,
        late=late,
        camera_mode=options.camera_mode,
    )
    counts = server.until(lambda told: told["phase"] == "ended")["counts"]
    if others is not None:
        others.close()
    passed_s = time.monotonic() - began_s
    told = [frames, *(counts[key] for key in ("captured", "late", "skipped", "failed"))]
    held, refused = "", ""
    if others is not None:
        held = f"{100 * others.held_s / passed_s:.0f} %"
        refused = f"{others.refused}, {others.asked} had"
    told += [f"{each:.0f}" for each in _lateness_ms(server, run)]
    told.append(_why_skipped(server, run))
    return f"| {what} | {late} | {held} | {refused} | {' | '.join(map(str, told))} |"


def _why_skipped(server: Server, run: str) -> str:
    """Return the reasons of slots without a frame, with their numbers."""
    slots = server.ask(f"{server.ours}/runs/{run}/slots?limit=100")["slots"]
    found: Counter[str] = Counter()
    for slot in slots:
        if slot["reason"] is not None:
            found[slot["reason"]] += slot["last"] - slot["first"] + 1
    return ", ".join(f"{count} {reason}" for reason, count in found.items())


def _lateness_ms(server: Server, run: str) -> tuple[float, float, float]:
    """Return median, 99th percentile and maximum of due time to exposure."""
    page = server.ask(f"{server.ours}/runs/{run}/frames?limit=100")["frames"]
    found = sorted((each["elapsed_ns"] - each["due_ns"]) / NS_PER_MS for each in page)
    return statistics.median(found), found[-1 - len(found) // 100], found[-1]


# ------------------------------------------------------------------------------- idling


def percent(server: Server, seconds: float) -> float:
    """Return how much of a core the server uses."""
    before, began_s = server.cpu_s(), time.perf_counter()
    time.sleep(seconds)  # the time that is measured
    return 100 * (server.cpu_s() - before) / (time.perf_counter() - began_s)


def idle(options: argparse.Namespace) -> list[str]:
    """Measure a run of 1 frame/10 s against the same server without one, in turn."""
    found: dict[str, list[float]] = {"none": [], "quick": [], "standard": []}
    with serving(options.frames_per_s) as server:
        time.sleep(WARM_UP_S)  # imports and caches are not what is measured
        for _ in range(options.rounds):
            for mode, times in found.items():
                if mode != "none":
                    start(server, interval_s=IDLE_INTERVAL_S, camera_mode=mode)
                times.append(percent(server, options.seconds))
                print(mode, times[-1], file=sys.stderr, flush=True)
                if mode != "none":
                    stopped(server)
    without = statistics.mean(found["none"])
    rows = ["| run | % of a core | of each round | more |", "|---|--:|---|--:|"]
    for mode, times in found.items():
        each = ", ".join(f"{one:.2f}" for one in times)
        mean = statistics.mean(times)
        rows.append(f"| {mode} | {mean:.2f} | {each} | {mean - without:+.2f} |")
    return rows


def main() -> int:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--frames-per-s", type=float, default=10)
    options.add_argument("--camera-mode", default="quick")
    options.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        serve(chosen.serve, chosen.frames_per_s)
        return 0
    measure: dict[str, Callable[[argparse.Namespace], list[str]]] = {
        "starts": starts,
        "lock": lock,
        "idle": idle,
    }
    for part in chosen.parts:
        before = os.getloadavg()[0]
        print("\n".join(measure[part](chosen)), flush=True)
        told = f"{before:.1f} before, {os.getloadavg()[0]:.1f} at the end"
        python = platform.python_version()
        print(f"\nPython {python}, load of the machine {told}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
