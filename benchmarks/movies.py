"""Measure movies against ffmpeg's own command line and Pillow, side by side.

Run ``python benchmarks/movies.py``; prints markdown tables. The scene is made here from
a seed: vignetted bright field, 75 cells of which 60 move, flicker, sensor noise. Rounds
are interleaved and medians told. Everything runs at the same low priority, on the same
ffmpeg program. A control, the command line a second time, shows how far two equal
things differ here. Memory is the largest sum of the resident sizes of all child
processes, sampled each 40 ms; what a caller's own process holds is not in it.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from openflexure_timelapse.movie.ffmpeg import find_ffmpeg
from openflexure_timelapse.movie.render import MovieContext, MovieFrame, RenderJob
from openflexure_timelapse.recipe import Recipe

SEED = 20
SIZE = (1640, 1232)
FRAMES = 300
LONG = 3000
SHORT = 100
GIF_FRAMES = 100
GIF_SIZE = (480, 360)
FPS = 15
GIF_FPS = 10
INTERVAL_NS = 30_000_000_000
SAMPLE_S = 0.04
MEGA = 1_000_000
COMPARED = 50
BARE = {"timestamp": False, "elapsed_time": False, "scale_bar": False}
SCALE = "scale=in_range=full:out_range=tv:in_color_matrix=bt601:out_color_matrix=bt601"
TAGS = "-color_range tv -colorspace smpte170m -color_primaries bt709 -color_trc bt709"
PALETTE = f"fps={GIF_FPS},scale={GIF_SIZE[0]}:{GIF_SIZE[1]}:flags=area,split[a][b];"
PALETTE += "[a]palettegen[p];[b][p]paletteuse"
PILLOW = """
import sys
import cv2
from PIL import Image
def frames():
    for name in sys.argv[2:]:
        small = cv2.resize(cv2.imread(name, cv2.IMREAD_REDUCED_COLOR_2), (480, 360),
                           interpolation=cv2.INTER_AREA)
        yield Image.fromarray(small[..., ::-1].copy())
rest = frames()
next(rest).save(sys.argv[1], save_all=True, append_images=rest, duration=100, loop=0)
"""

Pixels = NDArray[np.uint8]


@dataclass
class Measured:
    """One run of one way."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    file_mb: float


# ----------------------------------------------------------------------------- input


