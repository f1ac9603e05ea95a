"""Measure the store: one frame committed, and lists and counts of runs of any length.

Run ``python benchmarks/store.py [--data FOLDER] [--rounds N] [--largest N]``; prints
markdown tables. The ways to write are interleaved in random order, each round with all
of them, so that a slow moment of the device meets all alike; the ratio is that of the
medians. FOLDER should be on the device that is to be measured.
"""

import argparse
import os
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import cv2
import numpy as np

from openflexure_timelapse.frame import Frame, FrameDraft, Outcome, Slot
from openflexure_timelapse.store.disk import RealDisk, sync_folder
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.layout import frame_file
from openflexure_timelapse.store.run_store import RunStore

FRAME_BYTES = 1_500_000
LENGTHS = (10, 10_000, 1_000_000)
REPEATS = 200
# SQLite's WAL grows for the first thousand pages and is written over from then on.
WARM_UP = 160
BATCH = 5000
INTERVAL_NS = 30_000_000_000
START_NS = 1_795_419_029_000_000_000
HEADER = {
    "plan": {"name": "benchmark", "interval_s": 30.0},
    "created": "2026-11-23T08:30:29+01:00",
    "microscope": {},
    "camera": {"model": "none", "simulated": True, "um_per_pixel": None},
}
STATE = {
    "stage": {"position": {"x": 1, "y": 2, "z": 3}},
    "camera": {"board": "x" * 800},
}


