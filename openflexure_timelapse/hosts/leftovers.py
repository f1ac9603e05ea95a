"""What a program that was cut off leaves in a data folder, and how it goes away.

`recover` cleans a run that is taken up again; nobody takes up a run that is over, or
one whose folder was never finished.
"""

import contextlib
import shutil
from pathlib import Path

from openflexure_timelapse.errors import RunActiveError, StorageError
from openflexure_timelapse.hosts.todo import runs_to_do
from openflexure_timelapse.movie.reel import sweep_reels
from openflexure_timelapse.movie.render import sweep_renders
from openflexure_timelapse.store import layout
from openflexure_timelapse.store.catalogue import finish_deletes
from openflexure_timelapse.store.disk import is_temporary
from openflexure_timelapse.store.lock import DataLock

__all__ = ["sweep"]


def sweep(data_folder: Path) -> None:
    """Remove unfinished deletes, runs, movies, bundles, previews and small files.

    While another program records there, or where that cannot be known, only unfinished
    deletes are removed: the rest may be its own.

    Parameters
    ----------
    data_folder : Path
        Must exist.

    Raises
    ------
    StorageError
        When an unfinished delete cannot be finished. Everything else that cannot be
        removed, on a read-only card for example, waits for a later start.
    """
    finish_deletes(data_folder)
    with contextlib.ExitStack() as held:
        try:
            held.callback(DataLock(data_folder).release)
        except (RunActiveError, StorageError):
            return
        with contextlib.suppress(OSError):
            _remove_temporaries(data_folder)
            to_do = runs_to_do(data_folder)
            for folder in data_folder.iterdir():
                if layout.is_run_id(folder.name):
                    sweep_renders(folder)
                    if folder.name not in to_do:
                        sweep_reels(folder / layout.MOVIES)
                    _remove_temporaries(folder / layout.PREVIEWS)
                    _remove_temporaries(folder / layout.SHARE)


def _remove_temporaries(folder: Path) -> None:
    """Remove what writes left in a folder, which may be missing."""
    if not folder.is_dir():
        return
    for item in folder.iterdir():
        if is_temporary(item.name):
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(str(item))
            else:
                item.unlink()
