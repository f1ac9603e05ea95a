"""Many stills beside a stream that never stops: nothing leaks, nothing drifts."""

import io
import os
from pathlib import Path
from typing import Any, Dict, Iterator

import numpy as np
import pytest
from eye_rig import Eyes, need_picamera2
from PIL import Image as Picture

from hardware_sim.exposure import LEVEL_PER_US
from hardware_sim.optics import WHITE
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.direct import exposure_control
from openflexure_timelapse.hosts.direct.camera import DirectCamera

need_picamera2()

FIRST, MORE = 50, 250
MOST_GROWTH_KB = 12_000
MOST_LOST = 0.05
PAGE_KB = 4
GAMMA = 2.2
TOLD = (
    "SensorTimestamp",
    "FrameWallClock",
    "ExposureTime",
    "AnalogueGain",
    "DigitalGain",
    "ColourGains",
    "ColourTemperature",
    "ColourCorrectionMatrix",
    "FrameDuration",
    "AeState",
    "Lux",
    "FocusFoM",
    "SensorBlackLevels",
    "SensorTemperature",
    "ScalerCrop",
)


@pytest.fixture(name="eyes")
def _eyes(tmp_path: Path) -> Iterator[Eyes]:
    """Return a maker of cameras."""
    made = Eyes(tmp_path)
    yield made
    made.close()


def holding(pid: int) -> Dict[str, int]:
    """Return descriptors, threads and memory in kB of a process."""
    folder = Path(f"/proc/{pid}")
    pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
    return {
        "descriptors": len(list((folder / "fd").iterdir())),
        "threads": len(list((folder / "task").iterdir())),
        "memory_kb": pages * PAGE_KB,
    }


def both(camera: DirectCamera) -> Dict[str, Dict[str, int]]:
    """Return what our process and the camera's hold."""
    pid = camera.status()["pid"]
    return {"ours": holding(os.getpid()), "camera": holding(pid)}


def test_many_stills_leave_nothing_behind(eyes: Eyes) -> None:
    """Requests, descriptors, threads and memory stay; the stream keeps its rate.

    It loses a frame when no request waits for the sensor, eight times its usual speed.
    """
    eye = eyes(frame_speed=8.0)
    camera = eye.camera
    camera.lock_exposure()
    times = set()
    for _ in range(FIRST):
        camera.capture(None)
    before, starved, frames = both(camera), eye.feed.starved, eye.feed.frames
    for _ in range(MORE):
        times.add(camera.capture(None).metadata["libcamera"]["ExposureTime"])
    after = both(camera)
    lost, whole = eye.feed.starved - starved, eye.feed.frames - frames
    assert lost <= MOST_LOST * whole
    assert len(times) == 1
    assert camera.status()["requests_held"] == 0
    assert camera.status()["restarts"] == 0
    assert camera.incidents() == []
    for who, what in before.items():
        assert after[who]["descriptors"] <= what["descriptors"]
        assert after[who]["threads"] <= what["threads"] + 1  # one still's own timer
        assert after[who]["memory_kb"] <= what["memory_kb"] + MOST_GROWTH_KB


def test_the_camera_s_process_writes_no_file(eyes: Eyes) -> None:
    """Pictures come to us as bytes: the library hides the errors of a full disk."""
    camera = eyes().camera
    camera.capture(None)
    folder = Path("/proc", str(camera.status()["pid"]), "fd")
    links = [os.readlink(each) for each in folder.iterdir()]
    kinds = ("/dev/null", "/memfd:", "anon_inode:", "pipe:", "socket:")
    assert [link for link in links if not link.startswith(kinds)] == []


def test_all_that_the_camera_tells_is_kept(eyes: Eyes) -> None:
    """Under the library's own names, beside ours; and how long each step took."""
    told = eyes().camera.capture("half").metadata
    assert set(TOLD) <= set(told["libcamera"])
    assert told["exposure_us"] == told["libcamera"]["ExposureTime"]
    assert told["mode"] == "half"
    steps = ("wait_ms", "copy_ms", "copy_cpu_ms", "encode_ms", "encode_cpu_ms")
    assert all(told["spent"][step] >= 0 for step in steps)


