"""Server v3's camera behind our port, whatever it offers."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest
from labthings_fastapi.global_lock import GlobalLock
from labthings_fastapi.outputs.blob import Blob
from v3_things import FileCamera, MemoryCamera, SettingsCamera, StreamCamera, ours

from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.hosts.v3_stills import bytes_of
from openflexure_timelapse.quality import is_whole

CAMERAS = [FileCamera, MemoryCamera, StreamCamera]


class DataFolder:
    """The data folder of a Thing, whose files the server hands out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make_path(self, name: str) -> Any:
        """Return the server's kind of path."""
        return SimpleNamespace(
            abs_data_path=str(self.folder / name),
            set_saving_thing_if_unset=lambda thing: None,  # noqa: ARG005
        )

    def files(self) -> List[str]:
        """Return what is in it."""
        return sorted(path.name for path in self.folder.iterdir())


# ------------------------------------------------------------------------- stills


@pytest.mark.parametrize("kind", CAMERAS)
def test_each_way_to_a_still_delivers_it(kind: Any) -> None:
    """A whole picture, and JSON that says how it was taken."""
    image = ours(kind()).camera.capture(None)
    assert is_whole(image.jpeg)
    assert json.loads(json.dumps(image.metadata))["simulated"] is False
    assert image.exposed_ns is None


def test_the_best_way_is_taken() -> None:
    """By path where the camera can, by its memory else, from its live view at last."""
    by_path, by_memory, by_stream = FileCamera(), MemoryCamera(), StreamCamera()
    for camera in (by_path, by_memory, by_stream):
        ours(camera).camera.capture(None)
    assert "by path" in by_path.done
    assert ("still", "standard") in by_memory.done
    assert set(by_stream.done) == {"discard", "main"}


def test_frames_that_were_under_way_are_let_pass() -> None:
    """A still beside the live view would show what was before the call."""
    camera = FileCamera()
    ours(camera).camera.capture("quick")
    assert camera.done == ["discard", "discard", "by path", ("still", "quick")]


def test_unknown_mode_is_refused() -> None:
    """The server would take another one, and fail as it saves."""
    camera = FileCamera()
    with pytest.raises(HardwareError, match=r"no mode 'panorama'.*standard, quick"):
        ours(camera).camera.capture("panorama")
    assert not camera.done


@pytest.mark.parametrize("kind", [FileCamera, MemoryCamera])
def test_no_file_is_left_behind(kind: Any, tmp_path: Path) -> None:
    """Nothing in the data folder, and no private folder either."""
    data = DataFolder(tmp_path)
    camera = kind()
    microscope = ours(camera, make_path=data.make_path)
    for _ in range(2):
        microscope.camera.capture(None)
    assert data.files() == []
    assert len(set(camera.paths)) == 2
    own = kind()
    ours(own).camera.capture(None)
    assert not Path(own.paths[0]).parent.exists()


def test_no_file_is_left_behind_by_a_failure(tmp_path: Path) -> None:
    """A still that fails after it was saved is removed too, and its cause is told."""
    data = DataFolder(tmp_path)
    camera = FileCamera()
    camera.fails = OSError("while saving")
    camera.fails.__cause__ = KeyError("panorama")
    with pytest.raises(HardwareError, match=r"while saving.*from KeyError"):
        ours(camera, make_path=data.make_path).camera.capture(None)
    assert len(camera.paths) == 1
    assert data.files() == []


def test_what_a_killed_process_left_is_removed_once(tmp_path: Path) -> None:
    """A power cut in a still leaves one file, until the next run's first still."""
    data = DataFolder(tmp_path)
    for name in (".timelapse-77-3.jpeg", "theirs.jpeg"):
        (tmp_path / name).write_bytes(b"x")
    microscope = ours(FileCamera(), make_path=data.make_path)
    microscope.camera.capture(None)
    assert data.files() == ["theirs.jpeg"]
    (tmp_path / ".timelapse-1-1.jpeg").write_bytes(b"of a call that hangs")
    microscope.camera.capture(None)
    assert ".timelapse-1-1.jpeg" in data.files()


def test_a_camera_that_saves_nothing_is_an_error() -> None:
    """No file is no picture, whatever the camera says."""

    class Silent(FileCamera):
        def capture_and_save_to_path(self, path: Any, capture_mode: str) -> None:
            """Do nothing."""

    with pytest.raises(HardwareError, match="saved no picture"):
        ours(Silent()).camera.capture(None)


def test_a_camera_that_timed_out_is_told_as_such() -> None:
    """The visit recovers after a timeout, and not after other failures."""
    camera = FileCamera()
    camera.fails = TimeoutError("no frame")
    with pytest.raises(HardwareTimeoutError, match="no frame"):
        ours(camera).camera.capture(None)


# --------------------------------------------------------------------------- facts


def test_the_default_mode_comes_first_with_the_size_that_it_says() -> None:
    """`standard` is the default one, wherever it stands in the server's list."""
    modes = ours(FileCamera()).camera.describe().modes
    assert list(modes) == ["standard", "quick"]
    assert modes["standard"] == (1640, 1232)


