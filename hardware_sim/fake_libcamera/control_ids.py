"""The controls and properties of the simulated camera, by libcamera's names."""

import enum
from types import SimpleNamespace
from typing import Any, Dict, Mapping, NamedTuple, Tuple

from hardware_sim.fake_libcamera.geometry import Rectangle, Size

__all__ = [
    "ControlId",
    "ControlInfo",
    "ControlType",
    "checked",
    "control_infos",
    "controls",
    "properties",
    "property_values",
]

LONGEST_US = 1_000_000
LARGEST_GAIN = 256.0 / 24.0


class ControlType(enum.Enum):
    """Of which kind a control's value is."""

    Null = 0
    Bool = 1
    Integer32 = 2
    Integer64 = 3
    Float = 4
    String = 5
    Rectangle = 6
    Size = 7


class ControlId:
    """One control; compared by identity, as the binding's are unique."""

    def __init__(self, name: str, kind: ControlType) -> None:
        self.name, self.type = name, kind

    def __repr__(self) -> str:
        """Return the name."""
        return f"libcamera.ControlId({self.name})"


ACCEPTED: Mapping[ControlType, Tuple[type, ...]] = {
    ControlType.Integer32: (int,),
    ControlType.Integer64: (int,),
    ControlType.Float: (int, float),
    ControlType.Rectangle: (Rectangle,),
}


def checked(control: ControlId, value: Any) -> Any:
    """Return a value that is of its control's kind, or a list of such.

    Raises
    ------
    RuntimeError
        For any other, as the binding does: no fraction becomes a whole number.
    """
    accepted = ACCEPTED.get(control.type)
    for part in value if isinstance(value, (list, tuple)) else [value]:
        if accepted is not None and not isinstance(part, accepted):
            message = f"Unable to cast Python instance of type {type(part)} to C++ type"
            raise RuntimeError(message)
    return value


class ControlInfo(NamedTuple):
    """Between which values a control may be set."""

    min: Any
    max: Any
    default: Any


class NoiseReductionModeEnum(enum.IntEnum):
    """How hard noise is fought."""

    Off = 0
    Fast = 1
    HighQuality = 2
    Minimal = 3
    ZSL = 4


class ColorFilterArrangementEnum(enum.IntEnum):
    """How the colour filters lie."""

    RGGB = 0
    GRBG = 1
    GBRG = 2
    BGGR = 3
    RGB = 4
    MONO = 5


KINDS: Dict[str, ControlType] = {
    "AeEnable": ControlType.Bool,
    "AwbEnable": ControlType.Bool,
    "ExposureTime": ControlType.Integer32,
    "ExposureTimeMode": ControlType.Integer32,
    "AnalogueGain": ControlType.Float,
    "AnalogueGainMode": ControlType.Integer32,
    "ColourGains": ControlType.Float,
    "FrameDurationLimits": ControlType.Integer64,
    "NoiseReductionMode": ControlType.Integer32,
    "Sharpness": ControlType.Float,
    "Contrast": ControlType.Float,
    "Saturation": ControlType.Float,
    "ScalerCrop": ControlType.Rectangle,
}
"""What may be set."""

TOLD: Dict[str, ControlType] = {
    "SensorTimestamp": ControlType.Integer64,
    "FrameWallClock": ControlType.Integer64,
    "DigitalGain": ControlType.Float,
    "ColourTemperature": ControlType.Integer32,
    "ColourCorrectionMatrix": ControlType.Float,
    "FrameDuration": ControlType.Integer64,
    "AeState": ControlType.Integer32,
    "AwbState": ControlType.Integer32,
    "Lux": ControlType.Float,
    "FocusFoM": ControlType.Integer32,
    "SensorBlackLevels": ControlType.Integer32,
    "SensorTemperature": ControlType.Float,
}
"""What is told of each frame, beside those."""

PROPERTIES: Dict[str, ControlType] = {
    "Model": ControlType.String,
    "Location": ControlType.Integer32,
    "Rotation": ControlType.Integer32,
    "PixelArraySize": ControlType.Size,
    "PixelArrayActiveAreas": ControlType.Rectangle,
    "UnitCellSize": ControlType.Size,
    "ColorFilterArrangement": ControlType.Integer32,
    "ScalerCropMaximum": ControlType.Rectangle,
    "SensorSensitivity": ControlType.Float,
}

controls = SimpleNamespace(
    **{name: ControlId(name, kind) for name, kind in {**KINDS, **TOLD}.items()},
    draft=SimpleNamespace(NoiseReductionModeEnum=NoiseReductionModeEnum),
)
properties = SimpleNamespace(
    **{name: ControlId(name, kind) for name, kind in PROPERTIES.items()},
    draft=SimpleNamespace(ColorFilterArrangementEnum=ColorFilterArrangementEnum),
)


def control_infos(
    size: Tuple[int, int], line_us: float, shortest_frame_us: int
) -> Dict[ControlId, ControlInfo]:
    """Return the limits of all controls, by control.

    Parameters
    ----------
    size : (int, int)
        Of the sensor, in pixels.
    line_us : float
        Time of one line.
    shortest_frame_us : int
        The sensor delivers no faster.
    """
    whole = Rectangle(0, 0, *size)
    infos = {
        "AeEnable": ControlInfo(min=False, max=True, default=True),
        "AwbEnable": ControlInfo(min=False, max=True, default=True),
        "ExposureTime": ControlInfo(int(line_us), LONGEST_US, 20_000),
        "ExposureTimeMode": ControlInfo(0, 1, 0),
        "AnalogueGain": ControlInfo(1.0, LARGEST_GAIN, 1.0),
        "AnalogueGainMode": ControlInfo(0, 1, 0),
        "ColourGains": ControlInfo(0.0, 32.0, (1.0, 1.0)),
        "FrameDurationLimits": ControlInfo(shortest_frame_us, LONGEST_US, 33_333),
        "NoiseReductionMode": ControlInfo(0, 4, 0),
        "Sharpness": ControlInfo(0.0, 16.0, 1.0),
        "Contrast": ControlInfo(0.0, 32.0, 1.0),
        "Saturation": ControlInfo(0.0, 32.0, 1.0),
        "ScalerCrop": ControlInfo(whole, whole, whole),
    }
    return {getattr(controls, name): info for name, info in infos.items()}


def property_values(model: str, size: Tuple[int, int]) -> Dict[ControlId, Any]:
    """Return the camera's properties, by property."""
    whole = Rectangle(0, 0, *size)
    values = {
        "Model": model,
        "Location": 2,
        "Rotation": 0,
        "PixelArraySize": Size(*size),
        "PixelArrayActiveAreas": (whole,),
        "UnitCellSize": Size(1120, 1120),
        "ColorFilterArrangement": ColorFilterArrangementEnum.BGGR,
        "ScalerCropMaximum": whole,
        "SensorSensitivity": 1.0,
    }
    return {getattr(properties, name): value for name, value in values.items()}
