"""The simulated server v2: what a script and an extension meet, and their traps."""

import io
import itertools
import json
import struct
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any, Dict, Iterator, List

import numpy as np
import piexif
import pytest
from labthings.extensions import BaseExtension
from labthings.sync.lock import LockError
from PIL import Image

from hardware_sim import Fault, v2_frames, v2_views
from hardware_sim.v2_server import RunningServer, SimulatedServer, create
from openflexure_timelapse.errors import HardwareError

API = "/api/v2"
FAST = 2_000.0
"""Simulated seconds in a real one: waits of the server take no time worth telling."""
SMALL = [832, 624]


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[SimulatedServer]:
    """Start a server whose stills are small, over beads."""
    server = create(tmp_path, "beads", 1, FAST)
    server.microscope.camera.image_resolution = SMALL
    yield server
    server.close()


@pytest.fixture(name="mock")
def _mock(tmp_path: Path) -> Iterator[SimulatedServer]:
    """Start a server that finds no hardware."""
    server = create(tmp_path, speed=FAST, missing_hardware=True)
    yield server
    server.close()


def asked(server: SimulatedServer, method: str, path: str, body: Any = None) -> Any:
    """Ask the server as a script does; return what it answered."""
    headers = {"Accept": "application/json"}
    with server.app.test_client() as client:
        return client.open(API + path, method=method, json=body, headers=headers)


def in_thread(function: Any) -> Any:
    """Return what a function returns in a thread of its own."""
    told: List[Any] = []
    thread = threading.Thread(target=lambda: told.append(function()))
    thread.start()
    thread.join()
    return told[0]


def recorded(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, seen: Any) -> Any:
    """Note `seen` at each call of a method, which still does its work."""
    notes: List[Any] = []
    inner = getattr(owner, name)

    def outer(*args: Any, **kwargs: Any) -> Any:
        notes.append(seen(*args))
        return inner(*args, **kwargs)

    monkeypatch.setattr(owner, name, outer)
    return notes


# ------------------------------------------------------------------------------ stage


def test_a_move_over_http_drops_fractions(server: SimulatedServer) -> None:
    """A move takes floats and drops what follows the point; null is refused."""
    path = "/actions/stage/move/"
    told = asked(server, "POST", path, {"x": -10.7, "y": 5.9}).json
    assert told["output"] == {"x": -10, "y": 5, "z": 0}
    told = asked(server, "POST", path, {"z": 7, "absolute": True}).json
    assert told["output"] == {"x": -10, "y": 5, "z": 7}
    assert asked(server, "POST", path, {"x": None}).status_code == 422


def test_zero_counts_from_here(server: SimulatedServer) -> None:
    """Zeroing changes the numbers and moves nothing."""
    server.microscope.stage.move_rel((0, 0, 30))
    asked(server, "POST", "/actions/stage/zero/")
    state = asked(server, "GET", "/instrument/state").json
    assert state == {"camera": {}, "stage": {"position": {"x": 0, "y": 0, "z": 0}}}
    assert asked(server, "GET", "/instrument/state/stage/position").json["z"] == 0


# labthings raises an action's error in the action's thread again.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_move_over_http_fails_while_the_stage_is_taken(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move that waits in vain for the stage is an action that ends in an error."""
    monkeypatch.setattr(v2_views, "LOCK_S", 0)
    with server.microscope.stage.lock:
        told = asked(server, "POST", "/actions/stage/move/", {"z": 5}).json
    assert told["status"] == "error"


