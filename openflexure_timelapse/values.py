"""What passes through the ports: small frozen values of a microscope."""

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

__all__ = [
    "CameraInfo",
    "FocusSweep",
    "Image",
    "StageInfo",
    "StagePosition",
]


@dataclass(frozen=True)
class StagePosition:
    """A place of the stage in motor steps."""

    x: int
    y: int
    z: int

    def at_z(self, z: int) -> "StagePosition":
        """Return the same place at another height, in steps."""
        return StagePosition(self.x, self.y, z)


@dataclass(frozen=True)
class Image:
    """What a camera delivered.

    Attributes
    ----------
    jpeg : bytes
        The encoded picture as the camera made it; may be cut short: the visit checks.
    metadata : mapping
        JSON-able facts of this exposure: ``exposure_us``, ``analogue_gain``,
        ``colour_gains`` and whatever else the camera knows.
    exposed_ns : int or None
        Monotonic time at which the exposure began; None when the camera cannot tell.
    """

    jpeg: bytes
    metadata: Mapping[str, Any]
    exposed_ns: Optional[int] = None


@dataclass(frozen=True)
class CameraInfo:
    """What does not change about a camera during a run.

    Attributes
    ----------
    model : str
        For people.
    simulated : bool
        True when no photon was involved; every frame then says so in its metadata.
    modes : mapping of str to (int, int)
        Capture modes with their width and height in pixels, the default one first. All
        of them show the same field.
    um_per_pixel : float or None
        At the default mode; None when not calibrated.
    typical_frame_bytes : int
        At the default mode, for the disk forecast before the first frame exists.
    capture_s : float
        A usual time for one capture, for the estimate.
    image_shift_per_step : ((float, float), (float, float)) or None
        Pixels of the *preview* image by which the scene moves, ``(dx, dy)``, for one
        step of x and one step of y; None when not calibrated (no drift correction).
    """

    model: str
    simulated: bool
    modes: Mapping[str, Tuple[int, int]]
    um_per_pixel: Optional[float]
    typical_frame_bytes: int
    capture_s: float
    image_shift_per_step: Optional[Tuple[Tuple[float, float], Tuple[float, float]]] = (
        None
    )

    def size_of(self, mode: Optional[str]) -> Optional[Tuple[int, int]]:
        """Return the width and height of a mode in pixels; None when not known.

        Parameters
        ----------
        mode : str or None
            One of `modes`; None for the default one.
        """
        if mode is None:
            return next(iter(self.modes.values()), None)
        return self.modes.get(mode)

    def scale_of(self, mode: Optional[str]) -> Optional[float]:
        """Return the micrometres per pixel in a mode; None when not calibrated.

        Parameters
        ----------
        mode : str or None
            One of `modes`; None for the default one.
        """
        if self.um_per_pixel is None or mode is None:
            return self.um_per_pixel
        default_width, _ = next(iter(self.modes.values()))
        return self.um_per_pixel * default_width / self.modes[mode][0]

    def frame_bytes(self, mode: Optional[str]) -> int:
        """Return the usual size of a frame in a mode, by its number of pixels.

        Parameters
        ----------
        mode : str or None
            One of `modes`; None for the default one.
        """
        width, height = next(iter(self.modes.values()))
        own_width, own_height = self.modes.get(mode or "", (width, height))
        share = own_width * own_height / (width * height)
        return max(1, round(self.typical_frame_bytes * share))


@dataclass(frozen=True)
class StageInfo:
    """What does not change about a stage during a run.

    Attributes
    ----------
    model : str
        For people.
    simulated : bool
        True when nothing really moves.
    step_um : (float, float, float) or None
        Micrometres per step of x, y and z; None when not known.
    lowest, highest : StagePosition or None
        The travel, both ends included; None when the stage does not know its limits.
    steps_per_s : float
        A usual speed, for the estimate.
    """

    model: str
    simulated: bool
    step_um: Optional[Tuple[float, float, float]]
    lowest: Optional[StagePosition]
    highest: Optional[StagePosition]
    steps_per_s: float


@dataclass(frozen=True)
class FocusSweep:
    """Sharpness against height, as measured during one sweep.

    Attributes
    ----------
    z_steps : tuple of int
        Heights in the order of measurement.
    sharpness : tuple of float
        One number for each height, larger is sharper; the unit is the metric's.
    metric : str
        ``still_contrast``, ``laplacian_variance``, ``jpeg_bytes``, or
        ``jpeg_detail_bytes``: those beyond a picture of an even grey.
    """

    z_steps: Tuple[int, ...]
    sharpness: Tuple[float, ...]
    metric: str
