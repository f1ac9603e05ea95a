"""What is left of jitter and flicker in each scene, against the simulator's truth.

No movie is made: what is found is compared with what was true.
"""

import math
from typing import Dict, List, NamedTuple, Tuple

import cv2
import numpy as np
from movie_measure import Pixels, row, table
from movie_scenes import S_NS, SEED, WALL_NS
from numpy.typing import NDArray

from hardware_sim.clock import VirtualClock
from hardware_sim.microscope import build
from hardware_sim.optics import GAMMA, Renderer
from openflexure_timelapse.movie.corrections import survey_size
from openflexure_timelapse.movie.deflicker import (
    Levels,
    correct_brightness,
    flicker_gains,
    patches,
)
from openflexure_timelapse.movie.registration import Tracker
from openflexure_timelapse.ports import StagePosition

SIZE = (832, 624)
FRAMES = 60
JITTER_STEPS = 15
FLICKER = 0.015
INTERVALS_S: Dict[str, float] = {
    "algae_growth": 300.0,
    "diatoms": 20.0,
    "calibration_grid": 60.0,
    "pond": 20.0,
    "beads": 20.0,
    "empty": 20.0,
}


class Shaken(NamedTuple):
    """One picture: where the scene lies in it, and how bright its light was."""

    pixels: Pixels
    lies_px: Tuple[float, float]
    light: float


def truth_table() -> None:
    """Print what is left of jitter and flicker in each scene."""
    told = f"What is left in each scene, {FRAMES} frames of {SIZE[0]}x{SIZE[1]}"
    head = ("scene", "registered", "jitter px", "left px")
    head += ("turned mrad", "flicker %", "left %")
    table(told, *head)
    for scene, interval_s in INTERVALS_S.items():
        shots = _shaken(scene, interval_s)
        tracker, levels = Tracker(), Levels()
        poses, found = [], []
        for shot in shots:
            small = cv2.resize(
                shot.pixels, survey_size(SIZE), interpolation=cv2.INTER_AREA
            )
            grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
            poses += tracker.add(np.asarray(grey, np.uint8))
            level = levels.follow(patches(np.asarray(small, np.uint8)))
            found.append(np.full(3, np.nan) if level is None else level)
        poses += tracker.finish()
        lies = np.array([shot.lies_px for shot in shots])
        taken = np.array([(pose.dx * SIZE[0], pose.dy * SIZE[1]) for pose in poses])
        light = np.log([[shot.light] for shot in shots])
        gains = np.log(flicker_gains(np.array(found)))
        registered = sum(pose.registered for pose in poses)
        cells = [f"{_shake(lies):.2f}", f"{_shake(lies - taken):.2f}"]
        turned = np.array([[pose.angle] for pose in poses])
        cells += [f"{1000 * _shake(turned):.2f}", f"{100 * _shake(light):.2f}"]
        cells += [f"{100 * _shake((light + gains).mean(axis=1, keepdims=True)):.2f}"]
        row(scene, f"{registered} of {len(shots)}", *cells)


def _shake(values: NDArray[np.float64]) -> float:
    """Return by how much values differ from frame to frame."""
    steps = np.diff(values, axis=0) / math.sqrt(2)
    return float(np.sqrt((steps**2).sum(axis=1).mean()))


def _shaken(scene: str, interval_s: float) -> List[Shaken]:
    """Return pictures of a scene, the stage off by a little and the light unsteady."""
    clock = VirtualClock(WALL_NS)
    microscope = build(SEED, scene, clock)
    chance = np.random.default_rng(SEED)
    start = microscope.stage.position()
    microscope.acquire(clock.monotonic_ns() + S_NS)
    clock.wait_until(clock.monotonic_ns() + 3 * S_NS, clock.signal())
    microscope.camera.lock_exposure()
    shots: List[Shaken] = []
    first = None
    for _ in range(FRAMES):
        off_x, off_y = (int(steps) for steps in chance.normal(0, JITTER_STEPS, 2))
        place = StagePosition(start.x + off_x, start.y + off_y, start.z)
        microscope.stage.move_to(place)
        jpeg = np.frombuffer(microscope.camera.capture("preview").jpeg, np.uint8)
        record = microscope.truth.last or {}
        centre = np.array(record["centre_um"])
        first = centre if first is None else first
        lies = Renderer(SEED).shift_per_um(SIZE[0]) @ (centre - first)
        gain = 1 + chance.normal(0, FLICKER)
        picture = np.asarray(cv2.imdecode(jpeg, 1), np.uint8)
        brighter = correct_brightness(picture, np.full(3, gain, np.float32))
        light = gain * float(record["light"]) ** (1 / GAMMA)
        shots.append(Shaken(brighter, (float(lies[0]), float(lies[1])), light))
        due_ns = clock.monotonic_ns() + int(interval_s * S_NS)
        clock.wait_until(due_ns, clock.signal())
    microscope.release()
    return shots
