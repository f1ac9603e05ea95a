"""A GIF of any length in little memory: one palette, and only what really changed.

What is shown, and what of it is renewed, decides `held`; pixels that stay are
transparent in the file, which LZW packs to almost nothing. There is no dithering: dots
that change from frame to frame are what noise is, and cost what noise costs.

Pillow does the LZW: each frame is saved as a GIF of its own, and its image block is
moved over (GIF89a specification, W3C). Nothing is kept but the picture on show.
"""

import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, List, NamedTuple, Optional, Tuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.filters import Picture, Size
from openflexure_timelapse.movie.held import HeldPicture
from openflexure_timelapse.movie.noise import Noise
from openflexure_timelapse.movie.palette import TRANSPARENT, Palette

__all__ = ["GifFacts", "GifWriter", "delay_cs", "read_facts"]

CS_PER_S = 100
LONGEST_DELAY_CS = 65_535

EXTENSION = 0x21
IMAGE = 0x2C
TRAILER = 0x3B
GRAPHIC_CONTROL = 0xF9
COMMENT = 0xFE
KEEP_AND_TRANSPARENT = (1 << 2) | 1  # disposal 1: the next frame is drawn over this one
TABLE = 0x80
LOOP_FOR_EVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
HEADER = struct.Struct("<6sHHBBB")
CONTROL = struct.Struct("<BBBBHBB")
DESCRIPTOR = struct.Struct("<BHHHHB")


@dataclass
class _Pending:
    """A frame that is complete but for its delay."""

    delay_cs: int
    block: bytes


class GifWriter:
    """Writes one GIF, frame by frame.

    Parameters
    ----------
    stream : binary file
        Written from where it stands.
    size : (int, int)
        Width and height in pixels.
    palette : Palette
        For every frame.
    noise : Noise
        What is not renewed.
    comment : str
        What the file says of itself; empty for nothing.
    """

    def __init__(
        self,
        stream: BinaryIO,
        size: Size,
        palette: Palette,
        noise: Noise,
        comment: str = "",
    ) -> None:
        self._stream = stream
        self._palette = palette
        self._noise = noise
        self._held: Optional[HeldPicture] = None
        self._pending: Optional[_Pending] = None
        self.frames = 0
        self.bytes_written = 0
        colours = HEADER.pack(b"GIF89a", size[0], size[1], TABLE | 0x77, 0, 0)
        self._write(colours + palette.table() + LOOP_FOR_EVER + _comment(comment))

    def add(self, picture: Picture, delay_cs: int) -> None:
        """Show a picture for `delay_cs` hundredths of a second.

        A picture in which nothing changed makes the one before stay longer.
        """
        drawn = self._drawn(picture)
        waiting = self._pending
        if drawn is None and waiting is not None:
            if waiting.delay_cs + delay_cs <= LONGEST_DELAY_CS:
                waiting.delay_cs += delay_cs
                return
            drawn = _block(np.full((1, 1), TRANSPARENT, np.uint8), (0, 0))
        self._flush()
        self._pending = _Pending(delay_cs, drawn or b"")

    def finish(self) -> None:
        """Write the last frame and the end."""
        self._flush()
        self._write(bytes([TRAILER]))

    def _drawn(self, picture: Picture) -> Optional[bytes]:
        """Draw what is renewed, the first time all; None where nothing is."""
        if self._held is None:
            self._held = HeldPicture(picture, self._palette, self._noise)
            return _block(self._held.index, (0, 0))
        rows, columns, indices = self._held.follow(picture)
        if not len(rows):
            return None
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        left, right = int(columns.min()), int(columns.max()) + 1
        part = np.full((bottom - top, right - left), TRANSPARENT, np.uint8)
        part[rows - top, columns - left] = indices
        return _block(part, (left, top))

    def _flush(self) -> None:
        """Write the frame that waits, now that its delay is known."""
        waiting = self._pending
        if waiting is None:
            return
        control = CONTROL.pack(
            EXTENSION,
            GRAPHIC_CONTROL,
            4,
            KEEP_AND_TRANSPARENT,
            waiting.delay_cs,
            TRANSPARENT,
            0,
        )
        self._write(control + waiting.block)
        self.frames += 1

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self.bytes_written += len(data)


