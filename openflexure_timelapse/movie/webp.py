"""An animated WebP, frame by frame: any length, in the memory of one picture.

Pillow codes each picture; here its data is taken out of the one file and put into the
other (RFC 9649). libwebp's own animation encoder keeps the whole movie until its end.
"""

import struct
from typing import BinaryIO, Iterator, Tuple

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.filters import Size

__all__ = ["WebpWriter", "count_webp"]

LONGEST_MS = 0xFFFFFF
LARGEST_BYTES = 0xFFFFFFFE
CHUNK = struct.Struct("<4sI")
HEAD_BYTES = 12
ANIMATION, EXIF = 0x02, 0x08
OVERWRITE = 0x02
"""Of what was shown before, nothing shines through."""


class WebpWriter:
    """Writes one animated WebP that loops for ever.

    Parameters
    ----------
    stream : binary file
        Empty, and can be sought in.
    size : (int, int)
        Width and height in pixels.
    exif : bytes
        An EXIF block without its mark; empty for none.
    """

    longest_ms = LONGEST_MS

    def __init__(self, stream: BinaryIO, size: Size, exif: bytes) -> None:
        self._stream = stream
        self._size = size
        self._exif = exif
        self._bytes = 0
        flags = ANIMATION | (EXIF if exif else 0)
        self._write(CHUNK.pack(b"RIFF", 0) + b"WEBP")
        self._chunk(b"VP8X", bytes([flags, 0, 0, 0]) + _three(*self._corner()))
        self._chunk(b"ANIM", struct.pack("<IH", 0xFF000000, 0))

    def add(self, coded: bytes, lasts_ms: int) -> None:
        """Show a picture, a WebP file of the right size, for so long."""
        head = _three(0, 0, *self._corner(), lasts_ms) + bytes([OVERWRITE])
        self._chunk(b"ANMF", head + coded[HEAD_BYTES:])

    def finish(self) -> None:
        """Write the end, and at the beginning how long the file is.

        Raises
        ------
        RenderError
            When it is longer than a WebP can be.
        """
        if self._exif:
            self._chunk(b"EXIF", self._exif)
        self._stream.seek(0)
        self._stream.write(CHUNK.pack(b"RIFF", self._bytes - CHUNK.size))
        self._stream.seek(self._bytes)

    def _corner(self) -> Size:
        """Return the last column and row."""
        return self._size[0] - 1, self._size[1] - 1

    def _chunk(self, name: bytes, data: bytes) -> None:
        """Write one chunk; an odd one is filled up."""
        self._write(CHUNK.pack(name, len(data)) + data + b"\x00" * (len(data) % 2))

    def _write(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes - CHUNK.size > LARGEST_BYTES:
            told = "The WebP would have more than 4 GB, which none can have; "
            raise RenderError(told + "choose a smaller width, or make an MP4.")
        self._stream.write(data)


def count_webp(stream: BinaryIO) -> int:
    """Walk through the chunks of an animated WebP and count its frames.

    Raises
    ------
    RenderError
        When it is none, or breaks off.
    """
    head = stream.read(HEAD_BYTES)
    size = stream.seek(0, 2)
    whole = len(head) == HEAD_BYTES and CHUNK.size + CHUNK.unpack(head[:8])[1] == size
    if not whole or head[8:] != b"WEBP":
        raise RenderError("The WebP breaks off; render the movie again.")
    stream.seek(HEAD_BYTES)
    return sum(name == b"ANMF" for name, _ in _chunks(stream, size))


def _chunks(stream: BinaryIO, size: int) -> Iterator[Tuple[bytes, int]]:
    """Yield the name and length of each chunk."""
    while stream.tell() < size:
        head = stream.read(CHUNK.size)
        if len(head) < CHUNK.size:
            raise RenderError("The WebP breaks off; render the movie again.")
        name, length = CHUNK.unpack(head)
        yield name, length
        if stream.seek(length + length % 2, 1) > size:
            raise RenderError("The WebP breaks off; render the movie again.")


def _three(*numbers: int) -> bytes:
    """Return numbers in three bytes each."""
    return b"".join(number.to_bytes(3, "little") for number in numbers)
