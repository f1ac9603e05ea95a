"""Processes that record and are killed: forked from a warm one, so that each is quick.

A life begins like a start of the program: it goes on with what an earlier one could not
end, and starts the run when there is none. It tells every acknowledged frame on a pipe.
"""

import contextlib
import os
import select
import signal
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, NoReturn, Optional

from campaigns.kill_bench import START_WALL_NS, Bench, BenchClock
from campaigns.kill_cases import NS_PER_S, Case
from openflexure_timelapse.errors import WrongPhaseError
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.store.catalogue import list_runs
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["BENCH_FILE", "DATA", "Child", "Life", "Told", "forked", "tell_frames"]

DATA = "data"
BENCH_FILE = "bench.json"
HANG_S = 120.0
"""Far beyond any life: one that lasts so long hangs."""


class Told(NamedTuple):
    """An acknowledgement, as the process told it before it died."""

    n: int
    file: str
    sha256: str


class Child:
    """A forked process.

    Attributes
    ----------
    told : list of Told
        What it has acknowledged so far.
    """

    def __init__(self, pid: int, reader: int) -> None:
        self._pid = pid
        self._reader = reader
        self._unread = b""
        self._ended = False
        self.told: List[Told] = []

    def listen(self, frames: int, seconds: float) -> None:
        """Hear until so many frames are told, then so long; or until it ends."""
        patience_s = time.monotonic() + HANG_S
        while not self._ended and len(self.told) < frames:
            self._hear(patience_s - time.monotonic())
        until_s = time.monotonic() + seconds
        left_s = seconds
        while not self._ended and left_s > 0:
            self._hear(left_s)
            left_s = until_s - time.monotonic()

    def kill(self) -> int:
        """Kill -9 it, if it has not ended; return how it ended, 0 for well."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        return self._last()

    def end(self) -> int:
        """Let it end by itself; return how it ended, 0 for well.

        Raises
        ------
        TimeoutError
            When it hangs; it is killed then.
        """
        try:
            patience_s = time.monotonic() + HANG_S
            while not self._ended:
                self._hear(patience_s - time.monotonic())
        except TimeoutError:
            self.kill()
            raise
        return self._last()

    def _last(self) -> int:
        """Hear the rest and bury it."""
        while not self._ended:
            self._hear(HANG_S)
        os.close(self._reader)
        return os.waitpid(self._pid, 0)[1]

    def _hear(self, seconds: float) -> None:
        """Wait for words, at most so long."""
        if seconds <= 0:
            raise TimeoutError(f"the process {self._pid} hangs")
        ready, _, _ = select.select([self._reader], [], [], seconds)
        if not ready:
            return
        heard = os.read(self._reader, 65536)
        self._ended = not heard
        *lines, self._unread = (self._unread + heard).split(b"\n")
        for line in lines:
            n, file, sha256 = line.decode().split()
            self.told.append(Told(int(n), file, sha256))


def forked(job: Callable[[int], Any], log: Path) -> Child:
    """Have a child of this process do a job.

    Parameters
    ----------
    job : callable
        Called there with the pipe's end to tell frames on.
    log : Path
        Receives what the child prints, and why it failed.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # From Python 3.12 on, because of threads that this process may have: the
        # child uses none of their locks, and OpenCV was told to have no threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os.close(reader)
        _be_child(job, writer, log)
    os.close(writer)
    return Child(pid, reader)


def _be_child(job: Callable[[int], Any], writer: int, log: Path) -> NoReturn:
    """Do the job and end, whatever happens, without a way back into the parent."""
    code = 1
    try:
        descriptor = os.open(str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        job(writer)
        code = 0
    except BaseException:  # noqa: BLE001 - the outer edge of a process
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def tell_frames(writer: int) -> None:
    """Have this process tell each frame once `RunStore.add_frame` has returned it."""
    add_frame = RunStore.add_frame

    def told(store: RunStore, *args: Any) -> Frame:
        frame = add_frame(store, *args)
        os.write(writer, f"{frame.n} {frame.file} {frame.sha256}\n".encode())
        return frame

    setattr(RunStore, "add_frame", told)  # noqa: B010 - mypy knows it for a method


@dataclass(frozen=True)
class Life:
    """What one process does for a run.

    Attributes
    ----------
    folder : Path
        Of the trial: the data and the bench's file.
    case : Case
        The run.
    gap_ns : int
        For how long nobody was there.
    new_boot : str or None
        The id of a boot in between; None when the computer went on.
    give_up : bool
        Whether to end an interrupted run instead of going on with it.
    """

    folder: Path
    case: Case
    gap_ns: int = 0
    new_boot: Optional[str] = None
    give_up: bool = False

    def __call__(self, writer: int) -> None:
        """Live; tell each frame on a pipe."""
        tell_frames(writer)
        self.live()

    def live(self) -> None:
        """Do what a program does from its start to its end."""
        bench = Bench(self.folder / BENCH_FILE)
        clock = bench.clock(self.gap_ns, self.new_boot)
        microscope = bench.connect(clock)
        data = self.folder / DATA
        service = Service(data, microscope, clock, RealDisk())
        self._ask(service, clock)
        run_id = service.resume_interrupted(give_up=self.give_up)
        if run_id is None and not list_runs(data):
            run_id = service.start(self.case.plan)["run"]
        service.wait()
        for job_id in service.queue.movie_ids(run_id or ""):
            service.queue.wait(job_id)
        service.close()

    def _ask(self, service: Service, clock: BenchClock) -> None:
        """Let a person ask for what the case says, later for what was due meanwhile."""
        now_ns = clock.monotonic_ns()
        passed_ns = clock.wall_ns() - START_WALL_NS
        for at_ns, verb in self.case.requests:
            if at_ns >= passed_ns or verb != "pause":
                due_ns = now_ns + max(NS_PER_S, at_ns - passed_ns)
                clock.call_at(due_ns, _asked(getattr(service, verb)))


def _asked(verb: Callable[[], Any]) -> Callable[[], None]:
    """Return a request that may come at the wrong moment."""

    def ask() -> None:
        with contextlib.suppress(WrongPhaseError):
            verb()

    return ask
