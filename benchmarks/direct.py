"""Measure a microscope without a server: the libraries as they are, simulated hardware.

Run ``python benchmarks/direct.py [stills] [stream] [sweeps]`` for the tables of a full
sensor, and ``python benchmarks/direct.py --stills 10000`` for what so many stills of a
small one leave behind. No figure is of a Raspberry Pi.
"""

import argparse
import contextlib
import mmap
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Sequence,
    Tuple,
)

import numpy as np

from hardware_sim.camera_feed import CameraFeed, SensorShape
from hardware_sim.fake_libcamera import environment
from hardware_sim.light import USUAL_LEVEL
from hardware_sim.microscope import SimMicroscope, build
from hardware_sim.sangaboard_pty import SangaboardPty
from openflexure_timelapse.focus import decide_focus
from openflexure_timelapse.hosts.direct.board import Board
from openflexure_timelapse.hosts.direct.camera import DirectCamera
from openflexure_timelapse.hosts.direct.camera_settings import CameraSettings
from openflexure_timelapse.hosts.direct.focuser import DirectFocuser
from openflexure_timelapse.hosts.direct.kept_place import KeptPlace
from openflexure_timelapse.hosts.direct.stage import DirectStage
from openflexure_timelapse.hosts.direct.stage_settings import StageSettings
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.plan import Accept
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.store.disk import RealDisk

NS_PER_S = 1_000_000_000
FULL = SensorShape()
SMALL = SensorShape(416, 312, shortest_frame_us=5_900, speed=8.0)
STILLS = 40
STREAM_S = 20.0
ROWS = 10
SCENES = ("algae_growth", "diatoms", "beads", "algae_growth+pond", "pond", "empty")
SEEDS = 10
RANGE = 2000
STEP_UM = 0.05
FARTHEST_UM = 40.0
DEPTH_OF_FIELD_UM = 1.5
HOUR_S = 3600.0
PAGE_MB = 4096 / 1e6
STEPS = ("wait", "copy", "encode")


class Bench(NamedTuple):
    """A camera, and the world that it looks at."""

    clock: RealClock
    sim: SimMicroscope
    feed: CameraFeed
    camera: DirectCamera


@contextlib.contextmanager
def bench(
    shape: SensorShape, scene: str, seed: int, **settings: Any
) -> Iterator[Bench]:
    """Start a camera, locked; end it."""
    clock = RealClock()
    sim = build(seed, scene, clock, age_s=HOUR_S * (seed % 24))
    with tempfile.TemporaryDirectory() as folder:
        feed = CameraFeed(sim, clock, Path(folder, "eye"), shape)
        env = environment(feed.socket_path)
        camera = DirectCamera(clock, CameraSettings(**settings), env)
        try:
            camera.start()
            camera.lock_exposure()
            yield Bench(clock, sim, feed, camera)
        finally:
            camera.close()
            feed.close()


def quantiles(values: Sequence[float]) -> str:
    """Return median and 95th percentile as cells."""
    high = float(np.percentile(values, 95))
    return f"{statistics.median(values):.1f} | {high:.1f}"


def table(*heads: str) -> None:
    """Print the head of a table."""
    print("\n| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|")


# ------------------------------------------------------------------------------ stills


def stills(_: argparse.Namespace) -> None:
    """Print how long each step of a still takes, with its way onto the disk."""
    spent: Dict[str, List[float]] = {}
    with bench(
        FULL, "algae_growth", 3
    ) as made, tempfile.TemporaryDirectory() as folder:
        made.camera.capture(None)
        disk = RealDisk()
        for number in range(STILLS):
            began_s = time.perf_counter()
            image = made.camera.capture(None)
            whole_s = time.perf_counter()
            own_s = time.thread_time()
            disk.write(str(Path(folder, f"{number}.jpeg")), image.jpeg)
            steps = {
                **image.metadata["spent"],
                "capture_ms": 1000 * (whole_s - began_s),
                "commit_ms": 1000 * (time.perf_counter() - whole_s),
                "commit_cpu_ms": 1000 * (time.thread_time() - own_s),
            }
            for name, value in steps.items():
                spent.setdefault(name, []).append(value)
        size = len(image.jpeg) / 1e6
    spent["copy alone_ms"] = copies()
    width, height = FULL.width, FULL.height
    print(f"\n{STILLS} stills of {width} x {height}, {size:.2f} MB, stream at 15 fps:")
    table("step", "median ms", "p95 ms", "processor ms")
    for step in (*STEPS, "copy alone", "capture", "commit"):
        cpu = spent.get(f"{step}_cpu_ms")
        used = "-" if cpu is None else f"{statistics.median(cpu):.1f}"
        print(f"| {step} | {quantiles(spent[f'{step}_ms'])} | {used} |")


