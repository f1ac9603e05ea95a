"""The films so far of the run that is recorded, made beside it at the lowest priority.

One thread waits for frames and lets one child process at a time encode them. The run
knows nothing of it: it only rings a bell. What goes wrong is a warning in the status.
"""

import contextlib
import logging
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional

from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.hosts.footage import movie_frames
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.movie_job import movie_context, shown_places
from openflexure_timelapse.movie.reel import reel_name, sweep_reels
from openflexure_timelapse.movie.rolling import RollingFilm, can_roll
from openflexure_timelapse.plan import Plan, parse_plan, slug
from openflexure_timelapse.ports import Clock
from openflexure_timelapse.record import Record
from openflexure_timelapse.share.record_file import told_record
from openflexure_timelapse.share.subject import scale_of
from openflexure_timelapse.store import layout

__all__ = ["Films"]

LOG = logging.getLogger(__name__)

REST = 20
"""How many times longer than a step took none is begun: a twentieth of the time."""
FIRST_REST_NS = 20_000_000_000
"""A run that is over sooner has its movie soon enough."""


class Films:
    """Makes them.

    Parameters
    ----------
    library : Library
        Where the runs are.
    clock : Clock
        The real one.
    recording : callable
        Returns the id of the run that is recorded.
    is_busy : callable
        Tells whether other movies are made, which come first.
    """

    def __init__(
        self,
        library: Library,
        clock: Clock,
        recording: Callable[[], str],
        is_busy: Callable[[], bool],
    ) -> None:
        self._library = library
        self._clock = clock
        self._recording = recording
        self._is_busy = is_busy
        self._bell = clock.signal()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._thread: Optional[threading.Thread] = None
        self._set: Optional[_FilmSet] = None
        self._trouble = ""
        self._over = ""
        self._closing = False

    def notice(self, kind: str, details: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Hear of a frame."""
        if kind != "frame":
            return
        self._bell.set()
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(
                target=self._work, name="timelapse-films", daemon=True
            )
            self._thread.start()

    def warnings(self) -> List[str]:
        """Return why a film does not grow; empty when all do."""
        shown = self._set
        told = [] if shown is None else list(shown.troubles.values())
        return [*told, self._trouble] if self._trouble else told

    def rest(self, run_id: str) -> None:
        """Work no more on a run, whose movie goes on with what there is."""
        with self._lock:
            self._over = run_id
            if self._set is not None and self._set.run_id == run_id:
                self._set.end()
        with self._turn:
            self._put_away(run_id)

    def forget(self, run_id: str) -> None:
        """Remove the films of a run that has its movies."""
        with contextlib.suppress(TimelapseError, OSError):  # it is gone, or its card
            sweep_reels(self._library.folder(run_id) / layout.MOVIES)

    def close(self) -> None:
        """End the thread and its child; what there is stays for a later process."""
        self._closing = True
        with self._lock:
            if self._set is not None:
                self._set.end()
        self._bell.set()
        if self._thread is not None:
            self._thread.join()

    # -------------------------------------------------------------------- the thread

    def _work(self) -> None:
        """Let the films grow until closed."""
        due_ns: Optional[int] = None
        while True:
            self._clock.wait_until(due_ns, self._bell)
            self._bell.clear()
            if self._closing:
                break
            try:
                with self._turn:
                    due_ns = self._look()
                self._trouble = ""
            except Exception as exc:
                # The outer edge of the thread: no run ends because of its film. Told in
                # the status until a later look goes well.
                LOG.exception("The films so far could not be looked after.")
                self._trouble = f"The films so far do not grow: {exc}"
                due_ns = None
        with self._turn:
            self._put_away(self._set.run_id if self._set is not None else "")

    def _look(self) -> Optional[int]:
        """Do one step if one is due; return when to look again, None: at a frame."""
        films = self._of(self._recording())
        if films is None:
            return None
        now_ns = self._clock.monotonic_ns()
        if now_ns < films.rests_until_ns:
            return films.rests_until_ns
        if self._is_busy():
            return now_ns + FIRST_REST_NS
        if not films.step():
            return None
        took_ns = self._clock.monotonic_ns() - now_ns
        films.rests_until_ns = self._clock.monotonic_ns() + REST * took_ns
        return films.rests_until_ns

    def _of(self, run_id: str) -> "Optional[_FilmSet]":
        """Return the films of a run; None when it has none or is over."""
        with self._lock:
            if self._closing or not run_id or run_id == self._over:
                return None
            if self._set is not None and self._set.run_id == run_id:
                return self._set
            before, self._set = self._set, None
        if before is not None:
            before.close()
        made = _FilmSet(self._library, run_id)
        made.rests_until_ns = self._clock.monotonic_ns() + FIRST_REST_NS
        with self._lock:
            if not self._closing and run_id != self._over:
                self._set = made
        return self._set

    def _put_away(self, run_id: str) -> None:
        """Drop the films of a run; the caller has the turn."""
        with self._lock:
            if self._set is None or self._set.run_id != run_id:
                return
            dropped, self._set = self._set, None
        dropped.close()


class _FilmSet:
    """The films of one run: one for each position that its plan makes a movie of."""

    def __init__(self, library: Library, run_id: str) -> None:
        self.run_id = run_id
        self.rests_until_ns = 0
        self.troubles: Dict[str, str] = {}
        self._library = library
        self._is_ended = threading.Event()
        with library.open_read(run_id) as store:
            self._plan: Plan = parse_plan(store.header["plan"])
            self._record = told_record(library.folder(run_id), self._plan)
            self._scale, _ = scale_of(store.header, self._record or Record())
        recipe = self._plan.movie
        self._films: Dict[str, RollingFilm] = {}
        if recipe is None or not can_roll(recipe):
            return
        self._recipe = recipe
        self._plane = self._plan.planes.count // 2
        if recipe.plane is not None:
            self._plane = recipe.plane
        for name in shown_places(self._plan, recipe):
            self._films[name] = self._new(name)

    def step(self) -> bool:
        """Let each film that is due grow; tell whether one did."""
        grown = False
        for name in list(self._films):
            if self._is_ended.is_set():
                break
            try:
                grown = self._grow(name) or grown
                self.troubles.pop(name, None)
            except (TimelapseError, OSError) as exc:
                if not self._is_ended.is_set():
                    told = f"The film so far of {name!r} does not grow: {exc}"
                    self.troubles[name] = told
        return grown

    def end(self) -> None:
        """End a step under way; from any thread."""
        self._is_ended.set()
        for film in self._films.values():
            film.end()

    def close(self) -> None:
        """Remove what is not finished."""
        self.end()
        for film in self._films.values():
            with contextlib.suppress(OSError):  # its card is out: swept later
                film.close()

    def _grow(self, name: str) -> bool:
        """Give a film its new frames; if it is due, do a step."""
        film = self._films[name]
        if film.last is not None and not film.is_open:
            film = self._films[name] = self._new(name)  # somebody has tidied up
        last = None if film.last is None else self._frame(name, film.last.slot)
        film.give(
            movie_frames(self._library, self.run_id, name, self._plane, after=last)
        )
        if not film.is_due:
            return False
        self._library.check_space(self._plan.keep_free_mb)
        film.step()
        return True

    def _new(self, name: str) -> RollingFilm:
        """Return a film without frames."""
        movies = Path(self._library.folder(self.run_id)) / layout.MOVIES
        context = movie_context(self._plan, self._record, self._scale, name, None, "")
        return RollingFilm(movies / reel_name(slug(name)), self._recipe, context)

    def _frame(self, name: str, slot: int) -> Optional[Frame]:
        """Return the frame that a film had last."""
        with self._library.open_read(self.run_id) as store:
            return store.frame_at(slot, name, self._plane)
