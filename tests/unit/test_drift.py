"""Shifts between pictures are measured truly and corrected with the right sign."""

from typing import Dict, Optional, Tuple

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hardware_sim.clock import VirtualClock
from hardware_sim.microscope import SimMicroscope, build
from hardware_sim.world import Drift
from openflexure_timelapse.drift import (
    DriftDecision,
    Reference,
    Shift,
    decide_drift,
    measure_shift,
)
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.quality import decode_grey

Grey = NDArray[np.uint8]
PerStep = Tuple[Tuple[float, float], Tuple[float, float]]

UM_PER_PIXEL = 0.414
MARGIN = 150
SUB_PIXEL = 16
CALIBRATED: PerStep = ((0.2125, 0.009), (-0.009, 0.2125))


def scene(seed: int, cells: int = 120) -> NDArray[np.float32]:
    """Return a field of resting cells that is larger than any view of it."""
    draw = np.random.default_rng(seed)
    field = np.full((624 + 2 * MARGIN, 832 + 2 * MARGIN), 180, dtype=np.float32)
    for _ in range(cells):
        x, y = draw.uniform(0, field.shape[1]), draw.uniform(0, field.shape[0])
        centre, radius = (int(x * SUB_PIXEL), int(y * SUB_PIXEL)), draw.uniform(6, 14)
        for grey, width in ((draw.uniform(60, 150), -1), (draw.uniform(30, 80), 2)):
            size = int(radius * SUB_PIXEL)
            cv2.circle(field, centre, size, float(grey), width, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(field, (0, 0), 1.5).astype(np.float32)


def view(
    field: NDArray[np.float32],
    shift: Tuple[float, float],
    seed: int,
    size: Tuple[int, int] = (832, 624),
    swimmers: int = 0,
) -> Grey:
    """Return a noisy picture in which the field lies `shift` pixels right and down."""
    draw = np.random.default_rng(seed)
    place = np.array([[1.0, 0, shift[0] - MARGIN], [0, 1, shift[1] - MARGIN]])
    seen = cv2.warpAffine(field, place, size, flags=cv2.INTER_CUBIC)
    for _ in range(swimmers):
        centre = (int(draw.uniform(0, size[0])), int(draw.uniform(0, size[1])))
        shape = (int(draw.uniform(20, 70)), int(draw.uniform(8, 25)))
        turn, grey = draw.uniform(0, 360), draw.uniform(50, 150)
        cv2.ellipse(seen, centre, shape, turn, 0, 360, float(grey), -1, cv2.LINE_AA)
    noisy = seen + draw.normal(0, 1.5, seen.shape)
    _, jpeg = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8))
    decoded = decode_grey(jpeg.tobytes())
    assert decoded is not None
    return decoded


SHIFTS_UM = (0.0, 0.88, 8.8, 35.2)
SIZES = ((832, 624), (820, 616), (640, 480), (801, 603))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("shift_um", SHIFTS_UM)
def test_a_known_shift_is_recovered(shift_um: float, size: Tuple[int, int]) -> None:
    """Shifts of 0 to 35.2 um are found to 0.1 um, at sizes where OpenCV is biased."""
    true = (shift_um / UM_PER_PIXEL, -shift_um / UM_PER_PIXEL)
    field = scene(1)
    found = measure_shift(view(field, (0, 0), 2, size), view(field, true, 3, size))
    assert found.dx_px * UM_PER_PIXEL == pytest.approx(true[0] * UM_PER_PIXEL, abs=0.1)
    assert found.dy_px * UM_PER_PIXEL == pytest.approx(true[1] * UM_PER_PIXEL, abs=0.1)
    assert decide_drift(found, CALIBRATED, 1000).accepted


@given(
    dx=st.floats(-80, 80),
    dy=st.floats(-80, 80),
    seed=st.integers(0, 1000),
)
@settings(max_examples=10)
def test_any_shift_is_recovered_among_swimmers(dx: float, dy: float, seed: int) -> None:
    """Ten swimming cells do not lead the measurement astray."""
    field = scene(seed)
    before = view(field, (0, 0), seed + 1, swimmers=10)
    found = measure_shift(before, view(field, (dx, dy), seed + 2, swimmers=10))
    if decide_drift(found, CALIBRATED, 10_000).accepted:
        assert (found.dx_px, found.dy_px) == pytest.approx((dx, dy), abs=0.3)
    else:
        assert found.response < 3


