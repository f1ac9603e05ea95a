"""The engine's hand on the store: nothing that has to be written is ever dropped."""

import logging
from collections import deque
from typing import Any, Deque, Dict, List, Mapping, Optional, Sequence, Tuple

from openflexure_timelapse.errors import ConflictError, StorageError
from openflexure_timelapse.frame import Event, Frame, Outcome, Slot, Visit
from openflexure_timelapse.ports import Clock, Observer
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["Ledger"]

LOG = logging.getLogger(__name__)

Rows = Dict[str, Any]
"""The arguments of one `RunStore.record`: a transaction."""


class Ledger:
    """Writes outcomes, events and values; keeps in memory what the disk refuses.

    A full or failing disk can refuse the very row that says so. Such rows wait here,
    in order, and are written as soon as the disk takes them. Nothing that waits has
    been acknowledged to anybody: after a power cut its slots are found without an
    outcome and recorded as interrupted.

    Parameters
    ----------
    store : RunStore
        The run on disk.
    clock : Clock
        Stamps the events.
    observers : sequence of Observer
        Told at once of every event, of every outcome as ``slot``, and of every frame
        as ``frame``.
    """

    def __init__(
        self, store: RunStore, clock: Clock, observers: Sequence[Observer]
    ) -> None:
        self._store = store
        self._clock = clock
        self._observers = observers
        self._waiting: List[Rows] = []
        self._notes: Deque[Tuple[str, Mapping[str, Any]]] = deque()
        self.origin_ns = clock.monotonic_ns()

    @property
    def waiting(self) -> int:
        """How many transactions the disk has not taken yet."""
        return len(self._waiting)

    def slot(
        self,
        slot: Slot,
        visits: Sequence[Visit] = (),
        values: Optional[Mapping[str, Any]] = None,
    ) -> None:
        """Record the one outcome of a slot, or of a range of skipped slots.

        Parameters
        ----------
        slot : Slot
            The outcome.
        visits : sequence of Visit
            What it consisted of.
        values : mapping or None
            The engine's own values that changed with it.
        """
        told = {"slots": slot.last - slot.first + 1, "outcome": slot.outcome.value}
        self._tell("slot", {**told, "reason": slot.reason and slot.reason.value})
        values = dict(values or {})
        before = self._waiting[-1] if self._waiting else {}
        if not visits and _joins(before.get("slots", ()), slot):
            first = before["slots"][0].first
            slot = Slot(first, slot.last, slot.outcome, slot.reason, slot.detail, 0)
            values = {**before["values"], **values}
            self._waiting.pop()
        self._write({"visits": tuple(visits), "slots": (slot,), "values": values})

    def frame(self, frame: Frame) -> None:
        """Tell the observers of a frame that was acknowledged, as ``frame``."""
        draft = frame.draft
        flags = [flag.value for flag in draft.flags]
        told = {"slot": draft.slot, "position": draft.position, "flags": flags}
        self._tell("frame", told)

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        """Record that something happened, and tell the observers.

        They hear first: the disk may be what it is about.
        """
        self._tell(kind, details)
        event = Event(
            wall_ns=self._clock.wall_ns(),
            elapsed_ns=self._clock.monotonic_ns() - self.origin_ns,
            kind=kind,
            details=details,
        )
        self._write({"events": (event,)})

    def note(self, kind: str, details: Mapping[str, Any]) -> None:
        """Have an event recorded by the engine's thread; safe from any thread."""
        self._notes.append((kind, details))

    def write_notes(self) -> None:
        """Record what others have noted of the run."""
        while self._notes:
            self.event(*self._notes.popleft())

    def value(self, key: str, value: Any) -> None:
        """Record a value of the engine's, under a name that replaces the old one."""
        self._write({"values": {key: value}})

    def flush(self) -> bool:
        """Try to write what waits; True when nothing waits any more."""
        try:
            self.write_all()
        except (StorageError, MemoryError):
            return False
        return True

    def write_all(self) -> None:
        """Write what waits.

        Raises
        ------
        DiskFullError, StorageError
            Why the rest of it still waits.
        """
        while self._waiting:
            rows = self._waiting[0]
            try:
                self._store.record(**rows)
            except ConflictError:
                # A commit that a failing disk reported as failed was none the less
                # there when it came back, or a repair has told the slot meanwhile.
                if not self._is_recorded(rows):
                    raise
                values, events = rows.get("values"), rows.get("events", ())
                self._store.record(values=values, events=events)
            self._waiting.pop(0)
            self._clock.monotonic_ns()  # a sign of life: there may be thousands

    def _is_recorded(self, rows: Rows) -> bool:
        """Tell whether the slots of a transaction have their outcome already."""
        slots = rows.get("slots", ())
        return bool(slots) and all(
            self._store.slot_at(slot.first) is not None for slot in slots
        )

    def _tell(self, kind: str, details: Mapping[str, Any]) -> None:
        """Tell the observers; no run ends because of one that breaks its promise."""
        for observer in self._observers:
            try:
                observer.notice(kind, details)
            except Exception:  # noqa: PERF203 (the next one is told all the same)
                LOG.exception("An observer of the run failed.")

    def _write(self, rows: Rows) -> None:
        """Write a transaction behind those that wait already."""
        self._waiting.append(rows)
        self.flush()


def _joins(before: Sequence[Slot], slot: Slot) -> bool:
    """Tell whether `slot` prolongs a skipped range that waits, to save memory."""
    if len(before) != 1 or slot.outcome is not Outcome.SKIPPED:
        return False
    last = before[0]
    same = (last.outcome, last.reason, last.detail) == (
        slot.outcome,
        slot.reason,
        slot.detail,
    )
    return same and last.last + 1 == slot.first
