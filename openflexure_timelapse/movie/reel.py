"""The film so far: whole segments, one behind the other, in a file that always plays.

Beside a reel that is to outlive its process lies its journal, a hidden file with a line
for each segment: how long the film is with it, and of which frames it was made. A
segment is flushed to the disk before its line is written, so that after a kill or a
power cut the journal never promises what is not there. What stands in the film behind
the last line is cut off.

Behind the segments that are full stands the tail: the frames since then, encoded only
to be seen, and replaced.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Iterable, List, Optional, Sequence, Tuple

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.fragments import Segment
from openflexure_timelapse.movie.frames import MovieFrame
from openflexure_timelapse.movie.marks import Mark, agreeing
from openflexure_timelapse.store.disk import sync_folder

__all__ = [
    "Reel",
    "forget_reel",
    "is_reel",
    "journal_of",
    "reel_name",
    "sweep_reels",
]

SO_FAR = "_so_far.mp4"
NEWLINE = b"\n"
FRAGMENT, PASSED_OVER = b"moof", b"free"
KIND_AT = 4
CHUNK_BYTES = 1 << 20

Entry = Tuple[Mark, int, int]
"""A mark, the length of the film with it, and the checksum of the film until there."""


def reel_name(stem: str) -> str:
    """Return the name of the film so far of a movie; no movie has such a name."""
    return f"{stem}{SO_FAR}"


def journal_of(film: Path) -> Path:
    """Return the path of a film's journal."""
    return film.with_name(f".{film.stem}.jsonl")


def forget_reel(film: Path) -> None:
    """Remove a film so far with its journal; missing ones are fine."""
    for path in (journal_of(film), film):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def is_reel(name: str) -> bool:
    """Tell whether a file of that name is a film so far."""
    return name.endswith(SO_FAR)


def sweep_reels(movies: Path) -> None:
    """Remove the films so far of a run that is over, where the movie itself is there.

    A film whose movie could not be made stays, to be seen. A journal alone goes.

    Parameters
    ----------
    movies : Path
        The run's folder of movies; may be missing.
    """
    for film in movies.glob(f"*{SO_FAR}"):
        if film.with_name(film.name[: -len(SO_FAR)] + ".mp4").exists():
            forget_reel(film)
    for journal in movies.glob(".*_so_far.jsonl"):
        film = journal.with_name(f"{journal.stem[1:]}.mp4")
        if not film.exists():
            forget_reel(film)


