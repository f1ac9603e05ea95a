"""What picamera2 asks for, and what the simulated camera makes of it."""

import enum
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from hardware_sim.fake_libcamera.geometry import (
    ColorSpace,
    Orientation,
    PixelFormat,
    Size,
    StreamRole,
)

__all__ = [
    "RAW_FORMATS",
    "CameraConfiguration",
    "SensorConfiguration",
    "Stream",
    "StreamConfiguration",
]

ALIGNMENT = 64
"""Rows begin at multiples of this many bytes, as with the real image processors."""

MOST_SCALED = 16
"""A picture is at least this part of the sensor's, each way."""

RAW_FORMATS = ("SBGGR8", "SBGGR10_CSI2P")
BITS = {
    "YUV420": (1.0, 1.5),
    "BGR888": (3.0, 1.0),
    "RGB888": (3.0, 1.0),
    "XBGR8888": (4.0, 1.0),
    "XRGB8888": (4.0, 1.0),
    "SBGGR8": (1.0, 1.0),
    "SBGGR10_CSI2P": (1.25, 1.0),
}
"""Bytes in a row for each pixel, and rows for each line of the picture."""


class SensorConfiguration:
    """How the sensor is read out."""

    def __init__(self) -> None:
        self.bit_depth = 10
        self.output_size = Size()


class StreamFormats:
    """What a stream may be."""

    def __init__(self, sizes: Dict[str, Sequence[Tuple[int, int]]]) -> None:
        self._sizes = sizes

    @property
    def pixel_formats(self) -> List[PixelFormat]:
        """The formats."""
        return [PixelFormat(name) for name in self._sizes]

    def sizes(self, pixel_format: PixelFormat) -> List[Size]:
        """Return the sizes in a format."""
        return [Size(*size) for size in self._sizes[str(pixel_format)]]


class Stream:
    """One of the pictures that come of each exposure."""

    def __init__(self) -> None:
        self.configuration: Optional["StreamConfiguration"] = None


class StreamConfiguration:
    """One stream."""

    def __init__(self, role: StreamRole, size: Tuple[int, int]) -> None:
        self._whole = size
        self.role = role
        self.size = Size(*size)
        self.pixel_format = PixelFormat("XBGR8888")
        self.buffer_count = 4
        self.stride = self.frame_size = 0
        self.color_space: Optional[ColorSpace] = ColorSpace.Sycc()
        self._stream = Stream()

    @property
    def stream(self) -> Stream:
        """The stream."""
        return self._stream

    @property
    def formats(self) -> StreamFormats:
        """What this stream may be."""
        width, height = self._whole
        sizes = [(width // 2, height // 2), (width, height)]
        names = RAW_FORMATS if self.role is StreamRole.Raw else tuple(BITS)[:5]
        return StreamFormats(dict.fromkeys(names, sizes))

    def enlarge(self) -> bool:
        """Make a picture as large as the scaler needs it; tell whether it was not."""
        smallest = [-(-side // MOST_SCALED) for side in self._whole]
        wanted = (self.size.width, self.size.height)
        given = [max(side, least) for side, least in zip(wanted, smallest)]
        self.size = Size(*(side + side % 2 for side in given))
        return (self.size.width, self.size.height) != wanted

    def settle(self) -> bool:
        """Fix stride and size of a frame; tell whether the format is known."""
        told = BITS.get(str(self.pixel_format))
        if told is None:
            return False
        wide, tall = told
        row = int(self.size.width * wide)
        self.stride = -(-row // ALIGNMENT) * ALIGNMENT
        self.frame_size = int(self.stride * self.size.height * tall)
        return True


class CameraConfiguration:
    """All streams of a camera."""

    class Status(enum.Enum):
        """What came of the validation."""

        Valid = 0
        Adjusted = 1
        Invalid = 2

    def __init__(self, roles: Sequence[StreamRole], size: Tuple[int, int]) -> None:
        self._streams = [StreamConfiguration(role, size) for role in roles]
        self.orientation = Orientation.Rotate0
        self.sensor_config: Optional[SensorConfiguration] = None

    def at(self, index: int) -> StreamConfiguration:
        """Return a stream's configuration."""
        return self._streams[index]

    def __iter__(self) -> Iterator[StreamConfiguration]:
        """Return all streams' configurations in order."""
        return iter(self._streams)

    def validate(self) -> "CameraConfiguration.Status":
        """Fix what was left open.

        A raw picture has the sensor's own size, and none is less than a sixteenth of
        it each way, as on a Pi 5.
        """
        adjusted = False
        for each in self._streams:
            if each.role is StreamRole.Raw and self.sensor_config is not None:
                output = self.sensor_config.output_size
                wanted = (each.size.width, each.size.height)
                adjusted = adjusted or wanted != (output.width, output.height)
                each.size = Size(output.width, output.height)
            adjusted = each.enlarge() or adjusted
            if not each.settle():
                return CameraConfiguration.Status.Invalid
        states = CameraConfiguration.Status
        return states.Adjusted if adjusted else states.Valid

    def apply(self) -> List[Any]:
        """Give the streams their configurations; return the streams."""
        for each in self._streams:
            each.stream.configuration = each
        return [each.stream for each in self._streams]
