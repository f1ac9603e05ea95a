"""The simulated stage: steps, speed, backlash, sag, shake and travel."""

from dataclasses import dataclass
from typing import Callable, List, Optional, Tuple

import numpy as np

from hardware_sim.faults import Faults
from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareTimeoutError,
    OutOfReachError,
)
from openflexure_timelapse.ports import Clock, StageInfo, StagePosition

__all__ = ["Mechanics", "SimStage", "play"]

NS_PER_S = 1_000_000_000
APPROACH_STEPS = 200
"""More than the play of any axis."""


@dataclass(frozen=True)
class Mechanics:
    """The figures of the stage.

    Attributes
    ----------
    step_um : (float, float, float)
        Of x, y and z.
    backlash_steps : (float, float, float)
        Play of each axis.
    steps_per_s : float
        Of all axes, which move together.
    travel_um : (float, float, float)
        From end to end, the middle being 0.
    sag_radius_um : float
        Moving in x and y lifts the sample along a sphere's cap of this radius.
    shake_um, shake_s, shake_hz : float
        Of the swing after a move: amplitude, decay time, frequency.
    """

    step_um: Tuple[float, float, float] = (0.088, 0.088, 0.050)
    backlash_steps: Tuple[float, float, float] = (158.0, 84.0, 80.0)
    steps_per_s: float = 1000.0
    travel_um: Tuple[float, float, float] = (12_000.0, 12_000.0, 4_000.0)
    sag_radius_um: float = 50_000.0
    shake_um: float = 0.3
    shake_s: float = 0.15
    shake_hz: float = 18.0

    def farthest(self) -> Tuple[int, int, int]:
        """Return the last step of each axis, from the middle."""
        x, y, z = (
            int(travel / 2 / step) for travel, step in zip(self.travel_um, self.step_um)
        )
        return x, y, z


def play(slack: float, move: float, backlash: float) -> Tuple[float, float]:
    """Move a screw that has play; return the new slack and what the nut moved.

    The play operator: the nut follows only at either end of its play.

    Parameters
    ----------
    slack : float
        Where the screw stands in its play, ``-backlash / 2`` to ``backlash / 2``.
    move : float
        Steps that the screw turns.
    backlash : float
        The width of the play, in steps.
    """
    wanted = slack + move
    half = backlash / 2
    kept = min(max(wanted, -half), half)
    return kept, wanted - kept


