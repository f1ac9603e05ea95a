"""MP4 against ffmpeg's command line: untouched, filtered, and the encoder's limit."""

import math
import os
import shutil
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
from movie_measure import BARE, Pixels, Way, command, measure, ours, rounds, row, table
from movie_scenes import MARKS, SIZE

from openflexure_timelapse.movie.codecs import OPTIONS
from openflexure_timelapse.movie.ffmpeg import find_ffmpeg
from openflexure_timelapse.recipe import Recipe

FPS = 15
SCALE = "scale=in_range=full:out_range=tv:in_color_matrix=bt601:out_color_matrix=bt601"
TAGS = "-color_range tv -colorspace smpte170m -color_primaries bt709 -color_trc bt709"
CODING = f"-c:v libx264 -preset veryfast -crf 23 -pix_fmt yuv420p {TAGS}".split()
QUIET = ["-nostdin", "-v", "error", "-y"]
FAST = ["-movflags", "+faststart"]
NEEDED = ("vidstabdetect", "vidstabtransform", "deflicker", "drawtext")
# As it comes it finds next to nothing in a bright field; the other is the best of four
# settings tried.
VIDSTAB = (
    ("as it comes", "", ""),
    ("tuned", ":mincontrast=0.1:shakiness=4:tripod=1", ":tripod=1:optzoom=0"),
)
CLOCKS = "drawtext=text='%{pts\\:hms}':x=20:y=h-60:fontsize=37:fontcolor=white:"
CLOCKS += "box=1:boxcolor=black@0.5:boxborderw=10"
REACH_PX = 40
FORMATS: Dict[str, Dict[str, Any]] = {
    "MP4, H.264": {},
    "MP4, HEVC": {"codec": "hevc"},
    "MP4, AV1": {"codec": "av1"},
    "WebM, VP9": {"format": "webm"},
    "GIF, 480 px as usual": {"format": "gif"},
    "WebP, 480 px as usual": {"format": "webp"},
    "APNG, 480 px as usual": {"format": "apng"},
    "PNG files": {"format": "png"},
    "JPEG files": {"format": "jpeg"},
}
LOST = (math.nan, math.nan)

Place = Tuple[float, float]
NOT_CELLS = 12


def mp4_table(paths: List[Path], folder: Path, turns: int) -> None:
    """Compare MP4 of the same files."""
    pattern = str(paths[0].parent / "%05d.jpeg")
    raw = folder / "frames.yuv"
    _decode(pattern, raw, len(paths))
    out = {
        name: folder / f"{name}.mp4"
        for name in ("cli", "same", "bare", "full", "half", "again", "raw")
    }
    ways = {
        "ffmpeg command line": _cli(pattern, out["cli"], len(paths)),
        "the same, its bytes the same on every processor": _cli(
            pattern, out["same"], len(paths), OPTIONS["libx264"]
        ),
        "ours, untouched frames": Way(
            lambda: ours(paths, out["bare"], fps=FPS, **BARE), out["bare"]
        ),
        "ours, clocks and scale bar": Way(
            lambda: ours(paths, out["full"], fps=FPS), out["full"]
        ),
        "ours, the same at 820 px": Way(
            lambda: ours(paths, out["half"], fps=FPS, width=820), out["half"]
        ),
        "control: the command line again": _cli(pattern, out["again"], len(paths)),
        "limit: x264 from raw frames": Way(
            lambda: _encode_raw(raw, out["raw"]), out["raw"]
        ),
    }
    seen = rounds(ways, turns)
    base = seen["ffmpeg command line"]
    told = f"MP4, {len(paths)} frames of {SIZE[0]}x{SIZE[1]}, veryfast, CRF 23"
    table(told, "way", "wall s", "ratio", "CPU s", "ratio", "peak MB", "file MB")
    for name, one in seen.items():
        wall = f"{one.wall_s:.1f} | {one.wall_s / base.wall_s:.2f}"
        cpu = f"{one.cpu_s:.1f} | {one.cpu_s / base.cpu_s:.2f}"
        row(name, wall, cpu, f"{one.peak_mb:.0f}", f"{one.file_mb:.2f}")
    raw.unlink()


