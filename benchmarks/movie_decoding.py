"""Decoding smaller against decoding whole, for previews, thumbnails, small movies."""

import statistics
import time
from pathlib import Path
from typing import Callable, Dict, List

import cv2
import numpy as np
from movie_measure import Pixels, row, table

from openflexure_timelapse.movie.stills import decoded

SIZES = ((1640, 1232), (3280, 2464))
QUALITIES = (90, 100)
WIDTHS = (160, 320, 640, 1280)
TURNS = 7


def decoding_table(paths: List[Path], turns: int) -> None:
    """Compare both, for each width that the page or a movie asks for."""
    table(
        "Decoding and scaling one JPEG, one thread, ms",
        "frame",
        "quality",
        "to width",
        "whole",
        "reduced",
        "times faster",
    )
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    for size in SIZES:
        source = cv2.resize(cv2.imread(str(paths[0])), size)
        noise = np.empty(source.shape, np.int16)
        cv2.randn(noise, 0, 2.0)
        source = np.clip(source + noise, 0, 255).astype(np.uint8)
        for quality in QUALITIES:
            _, jpeg = cv2.imencode(".jpeg", source, [cv2.IMWRITE_JPEG_QUALITY, quality])
            for width in (*WIDTHS, 480):
                if width < size[0] // 1.2:
                    _compare(jpeg.tobytes(), size[0], quality, width, turns)
    cv2.setNumThreads(threads)


def _compare(jpeg: bytes, frame: int, quality: int, width: int, turns: int) -> None:
    """Print one row."""
    ways: Dict[str, Callable[[], Pixels]] = {
        "whole": lambda: _scaled(decoded(jpeg, 1), width),
        "reduced": lambda: _scaled(decoded(jpeg, frame // width), width),
    }
    seen: Dict[str, List[float]] = {name: [] for name in ways}
    for _ in range(TURNS * turns):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            seen[name].append(time.perf_counter() - begun)
    whole, reduced = (1000 * statistics.median(seen[name]) for name in ways)
    times = f"{whole / reduced:.1f}"
    row(str(frame), str(quality), str(width), f"{whole:.1f}", f"{reduced:.1f}", times)


def _scaled(picture: "Pixels | None", width: int) -> Pixels:
    if picture is None:
        raise SystemExit("the JPEG does not decode")
    height = round(picture.shape[0] * width / picture.shape[1])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