def _comment(text: str) -> bytes:
    """Return a comment extension (GIF89a, 24); nothing for an empty text."""
    data = text.encode()
    parts = (data[at : at + 255] for at in range(0, len(data), 255))
    blocks = b"".join(bytes([len(part)]) + part for part in parts)
    return bytes([EXTENSION, COMMENT]) + blocks + b"\x00" if data else b""


def delay_cs(first: int, span: int, fps: Fraction) -> int:
    """Return how long frames `first` to `first + span` last, in whole centiseconds.

    The remainder is carried: after n frames exactly ``round(100 n / fps)`` are told.
    """
    return round((first + span) * CS_PER_S / fps) - round(first * CS_PER_S / fps)


class GifFacts(NamedTuple):
    """What a finished file says of itself."""

    size: Size
    delays_cs: Tuple[int, ...]
    loops: bool
    local_palettes: int


def read_facts(stream: BinaryIO) -> GifFacts:
    """Walk through the blocks of a GIF without decoding it.

    Raises
    ------
    RenderError
        When it is not a GIF or breaks off.
    """
    head = stream.read(HEADER.size)
    if len(head) < HEADER.size or head[:3] != b"GIF":
        raise RenderError("The file is not a GIF; render the movie again.")
    _, width, height, flags, _, _ = HEADER.unpack(head)
    _skip_table(stream, flags)
    delays: List[int] = []
    loops, local = False, 0
    while True:
        kind = stream.read(1)
        if kind == bytes([TRAILER]):
            size = (int(width), int(height))
            return GifFacts(size, tuple(delays), loops, local)
        if kind == bytes([EXTENSION]):
            label = stream.read(1)
            body = _sub_blocks(stream)
            if label == bytes([GRAPHIC_CONTROL]):
                delays.append(int.from_bytes(body[1:3], "little"))
            loops = loops or body.startswith(b"NETSCAPE2.0")
        elif kind == bytes([IMAGE]):
            descriptor = stream.read(DESCRIPTOR.size - 1)
            local += bool(descriptor[-1] & TABLE)
            _skip_table(stream, descriptor[-1])
            stream.read(1)
            _sub_blocks(stream)
        else:
            raise RenderError("The GIF breaks off; render the movie again.")


def _block(index: NDArray[np.uint8], place: Tuple[int, int]) -> bytes:
    """Return one picture of palette indices as an image block.

    Interlacing is off: a block that Pillow interlaces cannot be moved into another
    file without its flag.
    """
    target = io.BytesIO()
    Image.fromarray(index).save(target, "GIF", interlace=0, optimize=False)
    data = target.getvalue()
    at = HEADER.size + _table_bytes(data[10])
    while data[at] == EXTENSION:
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    if data[at] != IMAGE:
        raise RenderError("Pillow wrote a GIF without an image; update Pillow.")
    pixels = at + DESCRIPTOR.size + _table_bytes(data[at + DESCRIPTOR.size - 1])
    height, width = index.shape
    head = DESCRIPTOR.pack(IMAGE, place[0], place[1], width, height, 0)
    return head + data[pixels : data.rindex(TRAILER)]


def _table_bytes(flags: int) -> int:
    """Return the length of the colour table that `flags` announce."""
    return 3 * (2 << (flags & 7)) if flags & TABLE else 0


def _skip_table(stream: BinaryIO, flags: int) -> None:
    stream.read(_table_bytes(flags))


def _sub_blocks(stream: BinaryIO) -> bytes:
    """Read sub-blocks up to their end; return the first, which is all we look at."""
    first = b""
    while True:
        length = stream.read(1)
        if length in (b"", b"\x00"):
            return first
        block = stream.read(length[0])
        first = first or block
