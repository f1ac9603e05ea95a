"""Measure what our extension costs server v2: starts, the live view, status polling.

Run ``python benchmarks/server_v2.py [--rounds N] [--seconds S] [--parts ...]`` where
server v2's library is installed (``pip install '.[server-v2]'``); prints markdown
tables. The server is ``openflexure-timelapse simulate`` in a process of its own, at
speed 1; what is compared is measured in turn.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

API = "/api/v2"
OURS = f"{API}/extensions/org.openflexure.timelapse"
PARTS = ("starts", "live", "polling")
MEMORY = Path("/dev/shm")  # noqa: S108 (memory is the point)
STARTS = 20
POLLERS = 5
BURST = 300
LOOK_S = 0.05
CHUNK = 1 << 16
PART = b"--frame\r\nContent-Type"
PLAN: Dict[str, Any] = {
    "name": "benchmark",
    "interval_s": 1,
    "keep_free_mb": 0,
    "movie": None,
}


class Server:
    """A simulated server v2 in a process of its own.

    Parameters
    ----------
    folder : Path
        For its settings and pictures.

    Attributes
    ----------
    ours : str
        The path of the verbs.
    """

    ours = OURS

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(self.command(folder), stdout=subprocess.PIPE)
        told = b""
        while not told.endswith(b"}\n") and self._process.stdout is not None:
            told += self._process.stdout.readline()
        self.url = json.loads(told)["url"]

    def command(self, folder: Path) -> List[str]:
        """Return what starts it; it prints an object with its ``url``."""
        command = [sys.executable, "-m", "openflexure_timelapse", "simulate", "--json"]
        return [*command, "--api", "v2", "--port", "0", "--folder", str(folder)]

    def ask(self, path: str, body: Any = None) -> Any:
        """Return the JSON at a path; a body is posted."""
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, sent)  # noqa: S310 (our own)
        if sent is not None:
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request) as found:  # noqa: S310 (our own)
            return json.loads(found.read())

    def status(self) -> Dict[str, Any]:
        """Return what the page polls."""
        return dict(self.ask(f"{self.ours}/status"))

    def until(self, holds: Callable[[Dict[str, Any]], Any]) -> Dict[str, Any]:
        """Return the status as soon as something holds for it."""
        while True:
            status = self.status()
            if holds(status):
                return status
            time.sleep(LOOK_S)  # a poll

    @contextlib.contextmanager
    def recording(self, mode: str) -> Iterator[None]:
        """Have a run of 1 frame/s from its second frame to the end of the block."""
        self.ask(f"{OURS}/start", {**PLAN, "camera_mode": mode})
        self.until(lambda told: (told.get("last_frame") or {"n": 0})["n"] > 1)
        try:
            yield
        finally:
            stopped(self)

    def cpu_s(self) -> float:
        """Return the processor time of the process until now."""
        text = Path(f"/proc/{self._process.pid}/stat").read_text("ascii")
        after_name = text.rpartition(")")[2].split()
        ticks = int(after_name[11]) + int(after_name[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        self._process.communicate()


@contextlib.contextmanager
def serving(place: Optional[Path]) -> Iterator[Server]:
    """Have a server whose data are in a new folder in a place; None for the usual."""
    with tempfile.TemporaryDirectory(dir=None if place is None else str(place)) as name:
        server = Server(Path(name))
        try:
            yield server
        finally:
            server.close()


# ----------------------------------------------------------------------------- starts


def milliseconds(act: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    began_s = time.perf_counter()
    act()
    return (time.perf_counter() - began_s) * 1000


def stopped(server: Server) -> None:
    """Stop the run and wait for its end."""
    server.ask(f"{server.ours}/stop", {})
    server.until(lambda told: told["phase"] == "ended")


def starts(server: Server) -> List[str]:
    """Measure how soon a start answers, in turn with an answer of the server's own.

    And with a start on a second server that keeps its data in memory: the difference
    is what the disk needs to make a run durable.
    """
    plan = {**PLAN, "interval_s": 5, "camera_mode": "video"}
    own, start = f"{API}/instrument/settings", f"{OURS}/start"
    found: Dict[str, List[float]] = {
        "the server's own `GET instrument/settings`": [],
        f"`POST start`, {STARTS} times, each stopped again": [],
        "the same, with the data in memory": [],
    }
    theirs, on_disk, in_memory = found.values()
    with serving(MEMORY) as other:
        for _ in range(STARTS):
            theirs.append(milliseconds(lambda: server.ask(own)))
            on_disk.append(milliseconds(lambda: server.ask(start, plan)))
            stopped(server)
            in_memory.append(milliseconds(lambda: other.ask(start, plan)))
            stopped(other)
    rows = ["| request | median ms | max ms | ratio of medians |", "|---|--:|--:|--:|"]
    for what, times in found.items():
        median, most = statistics.median(times), max(times)
        ratio = median / statistics.median(theirs)
        rows.append(f"| {what} | {median:.0f} | {most:.0f} | {ratio:.1f} |")
    return rows


# -------------------------------------------------------------------------- live view


class Viewer:
    """Somebody who looks at the live view and counts its frames.

    Parameters
    ----------
    server : Server
        Whose live view.
    """

    def __init__(self, server: Server) -> None:
        self.frames = 0
        self._url = f"{server.url}{API}/streams/mjpeg"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        """Count the beginnings of parts, also those that two reads divide."""
        kept = b""
        with urllib.request.urlopen(self._url) as stream:  # noqa: S310 (our own)
            while not self._over.is_set():
                kept += stream.read1(CHUNK)
                self.frames += kept.count(PART)
                kept = kept[-(len(PART) - 1) :]

    def rate(self, seconds: float) -> float:
        """Return the frames per second over a time."""
        first, began_s = self.frames, time.perf_counter()
        time.sleep(seconds)  # the time that is measured
        return (self.frames - first) / (time.perf_counter() - began_s)

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


class Watched(NamedTuple):
    """One time of looking at the live view."""

    rate: float
    taken: float


def watch(server: Server, viewer: Viewer, seconds: float) -> Watched:
    """Return the live view's rate and how many frames a second a run took."""
    before, rate, after = server.status(), viewer.rate(seconds), server.status()
    taken = 0
    if after["phase"] == "running":
        taken = after["last_frame"]["n"] - before["last_frame"]["n"]
    return Watched(rate, taken / seconds)


