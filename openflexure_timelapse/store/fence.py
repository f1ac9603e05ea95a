"""How far a run reaches: not through a link out of its folder, and not without end.

A run may be a stranger's, copied from a card. Whatever its names say, nothing beside
its folder is read, written or removed for it, and no file is read that is larger than
this program could have written.
"""

import os
from pathlib import Path
from typing import Collection, List

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.store.layout import (
    CSV_FILE,
    FRAMES,
    HEADER_FILE,
    INDEX_FILE,
    MOVIES,
    PREVIEWS,
    RECORD_FILE,
    REPAIRED_INDEX_FILE,
    SHARE,
)

__all__ = [
    "LARGEST_FRAME_BYTES",
    "LARGEST_TEXT_BYTES",
    "check_links",
    "finished_files",
    "is_inside",
    "read_at_most",
]

# A 64-megapixel picture with its raw data is half as large.
LARGEST_FRAME_BYTES = 200_000_000
# A plan of a thousand positions, with all that is known of its microscope, has a tenth.
LARGEST_TEXT_BYTES = 4_000_000
NAMES = (
    HEADER_FILE,
    INDEX_FILE,
    f"{INDEX_FILE}-wal",
    f"{INDEX_FILE}-shm",
    REPAIRED_INDEX_FILE,
    CSV_FILE,
    FRAMES,
    MOVIES,
    PREVIEWS,
    RECORD_FILE,
    SHARE,
)


def is_inside(folder: Path, path: Path) -> bool:
    """Tell whether a path is still below a folder when all links are followed."""
    home = os.path.realpath(str(folder))
    return os.path.realpath(str(path)).startswith(home + os.sep)


def check_links(folder: Path) -> Path:
    """Return a run's folder in which no name that a run has leads out of it.

    Raises
    ------
    DamagedRunError
        When one does.
    """
    for name in NAMES:
        path = folder / name
        if path.is_symlink() and not is_inside(folder, path):
            told = f"{path} is a link that leads out of the run; put the real file or "
            raise DamagedRunError(told + "folder in its place.")
    return folder


def read_at_most(path: Path, most_bytes: int) -> bytes:
    """Return the content of a file, or the beginning of one that has more.

    One byte more than `most_bytes` says that it has more.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    with path.open("rb") as stream:
        # As much as is asked for is reserved, also for a small file.
        there_bytes = os.fstat(stream.fileno()).st_size
        return stream.read(min(most_bytes, there_bytes) + 1)


def finished_files(folder: Path, endings: Collection[str]) -> List[Path]:
    """Return the finished files of some kinds in a folder of a run, by name.

    Parameters
    ----------
    folder : Path
        May be missing.
    endings : collection of str
        Of the names, with a dot.
    """
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in endings
        and path.name.isprintable()  # else no address could name it
        and path.is_file()
        and is_inside(folder, path)
        and not path.name.startswith(".")
    ]
