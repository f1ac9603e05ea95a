"""GIF against Pillow, ffmpeg and gifski: time, size, memory, likeness."""

import shutil
import statistics
import subprocess
import sys
from collections import deque
from functools import partial
from pathlib import Path
from typing import Deque, Dict, Iterator, List, Optional, Tuple

import cv2
import numpy as np
from movie_measure import (
    BARE,
    Pixels,
    Way,
    command,
    measure,
    ours,
    rounds,
    row,
    ssim,
    table,
)
from movie_scenes import GIF_SIZE, Scene
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from openflexure_timelapse.movie.ffmpeg import find_ffmpeg

FPS = 10
EACH = 3
SHORT, LONG = 100, 5000
PALETTE = f"fps={FPS},scale={GIF_SIZE[0]}:{GIF_SIZE[1]}:flags=area,split[a][b];"
PALETTE += "[a]palettegen[p];[b][p]paletteuse"
GHOST_PX = 5
BEFORE = 8
NOTHING, SOMETHING = 2, 12
FEWEST_GONE = 200
SMALL = """
import sys
import cv2
def small(name):
    return cv2.resize(cv2.imread(name, cv2.IMREAD_REDUCED_COLOR_2), (480, 360),
                      interpolation=cv2.INTER_AREA)
"""
PILLOW = f"""{SMALL}
from PIL import Image
rest = (Image.fromarray(small(name)[..., ::-1].copy()) for name in sys.argv[2:])
next(rest).save(sys.argv[1], save_all=True, append_images=rest, duration=100, loop=0)
"""
PNGS = f"""{SMALL}
for index, name in enumerate(sys.argv[2:]):
    cv2.imwrite(f"{{sys.argv[1]}}/{{index:05d}}.png", small(name))
"""


def gif_table(title: str, scene: Scene, folder: Path, turns: int) -> None:
    """Compare GIFs of the same files."""
    frames = scene.frames
    names = [str(path) for path in frames]
    size = {"width": GIF_SIZE[0], "height": GIF_SIZE[1]}

    def own(out: Path, hold: Optional[int], max_mb: Optional[float]) -> None:
        recipe = {"noise_hold": hold, "max_mb": max_mb, **size, **BARE}
        ours(frames, out, format="gif", fps=FPS, **recipe)

    ways: Dict[str, Way] = {}
    for name, hold, most in (
        ("ours", None, None),
        ("ours, `noise_hold` 0", 0, None),
        ("ours, `max_mb` 0.7", None, 0.7),
    ):
        out = folder / f"own_{hold}_{most}.gif"
        ways[name] = Way(partial(own, out, hold, most), out)
    pil, cli = folder / "pillow.gif", folder / "cli.gif"
    pillow = [sys.executable, "-c", PILLOW, str(pil), *names]
    ways["Pillow `save_all`, generator"] = Way(lambda: command(*pillow), pil)
    pattern = str(frames[0].parent / "%05d.jpeg")
    ways["ffmpeg palettegen, paletteuse"] = Way(
        lambda: ffmpeg_gif(pattern, cli, len(frames)), cli
    )
    ski = find_gifski(folder)
    for quality in (90, 70) if ski is not None else ():
        out = folder / f"gifski{quality}.gif"
        ways[f"gifski, quality {quality}"] = _gifski_way(ski, names, quality, out)
    seen = rounds(ways, turns)
    head = ("way", "wall s", "CPU s", "peak MB", "file MB")
    table(
        title, *head, "SSIM to frames", "SSIM to truth", "dB to truth", "ghosts, levels"
    )
    for name, one in seen.items():
        costs = f"{one.wall_s:.1f} | {one.cpu_s:.1f} | {one.peak_mb:.0f}"
        row(name, costs, f"{one.file_mb:.2f}", *_likeness(ways[name].out, scene))
    row("*the frames themselves*", " | ".join([""] * 4), *_likeness(None, scene))


def ffmpeg_gif(pattern: str, out: Path, count: int) -> None:
    """Make a GIF in one pass of palettegen and paletteuse."""
    head = f"-nostdin -v error -y -framerate {FPS} -i".split()
    rest = ["-frames:v", str(count), "-vf", PALETTE, str(out)]
    command(find_ffmpeg(), *head, pattern, *rest)


def _gifski_way(ski: Path, names: List[str], quality: int, out: Path) -> Way:
    return Way(lambda: gifski(ski, names, quality, out), out)


def find_gifski(folder: Path) -> Optional[Path]:
    """Return the program of npm's package gifski, installed for this; None if not."""
    home = folder / "npm"
    home.mkdir(exist_ok=True)
    program = home / "node_modules/gifski/bin/debian/gifski"
    if not program.exists() and shutil.which("npm"):
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "gifski"],  # noqa: S607
            cwd=str(home),
            check=False,
        )
    if program.exists():
        return program
    print("gifski is left out: npm could not install it", file=sys.stderr)
    return None


