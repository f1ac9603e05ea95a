"""How much space a run needs and when it runs out: pure arithmetic."""

from dataclasses import dataclass, replace
from typing import Optional

__all__ = ["Forecast", "has_room", "room_returned"]

ROW_BYTES = 500
"""What a frame costs in the index, with its visit and its slot."""

HALF_BLOCK_BYTES = 2048
"""What a file leaves empty in its last block, on average."""

RETURN_SLOTS = 3
"""Space for so many slots must be back before a paused run goes on, lest it flutter."""

RECENT_SLOTS = 32
"""The newest slots count most: pictures grow as a culture does, and at dawn."""


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
    recent_frame_bytes : float or None
        The mean of the newest frames, each slot counting less than the next; None
        before the first.
    """

    frames_per_slot: int
    typical_frame_bytes: int
    frames: int = 0
    stored_bytes: int = 0
    recent_frame_bytes: Optional[float] = None

    def after(self, frames: int, stored_bytes: int) -> "Forecast":
        """Return the forecast when the run has stored so much.

        Parameters
        ----------
        frames, stored_bytes : int
            In all.
        """
        made = frames - self.frames
        recent = self.recent_frame_bytes
        if made > 0:
            mean = (stored_bytes - self.stored_bytes) / made
            share = max(1 / RECENT_SLOTS, made / frames)
            recent = mean if recent is None else recent + share * (mean - recent)
        return replace(
            self, frames=frames, stored_bytes=stored_bytes, recent_frame_bytes=recent
        )

    @property
    def frame_bytes(self) -> int:
        """What one more frame is thought to have."""
        if self.recent_frame_bytes is None:
            return self.typical_frame_bytes
        return round(self.recent_frame_bytes)

    @property
    def slot_bytes(self) -> int:
        """What one more slot is thought to cost."""
        return self.frames_per_slot * (self.frame_bytes + HALF_BLOCK_BYTES + ROW_BYTES)

    def slots_left(self, free_bytes: int, keep_free_bytes: int) -> int:
        """Return how many more slots fit."""
        return max(0, free_bytes - keep_free_bytes) // self.slot_bytes


def has_room(forecast: Forecast, free_bytes: int, keep_free_bytes: int) -> bool:
    """Tell whether the next slot fits."""
    return forecast.slots_left(free_bytes, keep_free_bytes) >= 1


def room_returned(forecast: Forecast, free_bytes: int, keep_free_bytes: int) -> bool:
    """Tell whether a run that paused for the disk may go on."""
    return forecast.slots_left(free_bytes, keep_free_bytes) >= RETURN_SLOTS
