"""What runs on a simulated Sangaboard: both dialects, word for word.

Only lines go in and come out; the wire is `hardware_sim.sangaboard_pty`. Time is the
injected clock's, and nothing here waits: whoever asks at a time finds the motors where
they are then. The words are those of the sources that are public: firmware v0.5, the
beta of v1.0, and the clients of v1.0.4; v1.0.4 itself is not among them.
"""

import re
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from hardware_sim.faults import Fault, Faults
from hardware_sim.light import STEPS
from hardware_sim.microscope import SimMicroscope
from openflexure_timelapse.ports import Clock

__all__ = ["DIALECTS", "Dialect", "Firmware"]

NS_PER_US = 1_000
STEP_US = 1_000
RAMP_US = 0
SAVING_NS = 40_000_000
"""What firmware 0.5 needs at most to write twelve bytes into its slow memory."""
PWM_CHANNELS = 2
END = "--END--"
UNKNOWN = "Type 'help' for a list of commands."
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

Steps = Tuple[int, int, int]
Obey = Callable[[List[float]], str]


@dataclass(frozen=True)
class Dialect:
    """How one firmware speaks.

    Attributes
    ----------
    version, board : str
        The answers to ``version`` and ``board``; the first is the banner as well.
    modules : tuple of str
        What ``list_modules`` lists.
    is_new : bool
        Version 1: moves may run in the background, the count starts from zero.
    moved : str
        Said at the end of a move that was waited for.
    released : str
        The answer to ``release``.
    """

    version: str
    board: str
    modules: Tuple[str, ...]
    is_new: bool
    moved: str
    released: str


DIALECTS: Mapping[str, Dialect] = {
    "v0.5": Dialect(
        version="Sangaboard Firmware v0.5",
        board="Sangaboard v0.3",
        modules=(),
        is_new=False,
        moved="done.",
        released="motors released",
    ),
    "v1.0": Dialect(
        version="Sangaboard Firmware v1.0.4",
        board="Sangaboard v0.5.x",
        modules=("Illumination: default",),
        is_new=True,
        moved="stopped",
        released="done",
    ),
}


@dataclass(frozen=True)
class _Move:
    """One move under way."""

    steps: Steps
    number: int
    begun_ns: int
    end_ns: int
    ramp_ns: int
    blocks: bool
    breaks_ns: Optional[int]

    def made(self, now_ns: int) -> Steps:
        """Return the steps made so far, all axes in a straight line."""
        if now_ns >= self.end_ns:
            return self.steps
        passed, ramp = max(0, now_ns - self.begun_ns), self.ramp_ns
        left, whole = self.end_ns - now_ns, self.end_ns - self.begun_ns - ramp
        if passed < ramp:
            run = passed * passed / (2 * ramp)
        elif left < ramp:
            run = whole - left * left / (2 * ramp)
        else:
            run = passed - ramp / 2
        share = min(1.0, max(0.0, run / whole))
        x, y, z = (int(step * share) for step in self.steps)
        return x, y, z


