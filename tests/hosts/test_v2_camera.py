"""Server v2's camera behind our port, on the simulated server's objects."""

import io
import json
import threading
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Sequence

import pytest
from labthings import StrictLock
from PIL import Image as PilImage
from v2_sim import FAST, SMALL, over_beads

from hardware_sim import VirtualClock, v2_missing
from hardware_sim.v2_frames import FrameStream
from hardware_sim.v2_server import SimulatedServer, create
from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
)
from openflexure_timelapse.hosts import v2_camera
from openflexure_timelapse.hosts.v2_exposure import Exposure
from openflexure_timelapse.hosts.v2_microscope import V2Microscope

START_NS = 1_800_000_000_000_000_000
END = b"\xff\xd9"


_server = pytest.fixture(name="server")(over_beads)


@pytest.fixture(name="mock")
def _mock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedServer]:
    """Start a server that finds no hardware, with a mock camera that draws quickly."""
    monkeypatch.setattr(v2_missing, "BETWEEN_FRAMES_S", 0.01)
    server = create(tmp_path, speed=FAST, missing_hardware=True)
    yield server
    server.close()


def ours(server: SimulatedServer) -> V2Microscope:
    """Return our microscope over a server's."""
    return V2Microscope(server.microscope, server.microscope.clock)


# ------------------------------------------------------------------------- captures


@pytest.mark.parametrize("mode", [None, "still", "video"])
def test_a_capture_leaves_the_gallery_alone(
    server: SimulatedServer, tmp_path: Path, mode: Any
) -> None:
    """No capture is listed and no file is made by a picture of a run."""
    listed = list(server.microscope.captures.images)
    files = sorted((tmp_path / "openflexure" / "data").rglob("*"))
    assert ours(server).camera.capture(mode).jpeg
    assert list(server.microscope.captures.images) == listed
    assert sorted((tmp_path / "openflexure" / "data").rglob("*")) == files


@pytest.mark.parametrize("mode", ["still", "video"])
def test_no_raw_data_follow_the_picture(server: SimulatedServer, mode: str) -> None:
    """The file ends where the JPEG ends, and all of it can be decoded."""
    jpeg = ours(server).camera.capture(mode).jpeg
    assert jpeg.endswith(END)
    assert len(jpeg) < 1_000_000
    assert PilImage.open(io.BytesIO(jpeg)).convert("L").size == tuple(SMALL)


def test_a_still_has_the_resolution_of_the_settings(server: SimulatedServer) -> None:
    """Whoever changes the still's size in the server finds it in the default mode."""
    server.microscope.camera.image_resolution = [1640, 1232]
    camera = ours(server).camera
    assert dict(camera.describe().modes) == {"still": (1640, 1232), "video": (832, 624)}
    jpeg = camera.capture(None).jpeg
    assert PilImage.open(io.BytesIO(jpeg)).size == (1640, 1232)


