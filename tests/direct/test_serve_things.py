"""The Things of the server without OpenFlexure's, as scripts and people meet them."""

import io
import json
from pathlib import Path
from typing import Any, Iterator, List

import httpx2
import piexif
import pytest
from labthings_fastapi.exceptions import GlobalLockBusyError, ServerActionError
from PIL import Image
from serve_rig import Rig

from hardware_sim import Fault
from openflexure_timelapse.hosts import v3_protocols
from openflexure_timelapse.hosts.v3_features import (
    accepts,
    missing_features,
    offers,
    whole_compensation,
)
from openflexure_timelapse.ports import StagePosition

API = "/api/v3"
REAL = 1.0
"""So slow that no move of `FAR` steps ever ends by itself."""
FAR = 1_000_000


@pytest.fixture(name="rig")
def _rig(tmp_path: Path) -> Iterator[Rig]:
    """Return a server."""
    rig = Rig(tmp_path)
    yield rig
    rig.close()


@pytest.fixture(name="slow")
def _slow(tmp_path: Path) -> Iterator[Rig]:
    """Return a server of hardware that takes its time."""
    rig = Rig(tmp_path, speed=REAL)
    yield rig
    rig.close()


def moving(rig: Rig) -> None:
    """Return when the stage has moved a bit."""
    while not (rig.sim.stage.position().z and rig.microscope.stage_part.moving):
        pass


# ----------------------------------------------------------------------- what it is


def test_our_own_thing_finds_them_whole(rig: Rig) -> None:
    """All that a time-lapse under server v3 needs is there, by the same names."""
    things = rig.things
    assert missing_features(camera=things["camera"], stage=things["stage"]) == ()
    assert offers(things["autofocus"], "fast_autofocus", "looping_autofocus")
    assert accepts(things["autofocus"], "fast_autofocus", "start")
    assert offers(things["illumination"], "set_led", "flash")
    exposure = ("exposure_time", "analogue_gain", "colour_gains")
    assert offers(things["camera"], *exposure)
    found = whole_compensation(things["stage"], "move_absolute")
    assert (found.name, found.value) == ("ALL_AXES", v3_protocols.ALL_AXES)


def test_there_is_a_front_page(rig: Rig) -> None:
    """With the live view and a way to the time-lapse, whose page is there."""
    page = httpx2.get(rig.url).text
    assert f'href="{API}/timelapse/page/"' in page
    assert f'src="{API}/camera/mjpeg_stream"' in page
    assert httpx2.get(f"{rig.url}{API}/timelapse/page/").status_code == 200


def test_a_board_without_a_lamp_has_no_illumination(tmp_path: Path) -> None:
    """The Thing is left out, and scripts see that."""
    rig = Rig(tmp_path, dialect="v0.5")
    assert "illumination" not in rig.things
    rig.close()


# ---------------------------------------------------------------------------- stage


def test_moves_take_steps_by_the_names_of_axes(rig: Rig) -> None:
    """Relative and absolute moves leave out what is not named, and mind no play."""
    stage = rig.thing("stage")
    stage.move_relative(x=-10, z=7)
    stage.move_absolute(y=5)
    assert stage.position == {"x": -10, "y": 5, "z": 7}
    assert stage.get_xyz_position() == [-10, 5, 7]
    assert stage.moving is False
    stage.move_to_origin()
    stage.move_to_xyz_position(xyz_pos=(1, 2, 3))
    assert stage.position == {"x": 1, "y": 2, "z": 3}
    stage.set_zero_position()
    assert stage.position == {"x": 0, "y": 0, "z": 0}


def moves(rig: Rig) -> List[str]:
    """Return the moves that the board was told, and forget them."""
    told = [command for command in rig.board.heard if command.startswith("mr")]
    rig.board.heard.clear()
    return told


def test_play_is_taken_up_when_asked(rig: Rig) -> None:
    """A compensated move goes below its target and comes from there."""
    moves(rig)
    rig.thing("stage").move_relative(z=-100, backlash_compensation=4)
    assert moves(rig) == ["mr 0 0 -300", "mr 0 0 200"]


def test_what_a_run_moved_is_known(rig: Rig) -> None:
    """The place is the stage's, whoever moved it, and its play is unknown then."""
    stage = rig.things["stage"]
    rig.thing("stage").move_relative(z=300, backlash_compensation=4)
    rig.microscope.stage.move_to(StagePosition(0, 0, 350))
    assert stage.position["z"] == 350
    moves(rig)
    rig.thing("stage").move_relative(z=10, backlash_compensation=4)
    assert moves(rig) == ["mr 0 0 -190", "mr 0 0 200"]


def test_a_board_that_is_deaf_moves_in_parts(tmp_path: Path) -> None:
    """So that a long way can be stopped."""
    rig = Rig(tmp_path, dialect="v0.5", speed=REAL)
    moves(rig)
    rig.thing("stage").move_relative(x=2401)
    assert moves(rig) == ["mr 1200 0 0", "mr 1201 0 0"]
    assert rig.visit.get("stage/position")["x"] == 2401
    rig.close()


