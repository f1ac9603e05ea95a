"""The edges of the engine: small protocols that hosts and the simulator fill.

Nothing here does anything. The engine receives these objects and knows no other way
to tell the time, move, look or write. Rules that hold for every port:

* Times are integer nanoseconds. ``monotonic_ns`` schedules; ``wall_ns`` (UTC since
  1970) is only ever recorded.
* Hardware ports are called on one :class:`Lane`, never from two threads at once, and
  raise :class:`~openflexure_timelapse.errors.HardwareError` or one of its children.
* Positions are motor steps, distances in micrometres carry ``_um`` in their name.
"""

from typing import Any, Callable, Dict, Mapping, Optional, Sequence, TypeVar

from typing_extensions import Protocol, runtime_checkable

from openflexure_timelapse.values import (
    CameraInfo,
    FocusSweep,
    Image,
    StageInfo,
    StagePosition,
)

__all__ = [
    "Camera",
    "CameraInfo",
    "Clock",
    "Disk",
    "FocusSweep",
    "Focuser",
    "Image",
    "JsonDict",
    "Lane",
    "Light",
    "Microscope",
    "Observer",
    "Signal",
    "Stage",
    "StageInfo",
    "StagePosition",
]

JsonDict = Dict[str, Any]
Result = TypeVar("Result")


# ------------------------------------------------------------------------------ time


@runtime_checkable
class Signal(Protocol):
    """A flag that ends a wait of the clock that made it. Safe from any thread."""

    def set(self) -> None:
        """Raise the flag: every present and future wait on it returns at once."""
        ...

    def clear(self) -> None:
        """Lower the flag."""
        ...

    def is_set(self) -> bool:
        """Tell whether the flag is up."""
        ...


class Lane(Protocol):
    """The one thread on which hardware is called, so that no call can hang a run."""

    def call(
        self, what: str, function: Callable[[], Result], deadline_ns: int
    ) -> Result:
        """Run `function` and return its result, or raise what it raised.

        Parameters
        ----------
        what : str
            A verb phrase for the error message, for example ``"capture an image"``.
        function : callable
            Called with no arguments, always on the same thread, unless an earlier
            call hung and the lane had to take a new one.
        deadline_ns : int
            Monotonic time by which the call must have returned.

        Raises
        ------
        HardwareTimeoutError
            When the deadline passed. The call may still be stuck in the background;
            its late result is thrown away.
        HardwareBusyError
            When too many earlier calls are still stuck.
        """
        ...

    def close(self) -> None:
        """Let the thread end. A stuck call is left behind."""
        ...


class Clock(Protocol):
    """The only source of time, and the owner of every wait."""

    def monotonic_ns(self) -> int:
        """Return a time that never steps and never runs backwards."""
        ...

    def wall_ns(self) -> int:
        """Return the time of day as UTC nanoseconds since 1970; it may step."""
        ...

    def wall_is_trusted(self) -> bool:
        """Tell whether the time of day is synchronised or kept by a battery clock."""
        ...

    def utc_offset_s(self, wall_ns: int) -> int:
        """Return how far local time is ahead of UTC at `wall_ns`, in seconds."""
        ...

    def boot_id(self) -> str:
        """Return an id of this boot: monotonic times compare only within one boot."""
        ...

    def signal(self) -> Signal:
        """Make a signal, lowered, that this clock's waits understand."""
        ...

    def wait_until(self, due_ns: Optional[int], signal: Signal) -> bool:
        """Wait until the monotonic time `due_ns` (None: for ever) or until `signal`.

        Returns
        -------
        bool
            True when the signal ended the wait, False when the time came. At once
            when either already holds; a raised signal wins.
        """
        ...

    def lane(self, name: str) -> Lane:
        """Make a lane whose deadlines this clock keeps."""
        ...


# -------------------------------------------------------------------------- hardware


