"""Smaller pictures of frames, kept as long as there are few and the disk has room.

They lie in the run's folder, so that they go when it goes, and are made again when they
are asked for again.
"""

import contextlib
import threading
from pathlib import Path
from typing import Dict, Optional

import cv2

from openflexure_timelapse.errors import DamagedRunError, StorageError
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.movie.stills import decoded
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.quality import size_of
from openflexure_timelapse.store import layout
from openflexure_timelapse.store.fence import (
    LARGEST_FRAME_BYTES,
    is_inside,
    read_at_most,
)

__all__ = ["Previews"]

WIDTHS = (160, 320, 640, 1280)
QUALITY = 80
MOST = 1000
"""Kept for a run: about 100 MB of the largest, 10 MB of what the page shows."""

LOOK_EACH = 100
"""After so many new ones the oldest go."""


class Previews:
    """Makes previews and keeps them.

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

    def file(self, folder: Path, frame: Frame, width: Optional[int]) -> Path:
        """Return the file of a picture that is at least so wide: a preview, or all.

        Parameters
        ----------
        folder : Path
            Of the run.
        frame : Frame
            One whose file is there.
        width : int or None
            In pixels; the next larger of 160, 320, 640 and 1280 is made.

        Raises
        ------
        DamagedRunError
            When the frame cannot be decoded.
        """
        original = folder / frame.file
        fitting = [size for size in WIDTHS if width and size >= width]
        if not fitting or fitting[0] >= frame.draft.width:
            return original
        preview = folder / layout.PREVIEWS / f"{frame.n}_w{fitting[0]}.jpeg"
        if _is_there(folder, preview):
            return preview
        with self._lock:
            if _is_there(folder, preview):
                return preview
            return self._made_of(original, preview)

    def _made_of(self, original: Path, preview: Path) -> Path:
        """Make a preview; return the frame's own file when the disk takes none."""
        width = int(preview.stem.rpartition("_w")[2])
        content = _smaller(original, width)
        try:
            self._disk.make_folder(str(preview.parent))
            self._disk.write(str(preview), content)
        except StorageError:
            return original
        made = self._made.get(preview.parent, 0)
        self._made[preview.parent] = made + 1
        if made % LOOK_EACH == 0:
            _forget_old(preview.parent)
        return preview


def _is_there(folder: Path, preview: Path) -> bool:
    """Tell whether a preview has been made, by us."""
    return preview.is_file() and is_inside(folder, preview)


def _smaller(original: Path, width: int) -> bytes:
    """Return a smaller picture as JPEG."""
    jpeg = read_at_most(original, LARGEST_FRAME_BYTES)
    size = size_of(jpeg)
    picture = None if size is None else decoded(jpeg, size[0] // width)
    if picture is None:
        message = f"{original.name} cannot be decoded; "
        raise DamagedRunError(message + "run verify to see what else is damaged.")
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpeg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return bytes(encoded.tobytes())


def _forget_old(folder: Path) -> None:
    """Remove the oldest, so that `MOST` stay."""
    with contextlib.suppress(OSError):  # the run is being deleted, or the card is out
        kept = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        for file in kept[:-MOST]:
            file.unlink()
