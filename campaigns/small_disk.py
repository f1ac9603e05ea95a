"""A small real disk that can be filled, broken, made read-only, pulled and put back."""

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Iterator, Optional, Sequence

__all__ = ["CannotMountError", "SmallDisk", "small_disk"]

SHUTDOWN = 0x8004587D
"""The ioctl that makes ext4 behave as when its device is gone."""
WITHOUT_FLUSH = 2
FILLER = "somebody-elses-file"


class CannotMountError(RuntimeError):
    """Small disks cannot be made here: no right to mount, or no program for it."""


class SmallDisk:
    """An image file as a disk, mounted at a folder of the system's own disk.

    Parameters
    ----------
    place : Path
        A folder for the image and the mount point.
    kilobytes : int
        Its size.
    kind : str
        ``ext4``, ``btrfs``, or ``tmpfs``, which has no image and cannot be broken.
    options : sequence of str
        More arguments for the making of the file system.
    is_there : bool
        Whether another process has made and mounted it.

    Attributes
    ----------
    point : Path
        Where it is mounted.
    """

    def __init__(
        self,
        place: Path,
        kilobytes: int,
        kind: str = "ext4",
        options: Sequence[str] = (),
        *,
        is_there: bool = False,
    ) -> None:
        self.point = place / "card"
        self._image = place / "card.img"
        self._kind = kind
        self._kilobytes = kilobytes
        if is_there:
            return
        self.point.mkdir(parents=True)
        if kind != "tmpfs":
            with self._image.open("wb") as stream:
                stream.truncate(kilobytes * 1024)
            quiet = ["-q", "-m", "0"] if kind == "ext4" else ["-q", "-m", "single"]
            call(f"mkfs.{kind}", *quiet, *options, str(self._image))
        self.mount()

    # ---------------------------------------------------------------- there, and not

    def mount(self) -> None:
        """Put it in."""
        if self._kind == "tmpfs":
            size = f"size={self._kilobytes}k"
            call("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.point))
            return
        call("mount", "-o", "loop", str(self._image), str(self.point))

    def pull(self, *, dead: bool) -> None:
        """Take it out of the tree, open files and all.

        Parameters
        ----------
        dead : bool
            Whether its device is gone as well, as when a card is pulled by hand; else
            it was only unmounted, and open files still reach it.
        """
        if dead:
            descriptor = os.open(self.point, os.O_RDONLY)
            try:
                fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
            finally:
                os.close(descriptor)
        call("umount", "-l", str(self.point))

    def unmount(self) -> None:
        """Take it out properly, which needs that nobody has a file open on it."""
        call("umount", str(self.point))

    def remove(self) -> None:
        """End it."""
        with contextlib.suppress(CannotMountError):
            self.mend()
        while os.path.ismount(self.point):
            call("umount", "-l", str(self.point))

    # ------------------------------------------------------------------------- faults

    def check_can_fail(self) -> None:
        """See whether `fail` has its effect: not every file system holds to it.

        Raises
        ------
        CannotMountError
            When it has none.
        """
        with self._image.open("r+b", buffering=0) as stream:
            first = stream.read(1)
            self.fail()
            try:
                stream.seek(0)
                stream.write(first)
            except OSError:
                return
            finally:
                self.mend()
        told = f"Errors of a device need an image on ext4, and {self._image} is not."
        raise CannotMountError(told)

    def fail(self) -> None:
        """Let every write to its device fail."""
        call("chattr", "+i", str(self._image))

    def mend(self) -> None:
        """Let writes work again."""
        if self._image.exists():
            call("chattr", "-i", str(self._image))

    def limit(self, more_bytes: int) -> None:
        """Set a quota so far above what is used; only btrfs."""
        point = str(self.point)
        call("btrfs", "filesystem", "sync", point)
        call("btrfs", "quota", "enable", point)
        call("btrfs", "quota", "rescan", "-w", point)
        told = call("btrfs", "qgroup", "show", "--raw", point)
        used = next(line.split()[1] for line in told.splitlines() if "0/5" in line)
        call("btrfs", "qgroup", "limit", str(int(used) + more_bytes), "0/5", point)

    def lift_limit(self) -> None:
        """Take the quota away."""
        call("btrfs", "quota", "disable", str(self.point))

    # -------------------------------------------------------------------------- space

    def free_bytes(self) -> int:
        """Return the space that is left."""
        answer = os.statvfs(self.point)
        return answer.f_bavail * answer.f_frsize

    def fill(self, leave_bytes: int = 0) -> None:
        """Write as somebody else would, until only so much is left."""
        with (self.point / FILLER).open("ab", buffering=0) as stream:
            size = stream.seek(0, os.SEEK_END)
            while True:
                step = min(1 << 20, self.free_bytes() - leave_bytes)
                if step <= 0:
                    return
                try:
                    os.posix_fallocate(stream.fileno(), size, step)
                except OSError:
                    if step < 1 << 12:
                        return
                    leave_bytes += step // 2
                    continue
                size += step

    def use_up_names(self) -> None:
        """Make empty files until there is no inode left."""
        folder = self.point / f"{FILLER}s"
        folder.mkdir(exist_ok=True)
        number = 0
        with contextlib.suppress(OSError):
            while True:
                (folder / str(number)).touch(exist_ok=False)
                number += 1

    def clear(self) -> None:
        """Remove what somebody else wrote."""
        with contextlib.suppress(FileNotFoundError):
            (self.point / FILLER).unlink()
        shutil.rmtree(self.point / f"{FILLER}s", ignore_errors=True)

    def others_can_write(self) -> bool:
        """Tell whether a user's shell, or the server's log, can still write a file."""
        file = self.point / "a-users-file"
        try:
            with file.open("wb", buffering=0) as stream:
                written = stream.write(bytes(1 << 16))
                os.fsync(stream.fileno())
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                file.unlink()
        return written == 1 << 16


def call(*command: str) -> str:
    """Run a program of the system and return what it says.

    Raises
    ------
    CannotMountError
        When it is missing or fails.
    """
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as exc:
        raise CannotMountError(f"{command[0]} is not installed.") from exc
    except subprocess.CalledProcessError as exc:
        told = exc.stderr.strip().splitlines() or ["no reason given"]
        raise CannotMountError(f"{command[0]} failed: {told[0]}") from exc
    return done.stdout


@contextlib.contextmanager
def small_disk(
    place: Path,
    kilobytes: int = 24_000,
    kind: str = "ext4",
    options: Optional[Sequence[str]] = None,
) -> Iterator[SmallDisk]:
    """Lend a `SmallDisk`.

    Raises
    ------
    CannotMountError
        When this machine does not let us.
    """
    disk = SmallDisk(place, kilobytes, kind, options or ())
    try:
        yield disk
    finally:
        disk.remove()