def test_swimmers_rarely_cost_the_measurement() -> None:
    """Of scenes with ten swimmers, nearly all register."""
    responses = []
    for seed in range(8):
        field = scene(seed)
        before = view(field, (0, 0), seed + 1, swimmers=10)
        after = view(field, (6.5, -11.25), seed + 2, swimmers=10)
        responses.append(measure_shift(before, after).response)
    assert sum(response >= 3 for response in responses) >= 7


def test_other_scenes_do_not_register() -> None:
    """Pictures of different places, or of nothing, are never taken for a shift."""
    for seed in range(6):
        one, other = scene(seed), scene(seed + 100)
        pair = view(one, (0, 0), seed, swimmers=5), view(other, (0, 0), seed)
        assert not decide_drift(measure_shift(*pair), CALIBRATED, 10_000).accepted
    empty = scene(0, cells=0)
    for seed in range(6):
        pair = view(empty, (0, 0), seed), view(empty, (0, 0), seed + 50)
        assert not decide_drift(measure_shift(*pair), CALIBRATED, 10_000).accepted


BLACK = np.zeros((624, 832), dtype=np.uint8)
UNUSABLE: Dict[str, Tuple[Grey, Grey]] = {
    "black": (BLACK, BLACK),
    "another size": (view(scene(1), (0, 0), 1), view(scene(1), (0, 0), 1, (640, 480))),
    "too small": (BLACK[:20, :20], BLACK[:20, :20]),
}


