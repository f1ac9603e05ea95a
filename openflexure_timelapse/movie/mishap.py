"""Why a movie failed, in one sentence, from what its process left behind. Pure."""

import errno
import signal
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

from openflexure_timelapse.errors import (
    FfmpegMissingError,
    RenderError,
    TimelapseError,
)
from openflexure_timelapse.store.disk import storage_error

__all__ = ["explain"]

LONGEST_TOLD = 300
FULL = ("no space left on device", "disk quota exceeded")
TOO_LARGE = ("file too large", f"signal {int(signal.SIGXFSZ)}")
NO_ENCODER = "unknown encoder 'lib"


def explain(
    movie: Path, report: Mapping[str, Any], tail: Sequence[str], code: int
) -> TimelapseError:
    """Return the error for a process that did not complete its movie.

    Parameters
    ----------
    movie : Path
        What was to be made.
    report : mapping
        The last line of its standard output; empty if there was none.
    tail : sequence of str
        The last lines of its standard error.
    code : int
        Its exit code, or minus the signal that killed it.

    Returns
    -------
    TimelapseError
        A `DiskFullError` or another `StorageError` where the disk was the reason, a
        `FfmpegMissingError` for an ffmpeg that does not start or has no H.264,
        otherwise a `RenderError`.
    """
    kind = report.get("kind", "")
    message = str(report.get("message", ""))
    if kind == "render":
        return RenderError(message)
    if kind == "ffmpeg":
        return FfmpegMissingError(message)
    if kind == "system":
        return storage_error(_system_error(report), "write", movie)
    return _from_words(movie, message, tail) or _from_code(movie, message, tail, code)


def _from_words(
    movie: Path, message: str, tail: Sequence[str]
) -> Optional[TimelapseError]:
    """Return the error that ffmpeg's own words point to; None for unknown words."""
    said = " ".join((message, *tail)).lower()
    if any(words in said for words in FULL):
        return storage_error(OSError(errno.ENOSPC, ""), "write", movie)
    if any(words in said for words in TOO_LARGE):
        return storage_error(OSError(errno.EFBIG, ""), "write", movie)
    if NO_ENCODER in said:
        encoder = said.partition(NO_ENCODER)[2].partition("'")[0]
        told = f"This ffmpeg cannot write the codec (it has no lib{encoder}); "
        return FfmpegMissingError(told + "install Debian's package ffmpeg.")
    return None


def _from_code(
    movie: Path, message: str, tail: Sequence[str], code: int
) -> TimelapseError:
    """Return an error that tells how it ended; without a message it never reported."""
    last = tail[-1][:LONGEST_TOLD] if tail else "it said nothing"
    if message:
        told = f"The movie {movie.name} failed: {message.rstrip('.')}: {last}; "
        return RenderError(told + "check the recipe, or render as a GIF.")
    if code < 0:
        told = f"The process that made {movie.name} was killed by signal {-code}; "
        return RenderError(told + "if memory ran out, choose a smaller width.")
    told = f"The process that made {movie.name} ended with code {code}: {last}; "
    return RenderError(told + "render it again, and report it if it fails again.")


def _system_error(report: Mapping[str, Any]) -> OSError:
    """Return the error that the process met."""
    return OSError(report.get("errno") or 0, str(report.get("message", "")))
