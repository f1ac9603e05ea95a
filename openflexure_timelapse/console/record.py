"""Recording in the foreground: start or resume, show progress, wait for the movies."""

import contextlib
import shlex
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Dict, Iterator, List, Mapping, Optional

from rich.progress import Progress, TaskID

from openflexure_timelapse.console.printing import Printer, run_note
from openflexure_timelapse.formats import FORMAT_NAMES, STILLS
from openflexure_timelapse.hosts.jobs import JobQueue
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.recipe import parse_recipe

__all__ = ["follow", "interruptible", "make_movies"]

LOOK_S = 0.1
ROOM_S = 15.0
"""How long a run that has ended may wait for room on the disk before it is left."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into an event, for the length of a ``with`` block."""
    event = threading.Event()

    def take(_number: int, _frame: Optional[FrameType]) -> None:
        event.set()

    before = {number: signal.signal(number, take) for number in SIGNALS}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def follow(
    service: Service,
    run_id: str,
    printer: Printer,
    interrupted: threading.Event,
    extra_movie: Optional[Mapping[str, Any]] = None,
) -> Dict[str, Any]:
    """Show a run until it has ended, then its movies until they are made.

    Parameters
    ----------
    service : Service
        Whose active run is shown.
    run_id : str
        Of that run.
    printer : Printer
        Shows it.
    interrupted : threading.Event
        Set by Ctrl-C: the run is then left as it is, to be resumed. Set here when the
        disk has no room for the run's end.
    extra_movie : mapping or None
        A recipe besides the plan's own.

    Returns
    -------
    dict
        JSON-able: the last status, the folder, why slots have no frame, the movies with
        their remarks and problems, and whether the run was left.
    """
    ended: Dict[str, Any] = {"movies": [], "remarks": [], "problems": []}
    with printer.progress() as progress:
        bar = progress.add_task("Recording", total=None, note="")
        waited_s = 0.0
        while not service.wait(LOOK_S) and not interrupted.is_set():
            status = service.status()
            _show(progress, bar, status)
            is_stuck = status["phase"] == "finishing" and status["rows_waiting"] > 0
            waited_s = waited_s + LOOK_S if is_stuck else 0.0
            if waited_s > ROOM_S:
                interrupted.set()
        if interrupted.is_set():
            service.close()
        status = service.status()
        left = interrupted.is_set() and status["phase"] != "ended"
        _show(progress, bar, status)
        if not left:
            if extra_movie is not None and status["last_frame"] is not None:
                service.make_movie(run_id, extra_movie)
            ended = _watch(
                service.library, service.queue, run_id, progress, interrupted
            )
    return {
        "run": run_id,
        "folder": str(service.library.folder(run_id)),
        "left": left,
        "status": status,
        "reasons": service.library.reasons(run_id),
        **ended,
    }


def make_movies(
    library: Library, run_id: str, recipe: Mapping[str, Any], printer: Printer
) -> Dict[str, Any]:
    """Make the movies of one recipe and show the progress.

    Returns
    -------
    dict
        JSON-able: the paths of the movies, remarks on them, and what went wrong with
        others.

    Raises
    ------
    InvalidRecipeError, NotFoundError
        When the recipe or the run is not good for it.
    """
    queue = JobQueue(library)
    try:
        queue.add_movies(run_id, parse_recipe(recipe))
        with interruptible() as interrupted, printer.progress() as progress:
            return _watch(library, queue, run_id, progress, interrupted)
    finally:
        queue.close()


def _watch(
    library: Library,
    queue: JobQueue,
    run_id: str,
    progress: Progress,
    interrupted: threading.Event,
) -> Dict[str, Any]:
    """Show the run's movies being made until all of them have ended."""
    ended = [
        _movie(queue, job_id, progress, interrupted)
        for job_id in queue.movie_ids(run_id)
    ]
    folder = library.folder(run_id)
    done = [job for job in ended if job["state"] == "done"]
    return {
        "movies": [str(folder / job["file"]) for job in done],
        "remarks": [
            f"{Path(job['file']).name}: {job['message']}"
            for job in done
            if job["message"]
        ],
        "problems": [_problem(job, folder) for job in ended if job["state"] != "done"],
    }


def _problem(job: Mapping[str, Any], folder: Path) -> str:
    """Return why a movie is not there; for a cancelled one, how to make it."""
    if job["state"] != "cancelled":
        return str(job["message"])
    told = f"The {_kind(job)} of {_place(job)} was not made; make it with: "
    return told + " ".join(map(shlex.quote, _command(job, folder)))


def _command(job: Mapping[str, Any], folder: Path) -> List[str]:
    """Return the command that makes the movie of a job."""
    words = ["openflexure-timelapse", "movie", str(folder)]
    recipe = {**job["recipe"], "position": job["position"]}
    for name, value in recipe.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif isinstance(value, list):
            words.append(f"--{option}={','.join(map(str, value))}")
        elif isinstance(value, dict):
            words.append(f"--{option}={','.join(map(str, value.values()))}")
        elif value != "":
            words.append(f"--{option}={value}")
    return words


def _kind(job: Mapping[str, Any]) -> str:
    """Return what a job makes, as people write it."""
    view = job["recipe"].get("view")
    return view if view in STILLS else FORMAT_NAMES[job["recipe"].get("format", "mp4")]


def _place(job: Mapping[str, Any]) -> str:
    """Return what a job's movie shows."""
    return str(job["position"] or "all positions")


def _movie(
    queue: JobQueue,
    job_id: str,
    progress: Progress,
    interrupted: threading.Event,
) -> Dict[str, Any]:
    """Show one movie being made."""
    job = queue.wait(job_id, 0)
    bar = progress.add_task(f"{_kind(job)} of {_place(job)}", total=None, note="")
    while job["state"] in ("queued", "running"):
        if interrupted.is_set():
            queue.cancel(job_id)
        job = queue.wait(job_id, LOOK_S)
        progress.update(bar, completed=job["done"], total=job["total"] or None)
    return job


def _show(progress: Progress, bar: TaskID, status: Mapping[str, Any]) -> None:
    """Bring the bar up to date."""
    done = sum(status["counts"].values())
    progress.update(bar, completed=done, total=status["slots"], note=run_note(status))
