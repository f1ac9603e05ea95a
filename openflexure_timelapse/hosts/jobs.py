"""Movies being made: one at a time, each in a process of its own, cancellable."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

from openflexure_timelapse.errors import (
    InvalidRecipeError,
    NotFoundError,
    RenderError,
    TimelapseError,
)
from openflexure_timelapse.frame import Reason
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.movie.render import MovieContext, MovieFrame, RenderJob
from openflexure_timelapse.plan import Plan, parse_plan, slug
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.schedule import grid_of
from openflexure_timelapse.store import layout
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["MovieJobs", "movie_frames"]

KEPT = 100


@dataclass
class _Batch:
    """The movies of one request, and what is done when all of them have ended.

    Attributes
    ----------
    left : int
        How many have not ended yet.
    then : callable
        Called once, unless the queue was closed before.
    """

    left: int
    then: Callable[[], None]


@dataclass
class _Job:
    """One movie of one position."""

    id: str
    run_id: str
    position: str
    recipe: Recipe
    state: str = "queued"
    message: str = ""
    file: Optional[str] = None
    render: Optional[RenderJob] = None
    batch: Optional[_Batch] = None
    is_cancelled: bool = False

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state not in ("queued", "running")

    def to_json(self) -> Dict[str, Any]:
        """Return what the API shows."""
        done, total, fraction = 0, 0, 0.0
        if self.render is not None:
            progress = self.render.progress()
            done, total, fraction = progress.done, progress.total, progress.fraction
        return {
            "job": self.id,
            "kind": "movie",
            "run": self.run_id,
            "position": self.position,
            "recipe": self.recipe.to_json(),
            "state": self.state,
            "done": done,
            "total": total,
            "fraction": fraction,
            "message": self.message,
            "file": self.file,
        }


class MovieJobs:
    """A queue of movies.

    Parameters
    ----------
    library : Library
        Where the runs are.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Condition()
        self._jobs: List[_Job] = []
        self._made = 0
        self._thread: Optional[threading.Thread] = None
        self._closing = False

    def add(
        self, run_id: str, recipe: Recipe, then: Optional[Callable[[], None]] = None
    ) -> List[Dict[str, Any]]:
        """Queue a movie for each position that the recipe asks for.

        Parameters
        ----------
        run_id, recipe
            Of what, and how.
        then : callable, optional
            Called once when all of them have ended, in whatever way; not when `close`
            ended them. With it, positions that have a movie already are left out.

        Raises
        ------
        NotFoundError
            When there is no such run.
        InvalidRecipeError
            When the run has no such position or plane, or no frames at all.
        """
        with self._library.open_read(run_id) as store:
            plan = parse_plan(store.header["plan"])
            frames = store.totals().frames
        _check(plan, recipe, run_id, frames)
        names = [recipe.position] if recipe.position else list(plan.position_names())
        batch = None
        if then is not None:
            movies = self._library.folder(run_id) / layout.MOVIES
            files = [movies / f"{slug(name)}.{recipe.format}" for name in names]
            names = [name for name, file in zip(names, files) if not file.exists()]
            if not names:
                then()
            batch = _Batch(len(names), then)
        with self._lock:
            jobs = []
            for name in names:
                self._made += 1
                job = _Job(f"movie-{self._made}", run_id, name, recipe, batch=batch)
                jobs.append(job)
            self._jobs = [*self._jobs, *jobs]
            self._forget_old()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="timelapse-movies", daemon=True
                )
                self._thread.start()
            self._lock.notify_all()
            return [job.to_json() for job in jobs]

    def jobs(self) -> List[Dict[str, Any]]:
        """Return every job that is remembered, oldest first."""
        with self._lock:
            return [job.to_json() for job in self._jobs]

    @property
    def is_busy(self) -> bool:
        """Whether a movie is being made or waits."""
        with self._lock:
            return any(not job.is_over for job in self._jobs)

    def job_ids(self, run_id: str) -> List[str]:
        """Return the ids of a run's jobs."""
        with self._lock:
            return [job.id for job in self._jobs if job.run_id == run_id]

    def cancel(self, job_id: str) -> Dict[str, Any]:
        """Cancel a job that waits or is under way; an ended one stays as it is.

        Raises
        ------
        NotFoundError
            When there is no such job.
        """
        with self._lock:
            job = self._find(job_id)
            job.is_cancelled = not job.is_over
            was_queued = job.state == "queued"
            if was_queued:
                job.state = "cancelled"
            render = job.render
        if was_queued:
            self._after(job)
        elif render is not None:
            render.cancel()
        return job.to_json()

    def wait(self, job_id: str, timeout_s: Optional[float] = None) -> Dict[str, Any]:
        """Wait until a job has ended, at most `timeout_s`, and return it.

        Raises
        ------
        NotFoundError
            When there is no such job.
        """
        with self._lock:
            job = self._find(job_id)
            self._lock.wait_for(lambda: job.is_over, timeout_s)
            return job.to_json()

    def close(self) -> None:
        """Cancel everything and let the thread end."""
        with self._lock:
            self._closing = True
            thread, jobs = self._thread, list(self._jobs)
            for job in jobs:
                job.batch = None
            self._lock.notify_all()
        for job in jobs:
            if not job.is_over:
                self.cancel(job.id)
        if thread is not None:
            thread.join()

    def _find(self, job_id: str) -> _Job:
        """Return the job of that id."""
        for job in self._jobs:
            if job.id == job_id:
                return job
        known = ", ".join(job.id for job in self._jobs) or "none"
        raise NotFoundError(f"There is no job {job_id!r}; known: {known}.")

    def _forget_old(self) -> None:
        """Keep the list short: ended jobs go first, oldest first."""
        surplus = len(self._jobs) - KEPT
        for job in list(self._jobs):
            if surplus > 0 and job.is_over:
                self._jobs.remove(job)
                surplus -= 1

    # -------------------------------------------------------------------- the thread

    def _work(self) -> None:
        """Make one movie after the other until closed."""
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._closing or self._next() is not None)
                job = self._next()
                if self._closing or job is None:
                    return
                job.state = "running"
            self._make(job)

    def _next(self) -> Optional[_Job]:
        """Return the oldest job that waits."""
        return next((job for job in self._jobs if job.state == "queued"), None)

    def _make(self, job: _Job) -> None:
        """Make one movie; whatever happens becomes the job's end."""
        state, message, file = "failed", "", None
        try:
            render, out_path = self._render(job)
            with self._lock:
                job.render = render
                if job.is_cancelled:
                    render.cancel()
            render.start()
            ended = render.wait()
            state, message = ended.state, ended.message
            if state == "done":
                file = f"{layout.MOVIES}/{out_path.name}"
        except TimelapseError as exc:
            message = str(exc)
        except Exception as exc:  # noqa: BLE001 - the outer edge of the movie thread
            message = f"The movie could not be made: {exc!r}."
        with self._lock:
            job.state, job.message, job.file = state, message, file
        self._after(job)

    def _after(self, job: _Job) -> None:
        """Tell that a job has ended; after the last of its batch, do what it asks."""
        then = None
        with self._lock:
            if job.batch is not None:
                job.batch.left -= 1
                then = None if job.batch.left else job.batch.then
            self._lock.notify_all()
        if then is not None:
            then()

    def _render(self, job: _Job) -> "tuple[RenderJob, Path]":
        """Prepare the render of one job."""
        with self._library.open_read(job.run_id) as store:
            plan = parse_plan(store.header["plan"])
            plane = plan.planes.count // 2
            if job.recipe.plane is not None:
                plane = job.recipe.plane
            count = store.count_frames(job.position, plane)
            scale = store.header["camera"]["um_per_pixel"]
            slots, end_reason = _covered(store)
        if count == 0:
            told = f"{job.run_id} has no frames of {job.position!r}, plane {plane}; "
            raise RenderError(told + "choose another position or plane.")
        grid = grid_of(plan)
        context = MovieContext(
            interval_ns=grid.interval_at(0),
            last_interval_ns=grid.interval_at(max(0, slots - 1)),
            um_per_pixel=scale,
            position=job.position if plan.positions else "",
            slots=slots,
            end_reason=end_reason,
        )
        out_path = self._free_name(job)
        frames = movie_frames(self._library, job.run_id, job.position, plane)
        return RenderJob(frames, count, job.recipe, context, str(out_path)), out_path

    def _free_name(self, job: _Job) -> Path:
        """Return a file name that no movie of the run has yet."""
        folder = self._library.folder(job.run_id) / layout.MOVIES
        folder.mkdir(exist_ok=True)
        stem = slug(job.position)
        path = folder / f"{stem}.{job.recipe.format}"
        number = 2
        while path.exists():
            path = folder / f"{stem}_{number}.{job.recipe.format}"
            number += 1
        return path


