"""The stage of the simulated server v2: a Sangaboard and what the server adds to it."""

import contextlib
import threading
import time
from types import GeneratorType
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, Union

import numpy as np
from labthings import StrictLock

from hardware_sim.faults import Faults
from hardware_sim.stage import SimStage
from openflexure_timelapse.ports import Clock

__all__ = ["BaseStage", "SangaStage", "displacement_of", "steps_of_axes"]

NS_PER_S = 1_000_000_000
AXES = ("x", "y", "z")
DEFAULT_BACKLASH = (256, 256, 256)
SETTLE_S = 0.2
GRAIN_S = 0.02
"""Real time between two places of a moving stage that a frame can see."""

Steps = Tuple[int, int, int]


class BaseStage:
    """What both stages of the server share.

    Attributes
    ----------
    lock : labthings.StrictLock
        Re-entrant; waits for ever.
    """

    def __init__(self) -> None:
        self.lock = StrictLock(name="Stage", timeout=None)

    @property
    def n_axes(self) -> int:
        """The number of axes."""
        return 3

    @property
    def position(self) -> Any:
        """The place of x, y and z, in steps."""
        raise NotImplementedError

    @property
    def position_map(self) -> Dict[str, int]:
        """The place by the names of the axes, in steps."""
        x, y, z = self.position
        return {"x": x, "y": y, "z": z}

    @property
    def state(self) -> Dict[str, Any]:
        """The place, as the server tells it."""
        return {"position": self.position_map}

    def move_rel(
        self,
        displacement: Any,
        axis: Optional[str] = None,
        backlash: bool = True,  # noqa: FBT001, FBT002 (as on the real server)
    ) -> None:
        """Move by a number of steps."""
        raise NotImplementedError

    def move_abs(self, final: Any, **kwargs: Any) -> None:
        """Move to a place."""
        raise NotImplementedError

    def scan_linear(
        self,
        rel_positions: Iterable[Any],
        backlash: bool = True,  # noqa: FBT001, FBT002
        return_to_start: bool = True,  # noqa: FBT001, FBT002
    ) -> Iterator[int]:
        """Go through places, stopping at each until asked for the next.

        Parameters
        ----------
        rel_positions : iterable of (int, int, int)
            From where the stage stands at the start, in steps.
        backlash : bool
            As for `move_rel`.
        return_to_start : bool
            Go back at the end; that is done after an error in any case.

        Yields
        ------
        int
            The index of the place that was reached.
        """
        places = np.array(list(rel_positions))
        if places.shape[1] != self.n_axes:
            raise AssertionError("Positions should be 3 elements long.")
        start = self.position
        try:
            self.move_rel(places[0], backlash=backlash)
            yield 0
            for index, step in enumerate(np.diff(places, axis=0), 1):
                self.move_rel(step, backlash=backlash)
                yield index
        except Exception:
            return_to_start = True
            raise
        finally:
            if return_to_start:
                self.move_abs(start, backlash=backlash)

    def scan_z(self, dz: Iterable[int], **kwargs: Any) -> Iterator[int]:
        """Go through heights; see `scan_linear`.

        Parameters
        ----------
        dz : iterable of int
            From where the stage stands at the start, in steps.
        **kwargs
            For `scan_linear`.
        """
        return self.scan_linear([(0, 0, z) for z in dz], **kwargs)


