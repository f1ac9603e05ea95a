"""A list of names in SQLite, so that a list of any length takes little memory.

What was read of a short list lies in a private file that goes with the process. Of a
long one it is kept in the data folder beside it, and read again only when the list was
changed: reading a million names takes a while.
"""

import contextlib
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, TextIO, Tuple
from urllib.parse import quote

from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.share.taxon_rows import COLUMNS, key_of, known_taxa
from openflexure_timelapse.store.database import translated
from openflexure_timelapse.store.disk import (
    rename_durably,
    storage_error,
    sync_file,
    temporary_name,
)

__all__ = ["INDEX_FILE", "Reading", "Stamp"]

INDEX_FILE = ".taxa.db"
KEPT_BYTES = 20_000_000
"""A list that is larger is read once, and what was read is kept."""
LARGEST_BYTES = 4_000_000_000
"""The whole GBIF backbone has two thirds of it."""
BATCH = 10_000
SCHEMA_VERSION = 1
TABLE = f"""CREATE TABLE taxa (key TEXT, place INTEGER, is_common INTEGER,
 {", ".join(COLUMNS)})"""
STAMP = "CREATE TABLE stamp (name TEXT, size INTEGER, mtime_ns INTEGER)"
INDEX = "CREATE INDEX by_key ON taxa (key, place)"
ENTRIES = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
MARKS = ", ".join("?" * (len(COLUMNS) + 3))
INSERT = f"INSERT INTO taxa VALUES ({MARKS})"  # noqa: S608 - marks only

Stamp = Tuple[str, int, int]
"""The name of a list, its size and when it was changed."""


class _GivenUpError(Exception):
    """Nobody waits for the list any more."""


