"""One way of recording under attack: its process, what it told, what can be read."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import IO, Dict, List, Mapping, NamedTuple, cast

from PIL import Image

__all__ = ["Found", "Recording", "find_reader", "found"]

CHECKOUT = Path(__file__).resolve().parent.parent
PATIENCE_S = 120.0
STILLS, VIDEOS = (".jpeg",), (".avi", ".mkv", ".mp4")


class Recording:
    """A program of `campaigns.rival_ways` that records into a folder.

    Parameters
    ----------
    way : str
        Its name there.
    folder : Path
        What it writes into.

    Attributes
    ----------
    told : list of str
        The file of each frame that it holds for taken, by all its processes so far.
    """

    def __init__(self, way: str, folder: Path) -> None:
        self.way = way
        self.folder = folder
        self.told: List[str] = []
        self._processes: "List[subprocess.Popen[str]]" = []

    def start(self) -> None:
        """Start the program, a second time as a service or its user would."""
        command = [sys.executable, "-m", "campaigns.rival_ways", self.way]
        process = subprocess.Popen(
            [*command, str(self.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=str(CHECKOUT),
            start_new_session=True,
            universal_newlines=True,
        )
        self._processes.append(process)
        self._news = threading.Event()
        pipe = cast("IO[str]", process.stdout)
        self._reader = threading.Thread(target=self._listen, args=(pipe,))
        self._reader.start()

    def _listen(self, pipe: IO[str]) -> None:
        """Take note of what the program tells, until the last of its processes ends."""
        with pipe:
            for line in pipe:
                self.told.append(line.rstrip("\n"))
                self._news.set()
        self._news.set()

    def wait_for_news(self) -> None:
        """Wait for the first frame of the present process, or for its end.

        Raises
        ------
        TimeoutError
            When neither comes.
        """
        if not self._news.wait(PATIENCE_S):
            raise TimeoutError(f"{self.way!r} tells nothing in {PATIENCE_S:.0f} s.")

    def freeze(self) -> None:
        """Stop all its processes where they are."""
        self._send(signal.SIGSTOP)
        os.waitpid(self._processes[-1].pid, os.WUNTRACED)

    def kill(self) -> None:
        """Kill -9 all its processes, those that are left."""
        self._send(signal.SIGKILL)
        self._wait()

    def end(self) -> None:
        """End it as Ctrl-C does; one that has ended already stays as it is."""
        self._processes[-1].send_signal(signal.SIGINT)
        self._wait()

    def _send(self, what: signal.Signals) -> None:
        """Send a signal to all its processes, if it has not ended."""
        if self._processes and self._processes[-1].poll() is None:
            os.killpg(self._processes[-1].pid, what)

    def _wait(self) -> None:
        """Wait until nothing of it is left."""
        for process in self._processes:
            process.wait()
            self._reader.join()


class Found(NamedTuple):
    """What an independent reader finds in a folder.

    Attributes
    ----------
    frames : mapping of str to int
        How many frames can be read from each file that has its final name.
    damaged : int
        How many of these files the reader refuses, or complains of.
    """

    frames: Mapping[str, int]
    damaged: int

    def lost(self, told: List[str]) -> int:
        """Return how many of these frames cannot be read."""
        pairs = Counter(told).items()
        return sum(max(0, count - self.frames.get(file, 0)) for file, count in pairs)

    def has_new(self, before: List[str], after: List[str]) -> bool:
        """Tell whether a frame of `after` can be read, beyond those of `before`."""
        old = Counter(before)
        return any(self.frames.get(file, 0) > old[file] for file in set(after))


def found(folder: Path) -> Found:
    """Read every frame of a folder: stills with Pillow, videos with ffprobe."""
    frames: Dict[str, int] = {}
    damaged = 0
    for path in folder.rglob("*"):
        if path.suffix in STILLS:
            count, is_sound = _read_still(path)
        elif path.suffix in VIDEOS:
            count, is_sound = _read_video(path)
        else:
            continue
        frames[path.relative_to(folder).as_posix()] = count
        damaged += not is_sound
    return Found(frames, damaged)


def find_reader() -> str:
    """Return the path of ffprobe; empty when it is not installed."""
    return shutil.which("ffprobe") or ""


def _read_still(path: Path) -> "tuple[int, bool]":
    """Return how many frames a picture has, and whether it is sound."""
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError):  # what Pillow raises for a broken file
        return 0, False
    return 1, True


def _read_video(path: Path) -> "tuple[int, bool]":
    """Return how many frames a video has, and whether ffprobe has no complaint."""
    options = "-v error -count_frames -select_streams v:0 -of csv=p=0"
    asked = "-show_entries stream=nb_read_frames"
    command = [find_reader(), *options.split(), *asked.split(), str(path)]
    done = subprocess.run(
        command, check=False, capture_output=True, universal_newlines=True
    )
    told = done.stdout.strip().strip(",")
    return int(told) if told.isdigit() else 0, not (done.returncode or done.stderr)
