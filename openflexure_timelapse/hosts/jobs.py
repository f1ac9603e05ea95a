"""Work on runs beside the recording: one job at a time, cancellable, remembered."""

import threading
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from openflexure_timelapse.errors import NotFoundError, StorageError
from openflexure_timelapse.hosts.job import Batch, Job
from openflexure_timelapse.hosts.job_book import JobBook, Ordered
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.movie_job import (
    MovieJob,
    check_means,
    check_recipe,
    file_name,
    shown_places,
)
from openflexure_timelapse.hosts.verify_job import VerifyJob
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.store import layout

__all__ = ["JobQueue"]

KEPT = 100
MOST_TRIES = 3
"""A movie that ended the program so often would end it again."""


class JobQueue:
    """A queue of movies, of bundles and of checks, which wait for one another.

    Parameters
    ----------
    library : Library
        Where the runs are.
    book : JobBook, optional
        Keeps what people ask for until it is made; without it, it ends with us.
    """

    def __init__(self, library: Library, book: Optional[JobBook] = None) -> None:
        self._library = library
        self._book = book
        self._lock = threading.Condition()
        self._jobs: List[Job] = []
        self._thread: Optional[threading.Thread] = None
        self._closing = False
        self._trouble: Optional[StorageError] = None
        self._earlier = self._read_book()
        self._kept = list(self._earlier)
        self._made = max([0, *(ordered.number for ordered in self._earlier)])

    def add_movies(
        self, run_id: str, recipe: Recipe, then: Optional[Callable[[], None]] = None
    ) -> List[Dict[str, Any]]:
        """Queue the movies that the recipe asks for: of each position, or of all.

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
            When the run has no such position or plane, or no frames at all; or when
            this computer has no such codec.
        DiskFullError, StorageError
            When what is asked for cannot be kept; nothing is queued.
        """
        with self._library.open_read(run_id) as store:
            plan = parse_plan(store.header["plan"])
            frames, last = store.totals().frames, store.last_frame()
        check_recipe(plan, recipe, run_id, frames)
        if then is None:
            check_means(recipe, last)
        names = shown_places(plan, recipe)
        batch = None
        if then is not None:
            movies = self._library.folder(run_id) / layout.MOVIES
            files = [movies / file_name(recipe, name) for name in names]
            names = [name for name, file in zip(names, files) if not file.exists()]
            if not names:
                then()
            batch = Batch(len(names), then)
        with self._lock:
            new = [
                MovieJob(self._name(), run_id, batch, self._library, name, recipe)
                for name in names
            ]
            if batch is None:
                self._keep([*self._jobs, *new])
            return self._put(new)

    def take_up(self) -> None:
        """Go on with the movies that people asked an earlier process for.

        Raises
        ------
        StorageError
            When nobody can tell what they are, or that they were taken up.
        """
        with self._lock:
            earlier, self._earlier = self._earlier, ()
            self._put([self._taken_up(ordered) for ordered in earlier])
            self._keep(self._jobs)
        if self._trouble is not None:
            raise self._trouble

    def _taken_up(self, ordered: Ordered) -> MovieJob:
        """Return an earlier process's movie; one that ended it too often has failed."""
        job = MovieJob.ordered(ordered, self._library)
        if job.tries >= MOST_TRIES:
            job.state = "failed"
            told = f"The program ended {job.tries} times while this movie was made; "
            job.message = told + "ask for a smaller one."
        return job

    def _read_book(self) -> Tuple[Ordered, ...]:
        """Return what an earlier process has left; what is wrong is told later."""
        try:
            return () if self._book is None else self._book.read()
        except StorageError as exc:
            self._trouble = exc
            return ()

    def _keep(self, jobs: Iterable[Job]) -> None:
        """Keep which movies are not made yet; the caller has the lock."""
        if self._book is None or self._closing:
            return
        movies = [job for job in jobs if isinstance(job, MovieJob) and not job.is_over]
        kept = [job.to_order() for job in movies if job.batch is None]
        if [*self._earlier, *kept] != self._kept:
            self._kept = [*self._earlier, *kept]
            self._book.write(self._kept)

    def add_check(self, run_id: str) -> Dict[str, Any]:
        """Queue a check of a run, or return the one that waits or is under way.

        Raises
        ------
        NotFoundError
            When there is no such run.
        """
        self._library.folder(run_id)
        with self._lock:
            for job in self._jobs:
                is_check = isinstance(job, VerifyJob) and job.run_id == run_id
                if is_check and not job.is_over:
                    return job.to_json()
            name = self._name("verify")
            return self._put([VerifyJob(name, run_id, self._library)])[0]

    def add(self, kind: str, make: Callable[[str], Job]) -> Dict[str, Any]:
        """Queue a job that ends with this program.

        Parameters
        ----------
        kind : str
            Of the job.
        make : callable
            Makes it, given its name.
        """
        with self._lock:
            return self._put([make(self._name(kind))])[0]

    def _name(self, kind: str = "movie") -> str:
        """Return the name of a new job."""
        self._made += 1
        return f"{kind}-{self._made}"

    def _put(self, jobs: Sequence[Job]) -> List[Dict[str, Any]]:
        """Queue jobs; the caller has the lock."""
        self._jobs = [*self._jobs, *jobs]
        self._forget_old()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name="timelapse-jobs", daemon=True
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
        """Whether a job is under way or waits."""
        with self._lock:
            return any(not job.is_over for job in self._jobs)

    def movie_ids(self, run_id: str) -> List[str]:
        """Return the ids of a run's movies."""
        with self._lock:
            found = [job for job in self._jobs if job.run_id == run_id]
            return [job.id for job in found if isinstance(job, MovieJob)]

    def cancel(self, job_id: str) -> Dict[str, Any]:
        """Cancel a job that waits or is under way; an ended one stays as it is.

        Raises
        ------
        NotFoundError
            When there is no such job.
        """
        with self._lock:
            job = self._find(job_id)
            was_queued, is_running = job.state == "queued", job.state == "running"
            if was_queued:
                job.state = "cancelled"
                job.message = self._kept_anew()
        if was_queued:
            self._after(job)
        elif is_running:
            job.cancel()
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
        """End everything and let the thread end; movies are left to those after us."""
        with self._lock:
            thread, jobs = self._thread, list(self._jobs)
            for job in jobs:
                job.tries -= job.state == "running"  # it is not the movie's doing
            self._kept_anew()
            self._closing = True
            for job in jobs:
                job.batch = None
            self._lock.notify_all()
        for job in jobs:
            if not job.is_over:
                self.cancel(job.id)
        if thread is not None:
            thread.join()

    def _find(self, job_id: str) -> Job:
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
        """Do one job after the other until closed."""
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._closing or self._next() is not None)
                job = self._next()
                if self._closing or job is None:
                    return
                job.state = "running"
                job.tries += 1
                remark = self._kept_anew()
            state, message = job.run()
            with self._lock:
                job.state, job.message = state, message
                remark = self._kept_anew() or remark
                job.message = "; ".join(filter(None, (message, remark)))
            self._after(job)

    def _kept_anew(self) -> str:
        """Keep how the movies stand; return what a person should know of it."""
        try:
            self._keep(self._jobs)
        except StorageError as exc:
            return f"after a restart it may be made again: {exc}"
        return ""

    def _next(self) -> Optional[Job]:
        """Return the oldest job that waits."""
        return next((job for job in self._jobs if job.state == "queued"), None)

    def _after(self, job: Job) -> None:
        """Tell that a job has ended; after the last of its batch, do what it asks."""
        then = None
        with self._lock:
            if job.batch is not None:
                job.batch.left -= 1
                then = None if job.batch.left else job.batch.then
            self._lock.notify_all()
        if then is not None:
            then()
