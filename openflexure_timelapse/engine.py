"""The only loop: asks the schedule, makes the visits, records every slot once.

The engine knows ports, the store and the pure rules; it knows no framework. `run`
blocks the thread that calls it until the run has ended; everything else may be called
from any thread.
"""

import traceback
from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from openflexure_timelapse.aim import Aim
from openflexure_timelapse.disk_watch import DiskWatch
from openflexure_timelapse.ending import Ending
from openflexure_timelapse.errors import StorageError, TimelapseError
from openflexure_timelapse.frame import Frame, Reason, Visit
from openflexure_timelapse.helm import Helm
from openflexure_timelapse.instrument import Instrument
from openflexure_timelapse.itinerary import not_made, slot_of, tasks_of
from openflexure_timelapse.ledger import Ledger
from openflexure_timelapse.memory import UNKNOWN_GAPS, Memory
from openflexure_timelapse.origin import Origin
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import Clock, Disk, Microscope, Observer
from openflexure_timelapse.pulse import Pulse
from openflexure_timelapse.room import Room
from openflexure_timelapse.run_state import (
    WAITING,
    EndReason,
    PauseReason,
    Phase,
    RunEvent,
    RunState,
    RunStatus,
    transition,
)
from openflexure_timelapse.schedule import (
    Capture,
    Finish,
    Grid,
    LatePolicy,
    Skip,
    Wait,
    decide,
    grid_of,
    late_policy_of,
)
from openflexure_timelapse.slot_book import SlotBook
from openflexure_timelapse.status import StatusBoard
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.visit import Visitor

__all__ = ["Engine"]

NS_PER_S = 1_000_000_000
DISK_POLL_NS = 10 * NS_PER_S


def _nobody(_: "Engine") -> bool:
    """Return False: an error of our own ends the run."""
    return False


