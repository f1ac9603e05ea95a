"""The stage's place on disk, so that a power cut does not lose it.

Version 1 of the firmware forgets its count with the power; version 0.5 keeps that of
the last whole move, and says nothing of one that was broken off. So both are noted
before each move ("moving, somewhere here") and after it. What is gone with the power
all the same: a motor may spring by a few steps when its coils get current again.
"""

import json
from pathlib import Path
from typing import Optional, Tuple, Union

from openflexure_timelapse.document import Document
from openflexure_timelapse.errors import HardwareError, StorageError
from openflexure_timelapse.hosts.direct.reckoning import Reckoning, Stretch, steps_of
from openflexure_timelapse.hosts.document_file import read_document
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.values import StagePosition

__all__ = ["KeptPlace"]

ADVICE = "Remove it: the stage then begins where the board counts, and is not at zero."

Triple = Tuple[int, int, int]


class _Note(Document):
    """What the file holds: steps of x, y and z."""

    count: Triple
    place: Triple
    unsure: Triple = (0, 0, 0)
    moving: Optional[Tuple[Triple, Triple]] = None


class KeptPlace:
    """One small file.

    Parameters
    ----------
    path : str or Path
        Its folder is made when missing.
    disk : Disk
        Writes durably.
    """

    def __init__(self, path: Union[str, Path], disk: Disk) -> None:
        self._path = Path(path)
        self._disk = disk
        self._written: Optional[Reckoning] = None

    def read(self) -> Optional[Reckoning]:
        """Return what was noted last; None when nothing was.

        Raises
        ------
        StorageError
            When the file cannot be read or understood; a place is never guessed.
        """
        note = read_document(self._path, _Note, ADVICE)
        if note is None:
            return None
        moving = None
        if note.moving is not None:
            low, high = note.moving
            moving = Stretch(StagePosition(*low), StagePosition(*high))
        place = StagePosition(*note.place)
        self._written = Reckoning(note.count, place, note.unsure, moving)
        return self._written

    def write(self, known: Reckoning) -> str:
        """Note what is known; a disk that is full loses the note, never makes it wrong.

        Returns
        -------
        str
            Why nothing is noted; empty when all is well.

        Raises
        ------
        HardwareError
            When neither a new note could be written nor the old one removed: after a
            power cut it would tell a wrong place.
        """
        if known == self._written:
            return ""
        moving = known.moving
        note = _Note(
            count=known.count,
            place=steps_of(known.place),
            unsure=known.unsure,
            moving=None
            if moving is None
            else (
                steps_of(moving.low),
                steps_of(moving.high),
            ),
        )
        try:
            self._disk.make_folder(str(self._path.parent))
            self._disk.write(
                str(self._path), json.dumps(note.to_json()).encode("utf-8")
            )
        except StorageError as exc:
            self._forget(exc)
            return str(exc)
        self._written = known
        return ""

    def _forget(self, why: StorageError) -> None:
        """Remove a note that is no longer true."""
        self._written = None
        try:
            self._disk.remove(str(self._path))
        except StorageError as exc:
            message = f"The place of the stage cannot be noted ({why}), nor the old "
            message += f"note removed ({exc}); make {self._path.parent} writable."
            raise HardwareError(message) from exc
