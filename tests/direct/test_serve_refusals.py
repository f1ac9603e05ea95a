"""What the server without OpenFlexure's refuses or has not, and goes on in order."""

import threading
from pathlib import Path
from typing import Any, Iterator

import anyio
import pytest
from labthings_fastapi.exceptions import ClientPropertyError, ServerActionError
from serve_rig import Rig

from openflexure_timelapse.errors import HardwareError


@pytest.fixture(name="rig")
def _rig(tmp_path: Path) -> Iterator[Rig]:
    """Return a server."""
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def take_the_camera(rig: Rig) -> None:
    """Let no frame come any more, and none be on its way."""
    camera: Any = rig.microscope.camera_part
    camera.is_closed = True
    camera.is_missed.wait()


def test_an_axis_that_there_is_not_is_refused(rig: Rig) -> None:
    """A slip of the pen is no move that went well; the message has the names."""
    stage = rig.thing("stage")
    for move in (stage.move_relative, stage.move_absolute, stage.jog):
        with pytest.raises(ServerActionError, match="no axis 'Z'; choose among x, y"):
            move(Z=10)
    assert stage.position == {"x": 0, "y": 0, "z": 0}


def test_an_exposure_that_is_refused_is_forgotten(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the camera does not take is told to nobody, and spoils no later one."""
    camera: Any = rig.microscope.camera_part
    inner = camera.lock_exposure

    def lock(values: Any) -> Any:
        if values["exposure_us"] <= 0:
            raise HardwareError("The exposure cannot be locked to that.")
        return inner(values)

    monkeypatch.setattr(camera, "lock_exposure", lock, raising=False)
    thing = rig.thing("camera")
    found = thing.exposure_time
    with pytest.raises(ClientPropertyError, match="cannot be locked"):
        thing.exposure_time = -5
    assert thing.exposure_time == found
    thing.analogue_gain = 2.0
    assert thing.analogue_gain == 2.0


# The library's thread tells its end to a server that may be gone by then.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_waits_for_a_frame_keeps_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera that is gone gives none, and the server must end all the same."""
    rig = Rig(tmp_path)
    take_the_camera(rig)
    is_waiting = threading.Event()
    inner = anyio.Condition.wait

    async def wait(condition: anyio.Condition) -> None:
        is_waiting.set()  # still with the lock that whoever ends the stream needs
        await inner(condition)

    monkeypatch.setattr(anyio.Condition, "wait", wait)
    rig.visit.post("camera/grab_jpeg", {}, code=201)
    is_waiting.wait()
    ending = threading.Thread(target=rig.close, daemon=True)
    ending.start()
    ending.join(20)
    assert not ending.is_alive()


def test_no_frame_is_waited_for_without_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits has the server's lock: the stage could not be moved meanwhile."""
    take_the_camera(rig)
    monkeypatch.setattr("openflexure_timelapse.hosts.things.streams.FRAME_S", 0.1)
    thing = rig.thing("camera")
    for grab in (thing.grab_jpeg, thing.grab_as_array, thing.grab_jpeg_size):
        with pytest.raises(ServerActionError, match=r"No frame came within 0\.1 s"):
            grab()
