"""A GIF from the frames of a job: the palette, the passes, the size budget."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

from typing_extensions import Protocol

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie import ffmpeg
from openflexure_timelapse.movie.budget import BYTES_PER_MB, Rung, ladder, next_rung
from openflexure_timelapse.movie.composer import Composer
from openflexure_timelapse.movie.filters import Picture, Size
from openflexure_timelapse.movie.gif import GifWriter, delay_cs, read_facts
from openflexure_timelapse.movie.held import SURE
from openflexure_timelapse.movie.job import Order
from openflexure_timelapse.movie.noise import Noise, measure_noise
from openflexure_timelapse.movie.palette import Palette
from openflexure_timelapse.movie.stills import Loader, Still
from openflexure_timelapse.movie.timeline import Beat, MovieFrame, thin

__all__ = ["GifMaker", "Report"]

SAMPLES = 12
PAIR = 2
NO_LIMIT = float("inf")


class Report(Protocol):
    """Is told how many frames are made."""

    def __call__(self, done: int, remark: str = "") -> None:
        """Take note."""
        ...


@dataclass(frozen=True)
class _Attempt:
    """How one pass ended.

    Attributes
    ----------
    bytes_written : int
        The size of the file: up to its end, or to where it became too large.
    beats : int
        How many pictures were added.
    first_bytes : int
        What the first of them took, which is drawn whole.
    frames : int
        How many frames the file has; unchanged pictures make no frame.
    """

    bytes_written: int
    beats: int
    first_bytes: int
    frames: int

    def whole_bytes(self, beats: float) -> float:
        """Return how large a file of so many beats would have become."""
        if self.beats <= 1:
            return float(self.bytes_written)
        each = (self.bytes_written - self.first_bytes) / (self.beats - 1)
        return self.first_bytes + each * max(beats, self.beats)


@dataclass(frozen=True)
class _Looks:
    """What pictures of one size look like.

    Attributes
    ----------
    size : (int, int)
        Theirs.
    palette : Palette
        For them.
    noise : Noise
        That of the frames; the same everywhere where the recipe names a level.
    """

    size: Size
    palette: Palette
    noise: Noise

    def asked(self, noise_hold: Optional[int]) -> float:
        """Return what the recipe takes for noise, in noises of the frames."""
        return 1.0 if noise_hold is None else noise_hold / self.hold(1.0)

    def hold(self, noise: float) -> float:
        """Return so many noises as grey levels, as `noise_hold` has them."""
        return noise * SURE * float(self.noise.typical.mean())


class GifMaker:
    """Makes one GIF, smaller and smaller until it fits.

    Parameters
    ----------
    order : Order
        What to make, and where.
    sample : callable
        Returns up to so many times two frames that follow each other, evenly spread.
    beats : callable
        Returns the frames of the movie from the beginning, with pictures by a loader.
    composer : callable
        Returns what the pictures look like at a size.
    loader : callable
        Returns what reads the frames for a size.
    comment : str
        What the file says of itself.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what a movie is made of)
        self,
        order: Order,
        sample: Callable[[int], Iterator[List[MovieFrame]]],
        beats: Callable[[Loader], Iterator[Beat[Still]]],
        composer: Callable[[Size], Composer],
        loader: Callable[[Size], Loader],
        comment: str = "",
    ) -> None:
        self._order = order
        self._sample = sample
        self._beats = beats
        self._composer = composer
        self._loader = loader
        self._comment = comment

    def make(self, size: Size, total: int, report: Report) -> str:
        """Write the file; return what had to be given up, as a sentence or nothing.

        Parameters
        ----------
        size : (int, int)
            As the recipe asks.
        total : int
            How many frames the movie will have, nearly.
        report : callable
            Is told how many frames are made, with a remark.

        Raises
        ------
        RenderError
            When it cannot be made small enough.
        OSError
            When it cannot be written.
        """
        order = self._order
        budget = NO_LIMIT if order.max_mb is None else order.max_mb * BYTES_PER_MB
        looks = self._looked_at(size)
        rungs = ladder(looks.asked(order.noise_hold), size[0], order.fps)
        tried, remark = 0, ""
        while True:
            rung = rungs[tried]
            now = _scaled(size, rung.scale)
            if now != looks.size:
                looks = self._looked_at(now)
            made = partial(report, remark=remark)
            attempt = self._attempt(rung, looks, budget, made)
            if attempt.bytes_written <= budget:
                self._check(now, attempt)
                return "" if tried == 0 else _given_up(rung, looks, order.max_mb)
            whole_bytes = attempt.whole_bytes(total / rung.step)
            found = next_rung(rungs, tried, whole_bytes, budget)
            if found is None:
                told = f"Even at {now[0]} pixels and one of {rung.step} frames the GIF "
                told += f"would have about {whole_bytes / BYTES_PER_MB:.2g} MB, more "
                told += f"than max_mb {order.max_mb:g}; raise max_mb or make an MP4."
                raise RenderError(told)
            tried, remark = found, "too large, trying again smaller"

    def _attempt(
        self, rung: Rung, looks: "_Looks", budget: float, report: Callable[[int], None]
    ) -> _Attempt:
        """Write the file by one rung; stop as soon as it is too large."""
        fps = ffmpeg.rate(self._order.fps)
        composer, loader = self._composer(looks.size), self._loader(looks.size)
        noise = looks.noise.times(rung.noise)
        done = beats = first_bytes = 0
        with Path(self._order.out).open("wb") as stream:
            writer = GifWriter(stream, looks.size, looks.palette, noise, self._comment)
            for beat in thin(self._beats(loader), rung.step):
                picture = composer.shown(beat, loader)
                writer.add(picture, delay_cs(done, beat.span, fps))
                done, beats = done + beat.span, beats + 1
                report(done)
                first_bytes = first_bytes or (beats > 1 and writer.bytes_written)
                if writer.bytes_written > budget:
                    break
            writer.finish()
            stream.flush()
            os.fsync(stream.fileno())
        on_disk = Path(self._order.out).stat().st_size
        return _Attempt(on_disk, beats, first_bytes, writer.frames)

    def _looked_at(self, size: Size) -> "_Looks":
        """Look at finished pictures, by twos, evenly spread over the run."""
        composer, loader = self._composer(size), self._loader(size)
        pictures: List[Picture] = []
        pairs: List[Tuple[Picture, Picture]] = []
        for frames in self._sample(SAMPLES):
            shown = [self._finished(frame, composer, loader) for frame in frames]
            pair = [picture for picture in shown if picture is not None]
            pictures += pair
            if len(pair) == PAIR:
                pairs.append((pair[0], pair[1]))
        if not pictures:
            raise RenderError("None of the frames can be shown; verify the run.")
        noise = measure_noise(pairs)
        if self._order.noise_hold is not None:
            noise = Noise.even(float(noise.typical.mean()), noise.averaged)
        return _Looks(size, Palette(pictures), noise)

    def _finished(
        self, frame: MovieFrame, composer: Composer, loader: Loader
    ) -> Optional[Picture]:
        """Return what the movie shows of a frame; None when it cannot be shown."""
        still = loader.load(frame).picture
        if still is None:
            return None
        beat: Beat[Still] = Beat(
            "show", still, frame.elapsed_ns, frame.wall_ns, frame.utc_offset_s
        )
        return composer.shown(beat, loader)

    def _check(self, size: Size, attempt: _Attempt) -> None:
        """Read the finished file and compare it with what was sent."""
        with Path(self._order.out).open("rb") as stream:
            facts = read_facts(stream)
        if len(facts.delays_cs) != attempt.frames or facts.size != size:
            told = f"The GIF has {len(facts.delays_cs)} frames where {attempt.frames} "
            raise RenderError(told + "were sent; render the movie again.")


def _scaled(size: Size, scale: float) -> Size:
    """Return a smaller size of the same shape."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _given_up(rung: Rung, looks: _Looks, max_mb: Optional[float]) -> str:
    """Say what was changed to fit the budget."""
    told = f"made to fit {max_mb:g} MB: {looks.size[0]} pixels wide, "
    told += f"noise_hold {looks.hold(rung.noise):.1f}"
    return told if rung.step == 1 else f"{told}, one of {rung.step} frames shown"
