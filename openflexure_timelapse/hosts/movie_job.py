"""The job of making one movie, of one position or of all."""

from pathlib import Path
from typing import Any, ClassVar, Dict, List, Optional, Tuple

from openflexure_timelapse.errors import (
    InvalidRecipeError,
    RenderError,
    StorageError,
)
from openflexure_timelapse.frame import Frame, Reason
from openflexure_timelapse.hosts.footage import movie_frames
from openflexure_timelapse.hosts.job import Batch, Job
from openflexure_timelapse.hosts.job_book import Ordered
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.movie.codecs import tools_of
from openflexure_timelapse.movie.framing import region_of
from openflexure_timelapse.movie.reel import reel_name
from openflexure_timelapse.movie.render import MovieContext, RenderJob
from openflexure_timelapse.movie.rolling import can_roll
from openflexure_timelapse.plan import Plan, parse_plan, slug
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.record import Record
from openflexure_timelapse.schedule import Grid, grid_of
from openflexure_timelapse.share.record_file import told_record
from openflexure_timelapse.share.subject import scale_of
from openflexure_timelapse.store import layout
from openflexure_timelapse.store.run_store import RunStore

__all__ = [
    "MovieJob",
    "check_means",
    "check_recipe",
    "file_name",
    "movie_context",
    "shown_places",
]

LOOK_S = 0.5
UNDER_WAY = ("queued", "running")


class MovieJob(Job):
    """One movie, made in a process of its own.

    Parameters
    ----------
    job_id, run_id, batch
        As for `Job`.
    library : Library
        Where the run is.
    position : str
        Of what; empty for a grid of all.
    recipe : Recipe
        How.
    """

    kind: ClassVar[str] = "movie"

    def __init__(  # noqa: PLR0913, PLR0917 (what a movie is made of)
        self,
        job_id: str,
        run_id: str,
        batch: Optional[Batch],
        library: Library,
        position: str,
        recipe: Recipe,
    ) -> None:
        super().__init__(job_id, run_id, batch)
        self.position = position
        self.recipe = recipe
        self.file: Optional[str] = None
        self.render: Optional[RenderJob] = None
        self._keep_free_mb = 0
        self._library = library

    @staticmethod
    def ordered(ordered: Ordered, library: Library) -> "MovieJob":
        """Return the job of an earlier process that is made now."""
        wish = (ordered.position, ordered.recipe)
        job = MovieJob(ordered.job, ordered.run, None, library, *wish)
        job.tries = ordered.tries
        return job

    def to_order(self) -> Ordered:
        """Return what a later process needs to make it."""
        return Ordered(
            job=self.id,
            run=self.run_id,
            position=self.position,
            recipe=self.recipe,
            tries=self.tries,
        )

    def to_json(self) -> Dict[str, Any]:
        """Return what the API shows."""
        done, total, fraction = 0, 0, 0.0
        if self.render is not None:
            progress = self.render.progress()
            done, total, fraction = progress.done, progress.total, progress.fraction
        return {
            **super().to_json(),
            "position": self.position,
            "recipe": self.recipe.to_json(),
            "done": done,
            "total": total,
            "fraction": fraction,
            "file": self.file if self.is_over else None,
        }

    def cancel(self) -> None:
        """End the process, also one that starts at this moment."""
        super().cancel()
        render = self.render
        if render is not None:
            render.cancel()

    def work(self) -> Tuple[str, str]:
        """Make the movie."""
        self.render, out_path = self._prepared()
        if self.is_cancelled:
            self.render.cancel()
        self._library.check_space(self._keep_free_mb)
        self.render.start()
        state, message = self._watched(self.render)
        if state == "done":
            self.file = f"{layout.MOVIES}/{out_path.name}"
        return state, message

    def _watched(self, render: RenderJob) -> Tuple[str, str]:
        """Wait for its end; end it before it has filled the disk."""
        while True:
            ended = render.wait(LOOK_S)
            if ended.state not in UNDER_WAY:
                return ended.state, ended.message
            try:
                self._library.check_space(self._keep_free_mb)
            except StorageError as exc:
                render.cancel()
                ended = render.wait()
                if ended.state == "cancelled" and not self.is_cancelled:
                    return "failed", f"The movie was given up: {exc}"
                return ended.state, ended.message

    def _prepared(self) -> Tuple[RenderJob, Path]:
        """Return the render that is to be started, and the file that it makes."""
        with self._library.open_read(self.run_id) as store:
            plan = parse_plan(store.header["plan"])
            self._keep_free_mb = plan.keep_free_mb
            names = plan.position_names()
            plane = plan.planes.count // 2
            if self.recipe.plane is not None:
                plane = self.recipe.plane
            here = [self.position] if self.position else names
            count = max(store.count_frames(name, plane) for name in here)
            record = told_record(self._library.folder(self.run_id), plan)
            scale, _ = scale_of(store.header, record or Record())
            slots, end_reason = _covered(store)
        if count == 0:
            told = f"{self.run_id} has no frames of {self.position!r}, plane {plane}; "
            raise RenderError(told + "choose another position or plane.")
        context = movie_context(plan, record, scale, self.position, slots, end_reason)
        path = self._free_name()
        frames = movie_frames(
            self._library,
            self.run_id,
            self.position or None,
            plane if self.recipe.planes == "one" else None,
            context.names,
        )
        film = self._film_so_far(path.parent)
        return RenderJob(frames, count, self.recipe, context, str(path), film), path

    def _film_so_far(self, movies: Path) -> str:
        """Return the path of the film that a planned movie goes on with, or nothing."""
        if self.batch is None or not self.position:
            return ""
        film = movies / reel_name(slug(self.position))
        return str(film) if can_roll(self.recipe) and film.exists() else ""

    def _free_name(self) -> Path:
        """Return a file name that no movie of the run has yet."""
        folder = self._library.folder(self.run_id) / layout.MOVIES
        folder.mkdir(exist_ok=True)
        path = folder / file_name(self.recipe, self.position)
        stem, number = path.stem, 2
        while path.exists():
            path = path.with_name(f"{stem}_{number}{path.suffix}")
            number += 1
        return path


