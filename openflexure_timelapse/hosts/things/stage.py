"""A stage Thing: moves, play, and jogging, over motors that turn bit by bit."""

import contextlib
import enum
import queue
import threading
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol

import labthings_fastapi as lt
from labthings_fastapi.exceptions import GlobalLockBusyError

__all__ = ["AXES", "BacklashCompensation", "Motors", "StageThing"]

Steps = tuple[int, int, int]

AXES = ("x", "y", "z")
USUAL_BACKLASH = 200
END_S = 10.0


class BacklashCompensation(enum.Enum):
    """The axes on which a move ends upwards. Over HTTP it is a number, else not."""

    MOVEMENT_AXES = 1
    ALL_AXES = 2
    XY_ONLY = 3
    Z_ONLY = 4


class Motors(Protocol):
    """What turns the screws; see `hardware_sim.motors` for one."""

    def place(self) -> Steps:
        """Return the steps counted since the origin, as last known."""
        ...

    def zero(self) -> None:
        """Count from here."""
        ...

    def turn(self, steps: Sequence[int]) -> Generator[None, None, None]:
        """Turn by steps of x, y and z, without regard to play.

        Yields while the motors turn, several times a second. Whoever closes the
        iterator before its end has stopped them.
        """
        ...


class StageThing(lt.Thing):
    """Motors with the actions and properties of the v3 server's stages.

    Parameters
    ----------
    thing_server_interface
        Given by the server.
    motors : Motors
        Those that are turned; others may turn them while this Thing does not.
    """

    _class_settings = {"validate_properties_on_set": True}  # noqa: RUF012 (as labthings reads it)

    def __init__(self, thing_server_interface: Any, *, motors: Motors) -> None:
        super().__init__(thing_server_interface)
        self._motors = motors
        self._line = threading.RLock()
        self._known: Steps = (0, 0, 0)
        # How far each axis went upwards since it last turned: the play is taken up
        # when that is `backlash_steps`.
        self._upwards: dict[str, int] = dict.fromkeys(AXES, 0)
        self._jogs: "queue.Queue[list[int] | None]" = queue.Queue()
        self._jogging = threading.Lock()
        self._jogger: threading.Thread | None = None

    def __enter__(self) -> Any:
        """Do nothing: the motors are there."""
        return self

    def __exit__(self, *_: object) -> None:
        """End a jog."""
        self._jogs.put(None)
        if self._jogger is not None:
            self._jogger.join(END_S)

    # ---------------------------------------------------------------------- properties

    backlash_steps: dict[str, int] = lt.setting(
        default_factory=lambda: dict.fromkeys(AXES, USUAL_BACKLASH), readonly=True
    )
    """What a compensated move goes below its target, in steps of each axis."""

    axis_inverted: dict[str, bool] = lt.setting(
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
        return self._turned(dict(zip(AXES, self._place())))

    def _place(self) -> Steps:
        """Return the place of the motors that `position` tells."""
        return self._known

    @property
    def thing_state(self) -> Mapping[str, Any]:
        """What goes into the metadata of each picture."""
        return {"position": self.position}

    # --------------------------------------------------------------------------- moves

    @lt.action
    def move_relative(
        self,
        block_cancellation: bool = False,  # noqa: FBT001, FBT002 (as on OpenFlexure's server)
        backlash_compensation: BacklashCompensation | None = None,
        **kwargs: int,
    ) -> None:
        """Move by steps, given by the names of the axes."""
        way = {**dict.fromkeys(AXES, 0), **_steps(kwargs)}
        self._move(way, backlash_compensation, block_cancellation=block_cancellation)

    @lt.action
    def move_absolute(
        self,
        block_cancellation: bool = False,  # noqa: FBT001, FBT002 (as on OpenFlexure's server)
        backlash_compensation: BacklashCompensation | None = None,
        **kwargs: int,
    ) -> None:
        """Move to a place in steps, given by the names of the axes."""
        here = self.position
        there = {**here, **_steps(kwargs)}
        way = {axis: there[axis] - here[axis] for axis in AXES}
        self._move(way, backlash_compensation, block_cancellation=block_cancellation)

    @lt.action
    def move_to_origin(
        self,
        block_cancellation: bool = False,  # noqa: FBT001, FBT002 (as on OpenFlexure's server)
        backlash_compensation: BacklashCompensation | None = None,
    ) -> None:
        """Move to 0, 0, 0."""
        self.move_absolute(block_cancellation, backlash_compensation, x=0, y=0, z=0)

    @lt.action
    def move_to_xyz_position(self, xyz_pos: tuple[int, int, int]) -> None:
        """Move to a place given as x, y, z in steps."""
        x, y, z = xyz_pos
        self.move_absolute(x=x, y=y, z=z)

    @lt.action
    def get_xyz_position(self) -> tuple[int, int, int]:
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
        compensation: BacklashCompensation | None,
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
            self._tell_moving(is_moving=True)
            turning = self._motors.turn([turned[axis] for axis in AXES])
            try:
                with contextlib.closing(turning):
                    for _ in turning:
                        if not block_cancellation:
                            lt.raise_if_cancelled()
            finally:
                self._look()
                self._tell_moving(is_moving=False)

    def _tell_moving(self, *, is_moving: bool) -> None:
        """Publish whether the stage moves."""
        self.moving = is_moving

    def _look(self) -> None:
        """Read the place from the motors."""
        before, self._known = self._known, self._motors.place()
        turned = [new - old for new, old in zip(self._known, before)]
        for axis, steps in self._turned(dict(zip(AXES, turned))).items():
            upwards = self._upwards[axis] + steps
            self._upwards[axis] = max(0, min(self.backlash_steps[axis], upwards))

    def _turned(self, way: Mapping[str, int]) -> dict[str, int]:
        """Return steps in the other frame: of the program, or of the motors."""
        inverted = self.axis_inverted
        return {a: -int(way[a]) if inverted[a] else int(way[a]) for a in AXES}

    # ----------------------------------------------------------------------------- jog

    @lt.action(use_global_lock=False)
    def jog(
        self,
        stop: bool = False,  # noqa: FBT001, FBT002 (as on OpenFlexure's server)
        **kwargs: int,
    ) -> None:
        """Move by steps until the next jog; the global lock is held meanwhile."""
        turned = self._turned({**dict.fromkeys(AXES, 0), **_steps(kwargs)})
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

    def _jog(self, command: list[int] | None) -> None:
        """Move until the way is done or another command comes; work of a thread."""
        hold = self._thing_server_interface.hold_global_lock
        try:
            with hold(error_if_unavailable=False), self._line:
                self._tell_moving(is_moving=True)
                try:
                    while command is not None:
                        command = self._jog_once(command)
                finally:
                    self._look()
                    self._tell_moving(is_moving=False)
        except GlobalLockBusyError:
            self.logger.warning("No jog: the microscope is busy.")

    def _jog_once(self, command: Sequence[int]) -> list[int] | None:
        """Move; return the command that came meanwhile, None for none or a stop."""
        with contextlib.closing(self._motors.turn(command)) as turning:
            for _ in turning:
                with contextlib.suppress(queue.Empty):
                    return self._jogs.get_nowait()
        return None


def _steps(kwargs: Mapping[str, int]) -> dict[str, int]:
    """Return whole steps by the names of axes, as a client gave them.

    Raises
    ------
    ValueError
        For an axis that there is not; a move without it would look as if it was made.
    """
    for name in kwargs:
        if name not in AXES:
            told = f"The stage has no axis {name!r}; choose among {', '.join(AXES)}."
            raise ValueError(told)
    return {axis: int(steps) for axis, steps in kwargs.items()}


def _axes(
    compensation: BacklashCompensation, way: Mapping[str, int]
) -> tuple[str, ...]:
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
