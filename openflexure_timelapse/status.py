"""What a run shows of itself while it lives: fed by the engine, read by anybody."""

import threading
from datetime import datetime, timedelta, timezone
from typing import Dict, Optional

from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.forecast import Forecast
from openflexure_timelapse.frame import Frame, Outcome, Reason, Slot, Visit
from openflexure_timelapse.lateness import LatenessMeter
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import Clock, Disk
from openflexure_timelapse.run_state import (
    Counts,
    LastFrame,
    PauseReason,
    Phase,
    RunState,
    RunStatus,
)
from openflexure_timelapse.schedule import Grid, Progress
from openflexure_timelapse.store.run_store import RunStore, Totals

__all__ = ["NOT_STORED", "StatusBoard", "local_time"]

NS_PER_S = 1_000_000_000
NS_PER_US = 1_000
BYTES_PER_MB = 1_000_000
ACTIVE = (Phase.WAITING, Phase.RUNNING, Phase.PAUSED)
REJECTED_FOCUS_WORTH_A_WARNING = 3
BUSY_OR_BROKEN = (
    Reason.TIMEOUT,
    Reason.HARDWARE,
    Reason.STAGE,
    Reason.BUSY,
    Reason.INCOMPLETE_IMAGE,
)
FORESEEN_IN = (None, PauseReason.USER)
NOT_STORED = (Reason.DISK_FULL, Reason.STORAGE)


