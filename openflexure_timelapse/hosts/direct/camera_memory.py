"""How many pictures fit into the memory that a camera can write to. Pure.

A Raspberry Pi before the fifth lets its camera write only into contiguous memory, of
which the kernel keeps 256 MB (Zero 2 W) to 512 MB (Pi 4). One set holds the full
picture and the live view's, and the sensor's own data where those are wanted. libcamera
takes another set for itself, and four pictures of the sensor's own data where nobody
else holds any: with four sets 113 MB for the Pi camera v2 in YUV420, and 174 MB in
BGR888.

While nobody holds it, the kernel lends this memory to programs and to its cache of
files, and takes it back for a camera. So on a computer that has run for a while little
of it is called free, and much more can be had: what is free says how many sets are
surely there, and only what there is at all says that a camera cannot be started.
"""

from dataclasses import dataclass
from typing import NamedTuple, Optional, Tuple

from openflexure_timelapse.errors import HardwareError

__all__ = [
    "MORE_MEMORY",
    "ContiguousMemory",
    "Demand",
    "MemoryChoice",
    "choose_memory",
]

MEGABYTE = 1_000_000
MORE_MEMORY = "write dtoverlay=vc4-kms-v3d,cma-256 into /boot/firmware/config.txt"
"""What a person does who needs more of it."""
USUAL_BUFFERS = 4
FEWEST_BUFFERS = 2
RESERVE_BYTES = 24 * MEGABYTE
"""Left to the display and to others."""
BYTES_PER_PIXEL = {"YUV420": 1.5, "BGR888": 3.0}
RAW_BYTES_PER_PIXEL = 1.5
"""Packed, of twelve bits, as the HQ camera has them; the camera v2 has ten."""
LIBRARY_RAW = 4
"""Pictures of the sensor's own data in all, where others hold fewer."""
FEWEST_LIBRARY_RAW = 2

Size = Tuple[int, int]


class ContiguousMemory(NamedTuple):
    """What the kernel tells of its contiguous memory.

    Attributes
    ----------
    free_bytes : int
        Held by nobody.
    total_bytes : int
        All of it.
    """

    free_bytes: int
    total_bytes: int


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
        Of all sets, and of what the library takes for itself.
    """

    main_format: str
    buffers: int
    total_bytes: int


@dataclass(frozen=True)
class Demand:
    """What a camera is asked for.

    Attributes
    ----------
    size, stream_size : (int, int)
        In pixels.
    raw : bool
        Whether the sensor's own data are wanted.
    """

    size: Size
    stream_size: Size
    raw: bool = False

    def bytes_of(self, main_format: str, buffers: int) -> int:
        """Return the memory that is needed.

        Parameters
        ----------
        main_format : str
            Of the full picture.
        buffers : int
            Sets of pictures.
        """
        pixels = self.size[0] * self.size[1]
        small = self.stream_size[0] * self.stream_size[1]
        pictures = pixels * BYTES_PER_PIXEL[main_format]
        pictures += small * BYTES_PER_PIXEL["YUV420"]
        raw = buffers if self.raw else 0
        raw += max(FEWEST_LIBRARY_RAW, LIBRARY_RAW - raw)
        return int((buffers + 1) * pictures + raw * pixels * RAW_BYTES_PER_PIXEL)


def choose_memory(
    demand: Demand,
    memory: Optional[ContiguousMemory],
    asked_format: Optional[str] = None,
    asked_buffers: Optional[int] = None,
) -> MemoryChoice:
    """Return format and number of buffers.

    Parameters
    ----------
    demand : Demand
        What there shall be.
    memory : ContiguousMemory or None
        None where the camera does not need such.
    asked_format, asked_buffers
        As a person chose; None for what fits.

    Raises
    ------
    HardwareError
        When not even two sets of the smallest kind fit, or not what was asked for.
    """
    chosen = asked_format or "YUV420"
    buffers = asked_buffers or USUAL_BUFFERS
    if memory is not None:
        if asked_buffers is None:
            free = memory.free_bytes - RESERVE_BYTES
            while buffers > FEWEST_BUFFERS and demand.bytes_of(chosen, buffers) > free:
                buffers -= 1
        room = max(0, memory.total_bytes - RESERVE_BYTES)
        needed = demand.bytes_of(chosen, buffers)
        if needed > room:
            raise HardwareError(_too_little(chosen, needed, buffers, room))
    return MemoryChoice(chosen, buffers, demand.bytes_of(chosen, buffers))


def _too_little(chosen: str, needed: int, buffers: int, room: int) -> str:
    """Return the sentence for a memory that is too small."""
    told = f"The camera needs {needed // MEGABYTE} MB of contiguous memory for "
    told += f"{buffers} pictures as {chosen}, and there are {room // MEGABYTE} MB; "
    cure = "choose a smaller size" if chosen == "YUV420" else "choose YUV420"
    return told + f"{cure}, or {MORE_MEMORY}."
