"""The only loop: asks the schedule, makes the visits, records every slot once.

The engine knows ports, the store and the pure rules; it knows no framework. `run`
blocks the thread that calls it until the run has ended; everything else may be called
from any thread.
"""

import threading
import traceback
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from openflexure_timelapse.errors import HardwareError, StorageError, TimelapseError
from openflexure_timelapse.frame import Outcome, Reason, Slot, Visit
from openflexure_timelapse.instrument import Instrument
from openflexure_timelapse.itinerary import half_done_slot, not_made, slot_of, tasks_of
from openflexure_timelapse.ledger import Ledger
from openflexure_timelapse.memory import Memory
from openflexure_timelapse.origin import Origin
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import (
    Clock,
    Disk,
    Microscope,
    Observer,
)
from openflexure_timelapse.room import Room
from openflexure_timelapse.run_state import (
    WAITING,
    EndReason,
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
    Progress,
    Skip,
    Wait,
    decide,
    grid_of,
    late_policy_of,
    skip_through,
)
from openflexure_timelapse.status import StatusBoard
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.visit import Visitor

__all__ = ["Engine"]

NS_PER_S = 1_000_000_000
DISK_POLL_NS = 10 * NS_PER_S

Request = Tuple[RunEvent, RunState, int]


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
        Told of every event.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (the ports of a run)
        self,
        plan: Plan,
        store: RunStore,
        microscope: Microscope,
        clock: Clock,
        disk: Disk,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._plan = plan
        self._store = store
        self._microscope = microscope
        self._clock = clock
        self._disk = disk
        self._grid: Grid = grid_of(plan)
        self._policy: LatePolicy = late_policy_of(plan)
        self._wake, self._abort = clock.signal(), clock.signal()
        self._lane = clock.lane("timelapse-hardware")
        self._instrument = Instrument(plan, microscope, clock, self._lane, self._abort)
        self._board = StatusBoard(plan, self._grid, store, disk, clock)
        self._visitor = Visitor(
            plan, microscope, self._instrument, clock, store, self._board.see_frame
        )
        self._ledger = Ledger(store, clock, observers)
        self._origin = Origin(plan, store, clock, self._ledger)
        self._lock = threading.Lock()
        self._requests: List[Request] = []
        self._leaving = False
        self._kept: Dict[str, Any] = store.value("engine") or {}
        self._is_new = not self._kept
        memory = Memory(WAITING, 0, self._instrument.settings(), {})
        if self._kept:
            memory = Memory.from_json(self._kept)
        self._state = memory.state
        self._progress = Progress(store.totals().next_slot, memory.shift_ns)
        self._instrument.remember(memory.settings)
        self._visitor.knowledge = dict(memory.knowledge)
        typical = microscope.camera.describe().typical_frame_bytes
        self._room = Room(plan, store, disk, self._ledger, typical)

    # ---------------------------------------------------------------- from any thread

    def pause(self) -> None:
        """Skip slots until `resume`.

        Raises
        ------
        WrongPhaseError
            When the run is not running.
        """
        self._ask(RunEvent.PAUSE)

    def resume(self) -> None:
        """Go on after a pause.

        Raises
        ------
        WrongPhaseError
            When the run is not paused by a person.
        """
        self._ask(RunEvent.RESUME)

    def stop(self) -> None:
        """End the run at once; a visit under way is left after its present step.

        Raises
        ------
        WrongPhaseError
            When the run has ended already.
        """
        self._ask(RunEvent.STOP)
        self._abort.set()

    def leave(self) -> None:
        """Let `run` return without ending the run, so that a later process resumes."""
        with self._lock:
            self._leaving = True
        self._abort.set()
        self._wake.set()

    def status(self) -> RunStatus:
        """Return a frozen snapshot."""
        with self._lock:
            state = self._state
        return self._board.status(state, self._progress, self._origin.monotonic_ns)

    # ------------------------------------------------------------------------ the run

    def run(self) -> RunState:
        """Run to the end, or until `leave`.

        Returns
        -------
        RunState
            The last state; ``ended`` unless `leave` was called.
        """
        try:
            self._take_up()
            self._loop()
        except Exception as exc:  # noqa: BLE001 - the outer edge of the run's thread
            self._fail(exc)
        try:
            self._finish()
        except StorageError as exc:
            self._board.see_failure(str(exc))
            with self._lock:
                self._state = RunState(Phase.ENDED, end_reason=EndReason.FAILED)
        finally:
            self._lane.close()
        return self._state

    def _take_up(self) -> None:
        """Find the grid, and what an earlier process left."""
        regained = self._origin.find(self._abort)
        if self._is_new:
            self._ledger.event("started", {"slots": self._grid.slots})
            self._keep()
            return
        self._ledger.event("resumed", regained)
        self._close_half_done_slot()
        self._skip_interrupted()

    def _loop(self) -> None:
        """Do what is due, until the state says that nothing is any more."""
        while True:
            self._wake.clear()
            self._answer_requests()
            if self._leaving or self._state.phase in (Phase.FINISHING, Phase.ENDED):
                return
            now_ns = self._elapsed_ns()
            if self._state.phase is Phase.WAITING:
                self._await_start(now_ns)
            elif self._state.phase is Phase.PAUSED:
                self._pass_paused(now_ns)
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
        decision = decide(self._grid, self._policy, self._progress, now_ns)
        if isinstance(decision, Finish):
            self._apply(RunEvent.COMPLETE)
        elif isinstance(decision, Wait):
            due_ns = self._origin.monotonic_ns + decision.until_ns
            self._clock.wait_until(due_ns, self._wake)
        elif isinstance(decision, Skip):
            self._skip(decision)
        elif self._room.suffices():
            self._capture(decision)
        else:
            self._apply(RunEvent.DISK_FULL)

    def _pass_paused(self, now_ns: int) -> None:
        """Skip what is due, look whether space is back, and wait."""
        reason = self._state.skip_reason
        skip = skip_through(self._grid, self._progress, now_ns, reason)
        if skip is not None:
            self._skip(skip)
        ahead = decide(self._grid, self._policy, self._progress, now_ns)
        if isinstance(ahead, Finish):
            self._apply(RunEvent.COMPLETE)
            return
        if reason is Reason.DISK_FULL and self._room.returned():
            self._apply(RunEvent.SPACE_RETURNED)
            return
        until_ns = now_ns + DISK_POLL_NS
        if isinstance(ahead, Wait):
            until_ns = ahead.until_ns
        if reason is Reason.DISK_FULL:
            until_ns = min(until_ns, now_ns + DISK_POLL_NS)
        self._clock.wait_until(self._origin.monotonic_ns + until_ns, self._wake)

    # -------------------------------------------------------------------------- slots

    def _capture(self, decision: Capture) -> None:
        """Visit every position, then record the slot."""
        visits: List[Visit] = []
        disk_full = False
        known = self._visitor.knowledge
        origin_ns = self._origin.monotonic_ns
        for task in tasks_of(self._plan, self._grid, decision, origin_ns, known):
            if disk_full:
                visit = not_made(task, Reason.DISK_FULL)
            elif self._abort.is_set():
                visit = not_made(task, Reason.STOPPED)
            else:
                visit = self._visitor.visit(task)
            disk_full = disk_full or visit.reason is Reason.DISK_FULL
            visits.append(visit)
            self._board.see_visit(visit)
        slot = slot_of(visits, decision)
        self._record(slot, decision.progress, visits)
        if disk_full:
            self._apply(RunEvent.DISK_FULL)

    def _skip(self, skip: Skip) -> None:
        """Record a range of skipped slots."""
        slot = Slot(skip.first, skip.last, Outcome.SKIPPED, skip.reason, "", 0)
        self._record(slot, skip.progress)

    def _record(
        self, slot: Slot, progress: Progress, visits: Sequence[Visit] = ()
    ) -> None:
        """Write the one outcome of a slot, and what the next process must know."""
        self._progress = progress
        self._ledger.slot(slot, visits, self._changed())
        totals = self._store.totals()
        self._room.learn(totals)
        self._origin.follow_wall_clock()
        self._board.see_slot(slot, totals, self._room.forecast, self._ledger.waiting)

    def _close_half_done_slot(self) -> None:
        """Give a slot its outcome whose frames exist but whose end was interrupted."""
        last = self._store.last_frame()
        if last is None or last.draft.slot < self._progress.next_slot:
            return
        wanted = self._room.frames_per_slot
        recent = self._store.frames(max(0, last.n - wanted), wanted)
        frames = [frame for frame in recent if frame.draft.slot == last.draft.slot]
        after = Progress(last.draft.slot + 1, self._progress.shift_ns)
        self._record(half_done_slot(frames, wanted), after)

    def _skip_interrupted(self) -> None:
        """Skip what became overdue while nobody was there, whatever the late policy."""
        now_ns = self._elapsed_ns()
        decision = decide(self._grid, LatePolicy("skip"), self._progress, now_ns)
        if isinstance(decision, Skip):
            self._skip(replace(decision, reason=Reason.INTERRUPTED))

    # -------------------------------------------------------------------------- state

    def _ask(self, event: RunEvent) -> None:
        """Change the state as a person asked, and let the loop write it down."""
        with self._lock:
            before = self._state
            self._state = transition(before, event)
            self._requests.append((event, before, self._elapsed_ns()))
        self._wake.set()

    def _answer_requests(self) -> None:
        """Record what people asked for, the slots before it being skipped first."""
        with self._lock:
            requests, self._requests = self._requests, []
        for event, before, asked_ns in requests:
            if before.phase is Phase.PAUSED:
                skip = skip_through(
                    self._grid, self._progress, asked_ns, before.skip_reason
                )
                if skip is not None:
                    self._skip(skip)
            self._ledger.event(event.value, {"by": "user"})
        if requests:
            self._keep()

    def _apply(self, event: RunEvent) -> None:
        """Change the state as the run's course demands, unless a person was faster."""
        with self._lock:
            if self._requests:
                return
            self._state = transition(self._state, event)
        self._ledger.event(event.value, {"by": "engine"})
        self._keep()

    def _keep(self) -> None:
        """Write what the next process must know, if it has changed."""
        for key, value in self._changed().items():
            self._ledger.value(key, value)

    def _changed(self) -> Dict[str, Any]:
        """Return what the next process must know, if it differs from what is kept."""
        now = Memory(
            self._state,
            self._progress.shift_ns,
            self._instrument.settings(),
            self._visitor.knowledge,
        ).to_json()
        if now == self._kept:
            return {}
        self._kept = now
        return {"engine": now}

    def _fail(self, error: Exception) -> None:
        """End the run because of an error that is no matter of one visit."""
        trace = "".join(traceback.format_exception(type(error), error, None))
        detail = str(error) if isinstance(error, TimelapseError) else repr(error)
        self._board.see_failure(detail)
        with self._lock:
            self._state = transition(self._state, RunEvent.FAIL)
        try:
            details: Mapping[str, Any] = {"error": detail, "traceback": trace}
            self._ledger.event("failed", details)
        except StorageError as exc:
            self._board.see_failure(f"{detail} (and not recorded: {exc})")

    def _finish(self) -> None:
        """Put the hardware back, close the books, and end; or leave."""
        try:
            self._instrument.put_back()
        except HardwareError as exc:
            self._ledger.event("hardware_not_restored", {"error": str(exc)})
        if self._leaving and self._state.phase is not Phase.FINISHING:
            self._ledger.event("left", {})
            self._ledger.flush()
            return
        slots = self._grid.slots
        if slots is not None and self._progress.next_slot < slots:
            rest = Progress(slots, self._progress.shift_ns)
            self._skip(Skip(self._progress.next_slot, slots - 1, Reason.STOPPED, rest))
        try:
            self._store.write_csv()
        except StorageError as exc:
            self._ledger.event("csv_not_written", {"error": str(exc)})
        with self._lock:
            self._state = transition(self._state, RunEvent.CLOSE)
        reason = self._state.end_reason or EndReason.FAILED
        self._ledger.event("ended", {"reason": reason.value})
        self._keep()
        self._ledger.flush()

    # --------------------------------------------------------------------- small ones

    def _elapsed_ns(self) -> int:
        """Return the time since the grid's origin."""
        return self._clock.monotonic_ns() - self._origin.monotonic_ns
