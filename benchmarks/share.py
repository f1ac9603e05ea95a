"""Measure OME files against the libraries that write them, on the same frames.

Run ``python benchmarks/share.py [--data FOLDER] [--frames N] [--rounds N] [--only P]``
with the extra ``ome``; prints markdown tables. Each run of a way is a process of its
own, which tells its time and the most memory that it had; the ways of a round follow
one another, and medians are told. Frames are those of the simulated microscope at
832 x 624 pixels, a few dozen that repeat: their files are hard links.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from hardware_sim import VirtualClock, build
from openflexure_timelapse.frame import Frame, FrameDraft
from openflexure_timelapse.share.archive import packed
from openflexure_timelapse.share.bundle import Bundle, Finish, settled
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.order import parse_order
from openflexure_timelapse.share.sharing import choices_of, found_of, make_bundle
from openflexure_timelapse.share.subject import open_subject
from openflexure_timelapse.share.tally import Tallies
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.layout import INDEX_FILE, frame_file
from openflexure_timelapse.store.run_store import RunStore

RUN_ID = "2026-11-23_083029_benchmark"
NS_PER_S = 1_000_000_000
INTERVAL_NS = 30 * NS_PER_S
START_NS = 1_795_419_029 * NS_PER_S
MEGA = 1_000_000
KILO = 1000
DISTINCT = 40
BATCH = 5000
TINY = (16, 12)
UM_PER_PIXEL = 0.36
LENGTHS = (100, 1000, 5000)
LONGEST = (1000, 10_000, 100_000)
REPEATS = 5
LEVELS = {"none": None, "deflate, level 1": 1, "deflate, level 6": 6}
SAMPLE = {
    "title": "Pond",
    "taxon": {"name": "Skeletonema marinoi", "rank": "species", "aphia_id": 376667},
    "sampled_at": "2026-11-22T10:30+01:00",
    "place": "Södra hamnen",
    "latitude": 60.1,
    "longitude": 19.95,
    "accuracy_m": 100.0,
    "photographer": "Åsa Öberg",
    "licence": "CC-BY-4.0",
}
HEADER = {
    "plan": {"name": "benchmark", "interval_s": 30.0, "sample": SAMPLE},
    "created": "2026-11-23T08:30:29+01:00",
    "microscope": {},
    "camera": {"model": "simulated", "simulated": True, "um_per_pixel": UM_PER_PIXEL},
}


class Measured(NamedTuple):
    """One run of one way."""

    wall_s: float
    peak_mb: float
    file_mb: float


# ------------------------------------------------------------------------------- a run


def simulated_jpegs() -> List[bytes]:
    """Return frames of growing algae."""
    clock = VirtualClock(START_NS)
    microscope = build(5, "algae_growth", clock)
    jpegs = []
    for _ in range(DISTINCT):
        microscope.acquire(clock.monotonic_ns() + NS_PER_S)
        jpegs.append(microscope.camera.capture("preview").jpeg)
        microscope.release()
        clock.wait_until(clock.monotonic_ns() + INTERVAL_NS, clock.signal())
    return jpegs


def tiny_jpegs() -> List[bytes]:
    """Return frames that cost hardly anything, so that the rest is measured."""
    noise = np.random.default_rng(1).integers(0, 255, (*TINY[::-1], 3), np.uint8)
    return [cv2.imencode(".jpeg", noise)[1].tobytes()]


def make_run(data: Path, jpegs: Sequence[bytes], count: int) -> Path:
    """Return the folder of a run of so many frames."""
    data.mkdir(parents=True)
    with RunStore.create(data, RUN_ID, HEADER, RealDisk()) as run:
        folder = run.folder
    index = Index(folder / INDEX_FILE, writable=True)
    (folder / frame_file("here", 0, 0)).parent.mkdir(parents=True)
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        index.write(frames=_frames(folder, jpegs, numbers))
    index.close()
    return folder


def _frames(folder: Path, jpegs: Sequence[bytes], numbers: range) -> Iterator[Frame]:
    """Make the files of frames, and yield their rows."""
    height, width = _decoded(jpegs[0]).shape[:2]
    for number in numbers:
        file = frame_file("here", number, 0)
        jpeg = jpegs[number % len(jpegs)]
        if number - numbers[0] < len(jpegs):
            (folder / file).write_bytes(jpeg)
        else:
            first = numbers[0] + (number - numbers[0]) % len(jpegs)
            os.link(str(folder / frame_file("here", first, 0)), str(folder / file))
        known = _draft(number, width, height)
        yield Frame(number + 1, file, "0" * 64, len(jpeg), known)


def _draft(number: int, width: int, height: int) -> FrameDraft:
    """Return what is known of a frame."""
    return FrameDraft(
        slot=number,
        position="here",
        plane=0,
        due_ns=number * INTERVAL_NS,
        elapsed_ns=number * INTERVAL_NS + 250_000_000,
        wall_ns=START_NS + number * INTERVAL_NS,
        utc_offset_s=3600,
        wall_trusted=True,
        x=0,
        y=0,
        z=0,
        width=width,
        height=height,
        mean_grey=100.0,
        sharpness=100.0,
        metadata={"exposure_us": 10_000, "analogue_gain": 1.0},
    )


def _decoded(jpeg: bytes) -> NDArray[np.uint8]:
    """Return a JPEG's picture as RGB."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit("a frame of the benchmark cannot be decoded")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


