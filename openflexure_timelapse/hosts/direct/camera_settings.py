"""What a person may choose about the camera."""

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional, Tuple

from openflexure_timelapse.errors import InvalidRequestError

__all__ = ["MODES", "CameraSettings"]

MODES = ("full", "half", "stream")
"""The sizes of a still: all pixels, each two by two of them as one, the live view's."""
FORMATS = ("YUV420", "BGR888")
US_PER_S = 1_000_000

Pair = Tuple[float, float]


@dataclass(frozen=True)
class CameraSettings:
    """The camera's settings, the same for a whole run.

    Attributes
    ----------
    camera_number : int
        Which camera, where there are several.
    size : (int, int) or None
        Of a full still, in pixels; None for all pixels of the sensor.
    stream_size : (int, int) or None
        Of the live view, in pixels; None for a quarter of `size` each way.
    stream_fps : float
        Frames in a second of the live view; a slower one saves heat.
    default_mode : str
        Of `MODES`: the size of a still for a plan that names none.
    quality, stream_quality : int
        Of the JPEGs, 1 to 100.
    main_format : str or None
        ``YUV420`` is half as large and needs no conversion; ``BGR888`` keeps the
        colours of every pixel. None for the first.
    buffers : int or None
        Sets of pictures in memory; None for as many as the memory bears, at most four.
    raw : bool
        Whether the sensor's own data can be had, as DNG.
    exposure_us, analogue_gain, colour_gains : float, float, (float, float) or None
        Fixed from the start; None for the automatic control. Gains are those of red
        and blue.
    stall_s : float
        A camera that gives no frame for so long has stalled and is started again.
    start_s : float
        It may take so long to start.
    still_s : float
        A still may take so long.
    um_per_pixel : float or None
        Micrometres per pixel at `size`; None when not calibrated.
    image_shift_per_step : ((float, float), (float, float)) or None
        As in `CameraInfo`, at `stream_size`.
    """

    camera_number: int = 0
    size: Optional[Tuple[int, int]] = None
    stream_size: Optional[Tuple[int, int]] = None
    stream_fps: float = 15.0
    default_mode: str = "full"
    quality: int = 92
    stream_quality: int = 80
    main_format: Optional[str] = None
    buffers: Optional[int] = None
    raw: bool = False
    exposure_us: Optional[float] = None
    analogue_gain: Optional[float] = None
    colour_gains: Optional[Pair] = None
    stall_s: float = 4.0
    start_s: float = 20.0
    still_s: float = 6.0
    um_per_pixel: Optional[float] = None
    image_shift_per_step: Optional[Tuple[Pair, Pair]] = None

    def __post_init__(self) -> None:
        """Refuse what no camera can do.

        Raises
        ------
        InvalidRequestError
            For an unknown mode or format, a size that is odd, a rate, quality or time
            that is not above 0, or an exposure so long that it looks like a stall.
        """
        if self.default_mode not in MODES:
            raise _refused("default_mode", self.default_mode, ", ".join(MODES))
        if self.main_format not in (None, *FORMATS):
            raise _refused("main_format", self.main_format, ", ".join(FORMATS))
        for name in ("size", "stream_size"):
            pair = getattr(self, name)
            if pair is not None and any(side < 2 or side % 2 for side in pair):  # noqa: PLR2004 (even)
                raise _refused(name, pair, "two even numbers of pixels")
        for name in ("stream_fps", "stall_s", "start_s", "still_s"):
            if not getattr(self, name) > 0:
                raise _refused(name, getattr(self, name), "a number above 0")
        for name in ("quality", "stream_quality"):
            if not 1 <= getattr(self, name) <= 100:  # noqa: PLR2004 (per cent)
                raise _refused(name, getattr(self, name), "1 to 100")
        if self.buffers is not None and self.buffers < 2:  # noqa: PLR2004 (see message)
            known = "2 or more: one is filled while the other one is read"
            raise _refused("buffers", self.buffers, known)
        self._check_exposure()

    def _check_exposure(self) -> None:
        """Refuse a fixed exposure that is none, or that looks like a stall."""
        longest_us = self.stall_s * US_PER_S / 2
        if self.exposure_us is not None and not 0 < self.exposure_us <= longest_us:
            known = "a time above 0, and no longer than half of stall_s"
            raise _refused("exposure_us", self.exposure_us, known)

    def to_json(self) -> Dict[str, Any]:
        """Return all of them, JSON-able."""
        return asdict(self)


def _refused(name: str, value: Any, known: str) -> InvalidRequestError:
    """Return the error for a setting that cannot be."""
    return InvalidRequestError(f"The camera's {name} is {value!r}; choose {known}.")
