"""The machine's own clocks, as a real process sees them when somebody sets them.

A child process runs the engine on the real clock (and the simulated microscope) while
libfaketime steps its time of day, or while its zone is changed in a mount namespace of
its own; the time of day of the machine is never touched. ``CLOCK_MONOTONIC`` is left
alone, as it is when a time service steps the clock.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from campaigns.rehearsal import NS_PER_S, Rehearsal
from openflexure_timelapse.frame import Outcome
from openflexure_timelapse.hosts.system import RealClock

__all__ = ["COLUMNS", "attack_real_clock"]

PLAN: Mapping[str, Any] = {"interval_s": 4, "frames": 6}
LOOK_S = 0.05
FRAMES_BEFORE = 2
COLUMNS = (
    "real clock",
    "slots",
    "captured",
    "most off the grid, ms",
    "step seen, s",
    "zone seen, s",
)
STEPS: Mapping[str, str] = {
    "back by an hour": "-3600",
    "forward by an hour": "+3600",
    "back by ten years": "-10y",
    "forward by ten years": "+10y",
}
LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/arm-linux-gnueabihf/faketime/libfaketime.so.1",
)
LATEST_MS = 250.0
ZONES = ("Europe/Stockholm", "Australia/Lord_Howe")
ZONE_FILES = Path("/usr/share/zoneinfo")


def attack_real_clock(work: Path) -> Tuple[List[Tuple[Any, ...]], List[str], List[str]]:
    """Return rows of `COLUMNS`, what fell, and what this machine does not permit."""
    rows: List[Tuple[Any, ...]] = []
    fell: List[str] = []
    notes: List[str] = []
    library = next((name for name in LIBRARIES if Path(name).exists()), None)
    if library is None:
        notes.append("Without libfaketime the real time of day was not stepped.")
    for name, step in STEPS.items() if library else ():
        found = _child(work / name.replace(" ", "-"), library=library, step=step)
        rows.append(_row(f"set {name}", found))
        if not found or abs(found["step_s"]) < 3000:  # noqa: PLR2004
            fell.append(f"real clock {name}: the step is not in the frames: {found}.")
    found = _child(work / "zone", zones=ZONES)
    if not found:
        notes.append("This machine lets no process have a zone of its own.")
    else:
        rows.append(_row("another zone is set", found))
        if found["zone_s"] not in (8.5 * 3600, 9.5 * 3600, 10 * 3600):
            fell.append(f"real zone: the change is not in the frames: {found}.")
    fell += [
        f"real clock: {row}."
        for row in rows
        if row[1] != row[2] or float(row[3]) > LATEST_MS
    ]
    return rows, fell, notes


def _row(name: str, found: Mapping[str, Any]) -> Tuple[Any, ...]:
    """Return a line of the table."""
    return (
        name,
        found.get("slots", 0),
        found.get("captured", -1),
        found.get("off_ms", -1.0),
        found.get("step_s", 0),
        found.get("zone_s", 0),
    )


def _child(
    folder: Path,
    library: Optional[str] = None,
    step: str = "",
    zones: Tuple[str, ...] = (),
) -> Dict[str, Any]:
    """Run the engine in a process of its own, and change its clock in the middle."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", __name__, str(folder)]
    environment = dict(os.environ)
    change = folder / "clock"
    if library:
        change.write_text("+0", "utf-8")
        environment.update(
            LD_PRELOAD=library,
            FAKETIME_TIMESTAMP_FILE=str(change),
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )
    if zones:
        shutil.copyfile(ZONE_FILES / zones[0], change)
        environment.pop("TZ", None)
        mounted = f'mount --bind {change} /etc/localtime && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", mounted, "sh", *command]
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    frames = folder / "run" / "frames"
    while child.poll() is None and len([*frames.glob("*/*.jpeg")]) < FRAMES_BEFORE:
        time.sleep(LOOK_S)  # a poll: the child's own process and clock are tried
    if zones:
        shutil.copyfile(ZONE_FILES / zones[1], change)
    else:
        change.write_text(step, "utf-8")
    out, _ = child.communicate(timeout=60)
    return dict(json.loads(out)) if out else {}


def main(folder: Path) -> None:
    """Run the engine on the real clock, and print what its frames say."""
    run = Rehearsal(folder, PLAN, 1, "empty")
    run.begin(RealClock())
    run.run()
    drafts = [frame.draft for frame in run.frames()]
    if not drafts:
        return
    ahead = [draft.wall_ns - draft.elapsed_ns for draft in drafts]
    late = [slot.lateness_ns for slot in run.slots()]
    made = (Outcome.CAPTURED, Outcome.LATE)
    found = {
        "slots": len(late),
        "captured": sum(slot.outcome in made for slot in run.slots()),
        "off_ms": round(max(late) / 1e6, 1),
        "step_s": round((ahead[-1] - ahead[0]) / NS_PER_S),
        "zone_s": drafts[-1].utc_offset_s - drafts[0].utc_offset_s,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
