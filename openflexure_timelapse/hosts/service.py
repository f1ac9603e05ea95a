"""The verbs that every host offers, free of any framework.

They take and return plain JSON-able data or a path, and raise only our errors. One
service owns one microscope and one data folder.
"""

import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from openflexure_timelapse.errors import NotFoundError
from openflexure_timelapse.hosts.admission import admit, estimate_now
from openflexure_timelapse.hosts.films import Films
from openflexure_timelapse.hosts.job_book import JobBook
from openflexure_timelapse.hosts.jobs import JobQueue
from openflexure_timelapse.hosts.leftovers import sweep
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.mover import Mover
from openflexure_timelapse.hosts.notifier import Notifier
from openflexure_timelapse.hosts.notify_file import NotifyFile
from openflexure_timelapse.hosts.overview import RunOverview
from openflexure_timelapse.hosts.preferences import PreferenceFile
from openflexure_timelapse.hosts.recorder import Recorder
from openflexure_timelapse.hosts.sharing import Sharing
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.turns import Turns
from openflexure_timelapse.plan import Plan, plan_schema
from openflexure_timelapse.ports import Clock, Disk, Microscope, Observer
from openflexure_timelapse.recipe import parse_recipe
from openflexure_timelapse.run_state import EndReason, RunStatus
from openflexure_timelapse.status import local_time

__all__ = ["Service"]

