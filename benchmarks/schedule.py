"""Five ways to keep an interval, replayed on one simulated clock.

Prints a table in Markdown: what slow captures, a stall and steps of the wall clock do
to a time-lapse under the rules that published systems use, and under ours. Then a
million slots of ours. Nothing here waits or depends on the machine, apart from the time
that the million slots take; seeds are fixed.

The rules are written from descriptions of those systems, not with their code:

* *sleep after capture*: OpenFlexure's documentation example and most small scripts;
* *absolute wall clock, burst*: ImSwitch, Micro-Manager's AcqEngJ, Nematostella;
* *skip by wall clock*: raspi-cam-srv and, with a line in a log, Squid;
* *monotonic, burst*: pymmcore-plus.

Run with ``python benchmarks/schedule.py``.
"""

import random
import time
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Set, Tuple

from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.schedule import (
    Capture,
    Finish,
    Progress,
    Skip,
    Wait,
    decide,
    grid_of,
    late_policy_of,
)

SEED = 20260301
MS = 1_000_000
S = 1000 * MS
HOUR = 3600 * S

SLOTS = 1000
INTERVAL = 10 * S
USUAL_CAPTURE = 1500 * MS
SLOWEST_WAKE = 2 * MS
MILLION = 1_000_000


@dataclass
class World:
    """True time, a wall clock that may step, and captures that take their time.

    Attributes
    ----------
    slow_every : int
        One capture in so many takes 1.5 to 3.5 intervals; 0 for none.
    stall : (int, int)
        When the whole computer stands still, and for how long, in nanoseconds.
    step : (int, int)
        When the wall clock steps, and by how much, in nanoseconds.
    """

    slow_every: int = 0
    stall: Tuple[int, int] = (0, 0)
    step: Tuple[int, int] = (0, 0)
    now: int = 0
    frames: List[Tuple[int, int]] = field(default_factory=list)
    recorded: List[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Give every rule the same jitter and the same slow captures."""
        self.jitter = random.Random(SEED)  # noqa: S311 (jitter, not a secret)
        self.slowness = random.Random(SEED)  # noqa: S311 (likewise)

    def wall(self) -> int:
        """Return the time of day."""
        begin, by = self.step
        return self.now + (by if by and self.now >= begin else 0)

    def sleep(self, ns: int) -> None:
        """Sleep, and wake up a little late, as computers do."""
        if ns > 0:
            self._pass(ns + self.jitter.randrange(SLOWEST_WAKE))

    def capture(self, slot: int) -> None:
        """Take the frame that a rule calls number `slot`."""
        self.frames.append((slot, self.now))
        slow = self.slow_every and len(self.frames) % self.slow_every == 0
        slow_ns = self.slowness.randrange(INTERVAL * 3 // 2, INTERVAL * 7 // 2)
        self._pass(slow_ns if slow else USUAL_CAPTURE)

    def _pass(self, ns: int) -> None:
        """Let time pass; a stall in it comes on top."""
        begin, long = self.stall
        hit = long and self.now < begin <= self.now + ns
        self.now += ns + (long if hit else 0)


def sleep_after_capture(world: World) -> None:
    """Capture, then sleep for the interval."""
    for slot in range(SLOTS):
        world.capture(slot)
        world.sleep(INTERVAL)


def wall_burst(world: World) -> None:
    """Wait for start + n * interval on the wall clock; overdue frames come at once."""
    start = world.wall()
    for slot in range(SLOTS):
        world.sleep(start + slot * INTERVAL - world.wall())
        world.capture(slot)


def wall_skip(world: World) -> None:
    """Take the next slot that the wall clock has not passed."""
    start = world.wall()
    world.capture(0)
    while True:
        slot = (world.wall() - start) // INTERVAL + 1
        if slot >= SLOTS:
            return
        world.sleep(start + slot * INTERVAL - world.wall())
        world.capture(slot)


def monotonic_burst(world: World) -> None:
    """Wait for start + n * interval on the monotonic clock, without skipping."""
    for slot in range(SLOTS):
        world.sleep(slot * INTERVAL - world.now)
        world.capture(slot)


def ours(world: World) -> None:
    """Obey `decide` with the default policy, as the engine does."""
    fields = {"name": "ours", "interval_s": INTERVAL / S, "frames": SLOTS}
    plan = parse_plan(fields)
    grid, policy, progress = grid_of(plan), late_policy_of(plan), Progress(0)
    while True:
        decision = decide(grid, policy, progress, world.now)
        if isinstance(decision, Finish):
            return
        if isinstance(decision, Wait):
            world.sleep(decision.until_ns - world.now)
            continue
        if isinstance(decision, Skip):
            world.recorded.extend(range(decision.first, decision.last + 1))
        else:
            world.recorded.append(decision.slot)
            world.capture(decision.slot)
        progress = decision.progress


RULES: Dict[str, Callable[[World], None]] = {
    "sleep after capture": sleep_after_capture,
    "absolute wall clock, burst": wall_burst,
    "skip by wall clock": wall_skip,
    "monotonic, burst": monotonic_burst,
    "**ours**": ours,
}

MIDDLE = SLOTS // 2 * INTERVAL + 5 * S
SCENES: Dict[str, Callable[[], World]] = {
    "nothing happens": World,
    "every 20th capture takes 15 to 35 s": lambda: World(slow_every=20),
    "a stall of 10 min": lambda: World(stall=(MIDDLE, 600 * S)),
    "the wall clock steps +1 h": lambda: World(step=(MIDDLE, HOUR)),
    "the wall clock steps -1 h": lambda: World(step=(MIDDLE, -HOUR)),
}


@dataclass
class Score:
    """What a rule made of a scene.

    Attributes
    ----------
    drift_s : float
        How late the last frame was for the time point whose number it carries.
    missed : int
        Time points without a frame within half an interval of them.
    doubled : int
        Frames that share their time point, or their number, with an earlier frame.
    unrecorded : int
        Missed time points of which the run's own record says nothing.
    """

    drift_s: float
    missed: int
    doubled: int
    unrecorded: int


def score(world: World) -> Score:
    """Compare the frames of a world with the time points that were asked for."""
    seen_points: Set[int] = set()
    seen_numbers: Set[int] = set()
    doubled = 0
    for number, began in world.frames:
        point = (began + INTERVAL // 2) // INTERVAL
        doubled += point in seen_points or number in seen_numbers
        seen_points.add(point)
        seen_numbers.add(number)
    missed = set(range(SLOTS)) - seen_points
    number, began = world.frames[-1]
    return Score(
        drift_s=(began - number * INTERVAL) / S,
        missed=len(missed),
        doubled=doubled,
        unrecorded=len(missed - set(world.recorded)),
    )


def print_comparison() -> None:
    """Print one row for each rule in each scene."""
    print(f"{SLOTS} time points, one every {INTERVAL // S} s; a capture takes 1.5 s.\n")
    print("| what happens | rule | drift at the end | missed | doubled | unrecorded |")
    print("|---|---|--:|--:|--:|--:|")
    for scene, world_of in SCENES.items():
        for name, rule in RULES.items():
            world = world_of()
            rule(world)
            got = score(world)
            drift = f"{got.drift_s:+.3f} s"
            counts = f"{got.missed} | {got.doubled} | {got.unrecorded}"
            print(f"| {scene} | {name} | {drift} | {counts} |")


def print_million() -> None:
    """Print what a million slots of ours come to, with jitter and slow visits."""
    plan = parse_plan({"name": "long", "interval_s": 0.1, "frames": MILLION})
    grid, policy, progress = grid_of(plan), late_policy_of(plan), Progress(0)
    jitter = random.Random(SEED)  # noqa: S311 (jitter, not a secret)
    now = worst_drift = captured = skipped = decisions = 0
    records = bytearray(MILLION)
    began_s = time.perf_counter()
    while True:
        decision = decide(grid, policy, progress, now)
        decisions += 1
        if isinstance(decision, Finish):
            break
        if isinstance(decision, Wait):
            now = decision.until_ns + jitter.randrange(SLOWEST_WAKE)
            continue
        if isinstance(decision, Capture):
            drift = decision.due_ns - decision.slot * 100 * MS
            worst_drift = max(worst_drift, abs(drift))
            records[decision.slot] += 1
            captured += 1
            # One visit in a thousand takes three intervals.
            now += 300 * MS if jitter.randrange(1000) == 0 else 40 * MS
        else:
            for slot in range(decision.first, decision.last + 1):
                records[slot] += 1
            skipped += decision.last - decision.first + 1
        progress = decision.progress
    took_s = time.perf_counter() - began_s
    once = records.count(1)
    print(f"\n{MILLION} slots of ours at 0.1 s, with jitter and slow visits:\n")
    print("| largest drift of a due time | captured | skipped | recorded once | time |")
    print("|--:|--:|--:|--:|--:|")
    spent = f"{took_s:.1f} s ({took_s / decisions * 1e6:.1f} µs a decision)"
    print(f"| {worst_drift} ns | {captured} | {skipped} | {once} | {spent} |")


if __name__ == "__main__":
    print_comparison()
    print_million()
