"""An MP4 in H.264, made of segments that are encoded one by one and never again.

Each segment is encoded by an ffmpeg of its own, and always of the same frames of the
movie, so that it is the same whether it is encoded when its last frame has come or a
week later. At the end the segments are copied into one file, index first.
"""

import json
from dataclasses import asdict
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Iterable, Iterator, Sequence

from openflexure_timelapse import __version__
from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie import ffmpeg
from openflexure_timelapse.movie.codecs import coding
from openflexure_timelapse.movie.encoder import (
    Encoder,
    Pictures,
    Report,
    count_in,
    ffmpeg_version,
    run,
)
from openflexure_timelapse.movie.fragments import read_segment
from openflexure_timelapse.movie.job import Order
from openflexure_timelapse.movie.marks import UNREAD, MarkedShots
from openflexure_timelapse.movie.metadata import Metadata, ffmpeg_metadata
from openflexure_timelapse.movie.mp4 import check_count
from openflexure_timelapse.movie.reel import Reel
from openflexure_timelapse.movie.stills import Still
from openflexure_timelapse.movie.timeline import Beat

__all__ = ["SEGMENT_FRAMES", "SegmentMaker", "is_segmented", "told_of"]

SEGMENT_FRAMES = 128
"""Segments of 64 took 5 % more processor time than one piece, of 128 none."""
PIECE_FRAMES = 16
"""What a cut-off end of the file can cost, and what ffmpeg holds in memory."""
FINEST_TICKS = 10_000
US_PER_S = 1_000_000
UNSEEN = (
    *("out", "program", "film", "rolling", "about"),
    *("slots", "end_reason", "last_interval_ns"),
)
"""Of an order: where it is made, what the file says, and what concerns only the end."""


def is_segmented(order: Order) -> bool:
    """Tell whether a movie is made of segments: H.264 without a size to be met."""
    is_h264 = order.format == "mp4" and order.codec == "h264"
    return is_h264 and order.max_mb is None and order.view == "position"


def told_of(order: Order) -> str:
    """Return all that the segments of a movie depend on, besides its frames."""
    told = asdict(order)
    for name in UNSEEN:
        del told[name]
    version = [] if not order.film else [ffmpeg_version(order.program)]
    return json.dumps([told, __version__, SEGMENT_FRAMES, *version], sort_keys=True)


class SegmentMaker:
    """Encodes what a reel lacks, and makes a movie of it.

    Parameters
    ----------
    order : Order
        What to make, and with which program.
    pictures : Pictures
        What it shows.
    reel : Reel
        Where the segments are kept, and those that are there.
    work : Path
        A folder for what is not finished.
    """

    def __init__(
        self, order: Order, pictures: Pictures, reel: Reel, work: Path
    ) -> None:
        self._order = order
        self._pictures = pictures
        self._reel = reel
        self._work = work
        rate = ffmpeg.rate(order.fps)
        finer = -(-FINEST_TICKS // rate.numerator)
        self._ticks_per_s = rate.numerator * finer
        self._frame_ticks = rate.denominator * finer
        piece_us = round(PIECE_FRAMES / rate * US_PER_S)
        self._target = [
            *coding(order.encoder, order.crf),
            *ffmpeg_metadata(Metadata(), order.format),
            *("-video_track_timescale", str(self._ticks_per_s)),
            *("-movflags", "+empty_moov+default_base_moof"),
            *("-frag_duration", str(piece_us), "-f", "mp4"),
        ]

    def encode(
        self, stream: Iterable[Beat[Still]], shots: MarkedShots, report: Report
    ) -> int:
        """Encode every beat that the reel lacks; return how many beats there are.

        Parameters
        ----------
        stream : iterable of Beat
            The whole movie. While it is being recorded, what may still change is left
            out, and what does not fill a segment becomes the reel's tail.
        shots : MarkedShots
            Tells how many frames the stream has used.
        report : callable
            Is told from another thread how many frames are encoded.

        Raises
        ------
        FfmpegMissingError, EncoderError
            When ffmpeg cannot be started, or fails.
        RenderError
            When a segment has other frames than were sent.
        """
        beats = iter(stream)
        if self._order.rolling:
            beats = takewhile(lambda _: not shots.is_over, beats)
        done = len(self._reel.marks) * SEGMENT_FRAMES
        for _ in islice(beats, done):
            pass
        for first in beats:
            take = chain((first,), islice(beats, SEGMENT_FRAMES - 1))
            done += self._encode_one(done, take, shots, report)
        return done

    def finish(self, sent: int, said: Sequence[str]) -> None:
        """Make the movie of the reel; then read it and count its frames.

        Parameters
        ----------
        sent : int
            How many frames it must have.
        said : sequence of str
            ffmpeg's options of what the file says of itself.

        Raises
        ------
        EncoderError
            When ffmpeg fails.
        RenderError
            When the movie has other frames.
        """
        order = self._order
        said = [*said, "-video_track_timescale", str(self._ticks_per_s)]
        names = self._work / "segments.txt"
        names.write_text(ffmpeg.list_of(str(self._reel.path)), encoding="utf-8")
        run(ffmpeg.joining(order.program, str(names), said, order.out))
        check_count(count_in(order.program, order.out), sent)

    def _encode_one(
        self,
        first: int,
        beats: Iterator[Beat[Still]],
        shots: MarkedShots,
        report: Report,
    ) -> int:
        """Encode one segment and put it into the reel; return how many frames it has.

        It is marked where it is full and nothing in it may change.
        """
        out = self._work / "segment.mp4"
        command = self._pictures.command(self._order, self._target, str(out))
        encoder = Encoder(command, lambda number: report(first + number))
        try:
            for beat in beats:
                encoder.send(self._picture(beat))
            is_settled = encoder.sent == SEGMENT_FRAMES and not shots.is_over
            mark = shots.mark() if is_settled else None
            repeated = encoder.end()
        except BaseException:  # raised again
            encoder.kill()
            raise
        with out.open("rb") as stream:
            segment = read_segment(stream, first, self._frame_ticks)
        out.unlink()
        check_count(segment.frames - repeated, encoder.sent)
        is_tail = self._order.rolling and mark is None
        self._reel.add(segment, mark, lasting=not is_tail)
        return encoder.sent

    def _picture(self, beat: Beat[Still]) -> "bytes | memoryview":
        """Return a beat as ffmpeg is told to expect it."""
        if beat.picture is UNREAD:
            told = "A picture is needed that was not read again; "
            raise RenderError(told + "render the movie again, and report it.")
        return self._pictures.of(beat)