class Firmware:
    """The program on the board.

    Parameters
    ----------
    sim : SimMicroscope
        Its stage is turned, its lamp switched.
    clock : Clock
        Tells the time; is never waited on.
    faults : Faults
        ``board_reset`` with `nth`, whose n counts the moves, and ``stage_lost_steps``.
    dialect : Dialect
        How it speaks.
    """

    def __init__(
        self, sim: SimMicroscope, clock: Clock, faults: Faults, dialect: Dialect
    ) -> None:
        self._sim, self._clock, self._faults = sim, clock, faults
        self._dialect = dialect
        self._saved: Steps = (0, 0, 0)
        self._step_us, self._ramp_us = STEP_US, RAMP_US
        self._moves = 0
        self._told: List[str] = []
        self._move: Optional[_Move] = None
        self._origin: Steps = (0, 0, 0)
        self._made: Steps = (0, 0, 0)
        self._begin_anew()
        self._words = self._vocabulary(dialect)

    def _vocabulary(self, dialect: Dialect) -> Dict[str, Obey]:
        """Return what obeys each command of a dialect."""
        words: Dict[str, Obey] = {
            "version": lambda _: dialect.version,
            "board": lambda _: dialect.board,
            "list_modules": lambda _: "\n".join([*dialect.modules, END]),
            "p?": lambda _: "{} {} {}".format(*self.count),
            "zero": self._zero,
            "release": lambda _: dialect.released,
            "dt?": lambda _: f"minimum step delay {self._step_us}",
            "min_step_delay?": lambda _: f"minimum step delay {self._step_us}",
            "dt": self._set_step,
            "min_step_delay": self._set_step,
            "ramp_time?": lambda _: f"{self._ramp_word()} {self._ramp_us}",
            "ramp_time": self._set_ramp,
        }
        if dialect.is_new:
            words.update(
                {
                    "moving?": lambda _: "false" if self._move is None else "true",
                    "stop": self._stop,
                    "notify_on_stop": self._notify,
                    "blocking_moves?": lambda _: f"blocking_moves {self._shown()}",
                }
            )
        if dialect.modules:
            words.update(
                {
                    "led_channels?": lambda _: f"CC:1 PWM:{PWM_CHANNELS}",
                    "led_cc?": lambda _: f"CC LED:{self._sim.light.level():.2f}",
                    "led_cc": self._set_lamp,
                    "led_pwm?": lambda _: (
                        "PWM:" + "".join(f"{level:.2f};" for level in self._pwm)
                    ),
                    "led_pwm": self._set_pwm,
                    "led_frequency?": lambda _: "PWM Frequency:64000Hz",
                }
            )
        return words

    def _begin_anew(self) -> None:
        """Be as after switching on: the lamp is dark, moves are waited for.

        Version 1 counts from zero, and on a Pico it has no memory for its speed.
        """
        self.count: Steps = self._saved
        if self._dialect.is_new:
            self.count, self._step_us, self._ramp_us = (0, 0, 0), STEP_US, RAMP_US
        self._blocks = True
        self._tells_stop = False
        self._pwm = [0.0] * PWM_CHANNELS

    # ------------------------------------------------------------------- the outside

    @property
    def is_moving(self) -> bool:
        """Whether motors turn, as of the last call."""
        return self._move is not None

    @property
    def is_deaf(self) -> bool:
        """Whether it hears nothing until a move is over."""
        return self._move is not None and self._move.blocks

    def advance(self, now_ns: int) -> List[str]:
        """Turn the motors up to a time; return the lines that are due by themselves."""
        move = self._move
        if move is not None and move.breaks_ns is not None and now_ns >= move.breaks_ns:
            self._turn_to(move, move.breaks_ns)
            self.restart()
        elif move is not None:
            self._turn_to(move, now_ns)
            saving_ns = 0 if self._dialect.is_new else SAVING_NS
            if now_ns >= move.end_ns + saving_ns:
                self._end(move)
        told, self._told = self._told, []
        return told

    def take(self, line: str) -> List[str]:
        """Obey a command, and return the lines of the answer.

        Parameters
        ----------
        line : str
            Without its end. Not called while `is_deaf`.
        """
        told = self.advance(self._clock.monotonic_ns())
        word, _, rest = line.strip().partition(" ")
        numbers = [float(number) for number in NUMBER.findall(rest)]
        if word == "blocking_moves" and self._dialect.is_new:
            self._blocks = rest.strip() == "true"
            return [*told, "done."]
        if word in ("mr", "mrx", "mry", "mrz"):
            return [*told, *self._begin(word, numbers)]
        obey = self._words.get(word)
        answer = UNKNOWN if obey is None else obey(numbers)
        return [*told, *filter(None, answer.split("\n"))]

    def restart(self) -> None:
        """Start anew, in the middle of whatever is going on; the banner is due then."""
        self.power_off()
        self._begin_anew()
        self._told = [self._dialect.version]

    def power_off(self) -> None:
        """Stand still and dark."""
        move, self._move = self._move, None
        if move is not None:
            self._turn_to(move, self._clock.monotonic_ns())
        self._told = []
        if self._dialect.modules:
            self._sim.light.turn_to(0.0)

    # ------------------------------------------------------------------------ moving

    def _begin(self, word: str, numbers: List[float]) -> List[str]:
        """Begin a move."""
        x, y, z = (0, 0, 0)
        if word == "mr":
            x, y, z = (int(number) for number in [*numbers, 0, 0, 0][:3])
        else:
            step = int(numbers[0]) if numbers else 0
            x, y, z = (step if word == f"mr{axis}" else 0 for axis in "xyz")
        number, now_ns = self._moves, self._clock.monotonic_ns()
        self._moves += 1
        whole_ns = max(abs(x), abs(y), abs(z)) * self._step_us * NS_PER_US
        ramp_ns = self._ramp_us * NS_PER_US if whole_ns else 0
        end_ns = now_ns + whole_ns + ramp_ns
        reset = self._reset_in(number)
        breaks_ns = None
        if reset is not None:
            breaks_ns = now_ns + int((end_ns - now_ns) * reset.amount)
        self._origin, self._made = self.count, (0, 0, 0)
        self._move = _Move(
            (x, y, z), number, now_ns, end_ns, ramp_ns, self._blocks, breaks_ns
        )
        if self._blocks:
            return self.advance(now_ns)
        return ["done."]

    def _reset_in(self, number: int) -> Optional[Fault]:
        """Return the fault that breaks off a move."""
        for fault in self._faults.of("board_reset"):
            if number in fault.nth:
                return fault
        return None

    def _turn_to(self, move: _Move, now_ns: int) -> None:
        """Turn the motors as far as they are at a time."""
        made = move.made(now_ns)
        x, y, z = (new - old for new, old in zip(made, self._made))
        if x or y or z:
            at_ns = min(now_ns, move.end_ns)
            self._sim.stage.turn((x, y, z), move.number, at_ns)
        self._made = made
        x, y, z = (old + new for old, new in zip(self._origin, made))
        self.count = (x, y, z)

    def _end(self, move: _Move) -> None:
        """Note that a move is over."""
        self._move = None
        self._saved = self.count
        if move.blocks:
            self._told.append(self._dialect.moved)
        elif self._tells_stop:
            self._told.append("stopped")
        self._tells_stop = False

    def _stop(self, _: List[float]) -> str:
        """End a move at once."""
        move, self._move = self._move, None
        if move is not None:
            self._turn_to(move, self._clock.monotonic_ns())
        return "Move aborted"

    def _notify(self, _: List[float]) -> str:
        """Say later that the move is over; nothing now."""
        if self._move is None:
            return "Error: stage is not moving"
        self._tells_stop = True
        return ""

    def _zero(self, _: List[float]) -> str:
        """Count from here."""
        self.count = self._saved = (0, 0, 0)
        return "position reset to 0 0 0"

    # ---------------------------------------------------------------------- settings

    def _shown(self) -> str:
        """Return whether moves are waited for."""
        return "true" if self._blocks else "false"

    def _ramp_word(self) -> str:
        """Return how the ramp is named, which is where the dialects differ."""
        return "ramp_time" if self._dialect.is_new else "ramp time"

    def _set_step(self, numbers: List[float]) -> str:
        """Set the time for one step; version 0.5 remembers it."""
        self._step_us = max(1, int(numbers[0])) if numbers else self._step_us
        return "done."

    def _set_ramp(self, numbers: List[float]) -> str:
        """Set the time of speeding up; version 0.5 remembers it."""
        self._ramp_us = max(0, int(numbers[0])) if numbers else self._ramp_us
        return "done."

    def _set_lamp(self, numbers: List[float]) -> str:
        """Set the constant current; the board rounds down to its steps."""
        if numbers:
            level = min(1.0, max(0.0, numbers[0]))
            self._sim.light.turn_to(int(level * STEPS + 1e-6) / STEPS)
        return f"CC LED:{self._sim.light.level():.2f}"

    def _set_pwm(self, numbers: List[float]) -> str:
        """Set one of the other outputs, which light nothing here."""
        if len(numbers) < 2 or int(numbers[0]) >= PWM_CHANNELS:  # noqa: PLR2004
            return UNKNOWN
        channel = int(numbers[0])
        self._pwm[channel] = min(1.0, max(0.0, numbers[1]))
        return f"PWM:{channel}:{self._pwm[channel]:.2f}"
