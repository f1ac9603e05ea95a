"""The small values of the binding: sizes, turns, colour spaces, pixel formats."""

import enum
from typing import Any, Optional, Tuple

__all__ = [
    "ColorSpace",
    "Orientation",
    "PixelFormat",
    "Rectangle",
    "Size",
    "StreamRole",
    "Transform",
]


class Size:
    """Width and height in pixels."""

    def __init__(self, width: int = 0, height: int = 0) -> None:
        self.width, self.height = int(width), int(height)

    def __repr__(self) -> str:
        """Return it as libcamera writes it."""
        return f"{self.width}x{self.height}"


class Rectangle:
    """A part of the sensor, in pixels."""

    def __init__(self, x: int, y: int, width: int, height: int) -> None:
        self.x, self.y = int(x), int(y)
        self.width, self.height = int(width), int(height)

    def __repr__(self) -> str:
        """Return it as libcamera writes it."""
        return f"({self.x}, {self.y})/{self.width}x{self.height}"


class Transform:
    """Mirrored or turned."""

    def __init__(
        self,
        other: Optional["Transform"] = None,
        *,
        hflip: int = 0,
        vflip: int = 0,
        transpose: int = 0,
    ) -> None:
        self.hflip, self.vflip, self.transpose = hflip, vflip, transpose
        if other is not None:
            self.hflip, self.vflip = other.hflip, other.vflip
            self.transpose = other.transpose

    def __str__(self) -> str:
        """Return it for people."""
        return f"hflip {self.hflip}, vflip {self.vflip}, transpose {self.transpose}"


class Orientation(enum.Enum):
    """How the sensor stands."""

    Rotate0 = 1
    Rotate0Mirror = 2
    Rotate180 = 3
    Rotate180Mirror = 4
    Rotate90Mirror = 5
    Rotate270 = 6
    Rotate270Mirror = 7
    Rotate90 = 8


class ColorSpace:
    """How numbers stand for colours."""

    class Primaries(enum.Enum):
        """Which red, green and blue."""

        Raw = 0
        Smpte170m = 1
        Rec709 = 2

    class TransferFunction(enum.Enum):
        """Which curve of light."""

        Linear = 0
        Srgb = 1
        Rec709 = 2

    class YcbcrEncoding(enum.Enum):
        """Which matrix."""

        Null = 0
        Rec601 = 1
        Rec709 = 2

    class Range(enum.Enum):
        """Which part of the 256 values."""

        Full = 0
        Limited = 1

    def __init__(self, *parts: Any) -> None:
        if len(parts) == 1:
            (other,) = parts
            parts = (
                other.primaries,
                other.transferFunction,
                other.ycbcrEncoding,
                other.range,
            )
        self.primaries, self.transferFunction, self.ycbcrEncoding, self.range = parts

    def __str__(self) -> str:
        """Return it for people."""
        parts = (self.primaries, self.transferFunction, self.ycbcrEncoding, self.range)
        return "/".join(part.name for part in parts)

    @classmethod
    def _of(cls, *names: str) -> "ColorSpace":
        """Return one by the names of its parts."""
        kinds: Tuple[Any, ...] = (
            cls.Primaries,
            cls.TransferFunction,
            cls.YcbcrEncoding,
            cls.Range,
        )
        return cls(*(kind[name] for kind, name in zip(kinds, names)))

    @classmethod
    def Raw(cls) -> "ColorSpace":  # noqa: N802 (as libcamera spells it)
        """Return that of raw data."""
        return cls._of("Raw", "Linear", "Null", "Full")

    @classmethod
    def Sycc(cls) -> "ColorSpace":  # noqa: N802 (as libcamera spells it)
        """Return that of JPEG files."""
        return cls._of("Rec709", "Srgb", "Rec601", "Full")

    @classmethod
    def Smpte170m(cls) -> "ColorSpace":  # noqa: N802 (as libcamera spells it)
        """Return that of small video."""
        return cls._of("Smpte170m", "Rec709", "Rec601", "Limited")

    @classmethod
    def Rec709(cls) -> "ColorSpace":  # noqa: N802 (as libcamera spells it)
        """Return that of large video."""
        return cls._of("Rec709", "Rec709", "Rec709", "Limited")


class PixelFormat:
    """The name of a format."""

    def __init__(self, name: str = "") -> None:
        self._name = name

    def __str__(self) -> str:
        """Return the name."""
        return self._name

    def __eq__(self, other: object) -> bool:
        """Compare by name."""
        return str(self) == str(other)

    def __hash__(self) -> int:
        """Agree with `__eq__`."""
        return hash(self._name)


class StreamRole(enum.Enum):
    """What a stream is for."""

    Raw = 0
    StillCapture = 1
    VideoRecording = 2
    Viewfinder = 3
