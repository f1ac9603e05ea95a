"""The verbs that every host offers, free of any framework.

They take and return plain JSON-able data or a path, and raise only our errors. One
service owns one microscope and one data folder.
"""

import contextlib
import threading
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from openflexure_timelapse.engine import Engine
from openflexure_timelapse.errors import (
    DiskFullError,
    NotFoundError,
    RunActiveError,
    StorageError,
    WrongPhaseError,
)
from openflexure_timelapse.hosts.admission import admit, estimate_now, header_of
from openflexure_timelapse.hosts.jobs import MovieJobs
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.todo import TodoList, interrupted_run, runs_to_do
from openflexure_timelapse.movie.render import sweep_renders
from openflexure_timelapse.plan import Plan, parse_plan, plan_schema
from openflexure_timelapse.ports import Clock, Disk, Microscope, Observer
from openflexure_timelapse.recipe import parse_recipe
from openflexure_timelapse.run_state import EndReason, Phase, RunStatus
from openflexure_timelapse.status import local_time
from openflexure_timelapse.store import catalogue
from openflexure_timelapse.store.lock import DataLock
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["Service"]

NS_PER_S = 1_000_000_000
WORTH_A_MOVIE = (EndReason.COMPLETED, EndReason.STOPPED)


class Service:
    """Time-lapse for one microscope.

    Parameters
    ----------
    data_folder : Path
        Where the runs are kept; made when missing.
    microscope, clock, disk
        The ports.
    observers : sequence of Observer
        Told of every event of every run.

    Raises
    ------
    StorageError
        When the data folder can be neither made nor read.
    """

    def __init__(
        self,
        data_folder: Path,
        microscope: Microscope,
        clock: Clock,
        disk: Disk,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._data_folder = data_folder
        self._microscope = microscope
        self._clock = clock
        self._disk = disk
        self._observers = observers
        disk.make_folder(str(data_folder))
        catalogue.finish_deletes(data_folder)
        self.library = Library(data_folder, clock, disk)
        self.movies = MovieJobs(self.library)
        self._todo = TodoList(data_folder, disk)
        self._lock = threading.RLock()
        self._data_lock: Optional[DataLock] = None
        self._engine: Optional[Engine] = None
        self._ended: Optional[Dict[str, Any]] = None
        self._run_id = ""
        self._thread: Optional[threading.Thread] = None

    # -------------------------------------------------------------------- run control

    def status(self) -> Dict[str, Any]:
        """Return the active or last run's status; the phase ``idle`` before any."""
        with self._lock:
            engine, run_id, told = self._engine, self._run_id, self._ended
        if engine is not None:
            told = engine.status().to_json()
        jobs = self.movies.job_ids(run_id)
        return {**(told or {"phase": "idle", "run_id": None}), "movie_jobs": jobs}

    def estimate(self, plan: Mapping[str, Any]) -> Dict[str, Any]:
        """Return what `plan` would take, in frames, time and space.

        Raises
        ------
        InvalidPlanError, OutOfReachError
            When the plan cannot be run as it is.
        """
        checked = admit(plan, self._microscope, self._clock)
        found = estimate_now(checked, self._microscope, self._clock, self._free_bytes())
        ends_at = None
        if found.ends_in_s is not None:
            ends_ns = self._clock.wall_ns() + int(found.ends_in_s * NS_PER_S)
            ends_at = local_time(self._clock, ends_ns)
        return {**found.to_json(), "ends_at": ends_at}

    def start(self, plan: Mapping[str, Any]) -> Dict[str, Any]:
        """Start a run and return its id.

        Raises
        ------
        InvalidPlanError, OutOfReachError
            Before anything moves or is written.
        RunActiveError
            While another run is active or waits to be resumed, or another program
            records into the data folder.
        DiskFullError
            When not even the first slot fits.
        """
        checked = admit(plan, self._microscope, self._clock)
        found = estimate_now(checked, self._microscope, self._clock, self._free_bytes())
        if found.slots_that_fit < 1:
            free_mb = found.free_bytes / 1e6
            told = f"There are {free_mb:.0f} MB free and the plan leaves "
            told += f"{checked.keep_free_mb} MB free; delete something, or lower "
            raise DiskFullError(told + "keep_free_mb.")
        with self._lock, contextlib.ExitStack() as undo:
            self._take_folder()
            waiting = interrupted_run(self._data_folder)
            if waiting is not None:
                told = f"The run {waiting} was interrupted and waits; resume it "
                told += "(record --resume) or give it up (record --give-up) "
                raise RunActiveError(told + "before another one starts.")
            run_id = self._free_run_id(checked)
            header = header_of(checked, self._microscope, self._clock)
            store = RunStore.create(self._data_folder, run_id, header, self._disk)
            undo.callback(self._forget, store)
            self._todo.add(run_id)
            self._launch(checked, store)
            undo.pop_all()
        return {"run": run_id, "estimate": found.to_json()}

    def _free_run_id(self, plan: Plan) -> str:
        """Return the id of a run that starts now."""
        wall_ns = self._clock.wall_ns()
        offset_s = self._clock.utc_offset_s(wall_ns)
        return catalogue.free_run_id(self._data_folder, plan.name, wall_ns, offset_s)

    def _forget(self, store: RunStore) -> None:
        """Undo a start that failed before its first slot."""
        store.close()
        self._todo.remove(store.run_id)
        catalogue.delete_run(self._data_folder, store.run_id, store.run_id)

    def resume_interrupted(self, *, give_up: bool = False) -> Optional[str]:
        """Go on with what an earlier process could not end: a run, its movies.

        Of several runs the oldest goes on; the others stay on the list.

        Parameters
        ----------
        give_up : bool
            True to end the run instead, as if it were stopped now.

        Returns
        -------
        str or None
            The id of the run that goes on, or whose movies do; None when there is
            nothing to do.

        Raises
        ------
        RunActiveError
            When another program records into the data folder.
        DamagedRunError, StorageError
            When no run on the list can be opened; ``repair`` may mend one.
        """
        found, trouble = None, None
        with self._lock:
            names = runs_to_do(self._data_folder)
            if names:
                self._take_folder()
            for run_id in names:
                if self._is_recording():
                    break  # one microscope: the next one waits for its turn
                try:
                    self._resume(run_id, give_up=give_up)
                    found = run_id
                except StorageError as exc:
                    trouble = trouble or exc
        if found is None and trouble is not None:
            raise trouble
        return found

    def _resume(self, run_id: str, *, give_up: bool) -> None:
        """Go on with one run on the list, or with its movies when it has ended."""
        sweep_renders(self.library.folder(run_id))
        with contextlib.ExitStack() as undo:
            store = RunStore.open(self.library.folder(run_id), self._disk)
            undo.callback(store.close)
            recover(store)
            plan = parse_plan(store.header["plan"])
            engine = Engine(
                plan, store, self._microscope, self._clock, self._disk, self._observers
            )
            status = engine.status()
            if status.phase is Phase.ENDED:
                self._run_id, self._ended = run_id, status.to_json()
                undo.close()
                self._finish_movies(plan, status)
                return
            if give_up:
                engine.stop()
            self._launch(plan, store, engine)
            undo.pop_all()

    def pause(self) -> Dict[str, Any]:
        """Pause the active run.

        Raises
        ------
        WrongPhaseError
            When no run is active or it is not running.
        """
        self._active("pause").pause()
        return self.status()

    def resume(self) -> Dict[str, Any]:
        """Go on with the paused run.

        Raises
        ------
        WrongPhaseError
            When no run is active or it is not paused.
        """
        self._active("resume").resume()
        return self.status()

    def stop(self) -> Dict[str, Any]:
        """End the active run.

        Raises
        ------
        WrongPhaseError
            When no run is active.
        """
        self._active("stop").stop()
        return self.status()

    def wait(self, timeout_s: Optional[float] = None) -> bool:
        """Wait until no run is active, at most `timeout_s`; True when none is."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
            return not thread.is_alive()
        return True

    def close(self) -> None:
        """Leave an active run for a later process to resume; cancel movies."""
        with self._lock:
            engine, thread = self._engine, self._thread
        if engine is not None and thread is not None:
            engine.leave()
            thread.join()
        self.movies.close()
        with self._lock:
            if self._data_lock is not None:
                self._data_lock.release()
            self._data_lock = None

    # ------------------------------------------------------------- looking and making

    def plan_schema(self) -> Dict[str, Any]:
        """Return the JSON Schema of a plan."""
        return plan_schema()

    def runs(self, after: str = "", limit: int = 50) -> Dict[str, Any]:
        """Return a page of runs, newest first."""
        return self.library.runs(after, limit)

    def run(self, run_id: str) -> Dict[str, Any]:
        """Return everything about one run but its frames."""
        return self.library.run(run_id)

    def frames(self, run_id: str, after: int = 0, limit: int = 100) -> Dict[str, Any]:
        """Return a page of frames."""
        return self.library.frames(run_id, after, limit)

    def frame(self, run_id: str, n: int, width: Optional[int] = None) -> Path:
        """Return the file of one frame, or of a smaller picture of it."""
        return self.library.frame(run_id, n, width)

    def latest(self, width: Optional[int] = None) -> Path:
        """Return the newest frame of the active or last run.

        After a restart that is the last run on disk.

        Raises
        ------
        NotFoundError
            When there is none yet.
        """
        with self._lock:
            run_id = self._run_id
        if not run_id:
            newest = self.library.runs(limit=1)["runs"]
            if not newest:
                raise NotFoundError("There is no frame yet; start a run first.")
            run_id = newest[0]["run"]
        return self.library.latest(run_id, width)

    def make_movie(self, run_id: str, recipe: Mapping[str, Any]) -> Dict[str, Any]:
        """Queue a movie of a run for each position that the recipe asks for.

        Raises
        ------
        InvalidRecipeError, NotFoundError
            When the recipe or the run is not good for it.
        """
        return {"jobs": self.movies.add(run_id, parse_recipe(recipe))}

    def jobs(self) -> Dict[str, Any]:
        """Return the movies that wait, are being made, or were made lately."""
        return {"jobs": self.movies.jobs()}

    def cancel_job(self, job_id: str) -> Dict[str, Any]:
        """Cancel one of them."""
        return self.movies.cancel(job_id)

    def files(self, run_id: str) -> Dict[str, Any]:
        """Return a run's files that are not frames."""
        return self.library.files(run_id)

    def file(self, run_id: str, name: str) -> Path:
        """Return the path of one of them."""
        return self.library.file(run_id, name)

    def delete(self, run_id: str, confirm: str) -> Dict[str, Any]:
        """Delete a run; `confirm` is its id once more."""
        return self.library.delete(run_id, confirm)

    # ------------------------------------------------------------------------ private

    def _free_bytes(self) -> int:
        """Return the space for runs."""
        return self._disk.free_bytes(str(self._data_folder))

    def _is_recording(self) -> bool:
        """Tell whether a run of this process is under way."""
        return self._thread is not None and self._thread.is_alive()

    def _take_folder(self) -> None:
        """Make sure that nobody else records, in this process or in another."""
        if self._is_recording():
            told = f"The run {self._run_id} is active; "
            raise RunActiveError(told + "stop it first, or wait until it has ended.")
        if self._data_lock is None:
            self._data_lock = DataLock(self._data_folder)

    def _active(self, verb: str) -> Engine:
        """Return the engine of the active run."""
        with self._lock:
            engine, thread = self._engine, self._thread
        if engine is None or thread is None or not thread.is_alive():
            raise WrongPhaseError(f"No run is active; there is nothing to {verb}.")
        return engine

    def _launch(
        self, plan: Plan, store: RunStore, engine: Optional[Engine] = None
    ) -> None:
        """Run an engine on a thread of its own."""
        if engine is None:
            engine = Engine(
                plan, store, self._microscope, self._clock, self._disk, self._observers
            )
        self._engine, self._run_id = engine, store.run_id
        self._thread = threading.Thread(
            target=self._run, args=(engine, plan, store), name="timelapse", daemon=True
        )
        self._thread.start()

    def _run(self, engine: Engine, plan: Plan, store: RunStore) -> None:
        """Run to the end; then make the movie that the plan asks for."""
        try:
            engine.run()
        finally:
            store.close()
        if engine.closed:
            self._finish_movies(plan, engine.status())

    def _finish_movies(self, plan: Plan, status: RunStatus) -> None:
        """Make the movies that the plan asks for; then the run is over."""

        def over() -> None:
            with self._lock:
                self._todo.remove(status.run_id)

        worth = status.last_frame is not None and status.end_reason in WORTH_A_MOVIE
        if plan.movie is not None and worth:
            self.movies.add(status.run_id, plan.movie, over)
        else:
            over()
