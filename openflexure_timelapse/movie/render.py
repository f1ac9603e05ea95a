"""A render as its caller sees it: a child process that can be watched and cancelled.

The encoder's memory and crashes stay in that process, at low priority. The caller
never waits for a pipe: one thread of the job writes the frames, starts the process and
reads what it says, another keeps the end of its standard error.

Everything unfinished lies in one hidden folder beside the movie. The movie appears
under its name, whole and durable, or not at all.
"""

import contextlib
import fcntl
import os
import shutil
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Optional, Tuple

from openflexure_timelapse.errors import (
    RenderCancelledError,
    RenderError,
    TimelapseError,
)
from openflexure_timelapse.movie.child import JOB_FILE, Child
from openflexure_timelapse.movie.codecs import tools_of
from openflexure_timelapse.movie.job import order_of, write_job
from openflexure_timelapse.movie.mishap import explain
from openflexure_timelapse.movie.timeline import MovieContext, MovieFrame
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.store.disk import (
    is_temporary,
    rename_durably,
    storage_error,
    temporary_name,
)
from openflexure_timelapse.store.fence import check_links
from openflexure_timelapse.store.layout import MOVIES

__all__ = [
    "MovieContext",
    "MovieFrame",
    "RenderJob",
    "RenderProgress",
    "rendering_in",
    "sweep_renders",
]

UNDER_WAY = ("queued", "running")
ALMOST = 0.999
LEFTOVER_S = 3600


@dataclass(frozen=True)
class RenderProgress:
    """How far a render is.

    Attributes
    ----------
    state : str
        ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
    done, total : int
        Frames of the movie that are made, and that there will be, nearly. While a
        GIF that was too large is made again, `done` stays until it is as far again.
    fraction : float
        0 to 1, never falling; 1 only for a finished movie.
    message : str
        What went wrong, or a remark; may be empty.
    file : str or None
        The movie's path once it is finished.
    """

    state: str
    done: int
    total: int
    fraction: float
    message: str
    file: Optional[str]


