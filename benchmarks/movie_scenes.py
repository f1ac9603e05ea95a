"""The frames that the benchmarks of movies work on, and what is true of them.

Each from a seed. `make_drawn` draws a vignetted bright field, 75 cells of which 60
move, flicker and sensor noise. `make_simulated` asks the simulated microscope.
"""

from pathlib import Path
from typing import List, NamedTuple, Tuple

import cv2
import numpy as np
from movie_measure import Pixels
from numpy.typing import NDArray

from hardware_sim.clock import VirtualClock
from hardware_sim.microscope import build
from hardware_sim.noise_free import NoiseFree
from openflexure_timelapse.ports import StagePosition

SEED = 20
SIZE = (1640, 1232)
GIF_SIZE = (480, 360)
S_NS = 1_000_000_000
WALL_NS = 1_795_419_029 * S_NS
STEP_Z_UM = 0.05
MARKS = ((0.35, 0.35), (0.65, 0.35), (0.35, 0.65), (0.65, 0.65))
MARK_SIGMA_PX = 5.0
MARK_DEPTH = 170.0


class Scene(NamedTuple):
    """Stored frames, and the same without noise at the size of a GIF."""

    frames: List[Path]
    truths: List[Path]


def make_drawn(folder: Path, count: int, *, quality: int = 90) -> Scene:
    """Write `count` JPEG files of a moving scene; equal for equal seeds."""
    found = _found(folder, count)
    if found is not None:
        return found
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    off = (x - width / 2) ** 2 + (y - height / 2) ** 2
    field = 1 - 0.35 * off / (width**2 / 4 + height**2 / 4)
    light = field[..., None] * np.array([196, 205, 212], np.float32)
    cells = np.random.default_rng(SEED).random((75, 6))
    for index in range(count):
        colour, cover = _cells(cells, index)
        part = cover[..., None].astype(np.float32) / 255
        scene = light * (1 - part) + colour * part
        _write_truth(folder, index, np.rint(scene).astype(np.uint8))
        scene *= 1 + 0.01 * np.sin(0.9 * index)
        cv2.setRNGSeed(SEED * 100_000 + index)
        noise = np.empty(scene.shape, np.float32)
        cv2.randn(noise, 0, 1.4)
        grey = np.empty(scene.shape[:2], np.float32)
        cv2.randn(grey, 0, 2.4)
        picture = np.clip(scene + noise + grey[..., None], 0, 255).astype(np.uint8)
        how = [cv2.IMWRITE_JPEG_QUALITY, quality]
        cv2.imwrite(str(folder / f"{index:05d}.jpeg"), picture, how)
    return Scene(*_files(folder, count))


def _cells(cells: NDArray[np.float64], index: int) -> Tuple[Pixels, Pixels]:
    """Draw the cells of one moment: their colour, and how much they cover."""
    width, height = SIZE
    colour = np.zeros((height, width, 3), np.uint8)
    cover = np.zeros((height, width), np.uint8)
    for number, (x, y, vx, vy, size, angle) in enumerate(cells):
        speed = 0 if number >= 60 else 6  # noqa: PLR2004 (the last 15 stay)
        centre = (
            int((x * width + speed * (vx - 0.5) * index) % width),
            int((y * height + speed * (vy - 0.5) * index) % height),
        )
        axes = (int(14 + 30 * size), int(0.6 * (14 + 30 * size)))
        ellipse = (centre, axes, angle * 180 + index * (speed > 0), 0, 360)
        tint = (60, 90 + int(60 * size), 50)
        cv2.ellipse(colour, *ellipse, tint, -1, cv2.LINE_AA)
        cv2.ellipse(cover, *ellipse, (150,), -1, cv2.LINE_AA)
        cv2.ellipse(cover, *ellipse, (220,), 3, cv2.LINE_AA)
    return colour, np.asarray(cv2.GaussianBlur(cover, (5, 5), 0), np.uint8)


