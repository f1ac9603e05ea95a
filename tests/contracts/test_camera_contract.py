"""What every camera promises."""

import json
from typing import Callable, Dict, Tuple

import cv2
import numpy as np
import pytest

from hardware_sim import VirtualClock, build
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.ports import Camera, Clock

START_NS = 1_800_000_000_000_000_000
Pair = Tuple[Camera, Clock]


def simulated() -> Pair:
    """Return a simulated camera and its clock."""
    clock = VirtualClock(START_NS)
    return build(3, "algae_growth", clock).camera, clock


CAMERAS: Dict[str, Callable[[], Pair]] = {"simulated": simulated}


@pytest.fixture(params=sorted(CAMERAS))
def make(request: pytest.FixtureRequest) -> Callable[[], Pair]:
    """Return a maker of each camera in turn."""
    return CAMERAS[request.param]


def size_of(jpeg: bytes) -> Tuple[int, int]:
    """Return width and height of a JPEG."""
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels.shape[1], pixels.shape[0]


def test_the_first_mode_is_the_default(make: Callable[[], Pair]) -> None:
    """Without a mode a still has the size of the first one."""
    camera, _ = make()
    modes = camera.describe().modes
    assert size_of(camera.capture(None).jpeg) == next(iter(modes.values()))


def test_each_mode_has_its_size(make: Callable[[], Pair]) -> None:
    """Every mode delivers pictures of the size that it names."""
    camera, _ = make()
    for mode, size in camera.describe().modes.items():
        assert size_of(camera.capture(mode).jpeg) == size


def test_an_unknown_mode_is_refused(make: Callable[[], Pair]) -> None:
    """A mode that does not exist is an error that names those that do."""
    camera, _ = make()
    known = next(iter(camera.describe().modes))
    with pytest.raises(HardwareError, match=known):
        camera.capture("panorama")


def test_exposures_begin_after_the_call(make: Callable[[], Pair]) -> None:
    """Neither a still nor a preview is older than the question, where it is known."""
    camera, clock = make()
    for still in (True, False):
        asked_ns = clock.monotonic_ns()
        image = camera.capture(None) if still else camera.preview()
        exposed_ns = image.exposed_ns
        if exposed_ns is not None:
            assert asked_ns <= exposed_ns <= clock.monotonic_ns()


def test_metadata_tell_the_exposure(make: Callable[[], Pair]) -> None:
    """Metadata are JSON with exposure, gains and whether a photon was involved."""
    camera, _ = make()
    for image in (camera.capture(None), camera.preview()):
        told = json.loads(json.dumps(dict(image.metadata)))
        assert told["exposure_us"] > 0
        assert told["analogue_gain"] >= 1
        assert len(told["colour_gains"]) == 2
        assert told["simulated"] is camera.describe().simulated


def test_a_locked_exposure_stays(make: Callable[[], Pair]) -> None:
    """After the lock each picture is exposed as the lock said."""
    camera, clock = make()
    locked = camera.lock_exposure()
    for _ in range(3):
        told = camera.capture(None).metadata
        assert {name: told[name] for name in locked} == locked
        clock.wait_until(clock.monotonic_ns() + 10**9, clock.signal())


def test_a_lock_can_be_repeated_by_a_later_process(make: Callable[[], Pair]) -> None:
    """What a lock returned freezes another camera at the same values."""
    first, _ = make()
    saved = json.loads(json.dumps(first.lock_exposure()))
    saved["exposure_us"] = float(saved["exposure_us"] // 2)
    later, _ = make()
    assert later.lock_exposure(saved) == saved
    assert later.capture(None).metadata["exposure_us"] == saved["exposure_us"]


def test_restoring_gives_exposure_back(make: Callable[[], Pair]) -> None:
    """After lock and restore a later lock finds its own values again."""
    camera, clock = make()
    before = json.loads(json.dumps(camera.exposure()))
    locked = camera.lock_exposure()
    camera.lock_exposure({**locked, "exposure_us": locked["exposure_us"] / 3})
    camera.restore_exposure(before)
    assert camera.exposure() == before
    clock.wait_until(clock.monotonic_ns() + 20 * 10**9, clock.signal())
    camera.capture(None)
    found = camera.capture(None).metadata["exposure_us"]
    assert found == pytest.approx(locked["exposure_us"], rel=0.05)


def test_recovering_a_sound_camera_is_harmless(make: Callable[[], Pair]) -> None:
    """A camera that did not hang takes pictures after `recover` as before."""
    camera, _ = make()
    camera.recover()
    assert camera.preview().jpeg
