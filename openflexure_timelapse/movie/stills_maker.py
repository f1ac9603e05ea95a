"""What is made of pictures coded one by one: WebP, APNG, and sequences in a zip file.

Memory does not grow with the movie. Gaps, clocks and labels are as in every movie.
"""

import io
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterable, Tuple, Union

from PIL import Image, PngImagePlugin

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie import ffmpeg
from openflexure_timelapse.movie.apng import ApngWriter, count_apng
from openflexure_timelapse.movie.composer import Composer
from openflexure_timelapse.movie.filters import Picture
from openflexure_timelapse.movie.job import Order
from openflexure_timelapse.movie.metadata import Metadata, exif_of, texts_of
from openflexure_timelapse.movie.sequence import SequenceWriter, check_sequence
from openflexure_timelapse.movie.stills import Loader, Still
from openflexure_timelapse.movie.timeline import Beat
from openflexure_timelapse.movie.webp import WebpWriter, count_webp

__all__ = ["WEBP_QUALITY", "AnimationMaker", "SequenceMaker", "delay_ms"]

MS_PER_S = 1000
JPEG_QUALITY = 95
# Of camera noise, higher levels take 2 to 5 times as long for some percent.
PNG_LEVEL = 3
WEBP_METHOD = 2
WEBP_QUALITY = 80
MARK = b"Exif\x00\x00"

Report = Callable[[int], None]
Writer = Union[WebpWriter, ApngWriter]


class AnimationMaker:
    """Makes one WebP or APNG.

    Parameters
    ----------
    order : Order
        What to make, and where.
    composer : Composer
        What the pictures look like.
    loader : Loader
        Decodes the frames.
    metadata : Metadata
        What the file says of itself.
    quality : int
        Of a WebP, to 100.
    """

    def __init__(
        self,
        order: Order,
        composer: Composer,
        loader: Loader,
        metadata: Metadata,
        quality: int,
    ) -> None:
        self._order = order
        self._composer = composer
        self._loader = loader
        self._metadata = metadata
        self._quality = quality

    def make(self, stream: Iterable[Beat[Still]], report: Report) -> None:
        """Write every beat, then read the file and count its frames.

        A picture that is as the one before makes that one stay longer.

        Parameters
        ----------
        stream : iterable of Beat
            The movie.
        report : callable
            Is told how many frames are made.

        Raises
        ------
        RenderError
            When the file cannot be made, or is not what was sent.
        OSError
            When it cannot be written.
        """
        fps = ffmpeg.rate(self._order.fps)
        with Path(self._order.out).open("wb") as file:
            frames = self._write(self._writer(file), stream, fps, report)
        with Path(self._order.out).open("rb") as file:
            is_webp = self._order.format == "webp"
            found = count_webp(file) if is_webp else count_apng(file)
        if found != frames:
            told = f"The movie has {found} frames where {frames} were sent; "
            raise RenderError(told + "render the movie again.")

    def _write(
        self,
        writer: Writer,
        stream: Iterable[Beat[Still]],
        fps: Fraction,
        report: Report,
    ) -> int:
        """Write every beat; return how many frames that made."""
        waiting: Tuple[bytes, int] = (b"", 0)
        done = frames = 0
        for beat in stream:
            coded = self._coded(self._composer.shown(beat, self._loader))
            lasts_ms = delay_ms(done, beat.span, fps)
            same = coded == waiting[0]
            if same and waiting[1] + lasts_ms <= writer.longest_ms:
                waiting = coded, waiting[1] + lasts_ms
            else:
                if waiting[0]:
                    writer.add(*waiting)
                waiting = coded, min(lasts_ms, writer.longest_ms)
                frames += 1
            done += beat.span
            report(done)
        if waiting[0]:
            writer.add(*waiting)
        writer.finish()
        return frames

    def _writer(self, file: BinaryIO) -> Writer:
        """Return what writes the file."""
        size = self._composer.canvas
        if self._order.format == "webp":
            return WebpWriter(file, size, exif_of(self._metadata)[len(MARK) :])
        return ApngWriter(file, size, texts_of(self._metadata))

    def _coded(self, picture: Picture) -> bytes:
        """Return a picture as a file."""
        if self._order.format == "webp":
            return _saved(
                picture, format="webp", quality=self._quality, method=WEBP_METHOD
            )
        return _saved(picture, format="png", compress_level=PNG_LEVEL)


class SequenceMaker:
    """Makes one zip file of PNG or JPEG files.

    Parameters
    ----------
    order, composer, loader, metadata
        As for `AnimationMaker`.
    untouched : bool
        JPEG only: a frame that nothing changes is the file that was stored.
    """

    def __init__(
        self,
        order: Order,
        composer: Composer,
        loader: Loader,
        metadata: Metadata,
        *,
        untouched: bool,
    ) -> None:
        self._order = order
        self._composer = composer
        self._loader = loader
        self._metadata = metadata
        self._untouched = untouched

    def make(self, stream: Iterable[Beat[Still]], report: Report) -> None:
        """Write every beat, then read the file and compare.

        Parameters
        ----------
        stream, report
            As for `AnimationMaker.make`.

        Raises
        ------
        RenderError
            When the file is not what was sent.
        OSError
            When it cannot be written.
        """
        out = Path(self._order.out)
        with ExitStack() as held:
            file = held.enter_context(out.open("wb"))
            waits = out.with_name("frames.csv").open("w+", encoding="utf-8")
            table = held.enter_context(waits)
            writer = SequenceWriter(file, table, self._order.format)
            for beat in stream:
                still = beat.picture
                writer.add(
                    self._bytes_of(beat),
                    shown=beat.kind,
                    slot=None if still is None else still.slot,
                    elapsed_ns=beat.elapsed_ns,
                    wall_ns=beat.wall_ns,
                    utc_offset_s=beat.utc_offset_s,
                    clock_trusted=beat.clock_trusted,
                    label=beat.label,
                )
                report(writer.pictures)
            writer.finish()
        with out.open("rb") as made:
            check_sequence(made, writer.pictures)

    def _bytes_of(self, beat: Beat[Still]) -> bytes:
        """Return a beat as a file."""
        still = beat.picture
        as_stored = still is not None and still.pixels is None and not beat.label
        if self._untouched and still is not None and as_stored:
            return still.jpeg
        picture = self._composer.shown(beat, self._loader)
        moment = (beat.wall_ns, beat.utc_offset_s) if beat.clock_trusted else None
        exif = exif_of(self._metadata, moment)
        if self._order.format == "jpeg":
            return _saved(picture, format="jpeg", quality=JPEG_QUALITY, exif=exif)
        texts = PngImagePlugin.PngInfo()
        for keyword, text in texts_of(self._metadata).items():
            texts.add_itxt(keyword, text)
        return _saved(
            picture, format="png", compress_level=PNG_LEVEL, pnginfo=texts, exif=exif
        )


def _saved(picture: Picture, **options: Any) -> bytes:
    """Return a picture as a file of Pillow's."""
    stream = io.BytesIO()
    Image.fromarray(picture[..., ::-1]).save(stream, **options)
    return stream.getvalue()


def delay_ms(first: int, span: int, fps: Fraction) -> int:
    """Return how long frames `first` to `first + span` last, in whole milliseconds.

    The remainder is carried: after n frames exactly ``round(1000 n / fps)`` are told.
    """
    return round((first + span) * MS_PER_S / fps) - round(first * MS_PER_S / fps)