class RenderJob:
    """One movie to be made.

    Parameters
    ----------
    frames : iterable of MovieFrame
        By rising slot; read once, on the job's own thread, never held as a whole.
    frame_count : int
        How many they are, for the progress before the process knows better.
    recipe : Recipe
        What to make.
    context : MovieContext
        What is true of all frames.
    out_path : str
        The movie's path; its folder must exist. An existing file is replaced.
    film : str
        Path of the film so far, whose segments are taken over; empty for none.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what a movie is made of)
        self,
        frames: Iterable[MovieFrame],
        frame_count: int,
        recipe: Recipe,
        context: MovieContext,
        out_path: str,
        film: str = "",
    ) -> None:
        self._film = film
        self._frames = frames
        self._recipe = recipe
        self._context = context
        self._out = Path(out_path).absolute()
        self._lock = threading.Condition()
        self._now = RenderProgress("queued", 0, frame_count, 0.0, "", None)
        self._error: Optional[TimelapseError] = None
        self._cancelled = False
        self._naming = False
        self._child = Child()
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Begin; returns at once. A job that is cancelled already stays so.

        Raises
        ------
        RenderError
            When it was started before.
        FfmpegMissingError
            When there is no ffmpeg program, or it lacks the codec.
        """
        tools = tools_of(self._recipe)
        with self._lock:
            if self._thread is not None:
                told = f"The movie {self._out.name} was started before; "
                raise RenderError(told + "make a new job.")
            if self._cancelled:
                return
            self._now = replace(self._now, state="running")
            self._thread = threading.Thread(
                target=self._run, args=(tools,), name="timelapse-render", daemon=True
            )
            self._thread.start()

    def progress(self) -> RenderProgress:
        """Return a snapshot; never waits."""
        with self._lock:
            return self._now

    def error(self) -> Optional[TimelapseError]:
        """Return why it failed, or that it was cancelled; None otherwise."""
        with self._lock:
            return self._error

    def cancel(self) -> None:
        """End it and leave no file; a movie that is finished stays."""
        with self._lock:
            if self._now.state not in UNDER_WAY or self._naming:
                return
            self._cancelled = True
            if self._thread is None:
                self._end(self._cancellation())
            else:
                self._child.kill()

    def wait(self, timeout_s: Optional[float] = None) -> RenderProgress:
        """Wait until it has ended, at most `timeout_s`; return the progress then."""
        with self._lock:
            self._lock.wait_for(lambda: self._now.state not in UNDER_WAY, timeout_s)
            return self._now

    # -------------------------------------------------------------- the job's thread

    def _run(self, tools: Tuple[str, str]) -> None:
        """Make the movie and tell how it ended, whatever happens."""
        folder = self._out.with_name(temporary_name(self._out.name))
        error: Optional[TimelapseError] = None
        remark = ""
        try:
            with rendering_in(folder.parent):
                remark = self._make(tools, folder)
        except TimelapseError as exc:
            error = exc
        except OSError as exc:
            error = storage_error(exc, "write", self._out)
        except Exception as exc:  # noqa: BLE001 - the frames are the caller's code
            error = RenderError(f"The movie {self._out.name} failed: {exc!r}.")
            error.__cause__ = exc
        shutil.rmtree(str(folder), ignore_errors=True)
        with self._lock:
            self._end(error, remark)

    def _make(self, tools: Tuple[str, str], folder: Path) -> str:
        """Make the movie; return the remark of the process."""
        folder.mkdir()
        made = folder / self._out.name
        order = order_of(self._recipe, self._context, *tools, made)
        order = replace(order, film=self._film)
        write_job(folder / JOB_FILE, order, self._until_cancelled())
        report, tail, code = self._child.run(folder, self._note)
        with self._lock:
            if self._cancelled:
                raise self._cancellation()
            if report.get("event") != "complete" or code:
                raise explain(self._out, report, tail, code)
            self._naming = True
        rename_durably(made, self._out)
        return str(report["message"])

    def _until_cancelled(self) -> Iterator[MovieFrame]:
        """Yield the frames, with paths that hold in any folder."""
        for frame in self._frames:
            with self._lock:
                if self._cancelled:
                    raise self._cancellation()
            yield frame.under(lambda path: str(Path(path).absolute()))

    def _note(self, report: Dict[str, Any]) -> None:
        """Take over what the process says."""
        if report.get("event") != "progress":
            return
        done, total = int(report["done"]), int(report["total"])
        fraction = min(ALMOST, float(report["fraction"]))
        with self._lock:
            done = max(done, self._now.done)
            self._now = replace(
                self._now,
                done=done,
                total=max(done, total),
                fraction=max(fraction, self._now.fraction),
                message=str(report["message"]),
            )

    # ------------------------------------------------------------- with the lock held

    def _cancellation(self) -> RenderCancelledError:
        told = f"The movie {self._out.name} was cancelled; "
        return RenderCancelledError(told + "render it again if you want it.")

    def _end(self, error: Optional[TimelapseError], remark: str = "") -> None:
        """Tell how it ended."""
        self._error = error
        now = self._now
        if error is None:
            file = str(self._out)
            self._now = RenderProgress("done", now.done, now.done, 1.0, remark, file)
        else:
            cancelled = isinstance(error, RenderCancelledError)
            state = "cancelled" if cancelled else "failed"
            self._now = replace(now, state=state, message=str(error))
        self._lock.notify_all()


@contextlib.contextmanager
def rendering_in(folder: Path) -> Iterator[None]:
    """Let `sweep_renders` know that something is made in a folder of movies.

    The lock is the kernel's and this process's alone: the child does not inherit it,
    so it ends with us, however we end. Without locks, the times of the files count.
    """
    descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def sweep_renders(folder: Path) -> None:
    """Remove what renders left in a run when the power went or they were killed.

    A render that is under way, perhaps of another process, keeps its folder: while
    there is one, only what nobody has written into for an hour is removed.

    Parameters
    ----------
    folder : Path
        Of the run.

    Raises
    ------
    DamagedRunError
        When a link in it leads out of it.
    """
    movies = check_links(folder) / MOVIES
    with contextlib.ExitStack() as held:
        try:
            descriptor = os.open(str(movies), os.O_RDONLY | os.O_DIRECTORY)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept_s = 0.0
        except OSError:  # one is under way, or there are no locks, or no movies
            kept_s = LEFTOVER_S
        for leftover in movies.glob(".*"):
            if is_temporary(leftover.name):
                _remove_older(leftover, kept_s)


def _remove_older(leftover: Path, age_s: float) -> None:
    """Remove a render's folder when nobody has written into it for a time."""
    with contextlib.suppress(FileNotFoundError):  # it ended at this moment
        written_s = [item.stat().st_mtime for item in (leftover, *leftover.glob("*"))]
        if not age_s or time.time() - max(written_s) > age_s:
            shutil.rmtree(str(leftover), ignore_errors=True)
