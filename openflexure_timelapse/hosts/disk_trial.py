"""How fast a folder takes frames: a few files made durable, and removed again."""

import tempfile
import time
from pathlib import Path

from openflexure_timelapse.store.disk import RealDisk

__all__ = ["SLOW_WRITE_S", "TRIAL_BYTES", "slowest_write_s"]

TRIAL_BYTES = 1_500_000
TRIALS = 5
SLOW_WRITE_S = 1.0
"""A card that takes longer for one frame holds up a short interval."""


def slowest_write_s(folder: Path) -> float:
    """Return the longest time, in seconds, that a file of a frame's size took.

    Parameters
    ----------
    folder : Path
        Where frames would be kept.

    Raises
    ------
    StorageError
        When it takes none.
    """
    disk, durations = RealDisk(), []
    with tempfile.TemporaryDirectory(dir=str(folder)) as trial:
        for number in range(TRIALS):
            began = time.perf_counter()
            disk.write(str(Path(trial) / f"{number}.bin"), bytes(TRIAL_BYTES))
            durations.append(time.perf_counter() - began)
    return max(durations)
