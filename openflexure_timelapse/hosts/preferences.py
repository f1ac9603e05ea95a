"""What a user's choices are remembered by, from one visit to the next.

In a file of our own and not in the server's settings: those are written in place, so
that a power cut can empty them, and go whole into the EXIF block of each capture.
"""

import threading
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from pydantic import Field

from openflexure_timelapse.document import Document, parse
from openflexure_timelapse.errors import InvalidRequestError, StorageError
from openflexure_timelapse.hosts.document_file import read_document
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import Disk

__all__ = ["PREFERENCES_FILE", "PreferenceFile", "Preferences"]

PREFERENCES_FILE = "preferences.json"
ADVICE = "Delete it to begin anew."


class Preferences(Document):
    """A user's choices.

    Attributes
    ----------
    plan : Plan or None
        What forms show before anything is typed; None for the forms' own values.
    um_per_pixel : float or None
        Micrometres per pixel of the camera's default mode, as measured by the user;
        None when not measured.
    """

    plan: Optional[Plan] = None
    um_per_pixel: Optional[float] = Field(default=None, gt=0, le=1000)


class PreferenceFile:
    """Reads and writes the preferences of one data folder; safe from any thread.

    Parameters
    ----------
    data_folder : Path
        Must exist.
    disk : Disk
        Writes durably.
    """

    def __init__(self, data_folder: Path, disk: Disk) -> None:
        self._path = data_folder / PREFERENCES_FILE
        self._disk = disk
        self._lock = threading.Lock()

    def read(self) -> Preferences:
        """Return the preferences; those of nobody when there is no file.

        Raises
        ------
        StorageError
            When the file is there and cannot be understood.
        """
        return read_document(self._path, Preferences, ADVICE) or Preferences()

    def scale(self) -> Optional[float]:
        """Return the micrometres per pixel; None also when the file is damaged.

        No run may end over it; the status tells of the damage.
        """
        try:
            return self.read().um_per_pixel
        except StorageError:
            return None

    def change(self, changes: Mapping[str, Any]) -> Dict[str, Any]:
        """Change some preferences and return all of them.

        Parameters
        ----------
        changes : mapping
            Any of the fields of `Preferences`, as JSON; None forgets one.

        Raises
        ------
        InvalidRequestError
            For an unknown field or a bad value; nothing is changed.
        DiskFullError, StorageError
            When the file cannot be read or written.
        """
        parse(Preferences, changes, InvalidRequestError, "preferences")
        with self._lock:
            merged = {**self.read().to_json(), **changes}
            changed = parse(Preferences, merged, InvalidRequestError, "preferences")
            text = changed.model_dump_json(exclude_defaults=True, indent=1)
            self._disk.write(str(self._path), text.encode("utf-8"))
        return changed.to_json()

    def remember(self, plan: Plan) -> None:
        """Keep a plan that was started for the next visit, without its time.

        Raises
        ------
        DiskFullError, StorageError
            When it cannot be kept.
        """
        kept = plan.to_json()
        kept.pop("start_at", None)
        kept.pop("start_in_s", None)
        self.change({"plan": kept})
