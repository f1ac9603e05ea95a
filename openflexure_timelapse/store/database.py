"""Connections to a run's SQLite file, and SQLite's errors in our words.

One writer, many readers. The file is in WAL mode with ``synchronous=FULL``: a commit
is on the device when it returns, and readers in other threads and processes neither
wait for the writer nor hold it up. Nothing newer than SQLite 3.24 (2018) is used.
"""

import contextlib
import sqlite3
import threading
from collections import deque
from pathlib import Path
from typing import Deque, Iterator
from urllib.parse import quote

from openflexure_timelapse.errors import DamagedRunError, DiskFullError, StorageError

__all__ = [
    "FAILURES",
    "Connection",
    "Readers",
    "WriteAhead",
    "connect_reader",
    "connect_writer",
    "translated",
]

Connection = sqlite3.Connection

BUSY_TIMEOUT_S = 10.0
LARGEST_WAL_BYTES = 8_000_000
FOLD_MS = 250
"""How long a writer waits for readers before it folds the file another time."""
# A damaged index can put bytes that are no text into SQLite's very error message.
FAILURES = (sqlite3.Error, UnicodeDecodeError)
FULL = ("full",)
DAMAGED = (
    "malformed",
    "not a database",
    "no such table",
    "no such column",
    "unsupported file format",
    "corrupt",
    "decode",
)
LOCKED = ("locked", "busy")
READ_ONLY = ("readonly", "unable to open")


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise our errors for SQLite's, but for `sqlite3.IntegrityError`.

    Raises
    ------
    DiskFullError
        When there was no space for the change; it did not happen.
    DamagedRunError
        When the file cannot be trusted.
    StorageError
        For everything else.
    """
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except FAILURES as exc:
        said = str(exc)
        if any(word in said for word in FULL):
            message = f"No space is left to write {path}; free some space."
            raise DiskFullError(message) from exc
        if any(word in said for word in DAMAGED):
            message = f"The index {path} is damaged ({said}); run repair on its run."
            raise DamagedRunError(message) from exc
        if any(word in said for word in LOCKED):
            message = f"Another program keeps {path} locked; close it and try again."
            raise StorageError(message) from exc
        if any(word in said for word in READ_ONLY):
            message = f"Cannot open {path} ({said}); check that its folder is there"
            raise StorageError(f"{message} and may be written.") from exc
        message = f"The index {path} failed ({said}); check the device."
        raise StorageError(message) from exc


def _connect(path: Path, options: str) -> sqlite3.Connection:
    """Open `path` in autocommit mode, to be used from any one thread at a time."""
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{options}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def connect_writer(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open the index for writing, durably.

    Parameters
    ----------
    path : Path
        The file; without `create` it must exist.
    create : bool
        Make a new file.

    Raises
    ------
    sqlite3.Error
        Untranslated; use inside `translated`.
    """
    # A card that loses power while it writes a block can destroy all of it. So SQLite
    # is told (psow=0) to begin each change in a block of its own, where no earlier row
    # lies; that costs a page more for each.
    mode = "rwc" if create else "rw"
    connection = _connect(path, f"mode={mode}&psow=0")
    try:
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute("PRAGMA synchronous=FULL")
    except FAILURES:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the index for reading, also on a file system that is read-only.

    SQLite wants to put a lock file beside a WAL index. Where it cannot, nobody can
    write either, so the file is read as it stands; a WAL that still holds rows cannot
    be read that way, and then the error stays.

    Raises
    ------
    sqlite3.Error
        Untranslated; use inside `translated`.
    """
    connection = _connect(path, "mode=ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        wal = path.with_name(path.name + "-wal")
        if not path.is_file() or (wal.exists() and wal.stat().st_size):
            raise
        connection = _connect(path, "mode=ro&immutable=1")
    except FAILURES:
        connection.close()
        raise
    return connection


class Readers:
    """A pool of read connections: one for each thread that reads at this moment.

    Parameters
    ----------
    path : Path
        The index.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: Deque[sqlite3.Connection] = deque()
        self._guard = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def borrow(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection; whoever holds it is alone on it.

        Raises
        ------
        DamagedRunError, StorageError
            When the index cannot be opened or read.
        """
        with translated(self._path):
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = connect_reader(self._path)
            sound = True
            try:
                yield connection
            except FAILURES:
                sound = False
                raise
            finally:
                self._give_back(connection, sound=sound)

    def _give_back(self, connection: sqlite3.Connection, *, sound: bool) -> None:
        """Keep a sound connection for the next reader, unless the pool has closed."""
        with self._guard:
            if sound and not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close what is idle now and whatever comes back later."""
        with self._guard:
            self._closed = True
        while self._idle:
            self._idle.pop().close()


class WriteAhead:
    """Keeps SQLite's write-ahead file small while readers come and go.

    By itself SQLite begins the file anew only at a moment without any reader. Fifty
    browsers leave none, and the file would grow for as long as they look.

    Parameters
    ----------
    path : Path
        The index.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.with_name(path.name + "-wal")
        self._patient_from_bytes = 0

    def tend(self, writer: sqlite3.Connection) -> None:
        """Fold the file into the index if it is large; call between transactions."""
        try:
            size = self._file.stat().st_size
        except FileNotFoundError:
            return
        if size < LARGEST_WAL_BYTES:
            self._patient_from_bytes = LARGEST_WAL_BYTES
            return
        # Each commit tries it in passing, and each further step waits: a reader that
        # stays for ever must not hold up the capture each time.
        wait_ms = 0
        if size >= self._patient_from_bytes:
            self._patient_from_bytes = size + LARGEST_WAL_BYTES
            wait_ms = FOLD_MS
        writer.execute(f"PRAGMA busy_timeout={wait_ms}")
        # What is committed is safe in the file; an error of the device will come back
        # with the next commit.
        with contextlib.suppress(sqlite3.Error):
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        writer.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
