"""A camera that stalls, dies, lies or hangs costs a visit, and never the run."""

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

import pytest
from eye_rig import Eyes, kinds_of, need_picamera2, waited_for

from hardware_sim import Fault
from hardware_sim.fake_libcamera import environment
from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.hosts.direct import camera as camera_module
from openflexure_timelapse.hosts.direct.camera import DirectCamera
from openflexure_timelapse.hosts.system import RealClock

need_picamera2()

QUICK = {"stall_s": 1.5}
SOON_S = 20
SERVER = """
from openflexure_timelapse.hosts.direct.camera import DirectCamera
from openflexure_timelapse.hosts.direct.camera_settings import CameraSettings
from openflexure_timelapse.hosts.system import RealClock

camera = DirectCamera(RealClock(), CameraSettings(stream_size=(208, 156)))
camera.start()
print(camera.status()["pid"], flush=True)
input()
"""
MANY = 300
SLOW_REQUESTS = """
import time
from picamera2.controls import Controls

handed_over = Controls.get_libcamera_controls


def slowly(controls):
    told = handed_over(controls)
    time.sleep(0.05)
    return told


Controls.get_libcamera_controls = slowly
"""


@pytest.fixture(name="eyes")
def _eyes(tmp_path: Path) -> Iterator[Eyes]:
    """Return a maker of cameras."""
    made = Eyes(tmp_path)
    yield made
    made.close()


def until_it_fails(camera: DirectCamera) -> HardwareError:
    """Take stills until one fails; return its error."""
    with pytest.raises(HardwareError) as caught:
        take_many(camera)
    return caught.value


def take_many(camera: DirectCamera) -> None:
    """Take stills."""
    for _ in range(MANY):
        camera.capture("stream")


def is_too_late(camera: DirectCamera) -> bool:
    """Take a still; tell whether it did not come in time."""
    try:
        camera.capture("stream")
    except HardwareTimeoutError:
        return True
    return False


def is_there(pid: int) -> bool:
    """Tell whether a process is alive."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return state.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("kind", ["stalled", "frontend_timeout", "killed"])
def test_a_camera_that_stops_is_started_again(eyes: Eyes, kind: str) -> None:
    """One still fails as a time-out, the next ones work, exposed as before."""
    eye = eyes([Fault(f"camera_{kind}", nth=(100,))], **QUICK)  # type: ignore[arg-type]
    camera = eye.camera
    locked = camera.lock_exposure()
    before = camera.capture(None).metadata["libcamera"]["ExposureTime"]
    error = until_it_fails(camera)
    assert isinstance(error, HardwareTimeoutError)
    camera.recover()
    told = camera.capture(None).metadata
    assert {name: told[name] for name in locked} == locked
    assert told["libcamera"]["ExposureTime"] == before
    assert set(kinds_of(camera)) == {"camera_restarted"}
    assert camera.status()["restarts"] >= 1


def test_a_stall_between_visits_is_mended_before_the_next(eyes: Eyes) -> None:
    """Nobody has to ask for a picture: the age of the frames is watched."""
    eye = eyes([Fault("camera_stalled", nth=(60,))], **QUICK)
    incident = waited_for(eye.camera, "camera_restarted")
    assert incident is not None
    assert "stalled" in incident["detail"]
    assert eye.camera.capture(None).jpeg


def test_a_dead_camera_is_tried_again_and_told(eyes: Eyes) -> None:
    """One that never comes back is a time-out each time, with what to look at."""
    eye = eyes.idle([Fault("camera_stalled", nth=(0,))], start_s=0.8, **QUICK)
    with pytest.raises(HardwareTimeoutError, match=r"not ready.*started again"):
        eye.start()
    assert waited_for(eye.camera, "camera_restarted") is not None
    eye.camera.recover()
    assert eye.camera.preview().jpeg


def test_a_camera_that_starts_slowly_is_left_to_it(
    eyes: Eyes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Visits that come quicker than it starts do not each begin its start anew."""
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text("import time\ntime.sleep(3)\n")
    camera = eyes(path=slow, **QUICK).camera
    os.kill(camera.status()["pid"], signal.SIGKILL)
    assert waited_for(camera, "camera_restarted") is not None
    monkeypatch.setattr(camera_module, "RECOVERY_S", 1.0)
    for tried in itertools.count(1):
        try:
            camera.recover()
            break
        except HardwareTimeoutError:
            assert tried < SOON_S
    assert camera.status()["restarts"] == 1
    assert camera.capture(None).jpeg


