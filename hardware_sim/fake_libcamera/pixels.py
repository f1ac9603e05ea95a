"""From a picture to the bytes of a stream's buffer, in the stream's format."""

import mmap
from typing import Any, Callable, Dict

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware_sim.fake_libcamera.configuration import StreamConfiguration
from hardware_sim.fake_libcamera.geometry import ColorSpace

__all__ = ["focus_measure", "paint"]

Pixels = NDArray[np.uint8]

BLACK_LEVEL = 64
"""Of ten bits, as the IMX219 has it."""
RAW_GAIN = 3.6
GAMMA = 2.2
FOM_SCALE = 16.0

SPANS = ((16, 235), (16, 240), (16, 240))
"""Values of a video for brightness and for both colours."""


def paint(picture: Pixels, stream: StreamConfiguration, descriptor: int) -> None:
    """Write a picture into a buffer.

    Parameters
    ----------
    picture : array of uint8, shape (height, width, 3)
        Blue first, of the stream's size.
    stream : StreamConfiguration
        Format and stride.
    descriptor : int
        Of the buffer's file.
    """
    name = str(stream.pixel_format)
    if name == "YUV420":
        space = stream.color_space
        is_full = space is None or space.range is ColorSpace.Range.Full
        rows = _yuv420(picture, stream.stride, is_full=is_full)
    else:
        rows = WRITERS[name](picture, stream.stride)
    with mmap.mmap(descriptor, stream.frame_size) as memory:
        memory[: len(rows)] = rows


def focus_measure(picture: Pixels) -> int:
    """Return a figure of merit for the focus: the strength of edges.

    It stands for libcamera's ``FocusFoM``, which the image processor counts over parts
    of the picture; the numbers are not the same.
    """
    grey = picture[::2, ::2, 1]
    return int(FOM_SCALE * float(np.mean(np.abs(cv2.Laplacian(grey, cv2.CV_16S)))))


def _padded(rows: NDArray[Any], stride: int) -> Pixels:
    """Return rows with their stride."""
    padded = np.zeros((rows.shape[0], stride), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded


def _yuv420(picture: Pixels, stride: int, *, is_full: bool) -> bytes:
    """Return brightness, then both colours at half the size.

    Over all 256 values, or over those of a video.
    """
    full = cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb)
    if not is_full:
        full = cv2.LUT(full, VIDEO)
    half = cv2.resize(full, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    planes = (
        _padded(full[:, :, 0], stride),
        _padded(half[:, :, 2], stride // 2),
        _padded(half[:, :, 1], stride // 2),
    )
    return b"".join(plane.tobytes() for plane in planes)


def _red_first(picture: Pixels, stride: int) -> bytes:
    """Return what is called BGR888: red at the lowest address."""
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return _padded(rgb.reshape(len(rgb), -1), stride).tobytes()


def _blue_first(picture: Pixels, stride: int) -> bytes:
    """Return what is called RGB888."""
    return _padded(picture.reshape(len(picture), -1), stride).tobytes()


def _red_first_padded(picture: Pixels, stride: int) -> bytes:
    """Return what is called XBGR8888."""
    rgba = cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA)
    return _padded(rgba.reshape(len(rgba), -1), stride).tobytes()


def _blue_first_padded(picture: Pixels, stride: int) -> bytes:
    """Return what is called XRGB8888."""
    bgra = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
    return _padded(bgra.reshape(len(bgra), -1), stride).tobytes()


def _mosaic(picture: Pixels) -> NDArray[np.uint16]:
    """Return what lies behind the colour filters, blue first, of ten bits."""
    linear = (picture / 255.0) ** GAMMA * (1023 - BLACK_LEVEL) / RAW_GAIN + BLACK_LEVEL
    mosaic = np.empty(picture.shape[:2], np.uint16)
    mosaic[0::2, 0::2] = linear[0::2, 0::2, 0]
    mosaic[0::2, 1::2] = linear[0::2, 1::2, 1]
    mosaic[1::2, 0::2] = linear[1::2, 0::2, 1]
    mosaic[1::2, 1::2] = linear[1::2, 1::2, 2]
    return mosaic


def _raw10_packed(picture: Pixels, stride: int) -> bytes:
    """Return four pixels in five bytes: the upper eight bits, then all lower ones."""
    mosaic = _mosaic(picture)
    fours = mosaic[:, : mosaic.shape[1] // 4 * 4].reshape(len(mosaic), -1, 4)
    packed = np.empty((*fours.shape[:2], 5), np.uint8)
    packed[:, :, :4] = fours >> 2
    low = fours & 3
    packed[:, :, 4] = (
        low[:, :, 0] | low[:, :, 1] << 2 | low[:, :, 2] << 4 | low[:, :, 3] << 6
    )
    return _padded(packed.reshape(len(mosaic), -1), stride).tobytes()


def _raw8(picture: Pixels, stride: int) -> bytes:
    """Return the upper eight bits."""
    return _padded((_mosaic(picture) >> 2).astype(np.uint8), stride).tobytes()


def _video() -> Pixels:
    """Return the value in a video of each full one, of brightness and both colours."""
    columns = [np.interp(np.arange(256), (0, 255), span) for span in SPANS]
    return np.rint(np.stack(columns, axis=1)).astype(np.uint8)[np.newaxis]


VIDEO = _video()

WRITERS: Dict[str, Callable[[Pixels, int], bytes]] = {
    "BGR888": _red_first,
    "RGB888": _blue_first,
    "XBGR8888": _red_first_padded,
    "XRGB8888": _blue_first_padded,
    "SBGGR8": _raw8,
    "SBGGR10_CSI2P": _raw10_packed,
}
