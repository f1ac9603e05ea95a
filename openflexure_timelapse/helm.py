"""The state of one run, changed by people from any thread and by the run itself."""

import threading
from typing import Callable, List, NamedTuple

from openflexure_timelapse.ports import Signal
from openflexure_timelapse.run_state import RunEvent, RunState, transition

__all__ = ["Asked", "Helm"]


class Asked(NamedTuple):
    """What a person asked for.

    Attributes
    ----------
    event : RunEvent
        The request; the state has changed already.
    before : RunState
        The state until then.
    at_ns : int
        When, since the grid's origin.
    """

    event: RunEvent
    before: RunState
    at_ns: int


class Helm:
    """Holds the state; every change is a row of `run_state.TABLE`.

    Parameters
    ----------
    state : RunState
        At the beginning.
    wake : Signal
        Raised for each request, so that the run looks at it at once.
    elapsed_ns : callable
        Returns the time since the grid's origin.
    """

    def __init__(
        self, state: RunState, wake: Signal, elapsed_ns: Callable[[], int]
    ) -> None:
        self._state = state
        self._wake = wake
        self._elapsed_ns = elapsed_ns
        self._lock = threading.Lock()
        self._asked: List[Asked] = []

    @property
    def state(self) -> RunState:
        """The state at this moment."""
        with self._lock:
            return self._state

    def ask(self, event: RunEvent) -> None:
        """Change the state as a person asks, and let the run write it down.

        Raises
        ------
        WrongPhaseError
            When the state does not allow it.
        """
        with self._lock:
            before = self._state
            self._state = transition(before, event)
            self._asked.append(Asked(event, before, self._elapsed_ns()))
        self._wake.set()

    def take_asked(self) -> List[Asked]:
        """Return what was asked for since the last call, in order."""
        with self._lock:
            asked, self._asked = self._asked, []
        return asked

    def apply(self, event: RunEvent) -> bool:
        """Change the state as the run's course demands; False when a person was faster.

        What a person asked for is then answered first.
        """
        with self._lock:
            if not self._asked:
                self._state = transition(self._state, event)
                return True
        return False

    def put(self, state: RunState) -> None:
        """Set the state to one that was worked out by `transition`."""
        with self._lock:
            self._state = state
