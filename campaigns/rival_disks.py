"""Where a way of recording writes: a folder, or a small ext4 that can be attacked."""

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path

from typing_extensions import Self

__all__ = ["Place", "SmallDisk", "refusal"]

MEGABYTES = 64
PIECE = bytes(4096)
MARGIN = 1_000_000
# EXT4_IOC_SHUTDOWN of the kernel's ext4.h, with the flag that writes nothing more, not
# even the journal: what a cut of the power leaves on the device.
SHUTDOWN = 0x8004_587D
NO_LOG_FLUSH = struct.pack("I", 2)


class Place:
    """A folder on the disk that is there.

    Parameters
    ----------
    folder : Path
        One that does not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        """Make it."""
        self.folder.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it to who made the folder above."""


class SmallDisk(Place):
    """An image in a file, mounted for as long as a ``with`` block.

    Parameters
    ----------
    place : Path
        A folder that does not exist yet.

    Attributes
    ----------
    folder : Path
        On the disk.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._image = place / "image"
        self._mount = place / "mount"
        super().__init__(self._mount / "data")
        self._ballast = self._mount / "ballast"

    def __enter__(self) -> Self:
        """Make the file system and mount it."""
        self._place.mkdir()
        self._mount.mkdir()
        with self._image.open("wb") as file:
            file.truncate(MEGABYTES * 1_000_000)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self._attach()
        super().__enter__()
        os.sync()
        return self

    def __exit__(self, *_: object) -> None:
        """Unmount it and throw the image away."""
        self._detach()
        self._image.unlink()

    def _attach(self) -> None:
        """Mount the image."""
        _run("mount", "-o", "loop", str(self._image), str(self._mount))

    def _detach(self) -> None:
        """Unmount the image."""
        _run("umount", str(self._mount))

    def fill(self) -> None:
        """Let somebody else's file take all the space that is left."""
        status = os.statvfs(str(self._mount))
        bulk = status.f_bavail * status.f_frsize - MARGIN
        with self._ballast.open("wb", buffering=0) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, bulk)
                file.seek(bulk)
                while True:
                    file.write(PIECE)
            except OSError:  # full: what was wanted
                return

    def free(self) -> None:
        """Take that file away again."""
        self._ballast.unlink()

    def cut_power(self) -> None:
        """Lose everything that has not reached the device."""
        descriptor = os.open(str(self._mount), os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(descriptor)

    def switch_on(self) -> None:
        """Mount what the device holds, as the next start of the computer does."""
        self._detach()
        self._attach()


def refusal(place: Path) -> str:
    """Return why this machine lets nobody mount such a disk; empty when it does.

    Parameters
    ----------
    place : Path
        A folder that does not exist yet, to try it in.
    """
    try:
        with SmallDisk(place) as disk:
            disk.cut_power()
    except (OSError, subprocess.CalledProcessError) as exc:
        return f"a small ext4 cannot be mounted and cut off here ({exc})"
    finally:
        shutil.rmtree(str(place))
    return ""


def _run(*command: str) -> None:
    """Run a command of the system; what it complains of is in the error."""
    subprocess.run(command, check=True, capture_output=True)
