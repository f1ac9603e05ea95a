"""The simulated server v2: its camera and its captures."""

import io
import struct
from pathlib import Path

import numpy as np
import piexif
import pytest
from PIL import Image
from v2_sim import FAST, asked, in_thread, over_beads, recorded

from hardware_sim import Fault, v2_frames
from hardware_sim.v2_server import SimulatedServer, create
from openflexure_timelapse.errors import HardwareError

_server = pytest.fixture(name="server")(over_beads)


# ----------------------------------------------------------------------------- camera


@pytest.mark.parametrize("video_port", [False, True])
def test_a_still_stops_the_live_view(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch, *, video_port: bool
) -> None:
    """The live view is off while the still port is used, and on before and after."""
    camera = server.microscope.camera
    notes = recorded(
        monkeypatch, camera._sim, "capture", lambda _: camera.stream_active
    )
    assert camera.stream_active
    camera.capture(io.BytesIO(), use_video_port=video_port, bayer=False)
    assert notes == [video_port]
    assert camera.stream_active


def test_raw_data_come_unasked(server: SimulatedServer) -> None:
    """A still has 10 MB of raw data behind it; not a video's, nor without `bayer`."""
    camera = server.microscope.camera
    sizes = []
    for options in ({}, {"bayer": False}, {"use_video_port": True}):
        file = io.BytesIO()
        camera.capture(file, **options)
        sizes.append(len(file.getvalue()))
    assert sizes[0] > 10_270_208 > max(sizes[1:])


