"""Copies of frames for those who take pictures: upright, 8 bits, not too large.

Where a frame is all that already, its compressed image is copied as it is. The frame's
own file is only read.
"""

import io
from dataclasses import dataclass
from typing import Optional

import numpy as np
from PIL import Image, ImageOps

from openflexure_timelapse.errors import IncompleteImageError, ShareError
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.movie.filters import (
    Size,
    blend,
    scale_bar,
    scale_bar_sprite,
    text_size_px,
)
from openflexure_timelapse.share.image_metadata import ImageMetadata, with_metadata
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.store.exif import is_whole_jpeg
from openflexure_timelapse.store.fence import (
    LARGEST_FRAME_BYTES,
    is_inside,
    read_at_most,
)

__all__ = [
    "Limits",
    "image_copy",
    "largest_copy_bytes",
    "read_frame",
    "scale_bar_copy",
]

QUALITIES = (92, 85, 70)
ORIENTATION = 0x0112
MARGIN_PER_TEXT = 0.8
METADATA_BYTES = 2 * 65_536
"""Two segments of a JPEG, EXIF and XMP, have no more."""
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Limits:
    """What a picture may measure.

    Attributes
    ----------
    side_px : int
        Its longer side, at most.
    size_bytes : int or None
        Its file, at most; None for any size.
    """

    side_px: int
    size_bytes: Optional[int] = None

    def hold(self, size: Size, size_bytes: int) -> bool:
        """Tell whether a picture is small enough."""
        light = self.size_bytes is None or size_bytes <= self.size_bytes
        return light and max(size) <= self.side_px


def largest_copy_bytes(subject: Subject, order: ShareOrder) -> int:
    """Return how large a copy may become: a byte for each pixel, and its metadata."""
    last = subject.reader.last_frame(order.position)
    if last is None:
        return 0
    pixels = last.draft.width * last.draft.height
    return max(pixels, last.size_bytes) + METADATA_BYTES


def read_frame(subject: Subject, frame: Frame) -> bytes:
    """Return the bytes of a frame's file.

    Raises
    ------
    ShareError
        When it cannot be read, is cut short, or lies outside of the run.
    """
    path = subject.path(frame)
    if not (path.is_file() and is_inside(subject.folder, path)):
        raise ShareError(_told(frame, "there is no such file in the run"))
    try:
        jpeg = read_at_most(path, LARGEST_FRAME_BYTES)
    except OSError as exc:
        raise ShareError(_told(frame, exc)) from exc
    if not is_whole_jpeg(jpeg):
        raise ShareError(_told(frame, "it is cut short"))
    return jpeg


def image_copy(
    jpeg: bytes, frame: Frame, metadata: ImageMetadata, limits: Limits
) -> bytes:
    """Return a copy of a frame that says what `metadata` says.

    Parameters
    ----------
    jpeg : bytes
        The frame's file.
    frame : Frame
        Which it is.
    metadata : ImageMetadata
        What to say.
    limits : Limits
        What the copy may measure.

    Raises
    ------
    ShareError
        When it is no picture, or cannot be made small enough.
    """
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            upright = image.getexif().get(ORIENTATION, 1) in {0, 1}
            plain = image.format == "JPEG" and image.mode == "RGB"
            size = image.size
        if plain and upright:
            copied = with_metadata(jpeg, metadata)
            if limits.hold(size, len(copied)):
                return copied
        picture = _pixels(jpeg)
        picture.thumbnail((limits.side_px, limits.side_px))
        for quality in QUALITIES:
            copied = with_metadata(_encoded(picture, quality), metadata, jpeg)
            if limits.hold(picture.size, len(copied)):
                return copied
    except (*UNREADABLE, IncompleteImageError) as exc:
        raise ShareError(_told(frame, exc)) from exc
    told = f"Frame {frame.n} does not become smaller than {limits.size_bytes} bytes; "
    raise ShareError(told + "choose another.")


def scale_bar_copy(
    jpeg: bytes,
    frame: Frame,
    metadata: ImageMetadata,
    limits: Limits,
    um_per_pixel: float,
) -> bytes:
    """Return a copy of a frame with a scale bar at the lower right.

    Parameters
    ----------
    jpeg, frame, metadata, limits
        As for `image_copy`.
    um_per_pixel : float
        Of the stored frame.

    Raises
    ------
    ShareError
        When it is no picture.
    """
    try:
        picture = _pixels(jpeg)
        width = picture.width
        picture.thumbnail((limits.side_px, limits.side_px))
        scale = um_per_pixel * width / picture.width
        # A grey bar on grey: it looks the same in RGB as in OpenCV's order.
        pixels = np.array(picture)
        size_px = text_size_px(picture.size)
        sprite = scale_bar_sprite(scale_bar(scale, picture.width), size_px)
        margin = round(MARGIN_PER_TEXT * size_px)
        x = max(0, picture.width - sprite.size[0] - margin)
        y = max(0, picture.height - sprite.size[1] - margin)
        blend(pixels, sprite, x, y)
        drawn = Image.fromarray(pixels)
        drawn.info["icc_profile"] = picture.info.get("icc_profile")
        return with_metadata(_encoded(drawn, QUALITIES[0]), metadata, jpeg)
    except (*UNREADABLE, IncompleteImageError) as exc:
        raise ShareError(_told(frame, exc)) from exc


def _pixels(jpeg: bytes) -> Image.Image:
    """Return the picture upright, in 8 bits of red, green and blue."""
    with Image.open(io.BytesIO(jpeg)) as image:
        profile = image.info.get("icc_profile") if image.mode == "RGB" else None
        turned = ImageOps.exif_transpose(image) or image
        picture = turned.convert("RGB")
    picture.info["icc_profile"] = profile
    return picture


def _encoded(picture: Image.Image, quality: int) -> bytes:
    """Return a picture as a JPEG; thin coloured lines stay sharp in it."""
    stream = io.BytesIO()
    profile = picture.info.get("icc_profile")
    picture.save(
        stream, "JPEG", quality=quality, subsampling=0, icc_profile=profile, exif=b""
    )
    return stream.getvalue()


def _told(frame: Frame, problem: object) -> str:
    """Return why there is no copy of a frame."""
    told = f"Frame {frame.n} ({frame.file}) cannot be read: {problem}; "
    return told + "run verify to see what else is damaged, or name other frames."
