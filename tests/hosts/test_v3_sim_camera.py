"""The simulated server v3: its camera, its light and its focus."""

import io
import json
from pathlib import Path
from typing import Any, List, Mapping

import httpx2
import labthings_fastapi as lt
import numpy as np
import piexif
import pytest
from labthings_fastapi.exceptions import ServerActionError
from PIL import Image
from v3_rig import API, FAST, Asked, Make, asking, made, make_fast, things

from hardware_sim import Fault, ScaledClock
from hardware_sim.v3_server import RunningServer
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.things.pictures import (
    CaptureError,
    NoImageInMemoryError,
)

# As in the other file about this server, which has them from the same place.
_make = pytest.fixture(name="make")(make_fast)
_server = pytest.fixture(name="server")(made)
_asked = pytest.fixture(name="asked")(asking)


# ----------------------------------------------------------------------------- stills


@pytest.mark.parametrize(
    ("mode", "size"),
    [("quick", (820, 616)), ("standard", (1640, 1232)), ("full", (3280, 2464))],
)
def test_each_mode_has_its_size(
    server: RunningServer, mode: str, size: Any, tmp_path: Path
) -> None:
    """A picture is saved with the pixels of its mode, by a path of another Thing."""
    camera = things(server)["camera"]

    class OwnPath:
        """What a Thing of its own may give in place of a RelativeDataPath."""

        abs_data_path = str(tmp_path / "a.jpeg")

        def set_saving_thing_if_unset(self, thing: Any) -> None:
            """Do nothing: it is set."""

    camera.capture_and_save_to_path(OwnPath(), mode)
    with Image.open(tmp_path / "a.jpeg") as picture:
        assert (picture.format, picture.size) == ("JPEG", size)
    assert [path.name for path in tmp_path.glob("*.pending")] == []


def test_metadata_are_those_of_all_things(server: RunningServer) -> None:
    """A JPEG says in its EXIF block what each Thing told, and when, with the offset."""
    camera = things(server)["camera"]
    server.thing("stage").move_relative(z=9)
    path = camera.create_data_path("a.jpeg")
    camera.capture_and_save_to_path(path, "quick")
    exif = piexif.load(path.abs_data_path)
    states = json.loads(exif["Exif"][piexif.ExifIFD.UserComment])
    assert states["stage"] == {"position": {"x": 0, "y": 0, "z": 9}}
    assert states["camera"] == {"camera": "ExposureCamera", "simulated": True}
    assert exif["0th"][piexif.ImageIFD.Make] == b"OpenFlexure"
    assert len(exif["Exif"][piexif.ExifIFD.OffsetTimeOriginal]) == len("+00:00")


