"""The stage of the simulated server v2: a Sangaboard and what the server adds to it."""

import abc
import contextlib
import threading
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional

import numpy as np
from labthings import StrictLock

from hardware_sim.faults import Faults
from hardware_sim.motors import Motors, Steps
from hardware_sim.stage import SimStage
from openflexure_timelapse.ports import Clock

__all__ = ["BaseStage", "SangaStage", "steps_of", "steps_of_axes"]

NS_PER_S = 1_000_000_000
AXES = ("x", "y", "z")
DEFAULT_BACKLASH = (256, 256, 256)
SETTLE_S = 0.2


class BaseStage(abc.ABC):
    """What both stages of the server share.

    Attributes
    ----------
    lock : labthings.StrictLock
        Re-entrant; waits for ever.
    n_axes : int
        Three.
    """

    n_axes = len(AXES)

    def __init__(self) -> None:
        self.lock = StrictLock(name="Stage", timeout=None)

    @property
    @abc.abstractmethod
    def position(self) -> Any:
        """The place of x, y and z, in steps."""

    @property
    def position_map(self) -> Dict[str, int]:
        """The place by the names of the axes, in steps."""
        return dict(zip(AXES, self.position))

    @property
    def state(self) -> Dict[str, Any]:
        """The place, as the server tells it."""
        return {"position": self.position_map}

    def close(self) -> None:  # noqa: B027 (neither stage has a port)
        """Do nothing: there is no port to close."""


class _Board:
    """A Sangaboard: it moves motors, and answers nothing until they stand."""

    def __init__(self, motors: Motors) -> None:
        self.motors = motors
        self._line = threading.RLock()

    @property
    def position(self) -> Steps:
        """Return the steps counted since the origin; waits for a move to end."""
        with self._line:
            return self.motors.place()

    def zero_position(self) -> None:
        """Count from here."""
        with self._line:
            self.motors.zero()

    def turn(self, way: Iterable[float]) -> None:
        """Turn the motors; what follows a decimal point is dropped."""
        with self._line:
            for _ in self.motors.turn([int(step) for step in way]):
                pass  # nothing stops them


class SangaStage(BaseStage):
    """A `SimStage` behind the interface of the v2 server's Sangaboard stage.

    Parameters
    ----------
    sim : SimStage
        The simulated stage; its motors are moved, its own care for play is not used.
    clock : Clock
        Its clock; not a virtual one, since there are real threads.
    faults : Faults
        Those of kinds ``stage_…``; n counts the moves of the board, of which one with
        correction for play has two.
    speed : float
        Seconds of `clock` in a second of the machine's own time.

    Attributes
    ----------
    settle_time : float
        Seconds after a move, slept when the lock was given back.
    """

    def __init__(
        self, sim: SimStage, clock: Clock, faults: Faults, speed: float = 1.0
    ) -> None:
        super().__init__()
        self._board = _Board(Motors(sim, clock, faults, speed))
        self._clock = clock
        self._play: Any = np.array(DEFAULT_BACKLASH)
        self.settle_time = SETTLE_S

    @property
    def configuration(self) -> Dict[str, Any]:
        """Constant facts."""
        return {"port": None, "board": "Simulated Sangaboard", "firmware": "simulated"}

    @property
    def position(self) -> Steps:
        """The place of x, y and z, in steps; waits for a move to end."""
        return self._board.position

    @property
    def backlash(self) -> Any:
        """The play to make up for, in steps of each axis; zeros for none.

        May be set to None, to one number, or to one for each axis.
        """
        return self._play

    @backlash.setter
    def backlash(self, steps: Any) -> None:
        play = np.zeros(self.n_axes, int)
        play[:] = 0 if steps is None else steps
        self._play = play

    def read_settings(self) -> Dict[str, Any]:
        """Return the settings as they are kept in the settings file."""
        play = dict(zip(AXES, self.backlash.tolist()))
        return {"backlash": play, "settle_time": self.settle_time}

    def update_settings(self, config: Mapping[str, Any]) -> None:
        """Apply settings.

        Parameters
        ----------
        config : mapping
            ``backlash`` by the names of the axes, in steps; ``settle_time``, in s.
        """
        self.settle_time = config.get("settle_time", self.settle_time)
        if "backlash" in config:
            self.backlash = steps_of_axes(config["backlash"])

    def move_rel(
        self,
        displacement: Any,
        axis: Optional[str] = None,
        backlash: bool = True,  # noqa: FBT001, FBT002 (as on the real server)
    ) -> None:
        """Move by a number of steps.

        Parameters
        ----------
        displacement : int or sequence of 3
            In steps; what follows a decimal point is dropped.
        axis : str, optional
            The one axis to move by an int.
        backlash : bool
            Overshoot and come back on each axis that moves against the sign of the
            attribute `backlash`, then settle. False: one move, without settling.

        Raises
        ------
        TypeError, ValueError
            For what is no displacement, and for an axis that is none.
        """
        with self.lock:
            way = steps_of(displacement, axis)
            against = self.backlash * way < 0
            extra = np.where(against, self.backlash, 0) if backlash else np.zeros(3)
            self._board.turn(way - extra)
            if extra.any():
                self._board.turn(extra)
        if backlash:
            self._settle()

    def move_abs(self, final: Any, **_: Any) -> None:
        """Move to a place without any correction for play, and settle.

        Parameters
        ----------
        final : sequence of 3
            In steps.
        """
        with self.lock:
            self._board.turn(np.subtract(final, self._board.position))
        self._settle()

    def zero_position(self) -> None:
        """Count from here; nothing moves."""
        with self.lock:
            self._board.zero_position()

    @contextlib.contextmanager
    def paced(self, steps_per_s: float) -> Iterator[None]:
        """Move no faster than this; see `Motors.paced`."""
        with self._board.motors.paced(steps_per_s):
            yield

    def _settle(self) -> None:
        """Wait without the lock, so that another move may take over."""
        due_ns = self._clock.monotonic_ns() + int(self.settle_time * NS_PER_S)
        self._clock.wait_until(due_ns, self._clock.signal())


def steps_of(displacement: Any, axis: Optional[str]) -> Any:
    """Return a displacement as an array of three.

    Parameters
    ----------
    displacement : int or sequence of 3
        In steps.
    axis : str or None
        The axis of an int.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    if axis is None:
        if not isinstance(displacement, (list, tuple, np.ndarray)):
            told = type(displacement).__name__
            raise TypeError(f"a move takes three numbers of steps, not a {told}")
        return np.array(displacement)
    if axis not in AXES:
        raise ValueError(f"the stage has no axis {axis!r}; its axes are x, y and z")
    if not isinstance(displacement, int):
        raise TypeError(f"{axis} moves by whole steps, not by {displacement!r}")
    return displacement * np.array([name == axis for name in AXES], int)


def steps_of_axes(by_name: Mapping[str, Optional[float]]) -> List[int]:
    """Return steps given by the names of the axes; 0 for one that is missing.

    Parameters
    ----------
    by_name : mapping
        In steps.
    """
    return [int(by_name.get(name) or 0) for name in AXES]
