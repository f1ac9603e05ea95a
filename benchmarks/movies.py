"""Measure movies against ffmpeg, Pillow and gifski, side by side.

Run ``python benchmarks/movies.py``; prints markdown tables, in about ten minutes. The
scenes are made from a seed, by drawing and by the simulated microscope, which also
tells what they are without noise. Rounds are interleaved and medians told. Everything
runs at the same low priority, on the same ffmpeg program. A control, the command line a
second time, shows how far two equal things differ here. Memory is the largest sum of
the resident sizes of all child processes, sampled each 40 ms; what a caller's own
process holds is not in it.
"""

import argparse
import compileall
import tempfile
from pathlib import Path
from typing import Callable, Dict

from movie_decoding import decoding_table
from movie_gif import gif_table, memory_table
from movie_mp4 import filter_table, formats_table, large_table, mp4_table
from movie_rolling import rolling_table
from movie_scenes import make_drawn, make_shaken, make_simulated
from movie_truth import truth_table

import openflexure_timelapse

FRAMES = 200
GIF_FRAMES = 100
POND_FRAMES = 60
FORMAT_FRAMES = 60
SHAKEN = 100


def main() -> None:
    """Make the frames and print the tables."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--frames", type=int, default=FRAMES)
    reader.add_argument("--rounds", type=int, default=2)
    parts = ["gif", "memory", "mp4", "formats", "rolling", "filters", "truth"]
    parts += ["decoding", "large"]
    reader.add_argument("--only", choices=parts)
    reader.add_argument("--input", type=Path, help="keep the frames here, use them")
    options = reader.parse_args()
    # As an installation is, whatever this environment keeps Python from writing.
    compileall.compile_dir(str(Path(openflexure_timelapse.__file__).parent), quiet=1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = options.input or folder / "frames"
        turns = options.rounds

        def drawn(count: int) -> "list[Path]":
            return make_drawn(source / "drawn", count).frames

        def gif() -> None:
            few = make_drawn(source / "drawn", GIF_FRAMES)
            told = f"GIF, {GIF_FRAMES} drawn frames at 480x360, nothing written in them"
            gif_table(told, few, folder, turns)
            pond = make_simulated(source / "pond", "pond", POND_FRAMES, 0.3)
            told = f"GIF, {POND_FRAMES} frames of the simulated pond, the same"
            gif_table(told, pond, folder, turns)

        run: Dict[str, Callable[[], None]] = {
            "gif": gif,
            "memory": lambda: memory_table(drawn(GIF_FRAMES), folder),
            "mp4": lambda: mp4_table(drawn(options.frames), folder, turns),
            "formats": lambda: formats_table(drawn(FORMAT_FRAMES), folder, turns),
            "rolling": lambda: rolling_table(drawn(options.frames), folder),
            "filters": lambda: filter_table(
                make_shaken(_made(source / "shaken"), SHAKEN), folder, turns
            ),
            "truth": truth_table,
            "decoding": lambda: decoding_table(drawn(GIF_FRAMES), turns),
            "large": lambda: large_table(drawn(GIF_FRAMES), folder),
        }
        for part in parts:
            if options.only in (None, part):
                run[part]()


def _made(folder: Path) -> Path:
    """Return a folder that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
