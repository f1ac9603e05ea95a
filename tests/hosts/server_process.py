"""A server in a process of its own, and what must hold of a run that it left."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Sequence,
    Set,
    Tuple,
    TypeVar,
)

from script import PATIENCE_S, POLL_S, Visitor

from openflexure_timelapse.hosts.todo import runs_to_do
from openflexure_timelapse.store.verify import verify

__all__ = [
    "ENDLESS",
    "PLAN",
    "Host",
    "Process",
    "listed",
    "seen_frames",
]

SCENE, SPEED = "beads", "20"
UNKNOWN_GAP = "the time of day could not be believed"
SLOTS = 8
PLAN: Dict[str, Any] = {
    "name": "crash",
    "interval_s": 5,
    "frames": SLOTS,
    "keep_free_mb": 0,
    "late": "catch_up",  # on a slow machine too each slot has its frame
    "catch_up_slots": 1000,
    "movie": {"format": "mp4"},
}
ENDLESS: Dict[str, Any] = {**PLAN, "frames": None}
"""A run that is still under way when it is cut, on a machine of any speed."""

Found = TypeVar("Found")
Seen = Set[Tuple[int, str]]


class Process:
    """A server in a process of its own, on a free port.

    Parameters
    ----------
    folder : Path
        Where it runs.
    command : sequence of str
        Starts it; it prints an object with its ``url`` when it listens.
    data : Path
        Where it keeps the runs.
    ours : str
        The path of the verbs.
    """

    def __init__(
        self, folder: Path, command: Sequence[str], data: Path, ours: str
    ) -> None:
        self.data = data
        self._log = (folder / "server.log").open("ab")
        self._popen = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._log, cwd=str(folder)
        )
        told = b""
        assert self._popen.stdout is not None
        while not told.endswith(b"}\n"):
            line = self._popen.stdout.readline()
            assert line, self.log()
            told += line
        self.url = json.loads(told)["url"]
        self.visitor = Visitor(self.url + ours)

    def end(self, number: int) -> int:
        """Send a signal and return how the process ended."""
        self._popen.send_signal(number)
        self._popen.communicate(timeout=PATIENCE_S)
        self._log.close()
        return self._popen.returncode

    def log(self) -> str:
        """Return what it and its predecessors have complained of."""
        return Path(self._log.name).read_text("utf-8")

    def close(self) -> None:
        """Kill it, if it has not ended."""
        if self._popen.poll() is None:
            self.end(signal.SIGKILL)


def listed(process: Process, run: str) -> Seen:
    """Return number and hash of each frame that the server tells of."""
    found: List[Dict[str, Any]] = []
    while True:
        after = found[-1]["n"] if found else 0
        page = process.visitor.get(f"runs/{run}/frames?after={after}")["frames"]
        if not page:
            return {(frame["n"], frame["sha256"]) for frame in found}
        found += page


def seen_frames(process: Process, run: str, count: int) -> Seen:
    """Return what is listed as soon as so many frames are."""
    return _until(
        process, lambda: listed(process, run), lambda seen: len(seen) >= count
    )


def wait_for_nothing_to_do(process: Process) -> None:
    """Wait, without a request, until the list of what is left to do is empty."""
    _until(process, lambda: runs_to_do(process.data), lambda left: not left)


def _until(
    process: Process, look: Callable[[], Found], holds: Callable[[Found], bool]
) -> Found:
    """Return what is seen as soon as something holds for it."""
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        seen = look()
        if holds(seen):
            return seen
        assert time.monotonic() < give_up_s, process.visitor.get("status")
        time.sleep(POLL_S)  # as any client that polls; nothing depends on it


def _outcomes(process: Process, run: str) -> Dict[int, str]:
    """Return the outcome of each slot; no slot may have two."""
    told: Dict[int, str] = {}
    for slot in process.visitor.get(f"runs/{run}/slots?limit=100")["slots"]:
        for index in range(slot["first"], slot["last"] + 1):
            assert index not in told, slot
            told[index] = slot["outcome"]
    return told


def check_that_it_goes_on(process: Process, run: str, before: Seen) -> Dict[int, str]:
    """Check that an endless run goes on by itself; end it; return its outcomes."""
    frames = process.data / run / "frames"
    _until(  # without a request
        process,
        lambda: list(frames.rglob("*.jp*g")),
        lambda files: len(files) > len(before),
    )
    process.visitor.post("stop")
    wait_for_nothing_to_do(process)
    return check_that_it_is_whole(process, run, before, "stopped")


def check_that_it_is_whole(
    process: Process, run: str, before: Seen, end_reason: str = "completed"
) -> Dict[int, str]:
    """Check a run that is over, with its movie; return its outcomes."""
    status = process.visitor.get("status")
    assert (status["phase"], status["run_id"]) == ("ended", run)
    # A simulated clock begins anew with its process: the gap's length is not known.
    others = [told for told in status["warnings"] if UNKNOWN_GAP not in told]
    assert not others, others
    assert status["end_reason"] == end_reason
    found = _outcomes(process, run)
    slots = len(found) if end_reason == "stopped" else SLOTS
    assert sorted(found) == list(range(slots))
    assert before <= listed(process, run)
    folder = process.data / run
    assert verify(folder).ok
    assert list(folder.rglob("*.part")) == []
    files = process.visitor.get(f"runs/{run}/files")["files"]
    names = [each["name"] for each in files]
    assert [name for name in names if name.endswith(".mp4")] == ["movies/here.mp4"]
    movie = process.visitor.ask("GET", f"runs/{run}/files/movies/here.mp4")
    assert movie.body[4:8] == b"ftyp"
    return found


class Host(NamedTuple):
    """One of the two servers, and where things are in it.

    Attributes
    ----------
    api : str
        ``v2`` or ``v3``.
    name : str
        Of the folder that the runs are in.
    ours : str
        The path of the verbs.
    mode : str
        Of the camera, for plans.
    """

    api: str
    name: str
    ours: str
    mode: str

    @property
    def plan(self) -> Dict[str, Any]:
        """A short run with a movie."""
        return {**PLAN, "camera_mode": self.mode}

    @property
    def endless(self) -> Dict[str, Any]:
        """A run that is still under way when it is cut."""
        return {**ENDLESS, "camera_mode": self.mode}

    def command(self, folder: Path, kind: str) -> List[str]:
        """Return what starts the server.

        Parameters
        ----------
        folder : Path
            Its settings and pictures.
        kind : str
            ``simulate``, the command of ours, or ``like_real``.
        """
        if kind == "like_real":
            script = Path(__file__).with_name(f"{self.api}_like_real.py")
            return [sys.executable, str(script), str(folder), SCENE, SPEED]
        command = [sys.executable, "-m", "openflexure_timelapse", "simulate", "--json"]
        command += ["--api", self.api, "--port", "0", "--scene", SCENE]
        return [*command, "--speed", SPEED, "--folder", str(folder)]

    @contextlib.contextmanager
    def serving(self, folder: Path, kind: str = "simulate") -> Iterator[Process]:
        """Have a server that has ended at the end of the block; see `command`."""
        data = folder / "openflexure" / "data" / self.name
        process = Process(folder, self.command(folder, kind), data, self.ours)
        try:
            yield process
        finally:
            process.close()

    def check_that_it_ends(
        self, folder: Path, run: str, before: Seen, kind: str = "simulate"
    ) -> Dict[int, str]:
        """Start a server; it ends the run without a request. Return the outcomes."""
        with self.serving(folder, kind) as process:
            wait_for_nothing_to_do(process)
            return check_that_it_is_whole(process, run, before)

    def check_that_it_can_go_on(
        self, folder: Path, run: str, before: Seen, kind: str = "simulate"
    ) -> Dict[int, str]:
        """Start a server; the endless run goes on without a request. As above."""
        with self.serving(folder, kind) as process:
            return check_that_it_goes_on(process, run, before)

    # --------------------------------------------------------------- kills of any host

    def check_a_kill_after(self, folder: Path, frames: int) -> None:
        """Kill -9 when so many frames have been seen: each of them is found again."""
        with self.serving(folder) as process:
            run = process.visitor.post("start", self.endless)["run"]
            before = seen_frames(process, run, frames)
            assert process.end(signal.SIGKILL) == -signal.SIGKILL
        self.check_that_it_can_go_on(folder, run, before)

    def check_kills_one_after_the_other(self, folder: Path) -> None:
        """Kill also the process that goes on, before and after a frame."""
        with self.serving(folder) as process:
            run = process.visitor.post("start", self.endless)["run"]
            before = seen_frames(process, run, 2)
            process.end(signal.SIGKILL)
        with self.serving(folder) as process:
            process.end(signal.SIGKILL)  # as soon as it listens
        with self.serving(folder) as process:
            before |= seen_frames(process, run, len(before) + 1)
            process.end(signal.SIGKILL)
        self.check_that_it_can_go_on(folder, run, before)

    def check_a_kill_during_the_movie(self, folder: Path, done: int) -> None:
        """Kill when so many frames of the movie are done: it is made again.

        So is one that somebody has asked for, under the name that was promised.
        """
        with self.serving(folder) as process:
            run = process.visitor.post("start", self.plan)["run"]
            process.visitor.until(
                "jobs", lambda told: told["jobs"] and told["jobs"][0]["done"] >= done
            )
            wish = {"format": "gif", "width": 64}
            (asked,) = process.visitor.post(f"runs/{run}/movies", wish)["jobs"]
            before = listed(process, run)
            process.end(signal.SIGKILL)
        assert len(before) == SLOTS
        with self.serving(folder) as process:
            process.visitor.until("jobs", lambda told: _is_made(told, asked["job"]))
            wait_for_nothing_to_do(process)
            found = check_that_it_is_whole(process, run, before)
        assert set(found.values()) <= {"captured", "late"}


def _is_made(told: Dict[str, Any], name: str) -> bool:
    """Tell whether a movie is made."""
    return any(job["job"] == name and job["state"] == "done" for job in told["jobs"])