def test_a_start_that_fails_is_told_though_the_camera_hangs(eyes: Eyes) -> None:
    """The process ends at once, and does not wait for the camera to stop."""
    faults = [Fault("camera_stalled", nth=(0,)), Fault("camera_stop_blocks")]
    eye = eyes.idle(faults, raw=True)
    with pytest.raises(HardwareError, match=r"be started.*gave no frame within"):
        eye.start()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("cameras.clear()", "no camera 0, and 0 are connected.*ribbon cable"),
        ("cameras[0].id = '/base/usb@1/1:1.0-0c45:6366'", "Camera 0, imx219,.*of USB"),
    ],
)
def test_a_camera_that_is_not_there_or_not_ours_is_told(
    eyes: Eyes, tmp_path: Path, change: str, words: str
) -> None:
    """In words that say what to do."""
    path = tmp_path / "other"
    path.mkdir()
    text = f"import libcamera\nlibcamera.CameraManager.singleton().{change}\n"
    (path / "sitecustomize.py").write_text(text)
    with pytest.raises(HardwareError, match=words):
        eyes.idle(path=path).start()


@pytest.mark.parametrize("last", ["os.abort()", "raise SystemExit('no more')"])
def test_a_process_that_dies_before_it_opens_is_told(
    eyes: Eyes, tmp_path: Path, last: str
) -> None:
    """As a crash of the library is: with what it said at last, and soon."""
    broken = tmp_path / "broken"
    broken.mkdir()
    text = f"import os, sys\nprint('no more', file=sys.stderr, flush=True)\n{last}\n"
    (broken / "picamera2.py").write_text(text)
    with pytest.raises(HardwareError, match=r"be started.*ended after.*no more"):
        eyes.idle(path=broken).start()


def test_the_end_of_a_service_leaves_it_its_camera(eyes: Eyes) -> None:
    """Systemd tells every process of a service to end; ours may finish its picture."""
    camera = eyes().camera
    os.kill(camera.status()["pid"], signal.SIGTERM)
    for _ in range(5):
        assert camera.capture("stream").jpeg
    assert kinds_of(camera) == []


def test_a_library_that_is_away_for_a_while_costs_no_run(
    eyes: Eyes, tmp_path: Path
) -> None:
    """One that has worked is tried again, as after an upgrade of the system."""
    path = tmp_path / "upgrading"
    path.mkdir()
    camera = eyes(path=path, **QUICK).camera
    camera.capture("stream")
    (path / "picamera2.py").write_text("raise ImportError('just being replaced')\n")
    os.kill(camera.status()["pid"], signal.SIGKILL)
    told = [waited_for(camera, "camera_restarted") for _ in range(2)]
    assert any("just being replaced" in str(each) for each in told)
    (path / "picamera2.py").unlink()
    camera.recover()
    assert camera.capture("stream").jpeg


def test_a_camera_that_cannot_be_stopped_is_ended(eyes: Eyes) -> None:
    """Closing comes to an end, and the process is gone."""
    eye = eyes([Fault("camera_stop_blocks")])
    pid = eye.camera.status()["pid"]
    eye.camera.close()
    assert not is_there(pid)