@pytest.mark.parametrize("pair", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_pictures_do_not_register(pair: Tuple[Grey, Grey]) -> None:
    """Pictures that cannot be compared give response 0, and no move."""
    found = measure_shift(*pair)
    assert found == Shift(0.0, 0.0, 0.0)
    decision = decide_drift(found, CALIBRATED, 1000)
    assert (decision.accepted, decision.move_steps) == (False, (0, 0))
    assert "register" in decision.reason


# ------------------------------------------------------------------------ decisions

PLAIN: PerStep = ((0.2, 0.0), (0.0, 0.2))
MIRRORED: PerStep = ((-0.2, 0.0), (0.0, 0.2))
SWAPPED: PerStep = ((0.0, 0.2), (-0.2, 0.0))
FLAT: PerStep = ((0.2, 0.1), (0.4, 0.2))
DECISIONS: Dict[str, Tuple[Shift, Optional[PerStep], bool, Tuple[int, int], str]] = {
    "plain": (Shift(10, -4, 50), PLAIN, True, (-50, 20), "corrected"),
    "mirrored camera": (Shift(10, -4, 50), MIRRORED, True, (50, 20), "corrected"),
    "turned camera": (Shift(10, -4, 50), SWAPPED, True, (20, 50), "corrected"),
    "dead band": (Shift(0.9, -0.9, 50), PLAIN, True, (0, 0), "left alone"),
    "no peak": (Shift(10, -4, 2.9), PLAIN, False, (0, 0), "register"),
    "too far": (Shift(41, 0, 50), PLAIN, False, (0, 0), "too large: x -205"),
    "not calibrated": (Shift(10, 0, 50), None, False, (0, 0), "calibrated"),
    "useless calibration": (Shift(10, 0, 50), FLAT, False, (0, 0), "calibrated"),
}


@pytest.mark.parametrize("case", DECISIONS.values(), ids=DECISIONS.keys())
def test_a_shift_is_decided(
    case: Tuple[Shift, Optional[PerStep], bool, Tuple[int, int], str],
) -> None:
    """Each shift gives the move that undoes it, or a rejection that says why."""
    shift, per_step, accepted, move, word = case
    decision = decide_drift(shift, per_step, 200)
    assert (decision.accepted, decision.move_steps) == (accepted, move)
    assert word in decision.reason
    assert decision.shift_px == (shift.dx_px, shift.dy_px)


@given(
    turn=st.floats(-3.1, 3.1),
    mirror=st.sampled_from([-1.0, 1.0]),
    dx=st.floats(-60, 60),
    dy=st.floats(-60, 60),
)
def test_a_correction_undoes_the_shift(
    turn: float, mirror: float, dx: float, dy: float
) -> None:
    """Whichever way the camera is mounted, shift plus correction is nothing."""
    cos, sin = 0.2 * np.cos(turn), 0.2 * np.sin(turn)
    per_step = ((cos, sin), (-sin * mirror, cos * mirror))
    decision = decide_drift(Shift(dx, dy, 50), per_step, 1000)
    x, y = decision.move_steps
    left_x = dx + x * per_step[0][0] + y * per_step[1][0]
    left_y = dy + x * per_step[0][1] + y * per_step[1][1]
    assert max(abs(left_x), abs(left_y)) <= 1.0


# ---------------------------------------------------------------------- the reference

PICTURE, OTHER = b"picture", b"other"


def test_a_reference_serves_while_it_registers_well() -> None:
    """A good measurement keeps the reference and forgets earlier misses."""
    reference = Reference(PICTURE, (3.0, 4.0), misses=5)
    kept = reference.after(OTHER, Shift(1, 1, 20))
    assert kept == Reference(PICTURE, (3.0, 4.0))


def test_a_fading_reference_is_renewed_without_adding_drift() -> None:
    """The new reference remembers how far it lies from the first one."""
    reference = Reference(PICTURE, (3.0, 4.0))
    total = reference.total(Shift(2.0, -1.0, 4))
    assert (total.dx_px, total.dy_px, total.response) == (5.0, 3.0, 4)
    renewed = reference.after(OTHER, total)
    assert renewed == Reference(OTHER, (5.0, 3.0))
    # The stage has undone the total, so the scene is seen shifted back by it.
    assert renewed.total(Shift(-5.0, -3.0, 20)) == Shift(0.0, 0.0, 20)


def test_a_scene_changed_beyond_recognition_begins_anew() -> None:
    """Ten misses in a row make the present picture the first; nine do not."""
    reference = Reference(PICTURE, (3.0, 4.0))
    for _ in range(9):
        reference = reference.after(OTHER, Shift(50, 50, 1.1))
        assert reference.jpeg == PICTURE
    assert reference.after(OTHER, Shift(50, 50, 1.1)) == Reference(OTHER)


# --------------------------------------------------------------- on the microscope

START_WALL_NS = 1_700_000_000_000_000_000
SHIFTS_STEPS = ((10, 0), (0, -100), (100, 60), (-400, 150))


def true_um(microscope: SimMicroscope, clock: VirtualClock) -> Tuple[float, float]:
    """Return where the sample really is, once it has stopped shaking."""
    clock.advance(2_000_000_000)
    x_um, y_um, _ = microscope.stage.physical_um(clock.monotonic_ns())
    return x_um, y_um


def look(microscope: SimMicroscope) -> Grey:
    """Return the present preview."""
    grey = decode_grey(microscope.camera.preview().jpeg)
    assert grey is not None
    return grey


@pytest.mark.parametrize("scene", ["algae_growth", "pond", "diatoms"])
@pytest.mark.parametrize("steps", SHIFTS_STEPS)
@pytest.mark.parametrize("sign", [1, -1], ids=["right sign", "wrong sign"])
def test_a_shifted_sample_is_brought_back(
    scene: str, steps: Tuple[int, int], sign: int
) -> None:
    """One correction undoes 0.88 to 35.2 um to 0.5 um; the wrong sign doubles it."""
    clock = VirtualClock(START_WALL_NS)
    microscope = build(7, scene, clock, drift=Drift(enabled=False), age_s=7200.0)
    z = int(microscope.world.focus_um(7200.0, 0.0, 0.0) / 0.05)
    microscope.stage.move_to(StagePosition(0, 0, z))
    home = true_um(microscope, clock)
    reference = look(microscope)
    microscope.stage.move_to(StagePosition(*steps, z))
    away = true_um(microscope, clock)
    shift = measure_shift(reference, look(microscope))
    per_step = microscope.camera.describe().image_shift_per_step
    assert per_step is not None
    signed = tuple((sign * x, sign * y) for x, y in per_step)
    decision = decide_drift(shift, (signed[0], signed[1]), 1000)
    assert decision.accepted, decision.reason
    x, y = decision.move_steps
    microscope.stage.move_to(StagePosition(steps[0] + x, steps[1] + y, z))
    back = true_um(microscope, clock)
    before = np.hypot(away[0] - home[0], away[1] - home[1])
    after = np.hypot(back[0] - home[0], back[1] - home[1])
    if sign > 0:
        assert after < 0.5
    else:
        assert after == pytest.approx(2 * before, rel=0.1)


# ----------------------------------------------------------------------- the record


def test_a_decision_is_recorded() -> None:
    """Everything about a decision survives as JSON."""
    decision = DriftDecision(
        accepted=True,
        move_steps=(3, -4),
        shift_px=(1.23456, 0.0),
        response=9.876,
        reason="corrected",
    )
    assert decision.to_json() == {
        "accepted": True,
        "move_steps": [3, -4],
        "shift_px": [1.235, 0.0],
        "response": 9.88,
        "reason": "corrected",
    }
