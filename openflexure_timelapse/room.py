"""Whether the disk has room for the next slot, by what the run has cost so far."""

from openflexure_timelapse.forecast import Forecast, has_room, room_returned
from openflexure_timelapse.ledger import Ledger
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.store.run_store import RunStore, Totals

__all__ = ["Room"]

BYTES_PER_MB = 1_000_000


class Room:
    """Asks the disk and the ledger; a row that the disk refused is a full disk.

    Parameters
    ----------
    plan : Plan
        For ``keep_free_mb`` and the frames of a slot.
    store : RunStore
        Whose disk is asked.
    disk : Disk
        The port.
    ledger : Ledger
        Is flushed first.
    typical_frame_bytes : int
        The camera's word, until there are frames to measure.

    Attributes
    ----------
    forecast : Forecast
        What a slot costs.
    """

    def __init__(
        self,
        plan: Plan,
        store: RunStore,
        disk: Disk,
        ledger: Ledger,
        typical_frame_bytes: int,
    ) -> None:
        self._folder = str(store.folder)
        self._disk = disk
        self._ledger = ledger
        self._keep_free_bytes = plan.keep_free_mb * BYTES_PER_MB
        self._per_slot = len(plan.position_names()) * plan.planes.count
        self._typical = typical_frame_bytes
        self.forecast = Forecast(self._per_slot, typical_frame_bytes)
        self.learn(store.totals())

    @property
    def frames_per_slot(self) -> int:
        """Positions times planes."""
        return self._per_slot

    def learn(self, totals: Totals) -> None:
        """Take note of what the run has stored."""
        self.forecast = Forecast(
            self._per_slot, self._typical, totals.frames, totals.bytes
        )

    def suffices(self) -> bool:
        """Tell whether the next slot fits, everything that waits being written."""
        return self._ledger.flush() and has_room(
            self.forecast, self._free_bytes(), self._keep_free_bytes
        )

    def returned(self) -> bool:
        """Tell whether a run that paused for the disk may go on."""
        return self._ledger.flush() and room_returned(
            self.forecast, self._free_bytes(), self._keep_free_bytes
        )

    def _free_bytes(self) -> int:
        """Return the space that may still be written."""
        return self._disk.free_bytes(self._folder)
