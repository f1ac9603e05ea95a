"""The child process that makes movies, as its parent sees it: watched, and killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO, Any, Callable, Deque, Dict, Optional, Tuple

from openflexure_timelapse import __file__ as package_file

__all__ = ["JOB_FILE", "WORKER", "Child"]

WORKER = "openflexure_timelapse.movie.worker"
JOB_FILE = "job.jsonl"
TAIL_LINES = 12

Report = Dict[str, Any]


class Child:
    """Runs the worker on job files, one at a time, until it is killed."""

    def __init__(self) -> None:
        self.process: Optional["subprocess.Popen[str]"] = None
        self._lock = threading.Lock()
        self._killed = False

    def kill(self) -> None:
        """End it and all that it started, also what is begun later."""
        with self._lock:
            self._killed = True
            if self.process is not None:
                _kill(self.process)

    def run(
        self, folder: Path, note: Callable[[Report], None]
    ) -> Tuple[Report, Tuple[str, ...], int]:
        """Run it on the job in a folder, and wait for its end.

        Parameters
        ----------
        folder : Path
            With a file `JOB_FILE`.
        note : callable
            Is given each report.

        Returns
        -------
        tuple
            Its last report, the end of its standard error, and its exit code.
        """
        process = _started(folder)
        with self._lock:
            self.process = process
            if self._killed:
                _kill(process)
        tail: Deque[str] = deque(maxlen=TAIL_LINES)
        listener = threading.Thread(
            target=_keep_tail, args=(process.stderr, tail), daemon=True
        )
        listener.start()
        report: Report = {}
        for line in process.stdout or ():
            with contextlib.suppress(ValueError):  # a library's own words
                report = dict(json.loads(line))
                note(report)
        # Waits without reaping: until then its group's number is nobody else's.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            _kill(process)  # an encoder that outlived it
            self.process = None
            code = process.wait()
        listener.join()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return report, tuple(tail), code


def _started(folder: Path) -> "subprocess.Popen[str]":
    """Start the process, in a group of its own and in a folder without modules."""
    home = str(Path(package_file).absolute().parent.parent)
    before = os.environ.get("PYTHONPATH")
    path = home if not before else os.pathsep.join((home, before))
    return subprocess.Popen(  # noqa: S603 (our own module)
        [sys.executable, "-m", WORKER, str(folder / JOB_FILE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(folder),
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    )


def _keep_tail(stream: Optional[IO[str]], tail: Deque[str]) -> None:
    """Read the standard error to its end and keep the last lines."""
    for line in stream or ():
        if line.strip():
            tail.append(line.strip())


def _kill(process: "subprocess.Popen[str]") -> None:
    """Kill the process and all that it started; ended ones are fine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
