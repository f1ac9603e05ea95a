"""The motors behind one board: where they are, and one move at a time.

What is known of the place is changed here only, and noted on disk when it changes.
"""

import threading
from typing import Dict, Optional, Tuple

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.approach import told_place, way_between
from openflexure_timelapse.hosts.direct.board import ANY, OBEYED, Board
from openflexure_timelapse.hosts.direct.glide import Course, Glide
from openflexure_timelapse.hosts.direct.kept_place import KeptPlace
from openflexure_timelapse.hosts.direct.reckoning import (
    Reckoning,
    Stretch,
    counted_on,
    found,
    place_at,
)
from openflexure_timelapse.hosts.direct.stage_settings import StageSettings
from openflexure_timelapse.ports import Clock, StagePosition

__all__ = ["Motion"]

MOVING = r"true|false"
FIRST_NUMBER = r"\D*(\d*).*"  # the words around it differ between the firmwares
TOLD: Dict[str, str] = {
    "restarted": "The board started anew and counts from {count}; the stage did not "
    "move meanwhile, so it still is at {place}. If another program has sent it to the "
    "board's zero instead, set its zero again.",
    "broken_move": "A move was broken off by a restart of the board or of its supply; "
    "the stage is near {place}, by {unsure} steps unsure. Set its zero again when you "
    "can.",
    "moved": "The board counts {count}, which is not where we left it: somebody else "
    "has moved the stage, which now is at {place}. If the board was without power as "
    "well, set its zero again.",
}
NAMES = {"restarted": "place_restored", "broken_move": "place_unsure", "moved": "moved"}


