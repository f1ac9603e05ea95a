"""The stage on a Sangaboard: moves that can be stopped, each one verified.

The board counts steps and knows no more: the limits, the way upwards at the end of each
move, and what becomes of the place when the board starts anew are ours.
"""

from typing import List, Optional, Tuple

from openflexure_timelapse.errors import OutOfReachError
from openflexure_timelapse.hosts.approach import first_move, way_between
from openflexure_timelapse.hosts.direct.board import ANY, Board
from openflexure_timelapse.hosts.direct.glide import Glide
from openflexure_timelapse.hosts.direct.kept_place import KeptPlace
from openflexure_timelapse.hosts.direct.motion import Motion
from openflexure_timelapse.hosts.direct.reckoning import Stretch, steps_of
from openflexure_timelapse.hosts.direct.stage_settings import StageSettings
from openflexure_timelapse.ports import Clock, JsonDict, StageInfo, StagePosition

__all__ = ["DirectStage"]

US_PER_S = 1_000_000
MOST_STEPS = 1_000_000_000
"""As in a plan: from one end to the other still fits into the board's 32 bits."""
LONGEST_DEAF_MOVE = 2_000
"""In steps: a board that is deaf while it moves can only be stopped between two."""


class DirectStage:
    """A stage as `ports.Stage`, and what only a board can do.

    Parameters
    ----------
    board : Board
        Open.
    clock : Clock
        Keeps the time of moves.
    settings : StageSettings
        How the stage is built.
    kept : KeptPlace
        Where the place is noted for the time after a power cut.

    Raises
    ------
    HardwareError
        When the board does not answer.
    StorageError
        When a place was noted and cannot be read.
    """

    def __init__(
        self, board: Board, clock: Clock, settings: StageSettings, kept: KeptPlace
    ) -> None:
        self._board, self._clock, self._settings = board, clock, settings
        self._motion = Motion(board, clock, settings, kept)

    # ---------------------------------------------------------------------- the port

    def describe(self) -> StageInfo:
        """Return the constant facts."""
        settings, facts = self._settings, self._board.facts
        low, high = settings.lowest, settings.highest
        return StageInfo(
            model=f"{facts.board} ({facts.firmware})",
            simulated=False,
            step_um=settings.step_um,
            lowest=None if low is None else StagePosition(*low),
            highest=None if high is None else StagePosition(*high),
            steps_per_s=US_PER_S / self._motion.step_us,
        )

    def position(self) -> StagePosition:
        """Return where the stage is; a board that is deaf meanwhile is not asked.

        Raises
        ------
        HardwareError
            When the board does not answer.
        """
        return self._motion.where()

    def move_to(self, target: StagePosition) -> None:
        """Go there, ending every axis with an upward move; see `ports.Stage`.

        Raises
        ------
        OutOfReachError
            Before anything moves, when the target is outside the travel.
        HardwareError
            When the stage did not arrive, was stopped, or its place is not known.
        """
        self._check_reach(target)
        motion = self._motion
        with motion.lock:
            turn, here = motion.ready(), motion.known.place
            way, play = way_between(here, target), self._settings.backlash_steps
            first = first_move(here, way, motion.came_to, play)
            below = StagePosition(*(a + b for a, b in zip(steps_of(here), first)))
            if below == here == target:
                return
            motion.will_be_in(Stretch.over(here, below, target), is_alone=False)
        for leg in (below, target):
            self._go(leg, turn)
        with motion.lock:
            motion.came_to = target
            motion.write_note()

    # ------------------------------------------------------------------ beyond the port

    @property
    def moving(self) -> bool:
        """Whether a move is under way, as far as we know; nobody is asked."""
        return self._motion.glide is not None

    def glide(self, target: StagePosition) -> Glide:
        """Begin a move in one go, without care for the play, and return at once.

        Raises
        ------
        OutOfReachError
            Before anything moves, when the target is outside the travel.
        HardwareError
            When the board does not take it.
        """
        self._check_reach(target)
        motion = self._motion
        with motion.lock:
            turn = motion.ready()
            stretch = Stretch.over(motion.known.place, target)
            motion.will_be_in(stretch, is_alone=True)
            return motion.begin(target, turn)

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped the last move."""
        return self._motion.halt.is_set()

    @property
    def longest_glide(self) -> Optional[int]:
        """Steps after which a move can be stopped at the latest; None: at any time."""
        return LONGEST_DEAF_MOVE if self._board.facts.is_blocking else None

    def break_off(self, glide: Glide) -> None:
        """End a move that is not to go on, and find out where the stage is.

        A board with firmware 0.5 makes it to its end first.
        """
        self._motion.let_end(glide)
        self._motion.break_off(glide)

    def stop(self) -> None:
        """End a move at once, from any thread; who moved gets an error.

        A board with firmware 0.5 goes on to the end of its present part of the way.

        Raises
        ------
        HardwareError
            When the board does not answer.
        """
        self._motion.halt.set()
        if self.moving and not self._board.facts.is_blocking:
            self._board.ask("stop", ANY)

    def set_zero(self) -> None:
        """Call the present place zero; from then on it is known to the step.

        Raises
        ------
        HardwareError
            When the board does not answer.
        """
        with self._motion.lock:
            self._motion.ready(even_unsure=True)
            self._motion.set_zero()

    def forget_approach(self) -> None:
        """Take note that the next move must not trust how the last one ended."""
        self._motion.came_to = None

    def end_visit(self) -> None:
        """Take the current off the coils, if the settings say so.

        Raises
        ------
        HardwareError
            When the board does not answer.
        """
        with self._motion.lock:
            if self._settings.release_after_visit and not self.moving:
                self._board.ask("release", ANY)
                self._motion.has_current = False

    def state(self) -> JsonDict:
        """Return what EXIF keeps of the stage; the board is not asked."""
        known, glide, facts = self._motion.known, self._motion.glide, self._board.facts
        place = known.place
        if glide is not None:
            place = glide.course.at(self._clock.monotonic_ns())
        return {
            "position": _named(steps_of(place)),
            "unsure_steps": _named(known.unsure),
            "board": facts.board,
            "firmware": facts.firmware,
            "backlash": _named(self._settings.backlash_steps),
            "coils_released": not self._motion.has_current,
        }

    def incidents(self) -> List[JsonDict]:
        """Return what has happened to board and stage since the last call."""
        return self._board.incidents()

    # ---------------------------------------------------------------------- the moves

    def _check_reach(self, target: StagePosition) -> None:
        """Refuse a target outside the travel, or further than a board counts."""
        low = self._settings.lowest or (-MOST_STEPS,) * 3
        high = self._settings.highest or (MOST_STEPS,) * 3
        for axis, least, place, most in zip("xyz", low, steps_of(target), high):
            if not least <= place <= most:
                told = f"{axis} = {place} is outside the stage's travel, {least} to "
                raise OutOfReachError(f"{told}{most} steps; choose one in it.")

    def _go(self, target: StagePosition, turn: int) -> None:
        """Make one leg of a move, in parts where the board is deaf meanwhile."""
        start = self._motion.known.place
        parts = 1
        if self._board.facts.is_blocking:
            longest = max(map(abs, way_between(start, target)))
            parts = max(1, -(-longest // LONGEST_DEAF_MOVE))
        ends = list(zip(steps_of(start), steps_of(target)))
        for part in range(1, parts + 1):
            place = StagePosition(*(a + (b - a) * part // parts for a, b in ends))
            if place != self._motion.known.place:
                self._motion.begin(place, turn).wait()


def _named(steps: Tuple[int, int, int]) -> JsonDict:
    """Return three numbers by the names of the axes."""
    return dict(zip("xyz", steps))
