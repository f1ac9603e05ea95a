"""From a completed request to a JPEG: a copy while it is held, the rest afterwards."""

from typing import Any, NamedTuple, Tuple

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

__all__ = ["PictureCopy", "blank_bytes", "copy_of", "encode", "half_of"]

Bytes = NDArray[np.uint8]

START, END = b"\xff\xd8", b"\xff\xd9"


class PictureCopy(NamedTuple):
    """One stream's picture, in memory of our own.

    Attributes
    ----------
    data : array of uint8, shape (bytes,)
        As the camera wrote it.
    pixel_format : str
        ``YUV420`` or ``BGR888``.
    size : (int, int)
        In pixels.
    stride : int
        Bytes from row to row.
    """

    data: Bytes
    pixel_format: str
    size: Tuple[int, int]
    stride: int


def copy_of(request: Any, name: str) -> PictureCopy:
    """Return a copy of a stream's picture; the request may be given back then.

    Parameters
    ----------
    request : picamera2.CompletedRequest
        Held by the caller.
    name : str
        Of the stream.
    """
    told = request.config[name]
    size, stride = tuple(told["size"]), int(told["stride"])
    return PictureCopy(request.make_buffer(name), str(told["format"]), size, stride)


def encode(picture: PictureCopy, quality: int, *, halved: bool = False) -> bytes:
    """Return a picture as a JPEG.

    Parameters
    ----------
    picture : PictureCopy
        Over the full range of values, as a JPEG has it.
    quality : int
        1 to 100.
    halved : bool
        Whether each two by two pixels become one, their mean.

    Raises
    ------
    ValueError
        When the encoder failed or left out the end.
    """
    if picture.pixel_format == "YUV420":
        planes = _planes(picture)
        if halved:
            width, height = half_of(picture.size)
            small = (width // 2, height // 2)
            planes = (
                _resized(planes[0], (width, height)),
                _resized(planes[1], small),
                _resized(planes[2], small),
            )
        data = simplejpeg.encode_jpeg_yuv_planes(*planes, quality)
    else:
        pixels = _pixels(picture)
        if halved:
            pixels = _resized(pixels, half_of(picture.size))
        data = simplejpeg.encode_jpeg(pixels, quality, "RGB", "444")
    if not (data.startswith(START) and data.endswith(END)):
        raise ValueError(f"the encoder left {len(data)} bytes that are no whole JPEG")
    return bytes(data)


def _planes(picture: PictureCopy) -> Tuple[Bytes, Bytes, Bytes]:
    """Return brightness and the two colours, without the ends of the rows."""
    (width, height), stride = picture.size, picture.stride
    whole, part = height * stride, (height // 2) * (stride // 2)
    y = picture.data[:whole].reshape(height, stride)[:, :width]
    colours = picture.data[whole : whole + 2 * part]
    u, v = colours.reshape(2, height // 2, stride // 2)[:, :, : width // 2]
    return y, u, v


def _pixels(picture: PictureCopy) -> Bytes:
    """Return red, green and blue of each pixel, shape (height, width, 3)."""
    width, height = picture.size
    rows = picture.data[: height * picture.stride].reshape(height, picture.stride)
    return np.ascontiguousarray(rows[:, : 3 * width]).reshape(height, width, 3)


def blank_bytes(size: Tuple[int, int], quality: int) -> int:
    """Return the size of a JPEG of nothing but grey, as `encode` makes them of YUV420.

    Parameters
    ----------
    size : (int, int)
        In pixels.
    quality : int
        Of the JPEG.
    """
    width, height = size
    grey = np.full(width * height * 3 // 2, 128, np.uint8)
    return len(encode(PictureCopy(grey, "YUV420", size, width), quality))


def half_of(size: Tuple[int, int]) -> Tuple[int, int]:
    """Return half of a size, in even numbers of pixels."""
    return size[0] // 4 * 2, size[1] // 4 * 2


def _resized(pixels: Bytes, size: Tuple[int, int]) -> Bytes:
    """Return means of pixels."""
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
