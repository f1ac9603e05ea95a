"""One exposure after the other: paced, exposed by the feed, told in metadata."""

import os
import signal
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from hardware_sim.fake_libcamera.configuration import Stream, StreamConfiguration
from hardware_sim.fake_libcamera.control_ids import controls
from hardware_sim.fake_libcamera.feed_client import FeedClient
from hardware_sim.fake_libcamera.geometry import Rectangle, StreamRole
from hardware_sim.fake_libcamera.pixels import focus_measure, paint
from hardware_sim.fake_libcamera.request import Request
from hardware_sim.fake_libcamera.sensor import FrameSetting, Sensor

__all__ = ["Exposures", "Frame"]

Pixels = NDArray[np.uint8]

NS_PER_US = 1000
NS_PER_S = 1_000_000_000
US_PER_S = 1_000_000
CONTROL_NAMES_MISSING = ("ExposureTime", "AnalogueGain", "ColourGains")
SENSOR_TEMPERATURE_C = 38.0
WHITE_TEMPERATURE_K = 5600
BLACK_LEVELS = (4096, 4096, 4096, 4096)
MATRIX = (1.8, -0.6, -0.2, -0.3, 1.6, -0.3, 0.0, -0.6, 1.6)
LUX_AT_FULL = 400.0


@dataclass(frozen=True)
class Frame:
    """What one exposure gave.

    Attributes
    ----------
    setting : FrameSetting
        How it was exposed.
    told : mapping
        What the feed said of it; see `hardware_sim.camera_feed`.
    small : array or None
        The picture for the smaller streams, blue first.
    """

    setting: FrameSetting
    told: Mapping[str, Any]
    small: Optional[Pixels]

    @property
    def fault(self) -> str:
        """What happens to the pipeline with this frame; empty for nothing."""
        return str(self.told.get("fault", ""))

    @property
    def late_s(self) -> float:
        """How much later than usual it arrives."""
        return float(self.told.get("late_s", 0.0))


class Exposures:
    """The free-running sensor's frames.

    Parameters
    ----------
    feed : FeedClient
        Looks at the world.
    """

    def __init__(self, feed: FeedClient) -> None:
        self._feed = feed
        self._shape = feed.shape
        self._sensor = Sensor(feed.shape.line_us, feed.shape.shortest_frame_us)
        self._streams: List[Stream] = []
        self._next_ns = 0
        self._is_fed = False
        self._ignoring = False
        self.stop_blocks = False

    def start(self, streams: Sequence[Stream], told: Mapping[str, Any]) -> None:
        """Begin with these streams and controls."""
        self._streams = list(streams)
        self._is_fed = False
        self._sensor.start(told)
        self._feed.start({name: _plain(value) for name, value in told.items()})
        self._next_ns = time.monotonic_ns()

    def left_s(self) -> float:
        """Return the real time until the next frame."""
        return max(0.0, (self._next_ns - time.monotonic_ns()) / NS_PER_S)

    def next(self, request: Optional[Request]) -> Optional[Frame]:
        """Expose the next frame; None while it is not its time.

        Parameters
        ----------
        request : Request or None
            What it fills; None for a frame that is lost since no request is there.
        """
        now_ns = time.monotonic_ns()
        if now_ns < self._next_ns:
            return None
        if request is not None:
            self._is_fed = True
            self._sensor.accept(request.controls)
        setting = self._sensor.next_frame(ignoring=self._ignoring)
        period_ns = int(setting.duration_us * NS_PER_US / self._shape.speed)
        # A late thread makes up for one frame and no more, as a buffer would.
        self._next_ns = max(self._next_ns + period_ns, now_ns)
        size = self._small_size()
        answer = self._feed.expose(
            {
                "exposure_us": setting.exposure_us,
                "gain": setting.gain,
                "colour_gains": list(setting.colour_gains),
                "size": None if request is None else size,
                "starved": self._is_fed and request is None,
            }
        )
        told = answer.header
        if told.get("fault") == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        self._ignoring = bool(told.get("exposure_ignored"))
        self.stop_blocks = bool(told.get("stop_blocks"))
        self._sensor.saw(told["light"])
        small = None
        if size is not None and answer.body:
            small = np.frombuffer(answer.body, np.uint8).reshape(size[1], size[0], 3)
        return Frame(setting, told, small)

    def fill(self, request: Request, frame: Frame) -> None:
        """Put a frame's pictures and metadata into a request."""
        small = self._small_size()
        for stream, buffer in request.buffers.items():
            config = stream.configuration
            if config is None:
                continue
            size = (config.size.width, config.size.height)
            if frame.small is not None and size == small:
                paint(frame.small, config, buffer.planes[0].fd)
                buffer.expose(None)
            else:
                buffer.expose(self._painter(frame.told["token"], size, config))
        request.metadata = self._metadata(frame)

    # --------------------------------------------------------------------------- parts

    def _small_size(self) -> Optional[Tuple[int, int]]:
        """Return the size of the smallest stream that is not raw; None without one."""
        sizes = [
            (each.configuration.size.width, each.configuration.size.height)
            for each in self._streams
            if each.configuration is not None
            and each.configuration.role is not StreamRole.Raw
        ]
        return min(sizes) if sizes else None

    def _painter(
        self, token: int, size: Tuple[int, int], config: StreamConfiguration
    ) -> Any:
        """Return what paints a picture when it is needed."""

        def later(descriptor: int) -> None:
            paint(self._feed.develop(token, size), config, descriptor)

        return later

    def _metadata(self, frame: Frame) -> Dict[Any, Any]:
        """Return what is told of a frame, by control.

        The time stamp is that of the first line's end of exposure; the feed looked in
        the middle of that of the middle line.
        """
        setting, told = frame.setting, frame.told
        readout_us = self._shape.shortest_frame_us
        half_ns = (setting.exposure_us - readout_us) * NS_PER_US // 2
        values: Dict[str, Any] = {
            "SensorTimestamp": told["sampled_ns"] + half_ns,
            "FrameWallClock": told["wall_ns"] + half_ns,
            "ExposureTime": setting.exposure_us,
            "AnalogueGain": setting.gain,
            "DigitalGain": 1.0,
            "ColourGains": setting.colour_gains,
            "ColourTemperature": WHITE_TEMPERATURE_K,
            "ColourCorrectionMatrix": MATRIX,
            "FrameDuration": setting.duration_us,
            "AeState": setting.ae_state,
            "AwbState": setting.awb_state,
            "Lux": round(LUX_AT_FULL * float(told["light"]), 2),
            "FocusFoM": 0 if frame.small is None else focus_measure(frame.small),
            "SensorBlackLevels": BLACK_LEVELS,
            "SensorTemperature": SENSOR_TEMPERATURE_C,
            "ScalerCrop": Rectangle(0, 0, *self._shape.size),
        }
        if told.get("metadata_missing"):
            for name in CONTROL_NAMES_MISSING:
                del values[name]
        return {getattr(controls, name): value for name, value in values.items()}


def _plain(value: Any) -> Any:
    """Return a control's value JSON-able."""
    if isinstance(value, Rectangle):
        return [value.x, value.y, value.width, value.height]
    return list(value) if isinstance(value, tuple) else value
