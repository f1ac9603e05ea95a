"""A simulated microscope for a process that records: a new world, or one that waits.

A run that was cut off in the middle goes on in the same world, in which time has
passed; everything that this needs stands in the run's own folder.
"""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from hardware_sim.clock import ScaledClock, VirtualClock
from hardware_sim.microscope import SimMicroscope, build
from openflexure_timelapse.errors import InvalidRequestError
from openflexure_timelapse.hosts.todo import interrupted_run
from openflexure_timelapse.ports import Clock
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["simulate"]

NS_PER_S = 1_000_000_000
TRUTH_FILE = "truth.jsonl"


class _Past(NamedTuple):
    """The world of a run that waits to be resumed."""

    scene: str
    seed: int
    began_ns: int
    last_ns: int


def simulate(
    scene: str, seed: int, speed: Optional[float], inner: Clock, data_folder: Path
) -> Tuple[SimMicroscope, Clock]:
    """Return a simulated microscope and its clock.

    Parameters
    ----------
    scene, seed
        Of a new world; a run that waits to be resumed brings its own.
    speed : float or None
        Simulated seconds per second; None for a clock that jumps.
    inner : Clock
        The real clock.
    data_folder : Path
        Where the runs are; the ground truth is appended to ``truth.jsonl`` there.

    Raises
    ------
    StorageError
        When a run waits to be resumed and cannot be read.
    InvalidRequestError
        When the run that waits is of a real microscope.
    """
    past = _past(data_folder)
    wall_ns, age_s = inner.wall_ns(), 0.0
    if past is not None:
        scene, seed = past.scene, past.seed
        wall_ns = max(wall_ns, past.last_ns + NS_PER_S)
        age_s = (wall_ns - past.began_ns) / NS_PER_S
    clock: Clock
    if speed is None:
        clock = VirtualClock(wall_ns, utc_offset_s=inner.utc_offset_s(wall_ns))
    else:
        clock = ScaledClock(speed, inner, wall_ns)
    truth = data_folder / TRUTH_FILE
    return build(seed, scene, clock, truth_path=str(truth), age_s=age_s), clock


def _past(data_folder: Path) -> Optional[_Past]:
    """Return the world of the run that waits in `data_folder`; None for none."""
    run_id = interrupted_run(data_folder)
    if run_id is None:
        return None
    with RunStore.open_read(data_folder / run_id) as store:
        header, last = store.header, store.last_frame()
    if "scene" not in header["microscope"]:
        told = f"The run {run_id} waits in {data_folder} to be resumed, and is of no "
        told += "simulated microscope; go on with it by --microscope direct, "
        raise InvalidRequestError(told + "or choose another folder.")
    began_ns = int(datetime.fromisoformat(header["created"]).timestamp()) * NS_PER_S
    return _Past(
        scene=header["microscope"]["scene"],
        seed=header["microscope"]["seed"],
        began_ns=began_ns,
        last_ns=began_ns if last is None else last.draft.wall_ns,
    )
