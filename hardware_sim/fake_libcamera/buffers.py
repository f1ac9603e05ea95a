"""Frame buffers in ordinary memory, and the heap that picamera2 takes them from.

picamera2 opens ``/dev/dma_heap/...`` and brackets every use of a buffer with an
``ioctl`` of its kind. The heap here hands out anonymous files instead, and names a
request that any file grants and that does nothing to it.
"""

import ctypes
import enum
import os
from types import ModuleType
from typing import Any, Callable, ClassVar, NamedTuple, Optional, Sequence

__all__ = ["FrameBuffer", "FrameMetadata", "heap_module"]

FIOCLEX = 0x5451
"""Close the descriptor in a program that this one becomes; it is closed then anyway."""
READ_OF_PIXELS = 2


class FrameMetadata:
    """What is told of a buffer's content."""

    class Status(enum.Enum):
        """How the frame ended."""

        Success = 0
        Error = 1
        Cancelled = 2
        Startup = 3

    def __init__(self, sizes: Sequence[int]) -> None:
        self.status = FrameMetadata.Status.Success
        self.planes = [_PlaneUse(size) for size in sizes]


class _PlaneUse(NamedTuple):
    """How much of a plane is filled."""

    bytes_used: int


class FrameBuffer:
    """Memory for one picture of one stream.

    It is painted only when somebody is going to read it: most pictures of full size are
    never looked at, and each costs much. picamera2 looks a buffer up by its hash once
    when a request completes and again before each use of its pixels.
    """

    class Plane:
        """A part of a file."""

        def __init__(self) -> None:
            self.fd, self.offset, self.length = -1, 0, 0

    def __init__(self, planes: Sequence["FrameBuffer.Plane"]) -> None:
        self.planes = list(planes)
        self.metadata = FrameMetadata([plane.length for plane in self.planes])
        self._paint: Optional[Callable[[int], None]] = None
        self._looked_up = 0

    def __hash__(self) -> int:
        """Be looked up; the second time since the exposure, be painted first."""
        self._looked_up += 1
        if self._looked_up >= READ_OF_PIXELS and self._paint is not None:
            paint, self._paint = self._paint, None
            paint(self.planes[0].fd)
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Compare by identity."""
        return self is other

    def expose(self, paint: Optional[Callable[[int], None]]) -> None:
        """Take a picture that is painted later, into the file of a descriptor."""
        self._paint = paint
        self._looked_up = 0


class _Descriptor:
    """A file's number, in the words of picamera2's own heap."""

    def __init__(self, number: int) -> None:
        self._number = number

    def get(self) -> int:
        """Return the number."""
        return self._number

    def isValid(self) -> bool:  # noqa: N802 (as picamera2 spells it)
        """Tell whether there is a file."""
        return self._number >= 0


class _MemoryHeap:
    """Hands out anonymous files."""

    isValid = True  # noqa: N815 (as picamera2 spells it)

    def alloc(self, name: str, size: int) -> _Descriptor:
        """Return a file of a size in bytes."""
        number = os.memfd_create(name)
        os.ftruncate(number, size)
        return _Descriptor(number)

    def close(self) -> None:
        """Do nothing: no device was opened."""


class _Sync(ctypes.Structure):
    """What goes with the bracketing request."""

    _fields_: ClassVar[Any] = [("flags", ctypes.c_uint64)]


def heap_module() -> ModuleType:
    """Return what stands for the module ``picamera2.dma_heap``."""
    module = ModuleType("picamera2.dma_heap")
    values = {
        "DMA_BUF_SYNC_READ": 1,
        "DMA_BUF_SYNC_WRITE": 2,
        "DMA_BUF_SYNC_RW": 3,
        "DMA_BUF_SYNC_START": 0,
        "DMA_BUF_SYNC_END": 4,
        "DMA_BUF_IOCTL_SYNC": FIOCLEX,
        "dma_buf_sync": _Sync,
        "DmaHeap": _MemoryHeap,
        "UniqueFD": _Descriptor,
    }
    module.__dict__.update(values)
    return module
