"""What the microscope without a server asks of its parts, beyond the engine's ports."""

from typing import Any, Callable, List, Optional

from typing_extensions import Protocol

from openflexure_timelapse.ports import Camera, Image, JsonDict, Stage, StagePosition

__all__ = ["CameraPart", "Course", "Move", "StagePart", "StreamFrame"]


class StreamFrame(Protocol):
    """One frame of the small stream."""

    @property
    def jpeg(self) -> bytes:
        """The picture."""
        ...

    @property
    def exposure_start_ns(self) -> int:
        """Monotonic time of the microscope's clock at which its exposure began."""
        ...


class CameraPart(Camera, Protocol):
    """A camera with a stream that never stops."""

    def frame(self, timeout_s: float, after_ns: Optional[int] = None) -> StreamFrame:
        """Return the newest frame whose exposure began after a monotonic time."""
        ...

    def raw(self, mode: Optional[str] = None) -> Image:
        """Return the sensor's own data of one exposure, as a DNG."""
        ...

    def state(self) -> JsonDict:
        """Return its state for EXIF; no traffic."""
        ...

    def status(self) -> JsonDict:
        """Return how it is: age of the last frame, memory, temperature, restarts."""
        ...

    def incidents(self) -> List[JsonDict]:
        """Return what it got over since the last call."""
        ...

    def calibrate(self, scale: Callable[[], Optional[float]]) -> None:
        """Ask for the scale there where the settings have none."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Course(Protocol):
    """What is expected of a move."""

    @property
    def deadline_ns(self) -> int:
        """Monotonic time at which it must be over."""
        ...


class Move(Protocol):
    """A move under way."""

    is_over: bool

    @property
    def course(self) -> Course:
        """What is expected of it."""
        ...

    def is_done(self) -> bool:
        """Ask whether it is over."""
        ...


class StagePart(Stage, Protocol):
    """A stage that moves while others work, and can be stopped."""

    @property
    def moving(self) -> bool:
        """Whether it moves now."""
        ...

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped the last move."""
        ...

    @property
    def longest_glide(self) -> Optional[int]:
        """The steps after which it can be stopped at the latest; None: at any time."""
        ...

    def glide(self, target: StagePosition) -> Any:
        """Begin a `Move` in one go, without care for the play; return at once."""
        ...

    def break_off(self, glide: Any) -> None:
        """End a move that is not to go on, and find out where the stage is."""
        ...

    def stop(self) -> None:
        """End a move at once; from any thread."""
        ...

    def set_zero(self) -> None:
        """Count from here."""
        ...

    def end_visit(self) -> None:
        """Do what is due when a visit is over, such as releasing the coils."""
        ...

    def state(self) -> JsonDict:
        """Return its state for EXIF, ``position`` in it; no traffic."""
        ...

    def incidents(self) -> List[JsonDict]:
        """Return what it got over since the last call."""
        ...
