"""Which slots have their outcome, and the writing of it: once for each slot."""

import contextlib
from dataclasses import replace
from typing import Any, Callable, Dict, Optional, Sequence

from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.frame import Outcome, Reason, Slot, Visit
from openflexure_timelapse.itinerary import half_done
from openflexure_timelapse.ledger import Ledger
from openflexure_timelapse.origin import Origin
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.room import Room
from openflexure_timelapse.schedule import (
    Grid,
    LatePolicy,
    Progress,
    Skip,
    decide,
    skip_through,
)
from openflexure_timelapse.status import StatusBoard
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["SlotBook"]


class SlotBook:
    """Keeps the schedule's progress and records every slot once.

    Parameters
    ----------
    plan, grid
        Of the run.
    store, ledger
        Where outcomes are read from and written to.
    origin, room, board
        Told of every outcome.
    shift_ns : int or None
        By how much an earlier process moved the grid; None when that was lost and the
        newest frame has to tell.
    changed : callable
        Returns what the engine wants to be written with a slot.

    Attributes
    ----------
    progress : Progress
        How far the run is.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (who must know of an outcome)
        self,
        plan: Plan,
        grid: Grid,
        store: RunStore,
        ledger: Ledger,
        origin: Origin,
        room: Room,
        board: StatusBoard,
        shift_ns: Optional[int],
        changed: Callable[[], Dict[str, Any]],
    ) -> None:
        self._plan = plan
        self._grid = grid
        self._store = store
        self._ledger = ledger
        self._origin = origin
        self._room = room
        self._board = board
        self._changed = changed
        if shift_ns is None:
            shift_ns = self._told_shift_ns()
        self._totals = store.totals()
        self.progress = Progress(self._totals.next_slot, shift_ns)

    def _told_shift_ns(self) -> int:
        """Return by how much the grid has moved, as the newest frame tells it."""
        last = self._store.last_frame()
        if last is None:
            return 0
        return last.draft.due_ns - self._grid.due_ns(last.draft.slot)

    def last_decided_ns(self) -> int:
        """Return the due time of the newest slot that has an outcome; 0 for none."""
        last = self.progress.next_slot - 1
        return 0 if last < 0 else self.progress.shift_ns + self._grid.due_ns(last)

    def record(
        self, slot: Slot, progress: Progress, visits: Sequence[Visit] = ()
    ) -> None:
        """Write the one outcome of a slot, and what the next process must know."""
        self.progress = progress
        self._ledger.slot(slot, visits, self._changed())
        totals = self._totals
        with contextlib.suppress(StorageError):  # a disk that fails tells no totals
            totals = self._totals = self._store.totals()
        self._room.learn(totals)
        self._origin.follow_wall_clock()
        self._board.see_slot(slot, totals, self._room.forecast, self._ledger.waiting)

    def skip(self, skip: Skip) -> None:
        """Record a range of skipped slots."""
        slot = Slot(skip.first, skip.last, Outcome.SKIPPED, skip.reason, "", 0)
        self.record(slot, skip.progress)

    def skip_due(self, now_ns: int, reason: Reason) -> None:
        """Skip whatever is due up to `now_ns` without being captured."""
        skip = skip_through(self._grid, self.progress, now_ns, reason)
        if skip is not None:
            self.skip(skip)

    def skip_interrupted(self, now_ns: int) -> None:
        """Skip what became overdue while nobody was there, whatever the late policy."""
        decision = decide(self._grid, LatePolicy("skip"), self.progress, now_ns)
        if isinstance(decision, Skip):
            self.skip(replace(decision, reason=Reason.INTERRUPTED))

    def skip_rest(self, reason: Reason) -> None:
        """Record the slots that the run does not come to any more."""
        slots = self._grid.slots
        if slots is not None and self.progress.next_slot < slots:
            after = Progress(slots, self.progress.shift_ns)
            self.skip(Skip(self.progress.next_slot, slots - 1, reason, after))

    def close_half_done(self) -> None:
        """Give a slot its outcome whose frames exist but whose end was interrupted."""
        last = self._store.last_frame()
        if last is None or last.draft.slot < self.progress.next_slot:
            return
        wanted = self._room.frames_per_slot
        recent = self._store.frames(max(0, last.n - wanted), wanted)
        frames = [frame for frame in recent if frame.draft.slot == last.draft.slot]
        visits, slot, shift_ns = half_done(self._plan, self._grid, frames)
        self.record(slot, Progress(slot.last + 1, shift_ns), visits)
