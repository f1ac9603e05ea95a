"""Focus from the live view while the stage glides upwards through it.

Each frame's sharpness belongs to the height at the middle of its exposure, of the row
in the middle: while all rows are read, a stage makes 50 steps. As sharpness serves what
a frame's JPEG holds beyond one of an even grey: in a picture with few things nearly all
bytes are those of the empty field, and what grows with focus would be lost in them.
"""

from typing import ContextManager, List, Optional, Tuple

from typing_extensions import Protocol

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.direct.frames import StreamFrame
from openflexure_timelapse.hosts.direct.glide import Glide
from openflexure_timelapse.ports import (
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


class GlidingStage(Stage, Protocol):
    """A stage that knows where it is while it moves."""

    def glide(self, target: StagePosition) -> Glide:
        """Begin to go straight to `target`, and return at once."""
        ...


class DirectFocuser:
    """Sweeps.

    Parameters
    ----------
    camera : DirectCamera
        Its live view is watched.
    stage : GlidingStage
        Tells the height at a time while it moves.
    """

    def __init__(self, camera: LiveView, stage: GlidingStage) -> None:
        self._camera = camera
        self._stage = stage

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
            glide = self._stage.glide(high)
            glide.wait()
            # Frames come in the order of their exposures.
            self._camera.frame(LAST_FRAME_S, glide.end_ns)
        blank = self._camera.blank_bytes()
        return [
            (round(glide.z_at(middle_ns)), float(max(0, len(jpeg) - blank)))
            for middle_ns, jpeg in (
                (frame.exposure_middle_ns, frame.jpeg) for frame in list(frames)
            )
            if glide.start_ns <= middle_ns <= glide.end_ns
        ]
