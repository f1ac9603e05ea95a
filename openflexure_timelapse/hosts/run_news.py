"""What of a run is worth telling people who are away: decided from its events alone."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping

from openflexure_timelapse.frame import Flag, Outcome, Reason
from openflexure_timelapse.hosts.news import News
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import Clock
from openflexure_timelapse.schedule import grid_of
from openflexure_timelapse.status import local_time

__all__ = ["RunNews"]

NS_PER_S = 1_000_000_000
MISSED_IN_A_ROW = 3
LONG_INTERVAL_NS = 600 * NS_PER_S
"""From this interval on, one missed slot is worth a message."""
SHORTEST_GAP_NS = 60 * NS_PER_S
"""No sooner after the first missed slot: at short intervals three are nothing."""
MISSING = tuple(
    reason.value
    for reason in (
        Reason.BUSY,
        Reason.TIMEOUT,
        Reason.HARDWARE,
        Reason.STAGE,
        Reason.INCOMPLETE_IMAGE,
        Reason.STORAGE,
        Reason.MEMORY,
    )
)
"""Other reasons are told as what they are, or the next slot to be captured is there."""
SHOWS_NOTHING = {flag.value for flag in (Flag.DARK, Flag.BRIGHT, Flag.REPEATED)}
CAPTURED = (Outcome.CAPTURED.value, Outcome.LATE.value)


@dataclass
class _Row:
    """Slots in a row that came to nothing."""

    slots: int = 0
    since_ns: int = 0
    is_told: bool = False


class RunNews:
    """An observer of one run that turns what happens into messages.

    Parameters
    ----------
    plan : Plan
        What of is told is its choice.
    run_id : str
        Of the run.
    counts : mapping of str to int
        Slots per outcome so far.
    host : str
        What people call this computer.
    clock : Clock
        The run's.
    post : callable
        Takes the messages; returns at once.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what a message says)
        self,
        plan: Plan,
        run_id: str,
        counts: Mapping[str, int],
        host: str,
        clock: Clock,
        post: Callable[[News], Any],
    ) -> None:
        self._plan = plan
        self._run_id = run_id
        self._counts: Dict[str, int] = dict(counts)
        self._host = host
        self._clock = clock
        self._post = post
        self._on = () if plan.notify is None else plan.notify.on
        self._grid = grid_of(plan)
        self._missing = _Row()
        self._blind = _Row()
        self._seen: List[bool] = []
        self._failed = False

    # ------------------------------------------------------------ as the run's observer

    def notice(self, kind: str, details: Mapping[str, Any]) -> None:
        """Take note of an event or an outcome; see `ports.Observer`."""
        if kind == "slot":
            self._slot(details)
        elif kind == "frame":
            self._seen.append(SHOWS_NOTHING.isdisjoint(details["flags"]))
        elif kind in OF_THE_DISK:
            what, more = OF_THE_DISK[kind]
            self._tell("paused", what, more.format(**details))
        elif kind == "resumed" and not details.get("after"):
            self._tell("resumed", "was taken up again after an interruption", RESUMED)
        elif kind == "broke_off":
            told = f"An error of the program: {details['error']}. It is taken up again "
            told += "by itself; please report the error with the run's events."
            self._tell("failed", "broke off", told)
        elif kind == "failed":
            self.failed(str(details["error"]))
        elif kind == "ended" and not self._failed:
            self._tell("ended", f"has ended: {details['reason']}", ENDED)

    def failed(self, error: str) -> None:
        """Tell once that the run has come to a bad end."""
        if not self._failed:
            self._failed = True
            told = f"{error}\nThe frames so far are kept. Look at the microscope, then "
            self._tell("failed", "has failed", told + "start a new run or go on.")

    def stalled(self, seconds: float, doing: str) -> None:
        """Tell that the run makes no progress."""
        told = f"It has been busy with this for {seconds:.0f} s longer than it may: "
        told += f"{doing}. Most often a disk does not answer. If it does not go on by "
        told += "itself, restart the microscope's server: the run then goes on."
        self._tell("stalled", "makes no progress", told)

    def stall_over(self, seconds: float) -> None:
        """Tell that it does again."""
        told = (
            f"It stood still for {seconds:.0f} s. What was due meanwhile is recorded."
        )
        self._tell("stalled", "makes progress again", told)

    # ----------------------------------------------------------------- slots in a row

    def _slot(self, details: Mapping[str, Any]) -> None:
        """Count a slot, or several skipped ones; notice when none is captured."""
        outcome, slots = details["outcome"], details["slots"]
        self._counts[outcome] = self._counts.get(outcome, 0) + slots
        if outcome in CAPTURED:
            self._end(self._missing, "captures again", "have no frame")
            if any(self._seen):
                self._end(self._blind, "sees again", "show nothing")
            elif self._seen:
                why = "their pictures are dark, white, or repeat the one before"
                self._count(self._blind, slots, "sees nothing", f"show nothing: {why}")
            self._seen = []
        elif details["reason"] in MISSING:
            why = f"have no frame; the last one's reason: {details['reason']}"
            self._count(self._missing, slots, "captures nothing", why)

    def _end(self, row: "_Row", what: str, were: str) -> None:
        """End a row of slots that came to nothing."""
        if row.is_told:
            told = f"{row.slots} time points in a row {were}."
            self._tell("missed", what, told)
        row.slots, row.is_told = 0, False

    def _count(self, row: "_Row", slots: int, what: str, why: str) -> None:
        """Count slots that came to nothing; tell once that too many did in a row."""
        now_ns = self._clock.monotonic_ns()
        if not row.slots:
            row.since_ns = now_ns
        row.slots += slots
        slot, of = sum(self._counts.values()) - 1, self._grid.slots
        interval_ns = self._grid.interval_at(slot if of is None else slot % of)
        enough = 1 if interval_ns >= LONG_INTERVAL_NS else MISSED_IN_A_ROW
        gap_ns = now_ns - row.since_ns + interval_ns
        if row.slots < enough or gap_ns < SHORTEST_GAP_NS or row.is_told:
            return
        row.is_told = True
        told = f"{row.slots} time points in a row {why}. "
        told += "Look at the microscope and at the page's warnings."
        self._tell("missed", what, told)

    # --------------------------------------------------------------------------- words

    def _tell(self, kind: str, what: str, more: str) -> None:
        """Post a message if the plan wants it."""
        if kind not in self._on:
            return
        time = local_time(self._clock, self._clock.wall_ns()) or "unknown"
        slots = self._grid.slots
        done = ", ".join(f"{n} {name}" for name, n in self._counts.items() if n)
        lines = [
            f"The time-lapse {self._plan.name} on {self._host} {what}.",
            more,
            "",
            f"Time points: {done or 'none yet'}, of {slots or 'as many as there come'}",
            f"When: {time}",
            f"Run: {self._run_id}",
        ]
        self._post(
            News(
                kind=kind,
                title=f"{self._plan.name} on {self._host} {what}",
                text="\n".join(lines),
                time=time,
                host=self._host,
                run=self._run_id,
                name=self._plan.name,
                counts=dict(self._counts),
            )
        )


DISK_FULL = (
    "Make room on the microscope's disk, for example delete old runs; it then goes on "
    "by itself. Time points are skipped until then."
)
AGAIN = "Nothing is to do."
OF_THE_DISK = {
    "disk_full": ("is paused: the disk is full", DISK_FULL),
    "space_returned": ("goes on: there is room again", AGAIN),
    "disk_error": ("is paused: its disk fails", "{problem}"),
    "disk_returned": ("goes on: its disk is back", AGAIN),
}
RESUMED = (
    "The program had ended or the power was cut. It goes on with the same grid; what "
    "was missed is recorded as interrupted. Nothing is to do."
)
ENDED = "The frames are safe; the movie is made now if the plan asks for one."
