"""The one file that makes bytes durable, and says how far that goes.

A write goes to a temporary name in the same folder, is flushed to the device, gets its
name by an atomic rename, and the folder is flushed as well. After a power cut the name
therefore holds all of the bytes or does not exist.

What this cannot promise: that the device tells the truth. Some SD cards and USB bridges
report a flush as done while the data still sits in their own memory, and a card that
loses power while it moves blocks about can damage files written long before. Nothing
here can see that; the SHA-256 of each frame can, later. Network file systems
that do not pass a flush on are no better.
"""

import contextlib
import errno
import io
import os
import re
import uuid
from pathlib import Path
from typing import Iterator, Tuple, Union

from openflexure_timelapse.errors import DiskFullError, StorageError

__all__ = [
    "RealDisk",
    "durable_file",
    "is_temporary",
    "rename_durably",
    "storage_error",
    "sync_file",
    "sync_folder",
    "temporary_name",
    "usual_temporary_name",
]

PathLike = Union[str, Path]

USUAL = "0" * 12
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.part(-journal|-wal|-shm)?\Z")
FULL = (errno.ENOSPC, errno.EDQUOT)
LEAST_FILES = 64
"""With room for fewer files, or names, a disk counts as full."""
ADVICE = {
    errno.EROFS: "its file system is read-only; remount it or choose another folder",
    errno.EACCES: "permission denied; change its owner or choose another folder",
    errno.EPERM: "not permitted; change its owner or choose another folder",
    errno.EIO: "the device reports an error; copy the data off it and replace it",
    errno.ENOTDIR: "a file stands where a folder should be; choose another folder",
    errno.EFBIG: "the file would be too large here; choose another file system",
    errno.EMFILE: "too many files are open; close some programs",
    errno.ENOENT: "it does not exist; check the name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def storage_error(problem: OSError, verb: str, path: PathLike) -> StorageError:
    """Translate an error of the operating system into one of ours.

    Parameters
    ----------
    problem : OSError
        What was raised.
    verb : str
        What was being done, for example ``"write"``.
    path : str or Path
        To what.

    Returns
    -------
    StorageError
        A `DiskFullError` when space or quota ran out.
    """
    if problem.errno in FULL:
        return DiskFullError(f"No space is left to {verb} {path}; free some space.")
    advice = ADVICE.get(problem.errno or 0, f"{problem.strerror}; check the device")
    return StorageError(f"Cannot {verb} {path}: {advice}.")


def temporary_name(name: str) -> str:
    """Return a new hidden name that `is_temporary` knows, for a file to be `name`."""
    return f".{name}.{uuid.uuid4().hex[:12]}.part"


def usual_temporary_name(name: str) -> str:
    """Return the temporary name that a write to the file `name` takes if it is free.

    So that a recovery can ask for it, and need not list a folder of a million frames.
    """
    return f".{name}.{USUAL}.part"


def is_temporary(name: str) -> bool:
    """Tell whether a file name is one of ours for a write that was not finished."""
    return TEMPORARY.match(name) is not None


def sync_folder(path: PathLike) -> None:
    """Flush the names in a folder to the device.

    Raises
    ------
    OSError
        Untranslated: the caller knows what was being done.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: PathLike) -> None:
    """Flush a file that somebody else wrote to the device.

    Raises
    ------
    OSError
        Untranslated, as in `sync_folder`.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename_durably(source: Path, target: Path) -> None:
    """Rename a file or folder atomically and flush both parents.

    Raises
    ------
    StorageError
        When it could not be renamed.
    """
    try:
        source.rename(target)
        for parent in {source.parent, target.parent}:
            sync_folder(parent)
    except OSError as exc:
        raise storage_error(exc, "rename", source) from exc


@contextlib.contextmanager
def durable_file(path: PathLike) -> Iterator[io.FileIO]:
    """Open a stream whose content appears under `path` when the block ends well.

    Raises
    ------
    DiskFullError, StorageError
        The temporary file is removed and, unless it was there before, so is `path`.
    """
    target = Path(path)
    try:
        existed = target.exists()
        temporary, opened = _new_temporary(target)
    except OSError as exc:
        raise storage_error(exc, "write", target) from exc
    leftover = temporary
    done = False
    try:
        with opened as stream:
            yield stream
            os.fsync(stream.fileno())
        temporary.replace(target)
        leftover = target
        sync_folder(target.parent)
        done = True
    except OSError as exc:
        raise storage_error(exc, "write", target) from exc
    finally:
        if not done and not (existed and leftover is target):
            # The first error is the one to tell; what cannot be removed now is
            # removed by the recovery before the next resume.
            with contextlib.suppress(OSError):
                leftover.unlink()


def _new_temporary(target: Path) -> Tuple[Path, io.FileIO]:
    """Make a temporary file for `target`: of the usual name, unless that is taken.

    It is by another writer of the same file, or by one that was cut short.
    """
    usual = target.with_name(usual_temporary_name(target.name))
    with contextlib.suppress(FileExistsError):
        return usual, usual.open("xb", buffering=0)
    other = target.with_name(temporary_name(target.name))
    return other, other.open("xb", buffering=0)


class RealDisk:
    """The `Disk` port on a real file system."""

    def write(self, path: str, data: bytes) -> None:
        """Put `data` under `path` so that a power cut leaves all of it or nothing.

        Raises
        ------
        DiskFullError, StorageError
            Nothing is left under `path` unless it was there before, and nothing under
            a temporary name if that can be helped.
        """
        with durable_file(path) as stream:
            rest = memoryview(data)
            while rest:
                rest = rest[stream.write(rest) :]

    def make_folder(self, path: str) -> None:
        """Create a folder and its parents durably; an existing one is fine.

        Raises
        ------
        DiskFullError, StorageError
            For example when a parent is a file or read-only.
        """
        folder = Path(path).absolute()
        if folder.is_dir():
            return
        self.make_folder(str(folder.parent))
        try:
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            sync_folder(folder.parent)
        except OSError as exc:
            raise storage_error(exc, "create the folder", folder) from exc

    def remove(self, path: str) -> None:
        """Remove a file durably; a missing one is fine.

        Raises
        ------
        StorageError
            When it is there and stays, or may come back.
        """
        try:
            Path(path).unlink()
            sync_folder(Path(path).parent)
        except FileNotFoundError:
            return
        except OSError as exc:
            raise storage_error(exc, "remove", path) from exc

    def free_bytes(self, path: str) -> int:
        """Return the space that this user may still write at `path`.

        None is left when the file system has no room for new files.

        Parameters
        ----------
        path : str
            May not exist yet: its nearest parent that does is asked.

        Raises
        ------
        StorageError
            When the file system does not answer.
        """
        place = Path(path).absolute()
        while not place.exists():
            place = place.parent
        try:
            answer = os.statvfs(place)
        except OSError as exc:
            raise storage_error(exc, "measure the free space at", path) from exc
        if answer.f_files and answer.f_favail < LEAST_FILES:
            return 0
        return answer.f_bavail * answer.f_frsize
