"""Space: pure arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.forecast import (
    HALF_BLOCK_BYTES,
    RETURN_SLOTS,
    ROW_BYTES,
    Forecast,
    has_room,
    room_returned,
)

OVERHEAD = ROW_BYTES + HALF_BLOCK_BYTES
EMPTY = Forecast(frames_per_slot=2, typical_frame_bytes=1_000_000 - OVERHEAD)


def test_before_the_first_frame_the_camera_is_believed() -> None:
    """Without frames the typical size counts."""
    assert EMPTY.slot_bytes == 2_000_000


def test_measured_frames_replace_the_cameras_word() -> None:
    """With frames their mean counts."""
    measured = Forecast(1, 999).after(frames=4, stored_bytes=40_000)
    assert measured.slot_bytes == 10_000 + OVERHEAD


def test_the_last_slot_that_fits_is_made_and_the_next_is_not() -> None:
    """The space that the plan keeps free stays free."""
    assert has_room(EMPTY, 7_000_000, 5_000_000)
    assert not has_room(EMPTY, 6_999_999, 5_000_000)


def test_a_paused_run_does_not_flutter() -> None:
    """Room for one slot is too little to go on."""
    one_slot, enough = 2_000_000, 2_000_000 * RETURN_SLOTS
    assert not room_returned(EMPTY, one_slot, 0)
    assert room_returned(EMPTY, enough, 0)


def test_pictures_that_grow_are_foreseen() -> None:
    """The newest slots count most, and one odd slot does not count for all."""
    forecast = EMPTY
    for slot in range(200):
        frames = 2 * (slot + 1)
        forecast = forecast.after(frames, forecast.stored_bytes + 2000 + 20 * slot)
    assert forecast.frame_bytes == pytest.approx(1000 + 10 * 199, rel=0.12)
    odd = forecast.after(forecast.frames + 2, forecast.stored_bytes + 60_000)
    assert odd.frame_bytes < 2 * forecast.frame_bytes


def test_slots_without_frames_change_nothing() -> None:
    """A paused run costs what it did."""
    forecast = EMPTY.after(2, 5000)
    assert forecast.after(2, 5000) == forecast


@given(
    free=st.integers(0, 10**13),
    keep=st.integers(0, 10**13),
    frames=st.integers(0, 10**6),
    mean=st.integers(1, 10**8),
)
def test_what_fits_never_takes_what_is_kept_free(
    free: int, keep: int, frames: int, mean: int
) -> None:
    """Slots that fit cost at most the space above the reserve."""
    forecast = Forecast(3, mean).after(frames, frames * mean)
    fit = forecast.slots_left(free, keep)
    assert fit == 0 or fit * forecast.slot_bytes <= free - keep
