"""Focus from the live view while the stage glides upwards through it.

Each frame's sharpness belongs to the height at the middle of its exposure. As sharpness
serves what a frame's JPEG holds beyond one of an even grey: in a picture with few
things nearly all bytes are those of the empty field, and what grows with focus would be
lost in them.
"""

from typing import Any, ContextManager, List, Optional, Tuple

from typing_extensions import Protocol, runtime_checkable

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.direct.frames import StreamFrame
from openflexure_timelapse.hosts.direct.glide import Course, Glide
from openflexure_timelapse.ports import (
    Clock,
    FocusSweep,
    Stage,
    StagePosition,
)

__all__ = ["METRIC", "DirectFocuser", "GlidingStage", "LiveView"]

METRIC = "jpeg_detail_bytes"
ENOUGH_FRAMES = 24
FEWEST_FRAMES = 5
MOST_PASSES = 4
LAST_FRAME_S = 2.0
US_PER_S = 1_000_000


class LiveView(Protocol):
    """What of a `DirectCamera` is used."""

    def frame(self, timeout_s: float, after_ns: Optional[int] = None) -> StreamFrame:
        """Return the newest frame."""
        ...

    def watched(self) -> ContextManager[List[StreamFrame]]:
        """Collect frames."""
        ...

    def blank_bytes(self) -> int:
        """Return the size of an even grey frame."""
        ...


@runtime_checkable
class GlidingStage(Protocol):
    """A stage that knows when its motor began to turn."""

    def glide(self, target: StagePosition) -> Glide:
        """Begin to go straight up to `target`."""
        ...


class DirectFocuser:
    """Sweeps.

    Parameters
    ----------
    camera : DirectCamera
        Its live view is watched.
    stage : ports.Stage
        One that is a `GlidingStage` too tells when it moved; of another one the time
        is taken here, which is later by what its commands take.
    clock : Clock
        The engine's, in which both tell times.
    """

    def __init__(self, camera: LiveView, stage: Stage, clock: Clock) -> None:
        self._camera = camera
        self._stage = stage
        self._clock = clock

    def sweep(self, range_steps: int) -> FocusSweep:
        """Measure sharpness over `range_steps` centred on the present height.

        A range that is passed too quickly for enough frames is passed again.

        Raises
        ------
        HardwareError
            When there were fewer than five frames on the way.
        """
        start = self._stage.position()
        low, high = self._reach(start, range_steps)
        seen: List[Tuple[int, float]] = []
        for _ in range(MOST_PASSES):
            seen += self._one_way(start.at_z(low), start.at_z(high))
            if len(seen) >= ENOUGH_FRAMES:
                break
        if len(seen) < FEWEST_FRAMES:
            message = f"The focus sweep saw only {len(seen)} frames, "
            message += f"{FEWEST_FRAMES} are needed; check the live view's frame rate, "
            raise HardwareError(message + "or take a larger range.")
        heights, sharpness = zip(*seen)
        return FocusSweep(tuple(heights), tuple(sharpness), METRIC)

    def _reach(self, start: StagePosition, range_steps: int) -> Tuple[int, int]:
        """Return the lowest and the highest z, inside the travel."""
        info = self._stage.describe()
        low = start.z - range_steps // 2
        high = low + range_steps
        if info.lowest is not None:
            low = max(low, info.lowest.z)
        if info.highest is not None:
            high = min(high, info.highest.z)
        return low, high

    def _one_way(
        self, low: StagePosition, high: StagePosition
    ) -> List[Tuple[int, float]]:
        """Go up once; return heights and sharpness."""
        self._stage.move_to(low)
        with self._camera.watched() as frames:
            course = self._go_up(low, high)
            # Frames come in the order of their exposures.
            self._camera.frame(LAST_FRAME_S, course.end_ns)
        blank = self._camera.blank_bytes()
        return [
            (round(course.z_at(middle_ns)), float(max(0, len(jpeg) - blank)))
            for middle_ns, jpeg in (
                (frame.exposure_middle_ns, frame.jpeg) for frame in list(frames)
            )
            if course.begun_ns <= middle_ns <= course.end_ns
        ]

    def _go_up(self, low: StagePosition, high: StagePosition) -> Course:
        """Go straight up, and return how it went."""
        stage: Any = self._stage
        if isinstance(stage, GlidingStage):
            glide = stage.glide(high)
            glide.wait()
            return glide.course
        begun_ns = self._clock.monotonic_ns()
        stage.move_to(high)
        step_us = round(US_PER_S / stage.describe().steps_per_s)
        return Course(low, high, begun_ns, step_us, ramp_us=0)