def test_an_unknown_mode_is_noticed_too_late(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It is taken in standard mode with a warning; then it cannot be saved."""
    camera = things(server)["camera"]
    number = camera.capture_to_memory("best")
    assert "no capture mode best" in caplog.text
    with pytest.raises(KeyError):
        camera.save_from_memory(camera.create_data_path("a.jpeg"), number)


def test_the_memory_holds_one_picture(server: RunningServer) -> None:
    """Each capture drops the one before, unless there may be more."""
    camera = things(server)["camera"]
    path = camera.create_data_path("a.jpeg")
    first = camera.capture_to_memory("quick")
    second = camera.capture_to_memory("quick")
    with pytest.raises(NoImageInMemoryError):
        camera.save_from_memory(path, first)
    camera.capture_to_memory("quick", buffer_max=2)
    camera.save_from_memory(path, second)
    camera.save_from_memory(path)
    camera.capture_to_memory("quick")
    camera.clear_buffers()
    with pytest.raises(NoImageInMemoryError):
        camera.save_from_memory(path)


def test_a_picture_that_cannot_be_saved_is_an_os_error(server: RunningServer) -> None:
    """Whatever the cause; and nothing is left behind."""
    camera = things(server)["camera"]
    for name in ("none/a.jpeg", "a.text"):
        camera.capture_to_memory("quick")
        with pytest.raises(OSError, match="while saving") as caught:
            camera.save_from_memory(camera.create_data_path(name))
        assert caught.value.__cause__ is not None
    assert list(server.simulated.data_folder("camera").iterdir()) == []


class _Stands(ScaledClock):
    """A clock whose time of day stands."""

    def wall_ns(self) -> int:
        """Return a moment."""
        return 1_800_000_000_000_000_000


def test_two_captures_in_one_second_are_one_file(make: Make) -> None:
    """The second overwrites the first, and ends in an error."""
    server = make(clock=_Stands(FAST, RealClock()))
    camera = server.thing("camera")
    blob = camera.capture(capture_mode="quick")
    assert blob.content.startswith(b"\xff\xd8")
    with pytest.raises(ServerActionError, match="UNIQUE"):
        camera.capture(capture_mode="quick")
    (only,) = server.simulated.data_folder("camera").iterdir()
    assert only.suffix == ".jpeg"
    with Asked(server) as asked:
        assert asked.get(f"/data/camera/{only.name}").status_code == 200


def test_a_capture_need_not_be_kept(server: RunningServer) -> None:
    """Only its blob is there, in the format that was asked for."""
    blob = server.thing("camera").capture(
        capture_mode="quick", image_format="png", retain_image=False
    )
    with Image.open(io.BytesIO(blob.content)) as picture:
        assert picture.format == "PNG"
    assert list(server.simulated.data_folder("camera").iterdir()) == []


def test_a_camera_that_gives_up_is_asked_again(make: Make) -> None:
    """A time-out is tried again; when all attempts fail there is an error."""
    late = Fault("camera_timed_out", nth=(0, 2, 3), amount=1.0)
    camera = things(make(faults=[late]))["camera"]
    assert camera.capture_to_memory("quick") == 1
    with pytest.raises(CaptureError):
        camera.capture_to_memory("quick", max_attempts=2)


def test_a_picture_may_be_cut_off(make: Make) -> None:
    """Then its file is no whole JPEG, and there are no pixels."""
    cut = Fault("camera_truncated", nth=(0, 1), amount=0.5)
    camera = things(make(faults=[cut]))["camera"]
    path = camera.create_data_path("a.jpeg")
    camera.capture_and_save_to_path(path, "quick")
    assert not Path(path.abs_data_path).read_bytes().endswith(b"\xff\xd9")
    with pytest.raises(OSError, match="cut off"):
        camera.capture_as_array("quick")


def test_a_state_that_fails_fails_all_captures(make: Make) -> None:
    """One Thing whose `thing_state` raises keeps all others from taking pictures."""

    class Bad(lt.Thing):
        """A Thing that cannot tell its state."""

        @property
        def thing_state(self) -> Mapping[str, Any]:
            """Raise."""
            raise LookupError("no state")

    camera = things(make(things={"bad": Bad}))["camera"]
    with pytest.raises(LookupError, match="no state"):
        camera.capture_to_memory("quick")


# -------------------------------------------------------------- streams, light, focus


def test_the_streams_have_two_sizes(server: RunningServer, asked: Asked) -> None:
    """The frames of the streams, and the snapshot, can be had one by one."""
    camera = server.thing("camera")
    sizes = []
    for jpeg in (
        camera.grab_jpeg().content,
        camera.grab_jpeg(stream_name="lores").content,
        asked.get("/camera/snapshot").content,
    ):
        with Image.open(io.BytesIO(jpeg)) as picture:
            sizes.append(picture.size)
    assert sizes == [(832, 624), (320, 240), (320, 240)]
    assert camera.grab_jpeg_size(stream_name="lores") > 1_000
    assert things(server)["camera"].grab_as_array("lores").shape == (240, 320, 3)


def test_a_browser_sees_the_live_view(server: RunningServer) -> None:
    """There is a page that says what it is, and a stream that ends with the server."""
    assert "no real microscope" in httpx2.get(server.url).text
    url = f"{server.url}{API}/camera/mjpeg_stream"
    with httpx2.stream("GET", url, timeout=60) as stream:
        assert b"--frame" in next(stream.iter_bytes())


@pytest.mark.parametrize("mode", ["standard", "quick"])
def test_a_still_pauses_the_streams(server: RunningServer, mode: str) -> None:
    """No frame arrives while a picture is taken, but for the quick mode."""
    camera, sim = things(server)["camera"], server.sim.camera
    paused: List[bool] = []
    inner = sim.capture

    def capture(sim_mode: str) -> Any:
        paused.append(camera._sensor.locked())
        return inner(sim_mode)

    camera._ended.set()
    camera._deliverer.join()
    sim.capture = capture  # type: ignore[method-assign]
    camera.capture_as_array(mode)
    assert paused == [mode == "standard"]


def test_pictures_are_black_without_light(server: RunningServer) -> None:
    """The exposure is never automatic, and nothing tells that the light is off."""
    camera, light = things(server)["camera"], server.thing("illumination")
    before = camera.capture_as_array("quick").mean()
    light.set_led(led_on=False)
    assert camera.capture_as_array("quick").mean() < 5 < before
    light.set_led()
    assert np.isclose(camera.capture_as_array("quick").mean(), before, rtol=0.1)
    assert set(light.thing_description["properties"]) == set()
    light.flash(number_of_flashes=1, dt=0.1)


def test_exposure_is_a_setting(make: Make, tmp_path: Path) -> None:
    """It stays as it is, changes pictures when it is set, and outlives the server."""
    server = make(folder=tmp_path)
    camera = server.thing("camera")
    found = camera.exposure_time
    before = things(server)["camera"].capture_as_array("quick").mean()
    camera.exposure_time = found // 2
    camera.analogue_gain = 1.0
    camera.colour_gains = (1.5, 1.25)
    assert things(server)["camera"].capture_as_array("quick").mean() < 0.9 * before
    server.close()
    again = make(folder=tmp_path).thing("camera")
    assert again.exposure_time == found // 2
    assert again.colour_gains == [1.5, 1.25]


def test_a_camera_may_have_no_exposure(make: Make) -> None:
    """As the simulated one of the real server."""
    server = make(exposure_settings=False)
    assert "exposure_time" not in things(server)["camera"].settings
    assert not hasattr(server.thing("camera"), "exposure_time")


def test_autofocus_tells_frames_and_places(server: RunningServer) -> None:
    """It tells the size of each frame, eight places of four moves, and no success."""
    told = server.thing("autofocus").fast_autofocus(dz=400)
    assert len(told["jpeg_times"]) == len(told["jpeg_sizes"]) > 0
    assert told["focus_foms"] == []
    assert len(told["stage_times"]) == len(told["stage_positions"]) == 8
    heights = [place["z"] for place in told["stage_positions"]]
    assert heights[:6] == [0, -200, -200, 200, 200, -200]
    assert -200 <= heights[-1] <= 200


def test_autofocus_may_begin_at_the_base(server: RunningServer) -> None:
    """Then there are three moves, the first one upwards."""
    told = things(server)["autofocus"].fast_autofocus(dz=400, start="base")
    heights = [place["z"] for place in told.stage_positions]
    assert heights[:4] == [0, 400, 400, 0]
    assert len(heights) == 6


def test_there_is_no_figure_of_merit(server: RunningServer) -> None:
    """To record one, or to record something else than what is used, is an error."""
    autofocus = things(server)["autofocus"]
    for options in ({"sharpness_metric": 2}, {"record": 3}, {"record": 2}, {"dz": 0}):
        with pytest.raises(ValueError, match=r"merit|not recorded|above 0"):
            autofocus.fast_autofocus(**options)