def formats_table(paths: List[Path], folder: Path, turns: int) -> None:
    """Compare the formats, with everything written into them that usually is."""
    ways = {}
    for told, recipe in FORMATS.items():
        out = folder / f"as.{Recipe(**recipe).ending}"
        ways[told] = Way(partial(ours, paths, out, fps=FPS, **recipe), out)
    seen = rounds(ways, turns)
    base = next(iter(seen.values()))
    told = f"Formats, {len(paths)} frames of {SIZE[0]}x{SIZE[1]}, clocks and scale bar"
    table(told, "recipe", "wall s", "CPU s", "ratio", "peak MB", "file MB")
    for name, one in seen.items():
        costs = f"{one.wall_s:.1f} | {one.cpu_s:.1f} | {one.cpu_s / base.cpu_s:.2f}"
        row(name, costs, f"{one.peak_mb:.0f}", f"{one.file_mb:.2f}")


def _cli(pattern: str, out: Path, count: int, more: Sequence[str] = ()) -> Way:
    """Return the way of encoding as our own job does, by the command line alone."""
    head = [*QUIET, "-framerate", str(FPS), "-i", pattern, "-frames:v", str(count)]
    arguments = [*head, "-vf", SCALE, *CODING, *more, *FAST, str(out)]
    return Way(lambda: command(find_ffmpeg(), *arguments), out)


def _decode(pattern: str, raw: Path, count: int) -> None:
    """Write the frames as the encoder takes them."""
    head = [*QUIET, "-i", pattern, "-frames:v", str(count), "-vf", SCALE]
    command(find_ffmpeg(), *head, "-pix_fmt", "yuv420p", "-f", "rawvideo", str(raw))


def _encode_raw(raw: Path, out: Path) -> None:
    size = f"{SIZE[0]}x{SIZE[1]}"
    head = f"-f rawvideo -pix_fmt yuv420p -s {size} -framerate {FPS} -i".split()
    command(find_ffmpeg(), *QUIET, *head, str(raw), *CODING, *FAST, str(out))


# ---------------------------------------------------------------------------- filters


class Steadiness(NamedTuple):
    """How much a movie of a scene that stands still moves and flickers."""

    jitter_px: float
    wandering_px: float
    flicker_percent: float
    lost_percent: float


def filter_table(paths: List[Path], folder: Path, turns: int) -> None:
    """Compare the filters, all on, with ffmpeg's own."""
    program = _program_with_filters()
    all_on = {"deflicker": True, "stabilise": True}
    own, bare = folder / "filtered.mp4", folder / "shaken.mp4"
    pattern = str(paths[0].parent / "%05d.jpeg")
    ways = {
        "ours: deflicker, stabilise, clocks, scale bar": Way(
            lambda: ours(paths, own, fps=FPS, **all_on), own
        )
    }
    for name, detect, transform in VIDSTAB if program else ():
        out = folder / f"{name.replace(' ', '_')}.mp4"
        run = partial(_chain, program, pattern, out, detect, transform)
        ways[f"ffmpeg: vidstab {name}, deflicker, drawtext"] = Way(run, out)
    seen = rounds(ways, turns)
    ours(paths, bare, fps=FPS, **BARE)
    told = (
        f"All filters on, {len(paths)} frames of {SIZE[0]}x{SIZE[1]} of one scene that"
    )
    told += " jitters by 2 px and 0.1 degrees and flickers by 1.5 %"
    head = ("way", "wall s", "CPU s", "peak MB", "file MB")
    table(told, *head, "jitter px", "wandering px", "flicker %", "marks lost %")
    for name, one in seen.items():
        costs = f"{one.wall_s:.1f} | {one.cpu_s:.1f} | {one.peak_mb:.0f}"
        row(name, costs, f"{one.file_mb:.2f}", *_cells(steadiness(ways[name].out)))
    row("*the frames, no filter*", " | ".join([""] * 4), *_cells(steadiness(bare)))


def _cells(found: Steadiness) -> List[str]:
    return [f"{value:.2f}" for value in found]


def _program_with_filters() -> str:
    """Return an ffmpeg that has vidstab; nothing where there is none."""
    for program in (find_ffmpeg(), shutil.which("ffmpeg")):
        if program is not None:
            told = subprocess.run(
                [program, "-hide_banner", "-filters"],
                check=True,
                stdout=subprocess.PIPE,
                universal_newlines=True,
            ).stdout
            if all(f" {name} " in told for name in NEEDED):
                return program
    print("ffmpeg's filters are left out: no ffmpeg has vidstab", file=sys.stderr)
    return ""


def _chain(program: str, pattern: str, out: Path, detect: str, transform: str) -> None:
    """Stabilise by vidstab in its two passes, deflicker, and draw a clock."""
    found = out.with_suffix(".trf")
    head = [*QUIET, "-framerate", str(FPS), "-i", pattern]
    looking = f"vidstabdetect=result={found}{detect}"
    command(program, *head, "-vf", looking, "-f", "null", "-")
    chain = f"vidstabtransform=input={found}{transform},deflicker,{CLOCKS},{SCALE}"
    command(program, *head, "-vf", chain, *CODING, *FAST, str(out))


