"""The estimate: what a plan takes, before anything moves."""

from typing import Any, Dict

import pytest

from openflexure_timelapse.estimate import Estimate, estimate
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.ports import CameraInfo, StageInfo

CAMERA = CameraInfo(
    model="camera",
    simulated=True,
    modes={"half": (1640, 1232), "full": (3280, 2464)},
    um_per_pixel=0.21,
    typical_frame_bytes=500_000,
    capture_s=0.5,
)
STAGE = StageInfo("stage", True, None, None, None, steps_per_s=1000.0)  # noqa: FBT003
PLENTY = 10**12
SMALLEST: Dict[str, Any] = {"name": "pond", "interval_s": 30, "frames": 120}


def estimated(free_bytes: int = PLENTY, **changes: Any) -> Estimate:
    """Estimate the smallest plan with changes."""
    plan = parse_plan({**SMALLEST, **changes})
    return estimate(plan, CAMERA, STAGE, free_bytes=free_bytes, starts_in_ns=10**9)


def test_frames_are_slots_times_positions_times_planes() -> None:
    """The number of files is known before the start."""
    places = [{"name": name, "x": 0, "y": 0, "z": 0} for name in "ab"]
    told = estimated(positions=places, planes={"count": 3, "step": 10})
    assert (told.slots, told.frames) == (120, 720)


def test_a_mode_of_four_times_the_pixels_needs_four_times_the_space() -> None:
    """A camera tells the usual size of a frame for its default mode only."""
    half, full = estimated(), estimated(camera_mode="full")
    assert half.stored_bytes is not None
    assert full.stored_bytes is not None
    assert full.stored_bytes / half.stored_bytes == pytest.approx(4, rel=0.01)


def test_the_end_counts_the_wait_and_the_last_interval() -> None:
    """120 slots of 30 s that begin in one second end in an hour and a second."""
    assert estimated().ends_in_s == 3601.0


def test_a_run_until_stopped_has_no_end() -> None:
    """None means until stopped; the space still tells how many slots fit."""
    told = estimated(frames=None)
    assert (told.slots, told.frames, told.stored_bytes, told.ends_in_s) == (None,) * 4
    assert told.slots_that_fit > 10**6


def test_the_cost_of_a_slot_names_focus_apart() -> None:
    """A slot with focus takes longer by one sweep per position."""
    told = estimated(autofocus={"every": 10, "range": 2000})
    assert told.slot_s == pytest.approx(0.8)
    assert told.focus_slot_s == pytest.approx(0.8 + 6 + 2.5)


@pytest.mark.parametrize(
    ("changes", "free_bytes", "words"),
    [
        ({"interval_s": 0.5}, PLENTY, "longer interval"),
        (
            {"interval_s": 5, "autofocus": {"every": 10, "range": 2000}},
            PLENTY,
            "next slot will be late",
        ),
        ({}, 530_000_000, "room for about 59 slots, that is 0.5 hours"),
        ({"interval_s": 3600}, 530_000_000, "that is 2.5 days"),
        ({"frames": 20_000}, PLENTY, "play for 22 minutes"),
    ],
    ids=["too fast", "focus too slow", "hours of space", "days of space", "long movie"],
)
def test_a_plan_that_will_disappoint_is_told_so(
    changes: Dict[str, Any], free_bytes: int, words: str
) -> None:
    """Each disappointment that can be foreseen has its sentence."""
    warnings = estimated(free_bytes, **changes).warnings
    assert any(words in warning for warning in warnings), warnings


def test_a_plan_that_fits_has_no_warnings() -> None:
    """Silence means that nothing was found."""
    assert estimated().warnings == ()
