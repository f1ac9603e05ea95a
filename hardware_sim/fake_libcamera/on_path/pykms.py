"""What picamera2 imports to show pictures on a screen; there is none."""

import enum

__all__ = ["PixelFormat"]


class PixelFormat(enum.Enum):
    """The formats that picamera2 names while it is imported."""

    RGB888 = "RG24"
    BGR888 = "BG24"
    XRGB8888 = "XR24"
    XBGR8888 = "XB24"
    YUV420 = "YU12"
    YVU420 = "YV12"
    NV12 = "NV12"
