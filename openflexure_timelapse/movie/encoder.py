"""One ffmpeg that encodes: pictures through a pipe, as stored where possible."""

import contextlib
import subprocess
import threading
from typing import IO, Callable, List, Optional, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.errors import FfmpegMissingError, RenderError
from openflexure_timelapse.movie import ffmpeg
from openflexure_timelapse.movie.composer import Composer
from openflexure_timelapse.movie.filters import Picture
from openflexure_timelapse.movie.job import Order
from openflexure_timelapse.movie.stills import Loader, Still
from openflexure_timelapse.movie.timeline import Beat

__all__ = [
    "Encoder",
    "EncoderError",
    "Pictures",
    "Report",
    "count_in",
    "ffmpeg_version",
    "limited_planes",
    "run",
]

JPEG_QUALITY = 95
HALF_RANGE = 128
# Full-range chroma, 0 to 255, onto the limited range, 16 to 240 (ITU-R BT.601).
TO_LIMITED = np.round((np.arange(256) - HALF_RANGE) * (224 / 255) + HALF_RANGE).astype(
    np.uint8
)

Report = Callable[[int], None]


class EncoderError(RenderError):
    """The program ffmpeg ended badly; what it said is on the standard error."""


class Pictures:
    """What goes into ffmpeg, and how.

    Parameters
    ----------
    composer : Composer
        What the pictures look like.
    loader : Loader
        Reads the frames; keeps those of the movie's size as files where `untouched`.
    untouched : bool
        The pictures go in as the files that they are; one that a gap's label changes
        becomes a JPEG again. Otherwise as the planes that the encoder wants.
    """

    def __init__(self, composer: Composer, loader: Loader, *, untouched: bool) -> None:
        self.loader = loader
        self._composer = composer
        self._untouched = untouched

    def command(self, order: Order, target: Sequence[str], out: str) -> List[str]:
        """Return the command that encodes them into a file.

        Parameters
        ----------
        order : Order
            Which program, and how fast the movie is.
        target : sequence of str
            ffmpeg's options of the codec, the container and the metadata.
        out : str
            Path of the file to write.
        """
        fps, size = ffmpeg.rate(order.fps), self._composer.canvas
        if self._untouched:
            return ffmpeg.jpeg_to_movie(order.program, fps, target, out)
        return ffmpeg.yuv_to_movie(order.program, fps, size, target, out)

    def of(self, beat: Beat[Still]) -> "bytes | memoryview":
        """Return a beat as ffmpeg is told to expect it."""
        still = beat.picture
        if not self._untouched:
            return limited_planes(self._composer.shown(beat, self.loader)).data
        if still is not None and still.pixels is None and not beat.label:
            return still.jpeg
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        picture = self._composer.shown(beat, self.loader)
        _, data = cv2.imencode(".jpeg", picture, quality)
        return data.tobytes()


class Encoder:
    """One ffmpeg at work.

    Parameters
    ----------
    command : list of str
        From `Pictures.command`.
    report : callable
        Is told from another thread how many frames are encoded.

    Raises
    ------
    FfmpegMissingError
        When ffmpeg cannot be started.
    """

    def __init__(self, command: List[str], report: Report) -> None:
        self.sent = 0
        self._report = report
        self._repeated = 0
        self._process = _started(command, subprocess.PIPE)
        self._entrance, told = _pipes(self._process)
        self._listener = threading.Thread(target=self._listen, args=(told,))
        self._listener.start()

    def send(self, picture: "bytes | memoryview") -> None:
        """Hand over a picture; waits while ffmpeg has enough.

        Raises
        ------
        EncoderError
            When it has ended.
        """
        try:
            self._entrance.write(picture)
        except BrokenPipeError as exc:  # its exit code says why
            self.end()
            raise EncoderError("ffmpeg ended before the last picture.") from exc
        self.sent += 1

    def close(self) -> None:
        """Say that no picture follows."""
        with contextlib.suppress(BrokenPipeError):  # as above
            self._entrance.close()

    def end(self) -> int:
        """Wait for the end; return how many frames it has shown twice.

        Raises
        ------
        EncoderError
            When ffmpeg fails.
        """
        self.close()
        code = self._process.wait()
        self._finish()
        if code:
            raise EncoderError(f"ffmpeg ended with {_ending(code)}.")
        return self._repeated

    def kill(self) -> None:
        """End it at once: half a stream makes no movie."""
        self._process.kill()
        self.close()
        self._process.wait()
        self._finish()

    def _finish(self) -> None:
        self._listener.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _listen(self, told: IO[bytes]) -> None:
        """Pass the encoder's progress on until it ends."""
        for line in told:
            number = ffmpeg.parse_progress(line)
            if number is not None:
                self._report(number)
            self._repeated = ffmpeg.parse_repeated(line) or self._repeated


