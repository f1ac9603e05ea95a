"""An MP4 or WebM in one piece, by one ffmpeg."""

from typing import Iterable, Sequence

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.encoder import Encoder, Pictures, Report, count_in
from openflexure_timelapse.movie.job import Order
from openflexure_timelapse.movie.stills import Still
from openflexure_timelapse.movie.timeline import Beat

__all__ = ["Mp4Maker", "check_count"]


class Mp4Maker:
    """Makes one MP4 or WebM.

    Parameters
    ----------
    order : Order
        What to make, with which program, and where.
    pictures : Pictures
        What it shows.
    target : sequence of str
        ffmpeg's options of the codec, the container and the metadata.
    """

    def __init__(self, order: Order, pictures: Pictures, target: Sequence[str]) -> None:
        self._order = order
        self._target = target
        self._pictures = pictures

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
        order = self._order
        encoder = Encoder(
            self._pictures.command(order, self._target, order.out), report
        )
        try:
            for beat in stream:
                encoder.send(self._pictures.of(beat))
            repeated = encoder.end()
        except BaseException:  # raised again
            encoder.kill()
            raise
        check_count(count_in(order.program, order.out) - repeated, encoder.sent)


def check_count(found: int, sent: int) -> None:
    """Refuse a movie with other frames than were sent.

    Raises
    ------
    RenderError
        Saying how many there are.
    """
    if found != sent:
        told = f"The movie has {found} frames where {sent} were sent; "
        raise RenderError(told + "verify the run, a frame may be damaged.")
