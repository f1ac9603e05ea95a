"""What the v2 server uses where it finds no hardware: mock camera and mock stage."""

import io
import threading
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from labthings import StrictLock
from PIL import Image, ImageDraw

from hardware_sim.v2_frames import FrameStream
from hardware_sim.v2_stage import AXES, BaseStage, steps_of, steps_of_axes
from openflexure_timelapse.ports import Clock

__all__ = ["MissingCamera", "MissingStage"]

NS_PER_S = 1_000_000_000
BETWEEN_FRAMES_S = 1.0
MOVE_S = 0.5
END_S = 10.0
SETTINGS = (
    "stream_resolution",
    "image_resolution",
    "numpy_resolution",
    "jpeg_quality",
)


class MissingCamera:
    """Frames of text, one a second; it has no `array` and no `picamera`.

    Attributes
    ----------
    lock : labthings.StrictLock
        Re-entrant; waits for ever.
    stream : FrameStream
        The live view.
    stream_active, record_active : bool
        What goes on.
    stream_resolution : (int, int)
        Of every picture, in pixels.
    image_resolution, numpy_resolution, jpeg_quality
        Told and kept; they change nothing.
    """

    def __init__(self) -> None:
        self.lock = StrictLock(name="Camera", timeout=None)
        self.stream = FrameStream()
        self.stream_active = True
        self.record_active = False
        self.stream_resolution: Sequence[int] = (640, 480)
        self.image_resolution: Sequence[int] = (1312, 976)
        self.numpy_resolution: Sequence[int] = (1312, 976)
        self.jpeg_quality = 75
        self.closed = False
        self._end = threading.Event()
        self._draw()
        self._thread = threading.Thread(
            target=self._deliver, name="v2 mock camera", daemon=True
        )
        self._thread.start()

    @property
    def configuration(self) -> Dict[str, Any]:
        """No facts."""
        return {}

    @property
    def state(self) -> Dict[str, Any]:
        """Nothing."""
        return {}

    def read_settings(self) -> Dict[str, Any]:
        """Return the settings as they are kept in the settings file."""
        return {key: getattr(self, key) for key in SETTINGS}

    def update_settings(self, config: Mapping[str, Any]) -> None:
        """Apply settings.

        Parameters
        ----------
        config : mapping
            Any of `read_settings`; unknown names are ignored.
        """
        with self.lock:
            for key in set(SETTINGS).intersection(config):
                setattr(self, key, config[key])

    def start_stream(self) -> None:
        """Do nothing: the live view is never off."""

    def stop_stream(self) -> None:
        """Do nothing: the live view goes on."""

    def get_frame(self) -> bytes:
        """Return the next frame of the live view."""
        return self.stream.getframe()

    def capture(  # noqa: PLR0913, PLR0917 (as on the real server)
        self,
        output: Any,
        fmt: str = "jpeg",  # noqa: ARG002
        use_video_port: bool = False,  # noqa: ARG002, FBT001, FBT002
        resize: Optional[Sequence[int]] = None,  # noqa: ARG002
        bayer: bool = True,  # noqa: ARG002, FBT001, FBT002
        thumbnail: Optional[Tuple[int, int, int]] = None,  # noqa: ARG002
    ) -> None:
        """Write the frame that is in the live view; all but `output` is ignored.

        Parameters
        ----------
        output : str or file
            Where it goes; a file is flushed.
        """
        with self.lock:
            frame = self.stream.getvalue()
        if isinstance(output, str):
            Path(output).write_bytes(frame)
        else:
            output.write(frame)
            output.flush()

    def close(self) -> None:
        """End the live view and its thread."""
        self.closed = True
        self._end.set()
        self._thread.join(END_S)
        self.stream.new_frame.set()

    def _deliver(self) -> None:
        """Draw frames; the work of the thread."""
        while not self._end.wait(BETWEEN_FRAMES_S):
            self._draw()

    def _draw(self) -> None:
        """Put a new frame into the live view."""
        width, height = self.stream_resolution
        picture = Image.new("RGB", (int(width), int(height)), "darkslategrey")
        now = datetime.now()  # noqa: DTZ005 (as people see it)
        told = f"{now:%H:%M:%S}  no camera: a mock of a simulated server"
        ImageDraw.Draw(picture).text((20, 20), told)
        jpeg = io.BytesIO()
        picture.save(jpeg, "jpeg")
        self.stream.show(jpeg.getvalue())


class MissingStage(BaseStage):
    """A place that can be set: no motors, no play, no locking, half a second a move.

    Parameters
    ----------
    clock : Clock
        On which a move takes its half second.

    Attributes
    ----------
    backlash : array of 3 int
        Told and kept; it changes nothing.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._place: List[Any] = [0, 0, 0]
        self.backlash: Any = np.zeros(self.n_axes, int)

    @property
    def configuration(self) -> Dict[str, Any]:
        """No facts."""
        return {}

    @property
    def position(self) -> List[Any]:
        """The place, in steps: a list, of numpy's integers after a relative move."""
        return self._place

    def read_settings(self) -> Dict[str, Any]:
        """Return the settings as they are kept in the settings file."""
        return {"backlash": dict(zip(AXES, np.asarray(self.backlash).tolist()))}

    def update_settings(self, config: Mapping[str, Any]) -> None:
        """Apply settings.

        Parameters
        ----------
        config : mapping
            ``backlash`` by the names of the axes, in steps.
        """
        if "backlash" in config:
            self.backlash = np.array(steps_of_axes(config["backlash"]))

    def move_rel(
        self,
        displacement: Any,
        axis: Optional[str] = None,
        backlash: bool = True,  # noqa: ARG002, FBT001, FBT002
    ) -> None:
        """Move by a number of steps; `backlash` is ignored.

        Parameters
        ----------
        displacement : int or sequence of 3
            In steps.
        axis : str, optional
            The one axis to move by an int.
        backlash : bool
            Ignored.
        """
        self._spend()
        self._place = list(self._place + steps_of(displacement, axis).astype(int))

    def move_abs(self, final: Any, **_: Any) -> None:
        """Move to a place.

        Parameters
        ----------
        final : sequence of 3
            In steps.
        """
        self._spend()
        self._place = [*final]

    def zero_position(self) -> None:
        """Count from here."""
        self._place = [0, 0, 0]

    def _spend(self) -> None:
        """Let the time of a move pass."""
        due_ns = self._clock.monotonic_ns() + int(MOVE_S * NS_PER_S)
        self._clock.wait_until(due_ns, self._clock.signal())
