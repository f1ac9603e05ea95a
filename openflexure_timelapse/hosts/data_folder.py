"""The right to record into a data folder: one program at a time, on the right disk."""

import threading
from pathlib import Path
from typing import Optional

from openflexure_timelapse.store.lock import DataLock
from openflexure_timelapse.store.mounted import Mounted

__all__ = ["DataFolder"]


class DataFolder:
    """A data folder that this program may come to record into.

    Parameters
    ----------
    path : Path
        Must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._disk = Mounted(path)
        self._guard = threading.Lock()
        self._lock: Optional[DataLock] = None

    def check(self) -> None:
        """Refuse the empty place of a disk that was taken out.

        Raises
        ------
        StorageError
            Naming where it was mounted.
        """
        self._disk.check()

    def take(self) -> None:
        """Make sure that no other program records there, from now on to `let_go`.

        Raises
        ------
        RunActiveError
            When another program does.
        StorageError
            When that cannot be known.
        """
        with self._guard:
            if self._lock is not None:
                if self._lock.holds(self._path):
                    return
                self._lock.release()  # of a disk that is not there any more
                self._lock = None
            self._lock = DataLock(self._path)

    def let_go(self) -> None:
        """Let other programs record there."""
        with self._guard:
            if self._lock is not None:
                self._lock.release()
            self._lock = None
