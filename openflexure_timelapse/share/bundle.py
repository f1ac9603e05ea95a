"""A bundle: the folder that a person takes to a destination, whole or not at all.

It grows under a hidden name and gets its own when it is complete. ``checksums.sha256``
names every file in it in the form of ``sha256sum``, so that anybody can check it later.
"""

import contextlib
import hashlib
import io
import os
import shutil
import uuid
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Callable, Dict, Iterator, Tuple

from openflexure_timelapse.errors import ShareCancelledError
from openflexure_timelapse.store.disk import rename_durably, storage_error, sync_file

__all__ = ["CHECKSUMS", "Bundle", "Progress", "check_bundle", "new_bundle"]

CHECKSUMS = "checksums.sha256"
CHUNK_BYTES = 1 << 20

Progress = Callable[[int, int], None]


class Bundle:
    """A bundle that is being made.

    Parameters
    ----------
    folder : Path
        Empty; where it grows.
    progress : callable
        Called with how many steps are done, and of how many.
    is_cancelled : callable
        Tells whether nobody wants it any more.
    """

    def __init__(
        self,
        folder: Path,
        progress: Progress,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._folder = folder
        self._progress = progress
        self._is_cancelled = is_cancelled

    def tell(self, done: int, total: int) -> None:
        """Take note of the progress; call it for each frame.

        Raises
        ------
        ShareCancelledError
            When nobody wants the bundle any more.
        """
        if self._is_cancelled():
            raise ShareCancelledError("The bundle was cancelled; order it again.")
        self._progress(done, total)

    def path(self, name: str) -> Path:
        """Return where the file `name` goes, for a library that wants a path.

        Parameters
        ----------
        name : str
            Relative, with forward slashes; its folders are made.
        """
        place = self._folder / PurePosixPath(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def add(self, name: str, data: bytes) -> None:
        """Write the file `name`."""
        with self.open(name) as stream:
            stream.write(data)

    def add_text(self, name: str, text: str, coding: str = "utf-8") -> None:
        """Write the text file `name`, its line ends as they are."""
        self.add(name, text.encode(coding))

    def copy(self, name: str, source: Path) -> None:
        """Copy a file into the bundle as `name`; the original is not touched."""
        try:
            shutil.copyfile(str(source), str(self.path(name)))
        except OSError as exc:
            raise storage_error(exc, "copy", source) from exc

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open the file `name` to write it.

        Raises
        ------
        DiskFullError, StorageError
            When it cannot be written.
        """
        place = self.path(name)
        try:
            with place.open("wb") as stream:
                yield stream
        except OSError as exc:
            raise storage_error(exc, "write", place) from exc

    def sha256(self, name: str) -> str:
        """Return the checksum of the file `name`, as hex."""
        return _digest(self.path(name))

    def seal(self) -> None:
        """Write the checksums of all that is in it, and flush it to the device."""
        with self.open(CHECKSUMS) as sums:
            for place in _files(self._folder):
                name = place.relative_to(self._folder).as_posix()
                if name != CHECKSUMS:
                    sums.write(f"{_digest(place)}  {name}\n".encode("utf-8"))
                    sync_file(place)
        sync_file(self._folder / CHECKSUMS)


@contextlib.contextmanager
def new_bundle(
    out: Path, progress: Progress, is_cancelled: Callable[[], bool]
) -> Iterator[Bundle]:
    """Make a bundle that appears at `out` when the block ends well.

    Parameters
    ----------
    out : Path
        Must not exist yet; its parent is made.
    progress, is_cancelled
        As for `Bundle`.

    Raises
    ------
    StorageError
        When it cannot be written. Nothing is left behind then.
    """
    hidden = out.with_name(f".{out.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        hidden.mkdir(parents=True)
    except OSError as exc:
        raise storage_error(exc, "create", out) from exc
    try:
        bundle = Bundle(hidden, progress, is_cancelled)
        yield bundle
        bundle.seal()
        rename_durably(hidden, out)
    finally:
        shutil.rmtree(str(hidden), ignore_errors=True)


def check_bundle(folder: Path, progress: Progress) -> Tuple[str, ...]:
    """Return what is wrong with a bundle, a sentence each; nothing where it is whole.

    Parameters
    ----------
    folder : Path
        The bundle.
    progress : callable
        As for `Bundle`.

    Raises
    ------
    StorageError
        When it is no bundle, or cannot be read.
    """
    listed = _listed(folder)
    there = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    there.pop(CHECKSUMS, None)
    wrong = [f"{name} is missing." for name in sorted(set(listed) - set(there))]
    wrong += [f"{name} was added." for name in sorted(set(there) - set(listed))]
    common = sorted(set(listed) & set(there))
    for done, name in enumerate(common):
        progress(done, len(common))
        if _digest(there[name]) != listed[name]:
            wrong.append(f"{name} was changed.")
    progress(len(common), len(common))
    return tuple(wrong)


def _listed(folder: Path) -> Dict[str, str]:
    """Return the checksums that a bundle lists, by name."""
    place = folder / CHECKSUMS
    try:
        lines = place.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        problem = exc if isinstance(exc, OSError) else OSError(0, str(exc))
        raise storage_error(problem, "read", place) from exc
    return {line[66:]: line[:64] for line in lines if line.strip()}


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, one folder after the other: there may be 10⁵."""
    for here, folders, names in os.walk(str(folder)):
        folders.sort()
        yield from (Path(here, name) for name in sorted(names))


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, as hex."""
    digest = hashlib.sha256()
    try:
        with io.open(str(path), "rb") as stream:
            for chunk in iter(lambda: stream.read(CHUNK_BYTES), b""):
                digest.update(chunk)
    except OSError as exc:
        raise storage_error(exc, "read", path) from exc
    return digest.hexdigest()
