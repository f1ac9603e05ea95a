"""How a still is had from server v3's camera: the best way that the camera offers.

The server saves into files, and hands out every file of its data folders to everybody.
So a still passes through a folder of its own, in memory where the machine has such, and
leaves nothing behind; only where the host gives a path does it pass through that.
"""

import itertools
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.v3_features import accepts, offers

__all__ = ["Stills", "bytes_of"]

IN_MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made in it
PREFIX = ".timelapse-"
SUFFIX = ".jpeg"
BY_PATH = "capture_and_save_to_path"
BY_MEMORY = ("capture_to_memory", "save_from_memory")


class _OwnPath:
    """A path as the server's camera uses it, outside of every data folder.

    Parameters
    ----------
    path : str
        Absolute.
    """

    save_location_set = True

    def __init__(self, path: str) -> None:
        self.abs_data_path = path

    @property
    def posixpath(self) -> str:
        """The path with slashes."""
        return Path(self.abs_data_path).as_posix()

    def set_saving_thing_if_unset(self, thing: Any) -> None:
        """Stay where it is."""


class Stills:
    """Takes stills, one at a time.

    Parameters
    ----------
    camera : object
        As `v3_protocols.CameraThing` says, or without some of it.
    make_path : callable or None
        Returns the server's kind of path for a file name; None: we make one.

    Attributes
    ----------
    knows_modes : bool
        False when all that the camera offers is a frame of its live view.
    """

    def __init__(
        self, camera: Any, make_path: Optional[Callable[[str], Any]] = None
    ) -> None:
        self._camera = camera
        self._make_path = make_path
        self._numbers = itertools.count()
        self._has_tidied = False
        self.knows_modes = offers(camera, BY_PATH) or offers(camera, *BY_MEMORY)

    def take(self, mode: str) -> bytes:
        """Take a still and return it as it was saved.

        Called while the lock is held: between the two halves of a still another user
        could take the picture away.

        Raises
        ------
        HardwareError
            When nothing was saved. What the camera raises passes through.
        """
        if not self.knows_modes:
            return self.frame("main")
        with self._path() as path:
            if offers(self._camera, BY_PATH):
                self._camera.capture_and_save_to_path(path, capture_mode=mode)
            else:
                number = self._camera.capture_to_memory(capture_mode=mode)
                self._camera.save_from_memory(path=path, buffer_id=number)
            return _read(path.abs_data_path)

    def frame(self, stream: str) -> bytes:
        """Return the next frame of the live view, ``main`` or ``lores``."""
        named = accepts(self._camera, "grab_jpeg", "stream_name")
        how = {"stream_name": stream} if named else {}
        return bytes_of(self._camera.grab_jpeg(**how))

    @contextmanager
    def _path(self) -> Iterator[Any]:
        """Make a path for one file, and remove the file whatever happens.

        Each has its own name: a call that hung may save its file during a later one,
        and removes it when it returns.
        """
        name = f"{PREFIX}{os.getpid()}-{next(self._numbers)}{SUFFIX}"
        if self._make_path is None:
            with _own_folder() as folder:
                yield _OwnPath(str(Path(folder, name)))
            return
        path = self._make_path(name)
        self._tidy(Path(path.abs_data_path).parent)
        try:
            yield path
        finally:
            with suppress(FileNotFoundError):
                Path(path.abs_data_path).unlink()

    def _tidy(self, folder: Path) -> None:
        """Remove, once, what a process left behind that was killed at a still."""
        if self._has_tidied:
            return
        self._has_tidied = True
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{PREFIX}*{SUFFIX}"):
            left.unlink()


def bytes_of(blob: Any) -> bytes:
    """Return what is in a blob of ``labthings_fastapi``, or in bytes.

    Raises
    ------
    HardwareError
        When it is neither.
    """
    if isinstance(blob, (bytes, bytearray)):
        return bytes(blob)
    if hasattr(blob, "content"):
        return bytes(blob.content)
    if hasattr(blob, "save"):
        with _own_folder() as folder:
            path = str(Path(folder, f"blob{SUFFIX}"))
            blob.save(path)
            return _read(path)
    message = f"The camera delivered a {type(blob).__name__} and no picture; "
    raise HardwareError(message + "update the microscope's server.")


@contextmanager
def _own_folder() -> Iterator[str]:
    """Make a folder that nobody else sees, and remove it with all that is in it."""
    in_memory = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="timelapse-", dir=in_memory)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read(path: str) -> bytes:
    """Return what is in a file that the camera should have written."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        data = b""
    if not data:
        message = "The camera saved no picture; check the microscope server's log."
        raise HardwareError(message)
    return data
