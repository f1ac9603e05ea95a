"""The boxes of a fragmented MP4 (ISO 14496-12): what lets segments stand in one file.

ffmpeg writes each segment as a file of its own, which begins at time zero. Its pieces,
each a ``moof`` box and the ``mdat`` box behind it, go on where the segment before ends
when two numbers in each ``moof`` are changed: when it is decoded, and its place in the
file.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Iterator, List, Tuple

from openflexure_timelapse.errors import RenderError

__all__ = ["Segment", "read_segment"]

HEAD = struct.Struct(">I4s")
LONG = struct.Struct(">Q")
WORD = struct.Struct(">I")
INIT = (b"ftyp", b"moov")
LEAD_FRAMES = 2
"""How many frames later than it is decoded the first frame of a segment is shown: x264
sends as many ahead where a frame may look at later ones."""

HAS_OFFSET, HAS_FIRST_FLAGS = 0x1, 0x4
HAS_DURATION, HAS_SIZE, HAS_FLAGS, HAS_SHIFT = 0x100, 0x200, 0x400, 0x800


@dataclass(frozen=True)
class Segment:
    """A segment, ready to be put behind others.

    Attributes
    ----------
    init : bytes
        What must stand at the beginning of the file; the same for equal settings.
    pieces : list of bytes
        The fragments.
    frames : int
        How many frames they hold.
    """

    init: bytes
    pieces: List[bytes]
    frames: int


def read_segment(stream: BinaryIO, first_frame: int, frame_ticks: int) -> Segment:
    """Read a segment that ffmpeg has written and give it its place in the movie.

    Parameters
    ----------
    stream : binary file
        Of the segment, at its beginning.
    first_frame : int
        How many frames of the movie stand before it.
    frame_ticks : int
        How long a frame lasts, in the units of the track.

    Raises
    ------
    RenderError
        When the file is not what ffmpeg is known to write.
    """
    init, pieces, frames, shift = b"", [], 0, 0
    moof = b""
    for kind, box in _boxes(stream):
        if kind in INIT:
            init += box
        elif kind == b"moof":
            moof = box
        elif kind == b"mdat" and moof:
            if not frames:
                shown = (LEAD_FRAMES + first_frame) * frame_ticks
                shift = shown - sum(_first_times(moof))
            pieces.append(_moved(moof, first_frame + frames + 1, shift) + box)
            frames += _count(moof)
            moof = b""
    return Segment(init, pieces, frames)


def _boxes(stream: BinaryIO) -> Iterator[Tuple[bytes, bytes]]:
    """Yield the kind and the bytes of each box on the top level."""
    while True:
        head = stream.read(HEAD.size)
        if not head:
            return
        if len(head) < HEAD.size:
            raise _strange("it is cut short")
        size, kind = HEAD.unpack(head)
        if size == 1:
            head += stream.read(LONG.size)
            (size,) = LONG.unpack(head[HEAD.size :])
        body = stream.read(size - len(head)) if size >= len(head) else b""
        if len(head) + len(body) != size:
            raise _strange(f"its box {kind!r} is cut short")
        yield kind, head + body


def _inside(data: bytes, *path: bytes) -> int:
    """Return where the content of a box inside a ``moof`` begins."""
    start, end = HEAD.size, len(data)
    for wanted in path:
        at = start
        while True:
            if at + HEAD.size > end:
                raise _strange(f"it has no box {wanted!r}")
            size, kind = HEAD.unpack_from(data, at)
            if size < HEAD.size or at + size > end:
                raise _strange(f"its box {kind!r} has no possible size")
            if kind == wanted:
                break
            at += size
        start, end = at + HEAD.size, at + size
    return start


def _decode_time(moof: bytes) -> Tuple[int, int]:
    """Return where a fragment's time of decoding stands, and the time."""
    at = _inside(moof, b"traf", b"tfdt")
    if moof[at] != 1:
        raise _strange("its times have 32 bits")
    return at + WORD.size, LONG.unpack_from(moof, at + WORD.size)[0]


def _count(moof: bytes) -> int:
    """Return the number of frames in a fragment."""
    at = _inside(moof, b"traf", b"trun")
    return int(WORD.unpack_from(moof, at + WORD.size)[0])


def _first_times(moof: bytes) -> Tuple[int, int]:
    """Return when the first frame is decoded, and how much later it is shown."""
    _, decoded = _decode_time(moof)
    at = _inside(moof, b"traf", b"trun")
    flags = WORD.unpack_from(moof, at)[0] & 0xFFFFFF
    if not flags & HAS_SHIFT:
        return decoded, 0
    words = 2 + sum(bool(flags & flag) for flag in (HAS_OFFSET, HAS_FIRST_FLAGS))
    words += sum(bool(flags & flag) for flag in (HAS_DURATION, HAS_SIZE, HAS_FLAGS))
    return decoded, int(WORD.unpack_from(moof, at + words * WORD.size)[0])


def _moved(moof: bytes, sequence: int, shift: int) -> bytes:
    """Return a fragment with another place and time."""
    moved = bytearray(moof)
    WORD.pack_into(moved, _inside(moof, b"mfhd") + WORD.size, sequence)
    at, decoded = _decode_time(moof)
    if decoded + shift < 0:
        raise _strange("a frame is decoded before the movie begins")
    LONG.pack_into(moved, at, decoded + shift)
    return bytes(moved)


def _strange(what: str) -> RenderError:
    """Return the error for a file of another kind."""
    told = f"ffmpeg has written a segment that cannot be joined: {what}; "
    return RenderError(told + "install another version of ffmpeg.")
