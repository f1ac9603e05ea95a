"""Pictures of the simulated microscope beside what they would be without noise."""

from dataclasses import dataclass
from typing import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware_sim.clock import VirtualClock
from hardware_sim.microscope import build
from hardware_sim.noise_free import NoiseFree
from openflexure_timelapse.ports import StagePosition

WALL_NS = 1_795_419_029_000_000_000
S_NS = 1_000_000_000
STEP_Z_UM = 0.05
SEED = 3

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Filmed:
    """One moment, blue first.

    Attributes
    ----------
    pixels : array
        As the camera delivered them, through JPEG.
    raw : array
        As the sensor saw them.
    truth : array
        Without noise.
    """

    pixels: Pixels
    raw: Pixels
    truth: Pixels


def filmed(
    scene: str, count: int, interval_s: float, mode: str = "preview"
) -> Iterator[Filmed]:
    """Yield pictures of a scene in focus, the exposure locked."""
    clock = VirtualClock(WALL_NS)
    microscope = build(SEED, scene, clock)
    scope = NoiseFree(microscope.world)
    start = microscope.stage.position()
    z = round(microscope.world.focus_um(0.0, 0.0, 0.0) / STEP_Z_UM)
    microscope.acquire(clock.monotonic_ns() + S_NS)
    microscope.stage.move_to(StagePosition(start.x, start.y, z))
    clock.wait_until(clock.monotonic_ns() + 3 * S_NS, clock.signal())
    microscope.camera.lock_exposure()
    for _ in range(count):
        jpeg = np.frombuffer(microscope.camera.capture(mode).jpeg, np.uint8)
        record = microscope.truth.last or {}
        pixels = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
        yield Filmed(pixels, scope.noisy(record), scope.picture(record))
        due_ns = clock.monotonic_ns() + int(interval_s * S_NS)
        clock.wait_until(due_ns, clock.signal())
    microscope.release()
