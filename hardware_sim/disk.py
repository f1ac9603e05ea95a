"""A disk that fills up, fails or lies, around a real one."""

from hardware_sim.faults import Faults
from openflexure_timelapse.errors import DiskFullError, StorageError
from openflexure_timelapse.ports import Disk

__all__ = ["FaultyDisk"]


class FaultyDisk:
    """Passes on to another disk, but for the faults of the schedule.

    Parameters
    ----------
    inner : Disk
        Does the work.
    faults : Faults
        ``disk_full``, ``disk_io_error`` and ``disk_torn``, whose n counts the writes.
    """

    def __init__(self, inner: Disk, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults
        self.writes = 0

    def write(self, path: str, data: bytes) -> None:
        """Write, or fail as the schedule says; see `ports.Disk`.

        Raises
        ------
        DiskFullError, StorageError
            As scheduled, or from the disk behind this one.
        """
        n = self.writes
        self.writes += 1
        if self._faults.find("disk_full", n) is not None:
            message = f"Could not write {path}: no space is left; free some and go on."
            raise DiskFullError(message)
        if self._faults.find("disk_io_error", n) is not None:
            message = f"Could not write {path}: the device reports an error; "
            raise StorageError(message + "copy the data off it and replace it.")
        torn = self._faults.find("disk_torn", n)
        if torn is not None:
            data = data[: int(len(data) * torn.amount)]
        self._inner.write(path, data)

    def make_folder(self, path: str) -> None:
        """Create a folder; fails on a full disk.

        Raises
        ------
        DiskFullError
            As scheduled.
        """
        if self._faults.find("disk_full") is not None:
            message = f"Could not create {path}: no space is left; free some and go on."
            raise DiskFullError(message)
        self._inner.make_folder(path)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._inner.remove(path)

    def free_bytes(self, path: str) -> int:
        """Return the free space: none on a full disk."""
        if self._faults.find("disk_full") is not None:
            return 0
        return self._inner.free_bytes(path)