class Reel:
    """A film that grows. Only one process at a time has it open for that.

    Parameters
    ----------
    work : Path
        A folder for what is not finished.
    film : Path or None
        Where the film is kept; None for one in `work`, without a journal.
    about : str
        What the segments depend on besides their frames. Where it differs from what
        the journal says, nothing is taken over.
    """

    def __init__(
        self, work: Path, film: Optional[Path] = None, about: str = ""
    ) -> None:
        self._work = work
        self._film = film
        self._about = hashlib.sha256(about.encode()).hexdigest()
        self._entries: List[Entry] = []
        self._end = self._crc = 0
        self._init = b""
        self._closing = contextlib.ExitStack()
        self._stream: Optional[BinaryIO] = None
        if film is not None:
            path = journal_of(film)
            descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT, 0o644)
            self._journal = self._closing.enter_context(os.fdopen(descriptor, "r+b"))
            # A process whose parent was killed may not have heard of it yet.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._entries = self._read()
            self._cut(len(self._entries))

    @property
    def path(self) -> Path:
        """Where the film is."""
        return self._work / "film.mp4" if self._film is None else self._film

    @property
    def marks(self) -> List[Mark]:
        """Of the segments that are there."""
        return [mark for mark, _, _ in self._entries]

    def trust(self, frames: Iterable[MovieFrame], *, checked: bool) -> None:
        """Keep only segments that were made of these frames.

        Parameters
        ----------
        frames : iterable of MovieFrame
            All of them, from the first.
        checked : bool
            Whether the film itself is read and compared with its checksums, too.
        """
        kept = agreeing(self.marks, frames)
        if checked:
            kept = min(kept, self._unharmed())
        if kept < len(self._entries):
            self._cut(kept)

    def add(self, segment: Segment, mark: Optional[Mark], *, lasting: bool) -> None:
        """Put a segment behind the others.

        Parameters
        ----------
        segment : Segment
            Whose time follows on what is there.
        mark : Mark or None
            For the journal; None where later frames may change it.
        lasting : bool
            False for a tail, in whose place the next one comes.

        Raises
        ------
        RenderError
            When it was encoded in another way.
        """
        begins_anew = self._end == 0
        stream = self._begun(segment.init) if begins_anew else self._opened()
        if segment.init != self._init:
            told = "The segments of the movie differ in their settings; "
            raise RenderError(told + "render it again with one ffmpeg program.")
        at = len(self._init) if begins_anew else self._end
        crc = zlib.crc32(self._init) if begins_anew else self._crc
        stream.seek(at)
        stream.truncate()
        _write_whole(stream, segment.pieces)
        for piece in segment.pieces:
            crc = zlib.crc32(piece, crc)
        if self._film is not None:
            os.fsync(stream.fileno())
            if begins_anew:
                (self._work / "film.mp4").replace(self._film)
                sync_folder(self._film.parent)
        if lasting:
            self._end, self._crc = at + sum(map(len, segment.pieces)), crc
            if mark is not None and self._film is not None:
                self._note(mark)

    def clear(self) -> None:
        """Begin anew."""
        self._cut(0)

    def close(self) -> None:
        """Let another process have it."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._closing.close()

    # --------------------------------------------------------------------- the journal

    def _read(self) -> List[Entry]:
        """Return what the journal promises and the film has."""
        entries: List[Entry] = []
        try:
            length = self.path.stat().st_size
            if self._head() != self._journal.readline():
                return []
            for line in self._journal:
                data = json.loads(line) if line.endswith(NEWLINE) else {}
                entry = (Mark.from_json(data["mark"]), int(data["end"]), data["crc"])
                if entry[1] > length:
                    break
                entries.append(entry)
        except (FileNotFoundError, ValueError, LookupError, TypeError):
            pass  # no film, or a line that was cut short: what is before it counts
        return entries

    def _head(self) -> bytes:
        """Return the first line."""
        return json.dumps({"about": self._about}).encode() + NEWLINE

    def _line(self, entry: Entry) -> bytes:
        mark, end, crc = entry
        told = {"mark": asdict(mark), "end": end, "crc": crc}
        return json.dumps(told, separators=(",", ":")).encode() + NEWLINE

    def _cut(self, kept: int) -> None:
        """Keep only the first segments."""
        self._entries = self._entries[:kept]
        _, self._end, self._crc = self._entries[-1] if kept else (None, 0, 0)
        if self._film is not None:
            self._journal.seek(0)
            self._journal.truncate()
            lines = [self._head(), *map(self._line, self._entries)]
            self._journal.write(b"".join(lines))
            self._sync_journal()

    def _note(self, mark: Mark) -> None:
        """Write the line of a segment."""
        entry = (mark, self._end, self._crc)
        self._entries.append(entry)
        self._journal.seek(0, os.SEEK_END)
        self._journal.write(self._line(entry))
        self._sync_journal()

    def _sync_journal(self) -> None:
        self._journal.flush()
        os.fsync(self._journal.fileno())

    # ------------------------------------------------------------------------ the film

    def _begun(self, init: bytes) -> BinaryIO:
        """Return a new file, which takes the film's name when it has a frame."""
        if self._stream is not None:
            self._stream.close()
        self._init = init
        self._stream = (self._work / "film.mp4").open("w+b")
        self._stream.write(init)
        return self._stream

    def _opened(self) -> BinaryIO:
        """Return the film, open."""
        if self._stream is None:
            self._stream = self.path.open("r+b")
        if not self._init:
            self._init = self._stream.read(_init_bytes(self._stream))
        return self._stream

    def _unharmed(self) -> int:
        """Return how many segments are as they were written."""
        crc = at = 0
        for count, (_, end, known) in enumerate(self._entries):
            stream = self._opened()
            stream.seek(at)
            while at < end:
                chunk = stream.read(min(CHUNK_BYTES, end - at))
                if not chunk:
                    return count
                crc = zlib.crc32(chunk, crc)
                at += len(chunk)
            if crc != known:
                return count
        return len(self._entries)


def _write_whole(stream: BinaryIO, pieces: Sequence[bytes]) -> None:
    """Write fragments so that a player never sees a part of one.

    Each is first written as something to be passed over (a ``free`` box, ISO 14496-12,
    8.1.2) and given its kind when it is there: a browser that meets a picture cut short
    gives up. A kill at any byte leaves whole fragments.
    """
    places = []
    for piece in pieces:
        places.append(stream.tell() + KIND_AT)
        stream.write(piece[:KIND_AT] + PASSED_OVER + piece[KIND_AT + len(FRAGMENT) :])
    stream.flush()
    for place in places:
        stream.seek(place)
        stream.write(FRAGMENT)
        stream.flush()


def _init_bytes(stream: BinaryIO) -> int:
    """Return the length of what stands before the first fragment; at its beginning."""
    at = 0
    while True:
        stream.seek(at)
        head = stream.read(8)
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == FRAGMENT or size < len(head):
            stream.seek(0)
            return at
        at += size