def test_sizes_and_formats_are_heeded(server: SimulatedServer, tmp_path: Path) -> None:
    """A picture has the size and the format that were asked for, and a thumbnail."""
    server.microscope.camera.capture(
        str(tmp_path / "a.png"), fmt="png", resize=(100, 75)
    )
    with Image.open(tmp_path / "a.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (100, 75))
    capture = server.microscope.capture(resize=(320, 240), bayer=False)
    with Image.open(capture.file) as picture:
        assert picture.size == (320, 240)
    with Image.open(capture.thumbnail) as picture:
        assert picture.size == (200, 150)


def test_a_still_that_fails_leaves_its_traces(tmp_path: Path) -> None:
    """It is listed without a file, and the live view stays off until it is started."""
    faults = [Fault("camera_timed_out", nth=(0,), amount=1.0)]
    server = create(tmp_path, "beads", 1, FAST, faults=faults)
    microscope = server.microscope
    try:
        with pytest.raises(HardwareError):
            microscope.capture(bayer=False)
        (capture,) = microscope.captures.images.values()
        assert not capture.exists
        assert not microscope.camera.stream_active
        microscope.camera.start_stream()
        assert microscope.camera.stream_active
    finally:
        server.close()


def test_the_live_view_gives_an_old_frame_after_its_patience(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no frame comes, `getframe` returns the last one and says nothing."""
    camera = server.microscope.camera
    first = camera.stream.getframe()
    camera.stop_stream()
    last = camera.stream.getvalue()
    monkeypatch.setattr(v2_frames, "PATIENCE_S", 0)
    assert camera.get_frame() == last
    assert first.startswith(b"\xff\xd8")


def test_each_thread_waits_for_its_own_frame(server: SimulatedServer) -> None:
    """A frame that one thread has seen is new to another; a wait ends with a frame."""
    stream = server.microscope.camera.stream
    assert stream.new_frame.wait()
    stream.getvalue()
    assert in_thread(stream.new_frame.wait)


def test_settings_of_the_camera_stop_the_live_view(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live view is off while settings are applied."""
    camera = server.microscope.camera
    notes = recorded(monkeypatch, camera, "_apply", lambda _: camera.stream_active)
    camera.update_settings({"picamera": {"exposure_mode": "off"}})
    assert notes == [False]
    assert camera.stream_active


def test_exposure_can_be_held(server: SimulatedServer) -> None:
    """A shutter speed with the mode off holds the exposure, until the mode is auto."""
    microscope = server.microscope
    held = {"shutter_speed": 5_000, "exposure_mode": "off", "awb_gains": [1.5, 1.25]}
    microscope.camera.update_settings({"picamera": held})
    assert microscope.sim.camera.exposure() == {"auto": False}
    assert microscope.camera.picamera.exposure_speed == 5_000
    told = microscope.camera.read_settings()["picamera"]
    assert (told["awb_mode"], told["awb_gains"]) == ("off", (1.5, 1.25))
    microscope.camera.update_settings({"picamera": {"exposure_mode": "auto"}})
    assert microscope.sim.camera.exposure() == {"auto": True}


def test_an_array_is_a_picture_in_rgb(server: SimulatedServer) -> None:
    """`array` returns rows, columns and three colours."""
    pixels = server.microscope.camera.array()
    assert pixels.shape == (624, 832, 3)
    assert pixels.dtype == np.uint8


# --------------------------------------------------------------------------- captures


def test_a_capture_is_in_the_gallery(server: SimulatedServer) -> None:
    """What was captured over HTTP is listed, shown, downloaded and deleted."""
    body = {"filename": "pond", "use_video_port": True, "tags": ["a"]}
    told = asked(server, "POST", "/actions/camera/capture/", body).json
    server.labthing.actions.get(told["id"]).join()
    (card,) = asked(server, "GET", "/captures").json
    assert (card["name"], card["tags"]) == ("pond.jpeg", ["a"])
    path = f"/captures/{card['id']}"
    whole = asked(server, "GET", path).json["metadata"]
    assert whole["instrument"]["configuration"]["application"]["simulated"] is True
    picture = asked(server, "GET", f"{path}/download/any.jpeg").data
    small = asked(server, "GET", f"{path}/download/any.jpeg?thumbnail=true").data
    with Image.open(io.BytesIO(picture)) as image, Image.open(
        io.BytesIO(small)
    ) as tiny:
        assert (image.size, tiny.size) == ((832, 624), (200, 150))
    assert asked(server, "DELETE", path).status_code == 204
    assert asked(server, "GET", "/captures").json == []


def test_names_are_kept_apart_only_if_none_was_given(server: SimulatedServer) -> None:
    """Captures of one second get names of their own; a given name is overwritten."""
    new = server.microscope.captures.new_image
    assert len({new(temporary=False).name for _ in range(5)}) == 5
    first, second = (new(temporary=False, filename="same") for _ in range(2))
    assert first.file == second.file
    assert len(server.microscope.captures.images) == 7


def test_delete_leaves_the_entry_in_the_list(server: SimulatedServer) -> None:
    """A capture that deletes itself is still listed, without its file."""
    capture = server.microscope.capture(use_video_port=True)
    assert capture.delete()
    assert not capture.exists
    assert str(capture.id) in server.microscope.captures.images


def test_a_large_exif_block_fails_when_the_file_is_there(
    server: SimulatedServer,
) -> None:
    """Beyond 65,535 bytes there is an error, a file, an entry and no metadata."""
    with pytest.raises(struct.error):
        server.microscope.capture(use_video_port=True, metadata={"more": "x" * 65_500})
    (capture,) = server.microscope.captures.images.values()
    assert set(capture.metadata) == {"image", "dataset"}


def test_a_cache_key_keeps_settings_but_not_the_place(server: SimulatedServer) -> None:
    """With the same key the settings are the first ones, and the state is new."""
    microscope = server.microscope
    before = microscope.get_metadata("run")
    microscope.name = "another"
    microscope.stage.move_rel((0, 0, 9))
    after = microscope.get_metadata("run")
    assert after["settings"] == before["settings"]
    assert after["state"]["stage"]["position"]["z"] == 9


def test_a_restart_finds_its_captures(tmp_path: Path) -> None:
    """What is on disk is listed again; pictures of others, and none at all, are not."""
    first = create(tmp_path, speed=FAST, missing_hardware=True)
    capture = first.microscope.capture(folder="a/b", dataset={"type": "timeLapse"})
    first.close()
    root = Path(first.microscope.captures.paths["default"])
    Image.new("RGB", (8, 8)).save(root / "other.jpg")
    (root / "empty.jpeg").touch()
    second = create(tmp_path, speed=FAST, missing_hardware=True)
    second.close()
    (found,) = second.microscope.captures.images.values()
    assert (found.id, found.dataset) == (capture.id, {"type": "timeLapse"})


@pytest.mark.parametrize(
    "comment", [b"[1]", b"\xff\xfe\xff", b'{"image": {"id": "7"}}']
)
def test_broken_metadata_keep_the_server_from_starting(
    tmp_path: Path, comment: bytes
) -> None:
    """Nothing guards the start against a picture whose metadata are broken."""
    root = tmp_path / "openflexure" / "data" / "micrographs"
    root.mkdir(parents=True)
    exif = piexif.dump({"Exif": {piexif.ExifIFD.UserComment: comment}})
    Image.new("RGB", (8, 8)).save(root / "bad.jpeg", exif=exif)
    with pytest.raises((AttributeError, ValueError)):
        create(tmp_path, speed=FAST, missing_hardware=True)
