"""What a movie's file says: its size, how long it plays, and what it shows when.

Rows about a movie are made from its file alone: a run may have gone on since.
"""

import re
import struct
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Iterator, Optional, Tuple

from PIL import Image

from openflexure_timelapse.errors import ShareError

__all__ = ["MovieFacts", "facts_in", "movie_facts"]

HEAD = struct.Struct(">L4s")
LARGEST_MOOV_BYTES = 100_000_000
# Version and flags, then two times: of 32 bits, or of 64 in a newer box.
CLOCK_AT, NEWER_CLOCK_AT = 12, 20
SIZE_BYTES = 8
COMMENT = b"\xa9cmt"
ILST = (b"udta", b"meta", b"ilst", COMMENT, b"data")
# What is between the head of a box and the boxes inside it.
INNER_HEADS = {b"meta": 4}
DATA_HEAD_BYTES = 8
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
)

# As `movie.metadata` writes it. No plan has other intervals.
SHORTEST_S, LONGEST_S = 1e-3, 1e9
NUMBER = r"[0-9][0-9.e+-]{0,20}"
TIME = r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"
SAID = re.compile(
    rf"^(Comment: )?(?P<frames>\d{{1,12}}) frames, one each (?P<interval>{NUMBER}) s"
    rf"(; (?P<begin>{TIME}) to (?P<end>{TIME}))?",
    re.MULTILINE,
)


@dataclass(frozen=True)
class MovieFacts:
    """A movie as its file tells it; None for what it does not tell.

    Attributes
    ----------
    width, height : int
        In pixels.
    duration_s : float
        How long it plays.
    frames : int or None
        How many stored frames it is made of.
    interval_s : float or None
        From slot to slot when they were captured.
    begin, end : datetime or None
        When the first and the last of them were exposed, local with the offset.
    """

    width: int
    height: int
    duration_s: float
    frames: Optional[int] = None
    interval_s: Optional[float] = None
    begin: Optional[datetime] = None
    end: Optional[datetime] = None

    @property
    def speed(self) -> Optional[float]:
        """How many times faster than life it plays, its gaps included."""
        if self.begin is None or self.end is None or not self.interval_s:
            return None
        shown_s = (self.end - self.begin).total_seconds() + self.interval_s
        if min(shown_s, self.duration_s) <= 0:
            return None
        return shown_s / self.duration_s


def movie_facts(path: Path) -> MovieFacts:
    """Read the facts from an MP4 or a GIF.

    Raises
    ------
    ShareError
        When it is none, or damaged.
    """
    try:
        return _of_gif(path) if path.suffix == ".gif" else _of_mp4(path)
    except UNREADABLE as exc:
        told = f"The movie {path.name} cannot be read: {exc}; make it again, or "
        raise ShareError(told + "leave it out.") from exc


def facts_in(comment: str, size: Tuple[int, int], duration_s: float) -> MovieFacts:
    """Return the facts of a movie with such a comment.

    Parameters
    ----------
    comment : str
        Somebody else's movie may have any other.
    size : (int, int)
        Width and height.
    duration_s : float
        How long it plays.
    """
    said = SAID.search(comment)
    if said is None:
        return MovieFacts(*size, duration_s)
    try:
        interval_s = _interval(said["interval"])
        begin, end = _moment(said["begin"]), _moment(said["end"])
    except ValueError:
        return MovieFacts(*size, duration_s)
    return MovieFacts(*size, duration_s, int(said["frames"]), interval_s, begin, end)


def _interval(text: str) -> float:
    """Return the seconds of a text.

    Raises
    ------
    ValueError
        When it is no number, or no interval of a plan.
    """
    interval_s = float(text)
    if not SHORTEST_S <= interval_s <= LONGEST_S:
        raise ValueError(f"no plan has an interval of {text} s")
    return interval_s


def _moment(text: Optional[str]) -> Optional[datetime]:
    """Return the moment of a text; None for none."""
    if text is None:
        return None
    # Python 3.7 reads a colon in an offset.
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


def _of_gif(path: Path) -> MovieFacts:
    """Return the facts of a GIF, which has a duration for each frame."""
    milliseconds = 0.0
    with Image.open(path, formats=("GIF",)) as image:
        comment = image.info.get("comment", b"")
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            milliseconds += image.info.get("duration", 0)
        size = image.size
    return facts_in(bytes(comment).decode("utf-8", "replace"), size, milliseconds / 1e3)


def _of_mp4(path: Path) -> MovieFacts:
    """Return the facts of an MP4, from the box that describes it."""
    with path.open("rb") as stream:
        moov = _moov(stream)
    at, end = _inside(moov, b"mvhd")
    if moov[at:end][:1] == b"\x01":
        ticks_per_s, ticks = struct.unpack_from(">LQ", moov, at + NEWER_CLOCK_AT)
    else:
        ticks_per_s, ticks = struct.unpack_from(">LL", moov, at + CLOCK_AT)
    if not ticks_per_s:
        raise ValueError("it has no clock")
    start, end = _inside(moov, b"trak", b"tkhd")
    if end - start < SIZE_BYTES:
        raise ValueError("it has no size")
    width, height = struct.unpack_from(">LL", moov, end - SIZE_BYTES)
    size = width >> 16, height >> 16
    try:
        start, end = _inside(moov, *ILST)
        comment = moov[start + DATA_HEAD_BYTES : end].decode("utf-8", "replace")
    except ValueError:
        comment = ""
    return facts_in(comment, size, ticks / ticks_per_s)


def _moov(stream: BinaryIO) -> bytes:
    """Return the content of the box that describes a movie."""
    while True:
        head = stream.read(HEAD.size)
        if len(head) < HEAD.size:
            raise ValueError("it is no MP4, or not whole")
        size, kind = HEAD.unpack(head)
        skipped = size - HEAD.size
        if size == 1:
            (size,) = struct.unpack(">Q", stream.read(8))
            skipped = size - HEAD.size - 8
        if skipped < 0:
            raise ValueError(f"its box {kind!r} has no possible size")
        if kind == b"moov":
            if skipped > LARGEST_MOOV_BYTES:
                raise ValueError("its description is too large")
            return stream.read(skipped)
        stream.seek(skipped, 1)


def _inside(data: bytes, *path: bytes) -> Tuple[int, int]:
    """Return where the content of a box inside boxes begins and ends.

    Raises
    ------
    ValueError
        When there is none.
    """
    start, end = 0, len(data)
    for wanted in path:
        for kind, at, stop in _boxes(data, start, end):
            if kind == wanted:
                start, end = at + INNER_HEADS.get(kind, 0), stop
                break
        else:
            raise ValueError(f"it has no box {wanted!r}")
    return start, end


def _boxes(data: bytes, start: int, end: int) -> Iterator[Tuple[bytes, int, int]]:
    """Yield the kind of each box, and where its content begins and ends."""
    at = start
    while at + HEAD.size <= end:
        size, kind = HEAD.unpack_from(data, at)
        if size < HEAD.size or at + size > end:
            return
        yield kind, at + HEAD.size, at + size
        at += size
