"""A movie that is made while its frames still come: the film so far, step by step.

A step encodes the frames that have come since the last one. The segments that are full
are never encoded again; what does not fill one is shown as the film's tail, and encoded
anew when it has doubled, so that all tails together cost no more than the movie.
"""

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterable, Optional

from openflexure_timelapse.movie.child import JOB_FILE, Child
from openflexure_timelapse.movie.codecs import tools_of
from openflexure_timelapse.movie.frames import MovieContext, MovieFrame
from openflexure_timelapse.movie.job import add_frames, order_of, write_job
from openflexure_timelapse.movie.mishap import explain
from openflexure_timelapse.movie.render import rendering_in
from openflexure_timelapse.movie.segments import SEGMENT_FRAMES
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.store.disk import temporary_name

__all__ = ["RollingFilm", "can_roll", "next_step"]

ROLLS = frozenset(
    (
        *("codec", "fps", "crf", "width", "height", "crop", "shape", "noise_hold"),
        *("timestamp", "elapsed_time", "scale_bar", "title", "position_name"),
        *("gaps", "gap_label", "plane", "position", "author", "licence", "place"),
    )
)
"""What a recipe may say without a need to see all frames first."""


def can_roll(recipe: Recipe) -> bool:
    """Tell whether a movie can be encoded while its frames still come.

    Not where all frames must be seen first, where several belong to one picture, or
    where how long a frame is shown depends on the next one.
    """
    usual = Recipe()
    changed = {
        name
        for name in Recipe.model_fields
        if getattr(recipe, name) != getattr(usual, name)
    }
    return recipe.coded == "h264" and changed <= ROLLS


def next_step(given: int, settled: int) -> int:
    """Return how many frames there must be for the next step to be worth it.

    Parameters
    ----------
    given : int
        How many there were in the last one.
    settled : int
        How many of them are in segments that are full.
    """
    tail = given - settled
    if tail < SEGMENT_FRAMES:
        tail = min(tail, SEGMENT_FRAMES - tail)
    return given + max(1, tail)


class RollingFilm:
    """The film so far of one movie.

    Parameters
    ----------
    film : Path
        Where it is; the folder must exist.
    recipe : Recipe
        Of the movie.
    context : MovieContext
        What is true of all its frames.

    Attributes
    ----------
    last : MovieFrame or None
        The last frame that was given.
    """

    def __init__(self, film: Path, recipe: Recipe, context: MovieContext) -> None:
        self.last: Optional[MovieFrame] = None
        self._film = film
        self._recipe = recipe
        self._context = context
        self._work = film.with_name(temporary_name(film.name))
        self._given = 0
        self._due = 1
        self._child = Child()

    @property
    def is_due(self) -> bool:
        """Whether enough frames have come for a step."""
        return self._given >= self._due

    @property
    def is_open(self) -> bool:
        """Whether the frames that were given are still noted down."""
        return (self._work / JOB_FILE).exists()

    def give(self, frames: Iterable[MovieFrame]) -> None:
        """Take frames that come after those that were given before.

        Raises
        ------
        OSError
            When they cannot be noted down.
        """
        if not self.is_open:
            tools = tools_of(self._recipe)
            order = order_of(self._recipe, self._context, *tools, self._work / "none")
            order = replace(order, film=str(self._film), rolling=True)
            self._work.mkdir()
            write_job(self._work / JOB_FILE, order, ())
        self.last = (
            add_frames(self._work / JOB_FILE, self._counted(frames)) or self.last
        )

    def step(self) -> None:
        """Encode what has come; return when that is done.

        Raises
        ------
        TimelapseError
            When it cannot be done, or `end` was called meanwhile.
        """
        given = self._given
        self._due = 2 * given + 1  # unless it is done, later and later
        with rendering_in(self._film.parent):
            report, tail, code = self._child.run(self._work, _ignore)
        if report.get("event") != "complete" or code:
            raise explain(self._film, report, tail, code)
        self._due = next_step(given, int(report["settled"]))

    def end(self) -> None:
        """End a step under way, and begin no other; from any thread."""
        self._child.kill()

    def close(self) -> None:
        """Remove what only a next step would need."""
        self.end()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(str(self._work))

    def _counted(self, frames: Iterable[MovieFrame]) -> Iterable[MovieFrame]:
        """Pass frames on, with paths that hold in any folder."""
        for frame in frames:
            self._given += 1
            yield frame.under(lambda path: str(Path(path).absolute()))


def _ignore(_: Dict[str, Any]) -> None:
    """Nobody asks how far a step is."""
