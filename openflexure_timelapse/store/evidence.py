"""What the files of a run say, whatever the index says: used by every check.

A file is judged by its own content and, where the index has its SHA-256, by that. Only
reading happens here, but for `remove_temporaries` and `flush_names`.
"""

import hashlib
import os
from enum import Enum
from pathlib import Path
from typing import Iterable, Iterator, List, NamedTuple, Optional, Union

from openflexure_timelapse.errors import NotFoundError
from openflexure_timelapse.store.disk import (
    is_temporary,
    storage_error,
    sync_file,
    sync_folder,
    usual_temporary_name,
)
from openflexure_timelapse.store.exif import (
    FrameRecord,
    is_whole_jpeg,
    read_frame_record,
)
from openflexure_timelapse.store.fence import (
    LARGEST_FRAME_BYTES,
    check_links,
    is_inside,
    read_at_most,
)
from openflexure_timelapse.store.layout import (
    FRAMES,
    HEADER_FILE,
    INDEX_FILE,
    frame_file,
    parse_frame_file,
)

__all__ = [
    "Evidence",
    "Verdict",
    "flush_names",
    "judge_listed",
    "judge_unlisted",
    "remove_temporaries",
    "run_place",
    "stored_files",
    "temporaries",
    "temporaries_of",
]


class Verdict(str, Enum):
    """What became of a file.

    ``frame`` is a whole frame of this run, unaltered as far as anybody knows.
    """

    FRAME = "frame"
    MISSING = "missing"
    ALTERED = "altered"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"


class Evidence(NamedTuple):
    """A verdict with its grounds.

    Attributes
    ----------
    verdict : Verdict
        In a word.
    sha256 : str or None
        Of the file as it is now; None when it could not be read.
    content : bytes
        The file; empty when it could not be read.
    record : FrameRecord or None
        What the file says about itself; looked at only where the index is silent.
    """

    verdict: Verdict
    sha256: Optional[str] = None
    content: bytes = b""
    record: Optional[FrameRecord] = None


def run_place(folder: Union[str, Path]) -> Path:
    """Return the absolute path of a folder that holds anything of a run.

    Raises
    ------
    NotFoundError
        When it does not exist, or holds nothing of a run: nobody may clean up there.
    DamagedRunError
        When a link in it leads out of it.
    """
    place = Path(folder).absolute()
    if not place.is_dir():
        message = f"There is no run {place.name} in {place.parent}; list the runs."
        raise NotFoundError(message)
    if not any((place / name).exists() for name in (HEADER_FILE, INDEX_FILE, FRAMES)):
        message = f"{place} is not a run's folder: it holds none of {HEADER_FILE}, "
        told = f"{INDEX_FILE} and {FRAMES}/; give the folder of one run."
        raise NotFoundError(message + told)
    return check_links(place)


def flush_names(folder: Path) -> None:
    """Flush what a killed process did to names in a run, and the rows that it wrote.

    All of it is seen by the next process, and a power cut may still take it back, with
    everything that was built on it meanwhile.

    Raises
    ------
    StorageError
        When the device does not take it.
    """
    try:
        frames = folder / FRAMES
        places = [item for item in frames.glob("*") if item.is_dir()]
        for place in (folder.parent, folder, frames, *places):
            if place.is_dir():
                sync_folder(place)
        # Not the index itself: SQLite flushes that before it drops a row from the WAL,
        # and its locks on it would end with any other descriptor of this process.
        wal = folder / f"{INDEX_FILE}-wal"
        if wal.is_file():
            sync_file(wal)
    except OSError as exc:
        raise storage_error(exc, "flush", folder) from exc


def stored_files(folder: Path) -> Iterator[str]:
    """Yield every file below ``frames/``, as paths inside the run, with slashes.

    Raises
    ------
    StorageError
        When a folder cannot be listed.
    """
    waiting = [FRAMES]
    while waiting:
        name = waiting.pop()
        try:
            with os.scandir(str(folder / name)) as entries:
                for entry in entries:
                    path = f"{name}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                    else:
                        yield path
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise storage_error(exc, "list", folder / name) from exc


