"""The simulated server v2: what a script and an extension meet, and their traps."""

import io
import itertools
import json
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any, Dict, Iterator, List

import numpy as np
import pytest
from labthings.extensions import BaseExtension
from labthings.sync.lock import LockError
from PIL import Image
from v2_sim import API, FAST, asked, in_thread, over_beads, recorded

from hardware_sim import v2_views
from hardware_sim.v2_server import RunningServer, SimulatedServer, create

_server = pytest.fixture(name="server")(over_beads)


@pytest.fixture(name="mock")
def _mock(tmp_path: Path) -> Iterator[SimulatedServer]:
    """Start a server that finds no hardware."""
    server = create(tmp_path, speed=FAST, missing_hardware=True)
    yield server
    server.close()


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