@pytest.mark.parametrize("main_format", ["YUV420", "BGR888"])
@pytest.mark.parametrize("mode", ["full", "half"])
def test_pixels_are_the_sensor_s(eyes: Eyes, main_format: str, mode: str) -> None:
    """Clear water has the brightness and the colour that the world gives it.

    Rows that end in padding, colours at half the size and the full range of values all
    have to be minded for that. The width is no multiple of what rows are padded to.
    """
    eye = eyes(scene="empty", main_format=main_format, width=424)
    lock: Dict[str, Any] = {"exposure_us": 4000.0, "analogue_gain": 1.0}
    eye.camera.lock_exposure({**lock, "colour_gains": [1.2, 1.5]})
    picture = Picture.open(io.BytesIO(eye.camera.capture(mode).jpeg))
    assert picture.size == ((424, 318) if mode == "full" else (212, 158))
    true = eye.sim.truth.last
    assert true is not None
    level = true["exposure_us"] * true["analogue_gain"] * LEVEL_PER_US * true["light"]
    tint = np.array([1.2 / 1.62, 1.0, 1.5 / 1.71])
    wanted = 255.0 * (level * np.array(WHITE[::-1]) * tint) ** (1 / GAMMA)
    middle = np.asarray(picture)[40:-40, 60:-60].reshape(-1, 3)
    assert np.median(middle, axis=0) == pytest.approx(wanted, abs=3.0)


def test_a_live_view_that_the_camera_makes_larger_is_told_as_it_is(eyes: Eyes) -> None:
    """A Pi 5 makes no picture of less than a sixteenth of the sensor each way."""
    camera = eyes(stream_size=(16, 12)).camera
    picture = Picture.open(io.BytesIO(camera.capture("stream").jpeg))
    assert picture.size == (26, 20)
    assert camera.describe().modes["stream"] == (26, 20)


def test_a_frame_s_middle_is_that_of_its_middle_row(eyes: Eyes) -> None:
    """Half of its exposure and half of the rows' time after the first row's start."""
    eye = eyes()
    frame = eye.camera.frame(5.0)
    exposed_us = frame.metadata["ExposureTime"]
    between_us = (frame.exposure_middle_ns - frame.exposure_start_ns) / 1000
    rows_us = eye.feed.shape.shortest_frame_us
    assert between_us == pytest.approx((exposed_us + rows_us) / 2, abs=300)


def test_settings_may_fix_the_exposure(eyes: Eyes) -> None:
    """From the first frame on, and again after a run has given its lock back."""
    fixed = {"exposure_us": 5000.0, "analogue_gain": 2.0, "colour_gains": (1.5, 1.25)}
    camera = eyes(**fixed).camera
    before = camera.exposure()

    def told() -> Dict[str, Any]:
        metadata = camera.capture("stream").metadata["libcamera"]
        names = ("ExposureTime", "AnalogueGain", "ColourGains")
        return {name: metadata[name] for name in names}

    first = told()
    assert first == {
        "ExposureTime": 4989,
        "AnalogueGain": 2.0,
        "ColourGains": [1.5, 1.25],
    }
    locked = camera.lock_exposure()
    camera.lock_exposure({**locked, "exposure_us": 2000.0})
    camera.restore_exposure(before)
    for _ in range(20):
        camera.preview()
    assert told() == first


def test_a_long_exposure_makes_its_frames_longer(eyes: Eyes) -> None:
    """And gives them their time back; one that looks like a stall is refused."""
    camera = eyes().camera
    before = camera.exposure()
    lock: Dict[str, Any] = {"analogue_gain": 1.0, "colour_gains": [1.6, 1.7]}
    camera.lock_exposure({**lock, "exposure_us": 150_000.0})
    told = camera.capture("stream").metadata
    assert told["exposure_us"] == 150_000.0
    assert told["frame_duration_us"] >= 150_000
    camera.restore_exposure(before)
    for _ in range(20):
        told = camera.preview().metadata
    assert told["frame_duration_us"] == 66_666
    with pytest.raises(HardwareError, match="stall_s"):
        camera.lock_exposure({**lock, "exposure_us": 3_000_000.0})
    assert camera.exposure() == before


def test_a_long_exposure_may_be_fixed(eyes: Eyes) -> None:
    """It is not cut to a frame of the live view: from the start, and after a lock."""
    camera = eyes(exposure_us=150_000.0).camera
    before = camera.exposure()
    assert camera.capture("stream").metadata["exposure_us"] >= 149_980
    locked = camera.lock_exposure()
    camera.lock_exposure({**locked, "exposure_us": 2000.0})
    camera.restore_exposure(before)
    for _ in range(20):
        told = camera.preview().metadata
    assert told["exposure_us"] >= 149_980


