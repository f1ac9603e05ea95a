"""The film so far: what it costs for each frame, and how soon the movie is there.

Frames are given one by one, and each step that is due is done at once, by the child
process that does it beside a recording; its processor time and its ffmpeg's counts. The
movie of the film must be the bytes of a fresh one.
"""

import time
from pathlib import Path
from typing import Dict, List

from movie_measure import BARE, INTERVAL_NS, children_cpu_s, row, table
from movie_scenes import SIZE

from openflexure_timelapse.movie.frames import MovieContext, MovieFrame
from openflexure_timelapse.movie.render import RenderJob
from openflexure_timelapse.movie.rolling import RollingFilm
from openflexure_timelapse.recipe import Recipe

INTERVAL_S = 10
CASES: Dict[str, Dict[str, object]] = {
    "clocks and scale bar (the default)": {},
    "untouched frames": dict(BARE),
    "clocks and scale bar, 820 px": {"width": 820},
}


def frames_of(paths: List[Path]) -> List[MovieFrame]:
    """Return what a movie is told of the frames."""
    return [
        MovieFrame(str(path), slot, slot * INTERVAL_NS, slot * INTERVAL_NS, 0)
        for slot, path in enumerate(paths)
    ]


def seconds_to_render(
    paths: List[Path], recipe: Recipe, out: Path, film: str = ""
) -> float:
    """Render a whole movie and return how long that took."""
    context = MovieContext(INTERVAL_NS, INTERVAL_NS, 0.21, "here", len(paths))
    begun = time.perf_counter()
    job = RenderJob(frames_of(paths), len(paths), recipe, context, str(out), film)
    job.start()
    ended = job.wait()
    if ended.state != "done":
        raise SystemExit(ended.message)
    return time.perf_counter() - begun


def measure(name: str, paths: List[Path], folder: Path) -> None:
    """Print the row of one recipe."""
    recipe = Recipe(**CASES[name])
    fresh, out = folder / "fresh.mp4", folder / "rolled.mp4"
    film = folder / "film_so_far.mp4"
    used = children_cpu_s()
    fresh_s = seconds_to_render(paths, recipe, fresh)
    fresh_cpu_s = children_cpu_s() - used
    context = MovieContext(INTERVAL_NS, INTERVAL_NS, 0.21, "here", None)
    rolling = RollingFilm(film, recipe, context)
    steps, used = 0, children_cpu_s()
    for frame in frames_of(paths):
        rolling.give([frame])
        if rolling.is_due:
            rolling.step()
            steps += 1
    cpu_s = children_cpu_s() - used
    rolling.close()
    after_s = seconds_to_render(paths, recipe, out, str(film))
    if out.read_bytes() != fresh.read_bytes():
        raise SystemExit(f"{name}: the movie of the film differs from a fresh one")
    each = cpu_s / len(paths)
    row(
        name,
        str(steps),
        f"{each:.3f}",
        f"{100 * each / INTERVAL_S:.2f}",
        f"{fresh_cpu_s / len(paths):.3f}",
        f"{after_s:.1f}",
        f"{fresh_s:.1f}",
    )
    for path in folder.glob("*film_so_far*"):
        path.unlink()


def rolling_table(paths: List[Path], folder: Path) -> None:
    """Measure the film so far of each recipe."""
    told = f"The film so far, {len(paths)} frames of {SIZE[0]}x{SIZE[1]}"
    head = ("movie", "steps", "CPU s per frame", f"% of a core, 1 per {INTERVAL_S} s")
    table(told, *head, "the same, fresh", "s from last frame to movie", "s, fresh")
    for name in CASES:
        measure(name, paths, folder)