def test_the_live_view_runs_again_after_a_failed_still(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server leaves it stopped; the error of the still is told."""
    theirs, camera = server.microscope.camera, ours(server).camera
    taken = theirs._take

    def fail(*_: Any) -> bytes:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(theirs, "_take", fail)
    with pytest.raises(HardwareError, match="out of memory"):
        camera.capture(None)
    assert theirs.stream_active
    monkeypatch.setattr(theirs, "_take", taken)
    assert camera.preview().jpeg.endswith(END)


def test_the_first_error_of_two_is_told(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live view that does not start either hides nothing."""
    theirs = server.microscope.camera

    def fail(text: str) -> Callable[..., None]:
        def failing(*_: Any, **__: Any) -> None:
            raise RuntimeError(text)

        return failing

    monkeypatch.setattr(theirs, "capture", fail("no picture"))
    monkeypatch.setattr(theirs, "start_stream", fail("no live view"))
    theirs.stop_stream()
    with pytest.raises(HardwareError, match="no picture"):
        ours(server).camera.capture(None)


def test_no_data_is_an_error(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A capture that returns and has written nothing is no picture."""
    nothing = lambda *_, **__: None  # noqa: E731
    monkeypatch.setattr(server.microscope.camera, "capture", nothing)
    with pytest.raises(HardwareError, match="no data"):
        ours(server).camera.capture("video")


def test_metadata_are_plain_numbers(server: SimulatedServer) -> None:
    """Fractions of picamera become numbers, and the simulator is named as such."""
    server.microscope.camera.picamera.digital_gain = Fraction(5, 4)
    told = ours(server).camera.capture(None).metadata
    assert json.loads(json.dumps(dict(told))) == dict(told)
    assert told["digital_gain"] == 1.25
    assert told["simulated"] is True


def test_a_value_that_the_sensor_does_not_tell_is_left_out() -> None:
    """A frame is not lost because its gain cannot be read."""

    class Closed:
        exposure_speed = 900

        @property
        def analog_gain(self) -> Fraction:
            raise RuntimeError("closed")

    camera = SimpleNamespace(picamera=Closed())
    assert Exposure(lambda: camera).told() == {"exposure_us": 900.0}


# ----------------------------------------------------------------------- live view


class Scripted:
    """A live view whose frames arrive when somebody waits for them.

    Parameters
    ----------
    clock : VirtualClock
        Jumps to each frame.
    frames : sequence of bytes
        What arrives.
    every_ns : int
        Between two frames.
    """

    def __init__(
        self, clock: VirtualClock, frames: Sequence[bytes], every_ns: int
    ) -> None:
        self._clock = clock
        self._frames = list(frames)
        self._every_ns = every_ns
        self._shown = b"an old one" + END
        self.new_frame = self
        self.asked = 0

    def wait(self, timeout: float) -> bool:
        """Let the next frame arrive; there is none at once."""
        if not timeout or not self._frames:
            return False
        self._clock.advance(self._every_ns)
        self._shown = self._frames.pop(0)
        return True

    def clear(self) -> None:
        """Do nothing: no frame is there before it is waited for."""

    def getvalue(self) -> bytes:
        """Return the newest frame."""
        return self._shown


def with_stream(stream: Any, clock: Any, **more: Any) -> V2Microscope:
    """Return a microscope that has little more than a live view."""
    camera = SimpleNamespace(
        stream=stream,
        stream_active=True,
        stream_resolution=[832, 624],
        image_resolution=[3280, 2464],
        lock=StrictLock(name="Camera", timeout=None),
        **more,
    )
    theirs = SimpleNamespace(
        camera=camera, has_real_camera=lambda: True, configuration={}
    )
    return V2Microscope(theirs, clock)


FRAMES = [b"%d" % number + END for number in range(1, 20)]


@pytest.mark.parametrize(
    ("every_ms", "wanted"), [(33, 6), (70, 4), (100, 3), (1000, 2), (4000, 2)]
)
def test_a_preview_was_exposed_after_the_question(every_ms: int, wanted: int) -> None:
    """What was on its way, and what was in the sensor's pipeline, is passed over."""
    clock = VirtualClock(START_NS)
    camera = with_stream(Scripted(clock, FRAMES, every_ms * 10**6), clock).camera
    assert camera.preview().jpeg == FRAMES[wanted - 1]


def test_a_frame_caught_in_the_making_is_not_taken() -> None:
    """The server empties its buffer before it writes the next frame into it."""
    clock = VirtualClock(START_NS)
    frames = [FRAMES[0], b"", b"\xff\xd8 half", *FRAMES[3:]]
    camera = with_stream(Scripted(clock, frames, 10**9), clock).camera
    assert camera.preview().jpeg == FRAMES[3]


def test_a_stalled_live_view_gives_no_old_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server hands out the old frame after 5 s; a preview is then an error."""
    monkeypatch.setattr(v2_camera, "FRAME_S", 0.01)
    stream = FrameStream()
    stream.show(FRAMES[0])
    camera = with_stream(stream, VirtualClock(START_NS)).camera
    for _ in range(2):
        with pytest.raises(HardwareTimeoutError, match="no new frame"):
            camera.preview()


def test_a_stalled_live_view_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recovery switches a live view off and on that claims to run and shows nothing."""
    monkeypatch.setattr(v2_camera, "FRAME_S", 0.01)
    done: List[str] = []
    camera = with_stream(
        FrameStream(),
        VirtualClock(START_NS),
        stop_stream=lambda: done.append("stop"),
        start_stream=lambda: done.append("start"),
    ).camera
    camera.recover()
    assert not done
    with pytest.raises(HardwareTimeoutError):
        camera.preview()
    camera.recover()
    camera.recover()
    assert done == ["stop", "start"]


def test_a_stopped_live_view_is_started_for_a_preview(server: SimulatedServer) -> None:
    """Nobody needs to care whether the live view runs."""
    server.microscope.camera.stop_stream()
    assert ours(server).camera.preview().jpeg.endswith(END)


def test_recovering_starts_a_stopped_live_view(server: SimulatedServer) -> None:
    """After a failed still of somebody else, say."""
    server.microscope.camera.stop_stream()
    ours(server).camera.recover()
    assert server.microscope.camera.stream_active


def test_recovering_does_not_wait_for_a_hung_call(server: SimulatedServer) -> None:
    """Whoever holds the camera is not waited for without end."""
    theirs = server.microscope.camera
    theirs.stop_stream()
    taken, go = threading.Event(), threading.Event()

    def hold() -> None:
        with theirs.lock:
            taken.set()
            go.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    with pytest.raises(HardwareBusyError, match="camera"):
        ours(server).camera.recover()
    go.set()
    thread.join()


# ------------------------------------------------------------------------ exposure

CONTROLS: Dict[str, Dict[str, Any]] = {
    "as the server starts": {},
    "a time of the user": {"shutter_speed": 12_345},
    "another mode": {"exposure_mode": "night", "awb_mode": "fluorescent"},
    "held by the user": {
        "exposure_mode": "off",
        "shutter_speed": 5_000,
        "analog_gain": 2.5,
        "awb_gains": [1.25, 2.5],
    },
    "white balance held": {"awb_gains": [1.25, 2.5]},
}


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_exposure_control_comes_back_exactly(
    server: SimulatedServer, control: str
) -> None:
    """After lock and restore every control is as it was, automatic or held."""
    theirs, camera = server.microscope.camera, ours(server).camera
    theirs.update_settings({"picamera": CONTROLS[control]})
    sensor = theirs.picamera
    names = ("exposure_mode", "shutter_speed", "awb_mode")
    before = [getattr(sensor, name) for name in names]
    saved = json.loads(json.dumps(camera.exposure()))
    held_gain = sensor.analog_gain if sensor.exposure_mode == "off" else None
    held_colours = sensor.awb_gains if sensor.awb_mode == "off" else None
    camera.lock_exposure({**camera.lock_exposure(), "analogue_gain": 4.0})
    assert (sensor.exposure_mode, sensor.awb_mode) == ("off", "off")
    assert sensor.shutter_speed
    camera.restore_exposure(saved)
    assert [getattr(sensor, name) for name in names] == before
    assert camera.exposure() == saved
    assert held_gain in {None, sensor.analog_gain}
    assert held_colours in {None, sensor.awb_gains}


def test_a_lock_keeps_the_exposure_time_of_the_user(server: SimulatedServer) -> None:
    """A time that was set is not replaced by what the sensor made of it."""
    server.microscope.camera.update_settings({"picamera": {"shutter_speed": 12_345}})
    assert ours(server).camera.lock_exposure()["exposure_us"] == 12_345


def test_a_lock_holds_given_values(server: SimulatedServer) -> None:
    """After a restart the values of the run's first lock are set, JSON in between."""
    values = {
        "exposure_us": 4_000.0,
        "analogue_gain": 2.0,
        "digital_gain": 1.5,
        "colour_gains": [1.5, 1.25],
    }
    camera = ours(server).camera
    assert camera.lock_exposure(json.loads(json.dumps(values))) == values
    told = camera.capture("video").metadata
    assert {key: told[key] for key in values} == values


# ------------------------------------------------------------------------ mock camera


def test_the_mock_camera_has_one_mode(mock: SimulatedServer) -> None:
    """It only ever delivers its live view, and says that it is no camera."""
    camera = ours(mock).camera
    info = camera.describe()
    assert dict(info.modes) == {"video": (640, 480)}
    assert info.simulated
    assert info.typical_frame_bytes < 100_000
    for image in (camera.capture(None), camera.capture("video"), camera.preview()):
        assert PilImage.open(io.BytesIO(image.jpeg)).size == (640, 480)
        assert image.metadata == {"mode": "video", "simulated": True}
    with pytest.raises(HardwareError, match="video"):
        camera.capture("still")


def test_the_mock_camera_has_no_exposure(mock: SimulatedServer) -> None:
    """Nothing is locked and nothing is put back."""
    camera = ours(mock).camera
    assert camera.exposure() == {}
    assert camera.lock_exposure() == {}
    assert camera.lock_exposure({"exposure_us": 5.0}) == {}
    camera.restore_exposure({"exposure_mode": "auto"})


def test_the_scale_is_what_the_user_measured(server: SimulatedServer) -> None:
    """The server knows no micrometres per pixel."""
    theirs = server.microscope
    measured = V2Microscope(theirs, theirs.clock, um_per_pixel=lambda: 0.25)
    known = measured.camera.describe()
    assert known.um_per_pixel == 0.25
    assert known.scale_of("video") == 0.25
    assert ours(server).camera.describe().um_per_pixel is None
