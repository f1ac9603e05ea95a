"""Automatic exposure follows the scene; a locked one does not."""

from typing import List

import numpy as np
import pytest

from hardware_sim import VirtualClock, build
from hardware_sim.exposure import LINE_US, AutoExposure, Setting
from hardware_sim.microscope import SimMicroscope
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.quality import decode_grey


def background(microscope: SimMicroscope) -> float:
    """Return the grey value of clear water in a preview."""
    pixels = decode_grey(microscope.camera.preview().jpeg)
    assert pixels is not None
    return float(np.percentile(pixels, 80))


def levels(microscope: SimMicroscope) -> List[float]:
    """Return clear water's grey over two hours in which the lamp ages and flickers."""
    found = []
    for minute in range(0, 120, 10):
        clock = microscope._clock
        clock.wait_until(minute * 60 * 10**9, clock.signal())
        found.append(background(microscope))
    return found


def test_a_locked_exposure_keeps_the_background() -> None:
    """With exposure locked clear water varies by less than 1.5 grey levels."""
    microscope = build(1, "algae_growth+pond", VirtualClock(0))
    microscope.camera.lock_exposure()
    found = levels(microscope)
    assert max(found) - min(found) < 3.0
    assert np.std(np.diff(found)) < 1.5


def test_automatic_exposure_pumps_when_it_gets_dark() -> None:
    """When half the light is gone the free camera brightens, the locked one not."""
    changes = {}
    for locked in (True, False):
        microscope = build(1, "calibration_grid", VirtualClock(0))
        if locked:
            microscope.camera.lock_exposure()
        before = microscope.camera.capture(None).metadata["exposure_us"]
        microscope.light.set_level(0.16)
        clock = microscope._clock
        clock.wait_until(clock.monotonic_ns() + 5 * 10**9, clock.signal())
        microscope.camera.preview()
        changes[locked] = (
            microscope.camera.capture(None).metadata["exposure_us"] / before
        )
    assert changes[True] == 1.0
    assert changes[False] == pytest.approx(2.0, rel=0.1)


def test_automatic_exposure_differs_between_an_empty_and_a_crowded_field() -> None:
    """Where more is in the way of the light, clear water comes out brighter."""
    crowded = build(1, "calibration_grid", VirtualClock(0))
    empty = build(1, "empty", VirtualClock(0))
    for microscope in (crowded, empty):
        microscope.stage.move_to(StagePosition(0, 0, 10))
        microscope.camera.preview()
    assert background(crowded) > background(empty) + 2.0


def test_automatic_exposure_comes_back_after_a_dark_hour() -> None:
    """However far the lamp was down, an hour later nothing of it is left."""
    microscope = build(1, "calibration_grid", VirtualClock(0))
    clock = microscope._clock
    before = microscope.camera.capture(None).metadata["exposure_us"]
    for level in (0.0, microscope.light.level()):
        microscope.light.set_level(level)
        microscope.camera.preview()
        clock.wait_until(clock.monotonic_ns() + 3600 * 10**9, clock.signal())
        microscope.camera.preview()
    after = microscope.camera.capture(None).metadata
    assert after["exposure_us"] == pytest.approx(before, rel=0.05)
    assert after["analogue_gain"] == 1.0


def test_exposure_is_a_whole_number_of_lines() -> None:
    """The shutter is rounded down to lines and the gain is one of the sensor's."""
    setting = Setting.of_total(9000.0)
    assert setting.exposure_us <= 9000.0
    assert setting.exposure_us / LINE_US == pytest.approx(
        round(setting.exposure_us / LINE_US), abs=0.01
    )
    dark = Setting.of_total(200_000.0)
    assert dark.gain > 1.0
    assert 256 - 256 / dark.gain == pytest.approx(
        round(256 - 256 / dark.gain), abs=0.01
    )


def test_the_control_approaches_the_target_in_steps() -> None:
    """After the first frames a change of light is followed slowly and then ends."""
    control = AutoExposure()
    control.follow(1.0, 10)
    first = control.setting.total_us
    control.follow(0.5, 1)
    second = control.setting.total_us
    control.follow(0.5, 100)
    last = control.setting.total_us
    control.follow(0.5, 1)
    assert first < second < 1.5 * first
    assert last == pytest.approx(2 * first, rel=0.05)
    assert control.setting.total_us == last
