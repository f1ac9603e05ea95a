"""Smaller pictures of frames: made for whoever asks first, and not kept for ever."""

import contextlib
import os
import threading
from pathlib import Path
from typing import Dict

import cv2

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.store.disk import storage_error

__all__ = ["Previews"]

PREVIEWS = "previews"
QUALITY = 80
KEPT = 1000
LOOK_EACH = 100
"""After so many new ones in a run's folder the oldest go."""


class Previews:
    """The pictures beside the frames of runs.

    One is made at a time: a hundred browsers that want the newest frame make it once,
    and leave the processor to the capture.

    Parameters
    ----------
    disk : Disk
        Writes them.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._lock = threading.Lock()
        self._made: Dict[Path, int] = {}

    def file(self, run: Path, n: int, original: Path, width: int) -> Path:
        """Return the picture of frame `n` that is `width` pixels wide.

        Parameters
        ----------
        run, original : Path
            The run's folder, and the frame's file.

        Raises
        ------
        DamagedRunError
            When the frame cannot be decoded.
        DiskFullError, StorageError
            When the picture could not be written.
        """
        preview = run / PREVIEWS / f"{n}_w{width}.jpeg"
        if preview.is_file():
            return preview
        with self._lock:
            if not preview.is_file():
                self._make_room(preview.parent)
                self._make(original, preview, width)
        return preview

    def _make_room(self, folder: Path) -> None:
        """Make the folder, and let the oldest pictures go from time to time."""
        self._disk.make_folder(str(folder))
        made = self._made.get(folder, 0)
        self._made[folder] = made + 1
        if made % LOOK_EACH:
            return
        try:
            with os.scandir(str(folder)) as entries:
                found = [(each.stat().st_mtime_ns, each.path) for each in entries]
            for _, path in sorted(found)[:-KEPT]:
                with contextlib.suppress(FileNotFoundError):
                    Path(path).unlink()
        except OSError as exc:
            raise storage_error(exc, "tidy", folder) from exc

    def _make(self, original: Path, preview: Path, width: int) -> None:
        """Write a smaller picture of `original`."""
        picture = cv2.imread(str(original), cv2.IMREAD_COLOR)
        if picture is None:
            message = f"{original.name} cannot be decoded; "
            raise DamagedRunError(message + "run verify to see what else is damaged.")
        height = max(1, round(picture.shape[0] * width / picture.shape[1]))
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        _, encoded = cv2.imencode(".jpeg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        self._disk.write(str(preview), encoded.tobytes())