# ---------------------------------------------------------------------------- the ways


def tifffile_alone(folder: Path, out: Path) -> None:
    """Write the same pixels and the same times by tifffile's own OME-XML."""
    paths = sorted(folder.glob("frames/here/*.jpeg"))
    height, width = _decoded(paths[0].read_bytes()).shape[:2]
    times = [number * INTERVAL_NS / NS_PER_S + 0.25 for number in range(len(paths))]
    metadata = {
        "axes": "TYXS",
        "PhysicalSizeX": UM_PER_PIXEL,
        "PhysicalSizeY": UM_PER_PIXEL,
        "TimeIncrement": 30.0,
        "Plane": {"DeltaT": times, "ExposureTime": [0.01] * len(paths)},
    }
    out.mkdir()
    with tifffile.TiffWriter(out / "here.ome.tiff", ome=True) as writer:
        writer.write(
            (_decoded(path.read_bytes()) for path in paths),
            shape=(len(paths), height, width, 3),
            dtype="uint8",
            photometric="rgb",
            compression="zlib",
            compressionargs={"level": 1},
            maxworkers=1,
            metadata=metadata,
        )


def exported(destination: str) -> Callable[[Path, Path], None]:
    """Return our way to write the images and the tables, without checksums."""

    def way(folder: Path, out: Path) -> None:
        order = parse_order({"destination": destination})
        out.mkdir()
        with open_subject(folder) as subject:
            bundle = Bundle(out, _told, _wanted)
            DESTINATIONS[destination].write(subject, order, bundle)

    return way


def whole(destination: str, finish: Finish = settled) -> Callable[[Path, Path], None]:
    """Return our way to make all of the bundle, flushed and with checksums."""

    def way(folder: Path, out: Path) -> None:
        order = parse_order({"destination": destination})
        with open_subject(folder) as subject:
            make_bundle(subject, order, out, _told, _wanted, finish)

    return way


def checked(folder: Path, _out: Path) -> None:
    """Look as a page does at the first pause in typing, and at a later one."""
    tallies = Tallies()
    for told in ("first", "later"):
        begun = time.perf_counter()
        for destination in ("ome-tiff", "nordic-microalgae"):
            order = parse_order({"destination": destination})
            with open_subject(folder, tallies=tallies) as subject:
                found_of(subject, order)
                DESTINATIONS[destination].bytes_needed(subject, order)
        sys.stderr.write(f"{told} {time.perf_counter() - begun:.4f} s\n")
    begun = time.perf_counter()
    with open_subject(folder) as subject:
        choices_of(subject, order)
    sys.stderr.write(f"stills {time.perf_counter() - begun:.4f} s\n")


def _told(_done: int, _total: int) -> None:
    """Take note of the progress."""


def _wanted() -> bool:
    """Cancel nothing."""
    return False


WAYS: Dict[str, Callable[[Path, Path], None]] = {
    "tifffile alone": tifffile_alone,
    "OME-TIFF, images and tables": exported("ome-tiff"),
    "OME-TIFF, the whole bundle": whole("ome-tiff"),
    "OME-Zarr, images and tables": exported("ome-zarr"),
    "OME-Zarr, the whole bundle": whole("ome-zarr"),
}
ZIPPED = "OME-Zarr, the whole bundle as a zip"
OTHERS: Dict[str, Callable[[Path, Path], None]] = {
    "Nordic Microalgae": whole("nordic-microalgae"),
    "iNaturalist": whole("inaturalist"),
    "Artportalen": whole("artportalen"),
    "GBIF": whole("gbif"),
    ZIPPED: whole("ome-zarr", packed),
}
BOUNDED = ("tifffile alone", "OME-TIFF, the whole bundle")
LONG = (*BOUNDED, *OTHERS)


# --------------------------------------------------------------------------- measuring


