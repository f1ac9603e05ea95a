"""Clients that poll and movies that render while a server records: nothing is late.

The simulated server v3 in a process of its own, on the real clock, because what is
looked for is how long the capture waits for the processor and the disk. Times with load
and without take turns in one run, so that whatever else the machine does meets both.
"""

import contextlib
import http.client
import importlib.util
import json
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple
from urllib.parse import urlsplit

from campaigns.findings import Findings, Table
from campaigns.load_meter import Holding, holding

__all__ = ["beside_load", "can_serve"]

API = "/api/v3/timelapse"
PLAN: Dict[str, Any] = {
    "name": "load",
    "interval_s": 1,
    "settle_s": 0,
    "camera_mode": "quick",
    "keep_free_mb": 0,
    "movie": None,
}
CLIENTS = 50
EVERY_S = 1.0
MOVIES = 3
RECIPE: Dict[str, Any] = {"format": "mp4", "timestamp": True, "elapsed_time": True}
ROUNDS = 3
LOOK_S = 0.2
WIDTH = 320
FIRST_FRAMES = 5
PATIENCE_S = 60.0
TRIES = 2
OK = 200
NS_PER_MS = 1_000_000
IDLE = "nothing"
MADE = ("captured", "late")
PER_CENT = 99


NOTE = (
    "Beside a server: 1 frame/s on the real clock, turns of {turn_s:.0f} s. Late is "
    "the time from when a slot was due until its exposure began. The aim: p99 at most "
    "50 ms above idle."
)