class Reading:
    """A list that is being read, in a thread of its own.

    Parameters
    ----------
    data_folder : Path
        Where the list is.
    stamp : Stamp
        Of the list as it was found.

    Attributes
    ----------
    stamp : Stamp
        As given.
    """

    def __init__(self, data_folder: Path, stamp: Stamp) -> None:
        self.stamp = stamp
        self._path = data_folder / stamp[0]
        self._kept = data_folder / INDEX_FILE
        self._read_bytes = 0
        self._given_up = threading.Event()
        self._made: Optional[sqlite3.Connection] = None
        self._problem: Optional[StorageError] = None
        self._thread = threading.Thread(
            target=self._work, name="timelapse-taxa", daemon=True
        )
        self._thread.start()

    @property
    def fraction(self) -> float:
        """How much of the list was read."""
        return min(1.0, self._read_bytes / max(1, self.stamp[1]))

    def is_over(self, patience_s: Optional[float]) -> bool:
        """Wait as in `wait`, and tell whether it has ended, in whatever way."""
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def wait(self, patience_s: Optional[float]) -> Optional[sqlite3.Connection]:
        """Return the names when they are read; None when that takes longer.

        Parameters
        ----------
        patience_s : float or None
            How long to wait; None for as long as it takes.

        Raises
        ------
        StorageError
            When the list cannot be read or understood.
        """
        if not self.is_over(patience_s):
            return None
        if self._problem is not None:
            raise self._problem
        return self._made

    def close(self) -> None:
        """Give it up, or forget what was read."""
        self._given_up.set()
        self._thread.join()
        if self._made is not None:
            self._made.close()
            self._made = None

    def _work(self) -> None:
        """Read the list; what goes wrong is told to who waits."""
        try:
            with translated(self._kept):
                self._made = self._found() or self._read()
        except _GivenUpError:
            return
        except OSError as exc:
            self._problem = storage_error(exc, "read", self._path)
        except StorageError as exc:
            self._problem = exc

    def _found(self) -> Optional[sqlite3.Connection]:
        """Return what was kept of this very list; None where nothing is."""
        if not self._is_long or not self._kept.is_file():
            return None
        address = f"file:{quote(str(self._kept))}?mode=ro&immutable=1"
        kept = sqlite3.connect(address, uri=True, check_same_thread=False)
        with contextlib.ExitStack() as opened:
            opened.callback(kept.close)
            with contextlib.suppress(sqlite3.Error):  # then it is made anew
                if _is_ours(kept, self.stamp):
                    opened.pop_all()
                    return kept
        return None

    @property
    def _is_long(self) -> bool:
        """Whether what is read is kept."""
        return self.stamp[1] > KEPT_BYTES

    def _read(self) -> sqlite3.Connection:
        """Return the names of the list, in a file of their own."""
        if self.stamp[1] > LARGEST_BYTES:
            told = f"{self._path} has {self.stamp[1] // 10**6} MB, and at most "
            told += f"{LARGEST_BYTES // 10**6} MB are read; cut out the groups "
            raise StorageError(told + "that you need.")
        folder = self._kept.parent
        if not (self._is_long and os.access(str(folder), os.W_OK)):
            return self._filled("")
        hidden = folder / temporary_name(INDEX_FILE)
        try:
            self._filled(str(hidden)).close()
            if not hidden.exists():  # a server that began took it for left over
                return self._filled("")
            sync_file(hidden)
            rename_durably(hidden, self._kept)
        finally:
            with contextlib.suppress(FileNotFoundError):
                hidden.unlink()
        found = self._found()
        if found is None:
            told = f"{self._kept} does not keep what is written; check the device."
            raise StorageError(told)
        return found

    def _filled(self, place: str) -> sqlite3.Connection:
        """Return a new index with the names; `place` is empty for a private one."""
        with contextlib.ExitStack() as opening:
            made = sqlite3.connect(place, check_same_thread=False, isolation_level=None)
            opening.callback(made.close)
            made.execute("PRAGMA journal_mode=OFF")  # cut off, it is thrown away
            made.execute("PRAGMA synchronous=OFF")
            made.execute(TABLE)
            made.execute(STAMP)
            try:
                with self._path.open(encoding="utf-8-sig", newline="\n") as lines:
                    made.execute("BEGIN")
                    made.executemany(INSERT, self._rows(lines))
                    made.execute("INSERT INTO stamp VALUES (?, ?, ?)", self.stamp)
                    made.execute("COMMIT")
            except UnicodeDecodeError as exc:
                told = f"{self._path} is no UTF-8 text ({exc.reason}); save it as UTF-8"
                raise StorageError(f"{told}.") from exc
            made.execute(INDEX)
            made.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            opening.pop_all()
        return made

    def _rows(self, lines: TextIO) -> Iterator[Tuple[Any, ...]]:
        """Yield the rows of the table: one for each name by which a taxon is found."""
        taxa = known_taxa(_counted(lines, self._note))
        if taxa is None:
            told = f"{self._path} is no list of names: its first line should have the "
            told += "headings scientificName and taxonID (Darwin Core), or "
            told += "scientific_name and taxon_id (Nordic Microalgae), with tabs "
            raise StorageError(told + "between.")
        for taxon in taxa:
            values = [getattr(taxon, name) for name in COLUMNS]
            place = 0 if taxon.is_accepted else 1
            yield (key_of(taxon.name), place, 0, *values)
            if taxon.vernacular:
                yield (key_of(taxon.vernacular), place, 1, *values)

    def _note(self, read_bytes: int) -> None:
        """Take note of how much was read; end when nobody waits for it."""
        self._read_bytes += read_bytes
        if self._given_up.is_set():
            raise _GivenUpError


def _counted(lines: TextIO, note: Callable[[int], None]) -> Iterator[str]:
    """Yield lines, and tell about how many bytes there were so far."""
    count = 0
    for number, line in enumerate(lines):
        count += len(line)
        if number % BATCH == 0:
            note(count)
            count = 0
        yield line
    note(count)


def _is_ours(kept: sqlite3.Connection, stamp: Stamp) -> bool:
    """Tell whether a file is an index of a list, made by this version, and no other.

    A view in a table's place could compute for ever.
    """
    entries = {row[0] for row in kept.execute(ENTRIES)}
    if entries != {TABLE, STAMP, INDEX}:
        return False
    if kept.execute("PRAGMA user_version").fetchone() != (SCHEMA_VERSION,):
        return False
    return kept.execute("SELECT * FROM stamp").fetchall() == [stamp]
