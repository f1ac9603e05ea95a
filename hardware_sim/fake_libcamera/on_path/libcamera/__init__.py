"""The names of libcamera's Python binding, over the simulated camera."""

import sys

from hardware_sim.fake_libcamera.buffers import (
    FrameBuffer,
    FrameMetadata,
    heap_module,
)
from hardware_sim.fake_libcamera.camera import Camera, CameraManager
from hardware_sim.fake_libcamera.configuration import (
    CameraConfiguration,
    SensorConfiguration,
    Stream,
    StreamConfiguration,
)
from hardware_sim.fake_libcamera.control_ids import (
    ControlId,
    ControlInfo,
    ControlType,
    controls,
    properties,
)
from hardware_sim.fake_libcamera.geometry import (
    ColorSpace,
    Orientation,
    PixelFormat,
    Rectangle,
    Size,
    StreamRole,
    Transform,
)
from hardware_sim.fake_libcamera.request import Request

__all__ = [
    "Camera",
    "CameraConfiguration",
    "CameraManager",
    "ColorSpace",
    "ControlId",
    "ControlInfo",
    "ControlType",
    "FrameBuffer",
    "FrameMetadata",
    "Orientation",
    "PixelFormat",
    "Rectangle",
    "Request",
    "SensorConfiguration",
    "Size",
    "Stream",
    "StreamConfiguration",
    "StreamRole",
    "Transform",
    "controls",
    "properties",
    "simulated",
]

simulated = True
"""No photon is involved: whoever records from this camera must say so."""

_libcamera = sys.modules[__name__]

# picamera2 imports this package before it looks for contiguous memory.
sys.modules.setdefault("picamera2.dma_heap", heap_module())
