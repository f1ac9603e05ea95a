"""Stored frames as pictures: read, checked, decoded, a little ahead of their use.

A file that is missing, cut short or no picture becomes a shot without a picture, with
the reason; the timeline then treats its slot as a gap. libjpeg and ffmpeg would both
show a truncated JPEG without complaint.
"""

import io
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Callable, Deque, Iterable, Iterator, Optional, Sequence, Tuple

import cv2
import numpy as np
from PIL import Image

from openflexure_timelapse.movie.filters import Picture, Size, content_size, fit
from openflexure_timelapse.movie.timeline import MovieFrame, Shot
from openflexure_timelapse.quality import inspect, is_whole
from openflexure_timelapse.store.fence import LARGEST_FRAME_BYTES, read_at_most

__all__ = ["Fuse", "Loader", "Still", "decoded", "first_size"]

PutRight = Callable[[int, Picture], Picture]
Fuse = Callable[[Iterable[Picture]], Picture]

AHEAD = 2
DAMAGED = "damaged file"
MISSING = "missing file"
DECODERS_FILL = 128
REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
    (1, cv2.IMREAD_COLOR),
)


@dataclass(frozen=True)
class Still:
    """A picture that can be shown.

    Attributes
    ----------
    size : (int, int)
        Of the stored frame.
    jpeg : bytes
        The file; empty once decoded.
    pixels : array of uint8 or None
        The picture in the movie's size; None while it is only bytes.
    slot : int
        Of the frame.
    """

    size: Size
    jpeg: bytes
    pixels: Optional[Picture]
    slot: int


def _as_it_is(_: int, picture: Picture) -> Picture:
    """Return the picture."""
    return picture


class Loader:
    """Turns frames into shots.

    Parameters
    ----------
    canvas : (int, int)
        The movie's size.
    keep_jpeg : Size or None
        Frames of this size stay bytes; None decodes every frame.
    put_right : callable
        Is given a slot and its picture in the movie's size, and returns what is shown.
    fuse : callable or None
        Makes one picture of the planes of a visit; None where there is one.
    """

    def __init__(
        self,
        canvas: Size,
        keep_jpeg: Optional[Size] = None,
        put_right: PutRight = _as_it_is,
        fuse: Optional[Fuse] = None,
    ) -> None:
        self._canvas = canvas
        self._keep_jpeg = keep_jpeg
        self._put_right = put_right
        self._fuse = fuse

    def shots(self, frames: Iterable[MovieFrame]) -> Iterator[Shot[Still]]:
        """Yield a shot for each frame, in order, a few loaded ahead in a thread."""
        waiting: Deque["Future[Shot[Still]]"] = deque()
        with ThreadPoolExecutor(max_workers=1) as pool:
            try:
                for frame in frames:
                    waiting.append(pool.submit(self.load, frame))
                    if len(waiting) > AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def load(self, frame: MovieFrame) -> Shot[Still]:
        """Read one frame; one that cannot be shown says why."""
        if self._fuse is not None:
            return self._fused(frame)
        jpeg, size, problem = _read(frame.path)
        if size is None:
            return Shot(frame, None, problem)
        if size == self._keep_jpeg:
            return Shot(frame, Still(size, jpeg, None, frame.slot))
        pixels = self.decode(jpeg, size)
        if pixels is None:
            return Shot(frame, None, DAMAGED)
        shown = self._put_right(frame.slot, pixels)
        return Shot(frame, Still(size, b"", shown, frame.slot))

    def _fused(self, frame: MovieFrame) -> Shot[Still]:
        """Read the planes of a visit as one picture."""
        size, pixels, problem = self.picture((frame.path, *frame.planes))
        if size is None or pixels is None:
            return Shot(frame, None, problem)
        shown = self._put_right(frame.slot, pixels)
        return Shot(frame, Still(size, b"", shown, frame.slot))

    def picture(
        self, paths: Sequence[str]
    ) -> "Tuple[Optional[Size], Optional[Picture], str]":
        """Return the size and the picture of a visit; without them, what is wrong.

        Parameters
        ----------
        paths : sequence of str
            Of its planes. One that cannot be shown, or of another size than the first,
            is left out; only one is decoded at a time.
        """
        size: Optional[Size] = None
        problem = MISSING

        def whole() -> Iterator[Picture]:
            nonlocal size, problem
            for path in paths:
                jpeg, found, told = _read(path)
                size = size or found
                if found is None:
                    problem = told
                elif found == size:
                    pixels = self.decode(jpeg, found)
                    problem = DAMAGED
                    if pixels is not None:
                        yield pixels

        pictures = whole()
        first = next(pictures, None)
        if first is None or self._fuse is None:
            return size, first, problem
        return size, self._fuse(chain((first,), pictures)), ""

    def decode(self, jpeg: bytes, size: Size) -> Optional[Picture]:
        """Return the picture in the movie's size; None when it does not decode.

        A JPEG that is to become smaller is decoded smaller, which saves time; the
        decoder's reduction is an average over whole pixels, as scaling by area is.
        The picture is taken as it is stored: an EXIF orientation turns nothing. One
        whose last pixel looks like the decoder's fill for lost data is inspected.
        """
        content = content_size(size, self._canvas)
        smaller = min(size[0] // content[0], size[1] // content[1])
        picture = decoded(jpeg, smaller)
        if picture is None:
            return None
        filled = bool((picture[-1, -1] == DECODERS_FILL).all())
        if filled and not inspect(jpeg).complete:
            return None
        return fit(picture, self._canvas)


def decoded(jpeg: bytes, smaller: int) -> Optional[Picture]:
    """Return a JPEG's picture, at a half, a quarter or an eighth if it may be smaller.

    Parameters
    ----------
    jpeg : bytes
        That `quality.size_of` knows the size of: it is decoded whole.
    smaller : int
        So many times smaller it may be.
    """
    flags = next(way for factor, way in REDUCED if factor <= max(smaller, 1))
    data = np.frombuffer(jpeg, np.uint8)
    try:
        picture = cv2.imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:  # a header with an absurd size
        return None
    return None if picture is None else np.asarray(picture, dtype=np.uint8)


def first_size(frames: Iterable[MovieFrame]) -> Optional[Size]:
    """Return the width and height of the first frame that is whole; None for none."""
    for frame in frames:
        for path in frame.files:
            _, size, _ = _read(path)
            if size is not None:
                return size
    return None


def _read(path: str) -> "tuple[bytes, Optional[Size], str]":
    """Return a file's bytes and size; without a size, what is wrong with it."""
    try:
        jpeg = read_at_most(Path(path), LARGEST_FRAME_BYTES)
    except FileNotFoundError:
        return b"", None, MISSING
    except OSError as exc:
        return b"", None, f"file not readable: {exc.strerror}"
    if len(jpeg) > LARGEST_FRAME_BYTES or not is_whole(jpeg):
        return b"", None, DAMAGED
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as picture:
            return jpeg, picture.size, ""
    except (OSError, SyntaxError, ValueError):
        return b"", None, DAMAGED
