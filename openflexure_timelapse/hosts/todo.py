"""What a process that is killed leaves to do: the list of runs that are not over yet.

A run is on the list from its start until its end is on record and its planned movie is
made. The list is a small file in the data folder, one run id a line.
"""

from pathlib import Path
from typing import List, Optional

from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.run_state import Phase
from openflexure_timelapse.store import layout
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["TODO_FILE", "TodoList", "interrupted_run", "runs_to_do"]

TODO_FILE = ".active"


def runs_to_do(data_folder: Path) -> List[str]:
    """Return the ids on the list, oldest first, without those that were deleted.

    Raises
    ------
    StorageError
        When the list is there and cannot be read.
    """
    return [name for name in _listed(data_folder) if (data_folder / name).is_dir()]


def _listed(data_folder: Path) -> List[str]:
    """Return all ids on the list, oldest first."""
    file = data_folder / TODO_FILE
    try:
        names = file.read_text(encoding="utf-8", errors="replace").split()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as exc:
        told = f"{file} cannot be read ({exc.strerror}); check the data folder."
        raise StorageError(told) from exc
    return [name for name in dict.fromkeys(names) if layout.is_run_id(name)]


def interrupted_run(data_folder: Path) -> Optional[str]:
    """Return the id of the run that waits to be resumed, None when none does.

    A run that has ended and only lacks its movies does not wait, nor does one that
    cannot be read: it needs a repair first.

    Raises
    ------
    StorageError
        When the list cannot be read.
    """
    for run_id in runs_to_do(data_folder):
        try:
            with RunStore.open_read(data_folder / run_id) as store:
                kept = store.engine()
        except StorageError:
            continue
        if kept.get("state", {}).get("phase") != Phase.ENDED.value:
            return run_id
    return None


class TodoList:
    """Writes the list.

    Parameters
    ----------
    data_folder : Path
        Where the runs are.
    disk : Disk
        Writes durably.
    """

    def __init__(self, data_folder: Path, disk: Disk) -> None:
        self._data_folder = data_folder
        self._disk = disk

    def add(self, run_id: str) -> None:
        """Put a run on the list, also one that has no folder yet.

        Raises
        ------
        DiskFullError, StorageError
            When the list could not be written; it is as it was.
        """
        self._write([*runs_to_do(self._data_folder), run_id])

    def remove(self, run_id: str) -> None:
        """Take a run off the list; one that is not on it is fine.

        Raises
        ------
        DiskFullError, StorageError
            When the list could not be written; it is as it was.
        """
        if run_id in _listed(self._data_folder):
            names = runs_to_do(self._data_folder)
            self._write([name for name in names if name != run_id])

    def _write(self, names: List[str]) -> None:
        """Replace the list, durably."""
        path = str(self._data_folder / TODO_FILE)
        if names:
            self._disk.write(path, "".join(f"{name}\n" for name in names).encode())
        else:
            self._disk.remove(path)
