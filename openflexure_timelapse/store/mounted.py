"""On which disk a folder is, and whether that is still in its place."""

import os
from pathlib import Path

from openflexure_timelapse.errors import StorageError

__all__ = ["Mounted"]


class Mounted:
    """Remembers on which mounted disk a folder is.

    Parameters
    ----------
    folder : Path
        Exists now.
    """

    def __init__(self, folder: Path) -> None:
        point = folder.resolve()
        while not point.is_mount():
            point = point.parent
        self._point, self._folder = point, folder

    def check(self) -> None:
        """Refuse to write into the empty place of a disk that was taken out.

        Raises
        ------
        StorageError
            Naming where it was mounted.
        """
        if not os.path.ismount(str(self._point)):
            told = f"The disk of {self._folder} is not mounted at {self._point} any "
            raise StorageError(told + "more; mount it again, or restart the program.")
