"""What we rely on in the Things of an OpenFlexure Microscope server v3, written once.

The source is the public 3.0.0-beta1 of ``openflexure_microscope_server`` on
``labthings_fastapi`` 0.3.0; each class names its file there. The alphas before it, and
Things that others wrote, have only a part of this: `hosts.v3_features` asks a Thing for
what it offers, and nothing here is a base class of anything. A test holds the simulated
Things against these names.

Rules of all Things, from ``labthings_fastapi/actions.py`` and ``properties.py``:

* An action that is called from Python runs in the caller's thread, and takes the global
  lock again; its arguments are *not* converted: an enum must be given as the enum.
* Reading a property is free of the lock; assigning one takes it for that moment.
* An action that was cancelled raises ``InvocationCancelledError``, which is no
  `Exception`; outside of an invocation nobody can cancel it.
"""

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from typing_extensions import Protocol

__all__ = [
    "AutofocusThing",
    "CameraThing",
    "CaptureMode",
    "DataPath",
    "ExposureSettings",
    "GlobalLock",
    "IlluminationThing",
    "SharpnessData",
    "StageThing",
    "StreamingMode",
]

Size = Tuple[int, int]
ALL_AXES = 2
"""The value of ``BacklashCompensation.ALL_AXES``; ``things/stage/__init__.py``."""


class GlobalLock(Protocol):
    """The one lock of a server; ``labthings_fastapi/global_lock.py``.

    An ``RLock`` behind it. ``thing._thing_server_interface.global_lock`` is this, or
    None where the configuration switches it off; the OpenFlexure server demands it.
    Held during every action and assignment that did not opt out, and by the thread of
    ``stage.jog`` for as long as it jogs. Whoever cannot have it within 50 ms raises
    ``GlobalLockBusyError``.
    """

    def acquire(self, blocking: bool = True, timeout: float = 0.05) -> bool:  # noqa: FBT001, FBT002
        """Take it; without a timeout that ends after 50 ms."""
        ...

    def release(self) -> None:
        """Give it back, in the thread that took it."""
        ...


class DataPath(Protocol):
    """Where an image is saved: ``RelativeDataPath`` in ``things/__init__.py``.

    ``OFMThing.create_data_path(name)`` makes one below the Thing's data folder, whose
    files the server hands out to everybody.
    """

    @property
    def abs_data_path(self) -> str:
        """The whole path; its folder must exist, its suffix chooses the format."""
        ...

    def set_saving_thing_if_unset(self, thing: Any) -> None:
        """Be below the data folder of `thing`, unless there is another one already."""
        ...


class CaptureMode(Protocol):
    """How a still is taken; ``things/camera/__init__.py`` and ``picamera.py``.

    The Pi camera's has also ``streaming_mode`` (None: the present one; another one
    stops the live view for the still) and ``stream_name`` (``main`` or ``lores``).
    """

    description: str
    save_resolution: Optional[Size]


class StreamingMode(Protocol):
    """How the live view runs; the Pi camera's knows its sizes."""

    main_resolution: Size
    lores_resolution: Size


class CameraThing(Protocol):
    """The camera; ``things/camera/__init__.py::BaseCamera``.

    Never used: ``capture``. It fills the gallery, and two pictures within one second
    have the same name.
    """

    name: str

    @property
    def capture_modes(self) -> Mapping[str, CaptureMode]:
        """Modes by name, ``standard`` among them.

        An unknown name is taken for ``standard`` with a warning, and is a `KeyError`
        when the picture is saved: so it must be looked up here before.
        """
        ...

    @property
    def streaming_modes(self) -> Mapping[str, StreamingMode]:
        """Modes of the live view by name; ``streaming_mode`` is the present one's."""
        ...

    def capture_and_save_to_path(self, path: DataPath, capture_mode: str) -> None:
        """Take a still and save it; no action, and two actions inside.

        Between those two another user could take the picture away, so the lock must be
        held around it. JPEG quality 95 without subsampling; the states of all Things
        are in its EXIF. Every failure to save is an `IOError` with a cause.
        """
        ...

    def capture_to_memory(self, capture_mode: str) -> int:
        """Take a still, keep it as the only one, and return its number."""
        ...

    def save_from_memory(self, path: DataPath, buffer_id: Optional[int]) -> None:
        """Save and forget the still of that number."""
        ...

    def grab_jpeg(self, stream_name: str) -> Any:
        """Return the next frame of the live view, ``main`` or ``lores``, as a blob.

        It may have been exposed before the call, and may be torn. A blob has
        ``content`` and ``save(path)``; ``labthings_fastapi/outputs/blob.py``.
        """
        ...

    def discard_frames(self) -> None:
        """Wait for one frame to pass; the simulated camera has nothing to wait for."""
        ...


class ExposureSettings(Protocol):
    """Settings of the Pi camera; ``things/camera/picamera.py::StreamingPiCamera2``.

    Exposure and white balance are never automatic. Each read waits for a frame of the
    sensor. The simulated camera has none of them.
    """

    exposure_time: int
    """In microseconds; the sensor takes the next lower time that it can."""
    analogue_gain: float
    colour_gains: Tuple[float, float]


class StageThing(Protocol):
    """The stage; ``things/stage/__init__.py::BaseStage``."""

    name: str
    backlash_steps: Dict[str, int]
    """Play of each axis in steps."""

    @property
    def position(self) -> Mapping[str, int]:
        """Where it was after its last move, by axis, in steps; asks no hardware."""
        ...

    def move_absolute(
        self,
        block_cancellation: bool = False,  # noqa: FBT001, FBT002
        backlash_compensation: Any = None,
        **axes: int,
    ) -> None:
        """Move, with no regard to play unless `backlash_compensation` says so.

        That is a member of the server's own enum: with ``ALL_AXES`` each axis ends with
        a move in its preferred direction, also one that is there already.
        """
        ...


class SharpnessData(Protocol):
    """What a sweep saw; ``things/focus/autofocus.py::SharpnessDataArrays``."""

    jpeg_times: Sequence[float]
    jpeg_sizes: Sequence[int]
    stage_times: Sequence[float]
    stage_positions: Sequence[Mapping[str, int]]


class AutofocusThing(Protocol):
    """The autofocus; ``things/focus/autofocus.py::AutofocusThing``."""

    name: str

    def fast_autofocus(self, dz: int, start: str) -> SharpnessData:
        """Sweep up by `dz` around the present height, and go to the largest frame.

        It tells no failure of its own, and takes the largest frame of an empty field.
        """
        ...


class IlluminationThing(Protocol):
    """The light; ``things/illumination.py::Illumination``."""

    name: str

    def set_led(self, led_on: bool) -> None:  # noqa: FBT001
        """Switch it on or off. Nobody can ask how it is."""
        ...
