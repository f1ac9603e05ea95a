"""The illumination of a Sangaboard v5: constant current, or a PWM output."""

import math
from typing import Optional

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.direct.board import Board

__all__ = ["USUAL_LEVEL", "DirectLight"]

USUAL_LEVEL = 0.32
"""Of 100 mA; what OpenFlexure server v3 sets its LED to."""
ONE_STEP = 1 / 32
SHOWN_LESS = 0.005
"""By so much a level read back may be below its step: the board shows hundredths."""
CURRENT = "cc"


class DirectLight:
    """A light as `ports.Light`.

    A board has 32 steps and rounds down, so that what it reads back, written again,
    would walk down; a level that it holds to within a step is told as it was set.

    Parameters
    ----------
    board : Board
        With ``has_light`` among its facts.
    output : str
        ``cc`` for the constant current, ``pwm0`` and so on for the others.
    first_level : float or None
        What to set when the light is off at the start, as it is after a power cut; None
        to leave it.

    Raises
    ------
    HardwareError
        When the board has no illumination, no such output, or does not answer.
    """

    def __init__(
        self,
        board: Board,
        output: str = CURRENT,
        first_level: Optional[float] = USUAL_LEVEL,
    ) -> None:
        self._board = board
        self._channel = self._find(output)
        self._set: Optional[float] = None
        level = self.level()
        if level == 0.0 and first_level is not None:
            level = first_level
        self.set_level(level)

    def level(self) -> float:
        """Return the present level, 0 (off) to 1."""
        shown = self._read()
        if self._set is not None and abs(shown - self._set) < ONE_STEP:
            return self._set
        return shown

    def set_level(self, level: float) -> None:
        """Set the level, 0 (off) to 1; the board sets it again after a restart.

        Raises
        ------
        HardwareError
            For a level outside of 0 to 1, or when the board does not answer.
        """
        if not (math.isfinite(level) and 0.0 <= level <= 1.0):
            message = f"The light has no level {level}; choose one from 0 to 1."
            raise HardwareError(message)
        command = f"led_pwm {self._channel} {level:.4f}"
        if self._channel is None:
            told = min(1.0, level + SHOWN_LESS) if level else 0.0
            command = f"led_cc {told:.4f}"
        self._board.keep("light", command, r"(CC LED|PWM:\d+):[\d.]+")
        self._set = level

    def _find(self, output: str) -> Optional[int]:
        """Return the number of a PWM output; None for the constant current."""
        if not self._board.facts.has_light:
            message = f"The board {self._board.facts.board} has no illumination; "
            raise HardwareError(message + "leave the light to a person.")
        channels = self._board.ask("led_channels?", r"CC:(\d+) PWM:(\d+)")
        names = [CURRENT, *(f"pwm{n}" for n in range(int(channels[2])))]
        if output not in names:
            message = f"The board has no output {output!r} for a light; choose one of "
            raise HardwareError(message + ", ".join(names) + ".")
        return None if output == CURRENT else int(output[3:])

    def _read(self) -> float:
        """Ask the board for its level."""
        if self._channel is None:
            return _number(self._board.ask("led_cc?", r"CC LED:([\d.]+)")[1])
        told = self._board.ask("led_pwm?", r"PWM:([\d.;]+)")[1]
        return _number(told.split(";")[self._channel])


def _number(text: str) -> float:
    """Return a number of the board's.

    Raises
    ------
    HardwareError
        For what is none.
    """
    try:
        return float(text)
    except ValueError as exc:
        message = f"The board told {text!r} as the level of its light; "
        raise HardwareError(message + "check its cable.") from exc
