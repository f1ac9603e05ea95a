"""Is this picture whole, and is it a good one? Pure decisions on bytes and pixels.

A JPEG that was cut short can still "decode": libjpeg fills what is missing with mid
grey and only warns, a warning that neither OpenCV nor Pillow passes on. `inspect`
therefore decides in three steps, each of which can only be passed by a whole picture:

1. the segments are walked from SOI through the coded data to the EOI that ends them
   (the EOI of a thumbnail inside EXIF does not count);
2. the picture is decoded at reduced scale;
3. where the last block came out as libjpeg's fill, or the data hold a stretch of
   zeros, the coded data are decoded again with other bytes at their end. A decoder
   that has its whole picture never reads beyond its end, and always up to it: any
   other behaviour proves that something is missing.

Two things stay unseen: a loss inside the very last block, and damage in the middle
that decodes to the right number of blocks, or to so many that under 2 kB are left over.
"""

import hashlib
import io
import re
import struct
from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from openflexure_timelapse.frame import Flag

__all__ = [
    "OUT_OF_MEMORY",
    "ImageFacts",
    "Neighbours",
    "decode_grey",
    "inspect",
    "is_whole",
    "judge",
    "laplacian_variance",
    "size_of",
]

Grey = NDArray[np.uint8]

SOI = b"\xff\xd8"
EOI = b"\xff\xd9"
START_OF_SCAN = 0xDA
END_OF_IMAGE = 0xD9
# Frame headers; C4, C8 and CC are other segments in the same range (ITU T.81, B.1).
FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# JFIF and Adobe say how colours are coded; every other APPn and COM is about people.
DROPPED_SEGMENTS = frozenset(range(0xE1, 0xEE)) | {0xEF, 0xFE}
# A marker, with any fill bytes before it, and its segment's length.
SEGMENT = re.compile(rb"\xff+([\x01-\xd8\xda-\xfe])(..)", re.DOTALL)
# Inside coded data 0xFF is followed by 00 (stuffing) or D0-D7 (restart); FF is fill.
SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
LIBJPEG_FILL = 128
ZEROS = bytes(64)
# Six blocks of 64 coefficients at up to 27 bits: cutting so much loses a whole one.
LARGEST_MCU_BYTES = 2048
# Any bytes without 0xFF, then the same between restart marks, which a picture that is
# coded in restart intervals looks for before it reads on.
PROBE = bytes(range(255)) * 8 + b"".join(
    bytes([0xFF, 0xD0 + index % 8, *range(255)]) for index in range(16)
)
PROBE += EOI

# More than any camera of a Raspberry Pi has; a damaged header may say 65535 x 65535.
MOST_PIXELS = 80_000_000
# A camera's has one, a progressive picture about ten. Each costs the decoder a walk
# through all pixels, and a few bytes in a file can ask for thousands.
MOST_SCANS = 100
# Sensor noise drowns fine detail in larger pictures: at about 400 pixels across the
# sharpness falls to a fifth over 4 um of defocus (simulated samples), at 800 to a half.
SMALLEST_WIDTH_PX = 300
LARGEST_REDUCTION = 8

FIELDS = (16, 16)
DARK_MEAN = 8.0
DARK_HIGHLIGHT = 16.0
BRIGHT_MEAN = 250.0
FEWEST_NEIGHBOURS = 5
BLURRED_RATIO = 0.5
BLURRED_DEVIATIONS = 5.0
# OpenCV has its own error for memory that it does not get.
OUT_OF_MEMORY = (MemoryError, cv2.error)
MAD_TO_SIGMA = 1.4826  # of a normal distribution


@dataclass(frozen=True)
class ImageFacts:
    """What is known of one picture.

    Attributes
    ----------
    complete : bool
        Whether every block of the picture is there.
    width, height : int
        Full size in pixels; 0 when the header was not found.
    mean_grey : float
        0 to 255; 0 when not complete.
    sharpness : float
        Variance of the Laplacian of the reduced grey image, in (grey levels)²;
        comparable only between pictures of one size. 0 when not complete.
    fingerprint : str
        Equal for equal pixels, whatever the metadata; empty when not complete or when
        all pixels are equal (two black frames are no repetition).
    problem : str
        What is wrong with the bytes; empty for a complete picture.
    highlight : float
        Mean grey of the brightest of 16 x 16 fields, 0 to 255; tells a dark-field
        picture, dark but for some specimens, from one without light.
    """

    complete: bool
    width: int
    height: int
    mean_grey: float
    sharpness: float
    fingerprint: str
    problem: str
    highlight: float = 0.0


@dataclass(frozen=True)
class Neighbours:
    """What the last frames of the same position and plane were like.

    Attributes
    ----------
    last_fingerprint : str
        Of the frame before; empty when there is none.
    recent_sharpness : tuple of float
        Of the last few frames (about ten), in any order.
    size : (int, int) or None
        Width and height in pixels that a frame should have: what the camera names for
        its mode, or else those of the first frame. None for that.
    """

    last_fingerprint: str = ""
    recent_sharpness: Tuple[float, ...] = ()
    size: Optional[Tuple[int, int]] = None


