"""Measure focus: how far from the truth, how often, how long, by which rule.

Run ``python benchmarks/focus.py [SEEDS]``; prints two markdown tables. Every rule sees
the same simulated samples from the same distances; the error is the true distance of
the slide from the focus after going to the height that the rule names.
"""

import statistics
import sys
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

import cv2
import numpy as np

from hardware_sim.clock import VirtualClock
from hardware_sim.microscope import SimMicroscope, build
from openflexure_timelapse import autofocus, quality
from openflexure_timelapse.focus import decide_focus, sharpness_of
from openflexure_timelapse.plan import Accept
from openflexure_timelapse.ports import StagePosition

NS_PER_S = 1_000_000_000
START_WALL_NS = 1_700_000_000 * NS_PER_S
STEP_UM = 0.05
RANGE = 2000
FARTHEST_UM = 40.0
DEPTH_OF_FIELD_UM = 1.5
SEEDS = 10
SCENES = ("algae_growth", "diatoms", "beads", "algae_growth+pond", "pond", "empty")
HOUR_S = 3600.0


class Trial(NamedTuple):
    """What one focus came to.

    Attributes
    ----------
    error_um : float or None
        True distance from the focus; None when the rule refused.
    pictures : int
        Previews taken.
    seconds : float
        Of the microscope's time, the way to the result included.
    """

    error_um: Optional[float]
    pictures: int
    seconds: float


Rule = Callable[[SimMicroscope, int], Optional[int]]


def ours(metric: str) -> Rule:
    """Return our sweep and our decision, with one of the metrics."""

    def rule(microscope: SimMicroscope, start_z: int) -> Optional[int]:
        swept = autofocus.sweep(
            microscope.camera, microscope.stage, RANGE, metric=metric
        )
        decision = decide_focus(swept, Accept(), RANGE, None, start_z)
        return decision.z if decision.accepted else None

    return rule


def largest_file(microscope: SimMicroscope, start_z: int) -> Optional[int]:
    """Take one even sweep and go where the JPEG was largest, as is often done."""
    best_z, best = start_z, 0.0
    for z in range(start_z - RANGE // 2, start_z + RANGE // 2 + 1, 50):
        microscope.stage.move_to(StagePosition(0, 0, z))
        size = sharpness_of([microscope.camera.preview().jpeg], "jpeg_bytes")
        if size > best:
            best_z, best = z, size
    return best_z


RULES: Dict[str, Rule] = {
    "ours, what stands still": ours("still_contrast"),
    "ours, Laplacian variance": ours("laplacian_variance"),
    "ours, JPEG size": ours("jpeg_bytes"),
    "largest JPEG of 41, no limits": largest_file,
}


def attempt(rule: Rule, scene: str, seed: int) -> Trial:
    """Let a rule focus on one sample."""
    clock = VirtualClock(START_WALL_NS)
    microscope = build(seed, scene, clock, age_s=HOUR_S * (seed % 24))
    world, stage, camera = microscope.world, microscope.stage, microscope.camera
    off_um = float(np.random.default_rng(seed).uniform(-FARTHEST_UM, FARTHEST_UM))
    start_z = int((world.focus_um(world.now_s(), 0.0, 0.0) + off_um) / STEP_UM)
    stage.move_to(StagePosition(0, 0, start_z))
    camera.lock_exposure()
    taken = 0
    take = camera.preview

    def counted() -> object:
        nonlocal taken
        taken += 1
        return take()

    camera.preview = counted  # type: ignore[method-assign, assignment]
    before_ns = clock.monotonic_ns()
    z = rule(microscope, start_z)
    stage.move_to(StagePosition(0, 0, start_z if z is None else z))
    seconds = (clock.monotonic_ns() - before_ns) / NS_PER_S
    x_um, y_um, z_um = stage.physical_um(clock.monotonic_ns() + NS_PER_S)
    error_um = z_um - world.focus_um(world.now_s(), x_um, y_um)
    return Trial(None if z is None else error_um, taken, seconds)


def row(name: str, scene: str, trials: Sequence[Trial]) -> str:
    """Return one line of the table."""
    errors = [abs(trial.error_um) for trial in trials if trial.error_um is not None]
    cells = [scene, name, f"{len(errors)} of {len(trials)}"]
    if errors:
        inside = sum(error <= DEPTH_OF_FIELD_UM for error in errors)
        cells += [f"{inside}", f"{statistics.median(errors):.2f}", f"{max(errors):.2f}"]
    else:
        cells += ["-", "-", "-"]
    cells.append(f"{statistics.mean(trial.pictures for trial in trials):.0f}")
    cells.append(f"{statistics.mean(trial.seconds for trial in trials):.1f}")
    return "| " + " | ".join(cells) + " |"


def inspection() -> List[str]:
    """Return how long the check of one frame takes, one line for each size."""
    rows = []
    microscope = build(1, "algae_growth", VirtualClock(START_WALL_NS), age_s=HOUR_S)
    for mode, (width, height) in microscope.camera.describe().modes.items():
        jpeg = microscope.camera.capture(mode).jpeg
        spent = []
        for _ in range(30):
            before = time.perf_counter()
            quality.inspect(jpeg)
            spent.append(1000 * (time.perf_counter() - before))
        size = f"{width} x {height}, {len(jpeg) // 1000} kB"
        rows.append(f"| {size} | {statistics.median(spent):.1f} | {max(spent):.1f} |")
    return rows


def main() -> int:
    """Print the tables."""
    cv2.setNumThreads(1)
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS)
    print("| scene | rule | believed | within 1.5 um | median um | worst um ", end="")
    print("| pictures | seconds |\n|---|---|---|---|---|---|---|---|")
    for scene in SCENES:
        for name, rule in RULES.items():
            print(row(name, scene, [attempt(rule, scene, seed) for seed in seeds]))
    print("\n| frame checked | median ms | worst ms |\n|---|---|---|")
    print("\n".join(inspection()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
