"""Things as the real server v3 has them, cut down to what a test wants to see.

Their actions take the real global lock, as those of ``labthings_fastapi`` do.
"""

import enum
import functools
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional, Tuple

import piexif
from labthings_fastapi.global_lock import GlobalLock
from PIL import Image as Picture

from hardware_sim import VirtualClock
from openflexure_timelapse.hosts.v3_microscope import V3Microscope

__all__ = [
    "Axes",
    "FileCamera",
    "MemoryCamera",
    "NotedIllumination",
    "NotedStage",
    "SettingsCamera",
    "StreamCamera",
    "action",
    "comment_of",
    "jpeg_of",
    "ours",
]

START_NS = 1_800_000_000_000_000_000
SMALL = (82, 62)


def action(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method hold its Thing's lock, and fail as an action where it cannot."""

    @functools.wraps(method)
    def locked(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            return method(self, *args, **kwargs)

    return locked


def jpeg_of(
    size: Tuple[int, int] = SMALL, states: Optional[Dict[str, Any]] = None
) -> bytes:
    """Return a grey picture, with the states of Things where the server writes them."""
    output = io.BytesIO()
    how: Dict[str, Any] = {}
    if states is not None:
        comment = json.dumps(states).encode("utf-8")
        exif = {"Exif": {piexif.ExifIFD.UserComment: comment}}
        how["exif"] = piexif.dump(exif)
    Picture.new("RGB", size, (90, 90, 90)).save(output, "JPEG", **how)
    return output.getvalue()


class _Camera:
    """What all cameras have."""

    name = "camera"

    def __init__(self, lock: Optional[GlobalLock] = None) -> None:
        self.lock = lock or GlobalLock()
        self.done: List[Any] = []
        self.paths: List[str] = []
        self.states: Optional[Dict[str, Any]] = None
        self.sizes: Dict[str, Tuple[int, int]] = {}

    def jpeg(self, mode: str) -> bytes:
        """Return what is seen now."""
        return jpeg_of(self.sizes.get(mode, SMALL), self.states)


class StreamCamera(_Camera):
    """A camera that shows its live view and nothing else."""

    def __init__(self, lock: Optional[GlobalLock] = None) -> None:
        super().__init__(lock)
        self.torn = 0

    @action
    def discard_frames(self) -> None:
        """Take note."""
        self.done.append("discard")

    @action
    def grab_jpeg(self, stream_name: str = "main") -> Any:
        """Return a frame as a blob."""
        self.done.append(stream_name)
        jpeg = self.jpeg(stream_name)
        if self.torn:
            self.torn -= 1
            jpeg = jpeg[:-2]
        return SimpleNamespace(content=jpeg)


class MemoryCamera(StreamCamera):
    """A camera that takes stills into its memory."""

    def __init__(self, lock: Optional[GlobalLock] = None) -> None:
        super().__init__(lock)
        self._memory: Dict[int, bytes] = {}
        self.fails: Optional[BaseException] = None

    @property
    def capture_modes(self) -> Dict[str, Any]:
        """The modes, the default one not the first."""
        return {
            "quick": SimpleNamespace(description="quick", save_resolution=None),
            "standard": SimpleNamespace(description="", save_resolution=(1640, 1232)),
        }

    @action
    def capture_to_memory(self, capture_mode: str = "standard") -> int:
        """Take a still; an unknown mode is taken for another one."""
        self.done.append(("still", capture_mode))
        self._memory = {len(self.done): self.jpeg(capture_mode)}
        return len(self.done)

    @action
    def save_from_memory(self, path: Any, buffer_id: Optional[int] = None) -> None:
        """Save it."""
        path.set_saving_thing_if_unset(self)
        self.paths.append(path.abs_data_path)
        Path(path.abs_data_path).write_bytes(self._memory.pop(buffer_id or 0))
        if self.fails is not None:
            raise self.fails


class FileCamera(MemoryCamera):
    """A camera as the server's: a still by one call."""

    def capture_and_save_to_path(self, path: Any, capture_mode: str) -> None:
        """Do both halves, each of which takes the lock."""
        self.done.append("by path")
        self.save_from_memory(path, self.capture_to_memory(capture_mode))


class SettingsCamera(FileCamera):
    """A camera with the settings of the server's Pi camera."""

    def __init__(self, lock: Optional[GlobalLock] = None) -> None:
        super().__init__(lock)
        self.set: List[Any] = []
        self.reads = 0
        self._values: Dict[str, Any] = {
            "exposure_time": 499,
            "analogue_gain": 1.0,
            "colour_gains": (1.5, 2.0),
        }

    def _get(self, name: str) -> Any:
        """Return a value, for which the real camera waits a frame."""
        self.reads += 1
        return self._values[name]

    def _set(self, name: str, value: Any) -> None:
        """Set a value while the lock is had, as the server does."""
        with self.lock:
            assert type(value) is type(self._values[name])
            self._values[name] = value
            self.set.append((name, value))

    exposure_time = property(
        lambda self: self._get("exposure_time"),
        lambda self, value: self._set("exposure_time", value),
    )
    analogue_gain = property(
        lambda self: self._get("analogue_gain"),
        lambda self, value: self._set("analogue_gain", value),
    )
    colour_gains = property(
        lambda self: self._get("colour_gains"),
        lambda self, value: self._set("colour_gains", value),
    )


class Axes(enum.Enum):
    """The server's enum of how much play is taken up."""

    MOVEMENT_AXES = 1
    ALL_AXES = 2


class NotedStage:
    """A stage as the server's, which notes how it is moved."""

    name = "stage"

    def __init__(self, lock: Optional[GlobalLock] = None) -> None:
        self.lock = lock or GlobalLock()
        self.position: Dict[str, int] = {"x": 0, "y": 0, "z": 0}
        self.moves: List[Any] = []
        self.loses: List[int] = []
        self.fails: Optional[BaseException] = None

    @action
    def move_absolute(
        self,
        block_cancellation: bool = False,  # noqa: FBT001, FBT002 (as on the server)
        backlash_compensation: "Optional[Axes]" = None,
        **axes: int,
    ) -> None:
        """Move."""
        self.moves.append((axes, block_cancellation, backlash_compensation))
        if self.fails is not None:
            raise self.fails
        lost = self.loses.pop() if self.loses else 0
        self.position = {**axes, "z": axes["z"] - lost}


class NotedIllumination:
    """A light as the server's."""

    name = "illumination"

    def __init__(self, lock: Optional[GlobalLock] = None) -> None:
        self.lock = lock or GlobalLock()
        self.done: List[bool] = []
        self.fails: Optional[BaseException] = None

    @action
    def set_led(self, led_on: bool = True) -> None:  # noqa: FBT001, FBT002 (as on the server)
        """Take note."""
        if self.fails is not None:
            raise self.fails
        self.done.append(led_on)


def ours(camera: Any = None, stage: Any = None, **others: Any) -> V3Microscope:
    """Return our microscope over Things, on a clock that jumps."""
    lock = getattr(camera or stage, "lock", None)
    others.setdefault("global_lock", lambda: lock)
    return V3Microscope(
        camera or FileCamera(lock),
        stage or NotedStage(lock),
        others.pop("clock", None) or VirtualClock(START_NS),
        **others,
    )


def comment_of(path: Path) -> Dict[str, Any]:
    """Return what a frame tells of itself in the server's own words."""
    exif = piexif.load(str(path))["Exif"]
    told: Dict[str, Any] = json.loads(exif[piexif.ExifIFD.UserComment].decode("utf-8"))
    return told
