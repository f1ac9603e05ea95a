"""A bundle: the folder that a person takes to a destination, whole or not at all.

It grows under a hidden name and gets its own when it is complete. ``checksums.sha256``
names every file in it in the form of ``sha256sum``, so that anybody can check it later.
"""

import contextlib
import hashlib
import io
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import AbstractSet, BinaryIO, Callable, Iterator, Optional, Tuple

from openflexure_timelapse.errors import ShareCancelledError
from openflexure_timelapse.share.leftover import growing
from openflexure_timelapse.store.disk import rename_durably, storage_error, sync_file

__all__ = [
    "CHECKSUMS",
    "Bundle",
    "Finish",
    "Progress",
    "check_bundle",
    "compared",
    "files_of",
    "new_bundle",
    "settled",
]

CHECKSUMS = "checksums.sha256"
CHUNK_BYTES = 1 << 20
DIGEST_CHARS = 64

Progress = Callable[[int, int], None]
Finish = Callable[[Path, Path], None]
"""Turns the folder where a bundle has grown into what appears under a name."""


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
        try:
            self._folder.stat()  # a run that is deleted meanwhile does not come back
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise storage_error(exc, "write", place) from exc
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


def settled(folder: Path, out: Path, tell: Optional[Progress] = None) -> None:
    """Add the checksums to a folder, flush it, and give it its name.

    Parameters
    ----------
    folder, out : Path
        Where it has grown, and its name, which must be free.
    tell : callable, optional
        Called with the files that are done, and how many there are; what it raises
        ends it.

    Raises
    ------
    StorageError
        When it cannot be read or written.
    """
    total = sum(1 for _ in files_of(folder)) if tell is not None else 0
    try:
        with (folder / CHECKSUMS).open("wb") as sums:
            for done, place in enumerate(files_of(folder)):
                if tell is not None:
                    tell(done, total)
                name = place.relative_to(folder).as_posix()
                if name != CHECKSUMS:
                    sums.write(f"{_digest(place)}  {name}\n".encode("utf-8"))
                    sync_file(place)
        sync_file(folder / CHECKSUMS)
    except OSError as exc:
        raise storage_error(exc, "write", out) from exc
    rename_durably(folder, out)


@contextlib.contextmanager
def new_bundle(
    out: Path,
    progress: Progress,
    is_cancelled: Callable[[], bool],
    finish: Finish = settled,
) -> Iterator[Bundle]:
    """Make a bundle that appears at `out` when the block ends well.

    Parameters
    ----------
    out : Path
        Must not exist yet; its parent is made.
    progress, is_cancelled
        As for `Bundle`.
    finish : callable
        As what it appears: a folder, or `archive.packed` into one file.

    Raises
    ------
    StorageError
        When it cannot be written. Nothing is left behind then.
    """
    with growing(out) as hidden:
        yield Bundle(hidden, progress, is_cancelled)
        finish(hidden, out)


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
    place = folder / CHECKSUMS
    try:
        text = place.read_bytes()
    except OSError as exc:
        raise storage_error(exc, "read", place) from exc
    there = {path.relative_to(folder).as_posix() for path in files_of(folder)}
    return compared(text, there, lambda name: _digest(folder / name), progress)


def compared(
    sums: bytes,
    there: AbstractSet[str],
    digest: Callable[[str], str],
    progress: Progress,
) -> Tuple[str, ...]:
    """Return where files are not as the checksums of a bundle say.

    Parameters
    ----------
    sums : bytes
        The content of ``checksums.sha256``.
    there : set of str
        The names of the files that are there.
    digest : callable
        Returns the SHA-256 of one of them, as hex.
    progress : callable
        As for `Bundle`.
    """
    try:
        lines = sums.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return (f"{CHECKSUMS} was changed.",)
    listed = {line[DIGEST_CHARS + 2 :]: line[:DIGEST_CHARS] for line in lines if line}
    found = there - {CHECKSUMS}
    wrong = [f"{name} is missing." for name in sorted(set(listed) - found)]
    wrong += [f"{name} was added." for name in sorted(found - set(listed))]
    common = sorted(found & set(listed))
    for done, name in enumerate(common):
        progress(done, len(common))
        if digest(name) != listed[name]:
            wrong.append(f"{name} was changed.")
    progress(len(common), len(common))
    return tuple(wrong)


def files_of(folder: Path) -> Iterator[Path]:
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
