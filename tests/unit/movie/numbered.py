"""Pictures that carry their number in large black and white fields, and come back."""

from pathlib import Path
from typing import Iterable, List, Optional, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.render import MovieContext, MovieFrame, RenderJob
from openflexure_timelapse.recipe import Recipe

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 192, 144
BITS = 6
LIGHT, DARK = 220, 40
INTERVAL_NS = 30_000_000_000
WALL_NS = 1_714_572_202_000_000_000
UTC_OFFSET_S = 7200
BARE = {"timestamp": False, "elapsed_time": False, "scale_bar": False}


def numbered(number: int, size: Tuple[int, int] = (WIDTH, HEIGHT)) -> Pixels:
    """Return a grey picture with `number` in binary across its middle."""
    width, height = size
    picture = np.full((height, width, 3), 128, np.uint8)
    for bit in range(BITS):
        left, right = width * bit // BITS, width * (bit + 1) // BITS
        level = LIGHT if number >> bit & 1 else DARK
        picture[height * 2 // 5 : height * 3 // 5, left:right] = level
    return picture


def number_of(picture: Pixels) -> Optional[int]:
    """Read the number back; None for a picture without one."""
    height, width = picture.shape[:2]
    number = 0
    for bit in range(BITS):
        middle = width * (2 * bit + 1) // (2 * BITS)
        part = picture[height * 9 // 20 : height * 11 // 20, middle - 3 : middle + 3]
        level = float(part.mean())
        if DARK + 30 < level < LIGHT - 30 or level < DARK - 15:
            return None
        number |= int(level > (LIGHT + DARK) / 2) << bit
    return number


def write_frames(
    folder: Path, slots: Iterable[int], size: Tuple[int, int] = (WIDTH, HEIGHT)
) -> List[MovieFrame]:
    """Write a numbered JPEG for each slot."""
    frames = []
    for slot in slots:
        path = folder / f"{slot:06d}.jpeg"
        cv2.imwrite(str(path), numbered(slot, size), [cv2.IMWRITE_JPEG_QUALITY, 92])
        frames.append(frame_of(path, slot))
    return frames


def frame_of(path: Path, slot: int, reason: str = "") -> MovieFrame:
    """Return what a movie is told of a stored frame."""
    elapsed_ns = slot * INTERVAL_NS
    wall_ns = WALL_NS + elapsed_ns
    return MovieFrame(
        str(path), slot, elapsed_ns, wall_ns, UTC_OFFSET_S, gap_reason=reason
    )


def context(slots: Optional[int] = None, um: Optional[float] = 0.5) -> MovieContext:
    """Return the surroundings of numbered frames."""
    return MovieContext(INTERVAL_NS, INTERVAL_NS, um, "here", slots)


def job_of(
    frames: List[MovieFrame], out: Path, slots: Optional[int] = None, **recipe: object
) -> RenderJob:
    """Return a job that was not started yet."""
    chosen = Recipe(**{"format": out.suffix[1:], **recipe})
    return RenderJob(frames, len(frames), chosen, context(slots), str(out))


def render(
    frames: List[MovieFrame], out: Path, slots: Optional[int] = None, **recipe: object
) -> RenderJob:
    """Render and return the job, which has ended."""
    job = job_of(frames, out, slots, **recipe)
    job.start()
    job.wait()
    return job
