"""The phases of a run, and the frozen status that everybody is shown.

All changes of state are rows of one table in this file; the chart in
``docs/run_states.md`` is drawn from it, and a test compares them. Requests of a person
that the table does not list are refused with a sentence; observations (the disk is
full, space is back) are listed everywhere, because the world asks nobody.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from openflexure_timelapse.errors import WrongPhaseError
from openflexure_timelapse.frame import Outcome, Reason

__all__ = [
    "TABLE",
    "WAITING",
    "Counts",
    "EndReason",
    "LastFrame",
    "PauseReason",
    "Phase",
    "RunEvent",
    "RunState",
    "RunStatus",
    "transition",
]


class Phase(str, Enum):
    """Where a run is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHING = "finishing"
    ENDED = "ended"


class PauseReason(str, Enum):
    """Why a run is paused; a person's pause outweighs the disk's."""

    USER = "user"
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"


class EndReason(str, Enum):
    """How a run came to its end."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"


class RunEvent(str, Enum):
    """What can happen to a run as a whole."""

    BEGIN = "begin"
    PAUSE = "pause"
    RESUME = "resume"
    DISK_FULL = "disk_full"
    SPACE_RETURNED = "space_returned"
    DISK_ERROR = "disk_error"
    DISK_RETURNED = "disk_returned"
    COMPLETE = "complete"
    STOP = "stop"
    FAIL = "fail"
    CLOSE = "close"


@dataclass(frozen=True)
class RunState:
    """One state of the table.

    Attributes
    ----------
    phase : Phase
        Where the run is.
    pause_reason : PauseReason or None
        Set while the run is paused.
    end_reason : EndReason or None
        Set from the beginning of ``finishing`` on.
    disk_full : bool
        Only for a run that a person paused: the disk is full as well, so that
        resuming leads to the disk's pause.
    """

    phase: Phase
    pause_reason: Optional[PauseReason] = None
    end_reason: Optional[EndReason] = None
    disk_full: bool = False

    @property
    def skip_reason(self) -> Reason:
        """What is recorded of the slots that a paused run skips."""
        return SKIPPED_FOR.get(self.pause_reason, Reason.PAUSED)

    @property
    def label(self) -> str:
        """The state in words, for people: ``"paused by the user"``."""
        if self.disk_full:
            return "paused by the user, with a full disk"
        if self.pause_reason is PauseReason.USER:
            return "paused by the user"
        if self.pause_reason is PauseReason.DISK_FULL:
            return "paused because the disk is full"
        if self.pause_reason is PauseReason.DISK_ERROR:
            return "paused because the disk fails"
        return self.phase.value


SKIPPED_FOR: Mapping[Optional[PauseReason], Reason] = {
    PauseReason.DISK_FULL: Reason.DISK_FULL,
    PauseReason.DISK_ERROR: Reason.DISK_ERROR,
}

WAITING = RunState(Phase.WAITING)
RUNNING = RunState(Phase.RUNNING)
BY_USER = RunState(Phase.PAUSED, PauseReason.USER)
BY_DISK = RunState(Phase.PAUSED, PauseReason.DISK_FULL)
BY_ERROR = RunState(Phase.PAUSED, PauseReason.DISK_ERROR)
BY_BOTH = RunState(Phase.PAUSED, PauseReason.USER, disk_full=True)
FINISHING = {end: RunState(Phase.FINISHING, end_reason=end) for end in EndReason}
ENDED = {end: RunState(Phase.ENDED, end_reason=end) for end in EndReason}

OBSERVATIONS = (
    RunEvent.DISK_FULL,
    RunEvent.SPACE_RETURNED,
    RunEvent.DISK_ERROR,
    RunEvent.DISK_RETURNED,
)

Row = Tuple[RunState, RunEvent, RunState]


def _rows() -> Iterator[Row]:
    """Yield every allowed change."""
    yield WAITING, RunEvent.BEGIN, RUNNING

    yield RUNNING, RunEvent.PAUSE, BY_USER
    yield BY_USER, RunEvent.RESUME, RUNNING
    yield RUNNING, RunEvent.DISK_FULL, BY_DISK
    yield BY_DISK, RunEvent.SPACE_RETURNED, RUNNING

    # A person's pause outweighs the disk's: space that returns resumes nothing, and
    # the disk is remembered for the person's resume.
    yield BY_DISK, RunEvent.PAUSE, BY_BOTH
    yield BY_USER, RunEvent.DISK_FULL, BY_BOTH
    yield BY_BOTH, RunEvent.SPACE_RETURNED, BY_USER
    yield BY_BOTH, RunEvent.RESUME, BY_DISK

    # A failing disk is not remembered: after the person's resume the next slot asks it.
    yield RUNNING, RunEvent.DISK_ERROR, BY_ERROR
    yield BY_DISK, RunEvent.DISK_ERROR, BY_ERROR
    yield BY_ERROR, RunEvent.DISK_FULL, BY_DISK
    yield BY_ERROR, RunEvent.DISK_RETURNED, RUNNING
    yield BY_ERROR, RunEvent.PAUSE, BY_USER

    for active in (RUNNING, BY_USER, BY_DISK, BY_BOTH, BY_ERROR):
        # Also while paused: the grid goes on, so it can run out of slots.
        yield active, RunEvent.COMPLETE, FINISHING[EndReason.COMPLETED]
    for active in (WAITING, RUNNING, BY_USER, BY_DISK, BY_BOTH, BY_ERROR):
        yield active, RunEvent.STOP, FINISHING[EndReason.STOPPED]
        yield active, RunEvent.FAIL, FINISHING[EndReason.FAILED]
    for end in EndReason:
        yield FINISHING[end], RunEvent.FAIL, FINISHING[EndReason.FAILED]
        yield FINISHING[end], RunEvent.CLOSE, ENDED[end]

    # Observations that change nothing.
    yield BY_DISK, RunEvent.DISK_FULL, BY_DISK
    yield BY_BOTH, RunEvent.DISK_FULL, BY_BOTH
    yield BY_ERROR, RunEvent.DISK_ERROR, BY_ERROR
    yield BY_ERROR, RunEvent.SPACE_RETURNED, BY_ERROR
    for quiet in (RUNNING, BY_USER):
        yield quiet, RunEvent.SPACE_RETURNED, quiet
    for quiet in (RUNNING, BY_USER, BY_DISK, BY_BOTH):
        yield quiet, RunEvent.DISK_RETURNED, quiet
    for quiet in (BY_USER, BY_BOTH):
        yield quiet, RunEvent.DISK_ERROR, quiet
    for quiet in (WAITING, *FINISHING.values(), *ENDED.values()):
        for event in OBSERVATIONS:
            yield quiet, event, quiet


TABLE: Mapping[Tuple[RunState, RunEvent], RunState] = {
    (state, event): after for state, event, after in _rows()
}

# What a person can do instead, where the plain refusal would leave them puzzled.
ADVICE: Mapping[Tuple[RunState, RunEvent], str] = {
    (BY_DISK, RunEvent.RESUME): "free some space and it goes on by itself",
    (BY_ERROR, RunEvent.RESUME): "mend the disk and it goes on by itself",
    (WAITING, RunEvent.PAUSE): "it has no slots yet; stop it, or pause it later",
    (WAITING, RunEvent.RESUME): "it begins by itself at its start time",
    (RUNNING, RunEvent.RESUME): "there is nothing to resume",
    (BY_USER, RunEvent.PAUSE): "resume it to go on",
    (BY_BOTH, RunEvent.PAUSE): "free some space and resume it to go on",
}


def transition(state: RunState, event: RunEvent) -> RunState:
    """Return the state after `event`.

    Raises
    ------
    WrongPhaseError
        When the table has no such row; nothing has changed then.
    """
    after = TABLE.get((state, event))
    if after is not None:
        return after
    advice = ADVICE.get((state, event))
    if advice is None and state.phase is Phase.FINISHING:
        advice = "wait until it has ended"
    if advice is None and state.phase is Phase.ENDED:
        advice = "start a new one"
    told = "" if advice is None else f"; {advice}"
    raise WrongPhaseError(f"Cannot {event.value} a run that is {state.label}{told}.")


# ---------------------------------------------------------------------------- status


@dataclass(frozen=True)
class Counts:
    """How many slots had each outcome."""

    captured: int = 0
    late: int = 0
    skipped: int = 0
    failed: int = 0

    def plus(self, outcome: Outcome, slots: int = 1) -> "Counts":
        """Return the counts with `slots` more of `outcome`."""
        counts = self.to_json()
        counts[outcome.value] += slots
        return Counts(**counts)

    @property
    def total(self) -> int:
        """The number of slots that have an outcome."""
        return self.captured + self.late + self.skipped + self.failed

    def to_json(self) -> Dict[str, int]:
        """Return one entry for each outcome."""
        return {outcome.value: getattr(self, outcome.value) for outcome in Outcome}


@dataclass(frozen=True)
class LastFrame:
    """The newest acknowledged frame; see `openflexure_timelapse.frame.Frame`."""

    n: int
    file: str
    slot: int
    position: str

    def to_json(self) -> Dict[str, Any]:
        """Return the fields as they are."""
        return {
            "n": self.n,
            "file": self.file,
            "slot": self.slot,
            "position": self.position,
        }


@dataclass(frozen=True)
class RunStatus:
    """A snapshot of a run, complete in itself and never changed.

    Attributes
    ----------
    run_id, name : str
        The run's folder, and the plan's name.
    state : RunState
        Phase, pause reason and end reason, which are also properties of the status.
    slot : int or None
        The newest slot that has begun or has an outcome; None before the first.
    slots : int or None
        Of the whole grid; None until stopped.
    counts : Counts
        Slots per outcome.
    next_due_ns : int or None
        When the next slot is due, since the grid's origin; None when there is none.
    next_due_in_s : float or None
        The countdown to it in seconds, 0 when it is due; None when there is none.
    last_frame : LastFrame or None
        None before the first frame.
    lateness_last_ms, lateness_p99_ms : float or None
        Of the newest slots that were begun; None before the first.
    bytes_used, bytes_free : int or None
        By the run, and on its disk; None when not known.
    disk_full_at : str or None
        ISO 8601 with offset: when the disk runs out of space at the present rate;
        None when it does not before the run ends, or when that is not known.
    warnings : tuple of str
        Sentences for people, the newest last.
    rows_waiting : int
        Rows of the run's record that the disk has refused so far; they wait in memory.
    movie_jobs : tuple of str
        Ids of the jobs that make this run's movies.
    stalled_for_s : float or None
        How long the run has made no progress, in seconds; None while it does.
    detail : str
        Why the run failed; else empty.
    """

    run_id: str
    name: str
    state: RunState
    slot: Optional[int] = None
    slots: Optional[int] = None
    counts: Counts = Counts()
    next_due_ns: Optional[int] = None
    next_due_in_s: Optional[float] = None
    last_frame: Optional[LastFrame] = None
    lateness_last_ms: Optional[float] = None
    lateness_p99_ms: Optional[float] = None
    bytes_used: Optional[int] = None
    bytes_free: Optional[int] = None
    disk_full_at: Optional[str] = None
    warnings: Tuple[str, ...] = ()
    rows_waiting: int = 0
    movie_jobs: Tuple[str, ...] = ()
    stalled_for_s: Optional[float] = None
    detail: str = ""

    @property
    def phase(self) -> Phase:
        """Where the run is in its life."""
        return self.state.phase

    @property
    def pause_reason(self) -> Optional[PauseReason]:
        """Why it is paused; None while it is not."""
        return self.state.pause_reason

    @property
    def end_reason(self) -> Optional[EndReason]:
        """How it came to its end; None before ``finishing``."""
        return self.state.end_reason

    def to_json(self) -> Dict[str, Any]:
        """Return JSON-able data with every field, None for what is not known."""
        frame = self.last_frame
        return {
            "run_id": self.run_id,
            "name": self.name,
            "phase": self.phase.value,
            "pause_reason": self.pause_reason and self.pause_reason.value,
            "end_reason": self.end_reason and self.end_reason.value,
            "slot": self.slot,
            "slots": self.slots,
            "counts": self.counts.to_json(),
            "next_due_ns": self.next_due_ns,
            "next_due_in_s": self.next_due_in_s,
            "last_frame": None if frame is None else frame.to_json(),
            "lateness_last_ms": self.lateness_last_ms,
            "lateness_p99_ms": self.lateness_p99_ms,
            "bytes_used": self.bytes_used,
            "bytes_free": self.bytes_free,
            "disk_full_at": self.disk_full_at,
            "warnings": list(self.warnings),
            "rows_waiting": self.rows_waiting,
            "movie_jobs": list(self.movie_jobs),
            "stalled_for_s": self.stalled_for_s,
            "detail": self.detail,
        }