def copies() -> List[float]:
    """Return how long copies of a picture take, in ms: the sensor here paints first."""
    width, height = FULL.width, FULL.height
    taken = []
    with mmap.mmap(-1, width * height * 3 // 2) as buffer:
        for _ in range(STILLS):
            began_s = time.perf_counter()
            np.array(buffer, dtype=np.uint8)
            taken.append(1000 * (time.perf_counter() - began_s))
    return taken


def stream(_: argparse.Namespace) -> None:
    """Print the rate of the live view alone, and beside one still after the other."""
    table("live view", "fps", "frames lost", "stills in a second")
    with bench(FULL, "algae_growth", 3) as made:
        made.camera.capture(None)
        for name in ("alone", "beside stills"):
            starved, taken = made.feed.starved, 0
            with made.camera.watched() as frames:
                began_s = time.perf_counter()
                while time.perf_counter() - began_s < STREAM_S:
                    if name == "alone":
                        made.camera.preview()
                    else:
                        made.camera.capture(None)
                        taken += 1
            times = [frame.metadata["SensorTimestamp"] for frame in frames]
            rate = (len(times) - 1) * NS_PER_S / (times[-1] - times[0])
            lost = made.feed.starved - starved
            print(f"| {name} | {rate:.2f} | {lost} | {taken / STREAM_S:.1f} |")


# ------------------------------------------------------------------------------ sweeps


class Sweep(NamedTuple):
    """What one focus came to."""

    accepted: bool
    error_um: float
    steps: int
    theirs: float
    seconds: float
    frames: int


@contextlib.contextmanager
def moved(made: Bench) -> Iterator[Tuple[DirectStage, SangaboardPty]]:
    """Return a stage on the board's own library, and the board."""
    with tempfile.TemporaryDirectory() as folder:
        wire = SangaboardPty(made.sim, made.clock, folder)
        with contextlib.closing(wire):
            made.sim.light.set_level(USUAL_LEVEL)
            with contextlib.closing(Board(wire.port)) as board:
                kept = KeptPlace(Path(folder, "place.json"), RealDisk())
                yield DirectStage(board, made.clock, StageSettings(), kept), wire


def steps_of(command: str) -> int:
    """Return the steps that a command to the board asks for."""
    word, *steps = command.split()
    return max(abs(int(step)) for step in steps) if word == "mr" else 0


def sweep(scene: str, seed: int) -> Sweep:
    """Focus once, from a chance distance, and go there."""
    shape = SensorShape(832, 624)
    with bench(shape, scene, seed, stream_size=(832, 624)) as made, moved(
        made
    ) as moves:
        stage, wire = moves
        world, sim = made.sim.world, made.sim.stage
        off_um = float(np.random.default_rng(seed).uniform(-FARTHEST_UM, FARTHEST_UM))
        stage.move_to(StagePosition(0, 0, 0))
        way = round((world.focus_um(world.now_s(), 0.0, 0.0) + off_um) / STEP_UM)
        sim.turn((0, 0, way - 200))
        sim.turn((0, 0, 200))
        start = stage.position()
        wire.heard.clear()
        began_s = time.perf_counter()
        swept = DirectFocuser(made.camera, stage).sweep(RANGE)
        decision = decide_focus(swept, Accept(), RANGE, None, start.z)
        stage.move_to(start.at_z(decision.z))
        seconds = time.perf_counter() - began_s
        x_um, y_um, z_um = sim.physical_um(made.clock.monotonic_ns() + NS_PER_S)
        error_um = z_um - world.focus_um(world.now_s(), x_um, y_um)
        turned = sum(map(steps_of, wire.heard))
    # Down by half, up, down, and up to the peak.
    theirs = 2.5 * RANGE + decision.z - (start.z - RANGE / 2)
    frames = len(swept.z_steps)
    return Sweep(decision.accepted, error_um, turned, theirs, seconds, frames)


def sweeps(chosen: argparse.Namespace) -> None:
    """Print how far from the truth a glide comes, and its way beside OpenFlexure's."""
    print(f"\nRange {RANGE} steps at 1000 steps/s, from up to {FARTHEST_UM:g} µm away:")
    table(
        "scene",
        "believed",
        "within 1.5 µm",
        "median µm",
        "worst µm",
        "frames",
        "seconds",
        "steps",
        "steps of fast autofocus",
    )
    for scene in SCENES:
        done = [sweep(scene, seed) for seed in range(chosen.seeds)]
        errors = [abs(each.error_um) for each in done if each.accepted]
        inside = sum(error <= DEPTH_OF_FIELD_UM for error in errors)
        cells = [scene, f"{len(errors)} of {len(done)}"]
        cells += [str(inside)] if errors else ["-"]
        cells += (
            [f"{statistics.median(errors):.2f}", f"{max(errors):.2f}"]
            if errors
            else ["-", "-"]
        )
        for name, form in (("frames", ".0f"), ("seconds", ".1f"), ("steps", ".0f")):
            cells.append(format(statistics.mean(getattr(d, name) for d in done), form))
        cells.append(f"{statistics.mean(each.theirs for each in done):.0f}")
        print("| " + " | ".join(cells) + " |", flush=True)


# -------------------------------------------------------------------------- many stills


def held_by(pid: int) -> Mapping[str, float]:
    """Return what a process holds."""
    folder = Path(f"/proc/{pid}")
    pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
    return {
        "descriptors": len(list((folder / "fd").iterdir())),
        "threads": len(list((folder / "task").iterdir())),
        "MB": pages * PAGE_MB,
    }


def world(socket_path: str) -> None:
    """Have the world, and tell how many frames were lost whenever a line comes in."""
    clock = RealClock()
    sim = build(3, "algae_growth", clock, age_s=HOUR_S)
    with contextlib.closing(CameraFeed(sim, clock, socket_path, SMALL)) as feed:
        for _ in sys.stdin:
            print(feed.starved, flush=True)


def answer(process: "subprocess.Popen[str]") -> int:
    """Return how many frames were lost, as the process with the world counts them."""
    process.stdin.write("\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def many(count: int) -> None:
    """Print what stills leave behind, ten times on the way.

    The world is in a process of its own: it remembers what it has drawn.
    """
    size = f"{SMALL.width} x {SMALL.height}"
    print(f"\n{count} stills of {size}, the sensor {SMALL.speed:g} x as fast:")
    held = list(held_by(os.getpid()))
    names = [f"{who}: {what}" for who in ("ours", "camera") for what in held]
    table(
        "stills", *names, "requests held", "frames lost", "restarts", "exposures seen"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "eye"))
        command = [sys.executable, __file__, "--world", path]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, **pipes) as process:
            lost = answer(process)
            settings = CameraSettings(stream_size=(208, 156))
            camera = DirectCamera(RealClock(), settings, environment(path))
            try:
                camera.start()
                camera.lock_exposure()
                lost = answer(process)
                exposures = set()
                for number in range(1, count + 1):
                    told = camera.capture(None).metadata["libcamera"]
                    exposures.add((told["ExposureTime"], told["AnalogueGain"]))
                    if number % max(1, count // ROWS) == 0:
                        more = [answer(process) - lost, len(exposures)]
                        print(many_row(number, camera, *more), flush=True)
            finally:
                camera.close()
                process.stdin.close()


def many_row(number: int, camera: DirectCamera, lost: int, exposures: int) -> str:
    """Return a line of the table of many stills."""
    status = camera.status()
    sides = [held_by(os.getpid()), held_by(status["pid"])]
    cells = [f"{value:.0f}" for side in sides for value in side.values()]
    cells += [str(status["requests_held"]), str(lost)]
    cells += [str(status["restarts"]), str(exposures)]
    return f"| {number} | " + " | ".join(cells) + " |"


TABLES: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "stills": stills,
    "stream": stream,
    "sweeps": sweeps,
}


def main() -> int:
    """Print the chosen tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", help=", ".join(TABLES))
    parser.add_argument(
        "--stills", type=int, default=0, help="only so many small stills"
    )
    parser.add_argument(
        "--seeds", type=int, default=SEEDS, help="samples of each scene"
    )
    parser.add_argument("--world", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.world:
        world(chosen.world)
        return 0
    if chosen.stills:
        many(chosen.stills)
        return 0
    for name in chosen.tables or TABLES:
        TABLES[name](chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
