"""Pictures of the simulated microscope whose stage jitters, with the truth of it."""

from dataclasses import dataclass
from typing import Iterator, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware_sim.clock import VirtualClock
from hardware_sim.microscope import build
from hardware_sim.optics import Renderer
from openflexure_timelapse.ports import StagePosition

WALL_NS = 1_795_419_029_000_000_000
S_NS = 1_000_000_000
WIDTH, HEIGHT = 832, 624

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Shaken:
    """One picture.

    Attributes
    ----------
    jpeg : bytes
        As the camera delivered it, 832 x 624 pixels.
    lies_px : (float, float)
        How far right and down the scene lies from where it lay in the first picture.
    """

    jpeg: bytes
    lies_px: Tuple[float, float]

    @property
    def pixels(self) -> Pixels:
        """The picture."""
        return np.asarray(cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), 1), np.uint8)


def shaken(
    scene: str, count: int, interval_s: float, jitter_steps: float, seed: int = 3
) -> Iterator[Shaken]:
    """Yield pictures of a scene, the stage being off by a little each time."""
    clock = VirtualClock(WALL_NS)
    microscope = build(seed, scene, clock)
    chance = np.random.default_rng(seed)
    start = microscope.stage.position()
    first = None
    for _ in range(count):
        microscope.acquire(clock.monotonic_ns() + S_NS)
        off_x, off_y = (int(steps) for steps in chance.normal(0, jitter_steps, 2))
        x, y = start.x + off_x, start.y + off_y
        microscope.stage.move_to(StagePosition(x, y, start.z))
        jpeg = microscope.camera.capture("preview").jpeg
        microscope.release()
        centre = np.array((microscope.truth.last or {})["centre_um"])
        first = centre if first is None else first
        lies = Renderer(seed).shift_per_um(WIDTH) @ (centre - first)
        yield Shaken(jpeg, (float(lies[0]), float(lies[1])))
        due_ns = clock.monotonic_ns() + int(interval_s * S_NS)
        clock.wait_until(due_ns, clock.signal())