def make_frames(folder: Path, count: int) -> List[Path]:
    """Write `count` JPEG files of a moving scene; equal for equal seeds."""
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    off = (x - width / 2) ** 2 + (y - height / 2) ** 2
    field = 1 - 0.35 * off / (width**2 / 4 + height**2 / 4)
    light = field[..., None] * np.array([196, 205, 212], np.float32)
    cells = np.random.default_rng(SEED).random((75, 6))
    paths = []
    for index in range(count):
        colour, cover = _cells(cells, index)
        part = cover[..., None].astype(np.float32) / 255
        scene = light * (1 - part) + colour * part
        scene *= 1 + 0.01 * np.sin(0.9 * index)
        cv2.setRNGSeed(SEED * 100_000 + index)
        noise = np.empty(scene.shape, np.float32)
        cv2.randn(noise, 0, 1.4)
        grey = np.empty(scene.shape[:2], np.float32)
        cv2.randn(grey, 0, 2.4)
        picture = np.clip(scene + noise + grey[..., None], 0, 255).astype(np.uint8)
        paths.append(folder / f"{index:05d}.jpeg")
        cv2.imwrite(str(paths[-1]), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return paths


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


# --------------------------------------------------------------------------- measure


def measure(run: Callable[[], None], out: Path) -> Measured:
    """Run something and watch its child processes."""
    done = threading.Event()
    peak = [0.0]

    def watch() -> None:
        while not done.wait(SAMPLE_S):
            peak[0] = max(peak[0], children_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun, used = time.perf_counter(), children_cpu_s()
    try:
        run()
    finally:
        wall = time.perf_counter() - begun
        done.set()
        watcher.join()
    cpu = children_cpu_s() - used
    return Measured(wall, cpu, peak[0], out.stat().st_size / MEGA)


def children_cpu_s() -> float:
    """Return the processor time of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def children_mb() -> float:
    """Return the resident size of all descendants of this process."""
    parents: Dict[int, int] = {}
    sizes: Dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            after_name = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        parents[int(entry.name)] = int(after_name[1])
        sizes[int(entry.name)] = int(after_name[21]) * os.sysconf("SC_PAGESIZE")
    return (
        sum(size for pid, size in sizes.items() if _is_descendant(pid, parents)) / MEGA
    )


def _is_descendant(pid: int, parents: Dict[int, int]) -> bool:
    """Tell whether a process was started, directly or not, by this one."""
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False


def ours(paths: List[Path], out: Path, **recipe: object) -> None:
    """Render with our own job."""
    frames = (
        MovieFrame(str(path), slot, slot * INTERVAL_NS, slot * INTERVAL_NS, 0)
        for slot, path in enumerate(paths)
    )
    context = MovieContext(INTERVAL_NS, INTERVAL_NS, 0.21, "here", len(paths))
    job = RenderJob(frames, len(paths), Recipe(**recipe), context, str(out))
    job.start()
    ended = job.wait()
    if ended.state != "done":
        raise SystemExit(ended.message)


def command(*arguments: str) -> None:
    """Run a program at the priority of our own process."""
    subprocess.run(["nice", "-n", "10", *arguments], check=True)  # noqa: S607


def ffmpeg_mp4(pattern: str, out: Path) -> None:
    """Encode as our own job does, by the command line alone."""
    head = f"-nostdin -v error -y -framerate {FPS} -i".split()
    coding = f"-c:v libx264 -preset veryfast -crf 23 -pix_fmt yuv420p {TAGS}".split()
    target = ["-movflags", "+faststart", str(out)]
    command(find_ffmpeg(), *head, pattern, "-vf", SCALE, *coding, *target)


def ffmpeg_gif(pattern: str, out: Path, count: int) -> None:
    """Make a GIF in one pass of palettegen and paletteuse."""
    head = f"-nostdin -v error -y -framerate {GIF_FPS} -i".split()
    rest = ["-frames:v", str(count), "-vf", PALETTE, str(out)]
    command(find_ffmpeg(), *head, pattern, *rest)


def rounds(
    ways: Dict[str, Tuple[Callable[[], None], Path]], count: int
) -> Dict[str, Measured]:
    """Run every way `count` times, interleaved; return the medians.

    Every other round runs backwards: a computer that has just worked hard is slower,
    and no way may always be the one that follows the hardest work.
    """
    seen: Dict[str, List[Measured]] = {name: [] for name in ways}
    for turn in range(count):
        order = list(ways.items())
        for name, (run, out) in order if turn % 2 == 0 else reversed(order):
            print(f"round {turn + 1}: {name}", file=sys.stderr)
            seen[name].append(measure(run, out))
    return {
        name: Measured(
            statistics.median(one.wall_s for one in all_),
            statistics.median(one.cpu_s for one in all_),
            statistics.median(one.peak_mb for one in all_),
            all_[-1].file_mb,
        )
        for name, all_ in seen.items()
    }


# ------------------------------------------------------------------------------ SSIM


def ssim(one: Pixels, other: Pixels) -> float:
    """Return the structural similarity of two grey pictures (Wang et al. 2004)."""
    a, b = one.astype(np.float64), other.astype(np.float64)

    def mean(value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(value, (11, 11), 1.5))

    mu_a, mu_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mu_a**2, mean(b * b) - mu_b**2
    both = mean(a * b) - mu_a * mu_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    upper = (2 * mu_a * mu_b + c1) * (2 * both + c2)
    return float((upper / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2))).mean())


def gif_ssim(path: Path, frames: List[Path]) -> float:
    """Return the mean similarity of a GIF to its frames, scaled by area."""
    values = []
    with Image.open(path) as movie:
        for shown, source in zip(_grey(movie), frames[:COMPARED]):
            picture = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
            small = cv2.resize(picture, GIF_SIZE, interpolation=cv2.INTER_AREA)
            values.append(ssim(shown, np.asarray(small)))
    return statistics.mean(values)


def _grey(movie: Image.Image) -> Iterator[Pixels]:
    for frame in ImageSequence.Iterator(movie):
        rgb = np.asarray(frame.convert("RGB"))
        yield np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))


# ---------------------------------------------------------------------------- tables


def mp4_table(paths: List[Path], folder: Path, turns: int) -> None:
    """Compare MP4 of the same files."""
    pattern = str(paths[0].parent / "%05d.jpeg")
    theirs, bare, full = (folder / f"{name}.mp4" for name in ("cli", "bare", "full"))
    small, again = folder / "half.mp4", folder / "again.mp4"
    ways: Dict[str, Tuple[Callable[[], None], Path]] = {
        "ffmpeg command line": (lambda: ffmpeg_mp4(pattern, theirs), theirs),
        "ours, untouched frames": (lambda: ours(paths, bare, fps=FPS, **BARE), bare),
        "ours, clocks and scale bar": (lambda: ours(paths, full, fps=FPS), full),
        "ours, same at 820 px": (lambda: ours(paths, small, fps=FPS, width=820), small),
        "control: the command line again": (lambda: ffmpeg_mp4(pattern, again), again),
    }
    seen = rounds(ways, turns)
    base = seen["ffmpeg command line"]
    print(f"\nMP4, {len(paths)} frames of {SIZE[0]}x{SIZE[1]}, veryfast, CRF 23\n")
    print("| way | wall s | ratio | CPU s | ratio | peak MB | file MB |")
    print("|---|---|---|---|---|---|---|")
    for name, one in seen.items():
        wall = f"{one.wall_s:.1f} | {one.wall_s / base.wall_s:.2f}"
        cpu = f"{one.cpu_s:.1f} | {one.cpu_s / base.cpu_s:.2f}"
        print(f"| {name} | {wall} | {cpu} | {one.peak_mb:.0f} | {one.file_mb:.2f} |")


def memory_table(paths: List[Path], folder: Path) -> None:
    """Show that memory does not grow with the length."""
    print(f"\nMemory, {SIZE[0]}x{SIZE[1]} (GIF: 480 px), frames repeated\n")
    print("| way | frames | wall s | peak MB |")
    print("|---|---|---|---|")
    for name, recipe in (
        ("MP4 untouched", {"fps": FPS, **BARE}),
        ("MP4 with overlays", {"fps": FPS}),
        ("GIF with overlays", {"format": "gif", "fps": GIF_FPS}),
    ):
        for count in (SHORT, LONG):
            out = folder / f"long.{recipe.get('format', 'mp4')}"
            many = [paths[index % len(paths)] for index in range(count)]
            print(f"memory: {name} {count}", file=sys.stderr)

            def run(many: List[Path] = many, out: Path = out) -> None:
                ours(many, out, **recipe)  # noqa: B023 (called in this turn)

            one = measure(run, out)
            print(f"| {name} | {count} | {one.wall_s:.1f} | {one.peak_mb:.0f} |")


def gif_table(paths: List[Path], folder: Path, turns: int) -> None:
    """Compare GIFs of the same files."""
    few = paths[:GIF_FRAMES]
    pattern = str(paths[0].parent / "%05d.jpeg")
    names = [str(path) for path in few]
    size = {"width": GIF_SIZE[0], "height": GIF_SIZE[1]}

    def own(hold: int, out: Path) -> None:
        ours(few, out, format="gif", fps=GIF_FPS, noise_hold=hold, **size, **BARE)

    ways: Dict[str, Tuple[Callable[[], None], Path]] = {}
    for hold in (0, 6, 10):
        out = folder / f"hold{hold}.gif"
        ways[f"ours, noise_hold {hold}"] = (
            lambda hold=hold, out=out: own(hold, out),  # type: ignore[misc]
            out,
        )
    pil, cli = folder / "pillow.gif", folder / "cli.gif"
    pillow = [sys.executable, "-c", PILLOW, str(pil), *names]
    ways["Pillow save_all, generator"] = (lambda: command(*pillow), pil)
    ways["ffmpeg palettegen, paletteuse"] = (
        lambda: ffmpeg_gif(pattern, cli, len(few)),
        cli,
    )
    seen = rounds(ways, turns)
    print(f"\nGIF, {len(few)} frames at 480x360, nothing written in them\n")
    print("| way | wall s | CPU s | peak MB | file MB | SSIM |")
    print("|---|---|---|---|---|---|")
    for name, one in seen.items():
        likeness = gif_ssim(ways[name][1], few)
        times = f"{one.wall_s:.1f} | {one.cpu_s:.1f}"
        figures = f"{times} | {one.peak_mb:.0f} | {one.file_mb:.2f}"
        print(f"| {name} | {figures} | {likeness:.3f} |")


def main() -> None:
    """Make the frames and print the tables."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--frames", type=int, default=FRAMES)
    reader.add_argument("--rounds", type=int, default=4)
    reader.add_argument("--only", choices=["mp4", "memory", "gif"])
    reader.add_argument("--input", type=Path, help="keep the frames here, use them")
    options = reader.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = options.input or folder / "frames"
        source.mkdir(parents=True, exist_ok=True)
        paths = sorted(source.glob("*.jpeg"))[: options.frames]
        if len(paths) < options.frames:
            paths = make_frames(source, options.frames)
        if options.only in (None, "mp4"):
            mp4_table(paths, folder, options.rounds)
        if options.only in (None, "gif"):
            gif_table(paths, folder, options.rounds)
        if options.only in (None, "memory"):
            memory_table(paths, folder)


if __name__ == "__main__":
    main()
