"""Focus by one glide through it, on the real picamera2: near the truth, and quick."""

from pathlib import Path
from typing import Iterator, Tuple

import numpy as np
import pytest
from eye_rig import Eye, Eyes, need_picamera2

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.focus import FocusDecision, decide_focus
from openflexure_timelapse.hosts.direct.focuser import METRIC, DirectFocuser
from openflexure_timelapse.hosts.direct.stage import DirectStage
from openflexure_timelapse.plan import Accept
from openflexure_timelapse.ports import FocusSweep, StagePosition

need_picamera2("sangaboard")

STEP_UM = 0.05
RANGE = 2000
DEPTH_OF_FIELD_UM = 1.5
CLEAR_GAIN = 1.5
"""Of beads it is 1.1 with the bytes of the empty field, too little to be believed."""
OFF_UM = {"algae_growth": 25.0, "beads": -18.0, "empty": 5.0}
QUICK = {"speed": 2.0, "frame_speed": 2.0, "stream_size": (416, 312)}


@pytest.fixture(name="eyes")
def _eyes(tmp_path: Path) -> Iterator[Eyes]:
    """Return a maker of cameras."""
    made = Eyes(tmp_path)
    yield made
    made.close()


def defocus_um(eye: Eye) -> float:
    """Return how far from the focus the sample is, once it has stopped to swing."""
    world, now_ns = eye.sim.world, eye.clock.monotonic_ns()
    x_um, y_um, z_um = eye.sim.stage.physical_um(now_ns + 10**9)
    return z_um - world.focus_um(world.now_s(), x_um, y_um)


def at(eye: Eye, off_um: float) -> DirectStage:
    """Return a stage that stands so far from the focus, its play taken up."""
    stage, sim = eye.stage(), eye.sim.stage
    stage.move_to(StagePosition(0, 0, 0))
    way = round((off_um - defocus_um(eye)) / STEP_UM)
    if way < 0:
        sim.turn((0, 0, way - 200))
        way = 200
    sim.turn((0, 0, way))
    return stage


def way_of(command: str) -> int:
    """Return the steps that a command to the board asks for."""
    word, *steps = command.split()
    return max(abs(int(step)) for step in steps) if word == "mr" else 0


def swept(eye: Eye, stage: DirectStage, way: int) -> Tuple[FocusSweep, FocusDecision]:
    """Sweep and decide, as a visit does."""
    start = stage.position().z
    sweep = DirectFocuser(eye.camera, stage).sweep(way)
    return sweep, decide_focus(sweep, Accept(), way, None, start)


@pytest.mark.parametrize("scene", ["algae_growth", "beads"])
def test_a_glide_finds_the_focus(eyes: Eyes, scene: str) -> None:
    """Also where there is little to see, and with less way than OpenFlexure's.

    Its fast autofocus goes down by half of the range, up, down, and up to the peak.
    """
    eye = eyes(scene=scene, **QUICK)
    stage = at(eye, OFF_UM[scene])
    start = stage.position()
    eye.camera.lock_exposure()
    eye.wire.heard.clear()
    sweep, decision = swept(eye, stage, RANGE)
    assert sweep.metric == METRIC
    assert decision.accepted, decision.reason
    assert decision.gain >= CLEAR_GAIN
    stage.move_to(start.at_z(decision.z))
    assert abs(defocus_um(eye)) <= DEPTH_OF_FIELD_UM
    theirs = 2.5 * RANGE + decision.z - (start.z - RANGE / 2)
    assert sum(map(way_of, eye.wire.heard)) < theirs


def test_an_empty_field_has_no_focus(eyes: Eyes) -> None:
    """Noise is no peak, also where little else is left of the bytes."""
    eye = eyes(scene="empty", **QUICK)
    eye.camera.lock_exposure()
    _, decision = swept(eye, at(eye, OFF_UM["empty"]), RANGE)
    assert not decision.accepted


def test_a_short_way_is_gone_more_than_once(eyes: Eyes) -> None:
    """One that is over before there are enough frames for a decision."""
    eye = eyes(**QUICK)
    eye.camera.lock_exposure()
    stage = at(eye, 3.0)
    low = stage.position().z - 250
    sweep, decision = swept(eye, stage, 500)
    assert np.sum(np.diff(sweep.z_steps) < 0) >= 2
    assert min(sweep.z_steps) >= low
    assert max(sweep.z_steps) <= low + 500
    stage.move_to(StagePosition(0, 0, decision.z))
    assert decision.accepted, decision.reason
    assert abs(defocus_um(eye)) <= DEPTH_OF_FIELD_UM


def test_a_way_without_frames_is_an_error(eyes: Eyes) -> None:
    """Too short a way for the live view says so."""
    eye = eyes(**QUICK)
    with pytest.raises(HardwareError, match=r"saw only \d frames, 5 are needed"):
        DirectFocuser(eye.camera, at(eye, 0.0)).sweep(4)


def test_at_the_end_of_the_travel_less_is_swept(eyes: Eyes) -> None:
    """No sweep leaves the travel."""
    eye = eyes(**QUICK)
    stage = eye.stage(reach=600)
    stage.move_to(StagePosition(0, 0, 100))
    sweep = DirectFocuser(eye.camera, stage).sweep(RANGE)
    assert -600 <= min(sweep.z_steps) <= max(sweep.z_steps) <= 600
    assert stage.position() == StagePosition(0, 0, 600)
