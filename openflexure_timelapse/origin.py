"""Where slot 0 of a run lies on the monotonic clock, now and after a restart."""

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Dict, Optional

from openflexure_timelapse.frame import Frame
from openflexure_timelapse.ledger import Ledger
from openflexure_timelapse.plan import FARTHEST_START_S, Plan
from openflexure_timelapse.ports import Clock, Signal
from openflexure_timelapse.restart import Anchor, ClockReading, NotYet, regain
from openflexure_timelapse.schedule import seconds_to_ns
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["Origin"]

NS_PER_S = 1_000_000_000
LONGEST_WAIT_FOR_CLOCK_NS = 180 * NS_PER_S
LOOK_AGAIN_NS = NS_PER_S
FOLLOW_START_NS = 30 * NS_PER_S
STEP_WORTH_KEEPING_NS = NS_PER_S // 2


class Origin:
    """Finds the grid's origin and keeps what is needed to find it again.

    Attributes
    ----------
    monotonic_ns : int
        The origin in the present boot.
    is_known : bool
        Whether it has been found; until then `monotonic_ns` means nothing.
    """

    def __init__(
        self, plan: Plan, store: RunStore, clock: Clock, ledger: Ledger
    ) -> None:
        self._plan = plan
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._anchor: Optional[Anchor] = None
        self.monotonic_ns = clock.monotonic_ns()
        self.is_known = False

    def find(self, abort: Signal, last_decided_ns: int) -> Dict[str, Any]:
        """Set the origin: a new one for a new run, else the old one again.

        Waits, for minutes at most, for a clock that can be believed.

        Parameters
        ----------
        abort : Signal
            Ends that wait; what is on disk stays as it was then.
        last_decided_ns : int
            The due time of the newest slot that has an outcome.

        Returns
        -------
        dict
            JSON-able: how it was found.
        """
        saved, last = self._store.value("anchor"), self._store.last_frame()
        if saved is None and last is None:
            self._set(self._first())
            return {"how": "first"}
        anchor = Anchor(**saved) if last is None or saved else _told_by(last)
        began_ns = self._clock.monotonic_ns()
        while True:
            reading = self._read()
            waited_ns = reading.monotonic_ns - began_ns
            if abort.is_set():
                waited_ns = LONGEST_WAIT_FOR_CLOCK_NS
            found = regain(
                anchor,
                max(self._last_elapsed_ns(anchor, last), last_decided_ns),
                anchor.wall_ns if last is None else last.draft.wall_ns,
                reading,
                waited_ns,
                LONGEST_WAIT_FOR_CLOCK_NS,
            )
            if not isinstance(found, NotYet):
                break
            self._clock.wait_until(reading.monotonic_ns + LOOK_AGAIN_NS, abort)
        if found.how == "same_boot":
            # The old anchor holds, and its trusted pair may be the only one there is.
            self._use(anchor)
        elif abort.is_set():
            # Nobody has waited for the clock, so nothing is known that is worth more
            # than the old anchor.
            self._use(replace(anchor, origin_monotonic_ns=found.origin_monotonic_ns))
        else:
            self._set(found.origin_monotonic_ns)
        return {"how": found.how, "unknown_gap": found.unknown_gap}

    def look_again_ns(self) -> int:
        """Return how long to wait for slot 0, following the time of day if asked to.

        A start at a time of day is the one thing that the wall clock decides: a Pi
        may learn the time only after it was told to start at eight o'clock.
        """
        if self._plan.start_at is None:
            return self.monotonic_ns
        reading = self._read()
        first_ns = self._first()
        moved = abs(first_ns - self.monotonic_ns) > STEP_WORTH_KEEPING_NS
        if moved and self._may_move_start(reading, first_ns):
            interval_ns = seconds_to_ns(self._plan.all_phases()[0].interval_s)
            ahead_ns = first_ns - reading.monotonic_ns
            if ahead_ns * 2 < -interval_ns:
                # Too late for slot 0: no slot is lost to a clock that was set.
                first_ns = reading.monotonic_ns
            self._ledger.event("start_moved", {"ahead_s": round(ahead_ns / NS_PER_S)})
            self._set(first_ns)
        return min(self.monotonic_ns, reading.monotonic_ns + FOLLOW_START_NS)

    def _may_move_start(self, reading: ClockReading, first_ns: int) -> bool:
        """Tell whether a time of day may move a start.

        One that nothing vouches for may not when an earlier one was vouched for, nor
        when it puts the start farther away than any start may be: it is 1970 then.
        """
        anchor = self._anchor
        if reading.wall_trusted or anchor is None:
            return True
        is_near = first_ns - reading.monotonic_ns < FARTHEST_START_S * NS_PER_S
        return is_near and not anchor.wall_trusted

    def follow_wall_clock(self) -> None:
        """Keep the newest trusted pair of clock readings when the wall clock moved."""
        anchor, reading = self._anchor, self._read()
        if anchor is None:
            return
        passed_ns = reading.monotonic_ns - anchor.wall_at_monotonic_ns
        moved_ns = reading.wall_ns - (anchor.wall_ns + passed_ns)
        if abs(moved_ns) > STEP_WORTH_KEEPING_NS or (
            reading.wall_trusted and not anchor.wall_trusted
        ):
            kept = anchor.with_pair(
                reading.monotonic_ns - self.monotonic_ns,
                reading.wall_ns,
                trusted=reading.wall_trusted,
            )
            if kept != anchor:
                details = {"step_s": round(moved_ns / NS_PER_S, 3)}
                self._ledger.event("wall_clock_stepped", details)
                self._keep(kept)

    def _first(self) -> int:
        """Return where a new run begins: now, in a while, or at a time of day."""
        reading = self._read()
        if self._plan.start_at is not None:
            epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
            since = self._plan.start_at - epoch
            whole_s = since.days * 86400 + since.seconds
            start_ns = whole_s * NS_PER_S + since.microseconds * 1000
            return reading.monotonic_ns + start_ns - reading.wall_ns
        return reading.monotonic_ns + seconds_to_ns(self._plan.start_in_s or 0.0)

    def _last_elapsed_ns(self, anchor: Anchor, last: Optional[Frame]) -> int:
        """Return the newest moment of the run that is on record."""
        anchored_ns = anchor.wall_at_monotonic_ns - anchor.origin_monotonic_ns
        return anchored_ns if last is None else max(anchored_ns, last.draft.elapsed_ns)

    def _set(self, origin_ns: int) -> None:
        """Use and keep an origin in the present boot."""
        reading = self._read()
        anchor = Anchor(
            boot_id=reading.boot_id,
            origin_monotonic_ns=origin_ns,
            wall_ns=reading.wall_ns,
            wall_at_monotonic_ns=reading.monotonic_ns,
            wall_trusted=reading.wall_trusted,
        )
        self._use(anchor)
        self._keep(anchor)

    def _use(self, anchor: Anchor) -> None:
        """Count from the anchor's origin."""
        self._anchor = anchor
        self.monotonic_ns = anchor.origin_monotonic_ns
        self.is_known = True
        self._ledger.origin_ns = anchor.origin_monotonic_ns

    def _keep(self, anchor: Anchor) -> None:
        """Write the anchor down."""
        self._anchor = anchor
        self._ledger.value("anchor", dict(vars(anchor)))

    def _read(self) -> ClockReading:
        """Read both clocks together."""
        return ClockReading(
            boot_id=self._clock.boot_id(),
            monotonic_ns=self._clock.monotonic_ns(),
            wall_ns=self._clock.wall_ns(),
            wall_trusted=self._clock.wall_is_trusted(),
        )


def _told_by(frame: Frame) -> Anchor:
    """Return the anchor that a frame tells, for a run whose own was lost."""
    draft = frame.draft
    return Anchor(
        boot_id="",
        origin_monotonic_ns=0,
        wall_ns=draft.wall_ns,
        wall_at_monotonic_ns=draft.elapsed_ns,
        wall_trusted=draft.wall_trusted,
    )
