"""Pictures one by one, in one zip file that is not compressed: any length.

The names sort in the order of the movie and carry the slot; ``frames.csv`` beside them
says when each was exposed. The memory grows by half a kilobyte for each picture.
"""

import csv
import zipfile
from typing import BinaryIO, Optional, TextIO

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.store.layout import local_time

__all__ = ["SequenceWriter", "check_sequence"]

TABLE = "frames.csv"
COLUMNS = ("file", "shown", "slot", "elapsed_s", "time", "clock_trusted", "label")
FIRST_YEAR, LAST_YEAR = 1980, 2107
EPOCH = (FIRST_YEAR, 1, 1, 0, 0, 0)
READABLE = 0o644 << 16
UNIX = 3
NS_PER_S = 1_000_000_000


class SequenceWriter:
    """Writes one zip file of pictures.

    Parameters
    ----------
    stream : binary file
        Empty, and can be sought in.
    table : text file
        Empty, can be read and written; the rows of ``frames.csv`` wait in it.
    ending : str
        Of the pictures' names, without a dot.
    """

    def __init__(self, stream: BinaryIO, table: TextIO, ending: str) -> None:
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED)
        self._table = table
        self._rows = csv.writer(table, lineterminator="\n")
        self._rows.writerow(COLUMNS)
        self._ending = ending
        self.pictures = 0

    def add(  # noqa: PLR0913 (one row of the table)
        self,
        coded: bytes,
        *,
        shown: str,
        slot: Optional[int],
        elapsed_ns: int,
        wall_ns: int,
        utc_offset_s: int,
        clock_trusted: bool,
        label: str,
    ) -> None:
        """Add a picture.

        Parameters
        ----------
        coded : bytes
            The file.
        shown : str
            ``show``, or ``hold`` and ``blank`` where a frame is missing.
        slot : int or None
            Of the frame that is shown; None for an empty picture.
        elapsed_ns, wall_ns, utc_offset_s, clock_trusted, label
            As in `Beat`.
        """
        name = f"{self.pictures:07d}"
        name += "" if slot is None else f"_slot{slot:07d}"
        name += f"{'' if shown == 'show' else '_' + shown}.{self._ending}"
        moment = local_time(wall_ns, utc_offset_s)
        self._rows.writerow(
            (
                name,
                shown,
                "" if slot is None else slot,
                f"{elapsed_ns / NS_PER_S:.6f}",
                moment.isoformat(),
                str(clock_trusted).lower(),
                label,
            )
        )
        written = tuple(moment.timetuple())[:6]
        self._put(name, coded, written)
        self.pictures += 1

    def finish(self) -> None:
        """Write the table and the end."""
        self._table.seek(0)
        self._put(TABLE, self._table.read().encode(), EPOCH)
        self._zip.close()

    def _put(self, name: str, data: bytes, written: "tuple[int, ...]") -> None:
        """Write one member; the same at every render."""
        usable = FIRST_YEAR <= written[0] <= LAST_YEAR
        year, month, day, hour, minute, second = written if usable else EPOCH
        member = zipfile.ZipInfo(name, (year, month, day, hour, minute, second))
        member.create_system = UNIX
        member.external_attr = READABLE
        self._zip.writestr(member, data)


def check_sequence(stream: BinaryIO, pictures: int) -> None:
    """Read a finished file and compare it with what was sent.

    Raises
    ------
    RenderError
        When a picture is missing or damaged.
    """
    try:
        with zipfile.ZipFile(stream) as made:
            broken = made.testzip()
            found = len(made.namelist()) - 1
    except zipfile.BadZipFile as exc:
        told = f"The zip file is damaged ({exc}); render the movie again."
        raise RenderError(told) from exc
    if broken is not None or found != pictures:
        told = f"The zip file has {found} pictures where {pictures} were sent"
        told += "" if broken is None else f", and {broken} is damaged"
        raise RenderError(f"{told}; render the movie again.")
