"""What goes wrong, and when: a schedule of faults for the simulated instrument.

A fault holds in a window of the run's time (since the microscope was made) or for the
n-th calls of its kind, counted from 0. The parts ask; nothing here acts.
"""

from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from typing_extensions import Literal, get_args

from openflexure_timelapse.ports import Clock

__all__ = ["Fault", "FaultKind", "Faults"]

FaultKind = Literal[
    "camera_late",
    "camera_hung",
    "camera_timed_out",
    "camera_truncated",
    "camera_black",
    "camera_repeated",
    "camera_wrong_size",
    "camera_stalled",
    "camera_frontend_timeout",
    "camera_killed",
    "camera_stop_blocks",
    "camera_exposure_ignored",
    "camera_metadata_missing",
    "lens_shading_lost",
    "stage_busy",
    "stage_hung",
    "stage_timed_out",
    "stage_lost_steps",
    "board_silent",
    "board_garbage",
    "board_late",
    "board_reset",
    "board_unplugged",
    "light_off",
    "light_stuck",
    "in_use",
    "wall_step",
    "disk_full",
    "disk_io_error",
    "disk_torn",
]

NS_PER_S = 1_000_000_000

UNCOUNTED = (
    "board_unplugged",
    "lens_shading_lost",
    "light_off",
    "light_stuck",
    "in_use",
    "wall_step",
)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    kind : str
        The part and what happens to it:

        ``camera_late``       a capture takes `amount` seconds longer
        ``camera_hung``       a capture never returns, until ``recover``
        ``camera_timed_out``  the camera gives up by itself after `amount` seconds
        ``camera_truncated``  only the share `amount` of the bytes arrives
        ``camera_black``      a black picture
        ``camera_repeated``   the bytes of the picture before
        ``camera_wrong_size`` a picture of the preview's size
        ``camera_stalled``    no frame comes any more, until the camera is opened anew
        ``camera_frontend_timeout`` nor does any, and requests come back cancelled
        ``camera_killed``     the process that has the camera dies
        ``camera_stop_blocks`` the camera cannot be stopped
        ``camera_exposure_ignored`` the sensor exposes otherwise than it was told
        ``camera_metadata_missing`` frames do not tell their exposure
        ``lens_shading_lost`` dark corners
        ``stage_busy``        a move is refused
        ``stage_hung``        a move never returns
        ``stage_timed_out``   the stage gives up by itself after `amount` seconds
        ``stage_lost_steps``  the share `amount` of each move is not made
        ``board_silent``      a Sangaboard hears a command and says nothing
        ``board_garbage``     it answers with noise
        ``board_late``        its answer takes `amount` seconds of the machine's time
        ``board_reset``       it starts anew: at the begin of the window, or when the
                              share `amount` of the n-th move is made
        ``board_unplugged``   its cable is out
        ``light_off``         the lamp is dark whatever its level
        ``light_stuck``       the level cannot be changed
        ``in_use``            another user holds the microscope
        ``wall_step``         the time of day steps by `amount` seconds at the start
        ``disk_full``         writes find no space
        ``disk_io_error``     a write fails and leaves nothing
        ``disk_torn``         a write reports success and leaves the share `amount`
    from_s, to_s : float
        The window of the run's time, in seconds; without `nth`, all calls in it.
    nth : tuple of int
        Only these calls: n counts the captures (stills), the moves, or the writes; the
        Only these calls: n counts the captures (stills), the moves, or the writes; the
        commands for what a board says, the frames of a camera over libcamera.
    amount : float
        Seconds or a share, as said above.
    previews : bool
        Whether a camera's fault also meets previews.
    """

    kind: FaultKind
    from_s: float = 0.0
    to_s: float = float("inf")
    nth: Tuple[int, ...] = ()
    amount: float = 0.5
    previews: bool = False

    def __post_init__(self) -> None:
        """Refuse a fault that would never happen.

        Raises
        ------
        ValueError
            For an unknown kind, an empty window, or calls of a kind that counts none.
        """
        if self.kind not in get_args(FaultKind):
            known = ", ".join(get_args(FaultKind))
            raise ValueError(f"there is no fault {self.kind!r}; choose one of {known}")
        if not self.from_s < self.to_s:
            raise ValueError(
                f"{self.kind} from {self.from_s} to {self.to_s} s is never"
            )
        if self.nth and self.kind in UNCOUNTED:
            raise ValueError(f"{self.kind} goes by time; its calls are not counted")


class Faults:
    """The schedule, and the run's time by which it goes.

    Parameters
    ----------
    clock : Clock
        Tells the run's time, which begins now.
    faults : sequence of Fault
        In any order; the first one of a kind that holds is used.
    """

    def __init__(self, clock: Clock, faults: Sequence[Fault] = ()) -> None:
        self._clock = clock
        self._faults = tuple(faults)
        self._zero_ns = clock.monotonic_ns()
        self._mended: List[Fault] = []

    def now_s(self) -> float:
        """Return the run's time, in seconds."""
        return (self._clock.monotonic_ns() - self._zero_ns) / NS_PER_S

    def find(self, kind: FaultKind, n: Optional[int] = None) -> Optional[Fault]:
        """Return the fault of a kind that holds now, for the n-th call; else None."""
        return next(self._holding(kind, n, self.now_s()), None)

    def begins_ns(self, fault: Fault) -> int:
        """Return the monotonic time at which a window begins."""
        return self._zero_ns + int(fault.from_s * NS_PER_S)

    def ends_ns(self, fault: Fault) -> Optional[int]:
        """Return the monotonic time at which a window ends; None for never."""
        if fault.to_s == float("inf"):
            return None
        return self._zero_ns + int(fault.to_s * NS_PER_S)

    def mend(self, kind: FaultKind) -> None:
        """End the faults of a kind that hold now and can be ended (amount above 0)."""
        now_s = self.now_s()
        for fault in self.of(kind):
            if fault.amount > 0 and fault.from_s <= now_s and not fault.nth:
                self._mended.append(fault)

    def active(self) -> List[str]:
        """Return the kinds whose window holds now, for the truth."""
        now_s = self.now_s()
        kinds: Dict[str, None] = {}
        for fault in self._faults:
            if fault.from_s <= now_s < fault.to_s and fault not in self._mended:
                kinds[fault.kind] = None
        return list(kinds)

    def of(self, kind: FaultKind) -> Tuple[Fault, ...]:
        """Return all faults of a kind, whenever they hold."""
        return tuple(fault for fault in self._faults if fault.kind == kind)

    def _holding(
        self, kind: FaultKind, n: Optional[int], now_s: float
    ) -> Iterator[Fault]:
        """Yield the faults that hold."""
        for fault in self._faults:
            if fault.kind != kind or fault in self._mended:
                continue
            counted = not fault.nth or n in fault.nth
            if counted and fault.from_s <= now_s < fault.to_s:
                yield fault
