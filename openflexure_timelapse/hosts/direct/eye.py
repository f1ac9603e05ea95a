"""picamera2 at work, in the camera's own process: one mode, a stream that never stops.

Stills are requests of the running stream, so nothing is ever switched: the small stream
goes on beside them. A request is held only for the time of a copy.
"""

import time
from concurrent.futures import TimeoutError  # noqa: A004 (the builtin only from 3.11)
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Dict, List, Mapping, Optional, Tuple

import libcamera
from picamera2 import Picamera2
from picamera2.controls import Controls

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.direct import camera_memory, vitals
from openflexure_timelapse.hosts.direct.camera_pictures import blank_bytes, half_of
from openflexure_timelapse.hosts.direct.eye_stills import Stills, dng_of
from openflexure_timelapse.hosts.direct.eye_stream import Stream

__all__ = ["Eye"]

US_PER_S = 1_000_000
PROBE_S = 5.0
USB = "/usb"
"""In the name that libcamera gives to a camera that is connected so."""


class Eye:
    """A camera that was opened and configured.

    Parameters
    ----------
    outbox : camera_child.Outbox
        Receives frames and stills.
    settings : mapping
        Of `CameraSettings`, and ``controls`` to begin with.

    Attributes
    ----------
    facts : dict
        What the camera is and how it was configured, JSON-able.
    """

    def __init__(self, outbox: Any, settings: Mapping[str, Any]) -> None:
        number = settings["camera_number"]
        _check_camera(number)
        self._camera = Picamera2(number)
        size = _even(settings["size"] or self._camera.sensor_resolution)
        small = _even(settings["stream_size"] or (size[0] // 4, size[1] // 4))
        self._raw = bool(settings["raw"])
        memory = camera_memory.choose_memory(
            camera_memory.Demand(size, small, self._raw),
            _contiguous_memory(),
            settings["main_format"],
            settings["buffers"],
        )
        size, small = self._configure(settings, size, small, memory)
        self._stream = Stream(outbox, settings["stream_quality"])
        self._stills = Stills(self._camera, outbox, settings["quality"])
        shortest_us = int(self._camera.camera_controls["FrameDurationLimits"][0])
        self.facts: Dict[str, Any] = {
            "model": str(self._camera.camera_properties.get("Model", "camera")),
            "simulated": bool(getattr(libcamera, "simulated", False)),
            "sensor_size": list(self._camera.sensor_resolution),
            "modes": {
                "full": list(size),
                "half": list(half_of(size)),
                "stream": list(small),
            },
            "main_format": memory.main_format,
            "buffers": memory.buffers,
            "buffer_bytes": memory.total_bytes,
            "stream_fps": min(settings["stream_fps"], US_PER_S / shortest_us),
            "libcamera": _told(getattr(libcamera.CameraManager, "version", None)),
            "picamera2": _version(),
            "blank_bytes": blank_bytes(small, settings["stream_quality"]),
            # No frame is shorter than what it takes to read the sensor's rows, and at
            # full size hardly longer.
            "readout_us": shortest_us,
            "raw": "not asked for in the settings",
        }

    def _configure(
        self,
        settings: Mapping[str, Any],
        size: Tuple[int, int],
        small: Tuple[int, int],
        memory: camera_memory.MemoryChoice,
    ) -> List[Tuple[int, int]]:
        """Configure the one mode of the whole run; return the sizes that came of it.

        A picture much smaller than the sensor's is made larger by some cameras.
        """
        frame_us = int(US_PER_S / settings["stream_fps"])
        camera = self._camera
        controls = {"FrameDurationLimits": (frame_us, frame_us)}
        controls.update(_values(settings["controls"]))
        config = camera.create_video_configuration(
            main={"size": size, "format": memory.main_format},
            lores={"size": small, "format": "YUV420"},
            raw={"size": size} if self._raw else None,
            # A JPEG holds the full range of values; a video's default does not.
            colour_space=libcamera.ColorSpace.Sycc(),
            buffer_count=memory.buffers,
            queue=False,  # no picture is kept back that would be old when asked for
            display=None,
            encode="lores",
            sensor={"output_size": camera.sensor_resolution},
            controls=controls,
        )
        camera.configure(config)
        given = camera.camera_configuration()
        sizes = [given[stream]["size"] for stream in ("main", "lores")]
        return [(int(width), int(height)) for width, height in sizes]

    def begin(self) -> None:
        """Start the stream, and find out whether raw data can be had."""
        self._camera.post_callback = self._stream.saw
        self._camera.start()
        if self._raw:
            self.facts["raw"] = self._probe()

    def set_controls(self, controls: Mapping[str, Any]) -> None:
        """Tell the camera what to do; it shows some frames later."""
        values = _values(controls)
        # A value of another kind would end the library's own thread: tried on a request
        # that is never sent, it is an error here.
        spare = self._camera.camera.create_request(0)
        told = Controls(self._camera, values).get_libcamera_controls()
        for control, value in told.items():
            spare.set_control(control, value)
        # Under this lock the library hands them to a request and then forgets them all;
        # what came in between would be lost.
        with self._camera.request_lock:
            self._camera.set_controls(values)

    def take(self, asked: Mapping[str, Any]) -> None:
        """Take a still, or raw data; the answer comes when it is there."""
        reason = self.facts["raw"]
        if asked["do"] == "raw" and reason:
            raise RuntimeError(f"no raw data: {reason}")
        self._stills.take(asked)

    def close(self) -> None:
        """Stop and close; hangs when the camera is gone."""
        self._camera.cancel_all_and_flush()
        self._camera.close()

    def _probe(self) -> str:
        """Return why raw data cannot be written; empty where they can.

        The DNG writer of the Python package index does not fit this library; that of
        the system's packages does.
        """
        flush_ns = time.monotonic_ns()
        job = self._camera.capture_request(wait=False, flush=flush_ns)
        try:
            request = job.get_result(timeout=PROBE_S)
        except TimeoutError as exc:
            message = f"The camera gave no frame within {PROBE_S:g} s of its start; "
            raise HardwareError(message + "look at its ribbon cable.") from exc
        try:
            dng_of(request)()
        except Exception as exc:  # noqa: BLE001 - a library's; it is the answer
            told = f"this picamera2 cannot write DNG ({exc!r}); "
            return told + "type: sudo apt install python3-pidng"
        finally:
            request.release()
        return ""


def _check_camera(number: int) -> None:
    """Refuse a camera that is not there, or whose exposure nobody can lock.

    The library's own words for it are an index out of range, or a control.
    """
    known = Picamera2.global_camera_info()
    if number >= len(known):
        message = f"There is no camera {number}, and {len(known)} are connected; look "
        message += "at the ribbon cable, and at what rpicam-hello --list-cameras tells."
        raise HardwareError(message)
    if USB in known[number]["Id"]:
        name = known[number].get("Model", known[number]["Id"])
        message = f"Camera {number}, {name}, is one of USB, whose exposure cannot be "
        raise HardwareError(
            message + "locked; connect a camera of Raspberry Pi's kind."
        )


def _contiguous_memory() -> Optional[camera_memory.ContiguousMemory]:
    """Return what there is of it; None where no camera needs it, or nobody tells."""
    free, total = vitals.cma_free_bytes(), vitals.cma_total_bytes()
    if free is None or total is None or not vitals.needs_contiguous_memory():
        return None
    return camera_memory.ContiguousMemory(free, total)


def _even(size: Any) -> Tuple[int, int]:
    """Return a size in even numbers of pixels."""
    return int(size[0]) // 2 * 2, int(size[1]) // 2 * 2


def _values(controls: Mapping[str, Any]) -> Dict[str, Any]:
    """Return controls with tuples in the place of JSON's lists."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in controls.items()
    }


def _told(value: Any) -> Optional[str]:
    """Return what something tells of itself as text; None where it is silent."""
    return None if value is None else str(value)


def _version() -> Optional[str]:
    """Return picamera2's version; None where no package tells it."""
    try:
        return version("picamera2")
    except PackageNotFoundError:
        return None
