"""A zip file whose list of files is not kept in memory while it grows.

Python's own keeps two thirds of a kilobyte for each file, which are 67 MB for a bundle
of a hundred thousand pictures: much on a microscope. Nothing in this one is compressed.
What a file or the whole has too much of for the first form of zips is told in the
second one's (ZIP64), as APPNOTE 6.3.10 of PKWARE has it.
"""

import struct
import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO, Callable, Iterable

__all__ = ["ZipFile"]

CHUNK_BYTES = 1 << 20
LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
END = struct.Struct("<4s4H2LH")
CRC_AT = 14
MOST16, MOST32 = 0xFFFF, 0xFFFFFFFF
OLD, NEW = 20, 45
"""The version that is needed to read the first form, and the second."""
UTF8 = 0x800
STORED = 0
MIDNIGHT, FIRST_DAY = 0, 0x21
"""1980-01-01: a bundle's files have no time of their own."""
UNIX = 3 << 8
READABLE = 0o644 << 16
ZIP64 = 1


class ZipFile:
    """A zip file that is being written.

    Parameters
    ----------
    stream : BinaryIO
        Where to; at its beginning, and it can be sought in.
    folder : Path
        Where its list grows, in a file without a name.
    """

    def __init__(self, stream: BinaryIO, folder: Path) -> None:
        self._stream = stream
        self._list: BinaryIO = tempfile.TemporaryFile(dir=str(folder))  # noqa: SIM115
        self._count = 0

    def close(self) -> None:
        """Forget the list; a zip without `finish` is none."""
        self._list.close()

    def add(
        self,
        name: str,
        size_bytes: int,
        chunks: Iterable[bytes],
        look: Callable[[bytes], object],
    ) -> None:
        """Add a file.

        Parameters
        ----------
        name : str
            With forward slashes.
        size_bytes : int
            Of the file; as many must come.
        chunks : iterable of bytes
            Its content.
        look : callable
            Called with each chunk after it was written.

        Raises
        ------
        OSError
            Also when there is less or more than was said.
        """
        coded = name.encode("utf-8")
        offset = self._stream.tell()
        extra = _extra(size_bytes, size_bytes) if size_bytes >= MOST32 else b""
        self._stream.write(_local(coded, size_bytes, extra) + coded + extra)
        crc = written = 0
        for chunk in chunks:
            self._stream.write(chunk)
            crc = zlib.crc32(chunk, crc)
            written += len(chunk)
            look(chunk)
        if written != size_bytes:
            told = f"{name} has changed while it was packed"
            raise OSError(told)
        end = self._stream.tell()
        self._stream.seek(offset + CRC_AT)
        self._stream.write(struct.pack("<L", crc))
        self._stream.seek(end)
        self._list.write(_central(coded, crc, size_bytes, offset))
        self._count += 1

    def finish(self) -> None:
        """Write the list; then the zip is whole."""
        begin = self._stream.tell()
        self._list.seek(0)
        for chunk in iter(lambda: self._list.read(CHUNK_BYTES), b""):
            self._stream.write(chunk)
        self._stream.write(_end(self._count, begin, self._stream.tell() - begin))


def _extra(*numbers: int) -> bytes:
    """Return numbers that the first form has no room for; empty for none."""
    if not numbers:
        return b""
    size = 8 * len(numbers)
    return struct.pack(f"<2H{len(numbers)}Q", ZIP64, size, *numbers)


def _local(name: bytes, size_bytes: int, extra: bytes) -> bytes:
    """Return what stands before a file's name and content, its CRC still 0."""
    size = min(size_bytes, MOST32)
    version = NEW if extra else OLD
    kind = (version, UTF8, STORED, MIDNIGHT, FIRST_DAY)
    return LOCAL.pack(b"PK\3\4", *kind, 0, size, size, len(name), len(extra))


def _central(name: bytes, crc: int, size_bytes: int, offset: int) -> bytes:
    """Return a file's line in the list."""
    sizes = (size_bytes, size_bytes) if size_bytes >= MOST32 else ()
    extra = _extra(*sizes, *((offset,) if offset >= MOST32 else ()))
    version = NEW if extra else OLD
    size = min(size_bytes, MOST32)
    kind = (UNIX | version, version, UTF8, STORED, MIDNIGHT, FIRST_DAY)
    lengths = (len(name), len(extra), 0, 0, 0)
    where = (READABLE, min(offset, MOST32))
    line = CENTRAL.pack(b"PK\1\2", *kind, crc, size, size, *lengths, *where)
    return line + name + extra


def _end(count: int, begin: int, size: int) -> bytes:
    """Return what stands after the list, which tells where it is."""
    told = b""
    if count >= MOST16 or begin >= MOST32 or size >= MOST32:
        rest = END64.size - 12
        numbers = (count, count, size, begin)
        told = END64.pack(b"PK\6\6", rest, UNIX | NEW, NEW, 0, 0, *numbers)
        told += LOCATOR.pack(b"PK\6\7", 0, begin + size, 1)
    short = min(count, MOST16)
    place = (min(size, MOST32), min(begin, MOST32), 0)
    return told + END.pack(b"PK\5\6", 0, 0, short, short, *place)
