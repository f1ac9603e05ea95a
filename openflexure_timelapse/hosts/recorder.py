"""Running runs: at most one at a time, each on a thread, each outliving its process."""

import contextlib
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from openflexure_timelapse.engine import Engine
from openflexure_timelapse.errors import (
    DiskFullError,
    HardwareBusyError,
    HardwareTimeoutError,
    RunActiveError,
    StorageError,
    WrongPhaseError,
)
from openflexure_timelapse.hosts.admission import (
    admit,
    check_hardware,
    estimate_now,
    header_of,
)
from openflexure_timelapse.hosts.todo import TodoList, interrupted_run, runs_to_do
from openflexure_timelapse.movie.render import sweep_renders
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.ports import Clock, Disk, Lane, Microscope, Observer
from openflexure_timelapse.run_state import Phase, RunEvent, RunStatus
from openflexure_timelapse.store import catalogue
from openflexure_timelapse.store.lock import DataLock
from openflexure_timelapse.store.mounted import Mounted
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["Recorder"]

LOOKS = 60
LOOK_S = 0.5
LOOK_DEADLINE_NS = 5_000_000_000
LOOKS_PER_HUNG_ONE = 10
"""One that hangs takes the time of so many."""

Finish = Callable[[Plan, RunStatus, Callable[[], None]], None]