def test_a_size_that_nobody_tells_is_learnt_from_the_picture() -> None:
    """Before the first picture it is the usual one."""
    camera = FileCamera()
    camera.sizes = {"quick": (320, 200)}
    port = ours(camera).camera
    assert port.describe().modes["quick"] == (1640, 1232)
    port.capture("quick")
    assert port.describe().modes["quick"] == (320, 200)


def test_sizes_are_read_from_the_streaming_modes() -> None:
    """The Pi camera tells the size of what it streams, and not of each still."""

    class PiCamera(FileCamera):
        streaming_mode = "default"
        streaming_modes = {  # noqa: RUF012 (a property on the server)
            "default": SimpleNamespace(main_resolution=(820, 616)),
            "full": SimpleNamespace(
                main_resolution=(3280, 2464), lores_resolution=(320, 240)
            ),
        }

        @property
        def capture_modes(self) -> Any:
            def mode(**told: Any) -> Any:
                return SimpleNamespace(save_resolution=None, **told)

            return {
                "quick": mode(streaming_mode=None, stream_name="main"),
                "small": mode(streaming_mode="full", stream_name="lores"),
                "full": mode(streaming_mode="full", stream_name="main"),
            }

    assert ours(PiCamera()).camera.describe().modes == {
        "quick": (820, 616),
        "small": (320, 240),
        "full": (3280, 2464),
    }


def test_the_servers_simulation_tells_its_shape_and_that_it_is_one() -> None:
    """Rows and columns of an array, and a class that everybody knows by its name."""

    class SimulatedCamera(StreamCamera):
        shape = (616, 820, 3)

    info = ours(SimulatedCamera()).camera.describe()
    assert info.modes == {"stream": (820, 616)}
    assert info.simulated


# ------------------------------------------------------------------------- previews


def test_a_preview_is_a_fresh_frame_of_the_small_stream() -> None:
    """Frames that were under way are left out."""
    camera = FileCamera()
    image = ours(camera).camera.preview()
    assert is_whole(image.jpeg)
    assert camera.done == ["discard", "lores", "lores", "lores"]


def test_a_torn_frame_is_asked_for_again() -> None:
    """The live view delivers half a frame now and then."""
    camera = StreamCamera()
    camera.torn = 4
    assert is_whole(ours(camera).camera.preview().jpeg)


def test_a_camera_without_a_live_view_shows_a_quick_still() -> None:
    """Focus and drift need a picture, however it is had."""

    class Dark(FileCamera):
        grab_jpeg = property()

    camera = Dark()
    del Dark.grab_jpeg
    blind = SimpleNamespace(
        lock=camera.lock,
        capture_modes=camera.capture_modes,
        capture_and_save_to_path=camera.capture_and_save_to_path,
    )
    assert is_whole(ours(blind).camera.preview().jpeg)
    assert ("still", "quick") in camera.done


@pytest.mark.parametrize(
    "blob",
    [
        b"picture",
        Blob.from_bytes(b"picture"),
        SimpleNamespace(save=lambda path: Path(path).write_bytes(b"picture")),
    ],
    ids=["bytes", "labthings", "saves itself"],
)
def test_a_blob_is_read(blob: Any) -> None:
    """By its content, else by a file that nobody sees afterwards."""
    assert bytes_of(blob) == b"picture"


def test_what_is_no_blob_is_an_error() -> None:
    """It is told what was delivered."""
    with pytest.raises(HardwareError, match="a dict"):
        bytes_of({})


# ------------------------------------------------------------------------- exposure


def test_a_camera_without_settings_locks_nothing() -> None:
    """The server's simulation has no exposure."""
    camera = ours(FileCamera()).camera
    assert camera.exposure() == {}
    assert camera.lock_exposure() == {}
    camera.restore_exposure({})


def test_a_lock_changes_nothing_that_is_so_already() -> None:
    """The server never leaves exposure to the sensor, and writes each setting down."""
    theirs = SettingsCamera()
    camera = ours(theirs).camera
    before = camera.exposure()
    assert before == {
        "exposure_us": 499.0,
        "analogue_gain": 1.0,
        "colour_gains": [1.5, 2.0],
    }
    assert camera.lock_exposure() == before
    assert camera.lock_exposure(before) == before
    assert theirs.set == []


def test_a_later_process_sets_what_somebody_changed() -> None:
    """After a restart the run goes on with its own exposure, and gives theirs back."""
    theirs = SettingsCamera(GlobalLock())
    camera = ours(theirs).camera
    before = camera.exposure()
    run = {"exposure_us": 250.0, "analogue_gain": 1.0, "colour_gains": [1.0, 1.0]}
    assert camera.lock_exposure(run) == run
    assert theirs.set == [("exposure_time", 250), ("colour_gains", (1.0, 1.0))]
    told = camera.capture(None).metadata
    assert {name: told[name] for name in run} == run
    camera.restore_exposure(before)
    assert camera.exposure() == before


def test_settings_are_read_once_for_each_visit() -> None:
    """Each read waits for a frame, and only between visits can others change them."""
    theirs = SettingsCamera()
    microscope = ours(theirs)
    for exposure in (499, 600):
        microscope.acquire(0)
        for _ in range(3):
            image = microscope.camera.capture(None)
            assert image.metadata["exposure_us"] == exposure
        microscope.release()
        theirs.exposure_time = 600
    assert theirs.reads == 2 * 3