def count_in(program: str, path: str) -> int:
    """Return the number of frames in a file.

    Raises
    ------
    EncoderError
        When ffmpeg cannot read it.
    """
    counted = 0

    def count(lines: IO[bytes]) -> None:
        nonlocal counted
        counted = ffmpeg.count_frames(lines)

    run(ffmpeg.counting_arguments(program, path), count)
    return counted


def ffmpeg_version(program: str) -> str:
    """Return what an ffmpeg says of itself: its version and how it was built.

    Raises
    ------
    EncoderError
        When it says nothing.
    """
    told = b""

    def read(lines: IO[bytes]) -> None:
        nonlocal told
        told = lines.read()

    run([program, "-version"], read)
    return told.decode("utf-8", "replace")


def run(command: List[str], read: Optional[Callable[[IO[bytes]], None]] = None) -> None:
    """Run an ffmpeg that needs no pictures from us.

    Parameters
    ----------
    command : list of str
        All of it.
    read : callable, optional
        Is given its standard output.

    Raises
    ------
    EncoderError
        When it fails.
    """
    with _started(command, subprocess.DEVNULL) as process:
        if read is not None and process.stdout is not None:
            read(process.stdout)
    if process.returncode:
        raise EncoderError(f"ffmpeg ended with {_ending(process.returncode)}.")


def limited_planes(picture: Picture) -> NDArray[np.uint8]:
    """Return a picture as yuv420p planes, BT.601 in limited range.

    OpenCV's own conversion takes the colour of the top left one of four pixels; here
    the four are averaged, as JPEG itself does, which is also where players expect it.

    Parameters
    ----------
    picture : array of uint8, shape (height, width, 3)
        Height and width even.

    Returns
    -------
    array of uint8, shape (height * width * 3 / 2,)
        Y, U and V, one after the other.
    """
    height, width = picture.shape[:2]
    planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
    flat = planes.reshape(-1)
    half = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    chroma = cv2.cvtColor(half, cv2.COLOR_BGR2YCrCb)
    luma_end, quarter = height * width, height * width // 4
    for place, channel in enumerate((2, 1)):  # U is Cb, V is Cr
        plane = cv2.LUT(cv2.extractChannel(chroma, channel), TO_LIMITED)
        start = luma_end + place * quarter
        flat[start : start + quarter] = np.asarray(plane).reshape(-1)
    return flat


def _started(command: "list[str]", stdin: int) -> "subprocess.Popen[bytes]":
    """Start ffmpeg; its standard error is ours.

    Raises
    ------
    FfmpegMissingError
        When it cannot be started.
    """
    try:
        return subprocess.Popen(  # noqa: S603 (our own arguments)
            command, stdin=stdin, stdout=subprocess.PIPE
        )
    except OSError as exc:
        told = f"The ffmpeg program {command[0]} cannot be started ({exc.strerror}); "
        raise FfmpegMissingError(told + "install Debian's package ffmpeg.") from exc


def _pipes(process: "subprocess.Popen[bytes]") -> "tuple[IO[bytes], IO[bytes]]":
    """Return both ends that we hold."""
    if process.stdin is None or process.stdout is None:
        raise EncoderError("ffmpeg was started without its pipes.")
    return process.stdin, process.stdout


def _ending(code: int) -> str:
    """Return how a process ended."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