def noise_jpeg(size_bytes: int) -> bytes:
    """Return a JPEG of about so many bytes."""
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 255, (1232, 1640, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(pixels, (3, 3), 0)
    jpeg = b""
    for quality in range(50, 100):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        jpeg = cv2.imencode(".jpeg", smooth, options)[1].tobytes()
        if len(jpeg) >= size_bytes:
            break
    return jpeg


def draft(slot: int) -> FrameDraft:
    """Return what a visit knows of a frame."""
    due_ns = slot * INTERVAL_NS
    return FrameDraft(
        slot=slot,
        position=("left", "right")[slot % 2],
        plane=0,
        due_ns=due_ns,
        elapsed_ns=due_ns + 250_000_000,
        wall_ns=START_NS + due_ns,
        utc_offset_s=3600,
        wall_trusted=True,
        x=slot % 1000,
        y=-20,
        z=300,
        width=1640,
        height=1232,
        mean_grey=128.5,
        sharpness=1234.5,
        metadata={"exposure_us": 10_000, "gain": 1.5, "colour_gains": [1.4, 1.6]},
    )


def p95(values: List[float]) -> float:
    """Return the value that 95 % do not exceed."""
    return sorted(values)[int(0.95 * len(values))]


def ways_to_write(data: Path, store: RunStore) -> Dict[str, Callable[[int], None]]:
    """Return the ways to make a frame durable, the barest first."""
    jpeg = noise_jpeg(FRAME_BYTES)
    for name in ("bare", "named", "listed"):
        (data / name).mkdir()
    rows = sqlite3.connect(str(data / "rows.db"), isolation_level=None)
    rows.execute("PRAGMA journal_mode=WAL")
    rows.execute("PRAGMA synchronous=FULL")
    rows.execute("CREATE TABLE frames (n INTEGER PRIMARY KEY, facts TEXT)")

    def bare(number: int, folder: str = "bare") -> None:
        with (data / folder / f"{number}.part").open("xb", buffering=0) as stream:
            stream.write(jpeg)
            os.fsync(stream.fileno())

    def named(number: int, folder: str = "named") -> None:
        bare(number, folder)
        part = data / folder / f"{number}.part"
        part.replace(part.with_suffix(".jpeg"))
        sync_folder(data / folder)

    def listed(number: int) -> None:
        named(number, "listed")
        rows.execute("INSERT INTO frames (facts) VALUES (?)", ("x" * 600,))

    def ours(number: int) -> None:
        store.add_frame(jpeg, draft(number), STATE)

    return {
        "bare write + fsync": bare,
        "+ rename + folder fsync": named,
        "+ one row, SQLite WAL FULL": listed,
        "`add_frame` (EXIF, SHA-256, all of that)": ours,
    }


def measure_commits(data: Path, rounds: int) -> None:
    """Print the table of one frame committed."""
    times: Dict[str, List[float]] = {}
    with RunStore.create(data, "commits", HEADER, RealDisk()) as store:
        ways = ways_to_write(data, store)
        for number in range(-WARM_UP, rounds):
            for name in random.sample(list(ways), len(ways)):
                start = time.perf_counter()
                ways[name](number + WARM_UP)
                if number >= 0:
                    times.setdefault(name, []).append(time.perf_counter() - start)
        size = store.totals().bytes / store.totals().frames
    base = statistics.median(times["bare write + fsync"])
    print(f"One frame of {size / 1e6:.2f} MB, {rounds} interleaved rounds after")
    print(f"{WARM_UP} that are not counted:\n")
    print("| way | median ms | p95 ms | ratio of medians |\n|---|---|---|---|")
    for name in ways:
        median = statistics.median(times[name])
        tail = p95(times[name]) * 1e3
        print(f"| {name} | {median * 1e3:.2f} | {tail:.2f} | {median / base:.2f} |")


def fill(folder: Path, count: int) -> None:
    """Put rows of so many frames and slots into a run's index."""
    with closing(Index(folder / "run.db", writable=True)) as index:
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            index.write(
                frames=list(_frames(numbers)),
                slots=[Slot(n, n, Outcome.CAPTURED, None, "", 0) for n in numbers],
            )


def _frames(numbers: range) -> Iterator[Frame]:
    """Yield frames that have a row only."""
    for number in numbers:
        facts = draft(number)
        file = frame_file(facts.position, facts.slot, facts.plane)
        yield Frame(number + 1, file, "0" * 64, FRAME_BYTES, facts)


def calls(store: RunStore, count: int) -> Dict[str, Callable[[], object]]:
    """Return the calls that must cost the same for any number of frames."""
    middle = count // 2

    def opened() -> None:
        with RunStore.open_read(store.folder) as reader:
            reader.totals()
            reader.last_frame()

    return {
        "`totals` + `last_frame`": lambda: (store.totals(), store.last_frame()),
        "the same, opening the run anew": opened,
        "last frame of a position": lambda: store.last_frame("right", 0),
        "page of 5 frames from the middle": lambda: store.frames(middle, 5),
        "first page of 100 frames": lambda: store.frames(0, 100),
        "page of 100 from the middle": lambda: store.frames(middle, 100),
        "page of 100 of a position": lambda: store.frames(middle, 100, "left"),
        "page of 100 slots": lambda: store.slots(middle, 100),
        "one frame by number": lambda: store.frame(middle),
    }


def measure_calls(data: Path, largest: int) -> None:
    """Print the table of calls against the number of frames."""
    lengths = [count for count in LENGTHS if count <= largest]
    table: Dict[str, List[float]] = {}
    for count in lengths:
        RunStore.create(data, f"run{count}", HEADER, RealDisk()).close()
        fill(data / f"run{count}", count)
        with RunStore.open_read(data / f"run{count}") as store:
            for name, call in calls(store, count).items():
                times = []
                for _ in range(REPEATS):
                    start = time.perf_counter()
                    call()
                    times.append(time.perf_counter() - start)
                table.setdefault(name, []).append(statistics.median(times) * 1e3)
    shown = " | ".join(f"{count:,} frames, ms" for count in lengths)
    print(
        f"\nMedians of {REPEATS} calls. Ten frames fill no page of 100: those compare"
    )
    print("the largest run with the middle one, the others with the smallest.\n")
    print(f"| call | {shown} | ratio |")
    print("|---|" + "---|" * (len(lengths) + 1))
    for name, medians in table.items():
        told = " | ".join(f"{median:.3f}" for median in medians)
        base = medians[1 if "100" in name and len(medians) > 1 else 0]
        print(f"| {name} | {told} | {medians[-1] / base:.2f} |")


def main() -> None:
    """Measure both and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder on the device to measure")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--largest", type=int, default=LENGTHS[-1])
    options = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="benchmark-store-", dir=options.data))
    try:
        measure_commits(data, options.rounds)
        measure_calls(data, options.largest)
    finally:
        shutil.rmtree(str(data))


if __name__ == "__main__":
    main()
