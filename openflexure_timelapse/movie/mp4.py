"""An MP4 or WebM: pictures through a pipe into ffmpeg, as stored where possible."""

import subprocess
import threading
from typing import IO, Callable, Iterable, Sequence

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

__all__ = ["EncoderError", "Mp4Maker", "limited_planes"]

JPEG_QUALITY = 95
HALF_RANGE = 128
# Full-range chroma, 0 to 255, onto the limited range, 16 to 240 (ITU-R BT.601).
TO_LIMITED = np.round((np.arange(256) - HALF_RANGE) * (224 / 255) + HALF_RANGE).astype(
    np.uint8
)

Report = Callable[[int], None]


class EncoderError(RenderError):
    """The program ffmpeg ended badly; what it said is on the standard error."""


class Mp4Maker:
    """Makes one MP4 or WebM.

    Parameters
    ----------
    order : Order
        What to make, with which program, and where.
    composer : Composer
        What the pictures look like.
    loader : Loader
        Reads the frames; keeps those of the movie's size as files where `untouched`.
    target : sequence of str
        ffmpeg's options of the codec, the container and the metadata.
    untouched : bool
        The pictures go in as the files that they are; one that a gap's label changes
        becomes a JPEG again. Otherwise as the planes that the encoder wants.
    """

    def __init__(
        self,
        order: Order,
        composer: Composer,
        loader: Loader,
        target: Sequence[str],
        *,
        untouched: bool,
    ) -> None:
        self._order = order
        self._target = target
        self._composer = composer
        self._untouched = untouched
        self._repeated = 0
        self._loader = loader

    def make(self, stream: Iterable[Beat[Still]], report: Report) -> None:
        """Encode every beat; then read the file and count its frames.

        Parameters
        ----------
        stream : iterable of Beat
            The movie.
        report : callable
            Is told from another thread how many frames are encoded.

        Raises
        ------
        FfmpegMissingError
            When ffmpeg cannot be started.
        EncoderError
            When ffmpeg fails.
        RenderError
            When the file has more or fewer frames than were sent, or shows one in the
            place of another.
        """
        sent = self._encode(stream, report)
        found = self._count() - self._repeated
        if found != sent:
            told = f"The movie has {found} frames where {sent} were sent; "
            raise RenderError(told + "verify the run, a frame may be damaged.")

    def _encode(self, stream: Iterable[Beat[Still]], report: Report) -> int:
        """Send every beat to ffmpeg; return how many."""
        order, size = self._order, self._composer.canvas
        fps = ffmpeg.rate(order.fps)
        if self._untouched:
            command = ffmpeg.jpeg_to_movie(order.program, fps, self._target, order.out)
        else:
            command = ffmpeg.yuv_to_movie(
                order.program, fps, size, self._target, order.out
            )
        sent = 0
        with _started(command, subprocess.PIPE) as process:
            entrance, told = _pipes(process)
            listener = threading.Thread(target=self._listen, args=(told, report))
            listener.start()
            try:
                for beat in stream:
                    entrance.write(self._bytes_of(beat))
                    sent += 1
                entrance.close()
            except BrokenPipeError:
                pass  # it has ended: its exit code says why
            except BaseException:  # raised again: half a stream makes no movie
                process.kill()
                raise
            finally:
                code = process.wait() if entrance.closed else _hang_up(process)
                listener.join()
        if code:
            raise EncoderError(f"ffmpeg ended with {_ending(code)}.")
        return sent

    def _listen(self, told: IO[bytes], report: Report) -> None:
        """Pass the encoder's progress on until it ends."""
        for line in told:
            number = ffmpeg.parse_progress(line)
            if number is not None:
                report(number)
            self._repeated = ffmpeg.parse_repeated(line) or self._repeated

    def _bytes_of(self, beat: Beat[Still]) -> "bytes | memoryview":
        """Return a beat as ffmpeg is told to expect it."""
        still = beat.picture
        if not self._untouched:
            return limited_planes(self._composed(beat)).data
        if still is not None and still.pixels is None and not beat.label:
            return still.jpeg
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        _, data = cv2.imencode(".jpeg", self._composed(beat), quality)
        return data.tobytes()

    def _composed(self, beat: Beat[Still]) -> Picture:
        """Return a beat's picture with everything written in it."""
        still = beat.picture
        if still is None:
            return self._composer.compose(beat, None, None)
        pixels = still.pixels
        if pixels is None:
            pixels = self._loader.decode(still.jpeg, still.size)
        return self._composer.compose(beat, pixels, still.size)

    def _count(self) -> int:
        """Return the number of frames in the file."""
        command = ffmpeg.counting_arguments(self._order.program, self._order.out)
        with _started(command, subprocess.DEVNULL) as reader:
            frames = ffmpeg.count_frames(reader.stdout or ())
        if reader.returncode:
            raise EncoderError(f"ffmpeg ended with {_ending(reader.returncode)}.")
        return frames


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


def _hang_up(process: "subprocess.Popen[bytes]") -> int:
    """Close the entrance, whatever is still in it, and wait for the end."""
    try:
        if process.stdin is not None:
            process.stdin.close()
    except BrokenPipeError:
        pass
    return process.wait()


def _ending(code: int) -> str:
    """Return how a process ended."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
