"""The figures of the simulated microscope are those of its specification."""

import cv2
import numpy as np
import pytest

from hardware_sim import VirtualClock, build
from hardware_sim.inhabitants import Beads
from hardware_sim.microscope import SimMicroscope
from hardware_sim.optics import defocus_sigma_um
from openflexure_timelapse.ports import StagePosition

S = 1_000_000_000


def microscope(scene: str = "empty") -> SimMicroscope:
    """Return a new one."""
    return build(1, scene, VirtualClock(0))


@pytest.mark.parametrize(("mode", "um"), [("full", 0.105), ("half", 0.21)])
def test_scale(mode: str, um: float) -> None:
    """A pixel of the IMX219 is 0.105 um behind 40x and a tube lens of 50 mm."""
    camera = microscope().camera
    width, height = camera.describe().modes[mode]
    assert 343 < width * um < 345
    assert 257 < height * um < 259
    shift = camera.describe().image_shift_per_step
    assert shift is not None
    px_per_step = np.hypot(*shift[0]) * width / 832
    assert 0.088 / px_per_step == pytest.approx(um, rel=0.002)


def test_steps_speed_and_travel() -> None:
    """Steps are 0.088, 0.088 and 0.050 um, 1000 of them a second, over 12, 12, 4 mm."""
    clock = VirtualClock(0)
    stage = build(1, "empty", clock).stage
    info = stage.describe()
    assert info.step_um == (0.088, 0.088, 0.050)
    assert info.lowest is not None
    assert info.highest is not None
    assert (info.highest.x - info.lowest.x) * 0.088 == pytest.approx(12_000, rel=1e-3)
    assert (info.highest.z - info.lowest.z) * 0.050 == pytest.approx(4_000, rel=1e-3)
    stage.move_to(StagePosition(1, 1, 1))
    began_ns = clock.monotonic_ns()
    stage.move_to(StagePosition(1, 1, 2001))
    assert clock.monotonic_ns() - began_ns == 2 * S


def test_backlash() -> None:
    """The play is 158, 84 and 80 steps; the nut stands until it is taken up."""
    stage = microscope().stage
    stage.move_by((400, 400, 400))
    for axis, play in enumerate((158, 84, 80)):
        step_um = (0.088, 0.088, 0.050)[axis]
        before = stage.physical_um(10**12)[axis]
        steps = [0, 0, 0]
        steps[axis] = -play
        stage.move_by((steps[0], steps[1], steps[2]))
        assert stage.physical_um(10**12)[axis] == pytest.approx(before, abs=0.06)
        steps[axis] = -100
        stage.move_by((steps[0], steps[1], steps[2]))
        moved = before - stage.physical_um(10**12)[axis]
        assert moved == pytest.approx(100 * step_um, abs=0.15)


def test_sag() -> None:
    """A millimetre from the middle the sample is 10 um higher: R is 50 mm."""
    stage = microscope().stage
    stage.move_by((12_000, 0, 0))
    x, _, z = stage.physical_um(10**12)
    assert z == pytest.approx(x * x / (2 * 50_000.0), rel=1e-6)
    assert 10 < z < 12


def test_blur() -> None:
    """A point is 0.178 um wide in focus and 0.28 to 0.43 um wider for each um off."""
    sigma = defocus_sigma_um(np.array([0.0, 10.0]))
    assert sigma[0] == pytest.approx(0.21 * 0.55 / 0.65, rel=0.01)
    assert 2.8 < sigma[1] < 4.3


def test_noise() -> None:
    """Two pictures of clear water differ by 1 to 2 grey levels at full size."""
    camera = microscope().camera
    pictures = []
    for _ in range(2):
        jpeg = np.frombuffer(camera.capture("full").jpeg, np.uint8)
        grey = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
        assert grey is not None
        pictures.append(grey.astype(float))
    sigma = (pictures[0] - pictures[1]).std() / np.sqrt(2)
    assert 0.8 < sigma < 2.2


def test_diffusion() -> None:
    """Beads of 1 um in water at 20 degrees: 0.43 um2/s within 10 %."""
    beads = Beads(4, number=2000)
    first, last = beads.bodies(50.0, (0.0, 0.0)), beads.bodies(58.0, (0.0, 0.0))
    square = (last.x_um - first.x_um) ** 2 + (last.y_um - first.y_um) ** 2
    square = square[square < 10_000]  # not those that came back at the other side
    assert np.mean(square) / (4 * 8.0) == pytest.approx(0.43, rel=0.1)


def test_a_ruled_line_is_straight() -> None:
    """An upright line of the grid is one line: nine rows in ten are 0.3 px off it."""
    instrument = microscope("calibration_grid")
    z = round(instrument.world.focus_um(0.0, 0.0, 0.0) / 0.05) + 40
    instrument.stage.move_to(StagePosition(0, 0, z))
    jpeg = np.frombuffer(instrument.camera.capture("full").jpeg, np.uint8)
    grey = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    dark = 255.0 - grey
    shift = instrument.camera.describe().image_shift_per_step
    assert shift is not None
    lean = -shift[0][1] / shift[0][0]  # pixels to the side for each row down
    middle, half = grey.shape[0] // 2, 25
    start = 1500 + int(np.argmax(cv2.blur(dark, (1, 101))[middle, 1500:1800]))
    rows = np.arange(200, grey.shape[0] - 200)
    places = []
    for row in rows:
        left = round(start + lean * (row - middle)) - half
        ink = dark[row, left : left + 2 * half + 1]
        ink = np.clip(ink - np.median(ink), 0, None)
        places.append(left + (ink * np.arange(len(ink))).sum() / max(ink.sum(), 1))
    fit = np.polyfit(rows, places, 1)
    off = np.abs(np.array(places) - np.polyval(fit, rows))
    assert np.percentile(off, 90) < 0.3
