"""When each slot is due and what becomes of late ones: pure, in integer nanoseconds.

Everything counts from the grid's origin, the due time of slot 0. The engine asks
`decide` what to do next and obeys; nothing here reads a clock or waits.

Rules:

* A due time is ``phase start + index * interval`` (+ the shift of the ``shift``
  policy), never a running sum, so that no error can grow.
* Each slot gets exactly one `Capture` or one place in a `Skip`, in ascending order,
  and never before it is due.
* A slot may begin until half way to the next one. What happens beyond that is the
  late policy, which lives only here.
* Whatever is due while the run is paused, the disk full or the power off is skipped
  (`skip_through`); it never stretches the grid.
"""

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from typing import Optional, Tuple, Union

from typing_extensions import Literal

from openflexure_timelapse.frame import Reason
from openflexure_timelapse.plan import Plan

__all__ = [
    "NS_PER_S",
    "Capture",
    "Decision",
    "Finish",
    "Grid",
    "GridPhase",
    "LatePolicy",
    "Progress",
    "Skip",
    "Wait",
    "decide",
    "grid_of",
    "is_late",
    "late_policy_of",
    "late_tolerance_ns",
    "seconds_to_ns",
    "skip_through",
]

NS_PER_S = 1_000_000_000

# A slot begins up to interval / LATEST_START_DIVISOR after its due time. Later than
# half way, the frame would tell more about the next time point than about its own.
LATEST_START_DIVISOR = 2

# The line between `captured` and `late`: a tenth of the interval, so that the time
# axis of a movie is visibly even, but not under what a busy Pi needs to wake up and
# not over what a person would call "on time".
TOLERANCE_DIVISOR = 10
SMALLEST_TOLERANCE_NS = 20_000_000
LARGEST_TOLERANCE_NS = NS_PER_S


# ------------------------------------------------------------------------------ grid


@dataclass(frozen=True)
class GridPhase:
    """A stretch of slots with one interval.

    Attributes
    ----------
    first_slot : int
        Index of its first slot in the whole run.
    slots : int or None
        How many; None until stopped, which only the last phase may be.
    start_ns : int
        Due time of its first slot.
    interval_ns : int
        From one slot to the next.
    """

    first_slot: int
    slots: Optional[int]
    start_ns: int
    interval_ns: int


@dataclass(frozen=True)
class Grid:
    """The due times of a run: phases laid end to end.

    Attributes
    ----------
    phases : tuple of GridPhase
        At least one, in order; the first starts at slot 0 and 0 ns.
    end_ns : int or None
        When the last phase is over; None until stopped.
    """

    phases: Tuple[GridPhase, ...]
    end_ns: Optional[int]

    @property
    def slots(self) -> Optional[int]:
        """The number of slots; None until stopped."""
        last = self.phases[-1]
        return None if last.slots is None else last.first_slot + last.slots

    def due_ns(self, slot: int) -> int:
        """Return when `slot` is due, since the grid's origin.

        Raises
        ------
        IndexError
            When the grid has no such slot.
        """
        phase = self._phase_of(slot)
        return phase.start_ns + (slot - phase.first_slot) * phase.interval_ns

    def interval_at(self, slot: int) -> int:
        """Return the time from `slot` to the next one, in nanoseconds.

        The last slot of a phase may be closer to the next phase than its interval;
        the last slot of the run has the whole interval of its phase.

        Raises
        ------
        IndexError
            When the grid has no such slot.
        """
        phase = self._phase_of(slot)
        following = slot + 1
        if following == self.slots:
            return phase.interval_ns
        return self.due_ns(following) - self.due_ns(slot)

    def last_due_at(self, elapsed_ns: int) -> int:
        """Return the last slot that is due at `elapsed_ns`; -1 before slot 0."""
        if elapsed_ns < 0:
            return -1
        starts = [phase.start_ns for phase in self.phases]
        phase = self.phases[bisect_right(starts, elapsed_ns) - 1]
        index = (elapsed_ns - phase.start_ns) // phase.interval_ns
        if phase.slots is not None:
            index = min(index, phase.slots - 1)
        return phase.first_slot + index

    def _phase_of(self, slot: int) -> GridPhase:
        """Return the phase that `slot` belongs to."""
        if slot < 0 or (self.slots is not None and slot >= self.slots):
            message = f"there is no slot {slot}; the grid has {self.slots} from 0 on"
            raise IndexError(message)
        if len(self.phases) == 1:
            return self.phases[0]
        firsts = [phase.first_slot for phase in self.phases]
        return self.phases[bisect_right(firsts, slot) - 1]


def seconds_to_ns(seconds: float) -> int:
    """Return decimal `seconds` as written by a person, as whole nanoseconds.

    0.1 means a tenth, not the binary fraction next to it.
    """
    return int((Decimal(str(seconds)) * NS_PER_S).to_integral_value())


