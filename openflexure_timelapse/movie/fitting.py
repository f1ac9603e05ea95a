"""The passes of a movie with a size budget; what they decide is in `allowance`."""

from itertools import chain, islice
from pathlib import Path
from typing import Callable, Iterable, Iterator, Tuple

from typing_extensions import Protocol

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.formats import FORMAT_NAMES
from openflexure_timelapse.movie.allowance import (
    BYTES_PER_MB,
    Allowance,
    Setting,
    TooLargeError,
    settings_of,
)
from openflexure_timelapse.movie.filters import EVEN, Size
from openflexure_timelapse.movie.job import JobFile
from openflexure_timelapse.movie.stills import Loader, Still
from openflexure_timelapse.movie.timeline import Beat, MovieFrame, thin

__all__ = ["Fitting", "Maker", "Report"]

STRETCHES, STRETCH = 4, 24
"""The sample: so many stretches of so many frames, evenly over the run."""
LEAST_STRETCH, SHARE = 6, 4
"""A stretch of a short run, and which part of the run all stretches are at most."""
LOOK_EVERY = 8
TRYING = "looking for what fits"


class Report(Protocol):
    """Is told how many frames are made."""

    def __call__(self, done: int, remark: str = "") -> None:
        """Take note."""
        ...


class Maker(Protocol):
    """Makes a movie of beats."""

    def make(
        self, stream: Iterable[Beat[Still]], report: Callable[[int], None]
    ) -> None:
        """Make it."""
        ...


class Fitting:
    """Makes one movie that is not larger than its budget.

    Parameters
    ----------
    job : JobFile
        What to make, of which frames.
    maker : callable
        Returns what makes a movie of a size and quality into a file, and its loader.
    beats : callable
        Returns the frames of the movie from the beginning, with pictures by a loader.
    total : int
        How many frames the movie will have, nearly.
    """

    def __init__(
        self,
        job: JobFile,
        maker: Callable[[Size, float, Path], Tuple[Maker, Loader]],
        beats: Callable[[Loader], Iterator[Beat[Still]]],
        total: int,
    ) -> None:
        self._job = job
        self._maker = maker
        self._beats = beats
        self._total = total
        self._budget = (job.order.max_mb or 0) * BYTES_PER_MB

    def make(self, size: Size, wished: float, report: Report) -> str:
        """Make the movie; return what had to be given up, as a phrase or nothing.

        Parameters
        ----------
        size : (int, int)
            As the recipe asks.
        wished : float
            The quality asked for.
        report : callable
            Is told how many frames are made, with a remark.

        Raises
        ------
        RenderError
            When it cannot be made small enough.
        OSError
            When it cannot be written.
        """
        order = self._job.order
        out, kept = Path(order.out), Path(f"{order.out}.kept")
        coded = order.codec or order.format
        settings = settings_of(coded, wished, size[0], order.fps)

        def expect(setting: Setting) -> float:
            report(0, TRYING)
            return self._sampled(setting, size)

        def whole(setting: Setting) -> float:
            return self._whole(setting, size, report)

        def keep() -> None:
            out.replace(kept)

        allowance = Allowance(settings, self._budget, expect, whole)
        found = allowance.meet(keep)
        if found is None:
            raise RenderError(self._refusal(settings[-1], size, allowance))
        kept.replace(out)
        return "" if found == settings[0] else self._given_up(found, settings[0], size)

    def _whole(self, setting: Setting, size: Size, report: Report) -> float:
        """Make the whole movie; give up once it is too large."""
        out = Path(self._job.order.out)
        maker, loader = self._maker(self._scaled(size, setting), setting.quality, out)
        stream = thin(self._watched(self._beats(loader), out), setting.step)
        maker.make(stream, lambda done: report(done, ""))
        return out.stat().st_size

    def _watched(
        self, stream: Iterator[Beat[Still]], out: Path
    ) -> Iterator[Beat[Still]]:
        """Pass beats on until the file has outgrown the budget."""
        before = (0, 0)
        for count, beat in enumerate(stream):
            if count % LOOK_EVERY == 0 and count and out.exists():
                size = out.stat().st_size
                if size > self._budget:
                    # The first frame is larger than others: the newest tell more.
                    each = (size - before[1]) / (count - before[0])
                    raise TooLargeError(size + each * max(self._total - count, 0))
                before = count, size
            yield beat

    def _sampled(self, setting: Setting, size: Size) -> float:
        """Return how many bytes the whole would have, by a sample."""
        out = Path(self._job.order.out).with_name(f"sample.{self._job.order.format}")
        maker, loader = self._maker(self._scaled(size, setting), setting.quality, out)
        seen = 0

        def beats() -> Iterator[Beat[Still]]:
            nonlocal seen
            for shot in loader.shots(self._stretches()):
                if shot.picture is not None:
                    seen += 1
                    frame = shot.frame
                    when = (frame.elapsed_ns, frame.wall_ns, frame.utc_offset_s)
                    yield Beat("show", shot.picture, *when)

        maker.make(thin(beats(), setting.step), lambda _: None)
        measured = out.stat().st_size
        out.unlink()
        return measured / max(seen, 1) * max(self._total, seen)

    def _stretches(self) -> Iterator[MovieFrame]:
        """Yield stretches of frames, evenly over the run; a short run whole."""
        count, frames = self._job.count(), self._job.frames()
        stretch = min(STRETCH, max(LEAST_STRETCH, count // (SHARE * STRETCHES)))
        if count <= STRETCHES * stretch:
            return frames
        first = [
            (count - stretch) * index // (STRETCHES - 1) for index in range(STRETCHES)
        ]
        ends = (0, *(start + stretch for start in first))
        skipped = [start - end for start, end in zip(first, ends)]
        return chain.from_iterable(
            islice(frames, skip, skip + stretch) for skip in skipped
        )

    def _scaled(self, size: Size, setting: Setting) -> Size:
        """Return the size by a setting, of the same shape."""
        width, height = (max(2, round(side * setting.scale)) for side in size)
        if self._job.order.format in EVEN:
            return width & ~1, height & ~1
        return width, height

    def _given_up(self, found: Setting, wished: Setting, size: Size) -> str:
        """Say what was changed to fit the budget."""
        width, height = self._scaled(size, found)
        told = f"made to fit {self._job.order.max_mb:g} MB: {width} x {height} pixels"
        if found.quality != wished.quality:
            told += f", {self._told(found)}"
        return told if found.step == 1 else f"{told}, one of {found.step} frames shown"

    def _refusal(self, last: Setting, size: Size, allowance: Allowance) -> str:
        """Say that even the smallest is too large."""
        order = self._job.order
        width, height = self._scaled(size, last)
        whole_mb = allowance.smallest_bytes / BYTES_PER_MB
        told = f"Even at {width} x {height} pixels"
        if last.quality:
            told += f" and {self._told(last)}"
        told += f" the {FORMAT_NAMES[order.format]} would have about {whole_mb:.2g} MB,"
        return f"{told} more than max_mb {order.max_mb:g}; raise max_mb."

    def _told(self, setting: Setting) -> str:
        """Return the quality of a setting in words."""
        if self._job.order.format == "gif":
            return f"{setting.quality:.3g} times the noise held"
        name = "crf" if self._job.order.codec else "quality"
        return f"{name} {setting.quality:g}"
