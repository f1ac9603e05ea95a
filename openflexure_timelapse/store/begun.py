"""Which frames a process may have begun to write when it was killed.

A run goes on to a slot only when the outcomes of all slots before it are on disk. So
what was cut short belongs to the first slot without an outcome, or to a visit of which
the disk refused something; nobody has to list a folder of a million frames for it.
"""

import os
import sqlite3
from pathlib import Path
from typing import List

from openflexure_timelapse.frame import Reason
from openflexure_timelapse.store.disk import storage_error
from openflexure_timelapse.store.layout import FRAMES, frame_file

__all__ = ["REFUSED", "begun_files"]

REFUSED = f"('{Reason.DISK_FULL.value}', '{Reason.STORAGE.value}')"
"""Reasons of visits whose frames the disk did not take, as SQL."""

REFUSED_SLOTS = f"SELECT DISTINCT slot FROM visits WHERE reason IN {REFUSED}"  # noqa: S608 - our own names only
# Frames may be stored without outcomes: then all of their slots, and the one after.
OPEN_SLOTS = """
SELECT next_slot, coalesce((SELECT slot FROM frames ORDER BY n DESC LIMIT 1), -1) + 1
FROM totals
"""
LARGEST_PLANE = "SELECT coalesce(max(plane), -1) FROM frames"


def begun_files(reader: sqlite3.Connection, folder: Path) -> List[str]:
    """Return the names of frames that may have a file without a row.

    Parameters
    ----------
    reader : sqlite3.Connection
        Of the run's index.
    folder : Path
        Of the run.

    Raises
    ------
    StorageError
        When the folder of the frames cannot be listed.
    """
    slots = {row[0] for row in reader.execute(REFUSED_SLOTS)}
    next_slot, after_last = reader.execute(OPEN_SLOTS).fetchone()
    slots.update(range(next_slot, max(next_slot, after_last) + 1))
    planes = reader.execute(LARGEST_PLANE).fetchone()[0] + 2
    return [
        frame_file(place, slot, plane)
        for place in _places(folder)
        for slot in sorted(slots)
        for plane in range(planes)
    ]


def _places(folder: Path) -> List[str]:
    """Return the folders of the positions that have, or should get, a frame."""
    try:
        with os.scandir(str(folder / FRAMES)) as entries:
            found = [entry.name for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise storage_error(exc, "list", folder / FRAMES) from exc
    return sorted(found)