def measured(way: str, folder: Path) -> Measured:
    """Run a way in a process of its own."""
    out = folder.parent / "out"
    command = [sys.executable, str(Path(__file__).resolve()), "--one", way]
    done = subprocess.run(
        [*command, "--data", str(folder)], check=True, capture_output=True, text=True
    )
    told = json.loads(done.stdout)
    if out.is_file():
        size = out.stat().st_size / MEGA
        out.unlink()
        return Measured(told["wall_s"], told["peak_mb"], size)
    files = [path for path in out.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / MEGA
    for path in sorted(out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    out.rmdir()
    return Measured(told["wall_s"], told["peak_mb"], size)


def one(way: str, folder: Path) -> None:
    """Run a way here and tell its time and memory as JSON."""
    begun = time.perf_counter()
    {**WAYS, **OTHERS}[way](folder, folder.parent / "out")
    wall_s = time.perf_counter() - begun
    sys.stdout.write(json.dumps({"wall_s": wall_s, "peak_mb": peak_mb()}))


def peak_mb() -> float:
    """Return the most memory that this process had.

    What ``getrusage`` tells begins with that of the process which started this one.
    """
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (told,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(told) * 1024 / MEGA


def speed_table(data: Path, count: int, rounds: int) -> None:
    """Print how long each way takes."""
    folder = make_run(data / "speed", simulated_jpegs(), count)
    found: Dict[str, List[Measured]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, times in found.items():
            times.append(measured(way, folder))
    print(f"\n{count} frames of 832 x 624 pixels, {rounds} rounds:\n")
    print("| way | s | of each round | ms a frame | ratio | MB written | peak MB |")
    print("|---|--:|---|--:|--:|--:|--:|")
    alone = statistics.median(each.wall_s for each in found["tifffile alone"])
    for way, times in found.items():
        wall_s = statistics.median(each.wall_s for each in times)
        each_s = ", ".join(f"{each.wall_s:.1f}" for each in times)
        peak_mb = max(each.peak_mb for each in times)
        row = f"| {way} | {wall_s:.1f} | {each_s} | {wall_s * KILO / count:.1f} "
        print(
            row + f"| {wall_s / alone:.2f} | {times[0].file_mb:.0f} | {peak_mb:.0f} |"
        )


def memory_table(
    data: Path, lengths: Sequence[int], jpegs: Sequence[bytes], ways: Sequence[str]
) -> None:
    """Print the most memory for runs of several lengths."""
    height, width = _decoded(jpegs[0]).shape[:2]
    print(f"\nMost memory, MB, and s, by the number of frames of {width} x {height}:\n")
    print("| way | " + " | ".join(str(count) for count in lengths) + " |")
    print("|---|" + "--:|" * len(lengths))
    folders = [
        make_run(data / f"memory-{width}-{count}", jpegs, count) for count in lengths
    ]
    for way in ways:
        cells = []
        for folder in folders:
            found = measured(way, folder)
            cells.append(f"{found.peak_mb:.0f} ({found.wall_s:.0f} s)")
        print(f"| {way} | " + " | ".join(cells) + " |", flush=True)


def checks_table(data: Path, lengths: Sequence[int]) -> None:
    """Print how long a look takes before anything is made, by the number of frames."""
    jpegs = tiny_jpegs()
    for count in lengths:
        print(f"\nLooks at {count} frames:", flush=True)
        checked(make_run(data / f"checks-{count}", jpegs, count), data)


def compression_table(data: Path) -> None:
    """Print what compressing a frame costs and saves."""
    picture = _decoded(simulated_jpegs()[-1])
    print("\nOne frame of 832 x 624 pixels in TIFF:\n")
    print("| compression | ms | of the size |")
    print("|---|--:|--:|")
    data.mkdir(parents=True, exist_ok=True)
    for name, level in LEVELS.items():
        for predictor in (False, True) if level else (False,):
            times = []
            for _ in range(REPEATS):
                path = data / "one.tiff"
                begun = time.perf_counter()
                _write_one(path, picture, level, predictor=predictor)
                times.append(time.perf_counter() - begun)
            share = path.stat().st_size / picture.nbytes
            told = f"| {name}{', differences' if predictor else ''} "
            print(told + f"| {statistics.median(times) * KILO:.1f} | {share:.2f} |")


def _write_one(
    path: Path, picture: NDArray[np.uint8], level: "int | None", *, predictor: bool
) -> None:
    """Write one picture."""
    options = {} if level is None else {"compressionargs": {"level": level}}
    with tifffile.TiffWriter(path) as writer:
        writer.write(
            picture,
            photometric="rgb",
            compression=None if level is None else "zlib",
            predictor=predictor,
            maxworkers=1,
            metadata=None,
            **options,
        )


def main() -> None:
    """Print the tables."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--data", type=Path, help="on the device to measure")
    reader.add_argument("--frames", type=int, default=1000)
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument(
        "--only", choices=["speed", "memory", "long", "checks", "compression"]
    )
    reader.add_argument("--one", help=argparse.SUPPRESS)
    options = reader.parse_args()
    if options.one:
        one(options.one, options.data)
        return
    with tempfile.TemporaryDirectory(dir=options.data) as scratch:
        data = Path(scratch)
        parts: Dict[str, Callable[[], None]] = {
            "compression": lambda: compression_table(data / "compression"),
            "speed": lambda: speed_table(data, options.frames, options.rounds),
            "memory": lambda: memory_table(data, LENGTHS, simulated_jpegs(), BOUNDED),
            "long": lambda: memory_table(data, LONGEST, tiny_jpegs(), LONG),
            "checks": lambda: checks_table(data, LONGEST),
        }
        for name, part in parts.items():
            if options.only in (None, name):
                part()


if __name__ == "__main__":
    main()
