"""What every camera promises, asked of the real picamera2 over a simulated sensor."""

from pathlib import Path
from typing import Callable, Iterator, Tuple

import pytest
from contracts import test_camera_contract
from eye_rig import Eyes, need_picamera2

from openflexure_timelapse.ports import Camera, Clock

need_picamera2()

globals().update(
    {
        name: promise
        for name, promise in vars(test_camera_contract).items()
        if name.startswith("test_")
    }
)


@pytest.fixture(name="make")
def _make(tmp_path: Path) -> Iterator[Callable[[], Tuple[Camera, Clock]]]:
    """Return a maker of cameras, each over a world of its own."""
    eyes = Eyes(tmp_path)

    def make() -> Tuple[Camera, Clock]:
        eye = eyes(speed=20.0)
        return eye.camera, eye.clock

    yield make
    eyes.close()
