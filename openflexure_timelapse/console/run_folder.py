"""The folder of a run, as a person names it."""

from pathlib import Path
from typing import Tuple

from openflexure_timelapse.errors import NotFoundError
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.store.disk import RealDisk

__all__ = ["library_of", "run_folder"]


def run_folder(path: Path) -> Path:
    """Return the folder of a run.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    if not path.is_dir():
        told = f"There is no run folder {path}; runs lists those of a data folder."
        raise NotFoundError(told)
    return path.resolve()


def library_of(path: Path) -> Tuple[Library, str]:
    """Return the library that a run's folder lies in, and the run's id.

    Raises
    ------
    NotFoundError
        When there is no such folder.
    """
    folder = run_folder(path)
    return Library(folder.parent, RealClock(), RealDisk()), folder.name
