"""The runs of a data folder: which there are, and how one goes away."""

import contextlib
import itertools
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from openflexure_timelapse.errors import (
    ConfirmationError,
    DiskFullError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
)
from openflexure_timelapse.store import layout
from openflexure_timelapse.store.disk import (
    rename_durably,
    storage_error,
)
from openflexure_timelapse.store.index import Totals
from openflexure_timelapse.store.lock import RunLock, is_active
from openflexure_timelapse.store.run_store import RunStore

__all__ = [
    "RunSummary",
    "delete_run",
    "finish_deletes",
    "free_run_id",
    "list_runs",
    "run_folder",
]

PathLike = Union[str, Path]

DELETED = ".deleted-"


@dataclass(frozen=True)
class RunSummary:
    """One line of the list of runs.

    Attributes
    ----------
    run_id : str
        The name of its folder.
    header : dict or None
        The content of ``run.json``; None when it cannot be read.
    totals : Totals or None
        None when the index cannot be read.
    active : bool
        True while some process writes it.
    problem : str
        What keeps it from being read, in a sentence; empty for a sound run.
    """

    run_id: str
    header: Optional[Dict[str, Any]]
    totals: Optional[Totals]
    active: bool
    problem: str


def run_folder(data_folder: PathLike, run_id: str) -> Path:
    """Return the folder of an existing run.

    Raises
    ------
    InvalidRequestError
        When `run_id` is a path or otherwise no run id.
    NotFoundError
        When there is no such run.
    """
    folder = Path(data_folder) / layout.check_run_id(run_id)
    if not _is_run(folder):
        message = f"There is no run {run_id} in {data_folder}; list the runs to see "
        raise NotFoundError(message + "which there are.")
    return folder


def free_run_id(
    data_folder: PathLike, plan_name: str, wall_ns: int, utc_offset_s: int
) -> str:
    """Return the id for a run that starts at this local time and no run has yet."""
    data = Path(data_folder)
    return layout.new_run_id(
        plan_name, wall_ns, utc_offset_s, lambda run_id: (data / run_id).exists()
    )


def list_runs(
    data_folder: PathLike, after: Optional[str] = None, limit: int = 20
) -> List[RunSummary]:
    """Return a page of runs, newest first; only those on the page are opened.

    Parameters
    ----------
    data_folder : str or Path
        A missing one has no runs. Folders that are not runs are passed over.
    after : str or None
        The id of the last run that the caller has; None for the first page.
    limit : int
        The most runs to return, at least 1.

    Raises
    ------
    InvalidRequestError
        For an `after` that is no run id, or a `limit` below 1.
    StorageError
        When the data folder cannot be read.
    """
    if limit < 1:
        message = f"A page of {limit} runs cannot be had; limit starts at 1."
        raise InvalidRequestError(message)
    if after is not None:
        layout.check_run_id(after)
    data = Path(data_folder)
    try:
        names = [item.name for item in data.iterdir()] if data.exists() else []
    except OSError as exc:
        raise storage_error(exc, "list", data) from exc
    wanted = (
        data / name
        for name in sorted(names, reverse=True)
        if (after is None or name < after) and layout.is_run_id(name)
    )
    runs = (folder for folder in wanted if _is_run(folder))
    return [_summary(folder) for folder in itertools.islice(runs, limit)]


def _is_run(folder: Path) -> bool:
    """Tell whether a folder is a run, perhaps a damaged one."""
    return (folder / layout.HEADER_FILE).is_file() or (folder / layout.FRAMES).is_dir()


def _summary(folder: Path) -> RunSummary:
    """Open a run and look."""
    header = totals = None
    active, problem = False, ""
    try:
        active = is_active(folder)
        with RunStore.open_read(folder) as store:
            header = store.header
            totals = store.totals()
    except StorageError as exc:
        problem = str(exc)
    return RunSummary(folder.name, header, totals, active, problem)


def delete_run(data_folder: PathLike, run_id: str, confirm: str) -> None:
    """Delete a run and all of its frames.

    The folder gets a hidden name first, so a run is in the list whole or not at all;
    what a kill leaves under such a name is removed by `finish_deletes`.

    Parameters
    ----------
    data_folder, run_id
        Which run.
    confirm : str
        The run's id once more.

    Raises
    ------
    ConfirmationError
        When `confirm` is not the run's id.
    NotFoundError, InvalidRequestError
        When there is no such run.
    RunActiveError
        While some process writes it.
    StorageError
        When it could not be removed.
    """
    folder = run_folder(data_folder, run_id)
    if confirm != run_id:
        message = f"Deleting {run_id} needs its id as confirmation, not {confirm!r}."
        raise ConfirmationError(message)
    lock = RunLock(folder)
    try:
        hidden = folder.with_name(f"{DELETED}{run_id}-{uuid.uuid4().hex[:12]}")
        try:
            rename_durably(folder, hidden)
        except DiskFullError:
            # A longer name can need a block that a full disk does not have.
            _remove_frames(folder)
            rename_durably(folder, hidden)
    finally:
        lock.release()
    finish_deletes(data_folder)


def _remove_frames(folder: Path) -> None:
    """Make room by beginning with what takes most of it."""
    shutil.rmtree(str(folder / layout.FRAMES), ignore_errors=True)


def finish_deletes(data_folder: PathLike) -> None:
    """Remove what earlier deletes left behind when they were cut short.

    Raises
    ------
    StorageError
        When something could not be removed.
    """
    try:
        for hidden in sorted(Path(data_folder).glob(f"{DELETED}*")):
            with contextlib.suppress(FileNotFoundError):  # somebody else was quicker
                if hidden.is_symlink():  # a run that was linked: the link alone goes
                    hidden.unlink()
                else:
                    shutil.rmtree(str(hidden))
    except OSError as exc:
        raise storage_error(exc, "remove a deleted run in", data_folder) from exc