def file_name(recipe: Recipe, position: str) -> str:
    """Return the name of a movie's file, where it is the first of its kind."""
    stem = slug(position) if position else recipe.view
    return f"{stem}{f'_{recipe.view}' if recipe.is_still else ''}.{recipe.ending}"


def shown_places(plan: Plan, recipe: Recipe) -> List[str]:
    """Return the positions of which a movie each is made; an empty name for a grid."""
    if recipe.view == "grid":
        return [""]
    return [recipe.position] if recipe.position else list(plan.position_names())


def movie_context(  # noqa: PLR0913, PLR0917 (what a movie is told of)
    plan: Plan,
    record: Optional[Record],
    um_per_pixel: Optional[float],
    position: str,
    slots: Optional[int],
    end_reason: str,
) -> MovieContext:
    """Return what is true of all frames of a movie.

    Parameters
    ----------
    plan : Plan
        Of the run.
    record : Record or None
        Of its sample; None where nothing is known.
    um_per_pixel : float or None
        Of the stored frames.
    position : str
        Of which position; empty for a grid of all.
    slots : int or None
        How many it covers; None while it is being recorded.
    end_reason : str
        Why the last one has no frame.
    """
    grid, names, covered = grid_of(plan), plan.position_names(), slots or 1
    return MovieContext(
        interval_ns=grid.interval_at(0),
        last_interval_ns=grid.interval_at(max(0, covered - 1)),
        um_per_pixel=um_per_pixel,
        position=position if plan.positions else "",
        slots=slots,
        end_reason=end_reason,
        usual_interval_ns=_usual_interval_ns(grid, covered),
        several=len(names) > 1,
        names=() if position else names,
        known=_known(plan, record),
    )


def _usual_interval_ns(grid: Grid, slots: int) -> int:
    """Return the interval of most of the slots that a movie covers."""
    counts: Dict[int, int] = {}
    for phase in grid.phases:
        here = max(0, slots - phase.first_slot)
        if phase.slots is not None:
            here = min(here, phase.slots)
        counts[phase.interval_ns] = counts.get(phase.interval_ns, 0) + here
    return max(counts, key=lambda interval_ns: counts[interval_ns])


def _covered(store: RunStore) -> "tuple[int, str]":
    """Return how many slots a movie covers, and why the last one has no frame.

    What a person gave up is no gap; the movie ends where the run was stopped.
    """
    decided = store.totals().next_slot
    last = store.slot_at(decided - 1)
    if last is None or last.reason is None:
        return decided, ""
    if last.reason is Reason.STOPPED:
        return last.first, ""
    return decided, last.reason.value


def _known(plan: Plan, record: Optional[Record]) -> Dict[str, Any]:
    """Return what is known of what is recorded."""
    told = {} if record is None else record.model_dump(mode="json")
    return {"name": plan.name, **told}


def check_recipe(plan: Plan, recipe: Recipe, run_id: str, frames: int) -> None:
    """Refuse a recipe that asks for what the run does not have."""
    names = plan.position_names()
    if recipe.position is not None and recipe.position not in names:
        known = ", ".join(names)
        told = f"{run_id} has no position {recipe.position!r}; it has: {known}."
        raise InvalidRecipeError(told, [{"field": "position", "reason": told}])
    if recipe.plane is not None and recipe.plane >= plan.planes.count:
        last = plan.planes.count - 1
        told = f"{run_id} has no plane {recipe.plane}; its planes are 0 to {last}."
        raise InvalidRecipeError(told, [{"field": "plane", "reason": told}])
    unfit = recipe.unfit_for(len(names), plan.planes.count)
    if unfit:
        field = "view" if unfit.startswith("view") else "planes"
        told = f"{run_id} cannot give this movie: {unfit}; choose another one."
        raise InvalidRecipeError(told, [{"field": field, "reason": told}])
    if frames == 0:
        told = f"{run_id} has no frames yet; wait for the first one."
        raise InvalidRecipeError(told)


def check_means(recipe: Recipe, frame: Optional[Frame]) -> None:
    """Refuse a codec that this computer cannot write, and a crop that leaves the frame.

    Parameters
    ----------
    recipe : Recipe
        What is asked for.
    frame : Frame or None
        One of the run.
    """
    field = "codec"
    try:
        if recipe.coded != "h264":
            tools_of(recipe)
        field = "crop"
        if frame is not None:
            size = (frame.draft.width, frame.draft.height)
            region_of(size, recipe.cropped, recipe.shape)
    except RenderError as exc:
        raise InvalidRecipeError(
            str(exc), [{"field": field, "reason": str(exc)}]
        ) from exc