def test_raw_data_are_had_or_refused_with_a_reason(eyes: Eyes) -> None:
    """The DNG writer of the package index does not fit; it is tried at the start."""
    camera = eyes(raw=True).camera
    assert "python3-pidng" in camera.status()["raw"]
    with pytest.raises(HardwareError, match=r"No raw data.*python3-pidng"):
        camera.raw()
    assert camera.capture(None).jpeg


SYSTEM_PIDNG = """
import numpy, pidng.camdefs, pidng.core

class Camera(pidng.camdefs.Picamera2Camera):
    def __init__(self, fmt, metadata, model):
        super().__init__(fmt, metadata)
        self.model = model

class Writer(pidng.core.PICAM2DNG):
    def convert(self, image, file):
        owner = image
        while owner.base is not None:
            owner = owner.base
        if not isinstance(owner, numpy.ndarray):
            raise RuntimeError("the camera's own memory is still held")
        file.write(super().convert(image))

pidng.camdefs.Picamera2Camera, pidng.core.PICAM2DNG = Camera, Writer
"""
"""What Raspberry Pi OS has changed in its DNG writer, as picamera2 calls it.

It refuses the memory that the camera fills: the request is to be given back before.
"""


def test_raw_data_are_had_where_the_writer_fits(eyes: Eyes, tmp_path: Path) -> None:
    """As with the writer of Raspberry Pi OS, of which only the calls are here."""
    (tmp_path / "sitecustomize.py").write_text(SYSTEM_PIDNG, encoding="ascii")
    camera = eyes(raw=True, path=tmp_path).camera
    assert camera.status()["raw"] == ""
    image = camera.raw()
    assert image.jpeg.startswith(b"II*\0")
    assert len(image.jpeg) > 416 * 312 * 10 // 8
    assert image.metadata["mode"] == "raw"
    assert image.metadata["exposure_us"] > 0
    with pytest.raises(HardwareError, match="ask for full"):
        camera.raw("half")
    assert camera.capture(None).jpeg


def test_raw_data_that_nobody_asked_for_are_refused(eyes: Eyes) -> None:
    """They take memory, so they must be wanted from the start."""
    with pytest.raises(HardwareError, match="not asked for"):
        eyes().camera.raw()


def test_other_controls_are_kept_over_a_restart(eyes: Eyes) -> None:
    """What was set stays set; exposure is the lock's; unknown ones are refused."""
    eye = eyes()
    camera = eye.camera
    camera.set_controls({"Sharpness": 2.0})
    for name in ("ExposureTime", "FrameRate", "ExposureTimeMode", "ColourTemperature"):
        with pytest.raises(HardwareError, match=f"{name} cannot be set beside"):
            camera.set_controls({name: 30})
    with pytest.raises(HardwareError, match="Loudness"):
        camera.set_controls({"Loudness": 1.0})
    pid = camera.status()["pid"]
    os.kill(pid, 9)
    with pytest.raises(HardwareError):
        camera.capture(None)
    camera.recover()
    assert camera.status()["pid"] != pid
    assert eye.feed.begun_with["Sharpness"] == 2.0
    assert camera.capture(None).jpeg


@pytest.mark.parametrize(
    "wrong", [{"Sharpness": "much"}, {"NoiseReductionMode": 1.5}, {"ScalerCrop": [1]}]
)
def test_a_control_of_another_kind_costs_no_camera(
    eyes: Eyes, wrong: Dict[str, Any]
) -> None:
    """It is refused; in a request it would end the library's thread, at each start."""
    camera = eyes().camera
    with pytest.raises(HardwareError, match=r"does not take.*choose other values"):
        camera.set_controls(wrong)
    for _ in range(10):
        camera.preview()
    assert camera.status()["restarts"] == 0


def test_frames_that_take_longer_are_waited_for_longer(
    eyes: Eyes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dozen of a second each must show that an exposure is locked."""
    monkeypatch.setattr(exposure_control, "APPLYING_S", 0.5)
    camera = eyes().camera
    lock: Dict[str, Any] = {"analogue_gain": 1.0, "colour_gains": [1.6, 1.7]}
    for exposure_us in (900_000.0, 800_000.0):
        camera.lock_exposure({**lock, "exposure_us": exposure_us})
        told = camera.capture("stream").metadata
        assert told["exposure_us"] == exposure_us