class StatusBoard:
    """Collects what the engine sees and answers `status` from any thread.

    An answer asks no store: it costs the same for ten frames and for a million.
    """

    def __init__(
        self, plan: Plan, grid: Grid, store: RunStore, disk: Disk, clock: Clock
    ) -> None:
        self._plan = plan
        self._grid = grid
        self._store = store
        self._disk = disk
        self._clock = clock
        self._lock = threading.Lock()
        self._lateness = LatenessMeter()
        self._warnings: Dict[str, str] = {}
        self._rejected = 0
        self._rows_waiting = 0
        self._detail = ""
        self._forecast: Optional[Forecast] = None
        self._totals = store.totals()
        self._last = store.last_frame()

    # ----------------------------------------------------------- on the engine's thread

    def see_visit(self, visit: Visit) -> None:
        """Take note of how a visit ended."""
        with self._lock:
            if visit.reason in BUSY_OR_BROKEN:
                told = f"slot {visit.slot}, {visit.position}: {visit.detail}"
                self._warnings["hardware"] = told
            elif visit.outcome in (Outcome.CAPTURED, Outcome.LATE):
                self._warnings.pop("hardware", None)
                self._warnings.pop("frame", None)
            if visit.reason in NOT_STORED and visit.detail:
                told = f"slot {visit.slot}, {visit.position}: {visit.detail}"
                self._warnings["frame"] = told
            if visit.focus is not None:
                self._see_focus(visit.focus["accepted"], visit.focus["reason"])

    def see_frame(self, frame: Frame) -> None:
        """Take note of a frame that was acknowledged."""
        with self._lock:
            self._last = frame

    def see_slot(
        self, slot: Slot, totals: Totals, forecast: Forecast, waiting_rows: int
    ) -> None:
        """Take note of a slot's outcome, and of what the run now costs."""
        with self._lock:
            self._totals = totals
            self._forecast = forecast
            if slot.outcome is not Outcome.SKIPPED:
                self._lateness.add(slot.lateness_ns)
        self.see_waiting(waiting_rows)

    def see_waiting(self, waiting_rows: int) -> None:
        """Take note of how many rows the disk has refused so far."""
        with self._lock:
            self._rows_waiting = waiting_rows
            self._warnings.pop("storage", None)
            if waiting_rows:
                told = f"The disk has refused {waiting_rows} rows of the run's record; "
                self._warnings["storage"] = told + "they wait in memory."

    def see_obstacle(self, problem: str) -> None:
        """Take note of what keeps a run from its disk; empty when nothing does."""
        with self._lock:
            self._warnings.pop("obstacle", None)
            if problem:
                self._warnings["obstacle"] = problem

    def see_failure(self, detail: str) -> None:
        """Take note of what ended the run."""
        with self._lock:
            self._detail = detail

    def _see_focus(self, accepted: bool, reason: str) -> None:  # noqa: FBT001
        """Warn when focus has been rejected several times in a row."""
        self._rejected = 0 if accepted else self._rejected + 1
        self._warnings.pop("focus", None)
        if self._rejected >= REJECTED_FOCUS_WORTH_A_WARNING:
            told = f"Focus was rejected {self._rejected} times in a row ({reason}); "
            self._warnings["focus"] = told + "the last good height is used."

    # --------------------------------------------------------------- from any thread

    def status(self, state: RunState, progress: Progress, origin_ns: int) -> RunStatus:
        """Return a frozen snapshot.

        Parameters
        ----------
        state : RunState
            The run's present state.
        progress : Progress
            How far the schedule is.
        origin_ns : int
            Monotonic time of the grid's origin.
        """
        next_due_ns = self._next_due_ns(state, progress)
        next_due_in_s: Optional[float] = None
        if next_due_ns is not None:
            ahead_ns = origin_ns + next_due_ns - self._clock.monotonic_ns()
            next_due_in_s = round(max(0, ahead_ns) / NS_PER_S, 3)
        free_bytes = self._free_bytes()
        with self._lock:
            warnings = dict(self._warnings)
            full_at = self._disk_full_at(state, progress, free_bytes, origin_ns)
            if full_at is not None:
                told = f"The disk will be full at {full_at}, before the run ends; "
                warnings["disk"] = told + "the run will then pause until there is room."
            if not self._clock.wall_is_trusted():
                told = "The time of day is not synchronised; intervals stay exact, "
                warnings["clock"] = told + "but dates may be wrong."
            return RunStatus(
                run_id=self._store.run_id,
                name=self._plan.name,
                state=state,
                slot=progress.next_slot - 1 if progress.next_slot else None,
                slots=self._grid.slots,
                counts=Counts(**self._totals.counts),
                next_due_ns=next_due_ns,
                next_due_in_s=next_due_in_s,
                last_frame=_last_frame(self._last),
                lateness_last_ms=self._lateness.last_ms,
                lateness_p99_ms=self._lateness.p99_ms,
                bytes_used=self._totals.bytes,
                bytes_free=free_bytes,
                disk_full_at=full_at,
                warnings=tuple(warnings.values()),
                rows_waiting=self._rows_waiting,
                detail=self._detail,
            )

    def _next_due_ns(self, state: RunState, progress: Progress) -> Optional[int]:
        """Return when the next slot is due, since the grid's origin."""
        slots = self._grid.slots
        over = slots is not None and progress.next_slot >= slots
        if state.phase not in ACTIVE or over:
            return None
        return progress.shift_ns + self._grid.due_ns(progress.next_slot)

    def _free_bytes(self) -> Optional[int]:
        """Return the space on the run's disk; None when the disk does not say."""
        if not self._store.is_there:
            return None  # the nearest folder that is there has another disk's space
        try:
            return self._disk.free_bytes(str(self._store.folder))
        except StorageError:
            return None

    def _disk_full_at(
        self,
        state: RunState,
        progress: Progress,
        free_bytes: Optional[int],
        origin_ns: int,
    ) -> Optional[str]:
        """Return when the disk is full at the present rate, as local time."""
        is_foreseen = state.phase in ACTIVE and state.pause_reason in FORESEEN_IN
        if free_bytes is None or self._forecast is None or not is_foreseen:
            return None
        slots = self._grid.slots
        remaining = None if slots is None else slots - progress.next_slot
        if remaining is not None and remaining <= 0:
            return None
        keep_free_bytes = self._plan.keep_free_mb * BYTES_PER_MB
        free_bytes -= self._store.log_growth_bytes()
        fit = self._forecast.slots_left(free_bytes, keep_free_bytes)
        if remaining is not None and fit >= remaining:
            return None
        # Of the first slot that does not fit: then the run pauses.
        due_ns = progress.shift_ns + self._grid.due_ns(progress.next_slot + fit)
        in_ns = max(0, origin_ns + due_ns - self._clock.monotonic_ns())
        return local_time(self._clock, self._clock.wall_ns() + in_ns)


def _last_frame(frame: Optional[Frame]) -> Optional[LastFrame]:
    """Return what the status tells of the newest frame."""
    if frame is None:
        return None
    return LastFrame(frame.n, frame.file, frame.draft.slot, frame.draft.position)


def local_time(clock: Clock, wall_ns: int) -> Optional[str]:
    """Return a time of day as ISO 8601 with the local offset; None when absurdly far.

    Parameters
    ----------
    clock : Clock
        Knows the local zone.
    wall_ns : int
        UTC nanoseconds since 1970.
    """
    try:
        zone = timezone(timedelta(seconds=clock.utc_offset_s(wall_ns)))
        since = timedelta(microseconds=wall_ns // NS_PER_US)
        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
        return (epoch + since).astimezone(zone).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return None