def temporaries(folder: Path) -> List[str]:
    """Return our temporary files in a run, as paths inside it.

    Raises
    ------
    StorageError
        When a folder cannot be listed.
    """
    below = (file for file in stored_files(folder) if _is_leftover(file))
    return sorted([*_top_temporaries(folder), *below])


def temporaries_of(folder: Path, files: Iterable[str]) -> List[str]:
    """Return our temporary files in a run's own folder, and those of `files`.

    Costs the same however many files there are beside them.

    Raises
    ------
    StorageError
        When the folder cannot be listed.
    """
    usual = []
    for file in files:
        place, _, name = file.rpartition("/")
        usual.append(f"{place}/{usual_temporary_name(name)}")
    below = (file for file in usual if (folder / file).is_file())
    return sorted([*_top_temporaries(folder), *below])


def _top_temporaries(folder: Path) -> List[str]:
    """Return the temporary files in a run's own folder."""
    try:
        return [item.name for item in folder.iterdir() if is_temporary(item.name)]
    except OSError as exc:
        raise storage_error(exc, "list", folder) from exc


def remove_temporaries(folder: Path, found: Iterable[str]) -> None:
    """Remove temporary files, durably, from a run that nobody writes.

    Raises
    ------
    StorageError
        When one cannot be removed.
    """
    try:
        for file in found:
            (folder / file).unlink()
        for place in {(folder / file).parent for file in found}:
            sync_folder(place)
    except OSError as exc:
        raise storage_error(exc, "remove a temporary file in", folder) from exc


def _is_leftover(file: str) -> bool:
    """Tell whether a path inside the run is one of our temporary files."""
    return is_temporary(file.rpartition("/")[2])


def judge_listed(folder: Path, file: str, sha256: str, size_bytes: int) -> Evidence:
    """Compare a listed file with what the index has of it."""
    seen = _read(folder, file)
    if seen.sha256 is None:
        return seen
    if seen.sha256 == sha256:
        return seen._replace(verdict=Verdict.FRAME)
    short = len(seen.content) < size_bytes or not is_whole_jpeg(seen.content)
    return seen._replace(verdict=Verdict.TRUNCATED if short else Verdict.ALTERED)


def judge_unlisted(
    folder: Path, file: str, run_id: Optional[str], sha256: Optional[str] = None
) -> Evidence:
    """Judge a file of which the index has no row.

    Parameters
    ----------
    folder, file
        Which file.
    run_id : str or None
        The run whose frame it may be; None for any run's.
    sha256 : str or None
        What it was when it was acknowledged, if that is known.
    """
    seen = _read(folder, file)
    if seen.sha256 is None:
        return seen
    verdict, record = Verdict.FOREIGN, None
    if parse_frame_file(file) is not None:
        if not is_whole_jpeg(seen.content):
            verdict = Verdict.TRUNCATED
        elif sha256 not in (None, seen.sha256):
            verdict = Verdict.ALTERED
        else:
            record = read_frame_record(seen.content)
    if record is not None and run_id in (None, record.run_id):
        draft = record.draft
        if frame_file(draft.position, draft.slot, draft.plane) == file:
            return seen._replace(verdict=Verdict.FRAME, record=record)
    return seen._replace(verdict=verdict)


def _read(folder: Path, file: str) -> Evidence:
    """Read a file whole; what a link shows of another folder is not the run's."""
    path = folder / file
    try:
        if not path.is_file() or not is_inside(folder, path):
            return Evidence(Verdict.MISSING)
        content = read_at_most(path, LARGEST_FRAME_BYTES)
    except OSError:
        return Evidence(Verdict.UNREADABLE)
    if len(content) > LARGEST_FRAME_BYTES:
        return Evidence(Verdict.UNREADABLE)
    return Evidence(Verdict.FOREIGN, hashlib.sha256(content).hexdigest(), content)
