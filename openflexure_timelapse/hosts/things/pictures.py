"""Pictures that were taken: in memory, and as files with metadata.

JPEG data as a camera made them are saved as they are, with the metadata put in; pixels
are encoded as the OpenFlexure server does.
"""

import io
import json
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Dict, Mapping, NamedTuple, Optional

import labthings_fastapi as lt
import numpy as np
import piexif
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "CaptureError",
    "Memory",
    "NoImageInMemoryError",
    "Picture",
    "as_array",
    "read_jpeg",
    "save",
    "taken_at",
]

JPEG_SUFFIXES = (".jpeg", ".jpg")
QUALITY = {"quality": 95, "subsampling": 0}
END = b"\xff\xd9"


class CaptureError(RuntimeError):
    """The camera gave no picture, however often it was asked."""


class NoImageInMemoryError(RuntimeError):
    """The memory holds no such picture."""


class Picture(NamedTuple):
    """A picture that was taken and not saved yet.

    Attributes
    ----------
    image : Image.Image or bytes
        Its pixels; or JPEG data, whole or cut off, which are not encoded again.
    metadata : mapping
        Of `taken_at`.
    mode : str
        The one that was asked for, even if the camera has none of that name.
    """

    image: Any
    metadata: Mapping[str, Any]
    mode: str


class Memory:
    """Pictures by number, in the order in which they were taken."""

    def __init__(self) -> None:
        self._pictures: Dict[int, Picture] = {}
        self._last = 0

    def add(self, picture: Picture, buffer_max: int) -> int:
        """Keep a picture, drop all but the last `buffer_max` and return its number."""
        self._last += 1
        self._pictures[self._last] = picture
        for number in list(self._pictures)[: -max(1, buffer_max)]:
            del self._pictures[number]
        return self._last

    def take(self, number: Optional[int]) -> Picture:
        """Return a picture and drop it; with None the newest, and drop all.

        Raises
        ------
        NoImageInMemoryError
            When it is not there.
        """
        number_or_last = max(self._pictures, default=0) if number is None else number
        picture = self._pictures.pop(number_or_last, None)
        if picture is None:
            raise NoImageInMemoryError("There is no such picture in the memory.")
        if number is None:
            self.clear()
        return picture

    def clear(self) -> None:
        """Drop all pictures."""
        self._pictures.clear()


def read_jpeg(jpeg: bytes) -> Any:
    """Return the pixels of a JPEG; the bytes themselves when they were cut off.

    Parameters
    ----------
    jpeg : bytes
        As a camera gave it.
    """
    if not jpeg.endswith(END):
        return jpeg
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    return image


def as_array(image: Any) -> NDArray[np.uint8]:
    """Return rows, columns and RGB.

    Raises
    ------
    OSError
        For a picture that was cut off.
    """
    if isinstance(image, bytes):
        raise OSError("The picture was cut off.")
    return np.array(image, np.uint8)


def taken_at(wall_ns: int, states: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of a picture; they are made before its exposure.

    Parameters
    ----------
    wall_ns : int
        Unix time in nanoseconds.
    states : mapping
        The states of all Things, by name.
    """
    return {
        "taken": datetime.fromtimestamp(wall_ns / 1e9).astimezone(),
        "states": states,
    }


def save(picture: Picture, path: str, size: Any) -> None:
    """Write a picture under another name, with its metadata, and rename it.

    Parameters
    ----------
    picture : Picture
        What to save.
    path : str
        Where; the suffix says the format.
    size : (int, int) or None
        In pixels; None for that of the picture.

    Raises
    ------
    OSError
        Whatever went wrong, which is the error's cause.
    """
    image = picture.image
    pending = ""
    try:
        with NamedTemporaryFile(
            dir=Path(path).parent, suffix=".pending", delete=False
        ) as file:
            pending = file.name
        _write(_sized(image, path, size), path, pending, picture.metadata)
        lt.raise_if_cancelled()
        Path(pending).replace(path)
    except Exception as exc:  # the one kind that OpenFlexure's server raises here
        raise OSError(f"An error occurred while saving {path}") from exc
    finally:
        with suppress(OSError):
            Path(pending).unlink()


def _sized(image: Any, path: str, size: Any) -> Any:
    """Return JPEG data as they are if they can stay, else pixels of the size."""
    if isinstance(image, bytes):
        if size is None and Path(path).suffix.lower() in JPEG_SUFFIXES:
            return image
        image = read_jpeg(image)
    if size is not None and not isinstance(image, bytes) and image.size != size:
        image = image.resize(size, Image.Resampling.BOX)
    return image


def _write(image: Any, path: str, pending: str, metadata: Mapping[str, Any]) -> None:
    """Write a picture into a file; only a whole JPEG has metadata."""
    if isinstance(image, bytes):
        Path(pending).write_bytes(image)
        if image.endswith(END):
            piexif.insert(piexif.dump(_exif(**metadata)), pending)
        return
    suffix = Path(path).suffix.lower()
    is_jpeg = suffix in JPEG_SUFFIXES
    format_name = Image.registered_extensions()[suffix]
    image.save(pending, format=format_name, **(QUALITY if is_jpeg else {}))
    if is_jpeg:
        piexif.insert(piexif.dump(_exif(**metadata)), pending)


def _exif(taken: datetime, states: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the EXIF block: whole seconds of local time, and all states as JSON."""
    moment = taken.strftime("%Y:%m:%d %H:%M:%S")
    ahead = taken.utcoffset() or timedelta()
    hours, minutes = divmod(abs(int(ahead.total_seconds())) // 60, 60)
    offset = f"{'-' if ahead < timedelta() else '+'}{hours:02d}:{minutes:02d}"
    return {
        "0th": {
            piexif.ImageIFD.DateTime: moment,
            piexif.ImageIFD.Make: "OpenFlexure",
            piexif.ImageIFD.Model: "OpenFlexure Microscope",
        },
        "Exif": {
            piexif.ExifIFD.DateTimeOriginal: moment,
            piexif.ExifIFD.DateTimeDigitized: moment,
            piexif.ExifIFD.OffsetTimeOriginal: offset,
            piexif.ExifIFD.OffsetTimeDigitized: offset,
            piexif.ExifIFD.UserComment: json.dumps(states).encode("utf-8"),
        },
    }