def movie_frames(
    library: Library, run_id: str, position: str, plane: int
) -> Iterator[MovieFrame]:
    """Yield a position's frames, each with the reason of the gap before it."""
    folder = library.folder(run_id)
    before = -1
    with library.open_read(run_id) as store:
        for frame in library.each_frame(run_id, position, plane):
            draft = frame.draft
            reason = _gap_reason(store, before) if draft.slot > before + 1 else ""
            before = draft.slot
            yield MovieFrame(
                path=str(folder / frame.file),
                slot=draft.slot,
                elapsed_ns=draft.elapsed_ns,
                wall_ns=draft.wall_ns,
                utc_offset_s=draft.utc_offset_s,
                clock_trusted=draft.wall_trusted,
                gap_reason=reason,
            )


def _covered(store: RunStore) -> "tuple[int, str]":
    """Return how many slots a movie covers, and why the last one has no frame.

    What a person gave up is no gap; the movie ends where the run was stopped.
    """
    decided = store.totals().next_slot
    last = store.slot_at(decided - 1)
    if last is None or last.reason is None:
        return decided, ""
    if last.reason is Reason.STOPPED:
        return last.first, ""
    return decided, last.reason.value


def _gap_reason(store: RunStore, before: int) -> str:
    """Return why the slot after `before` has no frame."""
    slot = store.slot_at(before + 1)
    return slot.reason.value if slot is not None and slot.reason is not None else ""


def _check(plan: Plan, recipe: Recipe, run_id: str, frames: int) -> None:
    """Refuse a recipe that asks for what the run does not have."""
    names = plan.position_names()
    if recipe.position is not None and recipe.position not in names:
        known = ", ".join(names)
        told = f"{run_id} has no position {recipe.position!r}; it has: {known}."
        raise InvalidRecipeError(told, [{"field": "position", "reason": told}])
    if recipe.plane is not None and recipe.plane >= plan.planes.count:
        last = plan.planes.count - 1
        told = f"{run_id} has no plane {recipe.plane}; its planes are 0 to {last}."
        raise InvalidRecipeError(told, [{"field": "plane", "reason": told}])
    if frames == 0:
        told = f"{run_id} has no frames yet; wait for the first one."
        raise InvalidRecipeError(told)
