"""How much space a run needs and when it runs out: pure arithmetic."""

from dataclasses import dataclass
from typing import Optional

__all__ = ["Forecast", "has_room", "room_returned"]

ROW_BYTES = 1200
"""What a frame costs in the index and its write-ahead log, generously."""

RETURN_SLOTS = 3
"""Space for so many slots must be back before a paused run goes on, lest it flutter."""


@dataclass(frozen=True)
class Forecast:
    """What a run has cost so far, and therefore will cost.

    Attributes
    ----------
    frames_per_slot : int
        Positions times planes.
    typical_frame_bytes : int
        The camera's word, until there are frames to measure.
    frames, stored_bytes : int
        So far.
    """

    frames_per_slot: int
    typical_frame_bytes: int
    frames: int = 0
    stored_bytes: int = 0

    @property
    def slot_bytes(self) -> int:
        """The mean cost of one slot."""
        mean = self.typical_frame_bytes
        if self.frames:
            mean = self.stored_bytes // self.frames
        return self.frames_per_slot * (mean + ROW_BYTES)

    def slots_left(self, free_bytes: int, keep_free_bytes: int) -> int:
        """Return how many more slots fit."""
        return max(0, free_bytes - keep_free_bytes) // self.slot_bytes

    def full_in_ns(
        self,
        free_bytes: int,
        keep_free_bytes: int,
        interval_ns: int,
        remaining_slots: Optional[int],
    ) -> Optional[int]:
        """Return when the disk is full, from now; None when the run ends before."""
        slots = self.slots_left(free_bytes, keep_free_bytes)
        if remaining_slots is not None and slots >= remaining_slots:
            return None
        return slots * interval_ns


def has_room(forecast: Forecast, free_bytes: int, keep_free_bytes: int) -> bool:
    """Tell whether the next slot fits."""
    return forecast.slots_left(free_bytes, keep_free_bytes) >= 1


def room_returned(forecast: Forecast, free_bytes: int, keep_free_bytes: int) -> bool:
    """Tell whether a run that paused for the disk may go on."""
    return forecast.slots_left(free_bytes, keep_free_bytes) >= RETURN_SLOTS
