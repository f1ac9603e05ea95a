"""How many pictures fit into the memory that a camera can write to. Pure.

A Raspberry Pi before the fifth lets its camera write only into contiguous memory, of
which the kernel keeps 256 MB (Zero 2 W) to 512 MB (Pi 4). One set holds the full
picture, the live view's and the sensor's own data, packed: 25 MB for the Pi camera v2
in YUV420, 37 MB in BGR888. Six sets of the latter have been seen to exceed 512 MB where
other programs held some of it; four are enough for a stream that never stops.
"""

from dataclasses import dataclass
from typing import Optional, Tuple

from openflexure_timelapse.errors import HardwareError

__all__ = ["MemoryChoice", "choose_memory", "set_bytes"]

MEGABYTE = 1_000_000
USUAL_BUFFERS = 4
FEWEST_BUFFERS = 2
RESERVE_BYTES = 24 * MEGABYTE
"""Left to the display and to others."""
BYTES_PER_PIXEL = {"YUV420": 1.5, "BGR888": 3.0}
RAW_BYTES_PER_PIXEL = 1.5
"""Packed, of twelve bits, as the HQ camera has them; the camera v2 has ten."""

Size = Tuple[int, int]


@dataclass(frozen=True)
class MemoryChoice:
    """What the camera holds in memory.

    Attributes
    ----------
    main_format : str
        Of the full picture.
    buffers : int
        Sets of pictures.
    total_bytes : int
        Of all sets.
    """

    main_format: str
    buffers: int
    total_bytes: int


def set_bytes(main_format: str, size: Size, stream_size: Size) -> int:
    """Return the memory of one set of pictures.

    Parameters
    ----------
    main_format : str
        Of the full picture.
    size, stream_size : (int, int)
        In pixels.
    """
    pixels, small = size[0] * size[1], stream_size[0] * stream_size[1]
    full = pixels * (BYTES_PER_PIXEL[main_format] + RAW_BYTES_PER_PIXEL)
    return int(full + small * BYTES_PER_PIXEL["YUV420"])


def choose_memory(
    size: Size,
    stream_size: Size,
    free_bytes: Optional[int],
    asked_format: Optional[str] = None,
    asked_buffers: Optional[int] = None,
) -> MemoryChoice:
    """Return format and number of buffers.

    Parameters
    ----------
    size, stream_size : (int, int)
        In pixels.
    free_bytes : int or None
        Of contiguous memory; None where the camera does not need such.
    asked_format, asked_buffers
        As a person chose; None for what fits.

    Raises
    ------
    HardwareError
        When not even two sets of the smallest kind fit, or not what was asked for.
    """
    chosen = asked_format or "YUV420"
    each = set_bytes(chosen, size, stream_size)
    room = None if free_bytes is None else max(0, free_bytes - RESERVE_BYTES)
    wanted = asked_buffers or USUAL_BUFFERS
    if room is not None and wanted * each > room:
        if asked_buffers is not None or room // each < FEWEST_BUFFERS:
            raise HardwareError(_too_little(chosen, each, asked_buffers, room))
        wanted = room // each
    return MemoryChoice(chosen, wanted, wanted * each)


def _too_little(chosen: str, each: int, asked: Optional[int], room: int) -> str:
    """Return the sentence for a memory that is too small."""
    count = asked or FEWEST_BUFFERS
    told = f"The camera needs {count * each // MEGABYTE} MB of contiguous memory for "
    told += f"{count} pictures as {chosen}, and {room // MEGABYTE} MB are left; "
    cure = "choose a smaller size" if chosen == "YUV420" else "choose YUV420"
    return told + f"{cure}, close other programs that use the camera, or restart."
