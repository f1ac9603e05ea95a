"""What a share that was killed leaves where it worked, and how it goes away.

The folder where a bundle grows has a hidden name that nothing else has, and who lets it
grow holds its lock (``flock``), which ends with the process. So a folder of such a name
that nobody holds is left over, and one that somebody holds is not touched.
"""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import Iterator, List, Optional

from openflexure_timelapse.store.disk import (
    is_temporary,
    storage_error,
    temporary_name,
)

__all__ = ["growing", "is_growing", "leftovers", "remove_leftovers"]

# No run's id has a dot.
MARK = ".bundle"


def is_growing(name: str) -> bool:
    """Tell whether a name is one under which a bundle grows."""
    return is_temporary(name) and MARK in name


@contextlib.contextmanager
def growing(out: Path) -> Iterator[Path]:
    """Lend an empty hidden folder beside `out`; nothing is left of it afterwards.

    Parameters
    ----------
    out : Path
        What will come of it; its parent is made.

    Raises
    ------
    StorageError
        When it cannot be made.
    """
    with contextlib.ExitStack() as held:
        try:
            hidden = _claimed(held, out)
            while hidden is None:
                hidden = _claimed(held, out)
        except OSError as exc:
            raise storage_error(exc, "create", out) from exc
        yield hidden


def _claimed(held: contextlib.ExitStack, out: Path) -> Optional[Path]:
    """Make a folder and lock it; None where somebody took it for left over."""
    hidden = out.with_name(temporary_name(out.name + MARK))
    hidden.mkdir(parents=True)
    held.callback(shutil.rmtree, str(hidden), ignore_errors=True)
    descriptor = os.open(str(hidden), os.O_RDONLY | os.O_DIRECTORY)
    held.callback(os.close, descriptor)
    # Where a file system has no locks nobody can take it for left over either.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return hidden if hidden.is_dir() else None


def leftovers(folder: Path) -> List[Path]:
    """Return what is left in a folder of bundles that were cut off, by name.

    Parameters
    ----------
    folder : Path
        May be missing.
    """
    if not folder.is_dir():
        return []
    found = [path for path in sorted(folder.iterdir()) if is_growing(path.name)]
    return [path for path in found if not path.is_symlink() and _is_left(path)]


def _is_left(path: Path) -> bool:
    """Tell whether nobody works in a folder; not where that cannot be known."""
    try:
        descriptor = os.open(str(path), os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove_leftovers(folder: Path) -> List[str]:
    """Remove what is left in a folder of bundles that were cut off; return its names.

    What cannot be removed is among the `leftovers` still.
    """
    found = leftovers(folder)
    for path in found:
        shutil.rmtree(str(path), ignore_errors=True)
    return [path.name for path in found if not path.exists()]