class SimStage:
    """Moves in steps; where the sample really is, only `physical_um` knows.

    Parameters
    ----------
    clock : Clock
        Moves take its time.
    faults : Faults
        Those of kinds ``stage_…``, whose n counts the calls of `move_to`.
    mechanics : Mechanics
        The figures.

    Attributes
    ----------
    follow : callable or None
        Called with a monotonic time before anything is read at that time: a board that
        turns the motors by itself brings them up to date. None: nobody does.
    """

    def __init__(
        self,
        clock: Clock,
        faults: Faults,
        mechanics: Mechanics = Mechanics(),
    ) -> None:
        self.mechanics = mechanics
        self._clock = clock
        self._faults = faults
        self._counted: List[int] = [0, 0, 0]
        self._slack: List[float] = [0.0, 0.0, 0.0]
        self._nut: List[float] = [0.0, 0.0, 0.0]
        self._engaged = [False, False, False]
        self._moved_ns = clock.monotonic_ns() - NS_PER_S
        self._moves = 0
        self.follow: Optional[Callable[[int], None]] = None

    # ------------------------------------------------------------------------ the port

    def describe(self) -> StageInfo:
        """Return the constant facts."""
        x, y, z = self.mechanics.farthest()
        return StageInfo(
            model="Simulated Sangaboard stage",
            simulated=True,
            step_um=self.mechanics.step_um,
            lowest=StagePosition(-x, -y, -z),
            highest=StagePosition(x, y, z),
            steps_per_s=self.mechanics.steps_per_s,
        )

    def position(self) -> StagePosition:
        """Return the steps that were counted, lost ones included."""
        x, y, z = self._counted
        return StagePosition(x, y, z)

    def move_to(self, target: StagePosition) -> None:
        """Go there, ending every axis with a positive move that takes up the play.

        Raises
        ------
        OutOfReachError
            When the target is outside the travel; nothing has moved.
        HardwareBusyError, HardwareTimeoutError
            As the schedule of faults says.
        """
        self._check_reach(target)
        n = self._moves
        self._moves += 1
        self._suffer(n)
        way = [
            end - start
            for end, start in zip((target.x, target.y, target.z), self._counted)
        ]
        below = [
            step - APPROACH_STEPS if self._needs_approach(axis, step) else min(step, 0)
            for axis, step in enumerate(way)
        ]
        self.move_by((below[0], below[1], below[2]), n)
        rest = [total - first for total, first in zip(way, below)]
        self.move_by((rest[0], rest[1], rest[2]), n)

    def _needs_approach(self, axis: int, step: int) -> bool:
        """Tell whether a move must first go below its target, even one of no steps."""
        return step < 0 or not self._engaged[axis]

    def _check_reach(self, target: StagePosition) -> None:
        """Refuse a target outside the travel."""
        ends = self.mechanics.farthest()
        places = (target.x, target.y, target.z)
        for axis, place, end in zip("xyz", places, ends):
            if not -end <= place <= end:
                told = f"{axis} = {place} is outside the stage's travel, "
                raise OutOfReachError(f"{told}{-end} to {end} steps; choose one in it.")

    def _suffer(self, n: int) -> None:
        """Let the faults of a whole call happen."""
        if self._faults.find("stage_busy", n) is not None:
            message = "The stage is busy with another move; try again later."
            raise HardwareBusyError(message)
        hung = self._faults.find("stage_hung", n)
        if hung is not None:
            self._clock.wait_until(self._faults.ends_ns(hung), self._clock.signal())
        timed_out = self._faults.find("stage_timed_out", n)
        if timed_out is not None:
            self._spend(timed_out.amount)
            message = f"The stage did not answer within {timed_out.amount:g} s; "
            raise HardwareTimeoutError(message + "check its cable and power.")

    # ----------------------------------------------------------------- below the port

    def move_by(self, steps: Tuple[int, int, int], n: int = -1) -> None:
        """Move as the motors do, without any care for the play, and take the time.

        Parameters
        ----------
        steps : (int, int, int)
            Of x, y and z.
        n : int
            The call to which this belongs, for the faults.
        """
        if not any(steps):
            return
        self.turn(steps, n)
        self._spend(max(abs(step) for step in steps) / self.mechanics.steps_per_s)
        self._moved_ns = self._clock.monotonic_ns()

    def turn(
        self, steps: Tuple[int, int, int], n: int = -1, at_ns: Optional[int] = None
    ) -> None:
        """Turn the screws at once; whoever calls has waited, or will.

        Parameters
        ----------
        steps : (int, int, int)
            Of x, y and z.
        n : int
            The call to which this belongs, for the faults.
        at_ns : int or None
            Monotonic time at which the last of these steps was made, from which the
            sample swings; None to leave that alone.
        """
        lost = self._faults.find("stage_lost_steps", n)
        made = 1.0 if lost is None else 1.0 - lost.amount
        ends = self.mechanics.farthest()
        for axis, step in enumerate(steps):
            self._counted[axis] += step
            self._slack[axis], moved = play(
                self._slack[axis], step * made, self.mechanics.backlash_steps[axis]
            )
            # At the end of its travel the nut stands and the motor loses steps.
            stop = ends[axis] + APPROACH_STEPS
            self._nut[axis] = min(max(self._nut[axis] + moved, -stop), stop)
            if step:
                taken_up = self._slack[axis] >= self.mechanics.backlash_steps[axis] / 2
                self._engaged[axis] = step > 0 and taken_up
        if at_ns is not None:
            self._moved_ns = at_ns

    def physical_um(self, now_ns: int) -> Tuple[float, float, float]:
        """Return where the sample is at a monotonic time, without drift.

        With what the motors did, the play, the sag of z with x and y, and the swing
        after the last move.
        """
        if self.follow is not None:
            self.follow(now_ns)
        mechanics = self.mechanics
        x, y, z = (nut * step for nut, step in zip(self._nut, mechanics.step_um))
        z += (x * x + y * y) / (2 * mechanics.sag_radius_um)
        since_s = max(0.0, (now_ns - self._moved_ns) / NS_PER_S)
        swing = mechanics.shake_um * float(np.exp(-since_s / mechanics.shake_s))
        swing *= float(np.sin(2 * np.pi * mechanics.shake_hz * since_s))
        return x + swing, y - 0.6 * swing, z + 0.2 * swing

    def _spend(self, seconds: float) -> None:
        """Let the time of a move pass."""
        due_ns = self._clock.monotonic_ns() + int(seconds * NS_PER_S)
        self._clock.wait_until(due_ns, self._clock.signal())
