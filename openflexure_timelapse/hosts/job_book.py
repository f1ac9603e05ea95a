"""Which movies people have asked for and do not have yet, for whoever comes after us.

A small file in the data folder. The movie that a plan asks for is not in it: its run
stays on the list of `hosts.todo` until it is made.
"""

from pathlib import Path
from typing import Sequence, Tuple

from pydantic import Field

from openflexure_timelapse.document import Document
from openflexure_timelapse.hosts.document_file import read_document
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.store import layout

__all__ = ["JOBS_FILE", "JobBook", "Ordered"]

JOBS_FILE = "jobs.json"
ADVICE = "Delete it, and ask for the movies that are missing again."


class Ordered(Document):
    """A movie that somebody has asked for.

    Attributes
    ----------
    job, run, position : str
        The job's name, of which run, of which position.
    recipe : Recipe
        How it is made.
    tries : int
        How often it was begun.
    """

    job: str = Field(pattern=r"^movie-\d{1,9}$")
    run: str
    position: str
    recipe: Recipe
    tries: int = Field(default=0, ge=0)

    @property
    def number(self) -> int:
        """The number in the job's name."""
        return int(self.job.partition("-")[2])


class _Page(Document):
    """What the file holds."""

    jobs: Tuple[Ordered, ...] = ()


class JobBook:
    """Reads and writes the file.

    Parameters
    ----------
    data_folder : Path
        Must exist.
    disk : Disk
        Writes durably.
    """

    def __init__(self, data_folder: Path, disk: Disk) -> None:
        self._path = data_folder / JOBS_FILE
        self._disk = disk

    def read(self) -> Tuple[Ordered, ...]:
        """Return what was asked for, oldest first; nothing when there is no file.

        Raises
        ------
        StorageError
            When the file is there and cannot be understood.
        """
        page = read_document(self._path, _Page, ADVICE) or _Page()
        return tuple(job for job in page.jobs if layout.is_run_id(job.run))

    def write(self, jobs: Sequence[Ordered]) -> None:
        """Replace the file; there is none while nothing is asked for.

        Raises
        ------
        DiskFullError, StorageError
            When it could not be written; it is as it was.
        """
        if jobs:
            text = _Page(jobs=tuple(jobs)).model_dump_json(exclude_defaults=True)
            self._disk.write(str(self._path), text.encode("utf-8"))
        else:
            self._disk.remove(str(self._path))
