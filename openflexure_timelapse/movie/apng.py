"""An animated PNG, frame by frame: any length, in the memory of one picture.

Pillow codes each picture; here its data is taken out of the one file and put into the
other (PNG, third edition). A reader that knows no animation shows the first frame.
"""

import struct
import zlib
from typing import BinaryIO, Iterator, Mapping, Tuple

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.filters import Size

__all__ = ["ApngWriter", "count_apng", "png_chunks"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST_MS = 0xFFFF
MS_PER_S = 1000
HEAD = struct.Struct(">I4s")
OVERHEAD_BYTES = 12


class ApngWriter:
    """Writes one APNG that loops for ever.

    Parameters
    ----------
    stream : binary file
        Empty, and can be sought in.
    size : (int, int)
        Width and height in pixels.
    texts : mapping
        What the file says of itself.
    """

    longest_ms = LONGEST_MS

    def __init__(self, stream: BinaryIO, size: Size, texts: Mapping[str, str]) -> None:
        self._stream = stream
        self._size = size
        self._texts = texts
        self._frames = 0
        self._number = 0
        self._control_at = 0

    def add(self, coded: bytes, lasts_ms: int) -> None:
        """Show a picture, a PNG file of the right size, for so long."""
        if not self._frames:
            self._begin(coded)
        timing = struct.pack(">HHBB", lasts_ms, MS_PER_S, 0, 0)
        self._write(
            b"fcTL", self._next() + struct.pack(">4I", *self._size, 0, 0) + timing
        )
        for name, data in png_chunks(coded):
            if name != b"IDAT":
                continue
            if self._frames:
                self._write(b"fdAT", self._next() + data)
            else:
                self._write(b"IDAT", data)
        self._frames += 1

    def finish(self) -> None:
        """Write the end, and at the beginning how many frames there are."""
        self._write(b"IEND", b"")
        end = self._stream.tell()
        self._stream.seek(self._control_at)
        self._write_control()
        self._stream.seek(end)

    def _begin(self, coded: bytes) -> None:
        """Write what comes before the pictures; all of them share the first's head."""
        self._stream.write(SIGNATURE)
        head = next(data for name, data in png_chunks(coded) if name == b"IHDR")
        self._write(b"IHDR", head)
        self._control_at = self._stream.tell()
        self._write_control()
        for keyword, text in self._texts.items():
            # Neither compressed nor in a named language.
            said = b"\x00\x00\x00\x00\x00" + text.encode()
            self._write(b"iTXt", keyword.encode("latin-1") + said)

    def _write_control(self) -> None:
        self._write(b"acTL", struct.pack(">II", self._frames, 0))

    def _next(self) -> bytes:
        """Return the number of the next chunk of the animation."""
        self._number += 1
        return struct.pack(">I", self._number - 1)

    def _write(self, name: bytes, data: bytes) -> None:
        """Write one chunk."""
        check = zlib.crc32(data, zlib.crc32(name))
        self._stream.write(HEAD.pack(len(data), name) + data + struct.pack(">I", check))


def png_chunks(coded: bytes) -> Iterator[Tuple[bytes, bytes]]:
    """Yield the name and data of each chunk of a PNG file that we have just made."""
    at = len(SIGNATURE)
    while at < len(coded):
        length, name = HEAD.unpack_from(coded, at)
        at += HEAD.size
        yield name, coded[at : at + length]
        at += length + OVERHEAD_BYTES - HEAD.size


def count_apng(stream: BinaryIO) -> int:
    """Walk through the chunks of an APNG and count its frames.

    Raises
    ------
    RenderError
        When it is none, breaks off, or says another number.
    """
    broken = RenderError("The APNG breaks off; render the movie again.")
    if stream.read(len(SIGNATURE)) != SIGNATURE:
        raise broken
    frames: int = 0
    told = -1
    while True:
        head = stream.read(HEAD.size)
        if len(head) < HEAD.size:
            raise broken
        length, name = HEAD.unpack(head)
        data = stream.read(length + OVERHEAD_BYTES - HEAD.size)
        check = struct.pack(">I", zlib.crc32(data[:length], zlib.crc32(name)))
        if data[length:] != check:
            raise broken
        frames += int(name == b"fcTL")
        if name == b"acTL":
            told = int.from_bytes(data[:4], "big")
        if name == b"IEND":
            break
    if frames != told:
        raise broken
    return frames