class _Parts(NamedTuple):
    """A JPEG taken apart: what the decoder needs, without comments and EXIF."""

    width: int
    height: int
    head: bytes
    scan: bytes
    tail: bytes
    problem: str


def inspect(jpeg: bytes) -> ImageFacts:
    """Look at a picture once and say what must be known of it.

    Parameters
    ----------
    jpeg : bytes
        As the camera delivered them; anything at all is allowed.

    Returns
    -------
    ImageFacts
        With `problem` set, and never an error, for bytes that are not a picture.
    """
    parts = _take_apart(jpeg)
    if parts.problem:
        return _incomplete(parts, parts.problem)
    reduction = _reduction(parts.width, SMALLEST_WIDTH_PX)
    grey, problem = _decode(parts, parts.tail, reduction)
    if grey is None:
        return _incomplete(parts, problem)
    low, high = int(grey.min()), int(grey.max())
    if grey[-1, -1] == LIBJPEG_FILL or ZEROS in parts.scan:
        problem = _misfit(parts, flat=low == high)
        if problem:
            return _incomplete(parts, problem)
    return ImageFacts(
        complete=True,
        width=parts.width,
        height=parts.height,
        mean_grey=float(grey.mean()),
        sharpness=laplacian_variance(grey),
        fingerprint="" if low == high else _fingerprint(grey),
        problem="",
        highlight=float(cv2.resize(grey, FIELDS, interpolation=cv2.INTER_AREA).max()),
    )


def judge(facts: ImageFacts, neighbours: Neighbours) -> Tuple[Flag, ...]:
    """Return what is wrong with a complete picture; empty for a good one.

    Blur is judged against the neighbours' median: the sharpness must be under half of
    it, and further below than five robust standard deviations, so that neither a
    steady scene nor a lively one gives false alarms.
    """
    flags = []
    if facts.mean_grey < DARK_MEAN and facts.highlight < DARK_HIGHLIGHT:
        flags.append(Flag.DARK)
    if facts.mean_grey > BRIGHT_MEAN:
        flags.append(Flag.BRIGHT)
    if facts.fingerprint and facts.fingerprint == neighbours.last_fingerprint:
        flags.append(Flag.REPEATED)
    if not flags and _is_blurred(facts.sharpness, neighbours.recent_sharpness):
        flags.append(Flag.BLURRED)
    if neighbours.size is not None and neighbours.size != (facts.width, facts.height):
        flags.append(Flag.WRONG_SIZE)
    return tuple(flags)


def is_whole(jpeg: bytes) -> bool:
    """Tell from the segments alone, without decoding, whether a JPEG was cut short.

    Enough for the pictures of a focus sweep, which are not kept.
    """
    return not _take_apart(jpeg).problem


def size_of(jpeg: bytes) -> Optional[Tuple[int, int]]:
    """Return width and height of a JPEG that is not cut short and not too large.

    From the segments alone, without decoding; None for anything else.
    """
    parts = _take_apart(jpeg)
    return None if parts.problem else (parts.width, parts.height)


def decode_grey(jpeg: bytes, smallest_width: Optional[int] = None) -> Optional[Grey]:
    """Decode a preview to grey.

    Parameters
    ----------
    jpeg : bytes
        Anything at all is allowed.
    smallest_width : int or None
        The picture is reduced by 2, 4 or 8 while it stays at least this wide, in
        pixels; None for full size.

    Returns
    -------
    array of uint8, shape (height, width), or None
        None when the bytes are cut short or are no JPEG.
    """
    parts = _take_apart(jpeg)
    if parts.problem:
        return None
    reduction = 1 if smallest_width is None else _reduction(parts.width, smallest_width)
    return _decode(parts, parts.tail, reduction)[0]


def laplacian_variance(grey: Grey) -> float:
    """Return the variance of the Laplacian in (grey levels)², larger is sharper."""
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0]) ** 2


def _is_blurred(sharpness: float, recent: Tuple[float, ...]) -> bool:
    """Compare in logarithms: a change of focus multiplies the sharpness."""
    if len(recent) < FEWEST_NEIGHBOURS:
        return False
    logs = np.log(np.maximum(np.asarray(recent, dtype=float), 1e-6))
    median = float(np.median(logs))
    deviation = MAD_TO_SIGMA * float(np.median(np.abs(logs - median)))
    drop = median - float(np.log(max(sharpness, 1e-6)))
    return drop > max(-float(np.log(BLURRED_RATIO)), BLURRED_DEVIATIONS * deviation)


def _reduction(width: int, smallest_width: int) -> int:
    """Return 1, 2, 4 or 8: how much smaller the picture is looked at."""
    reduction = 1
    while reduction < LARGEST_REDUCTION and width // (reduction * 2) >= smallest_width:
        reduction *= 2
    return reduction