class Camera(Protocol):
    """Takes pictures. Called only between ``acquire`` and ``release``."""

    def describe(self) -> CameraInfo:
        """Return the constant facts; cheap, allowed at any time."""
        ...

    def capture(self, mode: Optional[str]) -> Image:
        """Take a still whose exposure begins after this call.

        Parameters
        ----------
        mode : str or None
            A key of ``describe().modes``; None for the default one.

        Raises
        ------
        HardwareError
            When no picture could be had. Bytes that are cut short are returned, not
            raised: the visit judges every image by the same rule.
        """
        ...

    def preview(self) -> Image:
        """Return a small picture whose exposure began after this call."""
        ...

    def exposure(self) -> JsonDict:
        """Return how exposure is controlled now, and change nothing.

        JSON-able, and all that `restore_exposure` needs. It is on disk before
        `lock_exposure` is called, so that a later process can restore.
        """
        ...

    def lock_exposure(self, values: Optional[Mapping[str, Any]] = None) -> JsonDict:
        """Freeze exposure, gain and white balance.

        Parameters
        ----------
        values : mapping, optional
            What an earlier call returned, to freeze the same values again after a
            restart. None freezes the camera as it is now.

        Returns
        -------
        dict
            JSON-able: the values now frozen.
        """
        ...

    def restore_exposure(self, saved: Mapping[str, Any]) -> None:
        """Put exposure control back as `exposure` said that it was."""
        ...

    def recover(self) -> None:
        """Try to bring a camera back that timed out; called before the next visit."""
        ...


class Stage(Protocol):
    """Moves the sample and the focus. Called only between ``acquire``/``release``."""

    def describe(self) -> StageInfo:
        """Return the constant facts; cheap, allowed at any time."""
        ...

    def position(self) -> StagePosition:
        """Return where the stage believes it is; allowed at any time."""
        ...

    def move_to(self, target: StagePosition) -> None:
        """Go there, approaching each axis from below so that backlash cancels.

        Also when the stage is there by its own count but did not come from below: the
        play of an unknown approach would show at the next move.

        Raises
        ------
        OutOfReachError
            Before anything moves, when the target is outside the travel.
        HardwareError
            When the stage is busy, silent, or did not arrive.
        """
        ...


class Focuser(Protocol):
    """A host's own way to sweep through focus (for example v2's fast autofocus)."""

    def sweep(self, range_steps: int) -> FocusSweep:
        """Measure sharpness over `range_steps` centred on the present height.

        The stage ends anywhere; the visit moves it to the height that is accepted.
        """
        ...


class Light(Protocol):
    """The illumination, where the host can switch it."""

    def level(self) -> float:
        """Return the present level, 0 (off) to 1."""
        ...

    def set_level(self, level: float) -> None:
        """Set the level, 0 (off) to 1; returns when the light has settled."""
        ...


class Microscope(Protocol):
    """The instrument as one host offers it."""

    @property
    def camera(self) -> Camera:
        """The camera."""
        ...

    @property
    def stage(self) -> Stage:
        """The stage."""
        ...

    @property
    def focuser(self) -> Optional[Focuser]:
        """The host's own focus sweep; None: sweep with camera and stage."""
        ...

    @property
    def light(self) -> Optional[Light]:
        """The illumination; None where the host cannot switch it."""
        ...

    def describe(self) -> JsonDict:
        """Return JSON-able facts for ``run.json``: host, names, versions."""
        ...

    def state(self) -> JsonDict:
        """Return the instrument's state as OpenFlexure writes it into EXIF.

        Small (a few kilobytes), JSON-able, no hardware traffic.
        """
        ...

    def acquire(self, deadline_ns: int) -> None:
        """Take the hardware for one visit.

        Raises
        ------
        HardwareBusyError
            When another user still holds it at `deadline_ns`.
        """
        ...

    def release(self) -> None:
        """Give the hardware back; called once for each successful `acquire`."""
        ...

    def incidents(self) -> Sequence[JsonDict]:
        """Return what the hardware got over since the last call, oldest first.

        Each is JSON-able: ``kind``, a word such as ``camera_restarted``, and
        ``detail``, a sentence. What a visit did not get over it raises instead. Empty
        where the host cannot know. Safe from any thread; no hardware traffic.
        """
        ...


# ------------------------------------------------------------------------------ rest


class Disk(Protocol):
    """Durable writing. One real one: ``store/disk.py``."""

    def write(self, path: str, data: bytes) -> None:
        """Put `data` under `path` so that a power cut leaves all of it or nothing.

        Raises
        ------
        DiskFullError, StorageError
            Nothing is left under `path`, nor under a temporary name if that can be
            helped.
        """
        ...

    def make_folder(self, path: str) -> None:
        """Create a folder and its parents durably; an existing one is fine."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file; a missing one is fine."""
        ...

    def free_bytes(self, path: str) -> int:
        """Return the space that this user may still write at `path`."""
        ...


class Observer(Protocol):
    """Is told of every event of the run and of every slot's outcome, as it happens."""

    def notice(self, kind: str, details: Mapping[str, Any]) -> None:
        """Take note. Must return at once and must not raise."""
        ...
