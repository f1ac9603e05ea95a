"""Running runs: at most one at a time, each on a thread, each outliving its process."""

import contextlib
import logging
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from openflexure_timelapse.engine import Engine
from openflexure_timelapse.errors import (
    DiskFullError,
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
from openflexure_timelapse.hosts.breaks import Breaks
from openflexure_timelapse.hosts.data_folder import DataFolder
from openflexure_timelapse.hosts.notifier import Notifier
from openflexure_timelapse.hosts.readiness import Readiness
from openflexure_timelapse.hosts.run_thread import RunThread
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.todo import TodoList, interrupted_run, runs_to_do
from openflexure_timelapse.movie.render import sweep_renders
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.ports import Clock, Disk, Microscope, Observer
from openflexure_timelapse.run_state import Phase, RunEvent, RunStatus
from openflexure_timelapse.store import catalogue
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["Recorder"]

LOG = logging.getLogger(__name__)

NS_PER_S = 1_000_000_000
LOOK_S = 1.0

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
    notifier : Notifier
        Tells people.
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
        notifier: Notifier,
        finish: Finish,
    ) -> None:
        self._data_folder = data_folder
        self._microscope = microscope
        self._clock = clock
        self._disk = disk
        self._observers = (*observers, self)
        self._notifier = notifier
        self._finish = finish
        self._todo = TodoList(data_folder, disk)
        self._lock = threading.RLock()
        self._place = DataFolder(data_folder)
        self._engine: Optional[Engine] = None
        self._ended: Optional[Dict[str, Any]] = None
        self._run_id = ""
        self._thread: Optional[RunThread] = None
        self._real = RealClock()
        self._closing = False
        self._breaks = Breaks()

    def status(self) -> Dict[str, Any]:
        """Return the active or last run's status; the phase ``idle`` before any.

        A run has ended when another one can be started and its movies are queued.
        Before any, ``waiting_run`` names an interrupted one that waits to be taken up.
        """
        with self._lock:
            thread, told = self._thread, self._ended
            is_recording = self.is_recording
        if thread is not None and self._engine is not None:
            told = thread.status().to_json()
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
    def is_well(self) -> bool:
        """Whether no run of this process is stuck, as far as somebody looks."""
        thread = self._thread
        return thread is None or not thread.is_alive() or thread.is_well

    def note(self, kind: str, details: Mapping[str, Any]) -> None:
        """Put an event on record of the run that is under way, if there is one."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            thread.engine.note(kind, details)

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
            self._place.check()
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
            self._launch(self._thread_of(checked, store), run_id)
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
        if interrupted_run(self._data_folder) is not None:
            Readiness(self._microscope, self._clock).wait(leaving)

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

    def _resume(self, run_id: str, *, give_up: bool = False, after: str = "") -> None:
        """Go on with one run on the list, or with its movies when it has ended."""
        folder = catalogue.run_folder(self._data_folder, run_id)
        sweep_renders(folder)
        with contextlib.ExitStack() as undo:
            store = RunStore.open(folder, self._disk)
            undo.callback(store.close)
            recover(store)
            plan = parse_plan(store.header["plan"])
            thread = self._thread_of(plan, store, after)
            status = thread.engine.status()
            if status.phase is Phase.ENDED:
                self._run_id, self._ended = run_id, status.to_json()
                undo.close()
                self._finish(plan, status, lambda: self._over(run_id))
                return
            if give_up:
                if status.phase is not Phase.FINISHING:
                    thread.engine.stop()
            else:
                check_hardware(store.header, self._microscope)
            self._launch(thread, run_id)
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
        began_ns, left_s = self._real.monotonic_ns(), timeout_s
        while self._thread is not None and self.is_recording:
            self._thread.join(left_s)  # another one may have gone on meanwhile
            if timeout_s is not None:
                passed_s = (self._real.monotonic_ns() - began_ns) / NS_PER_S
                left_s = max(0.0, timeout_s - passed_s)
                if not left_s:
                    break
        return not self.is_recording

    def leave(self) -> None:
        """Leave an active run for a later process to resume.

        One that is stuck is left behind with its thread, which ends with the process.
        """
        with self._lock:
            self._closing = True
            thread = self._thread
        if thread is not None and thread.is_alive():
            thread.engine.leave()
            while thread.is_alive() and not thread.is_stuck:
                thread.join(LOOK_S)

    def notice(self, kind: str, details: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Let go of the folder of a disk that fails, so that it can be unmounted.

        The run on the list of those to do keeps others from starting one there.
        """
        if kind == RunEvent.DISK_ERROR.value:
            self._place.let_go()

    def close(self) -> None:
        """Let other programs record into the data folder, unless a run is stuck."""
        with self._lock:
            if not self.is_recording:
                self._place.let_go()

    def _take_folder(self) -> None:
        """Make sure that nobody else records, in this process or in another."""
        if self.is_recording:
            told = f"The run {self._run_id} is active; "
            raise RunActiveError(told + "stop it first, or wait until it has ended.")
        self._place.take()

    def _active(self, verb: str) -> Engine:
        """Return the engine of the active run."""
        with self._lock:
            engine, thread = self._engine, self._thread
        if engine is None or thread is None or not thread.is_alive():
            raise WrongPhaseError(f"No run is active; there is nothing to {verb}.")
        return engine

    def _thread_of(self, plan: Plan, store: RunStore, after: str = "") -> RunThread:
        """Return a thread for a run, with a new engine on it."""
        counts = store.totals().counts
        news = self._notifier.of_run(plan, store.run_id, counts, self._clock)
        engine = Engine(
            plan,
            store,
            self._microscope,
            self._clock,
            self._disk,
            (*self._observers, news),
            after,
            self._may_follow,
        )
        return RunThread(
            engine, store, news, self._real, lambda ended: self._after(ended, plan)
        )

    def _launch(self, thread: RunThread, run_id: str) -> None:
        """Run it."""
        self._engine, self._run_id, self._thread = thread.engine, run_id, thread
        thread.start()

    def _after(self, ended: RunThread, plan: Plan) -> None:
        """Do what follows the end of a run's thread: movies, or another thread."""
        engine = ended.engine
        status = engine.status()
        if engine.closed:
            self._finish(plan, status, lambda: self._over(status.run_id))
        elif ended.error and not self._follow(ended, status):
            engine.abandon(f"{ended.error}; the run waits to be taken up again.")
            ended.news.failed(ended.error)
        elif status.phase is Phase.ENDED:
            ended.news.failed(status.detail)

    def _may_follow(self, engine: Engine) -> bool:
        """Tell whether another engine may go on after an error of our own."""
        is_worth_it = self._breaks.allow_another(engine.status().last_frame)
        return is_worth_it and not self._closing

    def _follow(self, ended: RunThread, status: RunStatus) -> bool:
        """Go on with a run that an error of our own has cut off; False when not.

        Safe, because the thread of before is at its end, its store closed.
        """
        has_left = status.phase is not Phase.ENDED
        with self._lock:
            if self._closing or not (has_left or self._may_follow(ended.engine)):
                return False
            self._breaks.add()
            try:
                # Somebody may have asked the engine of before, which reads no more.
                stop = ended.engine.status().phase is Phase.FINISHING
                self._resume(status.run_id, give_up=stop, after=ended.error)
            except Exception:
                # The outer edge of the thread that ends: told as the run's failure.
                LOG.exception("The run %s could not go on.", status.run_id)
                return False
        return True

    def _over(self, run_id: str) -> None:
        """Take a run off the list: nothing is left to do for it."""
        with self._lock:
            self._todo.remove(run_id)
