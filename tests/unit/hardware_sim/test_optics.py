"""The simulated picture has the figures of the real one."""

from dataclasses import replace
from typing import Tuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hardware_sim import Drift, Fault, VirtualClock, build
from hardware_sim.microscope import SimMicroscope
from hardware_sim.sight import Sight
from openflexure_timelapse.drift import measure_shift
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.quality import decode_grey

Grey = NDArray[np.uint8]

STILL = Drift(enabled=False)
STEP_Z_UM = 0.05
HEIGHTS_UM = (0, 2, 4, 7, 12, 20, 40)


def scope(scene: str, *faults: Fault, drift: Drift = STILL) -> SimMicroscope:
    """Return a microscope at the height of focus, exposure locked."""
    microscope = build(1, scene, VirtualClock(0), faults, drift=drift)
    to_focus(microscope, 0.0)
    microscope.camera.lock_exposure()
    return microscope


def to_focus(microscope: SimMicroscope, above_um: float) -> None:
    """Go to a height above the focus, told by the truth."""
    stage = microscope.stage
    # The middle of the play: x, y and z stand at the upper end of theirs.
    x, y, z = (half / 2 for half in stage.mechanics.backlash_steps)
    there = microscope.world.focus_um(0.0, -x * 0.088, -y * 0.088)
    steps = round((there + above_um) / STEP_Z_UM + z)
    here = stage.position()
    stage.move_to(StagePosition(here.x - 500, here.y - 500, steps - 500))
    stage.move_to(StagePosition(here.x, here.y, steps))
    settle(microscope)


def settle(microscope: SimMicroscope, seconds: float = 3.0) -> None:
    """Let the stage stop shaking."""
    clock = microscope._clock
    clock.wait_until(clock.monotonic_ns() + int(seconds * 1e9), clock.signal())


def grey(microscope: SimMicroscope) -> Grey:
    """Take a preview and decode it."""
    return decoded(microscope.camera.preview().jpeg)


def decoded(jpeg: bytes) -> Grey:
    """Decode a picture to grey."""
    pixels = decode_grey(jpeg)
    assert pixels is not None
    return pixels


def shift_of_move(
    microscope: SimMicroscope, steps: Tuple[int, int]
) -> NDArray[np.float64]:
    """Return by how many pixels the picture moves with the stage."""
    before, here = grey(microscope), microscope.stage.position()
    microscope.stage.move_to(
        StagePosition(here.x + steps[0], here.y + steps[1], here.z)
    )
    settle(microscope)
    found = measure_shift(before, grey(microscope))
    return np.array([found.dx_px, found.dy_px])


@pytest.mark.parametrize("scene", ["algae_growth", "diatoms", "calibration_grid"])
@pytest.mark.parametrize("side", [1, -1], ids=["above", "below"])
def test_jpeg_size_falls_monotonically_from_focus(scene: str, side: int) -> None:
    """The preview's size is largest near focus and falls all the way to 40 µm."""
    microscope = scope(scene)
    sizes = []
    for height_um in HEIGHTS_UM:
        to_focus(microscope, side * height_um)
        sizes.append(len(microscope.camera.preview().jpeg))
    rises = [after >= before for before, after in zip(sizes, sizes[1:])]
    assert not any(rises), sizes
    assert sizes[0] > 1.3 * sizes[-1]


def test_an_empty_field_has_no_focus() -> None:
    """Clean water's previews differ by less than what a focus must gain (8 %)."""
    microscope = scope("empty")
    sizes = []
    for height_um in (-40, -5, 0, 5, 40):
        to_focus(microscope, height_um)
        sizes.append(len(microscope.camera.preview().jpeg))
    assert max(sizes) < 1.08 * min(sizes)


def test_an_empty_field_is_flat() -> None:
    """Without a sample middle and corner differ by a few grey levels only."""
    pixels = grey(scope("empty")).astype(float)
    middle = float(pixels[280:340, 380:450].mean())
    corner = float(pixels[:40, :40].mean())
    assert 0 < middle - corner < 15
    assert pixels[280:340, 380:450].std() < 2