def live_view(server: Server, rounds: int, seconds: float) -> List[str]:
    """Measure the live view's rate without and with a run, in turn."""
    found: Dict[str, List[Watched]] = {"no run": [], "video": [], "still": []}
    viewer = Viewer(server)
    viewer.rate(2)
    for _ in range(rounds):
        found["no run"].append(watch(server, viewer, seconds))
        for mode in ("video", "still"):
            with server.recording(mode):
                found[mode].append(watch(server, viewer, seconds))
    viewer.close()
    reference = statistics.mean(each.rate for each in found["no run"])
    rows = [
        "| run | live view, frames/s | of each round | frames/s taken | ratio |",
        "|---|--:|---|--:|--:|",
    ]
    for mode, times in found.items():
        rate = statistics.mean(each.rate for each in times)
        taken = statistics.mean(each.taken for each in times)
        each_rate = ", ".join(f"{each.rate:.2f}" for each in times)
        ratio = rate / reference
        rows.append(
            f"| {mode} | {rate:.2f} | {each_rate} | {taken:.2f} | {ratio:.2f} |"
        )
    return rows


# ---------------------------------------------------------------------------- polling


@contextlib.contextmanager
def polling(server: Server, clients: int) -> Iterator[List[int]]:
    """Have clients that ask for the status once a second; yield what they count."""
    over = threading.Event()
    asked = [0] * clients

    def poll(number: int) -> None:
        due_s = time.monotonic() + number / clients
        while not over.wait(max(0.0, due_s - time.monotonic())):
            server.status()
            asked[number] += 1
            due_s += 1

    threads = [threading.Thread(target=poll, args=(each,)) for each in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield asked
    finally:
        over.set()
        for thread in threads:
            thread.join()


def load(server: Server, seconds: float, clients: int) -> Tuple[float, float]:
    """Return how much of a core the server uses, in per cent, and requests a second."""
    with polling(server, clients) as asked:
        before, first, began_s = server.cpu_s(), sum(asked), time.perf_counter()
        time.sleep(seconds)  # the time that is measured
        used_s, count = server.cpu_s() - before, sum(asked) - first
        passed_s = time.perf_counter() - began_s
    return 100 * used_s / passed_s, count / passed_s


def burst_ms(server: Server, path: str) -> float:
    """Return the processor time of one request, from many without a pause.

    What the server does anyway in that time is taken off, as measured just before.
    """
    percent, _ = load(server, 5, 0)
    before, began_s = server.cpu_s(), time.perf_counter()
    for _ in range(BURST):
        server.ask(path)
    passed_s = time.perf_counter() - began_s
    used_s = server.cpu_s() - before - percent / 100 * passed_s
    return used_s / BURST * 1000


def polled(server: Server, rounds: int, seconds: float) -> List[List[float]]:
    """Return the load without, the load with pollers, and their number, by round."""
    found = []
    for _ in range(rounds):
        without, _ = load(server, seconds, 0)
        with_them, rate = load(server, seconds, POLLERS)
        found.append([without, with_them, rate])
    return found


def status_cost(server: Server, rounds: int, seconds: float) -> List[str]:
    """Measure the cost of status polling, idle and during a run."""
    heads = ["server", "% of a core", f"with {POLLERS} pollers", "more, by round"]
    heads += ["status/s", "CPU ms a status", f"so of a core at {POLLERS}/s"]
    heads += ["CPU ms of the server's own `GET instrument/state`"]
    rows = [f"| {' | '.join(heads)} |", "|---|--:|--:|---|--:|--:|--:|--:|"]
    for what in ("idle", "run of 1 frame/s"):
        with contextlib.ExitStack() as run:
            if what != "idle":
                run.enter_context(server.recording("video"))
            found = polled(server, rounds, seconds)
            one_ms = burst_ms(server, f"{OURS}/status")
            theirs_ms = burst_ms(server, f"{API}/instrument/state")
        without, with_them, rate = (statistics.mean(each) for each in zip(*found))
        more = ", ".join(f"{each[1] - each[0]:+.2f}" for each in found)
        share = one_ms * POLLERS / 10
        rows.append(
            f"| {what} | {without:.1f} | {with_them:.1f} | {more} | {rate:.2f} | "
            f"{one_ms:.2f} | {share:.2f} % | {theirs_ms:.2f} |"
        )
    return rows


def main() -> int:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    chosen = options.parse_args()
    before = os.getloadavg()[1]
    measure: Dict[str, Callable[[Server], List[str]]] = {
        "starts": starts,
        "live": lambda server: live_view(server, chosen.rounds, chosen.seconds),
        "polling": lambda server: status_cost(server, chosen.rounds, chosen.seconds),
    }
    with serving(None) as server:
        for part in chosen.parts:
            print("\n".join(measure[part](server)) + "\n", flush=True)
    told = f"{before:.1f} before, {os.getloadavg()[1]:.1f} at the end"
    print(f"Python {platform.python_version()}, load of the machine {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
