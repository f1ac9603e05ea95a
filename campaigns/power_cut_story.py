"""What is recorded when the power is cut: the program itself, telling what it promised.

Started as ``python -m campaigns.power_cut_story STORY DATA_FOLDER TOLD_FILE``. Each
line of the told file is a promise, written when the call that makes it has returned.
"""

import functools
import json
import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from hardware_sim.session import simulate
from openflexure_timelapse import cli
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.movie_job import MovieJob
from openflexure_timelapse.hosts.preferences import PreferenceFile
from openflexure_timelapse.hosts.recorder import Recorder
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.repair import repair
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["PLAN", "STORIES", "WORLD", "service_of"]

PLAN: Dict[str, Any] = {
    "name": "power",
    "interval_s": 20,
    "frames": 4,
    "positions": [
        {"name": "left", "x": 0, "y": 0, "z": 0},
        {"name": "right", "x": 400, "y": 0, "z": 0},
    ],
    "camera_mode": "preview",
    "settle_s": 0.1,
    "keep_free_mb": 0,
    "movie": {"format": "mp4", "position": "left"},
}
WORLD = ("algae_growth", 7)
"""Scene and seed."""
Told = Optional[Dict[str, Any]]


def service_of(data: Path) -> Service:
    """Return the service of a simulated microscope, as the command line makes it."""
    microscope, clock = simulate(*WORLD, None, RealClock(), data)
    return Service(data, microscope, clock, RealDisk())


# ------------------------------------------------------------------------ the stories


def _record(data: Path) -> None:
    """Record a run from its start to its movies."""
    plan = data.with_name("plan.json")
    plan.write_text(json.dumps(PLAN), encoding="utf-8")
    _command("record", str(plan), "--out", str(data), "--speed", "max")


def _resume(data: Path) -> None:
    """Go on with a run that was cut off."""
    _command("record", "--resume", "--out", str(data), "--speed", "max")


def _repair(data: Path) -> None:
    """Rebuild an index from its frames."""
    (run,) = (path.parent for path in data.glob("*/run.json"))
    repair(run)


def _use(data: Path) -> None:
    """Choose, look, make another movie, and delete the run."""
    service = service_of(data)
    service.preferences.change({"um_per_pixel": 0.5})
    service.preferences.change({"um_per_pixel": 0.25, "plan": PLAN})
    (run,) = (item["run"] for item in service.runs()["runs"])
    service.frame(run, 1, 160)
    for job in service.make_movie(run, {"format": "gif", "position": "left"})["jobs"]:
        service.queue.wait(job["job"])
    service.delete(run, run)
    service.close()


STORIES: Dict[str, Callable[[Path], None]] = {
    "record": _record,
    "resume": _resume,
    "repair": _repair,
    "use": _use,
}


def _command(*arguments: str) -> None:
    """Run a command of the program."""
    code = cli.main([*arguments, "--json"])
    if code:
        raise RuntimeError(f"{arguments} ended with {code}.")


# ----------------------------------------------------------------------- the promises


def _frame(store: RunStore, frame: Frame, *_: Any, **__: Any) -> Told:
    return {"frame": frame.file, "sha256": frame.sha256, "run": store.run_id}


def _slots(store: RunStore, _done: None, **rows: Any) -> Told:
    slots = [[item.first, item.last, item.outcome] for item in rows.get("slots", ())]
    return {"slots": slots, "run": store.run_id} if slots else None


def _start(_recorder: Recorder, started: Any, _plan: Any) -> Told:
    return {"started": started["run"]}


def _movie(job: MovieJob, _ended: Any) -> Told:
    return {"movie": job.file, "run": job.run_id} if job.file else None


def _choice(_file: PreferenceFile, chosen: Any, _changes: Any) -> Told:
    return {"preferences": chosen}


def _deleted(_library: Library, told: Any, *_: Any) -> Told:
    return {"deleted": told["deleted"]}


PROMISES = (
    (RunStore, "add_frame", _frame),
    (RunStore, "adopt", _frame),
    (RunStore, "record", _slots),
    (Recorder, "start", _start),
    (MovieJob, "work", _movie),
    (PreferenceFile, "change", _choice),
    (Library, "delete", _deleted),
)


def _told_by(real: Any, tell: Any, told: int) -> Any:
    """Return a method that tells when it has returned."""

    @functools.wraps(real)
    def telling(self: Any, *args: Any, **kwargs: Any) -> Any:
        done = real(self, *args, **kwargs)
        promise = tell(self, done, *args, **kwargs)
        if promise is not None:
            os.write(told, json.dumps(promise).encode() + b"\n")
        return done

    return telling


def main(arguments: List[str]) -> None:
    """Tell one story."""
    name, data, told_file = arguments
    told = os.open(told_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for owner, method, tell in PROMISES:
        setattr(owner, method, _told_by(getattr(owner, method), tell, told))
    STORIES[name](Path(data))


if __name__ == "__main__":
    main(sys.argv[1:])
