"""The ffmpeg program: where it is, and the arguments for what we want of it.

Everything but `find_ffmpeg` is pure. The arguments work from ffmpeg 4.2 (inside
imageio-ffmpeg for Python 3.7) to 9.

Colours: a camera's JPEG is BT.601 in full range. The movie is BT.601 in limited range
and says so with all four tags; a file that leaves some of them out is shown up to
23/255 off by browsers (measured in Chromium).
"""

import os
import re
import shutil
from fractions import Fraction
from typing import Iterable, List, Optional, Sequence, Tuple

from openflexure_timelapse.errors import FfmpegMissingError

__all__ = [
    "count_frames",
    "counting_arguments",
    "find_ffmpeg",
    "joining",
    "jpeg_to_movie",
    "list_of",
    "parse_progress",
    "parse_repeated",
    "rate",
    "yuv_to_movie",
]

CHOICE = "IMAGEIO_FFMPEG_EXE"
LARGEST_DENOMINATOR = 1001
QUIET = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "error")
TAGS = "range=tv:colorspace=smpte170m:color_primaries=bt709:color_trc=bt709"
FULL_TO_LIMITED = (
    "scale=in_range=full:out_range=tv:in_color_matrix=bt601:out_color_matrix=bt601"
)
# ffmpeg pads to even by itself nowhere: H.264 refuses odd sizes.
EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0"
# ffmpeg's choice follows the processor, and in 4.2 so did the picture. As fast.
DECODER = ("-idct", "simple")
PROGRESS = re.compile(rb"frame=\s*(\d+)\s*\Z")
REPEATED = re.compile(rb"dup_frames=\s*(\d+)\s*\Z")


def find_ffmpeg() -> str:
    """Return the path of an ffmpeg program.

    The one inside imageio-ffmpeg comes first, since its version is known; it has none
    for some computers (32-bit ARM), where the PATH is searched.

    Raises
    ------
    FfmpegMissingError
        When neither has one, or the one that was chosen cannot be started.
    """
    try:
        import imageio_ffmpeg  # noqa: PLC0415 (0.1 s that only a movie needs)

        chosen = str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as exc:
        program = shutil.which("ffmpeg")
        if program is None:
            told = "There is no ffmpeg program; install Debian's package ffmpeg, "
            raise FfmpegMissingError(told + "or imageio-ffmpeg with pip.") from exc
        return program
    if shutil.which(chosen) is None:
        told = f"The ffmpeg program {chosen} is not there or may not be executed; "
        if os.environ.get(CHOICE):
            raise FfmpegMissingError(f"{told}correct or unset {CHOICE}.")
        raise FfmpegMissingError(told + "install imageio-ffmpeg again with pip.")
    return chosen


def rate(fps: float) -> Fraction:
    """Return a frame rate as ffmpeg wants it: 29.97 is 2997/100, never a rounding."""
    return Fraction(repr(fps)).limit_denominator(LARGEST_DENOMINATOR)


def jpeg_to_movie(
    program: str, fps: Fraction, target: Sequence[str], out: str
) -> List[str]:
    """Return the command that makes a movie of JPEG files on its standard input.

    Parameters
    ----------
    program : str
        From `find_ffmpeg`.
    fps : Fraction
        Frames per second.
    target : sequence of str
        The options of the codec, the container and what it says of itself.
    out : str
        Path of the file to write; replaced if it exists.
    """
    source = ("-noautorotate", *DECODER, "-f", "image2pipe", "-c:v", "mjpeg")
    chain = f"{EVEN},{FULL_TO_LIMITED},format=yuv420p,setparams={TAGS}"
    return [program, *QUIET, "-y", *source, *_to_movie(fps, chain, target, out)]


def yuv_to_movie(
    program: str,
    fps: Fraction,
    size: Tuple[int, int],
    target: Sequence[str],
    out: str,
) -> List[str]:
    """Return the command for raw planes on its standard input.

    Parameters
    ----------
    size : (int, int)
        Width and height, both even. The planes are Y, U and V of yuv420p, BT.601 in
        limited range; they go to the encoder as they are.
    program, fps, target, out
        As in `jpeg_to_movie`.
    """
    source = ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{size[0]}x{size[1]}")
    chain = f"setparams={TAGS}"
    return [program, *QUIET, "-y", *source, *_to_movie(fps, chain, target, out)]


def _to_movie(fps: Fraction, chain: str, target: Sequence[str], out: str) -> List[str]:
    """Return what both commands share: from the rate of the input to the file."""
    tags = ["-pix_fmt", "yuv420p", "-color_range", "tv", "-colorspace", "smpte170m"]
    tags += ["-color_primaries", "bt709", "-color_trc", "bt709"]
    picture = ["-framerate", str(fps), "-i", "pipe:0", "-an", "-vf", chain]
    return [*picture, *tags, *target, "-progress", "pipe:1", out]


def joining(program: str, source: str, said: Sequence[str], out: str) -> List[str]:
    """Return the command that copies segments, as they are, into one whole MP4.

    Parameters
    ----------
    program : str
        From `find_ffmpeg`.
    source : str
        Path of a list that names the segments' file, from `list_of`. Read directly,
        ffmpeg 4.2 would not know how long the last frame lasts.
    said : sequence of str
        The options of what the file says of itself.
    out : str
        Path of the file to write; replaced if it exists.
    """
    copies = (
        "-f",
        "concat",
        "-safe",
        "0",
        "-i",
        source,
        "-map",
        "0:v:0",
        "-c",
        "copy",
        *said,
    )
    return [
        *(program, *QUIET, "-y", *copies),
        *("-movflags", "+faststart", "-f", "mp4", out),
    ]


def list_of(path: str) -> str:
    """Return the list that names one file."""
    quoted = path.replace("'", "'\\''")
    return f"file '{quoted}'\n"


def counting_arguments(program: str, path: str) -> List[str]:
    """Return the command that reads a whole movie and prints a line for each frame.

    The frames are read, not decoded; `count_frames` counts the lines. Not by
    ``-progress``: ffmpeg 7.0 reports no frames there when it only copies.
    """
    reads = ["-i", path, "-map", "0:v:0", "-c", "copy", "-f", "framecrc"]
    return [program, *QUIET, *reads, "-"]


def count_frames(lines: Iterable[bytes]) -> int:
    """Return the number of frames in the lines that `counting_arguments` prints."""
    return sum(not line.startswith(b"#") for line in lines)


def parse_progress(line: bytes) -> Optional[int]:
    """Return the frame number in a line of ``-progress``, None for other lines."""
    found = PROGRESS.match(line)
    return None if found is None else int(found[1])


def parse_repeated(line: bytes) -> Optional[int]:
    """Return how many frames ffmpeg has shown twice; None for other lines.

    ffmpeg 7.0 fills the place of a frame that it cannot decode with the one before,
    so that counting the frames of the file alone does not tell.
    """
    found = REPEATED.match(line)
    return None if found is None else int(found[1])