class Engine:
    """Runs one plan, from its first slot or from where an earlier process left it.

    Parameters
    ----------
    plan : Plan
        Checked against the hardware by the caller.
    store : RunStore
        The run's store, open for writing; the engine does not close it.
    microscope, clock, disk
        The ports.
    observers : sequence of Observer
        Told of every event and of every slot's outcome.
    after : str
        The error for which another engine of this process left the run; else empty.
    may_follow : callable
        Tells whether yet another engine may go on after an error of our own; else such
        an error ends the run as failed.

    Attributes
    ----------
    closed : bool
        Whether the end of the run is on record; until then it waits to be resumed.
    broke : str
        The error of our own for which the run was left to another engine; else empty.
    pulse : Pulse
        What the thread of `run` does at this moment.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (the ports of a run)
        self,
        plan: Plan,
        store: RunStore,
        microscope: Microscope,
        clock: Clock,
        disk: Disk,
        observers: Sequence[Observer] = (),
        after: str = "",
        may_follow: Callable[["Engine"], bool] = _nobody,
    ) -> None:
        self.pulse = clock = Pulse(clock)
        self._plan = plan
        self._store = store
        self._microscope = microscope
        self._clock = clock
        self._disk = disk
        self._grid: Grid = grid_of(plan)
        self._policy: LatePolicy = late_policy_of(plan)
        self._wake, self._abort = clock.signal(), clock.signal()
        self._lane = clock.lane("timelapse-hardware")
        self._instrument = Instrument(
            plan, microscope, clock, self._lane, self._abort, self._keep
        )
        self._board = StatusBoard(plan, self._grid, store, disk, clock)
        camera = microscope.camera.describe()
        self._aim = Aim(plan, camera, self._instrument, self._keep)
        self._visitor = Visitor(
            plan, self._aim, self._instrument, clock, store, self._see_frame
        )
        self._ledger = Ledger(store, clock, observers)
        self._origin = Origin(plan, store, clock, self._ledger)
        self._leaving = False
        self._after, self._may_follow = after, may_follow
        self.closed = False
        self.broke = ""
        self._kept: Dict[str, Any] = store.value("engine") or {}
        self._is_new = not self._kept and not store.totals().frames
        memory = Memory.from_json(self._kept) if self._kept else None
        state, shift_ns = WAITING, None
        if memory is not None:
            state, shift_ns = memory.state, memory.shift_ns
            self._instrument.remember(memory.settings)
            self._aim.knowledge = dict(memory.knowledge)
        self._helm = Helm(state, self._wake, self._elapsed_ns)
        usual_bytes = camera.frame_bytes(plan.camera_mode)
        self._room = Room(plan, store, disk, self._ledger, usual_bytes)
        self._watch = DiskWatch(self._room, self._ledger, self._board, self._apply)
        self._ending = Ending(
            store, clock, self._ledger, self._board, self._watch, self._wake
        )
        self._book = SlotBook(
            plan,
            self._grid,
            store,
            self._ledger,
            self._origin,
            self._room,
            self._board,
            shift_ns,
            self._changed,
        )

    # ---------------------------------------------------------------- from any thread

    def pause(self) -> None:
        """Skip slots until `resume`.

        Raises
        ------
        WrongPhaseError
            When the run is not running.
        """
        self._helm.ask(RunEvent.PAUSE)

    def resume(self) -> None:
        """Go on after a pause.

        Raises
        ------
        WrongPhaseError
            When the run is not paused by a person.
        """
        self._helm.ask(RunEvent.RESUME)

    def stop(self) -> None:
        """End the run at once; a visit under way is left after its present step.

        Raises
        ------
        WrongPhaseError
            When the run has ended already.
        """
        self._helm.ask(RunEvent.STOP)
        self._abort.set()

    def leave(self) -> None:
        """Let `run` return without ending the run, so that a later process resumes."""
        self._leaving = True
        self._abort.set()
        self._wake.set()

    def note(self, kind: str, details: Mapping[str, Any]) -> None:
        """Put an event on record as soon as the run comes to it."""
        self._ledger.note(kind, details)
        self._wake.set()

    def status(self) -> RunStatus:
        """Return a frozen snapshot."""
        origin = self._origin
        origin_ns = origin.monotonic_ns if origin.is_known else None
        return self._board.status(self._helm.state, self._book.progress, origin_ns)

    # ------------------------------------------------------------------------ the run

    def run(self) -> RunState:
        """Run to the end, or until `leave`.

        Returns
        -------
        RunState
            The last state; ``ended`` unless `leave` was called.
        """
        self.pulse.begin()
        try:
            try:
                self._take_up()
                self._loop()
            except Exception as exc:  # noqa: BLE001 - the outer edge of the run's thread
                self._fail(exc)
            self._finish()
        except Exception as exc:  # noqa: BLE001 - as above
            is_ours = not isinstance(exc, TimelapseError)
            self.broke = repr(exc) if is_ours else ""
            self.abandon(self.broke or str(exc))
        finally:
            self._lane.close()
        return self._helm.state

    def abandon(self, detail: str) -> None:
        """Show the run as failed: nobody goes on with it in this process.

        What is on disk still says that it goes on: it can be resumed by another one,
        once what is wrong is mended.
        """
        self._board.see_failure(detail)
        self._helm.put(RunState(Phase.ENDED, end_reason=EndReason.FAILED))

    def _take_up(self) -> None:
        """Find the grid, and what an earlier process left."""
        regained = self._origin.find(self._abort, self._book.last_decided_ns())
        if self._leaving:
            return
        if self._is_new:
            self._instrument.incidents()  # of before the run, and none of it
            self._ledger.event("started", {"slots": self._grid.slots})
            self._keep()
            return
        after = {"after": self._after} if self._after else {}
        self._ledger.event("resumed", {**regained, **after})
        self._book.close_half_done()
        self._book.skip_interrupted(self._elapsed_ns())
        if regained["unknown_gap"]:
            gaps = self._board.see_unknown_gap(self._book.progress.next_slot)
            self._ledger.value(UNKNOWN_GAPS, gaps)

    def _loop(self) -> None:
        """Do what is due, until the state says that nothing is any more."""
        while True:
            self._wake.clear()
            self._answer_requests()
            self._ledger.write_notes()
            state = self._helm.state
            if self._leaving or state.phase in (Phase.FINISHING, Phase.ENDED):
                return
            now_ns = self._elapsed_ns()
            if state.phase is Phase.WAITING:
                self._await_start(now_ns)
            elif state.phase is Phase.PAUSED:
                self._pass_paused(now_ns, state)
            else:
                self._step(now_ns)

    def _await_start(self, now_ns: int) -> None:
        """Wait for slot 0, the time of day being followed until then."""
        if now_ns >= 0:
            self._apply(RunEvent.BEGIN)
            return
        self._clock.wait_until(self._origin.look_again_ns(), self._wake)

    def _step(self, now_ns: int) -> None:
        """Obey one decision of the schedule."""
        decision = decide(self._grid, self._policy, self._book.progress, now_ns)
        if isinstance(decision, Finish):
            self._apply(RunEvent.COMPLETE)
        elif isinstance(decision, Wait):
            due_ns = self._origin.monotonic_ns + decision.until_ns
            self._clock.wait_until(due_ns, self._wake)
        elif isinstance(decision, Skip):
            self._book.skip(decision)
        elif self._watch.allows():
            self._capture(decision)

    def _pass_paused(self, now_ns: int, state: RunState) -> None:
        """Skip what is due, look whether the disk is back, and wait."""
        self._book.skip_due(now_ns, state.skip_reason)
        ahead = decide(self._grid, self._policy, self._book.progress, now_ns)
        if isinstance(ahead, Finish):
            self._apply(RunEvent.COMPLETE)
            return
        until_ns = look_again_ns = now_ns + DISK_POLL_NS
        if isinstance(ahead, Wait):
            until_ns = ahead.until_ns
        if state.pause_reason is not PauseReason.USER:
            if self._watch.goes_on(state):
                return
            until_ns = min(until_ns, look_again_ns)
        self._clock.wait_until(self._origin.monotonic_ns + until_ns, self._wake)

    # -------------------------------------------------------------------------- slots

    def _capture(self, decision: Capture) -> None:
        """Visit every position, then record the slot."""
        visits: List[Visit] = []
        refusal: Optional[Reason] = None
        known = self._aim.visited()
        origin_ns = self._origin.monotonic_ns
        for task in tasks_of(self._plan, self._grid, decision, origin_ns, known):
            if refusal is not None:
                visit = not_made(task, refusal)
            elif self._abort.is_set():
                visit = not_made(task, Reason.STOPPED)
            else:
                visit = self._visitor.visit(task)
            if self._leaving and visit.reason is Reason.STOPPED:
                visit = replace(visit, reason=Reason.INTERRUPTED)
            refusal = refusal or self._watch.refusal(visit)
            visits.append(visit)
            self._board.see_visit(visit)
            self._see_hardware()
        slot = slot_of(visits, decision)
        self._book.record(slot, decision.progress, visits)
        self._watch.look_after(visits)

    def _see_frame(self, frame: Frame) -> None:
        """Tell of a frame that was acknowledged."""
        self._board.see_frame(frame)
        self._ledger.frame(frame)

    def _see_hardware(self) -> None:
        """Tell of what the hardware got over, and of a light that disobeys."""
        for incident in self._instrument.incidents():
            self._board.see_incident(self._book.progress.next_slot, incident)
            self._ledger.event("hardware", incident)
        told = self._instrument.light_trouble
        if self._board.see_light(told):
            self._ledger.event("light", {"trouble": told})

    # -------------------------------------------------------------------------- state

    def _answer_requests(self) -> None:
        """Record what people asked for, the slots before it being skipped first."""
        asked = self._helm.take_asked()
        for event, before, at_ns in asked:
            if before.phase is Phase.PAUSED:
                self._book.skip_due(at_ns, before.skip_reason)
            self._ledger.event(event.value, {"by": "user"})
        if asked:
            self._keep()

    def _apply(
        self, event: RunEvent, details: Optional[Mapping[str, Any]] = None
    ) -> None:
        """Change the state as the run's course demands, unless a person was faster."""
        if self._helm.apply(event):
            self._ledger.event(event.value, {"by": "engine", **(details or {})})
            self._keep()

    def _keep(self, state: Optional[RunState] = None) -> None:
        """Write what the next process must know, if it has changed."""
        for key, value in self._changed(state).items():
            self._ledger.value(key, value)

    def _changed(self, state: Optional[RunState] = None) -> Dict[str, Any]:
        """Return what the next process must know, if it differs from what is kept."""
        now = Memory(
            self._helm.state if state is None else state,
            self._book.progress.shift_ns,
            self._instrument.settings(),
            self._aim.knowledge,
        ).to_json()
        if now == self._kept:
            return {}
        self._kept = now
        return {"engine": now}

    def _fail(self, error: Exception) -> None:
        """End or leave the run because of an error that is no matter of one visit."""
        parts = traceback.format_exception(type(error), error, error.__traceback__)
        is_ours = not isinstance(error, TimelapseError)
        detail = repr(error) if is_ours else str(error)
        if is_ours and self._may_follow(self):
            kind, self.broke, self._leaving = "broke_off", detail, True
        else:
            kind = "failed"
            self._board.see_failure(detail)
            self._helm.put(transition(self._helm.state, RunEvent.FAIL))
        try:
            self._book.close_half_done()
            self._ledger.event(kind, {"error": detail, "traceback": "".join(parts)})
        except StorageError as exc:
            self._board.see_failure(f"{detail} (and not recorded: {exc})")

    def _finish(self) -> None:
        """Put the hardware back, close the books, and end; or leave."""
        self._ledger.write_notes()
        self._ending.put_back(self._aim.put_back, self._instrument.put_back)
        self._see_hardware()
        if self._leaving and self._helm.state.phase is not Phase.FINISHING:
            self._ledger.event("left", {})
            self._ledger.flush()
            return
        failed = self._helm.state.end_reason is EndReason.FAILED
        self._book.skip_rest(Reason.RUN_FAILED if failed else Reason.STOPPED)
        csv_problem = self._ending.write_csv()
        if csv_problem is not None:
            self._ledger.event("csv_not_written", {"error": str(csv_problem)})
        self._ledger.write_notes()
        after = transition(self._helm.state, RunEvent.CLOSE)
        reason = after.end_reason or EndReason.FAILED
        self._ledger.event("ended", {"reason": reason.value})
        self._keep(after)
        self.closed = self._ending.is_written(lambda: self._leaving)
        if self.closed:
            if csv_problem is not None:
                self._ending.write_csv()  # there may be room for it by now
            self._helm.put(after)

    # --------------------------------------------------------------------- small ones

    def _elapsed_ns(self) -> int:
        """Return the time since the grid's origin."""
        return self._clock.monotonic_ns() - self._origin.monotonic_ns
