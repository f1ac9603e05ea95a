"""A GIF of any length in little memory: one palette, and only what really changed.

Sensor noise is what a GIF spends its bytes on. A pixel therefore keeps the colour that
it shows until the picture differs from it by more than `hold` grey levels in any
channel; only then does it take the palette's nearest colour. So every pixel is, in
every frame, either within `hold` of the truth or as near as the palette can get:
nothing fades away slowly and nothing trails. Kept pixels are transparent in the file,
which LZW packs to almost nothing.

Pillow does the LZW: each frame is saved as a GIF of its own, and its image block is
moved over (GIF89a specification, W3C). Nothing is kept but the picture on show.
"""

import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, Iterable, List, NamedTuple, Optional, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.filters import BACKGROUND, Picture, Size

__all__ = ["GifFacts", "GifWriter", "Palette", "delay_cs", "read_facts"]

Floats = NDArray[np.float32]

TRANSPARENT = 255
CS_PER_S = 100
LONGEST_DELAY_CS = 65_535
MEDIAN_CUT = 0
REFINEMENTS = 3
CUBE_BITS = 5
SAMPLE_PIXELS = 300_000
LEVEL_BITS = 6
LEVELS = 1 << LEVEL_BITS
CHUNK = 1 << 14

# What is written into the pictures, whatever the pictures are: white and the colour of
# labels on the dark ground, in steps.
GREYS = tuple((level, level, level) for level in (16, 60, 104, 150, 196, 255))
AMBERS = ((48, 82, 100), (70, 124, 153), (92, 168, 207), (110, 205, 255))
RESERVED = (*GREYS, *AMBERS, BACKGROUND)

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


class Palette:
    """Up to 255 colours for a whole movie, with a table of nearest colours.

    Parameters
    ----------
    samples : iterable of array of uint8, shape (height, width, 3)
        Pictures of the movie, blue first; about 20 are enough.
    """

    def __init__(self, samples: Iterable[Picture]) -> None:
        pictures = list(samples)
        each = max(1, SAMPLE_PIXELS // max(1, len(pictures)))
        pixels = np.concatenate([_some_pixels(one, each) for one in pictures])
        image = Image.fromarray(np.ascontiguousarray(pixels[None, :, ::-1]))
        free = TRANSPARENT - len(RESERVED)
        chosen = image.quantize(colors=free, method=MEDIAN_CUT)
        used = len(chosen.getcolors(maxcolors=256) or ())
        flat = (chosen.getpalette() or [])[: 3 * max(1, used)]
        bgr = np.array(flat, np.float32).reshape(-1, 3)[:, ::-1]
        refined = np.round(_refined(bgr, pixels)).astype(np.uint8)
        self.colours = np.concatenate([refined, np.array(RESERVED, np.uint8)])
        self._nearest = _nearest_table(self.colours)

    def indices(self, pixels: Picture) -> NDArray[np.uint8]:
        """Return the index of the nearest colour for pixels of shape (n, 3)."""
        level = (pixels >> (8 - LEVEL_BITS)).astype(np.int32)
        key = (level[:, 0] << LEVEL_BITS | level[:, 1]) << LEVEL_BITS | level[:, 2]
        return np.asarray(self._nearest[key])

    def table(self) -> bytes:
        """Return the 256 colours as a GIF has them, red first."""
        full = np.zeros((256, 3), np.uint8)
        full[: len(self.colours)] = self.colours[:, ::-1]
        return full.tobytes()


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
    hold : int
        Grey levels by which a pixel may differ before it is renewed.
    comment : str
        What the file says of itself; empty for nothing.
    """

    def __init__(
        self,
        stream: BinaryIO,
        size: Size,
        palette: Palette,
        hold: int,
        comment: str = "",
    ) -> None:
        self._stream = stream
        self._palette = palette
        self._hold = (float(hold),) * 4
        self._shown: Optional[Picture] = None
        self._index = np.zeros((size[1], size[0]), np.uint8)
        self._pending: Optional[_Pending] = None
        self.frames = 0
        self.bytes_written = 0
        colours = HEADER.pack(b"GIF89a", size[0], size[1], TABLE | 0x77, 0, 0)
        self._write(colours + palette.table() + LOOP_FOR_EVER + _comment(comment))

    def add(self, picture: Picture, delay_cs: int) -> None:
        """Show a picture for `delay_cs` hundredths of a second.

        A picture in which nothing changed makes the one before stay longer.
        """
        drawn = self._first(picture) if self._shown is None else self._change(picture)
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

    def _first(self, picture: Picture) -> bytes:
        """Draw every pixel."""
        height, width = picture.shape[:2]
        flat = self._palette.indices(picture.reshape(-1, 3))
        self._index = flat.reshape(height, width)
        self._shown = np.asarray(self._palette.colours[self._index])
        return _block(self._index, (0, 0))

    def _change(self, picture: Picture) -> Optional[bytes]:
        """Draw the pixels that differ; None where none does."""
        shown = self._shown
        if shown is None:
            return None
        difference = cv2.absdiff(picture, shown)
        kept = cv2.inRange(difference, (0, 0, 0, 0), self._hold)
        rows, columns = np.nonzero(np.asarray(kept) == 0)
        indices = self._palette.indices(picture[rows, columns])
        other = indices != self._index[rows, columns]
        if not other.any():
            return None
        rows, columns, indices = rows[other], columns[other], indices[other]
        self._index[rows, columns] = indices
        shown[rows, columns] = self._palette.colours[indices]
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


def _some_pixels(picture: Picture, most: int) -> Picture:
    """Return up to `most` pixels of a picture, evenly spread, shape (n, 3)."""
    flat = picture.reshape(-1, 3)
    return flat[:: max(1, len(flat) // most)]


def _refined(colours: Floats, pixels: Picture) -> Floats:
    """Move each colour to the mean of the pixels that are nearest to it, a few times.

    Lloyd's k-means, on means of small cubes of colour instead of single pixels.
    """
    cube = (pixels >> (8 - CUBE_BITS)).astype(np.int32)
    key = (cube[:, 0] << CUBE_BITS | cube[:, 1]) << CUBE_BITS | cube[:, 2]
    total = 1 << (3 * CUBE_BITS)
    counts = np.bincount(key, minlength=total)
    sums = [np.bincount(key, pixels[:, axis], total) for axis in range(3)]
    used = counts > 0
    weights = counts[used]
    means = (np.stack(sums, axis=1)[used] / weights[:, None]).astype(np.float32)
    for _ in range(REFINEMENTS):
        nearest = _nearest(means, colours)
        members = np.bincount(nearest, weights, len(colours))
        moved = np.stack(
            [
                np.bincount(nearest, weights * means[:, axis], len(colours))
                for axis in range(3)
            ],
            axis=1,
        )
        some = members > 0
        colours = colours.copy()
        colours[some] = moved[some] / members[some, None]
    return colours


def _nearest(pixels: Floats, colours: Floats) -> NDArray[np.intp]:
    """Return the index of the nearest colour for pixels of shape (n, 3)."""
    squares = (colours**2).sum(axis=1)
    found = [
        (squares - 2 * pixels[start : start + CHUNK] @ colours.T).argmin(axis=1)
        for start in range(0, len(pixels), CHUNK)
    ]
    return np.concatenate(found)


def _nearest_table(colours: Picture) -> NDArray[np.uint8]:
    """Return, for each colour of 6 bits a channel, the index of the nearest one."""
    step = 256 // LEVELS
    axis = np.arange(LEVELS, dtype=np.float32) * step + (step - 1) / 2
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    return _nearest(grid, colours.astype(np.float32)).astype(np.uint8)


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
