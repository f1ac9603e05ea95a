"""What a run does when its disk is full, fails or is gone: pause, say so, go on."""

from typing import Any, Callable, Mapping, Optional, Sequence

from openflexure_timelapse.errors import DiskFullError, StorageError
from openflexure_timelapse.frame import Reason, Visit
from openflexure_timelapse.ledger import Ledger
from openflexure_timelapse.room import Room
from openflexure_timelapse.run_state import PauseReason, RunEvent, RunState
from openflexure_timelapse.status import NOT_STORED, StatusBoard

__all__ = ["DiskWatch"]


class DiskWatch:
    """Turns what the room says into the run's state and status.

    Parameters
    ----------
    room, ledger
        Asked.
    board : StatusBoard
        Told.
    apply : callable
        Changes the run's state by an event with details.
    """

    def __init__(
        self,
        room: Room,
        ledger: Ledger,
        board: StatusBoard,
        apply: Callable[[RunEvent, Mapping[str, Any]], None],
    ) -> None:
        self._room = room
        self._ledger = ledger
        self._board = board
        self._apply = apply

    def allows(self) -> bool:
        """Tell whether the next slot can be stored; pause the run when it cannot."""
        problem = self._room.problem()
        if problem is None:
            self._board.see_obstacle("")
        else:
            self.pause_for(problem)
        return problem is None

    def refusal(self, visit: Visit) -> Optional[Reason]:
        """Return why no more visits of the slot are worth making; None when they are.

        A card that stumbles once costs one frame.
        """
        if visit.reason is Reason.DISK_FULL:
            return Reason.DISK_FULL
        if visit.reason is Reason.STORAGE and self._room.problem() is not None:
            return Reason.DISK_ERROR
        return None

    def look_after(self, visits: Sequence[Visit]) -> None:
        """Pause if the disk did not take all of a slot and still takes nothing."""
        refused = [visit for visit in visits if visit.reason in NOT_STORED]
        if not refused and not self._ledger.waiting:
            return
        problem = self._room.problem()
        if problem is None and refused and refused[0].reason is Reason.DISK_FULL:
            problem = DiskFullError(refused[0].detail)
        if problem is not None:
            self.pause_for(problem)

    def pause_for(self, problem: StorageError) -> None:
        """Pause until the disk takes frames again."""
        self._board.see_obstacle(str(problem))
        is_full = isinstance(problem, DiskFullError)
        event = RunEvent.DISK_FULL if is_full else RunEvent.DISK_ERROR
        self._apply(event, {"problem": str(problem)})
        self._board.see_waiting(self._ledger.waiting)

    def goes_on(self, state: RunState) -> bool:
        """Tell whether the disk takes frames again; let the run go on then."""
        was_full = state.pause_reason is PauseReason.DISK_FULL
        problem = self._room.lasting_problem()
        self._board.see_waiting(self._ledger.waiting)
        if problem is None:
            self._board.see_obstacle("")
            event = RunEvent.SPACE_RETURNED if was_full else RunEvent.DISK_RETURNED
            self._apply(event, {})
        elif isinstance(problem, DiskFullError) is was_full:
            self._board.see_obstacle(str(problem))
        else:
            self.pause_for(problem)
        return problem is None

    def is_written(self) -> bool:
        """Tell whether nothing waits to be written any more."""
        problem = self._room.unwritten()
        self._board.see_waiting(self._ledger.waiting)
        self._board.see_obstacle("" if problem is None else str(problem))
        return problem is None
