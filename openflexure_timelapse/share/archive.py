"""A bundle as one zip file, for whoever fetches it through a browser.

Nothing in it is compressed, since its files are: anything can read a part of it. Each
file is taken out of the folder where the bundle has grown while it goes into the zip,
so that both together need little more room than one. However many files there are, it
takes no more memory to make one; to check one takes 1.3 kB for each file.
"""

import contextlib
import ctypes
import hashlib
import io
import zipfile
from pathlib import Path
from typing import BinaryIO, Callable, Iterable, Iterator, Optional, Tuple

from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.share.bundle import (
    CHECKSUMS,
    Progress,
    compared,
    files_of,
)
from openflexure_timelapse.share.zip_file import ZipFile
from openflexure_timelapse.store.disk import durable_file, storage_error

__all__ = ["check_archive", "packed"]

CHUNK_BYTES = 1 << 20
FREED_BYTES = 1 << 26
"""As much is given back to the disk at a time."""
KEEP_SIZE, PUNCH_HOLE = 1, 2


def packed(folder: Path, out: Path, tell: Optional[Progress] = None) -> None:
    """Move the files of a folder, and their checksums, into a zip file.

    In it they lie in a folder of the zip's own name, so that nothing is strewn about.

    Parameters
    ----------
    folder, out : Path
        Where the bundle has grown, and the zip file's path.
    tell : callable, optional
        Called with the bytes that are done, and how many there are; what it raises
        ends it, and leaves no zip.

    Raises
    ------
    DiskFullError, StorageError
        When it cannot be written; there is no zip then.
    """
    done = 0
    try:
        total = sum(place.stat().st_size for place in files_of(folder))

        def look(chunk: bytes) -> None:
            nonlocal done
            done += len(chunk)
            if tell is not None:
                tell(done, total)

        with durable_file(out) as raw, _buffered(raw) as stream, contextlib.closing(
            ZipFile(stream, folder)
        ) as made, (folder / CHECKSUMS).open("w+b") as sums:
            for place in files_of(folder):
                name = place.relative_to(folder).as_posix()
                if name == CHECKSUMS:
                    continue
                digest = hashlib.sha256()
                size = place.stat().st_size
                chunks = _noted(_taken(place), digest.update)
                made.add(f"{out.stem}/{name}", size, chunks, look)
                sums.write(f"{digest.hexdigest()}  {name}\n".encode("utf-8"))
            size = sums.tell()
            sums.seek(0)
            made.add(f"{out.stem}/{CHECKSUMS}", size, _chunks(sums), len)
            made.finish()
    except OSError as exc:
        raise storage_error(exc, "write", out) from exc


@contextlib.contextmanager
def _buffered(raw: io.FileIO) -> Iterator[BinaryIO]:
    """Write all that is given: a raw file may take a part of it when a disk is full."""
    stream = io.BufferedWriter(raw, CHUNK_BYTES)
    try:
        yield stream
        stream.flush()
    finally:
        with contextlib.suppress(OSError):  # it was told, or nobody wants the rest
            stream.detach()


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of a file."""
    return iter(lambda: stream.read(CHUNK_BYTES), b"")


def _noted(chunks: Iterable[bytes], note: Callable[[bytes], None]) -> Iterator[bytes]:
    """Yield chunks, each of them noted."""
    for chunk in chunks:
        note(chunk)
        yield chunk


def _taken(place: Path) -> Iterator[bytes]:
    """Yield a file piece by piece; what is behind is given back to the disk."""
    freed = behind = 0
    with place.open("r+b") as stream:
        for chunk in _chunks(stream):
            yield chunk
            behind += len(chunk)
            if behind - freed >= FREED_BYTES:
                _give_back(stream.fileno(), freed, behind - freed)
                freed = behind
    place.unlink()


def _give_back(descriptor: int, begin: int, count: int) -> None:
    """Return a part of a file to the disk; where it cannot, the whole file waits."""
    punch = getattr(ctypes.CDLL(None), "fallocate64", None)
    if punch is not None:
        mode = KEEP_SIZE | PUNCH_HOLE
        punch(descriptor, mode, ctypes.c_int64(begin), ctypes.c_int64(count))


def check_archive(path: Path, progress: Progress) -> Tuple[str, ...]:
    """Return what is wrong with a zipped bundle, as `check_bundle` does for a folder.

    Parameters
    ----------
    path : Path
        The zip file; it may have another name by now.
    progress : callable
        Called with the files that are done, and how many there are.

    Raises
    ------
    StorageError
        When it is no bundle, or cannot be read.
    """
    try:
        with zipfile.ZipFile(str(path)) as found:
            names = [name for name in found.namelist() if not name.endswith("/")]
            sums = [name for name in names if name.rpartition("/")[2] == CHECKSUMS]
            if not sums:
                told = f"{path} has no {CHECKSUMS} in it; give a bundle that was made "
                raise StorageError(told + "by share.")
            home = min(sums, key=len)[: -len(CHECKSUMS)]
            there = {
                name[len(home) :] if name.startswith(home) else name for name in names
            }
            return compared(
                found.read(home + CHECKSUMS),
                there,
                lambda name: _digest(found, home + name),
                progress,
            )
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as exc:
        told = f"{path} is no whole zip file ({exc}); fetch the bundle again."
        raise StorageError(told) from exc
    except OSError as exc:
        raise storage_error(exc, "read", path) from exc


def _digest(found: zipfile.ZipFile, name: str) -> str:
    """Return the SHA-256 of a file in a zip, as hex; empty for one that is broken."""
    digest = hashlib.sha256()
    try:
        with found.open(name) as stream:
            for chunk in iter(lambda: stream.read(CHUNK_BYTES), b""):
                digest.update(chunk)
    except (zipfile.BadZipFile, KeyError):
        return ""
    return digest.hexdigest()
