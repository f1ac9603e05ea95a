"""What a movie may be coded with: which encoder writes it, and how it is asked to.

`find_encoder` and `tools_of` look at this computer; everything else is pure. Presets
are for a small computer that is also recording: nearly the fastest of each codec.
"""

import subprocess
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, FrozenSet, List, Sequence, Tuple

from openflexure_timelapse.errors import FfmpegMissingError
from openflexure_timelapse.formats import CODEC_NAMES, CODECS, FORMAT_NAMES
from openflexure_timelapse.movie.ffmpeg import find_ffmpeg

if TYPE_CHECKING:  # half of the start of the process that makes a movie
    from openflexure_timelapse.recipe import Recipe

__all__ = ["coding", "container", "find_encoder", "parse_encoders", "tools_of"]

ENCODERS = {
    "h264": ("libx264",),
    "hevc": ("libx265",),
    "vp9": ("libvpx-vp9",),
    "av1": ("libsvtav1", "libaom-av1"),
}
# The number of threads must not show in the file: tiles are as many everywhere. Nor
# must the processor: x264's look ahead rounds as it pleases each one, unless told. HEVC
# is called hvc1, without which Apple's players do not take it; AV1 by libaom counted
# as experimental until ffmpeg 4.3.
OPTIONS = {
    "libx264": (
        *("-preset", "veryfast", "-threads", "4"),
        *("-x264-params", "cpu-independent=1"),
    ),
    "libx265": (
        *("-preset", "veryfast", "-tag:v", "hvc1"),
        *("-x265-params", "log-level=error:frame-threads=2"),
    ),
    "libvpx-vp9": (
        *("-b:v", "0", "-deadline", "good", "-cpu-used", "5"),
        *("-tile-columns", "2", "-row-mt", "0"),
    ),
    "libsvtav1": ("-preset", "10"),
    "libaom-av1": (
        *("-b:v", "0", "-cpu-used", "8", "-tiles", "2x1", "-row-mt", "0"),
        *("-strict", "experimental"),
    ),
}
CONTAINERS = {
    "mp4": ("-movflags", "+faststart", "-f", "mp4"),
    "webm": ("-f", "webm"),
}
LONGEST_LISTING_S = 30.0


def coding(encoder: str, crf: int) -> List[str]:
    """Return the options of an encoder."""
    return ["-c:v", encoder, *OPTIONS[encoder], "-crf", str(crf)]


def container(movie_format: str) -> List[str]:
    """Return the options of a file format, MP4 or WebM."""
    return list(CONTAINERS[movie_format])


def tools_of(recipe: "Recipe") -> Tuple[str, str]:
    """Return the ffmpeg for a recipe and the encoder in it; empty for none needed.

    Raises
    ------
    FfmpegMissingError
        When there is no ffmpeg program, or it lacks the codec.
    """
    if not recipe.coded:
        return "", ""
    program = find_ffmpeg()
    return program, find_encoder(program, recipe.format, recipe.coded)


def find_encoder(program: str, movie_format: str, codec: str) -> str:
    """Return the encoder that an ffmpeg has for a codec.

    H.264 is not looked up: nearly every ffmpeg has it, and says so when it has not.

    Parameters
    ----------
    program : str
        From `find_ffmpeg`.
    movie_format, codec : str
        As in a recipe.

    Raises
    ------
    FfmpegMissingError
        When it has none, saying which codecs it has; or when it does not answer.
    """
    known = ENCODERS[codec]
    if codec == "h264":
        return known[0]
    had = _encoders(program, Path(program).stat().st_mtime_ns)
    for encoder in known:
        if encoder in had:
            return encoder
    raise FfmpegMissingError(_lacking(had, movie_format, codec))


def _lacking(had: FrozenSet[str], movie_format: str, codec: str) -> str:
    """Say that an ffmpeg has no encoder for a codec, and what it has."""
    others = [
        CODEC_NAMES[other]
        for other in CODECS[movie_format]
        if had.intersection(ENCODERS[other])
    ]
    told = f"This ffmpeg cannot write {CODEC_NAMES[codec]}"
    name = FORMAT_NAMES[movie_format]
    if others:
        return f"{told}; for {name} it has {' and '.join(others)}: choose that codec."
    return f"{told}, nor anything else for {name}; install Debian's package ffmpeg."


@lru_cache(maxsize=4)
def _encoders(program: str, written_ns: int) -> FrozenSet[str]:
    """Ask an ffmpeg, written at a time, for the encoders that it has."""
    del written_ns  # another file under the same name is asked again
    command: Sequence[str] = (program, "-hide_banner", "-encoders")
    try:
        answer = subprocess.run(  # noqa: S603 (our own arguments)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=LONGEST_LISTING_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        told = f"The ffmpeg program {program} does not list its encoders ({exc}); "
        raise FfmpegMissingError(told + "install Debian's package ffmpeg.") from exc
    return parse_encoders(answer.stdout)


def parse_encoders(listing: bytes) -> FrozenSet[str]:
    """Return the names of the video encoders in what ``ffmpeg -encoders`` prints."""
    lines = (line.split() for line in listing.splitlines())
    found: List[Tuple[bytes, ...]] = [tuple(words[:2]) for words in lines]
    return frozenset(
        words[1].decode("ascii", "replace")
        for words in found
        if len(words) == 2 and words[0].startswith(b"V")  # noqa: PLR2004 (flags, name)
    )