NS_PER_S = 1_000_000_000
PATIENCE_S = 2.0
"""How long a request waits for a list of names that is being read."""
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
    notify_file : Path, optional
        Names whom to tell; None to look where this computer may have one.

    Raises
    ------
    StorageError
        When the data folder can be neither made nor read.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (the ports that it uses)
        self,
        data_folder: Path,
        microscope: Microscope,
        clock: Clock,
        disk: Disk,
        observers: Sequence[Observer] = (),
        notify_file: Optional[Path] = None,
    ) -> None:
        self._data_folder = data_folder
        self._microscope = microscope
        self._clock = clock
        self._disk = disk
        disk.make_folder(str(data_folder))
        sweep(data_folder)
        self.library = Library(data_folder, clock, disk)
        self.queue = JobQueue(self.library, JobBook(data_folder, disk))
        self.preferences = PreferenceFile(data_folder, disk)
        self.overview = RunOverview(self.library, clock)
        self.sharing = Sharing(self.library, self.queue, clock, disk, PATIENCE_S)
        turns = Turns(microscope, clock)
        self._mover = Mover(turns, clock)
        self.notifier = Notifier(NotifyFile(notify_file), RealClock(), self._note)
        self._films = Films(
            self.library,
            RealClock(),
            lambda: self._recorder.run_id,
            lambda: self.queue.is_busy,
        )
        self._recorder = Recorder(
            data_folder,
            turns.user(),
            clock,
            disk,
            (*observers, self._films),
            self.notifier,
            self._finish,
        )

    # -------------------------------------------------------------------- run control

    @property
    def is_recording(self) -> bool:
        """Whether a run of this process is under way."""
        return self._recorder.is_recording

    @property
    def is_busy(self) -> bool:
        """Whether a run is under way, or a job on one is, or waits."""
        return self.is_recording or self.queue.is_busy

    @property
    def is_well(self) -> bool:
        """Whether no run of this process is stuck, as far as somebody looks."""
        return self._recorder.is_well

    def status(self) -> Dict[str, Any]:
        """Return the active or last run's status; the phase ``idle`` before any."""
        jobs = self.queue.movie_ids(self._recorder.run_id)
        told = self._recorder.status()
        others = (*self._films.warnings(), *self.notifier.warnings())
        warnings = [*told.get("warnings", ()), *others]
        more = {"warnings": warnings, "tells": self.notifier.tells()}
        return {**told, "movie_jobs": jobs, **more}

    def start(self, plan: Mapping[str, Any]) -> Dict[str, Any]:
        """Start a run and return its id; see `Recorder.start`."""
        return self._recorder.start(plan)

    def wait_for_hardware(self, leaving: threading.Event) -> None:
        """Wait, for half a minute at most, until the camera of a waiting run answers.

        A server may enter its parts one after another, ours among the first. See
        `Recorder.wait_for_hardware`.
        """
        self._recorder.wait_for_hardware(leaving)

    def resume_interrupted(self, *, give_up: bool = False) -> Optional[str]:
        """Go on with what an earlier process could not end.

        See `Recorder.resume_interrupted`.
        """
        return self._recorder.resume_interrupted(give_up=give_up)

    def pause(self) -> Dict[str, Any]:
        """Pause the active run.

        Raises
        ------
        WrongPhaseError
            When no run is active or it is not running.
        """
        self._recorder.pause()
        return self.status()

    def resume(self) -> Dict[str, Any]:
        """Go on with the paused run.

        Raises
        ------
        WrongPhaseError
            When no run is active or it is not paused.
        """
        self._recorder.resume()
        return self.status()

    def stop(self) -> Dict[str, Any]:
        """End the active run.

        Raises
        ------
        WrongPhaseError
            When no run is active.
        """
        self._recorder.stop()
        return self.status()

    def go_to(self, target: Mapping[str, Any]) -> Dict[str, Any]:
        """Move the stage for somebody who wants to look; see `Mover.go_to`.

        Raises
        ------
        WrongPhaseError
            While a run is active and not paused.
        InvalidRequestError, OutOfReachError, HardwareError
            As `Mover.go_to` does.
        """
        self._recorder.check_stage_is_free()
        return {"position": self._mover.go_to(target)}

    def wait(self, timeout_s: Optional[float] = None) -> bool:
        """Wait until no run is active, at most `timeout_s`; True when none is."""
        return self._recorder.wait(timeout_s)

    def close(self) -> None:
        """Leave an active run, and movies, for a later process to go on with."""
        self._recorder.leave()
        self._films.close()
        self.queue.close()
        self.sharing.close()
        self._recorder.close()
        self.notifier.close()

    def _note(self, kind: str, details: Mapping[str, Any]) -> None:
        """Put an event on record of the run that is under way."""
        self._recorder.note(kind, details)

    def _finish(self, plan: Plan, status: RunStatus, over: Callable[[], None]) -> None:
        """Make the movies that the plan asks for; then the run is over."""
        self._films.rest(status.run_id)

        def over_with_films() -> None:
            self._films.forget(status.run_id)
            over()

        worth = status.last_frame is not None and status.end_reason in WORTH_A_MOVIE
        if plan.movie is not None and worth:
            self.queue.add_movies(status.run_id, plan.movie, over_with_films)
        else:
            over_with_films()

    # ------------------------------------------------------------- looking and making

    def estimate(self, plan: Mapping[str, Any]) -> Dict[str, Any]:
        """Return what `plan` would take, in frames, time and space.

        Raises
        ------
        InvalidPlanError, OutOfReachError
            When the plan cannot be run as it is.
        """
        free_bytes = self._disk.free_bytes(str(self._data_folder))
        checked = admit(plan, self._microscope, self._clock)
        found = estimate_now(checked, self._microscope, self._clock, free_bytes)
        ends_at = None
        if found.ends_in_s is not None:
            ends_ns = self._clock.wall_ns() + int(found.ends_in_s * NS_PER_S)
            ends_at = local_time(self._clock, ends_ns)
        return {**found.to_json(), "ends_at": ends_at}

    def plan_schema(self) -> Dict[str, Any]:
        """Return the JSON Schema of a plan."""
        return plan_schema()

    def microscope(self) -> Dict[str, Any]:
        """Return what the microscope is and where its stage stands.

        Raises
        ------
        HardwareError
            When the stage does not tell.
        """
        camera, stage = self._microscope.camera, self._microscope.stage
        return {
            "microscope": self._microscope.describe(),
            "camera": asdict(camera.describe()),
            "stage": {**asdict(stage.describe()), "position": asdict(stage.position())},
            "light": self._microscope.light is not None,
            "focuser": self._microscope.focuser is not None,
        }

    def runs(self, after: str = "", limit: int = 50) -> Dict[str, Any]:
        """Return a page of runs, newest first."""
        return self.library.runs(after, limit)

    def run(self, run_id: str) -> Dict[str, Any]:
        """Return everything about one run but its frames."""
        return self.library.run(run_id)

    def frames(
        self,
        run_id: str,
        after: int = 0,
        limit: int = 100,
        position: Optional[str] = None,
        slot: Optional[int] = None,
    ) -> Dict[str, Any]:
        """Return a page of frames, of one position and of one slot if so asked."""
        return self.library.frames(run_id, after, limit, position, slot)

    def slots(self, run_id: str, after: int = 0, limit: int = 100) -> Dict[str, Any]:
        """Return a page of slot outcomes."""
        return self.library.slots(run_id, after, limit)

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
        run_id = self._recorder.run_id
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
        DiskFullError, StorageError
            When what is asked for cannot be kept.
        """
        return {"jobs": self.queue.add_movies(run_id, parse_recipe(recipe))}

    def verify(self, run_id: str) -> Dict[str, Any]:
        """Queue a check of a run, also of one that is being recorded.

        Raises
        ------
        NotFoundError
            When there is no such run.
        """
        return {"job": self.queue.add_check(run_id)}

    def jobs(self) -> Dict[str, Any]:
        """Return the movies and checks that wait, are under way, or ended lately."""
        return {"jobs": self.queue.jobs()}

    def cancel_job(self, job_id: str) -> Dict[str, Any]:
        """Cancel one of them."""
        return self.queue.cancel(job_id)

    def files(self, run_id: str) -> Dict[str, Any]:
        """Return a run's files that are not frames."""
        return self.library.files(run_id)

    def file(self, run_id: str, name: str) -> Path:
        """Return the path of one of them."""
        return self.library.file(run_id, name)

    def delete_bundle(self, run_id: str, name: str, confirm: str) -> Dict[str, Any]:
        """Delete a bundle of a run; `confirm` is its name once more."""
        return self.library.delete_bundle(run_id, name, confirm)

    def delete(self, run_id: str, confirm: str) -> Dict[str, Any]:
        """Delete a run; `confirm` is its id once more."""
        return self.library.delete(run_id, confirm)
