"""The verbs that every host offers, free of any framework.

They take and return plain JSON-able data or a path, and raise only our errors. One
service owns one microscope and one data folder.
"""

import threading
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from openflexure_timelapse.engine import Engine
from openflexure_timelapse.errors import (
    DiskFullError,
    NotFoundError,
    RunActiveError,
    StorageError,
    TimelapseError,
    WrongPhaseError,
)
from openflexure_timelapse.estimate import Estimate, estimate
from openflexure_timelapse.hosts.admission import admit, header_of
from openflexure_timelapse.hosts.jobs import MovieJobs
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.plan import (
    Plan,
    parse_plan,
    plan_schema,
)
from openflexure_timelapse.ports import Clock, Disk, Microscope, Observer
from openflexure_timelapse.recipe import parse_recipe
from openflexure_timelapse.run_state import EndReason, Phase
from openflexure_timelapse.schedule import seconds_to_ns
from openflexure_timelapse.status import local_time
from openflexure_timelapse.store import catalogue
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["ACTIVE_MARK", "Service", "interrupted_run"]

NS_PER_S = 1_000_000_000
ACTIVE_MARK = ".active"


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
        self._lock = threading.Lock()
        self._engine: Optional[Engine] = None
        self._run_id = ""
        self._thread: Optional[threading.Thread] = None

    # -------------------------------------------------------------------- run control

    def status(self) -> Dict[str, Any]:
        """Return the active or last run's status; the phase ``idle`` before any."""
        with self._lock:
            engine, run_id = self._engine, self._run_id
        jobs = self.movies.job_ids(run_id)
        if engine is None:
            return {"phase": "idle", "run_id": None, "movie_jobs": jobs}
        return {**engine.status().to_json(), "movie_jobs": jobs}

    def estimate(self, plan: Mapping[str, Any]) -> Dict[str, Any]:
        """Return what `plan` would take, in frames, time and space.

        Raises
        ------
        InvalidPlanError, OutOfReachError
            When the plan cannot be run as it is.
        """
        checked = admit(plan, self._microscope, self._clock)
        found = self._estimate(checked)
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
            While another run is active.
        DiskFullError
            When not even the first slot fits.
        """
        checked = admit(plan, self._microscope, self._clock)
        found = self._estimate(checked)
        if found.slots_that_fit < 1:
            free_mb = found.free_bytes / 1e6
            told = f"There are {free_mb:.0f} MB free and the plan leaves "
            told += f"{checked.keep_free_mb} MB free; delete something, or lower "
            raise DiskFullError(told + "keep_free_mb.")
        with self._lock:
            self._refuse_second()
            wall_ns = self._clock.wall_ns()
            offset_s = self._clock.utc_offset_s(wall_ns)
            run_id = catalogue.free_run_id(
                self._data_folder, checked.name, wall_ns, offset_s
            )
            header = header_of(checked, self._microscope, self._clock)
            store = RunStore.create(self._data_folder, run_id, header, self._disk)
            self._disk.write(str(self._mark), run_id.encode())
            self._launch(checked, store)
        return {"run": run_id, "estimate": found.to_json()}

    def resume_interrupted(self) -> Optional[str]:
        """Go on with the run that an earlier process could not end.

        Returns
        -------
        str or None
            Its id; None when there is none.

        Raises
        ------
        DamagedRunError, StorageError
            When it cannot be opened; ``repair`` may mend it.
        """
        run_id = interrupted_run(self._data_folder)
        if run_id is None:
            return None
        with self._lock:
            self._refuse_second()
            store = RunStore.open(self.library.folder(run_id), self._disk)
            try:
                recover(store)
                plan = parse_plan(store.header["plan"])
                state = (store.value("engine") or {}).get("state", {})
            except TimelapseError:
                store.close()
                raise
            if state.get("phase") == Phase.ENDED.value:
                store.close()
                self._disk.remove(str(self._mark))
                return None
            self._launch(plan, store)
        return run_id

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

    @property
    def _mark(self) -> Path:
        """The file that names the run to be resumed after a power cut."""
        return self._data_folder / ACTIVE_MARK

    def _estimate(self, plan: Plan) -> Estimate:
        """Estimate with the present hardware and disk."""
        starts_in_ns = seconds_to_ns(plan.start_in_s or 0.0)
        if plan.start_at is not None:
            starts_in_ns = int(plan.start_at.timestamp() * NS_PER_S)
            starts_in_ns -= self._clock.wall_ns()
        return estimate(
            plan,
            self._microscope.camera.describe(),
            self._microscope.stage.describe(),
            free_bytes=self._disk.free_bytes(str(self._data_folder)),
            starts_in_ns=starts_in_ns,
        )

    def _refuse_second(self) -> None:
        """Allow one active run at a time."""
        if self._thread is not None and self._thread.is_alive():
            told = f"The run {self._run_id} is active; "
            raise RunActiveError(told + "stop it first, or wait until it has ended.")

    def _active(self, verb: str) -> Engine:
        """Return the engine of the active run."""
        with self._lock:
            engine, thread = self._engine, self._thread
        if engine is None or thread is None or not thread.is_alive():
            raise WrongPhaseError(f"No run is active; there is nothing to {verb}.")
        return engine

    def _launch(self, plan: Plan, store: RunStore) -> None:
        """Run an engine on a thread of its own."""
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
            state = engine.run()
            frames = store.totals().frames
        finally:
            store.close()
        if state.phase is not Phase.ENDED:
            return
        self._disk.remove(str(self._mark))
        if plan.movie is not None and frames and state.end_reason in _WORTH_A_MOVIE:
            self.movies.add(store.run_id, plan.movie)


_WORTH_A_MOVIE: List[Optional[EndReason]] = [EndReason.COMPLETED, EndReason.STOPPED]


def interrupted_run(data_folder: Path) -> Optional[str]:
    """Return the id of the run that waits to be resumed, None when none does.

    Raises
    ------
    StorageError
        When the mark is there and cannot be read.
    """
    mark = data_folder / ACTIVE_MARK
    try:
        return mark.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        told = f"{mark} cannot be read ({exc.strerror}); check the data folder."
        raise StorageError(told) from exc
