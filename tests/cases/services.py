"""A service on the simulated microscope, and runs that it records or leaves."""

import json
from pathlib import Path
from typing import Any, Dict

from hardware_sim import VirtualClock, build
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.store.disk import RealDisk

__all__ = [
    "NS_PER_S",
    "PATIENCE_S",
    "PLAN",
    "START_WALL_NS",
    "after",
    "jsonable",
    "left",
    "made",
    "record",
    "run_of",
]

START_WALL_NS = 1_795_420_800_000_000_000
PLAN: Dict[str, Any] = {
    "name": "verbs",
    "interval_s": 30,
    "frames": 3,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": None,
}
PATIENCE_S = 120
NS_PER_S = 1_000_000_000


def made(folder: Path) -> Service:
    """Return a service on a new simulated microscope."""
    clock = VirtualClock(START_WALL_NS, utc_offset_s=3600)
    return Service(folder, build(3, "algae_growth", clock), clock, RealDisk())


def run_of(service: Service) -> str:
    """Return the id of the service's last run."""
    return str(service.status()["run_id"])


def record(service: Service, **changes: Any) -> str:
    """Record a plan to its end and return the run's id."""
    run_id = str(service.start({**PLAN, **changes})["run"])
    assert service.wait(PATIENCE_S)
    return run_id


def jsonable(data: Dict[str, Any]) -> None:
    """Fail unless a browser could parse `data`."""
    json.dumps(data, allow_nan=False)


def left(folder: Path, **changes: Any) -> "tuple[Service, str]":
    """Return a service that has left a run after 45 s, and the run's id."""
    service = made(folder)
    clock = service._clock
    assert isinstance(clock, VirtualClock)

    def leave() -> None:
        engine = service._recorder._engine
        assert engine is not None
        engine.leave()

    clock.call_at(clock.monotonic_ns() + 45 * NS_PER_S, leave)
    run_id = record(service, **changes)
    service.close()
    return service, run_id


def after(first: Service, folder: Path) -> Service:
    """Return the service of a later process on the same folder."""
    clock = VirtualClock(first._clock.wall_ns() + NS_PER_S, "another boot")
    return Service(folder, build(3, "algae_growth", clock), clock, RealDisk())
