"""Who writes a run, and who records into a data folder: at most one process each.

The lock is the kernel's (``flock``), so it ends with the process that holds it, however
that ends. The writer of a run holds the run folder, then the frames folder. Only
writers touch the first, so that it is refused at once and only for a real second
writer; whoever asks whether a run is active tries the second for an instant.
"""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Optional, Tuple

from openflexure_timelapse.errors import RunActiveError
from openflexure_timelapse.store.disk import storage_error
from openflexure_timelapse.store.layout import FRAMES

__all__ = ["DataLock", "RunLock", "identity", "is_active"]

Identity = Optional[Tuple[int, int]]


class DataLock:
    """The right to record into a data folder, from now on to `release`.

    Parameters
    ----------
    data_folder : Path
        Must exist.

    Raises
    ------
    RunActiveError
        When another process records there.
    StorageError
        When its file system has no locks.
    """

    def __init__(self, data_folder: Path) -> None:
        self._held = contextlib.ExitStack()
        try:
            with contextlib.ExitStack() as opening:
                _take(opening, data_folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._identity = identity(data_folder)
                self._held = opening.pop_all()
        except BlockingIOError as exc:
            message = f"Another program records into {data_folder} at this moment; "
            raise RunActiveError(message + "end it, or choose another folder.") from exc
        except OSError as exc:
            raise storage_error(exc, "lock", data_folder) from exc

    def release(self) -> None:
        """Give the right up; a second call is fine."""
        self._held.close()

    def holds(self, data_folder: Path) -> bool:
        """Tell whether what is at that path now is the folder that was locked."""
        return self._identity == identity(data_folder)


class RunLock:
    """The right to write a run, from the making of this object to `release`.

    Parameters
    ----------
    folder : Path
        The run's folder.

    Raises
    ------
    RunActiveError
        When another process, or another part of this one, writes the run.
    StorageError
        When the folder is missing or its file system has no locks.
    """

    def __init__(self, folder: Path) -> None:
        self._held = contextlib.ExitStack()
        try:
            with contextlib.ExitStack() as opening:
                _take(opening, folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._identity: Identity = identity(folder)
                frames = folder / FRAMES
                if frames.is_dir():
                    _take(opening, frames, fcntl.LOCK_EX)
                self._held = opening.pop_all()
        except BlockingIOError as exc:
            message = f"The run {folder.name} is being written by another process; "
            raise RunActiveError(message + "stop it there first.") from exc
        except OSError as exc:
            raise storage_error(exc, "lock", folder) from exc

    def release(self) -> None:
        """Give the right up; a second call is fine."""
        self._identity = None
        self._held.close()

    def holds(self, folder: Path) -> bool:
        """Tell whether what is at that path now is the folder that was locked.

        Not after `release`, nor when its disk was taken out or another one is there.
        """
        return self._identity is not None and self._identity == identity(folder)


def identity(folder: Path) -> Identity:
    """Return what tells a folder from every other one; None when there is none.

    It is nobody else's as long as somebody holds the folder open.
    """
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _take(stack: contextlib.ExitStack, folder: Path, mode: int) -> None:
    """Lock one folder until `stack` closes."""
    descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    stack.callback(os.close, descriptor)
    fcntl.flock(descriptor, mode)


def is_active(folder: Path) -> bool:
    """Tell whether some process writes the run at this moment.

    Raises
    ------
    StorageError
        When the folder cannot be opened.
    """
    frames = folder / FRAMES
    if not frames.is_dir():
        return False
    try:
        descriptor = os.open(str(frames), os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise storage_error(exc, "look at", frames) from exc
    return False