def make_simulated(
    folder: Path, scene: str, count: int, interval_s: float, age_s: float = 0.0
) -> Scene:
    """Write stills of the simulated microscope, 1640 x 1232, in focus."""
    found = _found(folder, count)
    if found is not None:
        return found
    clock = VirtualClock(WALL_NS)
    microscope = build(SEED, scene, clock)
    clean = NoiseFree(microscope.world)
    start = microscope.stage.position()
    clock.wait_until(clock.monotonic_ns() + int(age_s * S_NS), clock.signal())
    for index in range(count):
        microscope.acquire(clock.monotonic_ns() + S_NS)
        height = microscope.world.focus_um(microscope.world.now_s(), 0.0, 0.0)
        place = StagePosition(start.x, start.y, round(height / STEP_Z_UM))
        microscope.stage.move_to(place)
        if index == 0:
            clock.wait_until(clock.monotonic_ns() + 3 * S_NS, clock.signal())
            microscope.camera.lock_exposure()
        jpeg = microscope.camera.capture("half").jpeg
        microscope.release()
        (folder / f"{index:05d}.jpeg").write_bytes(jpeg)
        _write_truth(folder, index, clean.picture(microscope.truth.last or {}))
        due_ns = clock.monotonic_ns() + int(interval_s * S_NS)
        clock.wait_until(due_ns, clock.signal())
    return Scene(*_files(folder, count))


def make_shaken(folder: Path, count: int) -> List[Path]:
    """Write frames of growing algae that jitter by 2 px, turn by 0.1 degree, flicker.

    Four round marks are fixed to the scene, so that where it lies in a movie can be
    seen without any registration. Every frame is the same moment, taken anew by the
    simulated camera, then laid elsewhere and made brighter or darker by known amounts.
    """
    paths = [folder / f"{index:05d}.jpeg" for index in range(count)]
    if all(path.exists() for path in paths):
        return paths
    clock = VirtualClock(WALL_NS)
    microscope = build(SEED, "algae_growth", clock)
    clock.wait_until(6 * 3600 * S_NS, clock.signal())
    height = microscope.world.focus_um(microscope.world.now_s(), 0.0, 0.0)
    start = microscope.stage.position()
    microscope.acquire(clock.monotonic_ns() + S_NS)
    place = StagePosition(start.x, start.y, round(height / STEP_Z_UM))
    microscope.stage.move_to(place)
    clock.wait_until(clock.monotonic_ns() + 3 * S_NS, clock.signal())
    microscope.camera.lock_exposure()
    chance = np.random.default_rng(SEED)
    for path in paths:
        jpeg = np.frombuffer(microscope.camera.capture("half").jpeg, np.uint8)
        picture = _marked(np.asarray(cv2.imdecode(jpeg, 1), np.float32))
        dx, dy = chance.normal(0, 2.0, 2)
        turn = cv2.getRotationMatrix2D(
            (picture.shape[1] / 2, picture.shape[0] / 2), chance.normal(0, 0.1), 1.0
        )
        turn[:, 2] += (dx, dy)
        laid = cv2.warpAffine(
            picture,
            turn,
            picture.shape[1::-1],
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        laid *= 1 + chance.normal(0, 0.015)
        stored = np.clip(np.rint(laid), 0, 255).astype(np.uint8)
        cv2.imwrite(str(path), stored, [cv2.IMWRITE_JPEG_QUALITY, 90])
    microscope.release()
    return paths


def _marked(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put the marks into a picture."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    for across, down in MARKS:
        square = (x - across * width) ** 2 + (y - down * height) ** 2
        dark = MARK_DEPTH * np.exp(-square / (2 * MARK_SIGMA_PX**2))
        picture = picture - dark[..., np.newaxis].astype(np.float32)
    return picture


def _write_truth(folder: Path, index: int, picture: Pixels) -> None:
    small = cv2.resize(picture, GIF_SIZE, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(folder / f"{index:05d}.png"), small)


def _files(folder: Path, count: int) -> Tuple[List[Path], List[Path]]:
    return (
        [folder / f"{index:05d}.jpeg" for index in range(count)],
        [folder / f"{index:05d}.png" for index in range(count)],
    )


def _found(folder: Path, count: int) -> "Scene | None":
    """Return what an earlier run left."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene(*_files(folder, count))
    whole = all(path.exists() for path in (*scene.frames, *scene.truths))
    return scene if whole else None
