"""A stage turned bit by bit, so that a move can be seen and stopped on its way."""

import contextlib
import threading
from typing import Generator, List, Sequence, Tuple

from openflexure_timelapse.errors import HardwareTimeoutError
from openflexure_timelapse.hosts.direct.parts import StagePart

__all__ = ["DirectMotors"]

GRAIN_S = 0.05
STOP_S = 5.0
"""A stage that was told to stop has ended its move by then, or nobody knows of it."""


class DirectMotors:
    """The motors of a stage, without regard to play.

    Parameters
    ----------
    stage : StagePart
        Whose moves take their time, and can be stopped from another thread.
    """

    def __init__(self, stage: StagePart) -> None:
        self._stage = stage

    def place(self) -> Tuple[int, int, int]:
        """Return the steps counted since the origin, as last known."""
        place = self._stage.state()["position"]
        return int(place["x"]), int(place["y"]), int(place["z"])

    def zero(self) -> None:
        """Count from here."""
        self._stage.set_zero()

    def turn(self, steps: Sequence[int]) -> Generator[None, None, None]:
        """Turn by steps of x, y and z; whoever closes this has stopped them.

        Raises
        ------
        HardwareError
            As the stage does, or when it cannot be stopped.
        """
        x, y, z = steps
        failures: List[Exception] = []
        done = threading.Event()

        def work() -> None:
            try:
                self._stage.move_by((x, y, z))
            except Exception as exc:  # noqa: BLE001 - raised again by who waits
                failures.append(exc)
            finally:
                done.set()

        thread = threading.Thread(target=work, name="direct move", daemon=True)
        thread.start()
        is_stopped = True
        try:
            while not done.wait(GRAIN_S):
                yield
            is_stopped = False
        finally:
            if is_stopped:
                self._end(done)
            else:
                thread.join()
        if failures:
            raise failures[0]

    def _end(self, done: threading.Event) -> None:
        """Stop a move that goes on, and wait for its end."""
        with contextlib.ExitStack() as always:
            always.callback(self._await_end, done)
            self._stage.stop()

    @staticmethod
    def _await_end(done: threading.Event) -> None:
        """Wait for the end of a move that was told to stop."""
        if not done.wait(STOP_S):
            told = f"The stage did not stop within {STOP_S:g} s; "
            raise HardwareTimeoutError(told + "switch its power off.")