def test_lost_lens_shading_darkens_the_corners() -> None:
    """The fault makes the corners dark, the middle stays."""
    whole, lost = grey(scope("empty")), grey(scope("empty", Fault("lens_shading_lost")))
    assert int(whole[:40, :40].mean()) - int(lost[:40, :40].mean()) > 20
    assert (
        abs(
            float(whole[300:320, 400:430].mean()) - float(lost[300:320, 400:430].mean())
        )
        < 25
    )


@pytest.mark.parametrize("steps", [(10, 0), (100, 0), (400, 0), (0, 100), (150, -220)])
def test_stage_moves_are_seen_as_long_as_they_are(steps: Tuple[int, int]) -> None:
    """Phase correlation finds the move that ``image_shift_per_step`` foretells."""
    microscope = scope("algae_growth")
    info = microscope.camera.describe()
    assert info.image_shift_per_step is not None
    expected = np.array(info.image_shift_per_step).T @ np.array(steps)
    found = shift_of_move(microscope, steps)
    # A quarter of a pixel is the grain of the sprites; 0.1 px are 0.04 µm.
    assert np.abs(found - expected).max() < 0.25


def test_drift_is_seen_as_large_as_it_is() -> None:
    """The shift between two pictures hours apart is the truth's drift."""
    microscope = scope("diatoms", drift=Drift(z_um_per_k=0.0, wander_um=0.1))
    before, first = grey(microscope), microscope.truth.last
    settle(microscope, 4 * 3600.0)
    found = measure_shift(before, grey(microscope))
    last = microscope.truth.last
    assert first is not None
    assert last is not None
    way_um = np.subtract(last["centre_um"], first["centre_um"])
    expected = microscope.camera._renderer.shift_per_um(832) @ way_um
    assert np.hypot(*expected) > 1.0
    assert [found.dx_px, found.dy_px] == pytest.approx(list(expected), abs=0.3)


def test_the_scale_is_that_of_the_optics() -> None:
    """Lines that are 25 µm apart are 25 µm apart in pixels of the default mode."""
    microscope = scope("calibration_grid")
    info = microscope.camera.describe()
    assert info.um_per_pixel is not None
    pixels = decoded(microscope.camera.capture(None).jpeg).astype(float)
    spectrum = np.abs(np.fft.rfft(pixels - pixels.mean(), axis=1)).mean(axis=0)
    low = 20
    period_px = pixels.shape[1] / (low + int(np.argmax(spectrum[low:200])))
    # One period along the rows of a grid that is turned against the camera.
    turned = np.cos(microscope.camera._renderer.lens.rotation_rad)
    harmonics = 25.0 / turned / info.um_per_pixel / period_px
    assert harmonics == pytest.approx(round(harmonics), abs=0.1)


def test_half_and_full_size_show_the_same_field() -> None:
    """A still of full size, halved, is the still of half size."""
    microscope = scope("calibration_grid")
    pictures = []
    for mode in ("half", "full", "preview"):
        pixels = decoded(microscope.camera.capture(mode).jpeg)
        pictures.append(cv2.resize(pixels, (832, 624), interpolation=cv2.INTER_AREA))
    for other in pictures[1:]:
        shift = measure_shift(np.asarray(pictures[0]), np.asarray(other))
        assert abs(shift.dx_px) < 0.3
        assert abs(shift.dy_px) < 0.8


def test_light_off_is_dark() -> None:
    """With the lamp off the picture is almost black."""
    microscope = scope("diatoms")
    microscope.light.set_level(0.0)
    assert grey(microscope).mean() < 8


@pytest.mark.parametrize("size", [(64, 48), (64, 62), (3280 // 20, 2464 // 20)])
def test_noise_covers_a_picture_of_any_shape(size: Tuple[int, int]) -> None:
    """At every moment, also where a picture is taller than three quarters."""
    made = scope("empty")
    sight = Sight(made.world, made.stage, made.light, made.faults)
    view = sight.view(size, 0)
    for moment in range(600):
        shot = replace(view.shot, t_key=moment)
        assert sight.density(view._replace(shot=shot)).shape[:2] == size[::-1]