class Recording:
    """A server that records 1 frame/s, in a process of its own.

    Parameters
    ----------
    folder : Path
        For its settings, pictures and runs.
    """

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "openflexure_timelapse", "simulate", "--json"]
        command += ["--port", "0", "--scene", "beads", "--folder", str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        told = b""
        while not told.endswith(b"}\n"):
            line = self._process.stdout.readline() if self._process.stdout else b""
            if not line:
                raise RuntimeError("The simulated server did not start.")
            told += line
        self.address = urlsplit(json.loads(told)["url"]).netloc
        self.pid = self._process.pid
        self.run_id = str(self.ask("/start", PLAN)["run"])
        self.run = next(folder.rglob(self.run_id))
        while slots_of(self.ask("/status")) < FIRST_FRAMES:
            time.sleep(LOOK_S)  # a poll

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection of one client."""
        return http.client.HTTPConnection(self.address, timeout=PATIENCE_S)

    def ask(self, path: str, body: Any = None, method: str = "") -> Dict[str, Any]:
        """Return the JSON at a path below the verbs; a body is posted.

        Raises
        ------
        RuntimeError
            For any answer but 200.
        """
        sent = None if body is None else json.dumps(body)
        method = method or ("GET" if body is None else "POST")
        with contextlib.closing(self.connect()) as connection:
            kind = {"Content-Type": "application/json"}
            connection.request(method, API + path, sent, kind)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status != OK:
            told = f"{path} answers {answer.status}: {content[:200]!r}"
            raise RuntimeError(told)
        return dict(json.loads(content))

    def open_jobs(self) -> List[str]:
        """Return the jobs that wait or are under way."""
        jobs = self.ask("/jobs")["jobs"]
        return [job["job"] for job in jobs if job["state"] in ("queued", "running")]

    def hold(self) -> Holding:
        """Look at the server's process."""
        return holding(0, self.pid, self.run)

    def close(self) -> None:
        """End the run, and the server as Ctrl-C does."""
        self.ask("/stop", {})
        while self.ask("/status")["phase"] != "ended":
            time.sleep(LOOK_S)  # a poll

    def end(self) -> None:
        """End the process."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.communicate()


def slots_of(status: Dict[str, Any]) -> int:
    """Return how many slots have an outcome."""
    return sum(status["counts"].values())


# ----------------------------------------------------------------------------- the load


class Pollers:
    """Clients that ask for status, new frames and the newest picture, as the page does.

    Parameters
    ----------
    server : Recording
        Whom.
    number : int
        Of clients; each asks for all three each second.
    """

    def __init__(self, server: Recording, number: int) -> None:
        self._server = server
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.asked = self.failed = 0
        self.waited_s: List[float] = []
        self._threads = [
            threading.Thread(target=self._poll, args=(EVERY_S * each / number,))
            for each in range(number)
        ]
        for thread in self._threads:
            thread.start()

    def _poll(self, first_s: float) -> None:
        """Ask once a second; the work of a thread."""
        run = self._server.run_id
        connection = self._server.connect()
        seen = 0
        due_s = time.monotonic() + first_s
        while not self._over.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + EVERY_S, time.monotonic())
            self._ask(connection, "/status")
            page = self._ask(connection, f"/runs/{run}/frames?after={seen}&limit=100")
            if page:
                seen = max([seen, *(each["n"] for each in json.loads(page)["frames"])])
            self._ask(connection, f"/latest?width={WIDTH}")
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> bytes:
        """Return the answer, nothing for none; take note of how that went."""
        began_s = time.monotonic()
        went_well, content = False, b""
        for _ in range(TRIES):
            try:
                connection.request("GET", API + path)
                answer = connection.getresponse()
                content = answer.read()
                went_well = answer.status == OK
                break
            except (OSError, http.client.HTTPException):
                connection.close()  # the server ends one that was silent for long
        with self._lock:
            self.asked += 1
            self.failed += not went_well
            self.waited_s.append(time.monotonic() - began_s)
        return content if went_well else b""

    def close(self) -> str:
        """Stop asking; say how it went."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        middle, _, worst = spread(self.waited_s)
        return (
            f"{self.asked} requests, {self.failed} failed, answers within "
            f"{middle * 1000:.0f} ms (median), {worst * 1000:.0f} ms (worst)"
        )


class Renders:
    """Movies of the run under way: when three are made the next three are asked for.

    Parameters
    ----------
    server : Recording
        Of whom.
    number : int
        Asked for at a time.
    """

    def __init__(self, server: Recording, number: int) -> None:
        self._server = server
        self._number = number
        self._over = threading.Event()
        self._asked: List[str] = []
        self._thread = threading.Thread(target=self._render)
        self._thread.start()

    def _render(self) -> None:
        """Keep the queue filled; the work of a thread."""
        path = f"/runs/{self._server.run_id}/movies"
        while not self._over.is_set():
            if not self._server.open_jobs():
                for _ in range(self._number):
                    jobs = self._server.ask(path, RECIPE)["jobs"]
                    self._asked += [job["job"] for job in jobs]
            self._over.wait(LOOK_S)

    def close(self) -> str:
        """Cancel what is not made yet; say how it went."""
        self._over.set()
        self._thread.join()
        jobs = self._server.ask("/jobs")["jobs"]
        for job in self._server.open_jobs():
            self._server.ask(f"/jobs/{job}", method="DELETE")
        while self._server.open_jobs():
            time.sleep(LOOK_S)  # a poll
        own = [job["state"] for job in jobs if job["job"] in self._asked]
        return f"{own.count('done')} movies made, {own.count('failed')} failed"


Load = Callable[[Recording], Any]
LOADS: Dict[str, Load] = {
    IDLE: lambda server: None,  # noqa: ARG005 (as the others)
    f"{CLIENTS} clients, 3 requests/s each": lambda server: Pollers(server, CLIENTS),
    f"{MOVIES} movies at a time": lambda server: Renders(server, MOVIES),
}


# -------------------------------------------------------------------- what is measured


def can_serve() -> bool:
    """Tell whether the library of server v3 is installed."""
    return importlib.util.find_spec("labthings_fastapi") is not None


def beside_load(seconds: float, work: Path, rounds: int = ROUNDS) -> Findings:
    """Record on a server, with loads in turn.

    Parameters
    ----------
    seconds : float
        For everything.
    work : Path
        An empty folder.
    rounds : int
        How often each load has its turn.
    """
    turn_s = seconds / rounds / len(LOADS)
    slots: Dict[str, List[range]] = {name: [] for name in LOADS}
    remarks: Dict[str, List[str]] = {name: [] for name in LOADS}
    server = Recording(work)
    try:
        first = peak = server.hold()
        for _ in range(rounds):
            for name, load in LOADS.items():
                covered, remark, look = _turn(server, load, turn_s)
                slots[name].append(covered)
                remarks[name].append(remark)
                peak = max(peak, look, key=lambda each: each.rss_kb)
        last = server.hold()
        server.close()
        visits = _visits(server)
    finally:
        server.end()
    lateness = {
        name: [visits[slot] for each in slots[name] for slot in each] for name in LOADS
    }
    return _findings(lateness, remarks, (first, peak, last), turn_s)


def _turn(server: Recording, load: Load, seconds: float) -> Tuple[range, str, Holding]:
    """Have a load for a time; return its whole slots, a remark, and a look."""
    acting = load(server)
    before = slots_of(server.ask("/status"))
    time.sleep(seconds)  # the time that is measured
    look = server.hold()
    after = slots_of(server.ask("/status"))
    remark = "" if acting is None else acting.close()
    return range(before + 1, after), remark, look


def _visits(server: Recording) -> Dict[int, Tuple[str, float]]:
    """Return outcome and lateness in milliseconds of each slot."""
    found: Dict[int, Tuple[str, float]] = {}
    after, path = 0, f"/runs/{server.run_id}/slots?limit=1000&after="
    while True:
        page = server.ask(f"{path}{after}")["slots"]
        for row in page:
            for slot in range(row["first"], row["last"] + 1):
                found[slot] = (row["outcome"], row["lateness_ns"] / NS_PER_MS)
        after += len(page)
        if not page:
            return found


def spread(values: List[float]) -> Tuple[float, float, float]:
    """Return the median, what 99 % do not exceed, and the largest."""
    if not values:
        return 0.0, 0.0, 0.0
    ranked = sorted(values)
    rank = -(-len(ranked) * PER_CENT // 100)
    return statistics.median(ranked), ranked[rank - 1], ranked[-1]


def _findings(
    lateness: Dict[str, List[Tuple[str, float]]],
    remarks: Dict[str, List[str]],
    looks: Tuple[Holding, Holding, Holding],
    turn_s: float,
) -> Findings:
    """Return the tables, and what fell."""
    rows, broken = [], []
    idle_ms = 0.0
    for name, found in lateness.items():
        lost = [outcome for outcome, _ in found if outcome not in MADE]
        middle, high, worst = spread([ms for outcome, ms in found if outcome in MADE])
        idle_ms = high if name == IDLE else idle_ms
        told = (
            f"{middle:.1f}",
            f"{high:.1f}",
            f"{worst:.1f}",
            f"{high - idle_ms:+.1f}",
        )
        rows.append(
            (name, len(found), len(lost), *told, "; ".join(filter(None, remarks[name])))
        )
        if lost:
            broken.append(f"{len(lost)} of {len(found)} slots are lost beside {name}.")
    held = [
        ("memory, MB", *(f"{look.rss_kb / 1024:.1f}" for look in looks)),
        ("file descriptors", *(str(look.descriptors) for look in looks)),
        ("threads", *(str(look.threads) for look in looks)),
        ("SQLite's write-ahead file, MB", *(f"{k.wal_kb / 1024:.2f}" for k in looks)),
    ]
    late = ("median ms late", "p99", "worst", "p99 above idle")
    columns = ("beside", "slots", "lost", *late, "what was done")
    of_server = ("the server holds", "first", "when its memory peaked", "last")
    return Findings(
        (Table(columns, tuple(rows)), Table(of_server, tuple(held))),
        tuple(broken),
        (NOTE.format(turn_s=turn_s),),
    )
