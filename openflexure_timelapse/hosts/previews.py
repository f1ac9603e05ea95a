"""Smaller pictures of frames, kept as long as there are few and the disk has room.

They lie in the run's folder, so that they go when it goes, and are made again when they
are asked for again.
"""

import contextlib
from pathlib import Path
from typing import Optional

import cv2

from openflexure_timelapse.errors import DamagedRunError, StorageError
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.ports import Disk

__all__ = ["Previews"]

WIDTHS = (160, 320, 640, 1280)
QUALITY = 80
FOLDER = "previews"
MOST = 1000
"""Kept for a run: about 100 MB of the largest, 10 MB of what the page shows."""


class Previews:
    """Makes previews and keeps them.

    Parameters
    ----------
    disk : Disk
        Writes them.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

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
        preview = folder / FOLDER / f"{frame.n}_w{fitting[0]}.jpeg"
        if preview.is_file():
            return preview
        content = _smaller(original, fitting[0])
        try:
            self._disk.make_folder(str(preview.parent))
            self._disk.write(str(preview), content)
        except StorageError:
            return original  # a disk that takes no preview still shows the frame
        _forget_old(preview.parent)
        return preview


def _smaller(original: Path, width: int) -> bytes:
    """Return a smaller picture as JPEG."""
    picture = cv2.imread(str(original), cv2.IMREAD_COLOR)
    if picture is None:
        message = f"{original.name} cannot be decoded; "
        raise DamagedRunError(message + "run verify to see what else is damaged.")
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpeg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return bytes(encoded.tobytes())


def _forget_old(folder: Path) -> None:
    """Remove the oldest quarter when there are more than `MOST`."""
    with contextlib.suppress(OSError):  # another request forgets them at this moment
        kept = list(folder.iterdir())
        if len(kept) <= MOST:
            return
        kept.sort(key=lambda file: file.stat().st_mtime_ns)
        for file in kept[: len(kept) - MOST * 3 // 4]:
            file.unlink()
