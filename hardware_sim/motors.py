"""The motors of the simulated servers' stages, under a serial line's faults."""

import contextlib
import time
from typing import Generator, Iterator, Sequence, Tuple

from hardware_sim.faults import Faults
from hardware_sim.stage import SimStage
from openflexure_timelapse.ports import Clock

__all__ = ["Motors", "Steps"]

NS_PER_S = 1_000_000_000
GRAIN_S = 0.02
"""Real time between two places of a moving stage, and before a stop is heeded."""

Steps = Tuple[int, int, int]


class Motors:
    """What turns the screws, bit by bit: seen, and perhaps stopped, on the way.

    Parameters
    ----------
    sim : SimStage
        The simulated stage; its own care for play is not used.
    clock : Clock
        Its clock.
    faults : Faults
        Those of kinds ``stage_…``; n counts the calls of `turn`.
    speed : float
        Seconds of `clock` in a second of the machine's own time.
    """

    def __init__(
        self, sim: SimStage, clock: Clock, faults: Faults, speed: float
    ) -> None:
        self._sim = sim
        self._clock = clock
        self._faults = faults
        self._fastest = sim.mechanics.steps_per_s * speed
        self._origin: Steps = (0, 0, 0)
        self._moves = 0
        self._pace = float("inf")

    def place(self) -> Steps:
        """Return the steps counted since the origin."""
        place = self._sim.position()
        x, y, z = self._origin
        return place.x - x, place.y - y, place.z - z

    def zero(self) -> None:
        """Count from here."""
        place = self._sim.position()
        self._origin = (place.x, place.y, place.z)

    def turn(self, steps: Sequence[int]) -> Generator[None, None, None]:
        """Turn by steps, and yield after each bit: whoever asks no more has stopped.

        Parameters
        ----------
        steps : sequence of 3
            Of x, y and z.

        Raises
        ------
        RuntimeError, TimeoutError
            As the schedule of faults says.
        """
        number = self._moves
        self._moves += 1
        self._suffer(number)
        whole = max(abs(step) for step in steps)
        rate = min(self._fastest, self._pace)
        grain = max(1, int(rate * GRAIN_S))
        begun_s = time.monotonic()
        done = [0, 0, 0]
        for far in range(grain, whole + grain, grain):
            part = min(far, whole) / whole
            there = [int(step * part) for step in steps]
            x, y, z = (new - old for new, old in zip(there, done))
            self._sim.move_by((x, y, z), number)
            done = there
            if rate < self._fastest:
                # The stream's frames take the machine's own time, so a move that is to
                # be seen in them takes it as well: no event says when it is over.
                early_s = min(far, whole) / rate - (time.monotonic() - begun_s)
                time.sleep(max(0.0, early_s))
            yield

    @contextlib.contextmanager
    def paced(self, steps_per_s: float) -> Iterator[None]:
        """Turn no faster than this, for a sweep that must see enough frames.

        Not on a real stage: there a frame takes no time to render.

        Parameters
        ----------
        steps_per_s : float
            Steps in a second of the machine's own time.
        """
        self._pace = steps_per_s
        try:
            yield
        finally:
            self._pace = float("inf")

    def _suffer(self, number: int) -> None:
        """Let the faults of a move happen as a board shows them."""
        if self._faults.find("stage_busy", number) is not None:
            raise RuntimeError("The board is busy with another move.")
        hung = self._faults.find("stage_hung", number)
        if hung is not None:
            self._clock.wait_until(self._faults.ends_ns(hung), self._clock.signal())
        timed_out = self._faults.find("stage_timed_out", number)
        if timed_out is not None:
            due_ns = self._clock.monotonic_ns() + int(timed_out.amount * NS_PER_S)
            self._clock.wait_until(due_ns, self._clock.signal())
            raise TimeoutError("The board did not answer in time.")
