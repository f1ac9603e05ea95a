"""What the microscope without a server asks of its parts, beyond the engine's ports."""

from typing import List, Optional, Tuple

from typing_extensions import Protocol

from openflexure_timelapse.ports import Camera, JsonDict, Stage

__all__ = ["CameraPart", "StagePart", "StreamFrame"]


class StreamFrame(Protocol):
    """One frame of the small stream."""

    @property
    def jpeg(self) -> bytes:
        """The picture."""
        ...

    @property
    def exposure_start_ns(self) -> int:
        """Monotonic time at which its exposure began, by the machine's own clock."""
        ...


class CameraPart(Camera, Protocol):
    """A camera with a stream that never stops."""

    def frame(self, timeout_s: float, after_ns: Optional[int] = None) -> StreamFrame:
        """Return the newest frame whose exposure began after a monotonic time."""
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

    def close(self) -> None:
        """End it."""
        ...


class StagePart(Stage, Protocol):
    """A stage that can be stopped, and turned without regard to play."""

    @property
    def moving(self) -> bool:
        """Whether it moves now."""
        ...

    def move_by(self, steps: Tuple[int, int, int]) -> None:
        """Turn the motors by so many steps; returns when they are done or stopped."""
        ...

    def stop(self) -> None:
        """End a move at once; from another thread."""
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