def grid_of(plan: Plan) -> Grid:
    """Lay out the phases of `plan`.

    A phase of a duration has slots at 0, one interval, two ... *before* its end: 60 s
    at 0.1 s are 600. The next phase starts at that end exactly; after a phase with a
    number of frames it starts one interval after the last of them.
    """
    phases = []
    first_slot = 0
    start_ns = 0
    end_ns: Optional[int] = None
    for phase in plan.all_phases():
        interval_ns = seconds_to_ns(phase.interval_s)
        slots: Optional[int] = None
        end_ns = None
        if phase.frames is not None:
            slots = phase.frames
            end_ns = start_ns + slots * interval_ns
        elif phase.duration_s is not None:
            # At least one: a duration of less than a nanosecond still asks for slot 0.
            duration_ns = max(1, seconds_to_ns(phase.duration_s))
            slots = -(-duration_ns // interval_ns)
            end_ns = start_ns + duration_ns
        phases.append(GridPhase(first_slot, slots, start_ns, interval_ns))
        if slots is None or end_ns is None:
            break
        first_slot += slots
        start_ns = end_ns
    return Grid(tuple(phases), end_ns)


# ---------------------------------------------------------------------------- policy


@dataclass(frozen=True)
class LatePolicy:
    """What becomes of slots that are overdue.

    Attributes
    ----------
    kind : {"skip", "catch_up", "shift"}
        ``skip`` records them as skipped and goes on with the grid, never in a burst.
        ``catch_up`` begins them back to back. ``shift`` captures the slot late and
        moves the rest of the grid by as much.
    catch_up_slots : int
        The most overdue slots that ``catch_up`` lets wait; older ones are skipped.
    """

    kind: Literal["skip", "catch_up", "shift"]
    catch_up_slots: int = 1


def late_policy_of(plan: Plan) -> LatePolicy:
    """Return the late policy that `plan` asks for."""
    return LatePolicy(plan.late, plan.catch_up_slots)


@dataclass(frozen=True)
class Progress:
    """How far a run is; all that a schedule must remember.

    Attributes
    ----------
    next_slot : int
        The first slot without a decision.
    shift_ns : int
        By how much the ``shift`` policy has moved the rest of the grid.
    """

    next_slot: int
    shift_ns: int = 0


@dataclass(frozen=True)
class Capture:
    """Begin `slot` now.

    Attributes
    ----------
    due_ns : int
        When it was due, shift included.
    lateness_ns : int
        From then to now; not negative.
    late : bool
        Whether that is more than the tolerance.
    progress : Progress
        To be used once the slot is over.
    """

    slot: int
    due_ns: int
    lateness_ns: int
    late: bool
    progress: Progress


@dataclass(frozen=True)
class Wait:
    """Nothing to do until `slot` is due at `until_ns`, shift included."""

    until_ns: int
    slot: int


@dataclass(frozen=True)
class Skip:
    """Slots `first` to `last`, both included, are over without a capture."""

    first: int
    last: int
    reason: Reason
    progress: Progress


@dataclass(frozen=True)
class Finish:
    """Every slot has its outcome."""


Decision = Union[Capture, Wait, Skip, Finish]


def late_tolerance_ns(grid: Grid, slot: int) -> int:
    """Return the largest lateness of `slot` that still counts as on time."""
    tenth = grid.interval_at(slot) // TOLERANCE_DIVISOR
    return max(SMALLEST_TOLERANCE_NS, min(LARGEST_TOLERANCE_NS, tenth))


def is_late(grid: Grid, slot: int, lateness_ns: int) -> bool:
    """Tell whether `slot` with this lateness is ``late`` rather than ``captured``."""
    return lateness_ns > late_tolerance_ns(grid, slot)


def decide(grid: Grid, policy: LatePolicy, progress: Progress, now_ns: int) -> Decision:
    """Return what to do at `now_ns`, counted from the grid's origin.

    After a `Capture` or a `Skip` ask again with its ``progress``; after a `Wait` with
    the same progress at a later time.
    """
    slot = progress.next_slot
    if grid.slots is not None and slot >= grid.slots:
        return Finish()
    due_ns = progress.shift_ns + grid.due_ns(slot)
    lateness_ns = now_ns - due_ns
    if lateness_ns < 0:
        return Wait(due_ns, slot)
    late = is_late(grid, slot, lateness_ns)
    shift_ns = progress.shift_ns
    if policy.kind == "shift":
        # Jitter within the tolerance moves nothing: added up over a million slots
        # it would be a drift.
        shift_ns += lateness_ns if late else 0
    else:
        kept = policy.catch_up_slots if policy.kind == "catch_up" else 0
        last = _last_overdue(grid, progress, now_ns) - kept
        if last >= slot:
            return Skip(slot, last, Reason.OVERDUE, Progress(last + 1, shift_ns))
    return Capture(slot, due_ns, lateness_ns, late, Progress(slot + 1, shift_ns))


def skip_through(
    grid: Grid, progress: Progress, now_ns: int, reason: Reason
) -> Optional[Skip]:
    """Skip everything that is due up to `now_ns`, for a stretch without captures.

    Returns
    -------
    Skip or None
        None when no undecided slot was due.
    """
    last = grid.last_due_at(now_ns - progress.shift_ns)
    if last < progress.next_slot:
        return None
    after = Progress(last + 1, progress.shift_ns)
    return Skip(progress.next_slot, last, reason, after)


def _last_overdue(grid: Grid, progress: Progress, now_ns: int) -> int:
    """Return the last slot that may not begin any more; every earlier one is, too."""
    elapsed_ns = now_ns - progress.shift_ns
    last = grid.last_due_at(elapsed_ns)
    lateness_ns = elapsed_ns - grid.due_ns(last)
    # Only the newest due slot can still begin: the others have seen a successor due.
    if lateness_ns * LATEST_START_DIVISOR <= grid.interval_at(last):
        return last - 1
    return last