class Recorder:
    """Starts runs, goes on with interrupted ones, and steers the active one.

    Parameters
    ----------
    data_folder : Path
        Must exist.
    microscope, clock, disk
        The ports.
    observers : sequence of Observer
        Told of every event of every run.
    finish : callable
        Called with the plan, the last status and a function, when a run's end is on
        record; it calls the function when nothing is left to do for the run.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (the ports that it uses)
        self,
        data_folder: Path,
        microscope: Microscope,
        clock: Clock,
        disk: Disk,
        observers: Sequence[Observer],
        finish: Finish,
    ) -> None:
        self._data_folder = data_folder
        self._microscope = microscope
        self._clock = clock
        self._disk = disk
        self._observers = (*observers, self)
        self._finish = finish
        self._todo = TodoList(data_folder, disk)
        self._lock = threading.RLock()
        self._data_lock: Optional[DataLock] = None
        self._engine: Optional[Engine] = None
        self._ended: Optional[Dict[str, Any]] = None
        self._run_id = ""
        self._thread: Optional[threading.Thread] = None
        self._look_hung = False
        self._disk_of_data = Mounted(data_folder)

    def status(self) -> Dict[str, Any]:
        """Return the active or last run's status; the phase ``idle`` before any.

        A run has ended when another one can be started and its movies are queued.
        Before any, ``waiting_run`` names an interrupted one that waits to be taken up.
        """
        with self._lock:
            engine, told = self._engine, self._ended
            is_recording = self.is_recording
        if engine is not None:
            told = engine.status().to_json()
            if is_recording and told["phase"] == Phase.ENDED.value:
                told["phase"] = Phase.FINISHING.value
        return told or {
            "phase": "idle",
            "run_id": None,
            "waiting_run": interrupted_run(self._data_folder),
        }

    @property
    def is_recording(self) -> bool:
        """Whether a run of this process is under way."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    @property
    def run_id(self) -> str:
        """The id of the active or last run; empty before any."""
        with self._lock:
            return self._run_id

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
        free_bytes = self._disk.free_bytes(str(self._data_folder))
        found = estimate_now(checked, self._microscope, self._clock, free_bytes)
        if found.slots_that_fit < 1:
            free_mb = found.free_bytes / 1e6
            told = f"There are {free_mb:.0f} MB free and the plan leaves "
            told += f"{checked.keep_free_mb} MB free; delete something, or lower "
            raise DiskFullError(told + "keep_free_mb.")
        with self._lock, contextlib.ExitStack() as undo:
            self._disk_of_data.check()
            self._take_folder()
            waiting = interrupted_run(self._data_folder)
            if waiting is not None:
                told = (
                    f"The run {waiting} was interrupted and waits: go on with it, or "
                )
                told += "stop it, before another one starts (on the command line: "
                raise RunActiveError(told + "record --resume, record --give-up).")
            run_id = self._free_run_id(checked)
            header = header_of(checked, self._microscope, self._clock)
            # On the list before it is there: killed in between, a name is passed over;
            # the other way round, a run would be there that nobody goes on with.
            self._todo.add(run_id)
            undo.callback(self._todo.remove, run_id)
            store = RunStore.create(self._data_folder, run_id, header, self._disk)
            undo.callback(self._forget, store)
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
        catalogue.delete_run(self._data_folder, store.run_id, store.run_id)

    def wait_for_hardware(self, leaving: threading.Event) -> None:
        """Wait, for half a minute at most, until the camera of a waiting run answers.

        Parameters
        ----------
        leaving : threading.Event
            Ends the wait.

        Raises
        ------
        StorageError
            When it cannot be told whether a run waits.
        """
        lane = self._clock.lane("timelapse-look")
        try:
            looks = LOOKS if interrupted_run(self._data_folder) else 0
            while looks > 0:
                if self._camera_answers(lane) or leaving.wait(LOOK_S):
                    return
                looks -= LOOKS_PER_HUNG_ONE if self._look_hung else 1
        finally:
            lane.close()

    def _camera_answers(self, lane: Lane) -> bool:
        """Tell whether the camera shows a picture."""
        deadline_ns = self._clock.monotonic_ns() + LOOK_DEADLINE_NS
        try:
            lane.call("look", lambda: self._look(deadline_ns), deadline_ns)
        except HardwareBusyError:
            # Somebody works with it; but a look that hangs has the hardware itself.
            return not self._look_hung
        except HardwareTimeoutError:
            self._look_hung = True
            return False
        except Exception:  # noqa: BLE001 - drivers raise what they like before they start
            return False
        return True

    def _look(self, deadline_ns: int) -> None:
        """Take a small picture, with the hardware taken."""
        self._microscope.acquire(deadline_ns)
        try:
            self._microscope.camera.preview()
        finally:
            self._microscope.release()

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
                if self.is_recording:
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
        folder = catalogue.run_folder(self._data_folder, run_id)
        sweep_renders(folder)
        with contextlib.ExitStack() as undo:
            store = RunStore.open(folder, self._disk)
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
                self._finish(plan, status, lambda: self._over(run_id))
                return
            if give_up:
                if status.phase is not Phase.FINISHING:
                    engine.stop()
            else:
                check_hardware(store.header, self._microscope)
            self._launch(plan, store, engine)
            undo.pop_all()

    def pause(self) -> None:
        """Pause the active run.

        Raises
        ------
        WrongPhaseError
            When no run is active or it is not running.
        """
        self._active("pause").pause()

    def resume(self) -> None:
        """Go on with the paused run.

        Raises
        ------
        WrongPhaseError
            When no run is active or it is not paused.
        """
        self._active("resume").resume()

    def stop(self) -> None:
        """End the active run.

        Raises
        ------
        WrongPhaseError
            When no run is active.
        """
        self._active("stop").stop()

    def check_stage_is_free(self) -> None:
        """Refuse to move the stage under a run that is active and not paused.

        Raises
        ------
        WrongPhaseError
            Naming the run.
        """
        with self._lock:
            engine, run_id = self._engine, self._run_id
        if engine is None or not self.is_recording:
            return
        phase = engine.status().phase
        if phase is not Phase.PAUSED:
            told = f"The run {run_id} is {phase.value} and moves the stage itself; "
            raise WrongPhaseError(told + "pause it first, or wait for its end.")

    def wait(self, timeout_s: Optional[float] = None) -> bool:
        """Wait until no run is active, at most `timeout_s`; True when none is."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
            return not thread.is_alive()
        return True

    def leave(self) -> None:
        """Leave an active run for a later process to resume."""
        with self._lock:
            engine, thread = self._engine, self._thread
        if engine is not None and thread is not None:
            engine.leave()
            thread.join()

    def notice(self, kind: str, details: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Let go of the folder of a disk that fails, so that it can be unmounted.

        The run on the list of those to do keeps others from starting one there.
        """
        if kind == RunEvent.DISK_ERROR.value:
            self.close()

    def close(self) -> None:
        """Let other programs record into the data folder."""
        with self._lock:
            if self._data_lock is not None:
                self._data_lock.release()
            self._data_lock = None

    def _take_folder(self) -> None:
        """Make sure that nobody else records, in this process or in another."""
        if self.is_recording:
            told = f"The run {self._run_id} is active; "
            raise RunActiveError(told + "stop it first, or wait until it has ended.")
        if self._data_lock is None or not self._data_lock.holds(self._data_folder):
            self.close()  # of a disk that is not there any more
            self._data_lock = DataLock(self._data_folder)
            catalogue.finish_creates(self._data_folder)
            self._todo.sweep()

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
            status = engine.status()
            self._finish(plan, status, lambda: self._over(status.run_id))

    def _over(self, run_id: str) -> None:
        """Take a run off the list: nothing is left to do for it."""
        with self._lock:
            self._todo.remove(run_id)
