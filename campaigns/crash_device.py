"""A block device that remembers every write and flush, under a real file system.

The device is a file of a small file system of our own (FUSE), as a loop device. What
the kernel's file system sends to it is kept in order, and so is what the program tells
in a second file beside it. It needs root, /dev/fuse, loop devices and mfusepy.

Started as ``python -m campaigns.crash_device FOLDER SIZE LOG``, it serves until it is
unmounted and then writes the log.
"""

import contextlib
import errno
import importlib.util
import os
import pickle
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

from campaigns.system_calls import Call

__all__ = ["DISK", "TOLD", "device", "missing", "mounted"]

DISK, TOLD = "disk", "told"
TOOLS = ("mkfs.ext4", "losetup", "mount", "umount", "fusermount3")
LARGEST_WRITE = 2**17
READY_S = 10.0


def missing() -> str:
    """Return what this machine lacks or does not permit; empty for nothing."""
    if os.geteuid() != 0:
        return "root, to mount"
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    absent += [path for path in ("/dev/fuse", "/dev/loop-control") if not _is(path)]
    if importlib.util.find_spec("mfusepy") is None:
        absent.append("mfusepy")
    return ", ".join(absent)


def _is(path: str) -> bool:
    return Path(path).exists()


@contextlib.contextmanager
def device(work: Path, size: int) -> Iterator[Path]:
    """Serve a device of `size` bytes, for the block; the log is then in ``work/log``.

    Yields
    ------
    Path
        The folder with `DISK` and `TOLD`.
    """
    folder, log = work / "device", work / "log"
    folder.mkdir()
    command = [sys.executable, "-m", "campaigns.crash_device"]
    server = subprocess.Popen([*command, str(folder), str(size), str(log)])
    try:
        until = time.monotonic() + READY_S
        while not (folder / DISK).exists():
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError("The recording device did not start.")
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(timeout=0.05)
        yield folder
    finally:
        subprocess.run(["fusermount3", "-u", str(folder)], check=False)  # noqa: S607
        server.wait()


@contextlib.contextmanager
def mounted(image: Path, folder: Path, options: str = "") -> Iterator[Path]:
    """Mount a file as ext4 at a new folder, for the block; the journal is replayed."""
    folder.mkdir(exist_ok=True)
    loop = ",".join(filter(None, ["loop", options]))
    command = ["mount", "-t", "ext4", "-o", loop, str(image), str(folder)]
    subprocess.run(command, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


class _Files:
    """The two files, and the log."""

    def __init__(self, size: int, log: Path) -> None:
        self._content = {f"/{DISK}": bytearray(size), f"/{TOLD}": bytearray()}
        self._log = log
        self._calls: List[Call] = []

    def operations(self) -> Any:
        """Return them as FUSE wants them."""
        from mfusepy import FuseOSError, Operations  # noqa: PLC0415 (only on a device)

        files, calls, log = self._content, self._calls, self._log

        class _Operations(Operations):  # type: ignore[misc]
            use_ns = True

            def getattr(self, path: str, _fh: Any = None) -> Dict[str, int]:
                if path == "/":
                    return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
                if path not in files:
                    raise FuseOSError(errno.ENOENT)
                size = len(files[path])
                mode = stat.S_IFREG | 0o644
                return {"st_mode": mode, "st_nlink": 1, "st_size": size}

            def readdir(self, _path: str, _fh: int) -> List[str]:
                return [".", "..", DISK, TOLD]

            def read(self, path: str, size: int, offset: int, _fh: int) -> bytes:
                return bytes(files[path][offset : offset + size])

            def write(self, path: str, data: bytes, offset: int, _fh: int) -> int:
                files[path][offset : offset + len(data)] = data
                calls.append(Call("write", path[1:], offset=offset, data=bytes(data)))
                return len(data)

            def truncate(self, path: str, length: int, _fh: Any = None) -> int:
                del files[path][length:]
                return 0

            def fsync(self, path: str, _data: int, _fh: int) -> int:
                calls.append(Call("flush", path[1:], began=len(calls)))
                return 0

            def destroy(self, _path: str) -> None:
                log.write_bytes(pickle.dumps(calls))

        return _Operations()


def main(arguments: List[str]) -> None:
    """Serve until unmounted."""
    from mfusepy import FUSE  # noqa: PLC0415 (only on a device)

    folder, size, log = arguments
    files = _Files(int(size), Path(log))
    FUSE(files.operations(), folder, foreground=True, nothreads=True, direct_io=False)


if __name__ == "__main__":
    main(sys.argv[1:])
