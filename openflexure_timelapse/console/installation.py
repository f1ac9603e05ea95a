"""What the installers of both servers have in common: an outcome, and a few looks."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from openflexure_timelapse.console.host_check import this_python
from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.store.disk import storage_error

__all__ = ["Installation", "content", "is_file", "is_folder", "unwritable"]


@dataclass(frozen=True)
class Installation:
    """What was done.

    Attributes
    ----------
    done : {"installed", "replaced", "unchanged", "removed", "nothing"}
        ``unchanged``: the same was there; ``nothing``: none was there to remove.
    path : Path
        The file that was written, or would have been.
    lines : tuple of str
        What a person is told: what was done, and what to do next.
    warnings : tuple of str
        What is no obstacle and yet to be known.
    backup : Path, optional
        A copy of the file as it was before it was installed; None where there is none.
    """

    done: str
    path: Path
    lines: Tuple[str, ...]
    warnings: Tuple[str, ...] = ()
    backup: Optional[Path] = None

    def to_json(self) -> Dict[str, Any]:
        """Return what a script may want to know."""
        told: Dict[str, Any] = {
            "done": self.done,
            "path": str(self.path),
            "warnings": list(self.warnings),
        }
        if self.backup is not None:
            told["backup"] = str(self.backup)
        return told


def is_folder(path: Path) -> bool:
    """Tell whether a folder is there; one behind a closed door is not."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Tell whether a file is there; one behind a closed door is not."""
    try:
        return path.is_file()
    except OSError:
        return False


def content(path: Path) -> Optional[bytes]:
    """Return a file's bytes; None where there is none.

    Raises
    ------
    StorageError
        When it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise storage_error(exc, "read", path) from exc


def unwritable(problem: TimelapseError, command: str) -> TimelapseError:
    """Return an error of the disk, with the way out that most often helps.

    Parameters
    ----------
    problem : TimelapseError
        What was raised.
    command : str
        What was asked for, without the Python that runs it.
    """
    if os.geteuid() == 0:
        return problem
    told = f"{problem} With sudo: sudo {this_python(command)}"
    return type(problem)(told)
