"""The stage of the simulated server v3."""

import contextlib
import enum
import queue
import threading
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import labthings_fastapi as lt
from labthings_fastapi.exceptions import GlobalLockBusyError

from hardware_sim.faults import Faults
from hardware_sim.motors import Motors, Steps
from hardware_sim.stage import SimStage
from openflexure_timelapse.ports import Clock

__all__ = ["BacklashCompensation", "SimulatedStage"]

AXES = ("x", "y", "z")
USUAL_BACKLASH = 200
END_S = 10.0


class BacklashCompensation(enum.Enum):
    """The axes on which a move ends upwards. Over HTTP it is a number, else not."""

    MOVEMENT_AXES = 1
    ALL_AXES = 2
    XY_ONLY = 3
    Z_ONLY = 4


class SimulatedStage(lt.Thing):
    """A `SimStage` with the actions and properties of the v3 server's stages.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    sim : SimStage
        The simulated stage; its motors are moved, its own care for play is not used.
    clock : Clock
        Its clock; not a virtual one, since there are real threads.
    faults : Faults
        Those of kinds ``stage_…``; n counts the moves of the motors, of which one with
        compensation has two.
    speed : float
        Seconds of `clock` in a second of the machine's own time.
    """

    _class_settings = {"validate_properties_on_set": True}  # noqa: RUF012 (as labthings reads it)

    def __init__(
        self,
        thing_server_interface: Any,
        *,
        sim: SimStage,
        clock: Clock,
        faults: Faults,
        speed: float = 1.0,
    ) -> None:
        super().__init__(thing_server_interface)
        self._motors = Motors(sim, clock, faults, speed)
        self._line = threading.RLock()
        self._known: Steps = (0, 0, 0)
        # How far each axis went upwards since it last turned: the play is taken up
        # when that is `backlash_steps`.
        self._upwards: Dict[str, int] = dict.fromkeys(AXES, 0)
        self._jogs: "queue.Queue[Optional[List[int]]]" = queue.Queue()
        self._jogging = threading.Lock()
        self._jogger: Optional[threading.Thread] = None

    def __enter__(self) -> Any:
        """Do nothing: there is no port to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """End a jog."""
        self._jogs.put(None)
        if self._jogger is not None:
            self._jogger.join(END_S)

    # ---------------------------------------------------------------------- properties

    backlash_steps: Dict[str, int] = lt.setting(
        default_factory=lambda: dict.fromkeys(AXES, USUAL_BACKLASH), readonly=True
    )
    """What a compensated move goes below its target, in steps of each axis."""

    axis_inverted: Dict[str, bool] = lt.setting(
        default_factory=lambda: dict.fromkeys(AXES, False), readonly=True
    )
    """Whether an axis counts against its motor."""

    moving: bool = lt.property(default=False, readonly=True)
    """Whether the stage moves."""

    @lt.property
    def axis_names(self) -> Sequence[str]:
        """Return the names of the axes."""
        return AXES

    @lt.property
    def position(self) -> Mapping[str, int]:
        """Return the place in steps; during a move, the place where that began."""
        return self._turned(dict(zip(AXES, self._known)))

    @property
    def thing_state(self) -> Mapping[str, Any]:
        """What goes into the metadata of each picture."""
        return {"position": self.position}

    # --------------------------------------------------------------------------- moves

    @lt.action
    def move_relative(
        self,
        block_cancellation: bool = False,  # noqa: FBT001, FBT002 (as on the real server)
        backlash_compensation: Optional[BacklashCompensation] = None,
        **kwargs: int,
    ) -> None:
        """Move by steps, given by the names of the axes."""
        way = {axis: kwargs.get(axis, 0) for axis in AXES}
        self._move(way, backlash_compensation, block_cancellation=block_cancellation)

    @lt.action
    def move_absolute(
        self,
        block_cancellation: bool = False,  # noqa: FBT001, FBT002 (as on the real server)
        backlash_compensation: Optional[BacklashCompensation] = None,
        **kwargs: int,
    ) -> None:
        """Move to a place in steps, given by the names of the axes."""
        here = self.position
        way = {axis: int(kwargs.get(axis, here[axis])) - here[axis] for axis in AXES}
        self._move(way, backlash_compensation, block_cancellation=block_cancellation)

    @lt.action
    def move_to_origin(
        self,
        block_cancellation: bool = False,  # noqa: FBT001, FBT002 (as on the real server)
        backlash_compensation: Optional[BacklashCompensation] = None,
    ) -> None:
        """Move to 0, 0, 0."""
        self.move_absolute(block_cancellation, backlash_compensation, x=0, y=0, z=0)

    @lt.action
    def move_to_xyz_position(self, xyz_pos: Tuple[int, int, int]) -> None:
        """Move to a place given as x, y, z in steps."""
        x, y, z = xyz_pos
        self.move_absolute(x=x, y=y, z=z)

    @lt.action
    def get_xyz_position(self) -> Tuple[int, int, int]:
        """Return the place as x, y, z in steps."""
        place = self.position
        return place["x"], place["y"], place["z"]

    @lt.action
    def set_zero_position(self) -> None:
        """Count from here; nothing moves."""
        with self._line:
            self._motors.zero()
            self._known = self._motors.place()

    @lt.action
    def invert_axis_direction(self, axis: str) -> None:
        """Let an axis count the other way."""
        inverted = self.axis_inverted
        self.axis_inverted = {**inverted, axis: not inverted[axis]}

    def _move(
        self,
        way: Mapping[str, int],
        compensation: Optional[BacklashCompensation],
        *,
        block_cancellation: bool,
    ) -> None:
        """Make a move, in two if the play must be taken up."""
        extra = dict.fromkeys(AXES, 0)
        if compensation is not None:
            for axis in _axes(compensation, way):
                steps = self.backlash_steps[axis]
                if self._upwards[axis] + way[axis] < steps:
                    extra[axis] = steps
        first = {axis: way[axis] - extra[axis] for axis in AXES}
        for part in (first, extra) if any(extra.values()) else (first,):
            self._turn(part, block_cancellation=block_cancellation)

    def _turn(self, way: Mapping[str, int], *, block_cancellation: bool) -> None:
        """Turn the motors; a cancel leaves them where they are."""
        turned = self._turned(way)
        with self._line:
            self.moving = True
            try:
                for _ in self._motors.turn([turned[axis] for axis in AXES]):
                    if not block_cancellation:
                        lt.raise_if_cancelled()
            finally:
                self._look()
                self.moving = False

    def _look(self) -> None:
        """Read the place from the motors."""
        before = self.position
        self._known = self._motors.place()
        for axis, steps in self.position.items():
            upwards = self._upwards[axis] + steps - before[axis]
            self._upwards[axis] = max(0, min(self.backlash_steps[axis], upwards))

    def _turned(self, way: Mapping[str, int]) -> Dict[str, int]:
        """Return steps in the other frame: of the program, or of the motors."""
        inverted = self.axis_inverted
        return {a: -int(way[a]) if inverted[a] else int(way[a]) for a in AXES}

    @contextlib.contextmanager
    def paced(self, steps_per_s: float) -> Iterator[None]:
        """Move no faster than this; see `Motors.paced`."""
        with self._motors.paced(steps_per_s):
            yield

    # ----------------------------------------------------------------------------- jog

    @lt.action(use_global_lock=False)
    def jog(
        self,
        stop: bool = False,  # noqa: FBT001, FBT002 (as on the real server)
        **kwargs: int,
    ) -> None:
        """Move by steps until the next jog; the global lock is held meanwhile."""
        turned = self._turned({axis: kwargs.get(axis, 0) for axis in AXES})
        way = [turned[axis] for axis in AXES]
        command = None if stop or not any(way) else way
        with self._jogging:
            if self._jogger is not None and self._jogger.is_alive():
                self._jogs.put(command)
            elif command is not None:
                self._jogs = queue.Queue()
                self._jogger = threading.Thread(
                    target=self._jog, args=(command,), name="v3 jog", daemon=True
                )
                self._jogger.start()

    def _jog(self, command: Optional[List[int]]) -> None:
        """Move until the way is done or another command comes; work of a thread."""
        hold = self._thing_server_interface.hold_global_lock
        try:
            with hold(error_if_unavailable=False), self._line:
                self.moving = True
                try:
                    while command is not None:
                        command = self._jog_once(command)
                finally:
                    self._look()
                    self.moving = False
        except GlobalLockBusyError:
            self.logger.warning("No jog: the microscope is busy.")

    def _jog_once(self, command: Sequence[int]) -> Optional[List[int]]:
        """Move; return the command that came meanwhile, None for none or a stop."""
        for _ in self._motors.turn(command):
            with contextlib.suppress(queue.Empty):
                return self._jogs.get_nowait()
        return None


def _axes(
    compensation: BacklashCompensation, way: Mapping[str, int]
) -> Tuple[str, ...]:
    """Return the axes that a compensation looks after.

    Raises
    ------
    ValueError
        For what is no `BacklashCompensation`; its number is none.
    """
    if compensation is BacklashCompensation.MOVEMENT_AXES:
        return tuple(axis for axis in AXES if way[axis])
    chosen = {
        BacklashCompensation.ALL_AXES: AXES,
        BacklashCompensation.XY_ONLY: ("x", "y"),
        BacklashCompensation.Z_ONLY: ("z",),
    }
    if compensation not in chosen:
        raise ValueError(f"{compensation!r} is no backlash compensation.")
    return chosen[compensation]