def gifski(program: Path, names: List[str], quality: int, out: Path) -> None:
    """Make a GIF by gifski, which takes no JPEG: by PNG files."""
    pictures = out.with_suffix("")
    pictures.mkdir(exist_ok=True)
    command(sys.executable, "-c", PNGS, str(pictures), *names)
    files = sorted(str(path) for path in pictures.glob("*.png"))
    how = f"--quiet --fps {FPS} --quality {quality} --width {GIF_SIZE[0]}".split()
    command(str(program), *how, "-o", str(out), *files)


def memory_table(frames: List[Path], folder: Path) -> None:
    """Show that memory does not grow with the length."""
    table("Memory of a GIF, frames repeated", "way", "frames", "wall s", "peak MB")
    for count in (SHORT, LONG):
        many = [frames[index % len(frames)] for index in range(count)]
        out = folder / "long.gif"
        print(f"memory: {count}", file=sys.stderr)
        one = measure(Way(partial(ours, many, out, format="gif"), out))
        row("ours", str(count), f"{one.wall_s:.1f}", f"{one.peak_mb:.0f}")


def _likeness(movie: Optional[Path], scene: Scene) -> List[str]:
    """Return how like the frames and the truth a GIF is, as cells of the table.

    The brightness of a whole frame counts as no error, since a flicker held back is
    none.
    """
    to_frames, to_truth, decibels, ghosts = [], [], [], []
    past = _Past(scene)
    for shown, frame, truth in _shown(movie, scene):
        to_frames.append(ssim(_grey(shown), _grey(frame)))
        to_truth.append(ssim(_grey(shown), _grey(truth)))
        off = shown.astype(np.float32) - truth
        off -= np.median(off, axis=(0, 1))
        decibels.append(10 * np.log10(255**2 / float((off**2).mean())))
        ghosts += past.ghost(off, truth)
    return [
        f"{statistics.mean(to_frames):.4f}",
        f"{statistics.mean(to_truth):.4f}",
        f"{statistics.mean(decibels):.1f}",
        f"{statistics.mean(ghosts):.1f}",
    ]


class _Past:
    """Knows where something was that has gone."""

    def __init__(self, scene: Scene) -> None:
        pictures = [cv2.imread(str(path)) for path in scene.truths[::EACH]]
        self._empty = np.median(np.stack(pictures), axis=0).astype(np.float32)
        self._were: Deque[NDArray[np.bool_]] = deque(maxlen=BEFORE)

    def ghost(self, off: NDArray[np.float32], truth: Pixels) -> List[float]:
        """Return the error that squares of 5 pixels share where something has gone.

        In grey levels, of a hundred squares the worst; nothing where nothing has gone.
        """
        differs = np.abs(truth - self._empty).max(axis=2)
        gone = (differs < NOTHING) & np.any([differs < 0, *self._were], axis=0)
        self._were.append(differs > SOMETHING)
        if gone.sum() < FEWEST_GONE:
            return []
        square = np.abs(cv2.blur(off, (GHOST_PX, GHOST_PX))).max(axis=2)
        whole = cv2.erode(gone.astype(np.uint8), np.ones((GHOST_PX, GHOST_PX)))
        there = square[whole > 0]
        return [float(np.quantile(there, 0.99))] if len(there) else []


def _shown(
    movie: Optional[Path], scene: Scene
) -> Iterator[Tuple[Pixels, Pixels, Pixels]]:
    """Yield every third picture of a GIF (or the frame), its frame and its truth."""
    for index, shown in enumerate(_pictures(movie, scene)):
        if index >= len(scene.frames) or index % EACH:
            continue
        frame = _reduced(scene.frames[index])
        truth = np.asarray(cv2.imread(str(scene.truths[index])), np.uint8)
        yield frame if shown is None else shown, frame, truth


def _pictures(movie: Optional[Path], scene: Scene) -> Iterator[Optional[Pixels]]:
    if movie is None:
        for _ in scene.frames:
            yield None
        return
    with Image.open(movie) as gif:
        passed_ms = shown = 0.0
        for frame in ImageSequence.Iterator(gif):
            rgb = frame.convert("RGB").resize(GIF_SIZE)
            picture = np.ascontiguousarray(np.asarray(rgb)[..., ::-1])
            passed_ms += frame.info["duration"]
            while shown * 1000 < (passed_ms - 1) * FPS:
                yield picture
                shown += 1


def _reduced(path: Path) -> Pixels:
    picture = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
    return np.asarray(cv2.resize(picture, GIF_SIZE, interpolation=cv2.INTER_AREA))


def _grey(picture: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