def test_only_a_relative_move_makes_up_for_play(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move down overshoots and comes back, unless it is absolute or told not to."""
    stage, motors = server.microscope.stage, server.microscope.sim.stage
    lows: Dict[str, int] = {}
    moves = {
        "relative": lambda: stage.move_rel((0, 0, -100)),
        "one axis": lambda: stage.move_rel(-100, axis="z"),
        "plain": lambda: stage.move_rel((0, 0, -100), backlash=False),
        "absolute": lambda: stage.move_abs((0, 0, -100)),
    }
    for name, move in moves.items():
        stage.move_abs((0, 0, 0))
        places: List[int] = []
        monkeypatch.setattr(
            motors, "_spend", lambda _, to=places: to.append(motors.position().z)
        )
        move()
        lows[name] = min(places)
        assert stage.position == (0, 0, -100)
    assert lows == {"relative": -356, "one axis": -356, "plain": -100, "absolute": -100}


def test_the_stage_settles_when_it_is_free_again(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may move while a move settles; one without care for play never settles."""
    stage = server.microscope.stage
    taken = recorded(monkeypatch, stage, "_settle", stage.lock.locked)
    stage.move_rel((0, 0, 10))
    stage.move_abs((0, 0, 0))
    stage.move_rel((0, 0, 10), backlash=False)
    assert taken == [False, False]


@pytest.mark.parametrize("bad", [("z", "x"), (5, None), ((1, 2, 3), "x"), (5, "w")])
def test_what_is_no_move_is_refused(server: SimulatedServer, bad: Any) -> None:
    """A displacement of another kind, or along no axis, is an error."""
    with pytest.raises((TypeError, ValueError)):
        server.microscope.stage.move_rel(*bad)


# ------------------------------------------------------------------------------ locks


def test_hardware_locks_wait_for_ever(server: SimulatedServer) -> None:
    """Camera and stage have no time limit, captures 1 s; the common lock has both."""
    microscope = server.microscope
    locks = (microscope.camera.lock, microscope.stage.lock, microscope.captures.lock)
    assert [lock.timeout for lock in locks] == [None, None, 1]
    assert microscope.lock.locks == [microscope.camera.lock, microscope.stage.lock]


def test_the_common_lock_drops_what_its_owner_held(server: SimulatedServer) -> None:
    """When it is not to be had, the stage's lock that was held before is lost."""
    microscope = server.microscope
    free = threading.Event()
    held = threading.Event()

    def hold() -> None:
        with microscope.camera.lock:
            held.set()
            free.wait()

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    try:
        microscope.stage.lock.acquire()
        with pytest.raises(LockError), microscope.lock(timeout=0.01):
            pass
        assert not microscope.stage.lock.locked()
    finally:
        free.set()
        other.join()


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


# --------------------------------------------------------------------------- settings


def test_settings_are_written_in_place(mock: SimulatedServer) -> None:
    """What JSON has not leaves half a file, and settings that are gone."""
    microscope, file = mock.microscope, mock.microscope.settings_file
    microscope.save_settings()
    inode = file.path.stat().st_ino
    microscope.extension_settings["ours"] = {"kept": True}
    microscope.save_settings()
    assert file.path.stat().st_ino == inode
    assert file.load()["extensions"] == {"ours": {"kept": True}}
    microscope.extension_settings["ours"] = {"path": Path()}
    with pytest.raises(TypeError):
        microscope.save_settings()
    assert file.load() == {}
    microscope.extension_settings.clear()


def test_settings_over_http_replace_whole_extensions(mock: SimulatedServer) -> None:
    """An extension's entry is replaced, not merged, and saved; parts can be got."""
    path = "/instrument/settings/extensions/ours"
    asked(mock, "PUT", path, {"a": 1})
    assert asked(mock, "PUT", path, {"b": 2}).json == {"b": 2}
    assert asked(mock, "GET", path + "/b").json == 2
    saved = json.loads(mock.microscope.settings_file.path.read_text("utf-8"))
    assert saved["extensions"]["ours"] == {"b": 2}


# ---------------------------------------------------------------------- mock hardware


def test_mock_hardware_says_so(mock: SimulatedServer) -> None:
    """An extension can tell mocks; the mock camera has no `array`."""
    microscope = mock.microscope
    assert not microscope.has_real_camera()
    assert not microscope.has_real_stage()
    assert not hasattr(microscope.camera, "array")


def test_the_mock_camera_heeds_nothing(mock: SimulatedServer) -> None:
    """Whatever is asked for, a capture is the frame of the live view, 640 by 480."""
    capture = mock.microscope.capture(fmt="png", resize=(10, 10))
    with Image.open(capture.file) as picture:
        assert (picture.format, picture.size) == ("JPEG", (640, 480))


def test_the_mock_stage_counts_in_numpy_and_takes_no_lock(
    mock: SimulatedServer,
) -> None:
    """It moves although the stage is taken; its places are numpy's integers then."""
    stage = mock.microscope.stage
    with stage.lock:
        in_thread(lambda: stage.move_rel((1, 2, -3)))
    assert stage.position == [1, 2, -3]
    assert isinstance(stage.position[0], np.integer)
    assert asked(mock, "GET", "/instrument/state/stage/position").json["z"] == -3


def test_there_is_no_autofocus_with_mock_hardware(mock: SimulatedServer) -> None:
    """It finds no images when it is called, and no stage when it is asked over HTTP."""
    mock.microscope.camera.close()
    autofocus = mock.labthing.extensions["org.openflexure.autofocus"]
    with pytest.raises(ValueError, match="No images"):
        autofocus.fast_autofocus(mock.microscope, 100)
    path = "/extensions/org.openflexure.autofocus/fast_autofocus"
    assert asked(mock, "POST", path, {"dz": 100}).status_code == 503


# -------------------------------------------------------------------------- autofocus


def test_autofocus_tells_frames_and_places(server: SimulatedServer) -> None:
    """It tells the size of each frame, and eight places of four moves."""
    autofocus = server.labthing.extensions["org.openflexure.autofocus"]
    told = autofocus.fast_autofocus(server.microscope, 400)
    assert len(told["jpeg_times"]) == len(told["jpeg_sizes"]) > 0
    assert len(told["stage_times"]) == len(told["stage_positions"]) == 8
    heights = [place[2] for place in told["stage_positions"]]
    assert heights[:6] == [0, -200, -200, 200, 200, -200]
    assert -200 <= heights[-1] <= 200


# ------------------------------------------------------------------- server, extensions


class _Extension(BaseExtension):
    """Remembers the microscope that it was given."""

    def __init__(self) -> None:
        super().__init__("org.example.some-extension")
        self.on_component("org.openflexure.microscope", self.meet)
        self.microscope: Any = None

    def meet(self, microscope: Any) -> None:
        """Remember it."""
        self.microscope = microscope


LOADER = """
from labthings.extensions import BaseExtension
class Found(BaseExtension):
    def __init__(self):
        super().__init__("org.example.found")
LABTHINGS_EXTENSIONS = (Found,)
"""


def test_extensions_find_microscope_and_clock(tmp_path: Path) -> None:
    """One that is given, and one in the folder, are listed; each shares the clock."""
    folder = tmp_path / "extensions"
    folder.mkdir()
    (folder / "found.py").write_text(LOADER, encoding="utf-8")
    server = create(
        tmp_path,
        speed=FAST,
        extensions=[_Extension],
        extension_folder=folder,
        missing_hardware=True,
    )
    try:
        given = server.labthing.extensions["org.example.some-extension"]
        assert given.microscope is server.microscope
        assert given.microscope.clock.wall_is_trusted()
        titles = {told["title"] for told in asked(server, "GET", "/extensions").json}
        assert titles >= {"org.example.found", "org.example.some-extension"}
    finally:
        server.close()


def test_the_hundred_and_first_action_pushes_out_the_first(
    mock: SimulatedServer,
) -> None:
    """The history holds a hundred; an action before them can no longer be asked for."""
    first = asked(mock, "POST", "/actions/stage/zero/").json["id"]
    assert asked(mock, "GET", f"/actions/{first}").status_code == 200
    for _ in range(100):
        asked(mock, "POST", "/actions/stage/zero/")
    assert asked(mock, "GET", f"/actions/{first}").status_code == 404
    assert len(asked(mock, "GET", "/actions").json) == 100


def test_a_browser_sees_the_live_view(server: SimulatedServer) -> None:
    """Over a real connection there are a page that says what it is, and two streams."""
    running = RunningServer(server.app)
    try:
        with urllib.request.urlopen(running.url, timeout=60) as page:  # noqa: S310
            assert b"no real microscope" in page.read()
        url = f"{running.url}{API}/streams/"
        with urllib.request.urlopen(url + "snapshot", timeout=60) as still:  # noqa: S310
            assert still.read().startswith(b"\xff\xd8")
        with urllib.request.urlopen(url + "mjpeg", timeout=60) as stream:  # noqa: S310
            assert stream.readline() == b"--frame\r\n"
    finally:
        server.microscope.camera.close()
        running.close()


def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    """`simulate` tells its URL, answers, and ends with code 0 on SIGTERM."""
    command = [sys.executable, "-m", "openflexure_timelapse", "simulate"]
    options = ["--api", "v2", "--scene", "empty", "--port", "0", "--json"]
    with subprocess.Popen(
        [*command, *options, "--folder", str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        output = process.stdout or io.BytesIO()
        lines = itertools.takewhile(lambda line: line != b"}\n", output)
        told = json.loads(b"".join(lines) + b"}")
        url = f"{told['url']}{API}/instrument/configuration"
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310
            assert json.load(answer)["camera"]["type"] == "PiCameraStreamer"
        process.terminate()
        assert process.wait() == 0
    assert (tmp_path / "openflexure/settings/microscope_settings.json").is_file()
