"""A process that may have no more memory, for a while: what becomes of its run.

A child records on a virtual clock; in the middle its address space is limited to what
it has by then, and all but a little of that is taken, so that work fails wherever it
asks for memory.
"""

import json
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Dict, List, Tuple

from campaigns.findings import Cell
from campaigns.rehearsal import NS_PER_S, Rehearsal
from hardware_sim.clock import VirtualClock
from openflexure_timelapse.frame import Outcome
from openflexure_timelapse.store.verify import verify

__all__ = ["COLUMNS", "starve"]

PLAN = {"interval_s": 30, "frames": 16}
SHORT_S = (150.0, 300.0)
MOST_SPARE_BYTES = 6_000_000
CHUNKS_BYTES = (1_000_000, 100_000, 10_000)
START_WALL_NS = 1_795_420_800 * NS_PER_S
STATUS = Path("/proc/self/statm")
COLUMNS = (
    "address space limited",
    "trials",
    "slots",
    "captured",
    "missed, with reason",
    "of which memory",
    "processes that died",
    "lost after the end",
)


def starve(trials: int, seed: int, work: Path) -> Tuple[Tuple[Cell, ...], List[str]]:
    """Return the line of `COLUMNS`, and what fell."""
    fell: List[str] = []
    slots = captured = missed = memory = died = lost = 0
    for trial in range(trials):
        folder = work / f"short-{trial}"
        folder.mkdir(parents=True)
        command = [sys.executable, "-m", __name__, str(folder), f"{seed}/{trial}"]
        done = subprocess.run(command, check=False, capture_output=True)
        if done.returncode:
            died += 1
            told = done.stderr.decode(errors="replace").strip().splitlines()
            fell.append(f"memory {trial}: died ({done.returncode}): {told[-1:]}.")
            continue
        found: Dict[str, Any] = json.loads(done.stdout)
        slots += len(found["outcomes"])
        captured += sum(each in ("captured", "late") for each in found["outcomes"])
        reasons = [reason for reason in found["reasons"] if reason]
        missed += len(reasons)
        memory += reasons.count("memory")
        lost += found["lost_after"]
        if found["end"] != "completed" or found["lost_after"] or not found["whole"]:
            fell.append(f"memory {trial}: {found}.")
    return (
        "in the middle of a run",
        trials,
        slots,
        captured,
        missed,
        memory,
        died,
        lost,
    ), fell


def main(folder: Path, key: str) -> None:
    """Record, short of memory for a while, and print what became of it."""
    random = Random(key)
    run = Rehearsal(folder, PLAN, 1, "empty")
    clock = VirtualClock(START_WALL_NS, "boot")
    run.begin(clock)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]

    ballast: List[bytearray] = []

    def limit() -> None:
        pages = int(STATUS.read_text("ascii").split()[0])
        most = pages * resource.getpagesize() + 2 * MOST_SPARE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        for size in CHUNKS_BYTES:
            with suppress(MemoryError):
                while True:
                    ballast.append(bytearray(size))
        spare = random.randrange(MOST_SPARE_BYTES)
        while spare > 0 and ballast:
            spare -= len(ballast.pop())

    def relax() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        ballast.clear()

    clock.call_at(int(SHORT_S[0] * NS_PER_S), limit)
    clock.call_at(int(SHORT_S[1] * NS_PER_S), relax)
    end = run.run()
    slots = run.slots()
    made = (Outcome.CAPTURED, Outcome.LATE)
    after = [slot for slot in slots if slot.first * PLAN["interval_s"] > SHORT_S[1]]
    found = {
        "end": end and end.end_reason and end.end_reason.value,
        "outcomes": [slot.outcome.value for slot in slots],
        "reasons": [slot.reason and slot.reason.value for slot in slots],
        "lost_after": sum(slot.outcome not in made for slot in after),
        "failed": run.details("failed"),
        "whole": verify(run.folder).ok,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
