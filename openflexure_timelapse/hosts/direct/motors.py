"""A stage turned bit by bit, so that a move can be seen and stopped on its way."""

from typing import Generator, Sequence, Tuple

from openflexure_timelapse.errors import HardwareTimeoutError
from openflexure_timelapse.hosts.direct.parts import Move, StagePart
from openflexure_timelapse.ports import Clock, StagePosition

__all__ = ["DirectMotors"]

GRAIN_NS = 50_000_000


class DirectMotors:
    """The motors of a stage, without regard to play.

    Parameters
    ----------
    stage : StagePart
        Whose moves go on while others work.
    clock : Clock
        Its clock.
    """

    def __init__(self, stage: StagePart, clock: Clock) -> None:
        self._stage = stage
        self._clock = clock

    def place(self) -> Tuple[int, int, int]:
        """Return the steps counted since the origin, as last known."""
        place = self._stage.state()["position"]
        return int(place["x"]), int(place["y"]), int(place["z"])

    def zero(self) -> None:
        """Count from here."""
        self._stage.set_zero()

    def turn(self, steps: Sequence[int]) -> Generator[None, None, None]:
        """Turn by steps of x, y and z; whoever closes this has stopped them.

        A board that hears nothing while it moves is stopped between parts of the way.

        Raises
        ------
        HardwareError
            As the stage does, or when it does not arrive in time.
        """
        here = self._stage.position()
        start = (here.x, here.y, here.z)
        longest = self._stage.longest_glide
        parts = 1 if longest is None else -(-max(map(abs, steps)) // longest)
        for part in range(1, max(1, parts) + 1):
            x, y, z = (
                a + step * part // max(1, parts) for a, step in zip(start, steps)
            )
            yield from self._follow(self._stage.glide(StagePosition(x, y, z)))

    def _follow(self, move: Move) -> Generator[None, None, None]:
        """Yield until a move is over; break it off when nobody asks any more."""
        never = self._clock.signal()
        try:
            while not move.is_done():
                now_ns = self._clock.monotonic_ns()
                if now_ns > move.course.deadline_ns:
                    message = "The stage is not there in time; "
                    raise HardwareTimeoutError(message + "check the board's supply.")
                self._clock.wait_until(now_ns + GRAIN_NS, never)
                yield
        finally:
            if not move.is_over:
                self._stage.break_off(move)