class Motion:
    """One move at a time, and the place.

    Parameters
    ----------
    board, clock, settings, kept
        As `DirectStage` takes them.

    Attributes
    ----------
    known : Reckoning
        What is known of the place.
    glide : Glide or None
        The move that is under way.
    came_to : StagePosition or None
        Where the last whole move ended from below; None when nobody can rely on that.
    has_current : bool
        Whether the coils have been used since they were released.
    lock : RLock
        Held for each change, never while time passes.
    """

    def __init__(
        self, board: Board, clock: Clock, settings: StageSettings, kept: KeptPlace
    ) -> None:
        self._board, self._clock, self._kept = board, clock, kept
        self._settings, self._signs = settings, settings.signs
        self.lock = threading.RLock()
        self.halt = clock.signal()
        self.glide: Optional[Glide] = None
        self.came_to: Optional[StagePosition] = None
        self.has_current = True
        self._turn = 0
        self._is_alone = False
        self._narrow: Optional[Stretch] = None
        self._unkept = ""
        self.step_us, self._ramp_us = self._set_speed(settings.step_us)
        self.known = self._first_place()
        self._epoch = board.epoch

    def _set_speed(self, step_us: int) -> Tuple[int, int]:
        """Give the board its speed where it has another one, and return what it has."""
        has_us = self._number("dt?")
        if has_us != step_us:
            self._board.ask(f"dt {step_us}", ANY)
            has_us = self._number("dt?")
        return has_us or step_us, self._number("ramp_time?")

    def _number(self, question: str) -> int:
        """Return a number of the board's; 0 where it tells none."""
        return int(self._board.ask(question, FIRST_NUMBER)[1] or 0)

    def _first_place(self) -> Reckoning:
        """Return the place that was noted, or else what the board counts."""
        noted = self._kept.read()
        self._epoch = self._board.epoch - 1  # nobody heard what it did meanwhile
        self._stand_still()
        count = self._board.count()
        if noted is None:
            x, y, z = (sign * steps for sign, steps in zip(self._signs, count))
            self.known = Reckoning(count, StagePosition(x, y, z))
        else:
            self.known = noted
            self._judge(count)
        self.write_note()
        return self.known

    # ----------------------------------------------------------------------- the place

    def where(self) -> StagePosition:
        """Return where the stage is, as the board counts it now.

        Raises
        ------
        HardwareError
            When the board does not answer, or has started anew during a move.
        """
        with self.lock:
            if self.glide is None:
                self._find()
                return self.known.place
            if self._board.facts.is_blocking:
                return self.glide.course.at(self._clock.monotonic_ns())
            there = place_at(self.known, self._board.count(), self._signs)
            if self._board.epoch != self._epoch:
                raise HardwareError("The board started anew during a move; look again.")
            return there

    def ready(self, *, even_unsure: bool = False) -> int:
        """Be ready for a move of a new turn: nothing moves, and the place is known.

        Returns
        -------
        int
            The turn; a later one ends this one's moves.

        Raises
        ------
        HardwareError
            When the place is not known and the settings refuse to go by a guess.
        """
        if self.glide is not None:
            self.break_off(self.glide)
        self._turn += 1
        self._find()
        if not (even_unsure or self.known.is_sure or self._settings.move_when_unsure):
            message = f"The stage is near {told_place(self.known.place)}, by "
            message += f"{self.known.unsure} steps unsure since a move was broken off; "
            raise HardwareError(message + "put it where you want it and set its zero.")
        self.halt.clear()
        return self._turn

    def set_zero(self) -> None:
        """Call the present place zero."""
        self._board.ask("zero", ANY)
        self.known = Reckoning(self._board.count(), StagePosition(0, 0, 0))
        self.came_to = None
        self.write_note()

    def will_be_in(self, stretch: Stretch, *, is_alone: bool) -> None:
        """Note on disk that the stage is about to move.

        Parameters
        ----------
        stretch : Stretch
            Where it may be until the next note.
        is_alone : bool
            Whether the next move is the only one, so that its end is to be noted.
        """
        self._is_alone = is_alone
        self.write_note(self.known.leaving(stretch))

    def write_note(self, known: Optional[Reckoning] = None) -> None:
        """Note on disk what is known; a full disk is told once."""
        trouble = self._kept.write(self.known if known is None else known)
        if trouble and not self._unkept:
            self._board.note("place_not_kept", trouble)
        self._unkept = trouble

    def _find(self) -> None:
        """Find out where the stage is; a move that was lost sight of ends here."""
        if self.known.moving is not None:
            self._stand_still()
        self._judge(self._board.count())

    def _stand_still(self) -> None:
        """End a move that goes on without us: of a program that died, or a bad line."""
        is_deaf = self._board.facts.is_blocking
        if not is_deaf and self._board.ask("moving?", MOVING)[0] == "true":
            self._board.ask("stop", ANY)
            self._epoch = self._board.epoch  # one that moves has not started anew

    def _judge(self, count: Tuple[int, int, int]) -> None:
        """Take over what the board counts while nothing moves."""
        epoch = self._board.epoch
        went_on = epoch == self._epoch
        if not went_on:
            self.step_us, self._ramp_us = self._set_speed(self._settings.step_us)
        self._epoch = epoch
        starts_from_zero = self._board.facts.starts_from_zero
        self.known, what = found(
            self.known,
            count,
            self._signs,
            starts_from_zero=starts_from_zero,
            went_on=went_on,
            narrow=self._narrow,
        )
        self._narrow = None
        if what in TOLD:
            self.came_to = None
            place, unsure = told_place(self.known.place), self.known.unsure
            detail = TOLD[what].format(count=count, place=place, unsure=unsure)
            self._board.note(NAMES[what], detail)
        self.write_note()
        if what == "restarted" and went_on:  # without a word, so nothing is set
            self._board.set_again()
            self._judge(count)

    # ------------------------------------------------------------------------- moving

    def begin(self, target: StagePosition, turn: int) -> Glide:
        """Tell the board to move; every later call about it comes from the glide.

        Raises
        ------
        HardwareError
            When the board does not take it, or a later turn has begun.
        """
        with self.lock:
            self._check_turn(turn)
            start, asked_ns = self.known.place, self._clock.monotonic_ns()
            way = way_between(start, target)
            x, y, z = (sign * step for sign, step in zip(self._signs, way))
            self.came_to, self.has_current = None, True
            self.known = self.known.leaving(Stretch.over(start, target))
            self._narrow = None
            try:
                if self._board.facts.is_blocking:
                    self._board.begin_deaf_move(f"mr {x} {y} {z}")
                else:
                    self._board.ask(f"mr {x} {y} {z}", OBEYED, again=False)
            except HardwareError:
                self._after_trouble()
                raise
            begun_ns = (asked_ns + self._clock.monotonic_ns()) // 2
            course = Course(start, target, begun_ns, self.step_us, self._ramp_us)
            self.glide = Glide(self, course)
            return self.glide

    def look(self, glide: Glide, wait_s: float) -> bool:
        """Tell whether a move is over; then check the place.

        Parameters
        ----------
        glide : Glide
            Begun here.
        wait_s : float
            Real seconds to listen to a board that tells the end by itself.

        Raises
        ------
        HardwareError
            When the stage did not arrive, or the board is in trouble.
        """
        with self.lock:
            if glide is not self.glide:
                raise HardwareError(
                    "The move was broken off by another one; repeat it."
                )
            asked_ns = self._clock.monotonic_ns()
            try:
                is_over = self._is_over(wait_s)
                if is_over or self._board.epoch != self._epoch:
                    is_over = self._check(glide, self._board.count()) and is_over
            except HardwareError:
                self._fail(glide)
                raise
            glide.last_seen_ns = asked_ns
            if is_over and self._is_alone:
                self.write_note()
            return is_over

    def pause(self, glide: Glide, until_ns: int) -> None:
        """Wait, or break the move off when somebody stopped it.

        Raises
        ------
        HardwareError
            When the move was stopped.
        """
        try:
            stopped = self._clock.wait_until(until_ns, self.halt)
        except BaseException:  # the deadline of a lane: nothing may turn on alone
            self.break_off(glide)
            raise
        if stopped:
            self.let_end(glide)
            self.break_off(glide)
            raise HardwareError(self._told_stop())

    def let_end(self, glide: Glide) -> None:
        """Wait for the end of a move that a deaf board cannot be asked to stop."""
        if glide is self.glide and self._board.facts.is_blocking:
            self._clock.wait_until(glide.course.told_ns, self._clock.signal())

    def break_off(self, glide: Glide) -> None:
        """End a move that is not to go on, and find out where the stage is."""
        with self.lock:
            if glide is self.glide:
                if self._board.facts.is_blocking:
                    self._give_up_deaf(glide)
                self._fail(glide)

    def _check_turn(self, turn: int) -> None:
        """Refuse a move of somebody who has been overtaken."""
        if turn != self._turn:
            raise HardwareError("The move was broken off by another one; repeat it.")

    def _is_over(self, wait_s: float) -> bool:
        """Ask the board, or listen to one that is deaf."""
        if self._board.facts.is_blocking:
            return self._board.hear_end(wait_s)
        return self._board.ask("moving?", MOVING)[0] == "false"

    def _check(self, glide: Glide, count: Tuple[int, int, int]) -> bool:
        """Compare the place with the target; after a reopened port, with the way.

        Returns
        -------
        bool
            Whether the stage has arrived. False: the port was opened anew, and the
            board has gone on meanwhile.

        Raises
        ------
        HardwareError
            When it has not arrived, or has started anew.
        """
        target = glide.course.target
        there = place_at(self.known, count, self._signs)
        if self._board.epoch != self._epoch:
            forgets = self._board.facts.starts_from_zero
            if not counted_on(self.known, count, self._signs, starts_from_zero=forgets):
                told = (
                    "The board started anew, or may have, in the middle of a move to "
                )
                raise HardwareError(f"{told}{told_place(target)}; check its supply.")
            self._epoch = self._board.epoch
            if there != target:
                return False
        if there != target:
            if self.halt.is_set():
                raise HardwareError(self._told_stop())
            message = f"The stage did not arrive: asked {told_place(target)}, is "
            raise HardwareError(
                f"{message}{told_place(there)}; check motors and cable."
            )
        self.known = self.known.arrived(count, there)
        self.glide, glide.is_over = None, True
        return True

    def _told_stop(self) -> str:
        """Return what to tell who moved when somebody else stopped it."""
        return "The move was stopped by somebody; move again when it may go on."

    # ------------------------------------------------------------------------ trouble

    def _fail(self, glide: Glide) -> None:
        """Find out where the stage is after a move that went wrong."""
        self.glide = None
        seen_ns, now_ns = glide.last_seen_ns, self._clock.monotonic_ns()
        self._narrow = glide.course.between(seen_ns, now_ns)
        self._after_trouble()

    def _after_trouble(self) -> None:
        """Let nothing turn, and read the place; if that fails, before the next move."""
        try:
            self._stand_still()
            self._judge(self._board.count())
        except HardwareError as exc:
            self._board.note("place_not_read", str(exc))

    def _give_up_deaf(self, glide: Glide) -> None:
        """Listen once more to a board that was deaf, then wait no more."""
        try:
            if self._board.hear_end(glide.LISTEN_S):
                return
        except HardwareError as exc:
            self._board.note("not_stopped", str(exc))
        self._board.give_up_deaf_move()