def steadiness(movie: Path) -> Steadiness:
    """Follow the marks, and the level of the field, through a movie."""
    video = cv2.VideoCapture(str(movie))
    near: List[Place] = [(x * SIZE[0], y * SIZE[1]) for x, y in MARKS]
    places: List[List[Place]] = []
    levels: List[float] = []
    while True:
        more, picture = video.read()
        if not more:
            break
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        found = [_mark(grey, place) for place in near]
        near = [now or then for now, then in zip(found, near)]
        places.append([now or LOST for now in found])
        levels.append(_level(grey))
    video.release()
    way = np.array(places)
    steps = np.diff(way, axis=0) / math.sqrt(2)
    off = way - np.nanmean(way, axis=0)
    changes = np.diff(np.log(levels)) / math.sqrt(2)
    return Steadiness(
        float(np.sqrt(np.nanmean((steps**2).sum(axis=2)))),
        float(np.sqrt(np.nanmean((off**2).sum(axis=2)))),
        100 * float(statistics.pstdev(changes)),
        100 * float(np.isnan(way).mean()),
    )


def _mark(grey: Pixels, near: Place) -> Optional[Place]:
    """Return the middle of the dark round mark near a place; None where none is."""
    left, top = max(0, int(near[0]) - REACH_PX), max(0, int(near[1]) - REACH_PX)
    part = grey[top : top + 2 * REACH_PX, left : left + 2 * REACH_PX]
    soft = cv2.GaussianBlur(part, (0, 0), 2.0).astype(np.float64)
    row_, column = np.unravel_index(int(np.argmin(soft)), soft.shape)
    y0, x0 = max(0, int(row_) - 9), max(0, int(column) - 9)
    around = soft[y0 : y0 + 19, x0 : x0 + 19]
    weight = np.clip(np.median(soft) - 40 - around, 0, None)
    y, x = np.mgrid[0 : around.shape[0], 0 : around.shape[1]]
    total = weight.sum()
    if not total:
        return None
    return (
        left + x0 + float((weight * x).sum() / total),
        top + y0 + float((weight * y).sum() / total),
    )


def _level(grey: Pixels) -> float:
    """Return the mean level of the field, cells and clocks left out."""
    height, width = grey.shape
    middle = grey[height // 4 : -height // 4, width // 4 : -width // 4]
    bright = middle > np.median(middle) - NOT_CELLS
    return float(middle[bright].mean())


# --------------------------------------------------------------------- large and slow


def large_table(paths: List[Path], folder: Path) -> None:
    """Measure a movie of the whole sensor, and one core alone."""
    large = _enlarged(paths[:20], folder / "large")
    columns = ("way", "frames", "wall s", "frames/s", "peak MB")
    table("Large frames, and one core", *columns)
    out = folder / "large.mp4"
    size = {"width": 3280, "height": 2464}
    cases: Dict[str, Tuple[List[Path], Dict[str, object], bool]] = {
        "3280x2464, untouched": (large, {**size, **BARE}, False),
        "3280x2464, clocks": (large, dict(size), False),
        "3280x2464 to 1640 px, as usual": (large, {}, False),
        "1640x1232, untouched, one core": (paths[:60], dict(BARE), True),
        "1640x1232, clocks, one core": (paths[:60], {}, True),
        "GIF, one core": (paths[:60], {"format": "gif"}, True),
    }
    for name, (frames, recipe, alone) in cases.items():
        print(f"large: {name}", file=sys.stderr)
        target = out.with_suffix(".gif") if "GIF" in name else out
        before = os.sched_getaffinity(0)
        if alone:
            os.sched_setaffinity(0, {min(before)})
        one = measure(Way(partial(ours, frames, target, **recipe), target))
        os.sched_setaffinity(0, before)
        speed = len(frames) / one.wall_s
        row(
            name,
            str(len(frames)),
            f"{one.wall_s:.1f}",
            f"{speed:.1f}",
            f"{one.peak_mb:.0f}",
        )


def _enlarged(paths: List[Path], folder: Path) -> List[Path]:
    """Write frames of the whole sensor."""
    folder.mkdir(exist_ok=True)
    made = []
    for path in paths:
        picture = cv2.resize(cv2.imread(str(path)), (3280, 2464))
        made.append(folder / path.name)
        cv2.imwrite(str(made[-1]), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return made
