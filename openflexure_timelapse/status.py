"""What a run shows of itself while it lives: fed by the engine, read by anybody."""

import threading
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Mapping, Optional

from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.forecast import Forecast
from openflexure_timelapse.frame import Frame, Outcome, Reason, Slot, Visit
from openflexure_timelapse.lateness import LatenessMeter
from openflexure_timelapse.memory import UNKNOWN_GAPS
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
from openflexure_timelapse.troubles import Troubles

__all__ = ["NOT_STORED", "StatusBoard", "local_time"]

NS_PER_S = 1_000_000_000
NS_PER_US = 1_000
BYTES_PER_MB = 1_000_000
ACTIVE = (Phase.WAITING, Phase.RUNNING, Phase.PAUSED)
OVERDUE = 0.9
"""A slot that is not over after so much of its interval is told to be late."""
BUSY_OR_BROKEN = (
    Reason.TIMEOUT,
    Reason.HARDWARE,
    Reason.STAGE,
    Reason.BUSY,
    Reason.INCOMPLETE_IMAGE,
    Reason.MEMORY,
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
        self._troubles = Troubles()
        self._rejected: Dict[str, int] = {}
        self._light = ""
        self._incidents = 0
        self._unknown_gaps: List[int] = list(store.value(UNKNOWN_GAPS) or ())
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
                self._troubles.note("hardware", visit.position, told)
            elif visit.outcome in (Outcome.CAPTURED, Outcome.LATE):
                self._troubles.note("hardware", visit.position, "")
                self._troubles.note("frame", visit.position, "")
            if visit.reason in NOT_STORED and visit.detail:
                told = f"slot {visit.slot}, {visit.position}: {visit.detail}"
                self._troubles.note("frame", visit.position, told)
            if visit.focus is not None:
                self._see_focus(visit)

    def see_frame(self, frame: Frame) -> None:
        """Take note of a frame that was acknowledged, and of the checks it failed."""
        draft = frame.draft
        wrong = " and ".join(flag.value.replace("_", " ") for flag in draft.flags)
        told = ""
        if wrong:
            told = (
                f"slot {draft.slot}, {draft.position}: the frame is kept but {wrong}; "
            )
            told += "look at the live view."
        with self._lock:
            self._last = frame
            place = f"{draft.position}, plane {draft.plane}"
            self._troubles.note("picture", place, told)

    def see_light(self, told: str) -> bool:
        """Take note how a light does not obey, empty for one that does; True if new."""
        with self._lock:
            before, self._light = self._light, told
            self._troubles.note("light", "", told)
        return told != before

    def see_incident(self, slot: int, incident: Mapping[str, Any]) -> None:
        """Take note of what the hardware got over; told while the run lasts."""
        with self._lock:
            self._incidents += 1
            what = str(incident["kind"]).replace("_", " ")
            told = f"slot {slot}: {what} ({str(incident['detail']).rstrip('.')}); "
            told += f"incident {self._incidents} of this run, which goes on."
            self._troubles.note("incident", "", told)

    def see_unknown_gap(self, slot: int) -> List[int]:
        """Take note of a gap of unknown length before a slot; return all such slots."""
        with self._lock:
            if slot not in self._unknown_gaps:
                self._unknown_gaps.append(slot)
            return list(self._unknown_gaps)

    def see_not_restored(self, told: str) -> None:
        """Take note that the hardware could not be put back as it was."""
        with self._lock:
            self._troubles.note("restore", "", told)

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
            told = ""
            if waiting_rows:
                told = f"The disk has refused {waiting_rows} rows of the run's record; "
                told += "they wait in memory."
            self._troubles.note("storage", "", told)

    def see_obstacle(self, problem: str) -> None:
        """Take note of what keeps a run from its disk; empty when nothing does."""
        with self._lock:
            self._troubles.note("obstacle", "", problem)

    def see_failure(self, detail: str) -> None:
        """Take note of what ended the run."""
        with self._lock:
            self._detail = detail

    def _see_focus(self, visit: Visit) -> None:
        """Warn while the focus of a position is rejected, and count."""
        focus, place = visit.focus or {}, visit.position
        count = 0 if focus["accepted"] else self._rejected.get(place, 0) + 1
        self._rejected[place] = count
        told = ""
        if count:
            often = "once" if count == 1 else f"{count} times in a row"
            told = f"slot {visit.slot}, {place}: focus was rejected {often} "
            told += f"({focus['reason']}); the last good height is used."
        self._troubles.note("focus", place, told)

    # --------------------------------------------------------------- from any thread

    def status(
        self, state: RunState, progress: Progress, origin_ns: Optional[int]
    ) -> RunStatus:
        """Return a frozen snapshot.

        Parameters
        ----------
        state : RunState
            The run's present state.
        progress : Progress
            How far the schedule is.
        origin_ns : int or None
            Monotonic time of the grid's origin; None until it is found.
        """
        next_due_ns = self._next_due_ns(state, progress)
        ahead_ns: Optional[int] = None
        if next_due_ns is not None and origin_ns is not None:
            ahead_ns = origin_ns + next_due_ns - self._clock.monotonic_ns()
        next_due_in_s = (
            None if ahead_ns is None else round(max(0, ahead_ns) / NS_PER_S, 3)
        )
        free_bytes = self._free_bytes()
        with self._lock:
            warnings = self._troubles.sentences()
            full_at = self._disk_full_at(state, progress, free_bytes, origin_ns)
            if full_at is not None:
                told = f"The disk will be full at {full_at}, before the run ends; "
                warnings.append(told + "the run will then pause until there is room.")
            warnings += self._about_time(state, progress, ahead_ns)
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
                warnings=tuple(warnings),
                rows_waiting=self._rows_waiting,
                detail=self._detail,
            )

    def _about_time(
        self, state: RunState, progress: Progress, ahead_ns: Optional[int]
    ) -> List[str]:
        """Return what must be known of the clock, of gaps, and of a slot that hangs."""
        told = []
        if not self._clock.wall_is_trusted():
            told.append(
                "The time of day is not synchronised; intervals stay exact, "
                "but dates may be wrong."
            )
        if ahead_ns is None and state.phase in ACTIVE and progress.next_slot:
            told.append(
                "The run was interrupted and waits, for 3 minutes at most, for a "
                "time of day that tells how long."
            )
        if self._unknown_gaps:
            told.append(
                f"Before slot {self._unknown_gaps[-1]} the run was interrupted for an "
                "unknown time: the time of day could not be believed. Slots count on "
                "from there."
            )
        slot = progress.next_slot
        late_ns = 0 if ahead_ns is None else -ahead_ns
        over_ns = late_ns - OVERDUE * self._grid.interval_at(slot) if late_ns else 0
        if state.phase is Phase.RUNNING and over_ns > 0:
            late_s = late_ns / NS_PER_S
            told.append(f"Slot {slot} was due {late_s:.0f} s ago and is not over.")
        return told

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
        origin_ns: Optional[int],
    ) -> Optional[str]:
        """Return when the disk is full at the present rate, as local time."""
        is_foreseen = state.phase in ACTIVE and state.pause_reason in FORESEEN_IN
        if free_bytes is None or self._forecast is None or not is_foreseen:
            return None
        if origin_ns is None:
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