def test_its_process_dies_with_ours(eyes: Eyes) -> None:
    """A killed server leaves no process that holds the camera."""
    eye = eyes.idle()
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=environment(eye.feed.socket_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        assert is_there(pid)
        server.send_signal(signal.SIGKILL)
    clock = RealClock()
    until_ns = clock.monotonic_ns() + SOON_S * 10**9
    while is_there(pid) and clock.monotonic_ns() < until_ns:
        clock.wait_until(clock.monotonic_ns() + 10**7, clock.signal())
    assert not is_there(pid)


def test_an_exposure_that_is_never_taken_over_is_an_error(eyes: Eyes) -> None:
    """A lock that the sensor ignores is not reported as one."""
    camera = eyes([Fault("camera_exposure_ignored")]).camera
    values = {"exposure_us": 9000.0, "analogue_gain": 1.0, "colour_gains": [1.6, 1.7]}
    with pytest.raises(HardwareError, match=r"does not take over.*9000 µs is locked"):
        camera.lock_exposure(values)
    assert camera.exposure() == {"auto": True}
    assert camera.capture(None).jpeg


def test_no_control_is_lost_between_two_requests(eyes: Eyes, tmp_path: Path) -> None:
    """The library forgets what it is told while it hands older ones to a request."""
    path = tmp_path / "slow"
    path.mkdir()
    (path / "sitecustomize.py").write_text(SLOW_REQUESTS)
    camera = eyes(path=path).camera
    values = {"analogue_gain": 1.0, "colour_gains": [1.6, 1.7]}
    for exposure_us in (3000.0, 9000.0, 6000.0):
        camera.lock_exposure({**values, "exposure_us": exposure_us})


def test_a_still_of_another_exposure_is_taken_again(eyes: Eyes) -> None:
    """Frames that ignore the lock are told, and never come out as stills."""
    bad = tuple(range(150, 170))
    eye = eyes([Fault("camera_exposure_ignored", nth=bad)])
    camera = eye.camera
    locked = camera.lock_exposure()
    times: List[int] = []
    while eye.feed.frames < bad[-1] + 20:
        told = camera.capture("stream").metadata
        assert {name: told[name] for name in locked} == locked
        times.append(told["libcamera"]["ExposureTime"])
    assert len(set(times)) == 1
    assert "exposure_changed" in kinds_of(camera)


def test_a_frame_without_its_exposure_is_refused(eyes: Eyes) -> None:
    """A still of which nobody knows how it was exposed is an error; the next is not."""
    eye = eyes([Fault("camera_metadata_missing", nth=tuple(range(100, 110)))])
    error = until_it_fails(eye.camera)
    assert "ExposureTime" in str(error)
    while eye.feed.frames < 115:
        eye.camera.preview()
    assert eye.camera.capture(None).metadata["exposure_us"] > 0


def test_stills_that_come_too_late_are_given_back(eyes: Eyes) -> None:
    """More late stills than the camera has buffers leave it all its buffers."""
    late = Fault("camera_late", nth=tuple(range(100, 106)), amount=0.5)
    eye = eyes([late], stall_s=5.0, still_s=0.7)
    camera = eye.camera
    failed = 0
    while eye.feed.frames < 110:
        failed += is_too_late(camera)
    assert failed > camera.status()["buffers"]
    for _ in range(5):
        assert camera.capture("stream").jpeg
    assert camera.status()["requests_held"] == 0
    assert camera.status()["restarts"] == 0


def test_a_camera_that_gives_frames_and_no_stills_is_started_again(eyes: Eyes) -> None:
    """Two stills in a row that time out are enough; a single one is not."""
    late = Fault("camera_late", nth=tuple(range(100, 140)), amount=1.5)
    camera = eyes([late], stall_s=9.0, still_s=1.3).camera
    until_it_fails(camera)
    camera.recover()
    assert camera.status()["restarts"] == 0
    assert is_too_late(camera)
    camera.recover()
    assert camera.status()["restarts"] == 1


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        ("ImportError('not here')", "not here.*sudo apt install python3-picamera2"),
        ("ValueError('numpy.dtype size changed')", "size changed.*the system's numpy"),
    ],
)
def test_without_its_library_a_camera_says_what_to_install(
    tmp_path: Path, error: str, cure: str
) -> None:
    """A Python without picamera2, or with another numpy, is told what to do, once."""
    env = dict(os.environ)
    (tmp_path / "libcamera.py").write_text(f"raise {error}\n")
    env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), env.get("PYTHONPATH", "")])
    camera = DirectCamera(RealClock(), environ=env)
    try:
        with pytest.raises(HardwareError, match=cure):
            camera.start()
    finally:
        camera.close()