def test_a_direction_is_no_setting(rig: Rig) -> None:
    """The places of a run would lie elsewhere, so it is refused with a way out."""
    with pytest.raises(ServerActionError, match="configuration file"):
        rig.thing("stage").invert_axis_direction(axis="x")


def test_a_cancelled_move_stops_on_the_way(slow: Rig) -> None:
    """The stage stays in between, and knows where; reading is free meanwhile."""
    href = slow.visit.post("stage/move_relative", {"z": FAR}, code=201)["href"]
    moving(slow)
    assert slow.visit.get("stage/moving") is True
    with pytest.raises(GlobalLockBusyError):
        slow.thing("illumination").set_led(led_on=False)
    assert httpx2.delete(href).status_code == 200
    told = slow.until(href)
    assert told["status"] == "cancelled"
    place = slow.visit.get("stage/position")["z"]
    assert 0 < place < FAR
    assert slow.visit.get("stage/moving") is False


def test_a_jog_goes_on_until_it_is_stopped(slow: Rig) -> None:
    """It returns at once, holds the lock, and the next jog takes over."""
    stage = slow.thing("stage")
    stage.jog(z=FAR)
    moving(slow)
    with pytest.raises(GlobalLockBusyError):
        stage.move_relative(z=1)
    stage.jog(stop=True)
    slow.things["stage"]._jogger.join()
    assert 0 < stage.position["z"] < FAR
    stage.move_relative(x=1)
    assert stage.position["x"] == 1


def test_a_server_ends_what_moves(tmp_path: Path) -> None:
    """Neither a jog nor a stream keeps it."""
    rig = Rig(tmp_path, speed=REAL)
    url = f"{rig.url}{API}/camera/mjpeg_stream"
    with httpx2.stream("GET", url, timeout=60) as stream:
        next(stream.iter_bytes())
        rig.thing("stage").jog(z=FAR)
        moving(rig)
        rig.close()
    assert not rig.microscope.stage_part.moving


# --------------------------------------------------------------------------- camera


def test_each_mode_has_its_size(rig: Rig) -> None:
    """The first mode is the standard; quick is a frame of the small stream."""
    camera = rig.thing("camera")
    modes = camera.capture_modes
    assert {"standard", "quick", "full"} <= set(modes)
    sizes = {}
    for mode in ("standard", "quick", "full"):
        blob = camera.capture(capture_mode=mode, retain_image=False)
        with Image.open(io.BytesIO(blob.content)) as picture:
            sizes[mode] = picture.size
    assert sizes == {
        "standard": (1640, 1232),
        "quick": (832, 624),
        "full": (3280, 2464),
    }


def test_an_unknown_mode_is_refused_before_a_picture(rig: Rig) -> None:
    """With the names of those that there are."""
    with pytest.raises(ServerActionError, match="standard, half"):
        rig.thing("camera").capture(capture_mode="best")


