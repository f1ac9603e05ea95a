"""A GIF from the frames of a job: what its pictures look like, and the one pass."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Iterator, List, Optional, Tuple

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie import ffmpeg
from openflexure_timelapse.movie.composer import Composer
from openflexure_timelapse.movie.filters import Picture
from openflexure_timelapse.movie.gif import GifWriter, delay_cs, read_facts
from openflexure_timelapse.movie.held import SURE
from openflexure_timelapse.movie.job import Order
from openflexure_timelapse.movie.noise import Noise, measure_noise
from openflexure_timelapse.movie.palette import Palette
from openflexure_timelapse.movie.stills import Loader, Still
from openflexure_timelapse.movie.timeline import Beat, MovieFrame

__all__ = ["GifMaker", "Looks", "looks_of"]

SAMPLES = 12
PAIR = 2


@dataclass(frozen=True)
class Looks:
    """What pictures of one size look like.

    Attributes
    ----------
    palette : Palette
        For them.
    noise : Noise
        That of the frames; the same everywhere where the recipe names a level.
    """

    palette: Palette
    noise: Noise

    def asked(self, noise_hold: Optional[int]) -> float:
        """Return what the recipe takes for noise, in noises of the frames."""
        if noise_hold is None:
            return 1.0
        return noise_hold / (SURE * float(self.noise.typical.mean()))


class GifMaker:
    """Makes one GIF.

    Parameters
    ----------
    order : Order
        What to make, and where.
    composer : Composer
        What the pictures look like.
    loader : Loader
        Decodes the frames.
    looks : Looks
        Of pictures of that size.
    times : float
        How many times the frames' noise counts as noise.
    comment : str
        What the file says of itself.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what a movie is made of)
        self,
        order: Order,
        composer: Composer,
        loader: Loader,
        looks: Looks,
        times: float,
        comment: str = "",
    ) -> None:
        self._order = order
        self._composer = composer
        self._loader = loader
        self._looks = looks
        self._times = times
        self._comment = comment

    def make(
        self, stream: Iterable[Beat[Still]], report: Callable[[int], None]
    ) -> None:
        """Write every beat, then read the file and count its frames.

        A picture in which nothing changed makes the one before stay longer.

        Parameters
        ----------
        stream : iterable of Beat
            The movie.
        report : callable
            Is told how many frames are made.

        Raises
        ------
        RenderError
            When the file is not what was sent.
        OSError
            When it cannot be written.
        """
        fps, size = ffmpeg.rate(self._order.fps), self._composer.canvas
        looks, noise = self._looks, self._looks.noise.times(self._times)
        done = 0
        with Path(self._order.out).open("wb") as file:
            writer = GifWriter(file, size, looks.palette, noise, self._comment)
            for beat in stream:
                picture = self._composer.shown(beat, self._loader)
                writer.add(picture, delay_cs(done, beat.span, fps))
                done += beat.span
                report(done)
            writer.finish()
        with Path(self._order.out).open("rb") as file:
            facts = read_facts(file)
        if len(facts.delays_cs) != writer.frames or facts.size != size:
            told = f"The GIF has {len(facts.delays_cs)} frames where {writer.frames} "
            raise RenderError(told + "were sent; render the movie again.")


def looks_of(
    sample: Callable[[int], Iterator[List[MovieFrame]]],
    composer: Composer,
    loader: Loader,
    noise_hold: Optional[int],
) -> Looks:
    """Look at finished pictures, by twos, evenly spread over the run.

    Parameters
    ----------
    sample : callable
        Returns up to so many times two frames that follow each other, evenly spread.
    composer, loader
        For the size.
    noise_hold : int or None
        As in the recipe.

    Raises
    ------
    RenderError
        When none of the frames can be shown.
    """
    pictures: List[Picture] = []
    pairs: List[Tuple[Picture, Picture]] = []
    for frames in sample(SAMPLES):
        shown = [_finished(frame, composer, loader) for frame in frames]
        pair = [picture for picture in shown if picture is not None]
        pictures += pair
        if len(pair) == PAIR:
            pairs.append((pair[0], pair[1]))
    if not pictures:
        raise RenderError("None of the frames can be shown; verify the run.")
    noise = measure_noise(pairs)
    if noise_hold is not None:
        noise = Noise.even(float(noise.typical.mean()), noise.averaged)
    return Looks(Palette(pictures), noise)


def _finished(
    frame: MovieFrame, composer: Composer, loader: Loader
) -> Optional[Picture]:
    """Return what the movie shows of a frame; None when it cannot be shown."""
    still = loader.load(frame).picture
    if still is None:
        return None
    beat: Beat[Still] = Beat(
        "show", still, frame.elapsed_ns, frame.wall_ns, frame.utc_offset_s
    )
    return composer.shown(beat, loader)
