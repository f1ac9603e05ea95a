"""Ways to record a time-lapse: ours, and those that people use today.

Each is a program, ``python -m campaigns.rival_ways WAY FOLDER``: it takes pictures with
the simulated camera until SIGINT ends it, and tells on a line of its output the file of
each frame that it holds for taken. The others are written as their manuals show it, by
somebody who takes care: names that a second start does not overwrite, an end that
closes the file, and no end because one picture could not be written.
"""

import contextlib
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, cast

import cv2
import numpy as np

from hardware_sim import build
from hardware_sim.camera import MODES
from openflexure_timelapse.console.record import interruptible
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.movie.ffmpeg import find_ffmpeg
from openflexure_timelapse.store.disk import RealDisk

__all__ = ["OURS", "WAYS"]

OURS = "OpenFlexure Timelapse"

SEED, SCENE, MODE = 7, "algae_growth", "preview"
WIDTH, HEIGHT = MODES[MODE]
INTERVAL_S = 0.3
FRAMES_PER_S = 15.0
LOOK_S = 0.02
PLAN = {
    "name": "rivals",
    "interval_s": INTERVAL_S,
    "camera_mode": MODE,
    "keep_free_mb": 2,
    "movie": None,
}


def told(file: str) -> None:
    """Tell that a frame has been taken."""
    print(file, flush=True)  # noqa: T201 - read by the attacker


def new_file(folder: Path, suffix: str) -> Path:
    """Return a name with the time in it."""
    return folder / f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S-%f}{suffix}"


def pictures() -> Iterator[bytes]:
    """Yield a JPEG now and then, as ``camera.capture`` and ``time.sleep`` do."""
    camera = build(SEED, SCENE, RealClock()).camera
    while True:
        yield camera.capture(MODE).jpeg
        time.sleep(INTERVAL_S)  # what these programs do, and what is wrong with it


def pixels(jpeg: bytes) -> "np.ndarray[Any, Any]":
    """Return a picture as the writers of videos take it."""
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


def ours(folder: Path) -> None:
    """Record with this program; go on with what an earlier process left."""
    clock = RealClock()
    service = Service(folder, build(SEED, SCENE, clock), clock, RealDisk())
    run_id = service.resume_interrupted() or service.start(PLAN)["run"]
    last = service.status()["last_frame"]
    with interruptible() as interrupted:
        while not interrupted.is_set() and not service.wait(LOOK_S):
            newest = service.status()["last_frame"]
            if newest != last:
                told(f"{run_id}/{newest['file']}")
                last = newest
    service.stop()
    service.wait()
    service.close()


def plain_files(folder: Path) -> None:
    """Write each picture to a file."""
    for jpeg in pictures():
        path = new_file(folder, ".jpeg")
        try:
            path.write_bytes(jpeg)
        except OSError as exc:
            print(exc, file=sys.stderr)  # noqa: T201 - as its author would
        else:
            told(path.name)


def opencv(folder: Path, suffix: str, codec: str) -> None:
    """Write each picture to a ``cv2.VideoWriter``."""
    path, code = new_file(folder, suffix), cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(path), code, FRAMES_PER_S, (WIDTH, HEIGHT))
    try:
        for jpeg in pictures():
            writer.write(pixels(jpeg))
            told(path.name)
    finally:
        writer.release()


def ffmpeg(folder: Path, suffix: str) -> None:
    """Send each picture to ffmpeg through a pipe."""
    path = new_file(folder, suffix)
    raw = f"-f rawvideo -pix_fmt bgr24 -s {WIDTH}x{HEIGHT} -r {FRAMES_PER_S:g} -i -"
    encoder = "-c:v libx264 -preset veryfast -crf 23 -pix_fmt yuv420p"
    options = f"-hide_banner -loglevel error {raw} {encoder}".split()
    command = [find_ffmpeg(), *options, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        pipe = cast("IO[bytes]", process.stdin)
        for jpeg in pictures():
            pipe.write(pixels(jpeg).tobytes())
            pipe.flush()
            told(path.name)


WAYS: Dict[str, Callable[[Path], None]] = {
    OURS: ours,
    "sleep and capture, JPEG files": plain_files,
    "OpenCV, Motion JPEG in .avi": lambda folder: opencv(folder, ".avi", "MJPG"),
    "OpenCV, MPEG-4 in .mp4": lambda folder: opencv(folder, ".mp4", "mp4v"),
    "ffmpeg, H.264 in .mp4": lambda folder: ffmpeg(folder, ".mp4"),
    "ffmpeg, H.264 in .mkv": lambda folder: ffmpeg(folder, ".mkv"),
}


if __name__ == "__main__":
    # A shell's background jobs are deaf to it, and so would be what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        WAYS[sys.argv[1]](Path(sys.argv[2]))