class _Board:
    """A Sangaboard: it moves motors, and answers nothing until they stand.

    `pace` may hold it to a number of steps in each second of the machine's own time,
    so that rendering keeps up with a sweep however fast the clock runs.
    """

    def __init__(
        self, sim: SimStage, clock: Clock, faults: Faults, speed: float
    ) -> None:
        self._sim = sim
        self._clock = clock
        self._faults = faults
        self._fastest = sim.mechanics.steps_per_s * speed
        self._line = threading.RLock()
        self._origin: Steps = (0, 0, 0)
        self._moves = 0
        self.pace = float("inf")

    @property
    def position(self) -> Steps:
        """Return the steps counted since the origin; waits for a move to end."""
        with self._line:
            place = self._sim.position()
            x, y, z = self._origin
            return place.x - x, place.y - y, place.z - z

    def zero_position(self) -> None:
        """Count from here."""
        with self._line:
            place = self._sim.position()
            self._origin = (place.x, place.y, place.z)

    def move_rel(self, displacement: Iterable[float]) -> None:
        """Turn the motors; what follows a decimal point is dropped."""
        x, y, z = (int(step) for step in displacement)
        with self._line:
            number = self._moves
            self._moves += 1
            self._suffer(number)
            self._turn((x, y, z), number)

    def _turn(self, steps: Steps, number: int) -> None:
        """Move bit by bit, since a frame may be taken on the way."""
        whole = max(abs(step) for step in steps)
        rate = min(self._fastest, self.pace)
        grain = max(1, int(rate * GRAIN_S))
        begun_s = time.monotonic()
        done: Steps = (0, 0, 0)
        for far in range(grain, whole + grain, grain):
            far_enough = min(far, whole)
            x, y, z = (int(step * far_enough / whole) for step in steps)
            self._sim.move_by((x - done[0], y - done[1], z - done[2]), number)
            done = (x, y, z)
            if rate < self._fastest:
                late_s = time.monotonic() - begun_s
                time.sleep(max(0.0, far_enough / rate - late_s))

    def _suffer(self, number: int) -> None:
        """Let the faults of a call happen as a serial line shows them."""
        if self._faults.find("stage_busy", number) is not None:
            raise RuntimeError("The board is busy with another move.")
        hung = self._faults.find("stage_hung", number)
        if hung is not None:
            self._clock.wait_until(self._faults.ends_ns(hung), self._clock.signal())
        timed_out = self._faults.find("stage_timed_out", number)
        if timed_out is not None:
            self._pause(timed_out.amount)
            raise TimeoutError("The board did not answer in time.")

    def _pause(self, seconds: float) -> None:
        due_ns = self._clock.monotonic_ns() + int(seconds * NS_PER_S)
        self._clock.wait_until(due_ns, self._clock.signal())


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
    port : None
        The serial port of a real one.
    """

    def __init__(
        self, sim: SimStage, clock: Clock, faults: Faults, speed: float = 1.0
    ) -> None:
        super().__init__()
        self.board = _Board(sim, clock, faults, speed)
        self._clock = clock
        self._backlash: Any = np.array(DEFAULT_BACKLASH)
        self.settle_time = SETTLE_S
        self.port = None

    @property
    def configuration(self) -> Dict[str, Any]:
        """Constant facts."""
        return {
            "port": self.port,
            "board": "Simulated Sangaboard",
            "firmware": "Simulated Sangaboard Firmware v0.5",
        }

    @property
    def position(self) -> Steps:
        """The place of x, y and z, in steps; waits for a move to end."""
        return self.board.position

    @property
    def backlash(self) -> Any:
        """The play to make up for, in steps of each axis; zeros for none.

        May be set to None, to one number, or to one for each axis.
        """
        if self._backlash is None:
            return np.zeros(self.n_axes, dtype=int)
        return self._backlash

    @backlash.setter
    def backlash(self, steps: Any) -> None:
        self._backlash = _backlash_array(steps, self.n_axes)

    def read_settings(self) -> Dict[str, Any]:
        """Return the settings as they are kept in the settings file."""
        x, y, z = self.backlash.tolist()
        return {"backlash": {"x": x, "y": y, "z": z}, "settle_time": self.settle_time}

    def update_settings(self, config: Mapping[str, Any]) -> None:
        """Apply settings.

        Parameters
        ----------
        config : mapping
            ``backlash`` by the names of the axes, in steps; ``settle_time``, in s.
        """
        if "backlash" in config:
            self.backlash = np.array(steps_of_axes(config["backlash"]))
        if "settle_time" in config:
            self.settle_time = config["settle_time"]

    def move_rel(
        self,
        displacement: Any,
        axis: Optional[str] = None,
        backlash: bool = True,  # noqa: FBT001, FBT002
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
            way = displacement_of(displacement, axis)
            if not backlash:
                self.board.move_rel(way)
                return
            play = self.backlash
            first = way - np.where(play * way < 0, play, 0)
            self.board.move_rel(first)
            if np.any(way - first != 0):
                self.board.move_rel(way - first)
        self._settle()

    def move_abs(self, final: Any, **_: Any) -> None:
        """Move to a place without any correction for play, and settle.

        Parameters
        ----------
        final : sequence of 3
            In steps.
        """
        with self.lock:
            here = self.board.position
            self.board.move_rel([end - start for end, start in zip(final, here)])
        self._settle()

    def zero_position(self) -> None:
        """Count from here; nothing moves."""
        with self.lock:
            self.board.zero_position()

    @contextlib.contextmanager
    def paced(self, steps_per_s: float) -> Iterator[None]:
        """Move no faster than this, for a sweep that must see enough frames.

        Not on the real stage: there a frame takes no time to render.

        Parameters
        ----------
        steps_per_s : float
            Steps in a second of the machine's own time.
        """
        self.board.pace = steps_per_s
        try:
            yield
        finally:
            self.board.pace = float("inf")

    def release_motors(self) -> None:
        """Do nothing: the simulated coils hold no place."""

    def close(self) -> None:
        """Do nothing: there is no port to close."""

    def _settle(self) -> None:
        """Wait without the lock, so that another move may take over."""
        due_ns = self._clock.monotonic_ns() + int(self.settle_time * NS_PER_S)
        self._clock.wait_until(due_ns, self._clock.signal())


def displacement_of(displacement: Any, axis: Optional[str]) -> Any:
    """Return a displacement as an array of three, by the real server's rules.

    Parameters
    ----------
    displacement : int or sequence or ndarray or generator
        In steps.
    axis : str or None
        The axis of an int.

    Raises
    ------
    TypeError, ValueError
        For anything else.
    """
    if axis:
        if not isinstance(displacement, int):
            raise TypeError("Displacement must be an integer when axis is specified")
        if axis not in AXES:
            raise ValueError("axis must be one of x, y, or z")
        return np.array([displacement if name == axis else 0 for name in AXES])
    if isinstance(displacement, np.ndarray):
        return displacement
    if isinstance(displacement, (list, tuple, GeneratorType)):
        return np.array(list(displacement))
    raise TypeError(f"Unsupported displacement type {type(displacement)}")


def steps_of_axes(by_name: Mapping[str, Optional[float]]) -> List[int]:
    """Return steps given by the names of the axes; 0 for one that is missing.

    Parameters
    ----------
    by_name : mapping
        In steps.
    """
    return [int(by_name.get(name) or 0) for name in AXES]


def _backlash_array(steps: Union[float, Iterable[float], None], n_axes: int) -> Any:
    """Return the play of each axis; None for None."""
    if steps is None:
        return None
    if not isinstance(steps, Iterable):
        return np.full(n_axes, int(steps))
    array = np.array(list(steps))
    if len(array) != n_axes:
        raise AssertionError(f"backlash needs {n_axes} numbers, not {len(array)}")
    return array