def _fingerprint(grey: Grey) -> str:
    """Return a name for these pixels; noise makes it new for every exposure."""
    return hashlib.blake2b(grey.tobytes(), digest_size=16).hexdigest()


def _incomplete(parts: _Parts, problem: str) -> ImageFacts:
    """Return the facts of something that is not a frame."""
    return ImageFacts(
        complete=False,
        width=parts.width,
        height=parts.height,
        mean_grey=0.0,
        sharpness=0.0,
        fingerprint="",
        problem=problem,
    )


def _misfit(parts: _Parts, *, flat: bool) -> str:
    """Return how the coded data do not fit the picture; empty when they do.

    A picture of one single grey may be coded by tables that can say nothing else; then
    other bytes at the end change nothing, and nothing is lost when they are missing.
    """
    whole, _ = _decode(parts, EOI, LARGEST_REDUCTION)
    longer, _ = _decode(parts, PROBE, LARGEST_REDUCTION)
    if whole is None or longer is None or not np.array_equal(whole, longer):
        return "the picture data end before the picture does"
    cut = parts._replace(scan=parts.scan[:-LARGEST_MCU_BYTES].rstrip(b"\xff"))
    shorter, _ = _decode(cut, PROBE, LARGEST_REDUCTION)
    if not flat and shorter is not None and np.array_equal(whole, shorter):
        return "the picture ends before the picture data do"
    return ""


def _decode(parts: _Parts, tail: bytes, reduction: int) -> Tuple[Optional[Grey], str]:
    """Decode to grey at 1/reduction scale; None and a sentence when that fails."""
    source = io.BytesIO(parts.head + parts.scan + tail)
    try:
        with PillowImage.open(source, formats=("JPEG",)) as picture:
            if picture.mode not in ("L", "RGB"):
                return None, f"the picture has colours {picture.mode}, not grey or RGB"
            width, height = picture.width // reduction, picture.height // reduction
            picture.draft("L", (max(1, width), max(1, height)))
            return np.asarray(picture.convert("L"), dtype=np.uint8), ""
    except (OSError, SyntaxError, ValueError, IndexError, struct.error) as exc:
        return None, f"the picture does not decode: {exc}"


def _take_apart(jpeg: bytes) -> _Parts:
    """Walk the segments of a JPEG (ITU T.81, annex B) up to its EOI."""
    if jpeg[:2] != SOI:
        start = "nothing" if not jpeg else f"0x{jpeg[:2].hex()}"
        return _broken(f"the data begin with {start}, not with a JPEG's 0xffd8")
    kept: List[bytes] = [SOI]
    width = height = 0
    at = 2
    while True:
        found = SEGMENT.match(jpeg, at)
        if found is None:
            problem = f"the header breaks off at byte {at} of {len(jpeg)}"
            return _broken(problem, width, height)
        marker, end = found[1][0], found.start(2) + int.from_bytes(found[2], "big")
        if end > len(jpeg):
            problem = f"a header segment ends at byte {end}, the data at {len(jpeg)}"
            return _broken(problem, width, height)
        at = found.start(1) - 1
        if marker in FRAME_HEADERS:
            height = int.from_bytes(jpeg[at + 5 : at + 7], "big")
            width = int.from_bytes(jpeg[at + 7 : at + 9], "big")
        if marker not in DROPPED_SEGMENTS:
            kept.append(jpeg[at:end])
        at = end
        if marker == START_OF_SCAN:
            break
    if not 0 < width * height <= MOST_PIXELS:
        return _broken(f"the header says {width} x {height} pixels", width, height)
    return _take_scans(jpeg, at, (width, height), b"".join(kept))


def _take_scans(jpeg: bytes, at: int, size: Tuple[int, int], head: bytes) -> _Parts:
    """Find the end of the coded data, which is the EOI after the last scan."""
    end, scans = at, 1
    while True:
        found = SCAN_END.search(jpeg, end)
        if found is None:
            problem = f"the picture data are cut short: no end marker in {len(jpeg)}"
            return _broken(problem + " bytes", *size)
        end = found.start()
        if jpeg[end + 1] == END_OF_IMAGE:
            scan = jpeg[at:end].rstrip(b"\xff")
            return _Parts(size[0], size[1], head, scan, EOI, "")
        scans += jpeg[end + 1] == START_OF_SCAN
        if scans > MOST_SCANS:
            return _broken(f"the picture has more than {MOST_SCANS} scans", *size)
        # Tables or a further scan (progressive): skip the segment, go on in its data.
        length = int.from_bytes(jpeg[end + 2 : end + 4], "big")
        end += 2 + max(2, length)


def _broken(problem: str, width: int = 0, height: int = 0) -> _Parts:
    """Return what there is of something that is no whole JPEG."""
    return _Parts(width, height, b"", b"", b"", problem)