def test_a_still_is_saved_as_the_camera_made_it(rig: Rig) -> None:
    """No pixel is encoded again; its metadata are the states of all Things."""
    camera = rig.things["camera"]
    rig.thing("stage").move_relative(z=9)
    seen: List[bytes] = []
    inner = rig.microscope.camera_part.capture

    def capture(mode: Any) -> Any:
        image = inner(mode)
        seen.append(image.jpeg)
        return image

    rig.microscope.camera_part.capture = capture  # type: ignore[method-assign]
    path = camera.create_data_path("a.jpeg")
    camera.capture_and_save_to_path(path, "half")
    saved = Path(path.abs_data_path).read_bytes()
    (jpeg,) = seen
    assert saved[-len(jpeg) // 2 :] == jpeg[-len(jpeg) // 2 :]
    comment = piexif.load(saved)["Exif"][piexif.ExifIFD.UserComment]
    states = json.loads(comment)
    assert states["stage"]["position"] == {"x": 0, "y": 0, "z": 9}
    assert states["camera"]["model"]
    served = httpx2.get(f"{rig.url}{API}/data/camera/a.jpeg")
    assert served.content == saved


def test_raw_data_are_handed_out_as_they_are(rig: Rig) -> None:
    """A DNG where the camera has one, else the reason in a sentence."""
    camera = rig.thing("camera")
    with pytest.raises(ServerActionError, match="not asked for in the settings"):
        camera.capture_dng()
    part: Any = rig.microscope.camera_part
    part.dng = b"II*\0 and more"
    blob = camera.capture_dng()
    assert blob.media_type == "image/x-adobe-dng"
    assert blob.content == b"II*\0 and more"


def test_pictures_of_one_second_have_names_of_their_own(rig: Rig) -> None:
    """None overwrites another, in either format."""
    camera = rig.thing("camera")
    for _ in range(3):
        camera.capture(capture_mode="quick")
    camera.capture(capture_mode="quick", image_format="png")
    kept = list((rig.folder / "data" / "camera").iterdir())
    assert len(kept) == 4
    for path in kept:
        with Image.open(path) as picture:
            picture.load()


def test_a_camera_that_gives_up_is_asked_again(tmp_path: Path) -> None:
    """A time-out costs an attempt, not the picture."""
    rig = Rig(tmp_path, faults=[Fault("camera_timed_out", nth=(0,), amount=1.0)])
    assert rig.things["camera"].capture_to_memory("half") == 1
    rig.close()


def test_the_live_view_is_the_small_stream(rig: Rig) -> None:
    """By stream, by snapshot, and one by one."""
    camera = rig.thing("camera")
    for jpeg in (
        camera.grab_jpeg().content,
        camera.grab_jpeg(stream_name="lores").content,
        httpx2.get(f"{rig.url}{API}/camera/snapshot").content,
    ):
        with Image.open(io.BytesIO(jpeg)) as picture:
            assert picture.size == (832, 624)
    assert camera.stream_active is True
    assert camera.health["restarts"] == 0


def test_each_frame_is_shown_once(rig: Rig) -> None:
    """The live view waits for the next one, and shows none of them again."""
    camera: Any = rig.microscope.camera_part
    rig.thing("camera").grab_jpeg()
    shown = rig.things["camera"].mjpeg_stream.last_frame_i
    assert 0 <= shown <= camera.frames


def test_the_live_view_comes_back(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A camera that gives no frames for a while is told once, and seen again."""
    camera: Any = rig.microscope.camera_part
    camera.is_closed = True
    while "No frame for the live view" not in caplog.text:
        pass
    camera.is_closed = False
    assert rig.thing("camera").grab_jpeg().content.startswith(b"\xff\xd8")
    assert caplog.text.count("No frame for the live view") == 1


def test_a_camera_that_is_unwell_is_in_the_status(rig: Rig) -> None:
    """Age of frames, heat and memory are told on the page, with what to do."""
    camera: Any = rig.microscope.camera_part
    assert rig.visitor.get("status")["warnings"] == []
    camera.age_s = 30.0
    (warning,) = rig.visitor.get("status")["warnings"]
    assert "30 s old" in warning


def test_exposure_is_a_setting_that_outlives_the_server(tmp_path: Path) -> None:
    """It stays as it is, changes pictures when it is set, and is there again."""
    rig = Rig(tmp_path)
    camera = rig.thing("camera")
    found = camera.exposure_time
    before = rig.things["camera"].capture_as_array("quick").mean()
    camera.exposure_time = found // 2
    camera.analogue_gain = 1.0
    assert rig.things["camera"].capture_as_array("quick").mean() < 0.9 * before
    rig.close()
    again = Rig(tmp_path)
    assert again.thing("camera").exposure_time == found // 2
    again.close()


# ------------------------------------------------------------------- light and focus


def test_the_light_goes_off_and_on(rig: Rig) -> None:
    """To the level that is configured for on."""
    light = rig.thing("illumination")
    light.set_led(led_on=False)
    assert rig.sim.light.level() == 0
    light.set_led()
    assert rig.sim.light.level() == pytest.approx(0.32)
    light.set_led(led_on=False, led_channel="cc")  # as the Thing of a Sangaboard
    assert rig.sim.light.level() == 0


def test_autofocus_tells_frames_and_places(slow: Rig) -> None:
    """It tells the size of each frame and the places of its four moves."""
    told = slow.thing("autofocus").fast_autofocus(dz=1000)
    assert len(told["jpeg_times"]) == len(told["jpeg_sizes"]) > 3
    heights = [place["z"] for place in told["stage_positions"]]
    assert heights[:6] == [0, -500, -500, 500, 500, -500]


def test_a_focus_that_is_nowhere_is_an_error(
    slow: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peak at the end of every sweep ends in an error and not in a height."""
    module = "openflexure_timelapse.hosts.things.autofocus"
    monkeypatch.setattr(f"{module}.sharpest", lambda heights, _: heights[0] - 400)
    monkeypatch.setattr(f"{module}.MOST_SWEEPS", 2)
    with pytest.raises(ServerActionError, match="sharpest inside"):
        slow.thing("autofocus").looping_autofocus(dz=400)


def test_a_focus_inside_ends_the_search(
    slow: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells the heights and sizes of its last sweep, and is where it was sharp."""
    module = "openflexure_timelapse.hosts.things.autofocus"
    monkeypatch.setattr(f"{module}.sharpest", lambda heights, _: heights.mean())
    heights, sizes = slow.thing("autofocus").looping_autofocus(dz=400)
    assert len(heights) == len(sizes) > 1
    place = slow.visit.get("stage/position")["z"]
    assert place == pytest.approx(sum(heights) / len(heights), abs=1)
