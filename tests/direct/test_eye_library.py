"""The unmodified picamera2 on the simulated libcamera, as it was read to behave."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
from eye_rig import Eyes, need_picamera2

from hardware_sim.fake_libcamera import environment

need_picamera2()

SCRIPT = """
import importlib.util, json, time
from picamera2 import Picamera2

told = {"kms": importlib.util.find_spec("kms") is not None}
camera = Picamera2()
told["size"] = camera.sensor_resolution
told["modes"] = len(camera.sensor_modes)
width, height = camera.sensor_resolution
config = camera.create_video_configuration(
    main={"size": (width, height), "format": "BGR888"},
    lores={"size": (208, 156), "format": "YUV420"},
    raw={"size": (width, height)},
    buffer_count=4,
    queue=False,
    controls={"ExposureTime": 10001, "AnalogueGain": 1.0,
              "FrameDurationLimits": (66666, 66666)},
)
camera.configure(config)
camera.start()
asked_ns = time.monotonic_ns()
with camera.captured_request(wait=5, flush=True) as request:
    metadata = request.get_metadata()
    began_ns = metadata["SensorTimestamp"] - 1000 * metadata["ExposureTime"]
    told["fresh"] = began_ns >= asked_ns
    told["shapes"] = [request.make_array(name).shape for name in ("main", "lores")]
    told["bright"] = float(request.make_array("main").mean())
    raw = request.make_array("raw").view("uint8")
    told["raw"] = [list(raw.shape), int(raw[:, : width * 5 // 4].max())]
told["first"] = metadata["ExposureTime"]
camera.set_controls({"ExposureTime": 5000})
told["delay"] = 0
while camera.capture_metadata()["ExposureTime"] != 4989:
    told["delay"] += 1
held = [camera.capture_request() for _ in range(4)]
try:
    camera.capture_request(wait=0.5)
except TimeoutError:
    told["starved"] = True
for request in held:
    request.release()
told["fed"] = camera.capture_metadata()["ExposureTime"]
camera.close()
again = Picamera2()
again.configure(again.create_still_configuration())
again.start()
told["again"] = again.capture_metadata()["ExposureTime"] > 0
again.close()
print(json.dumps(told))
"""


@pytest.fixture(name="told", scope="module")
def _told(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Any]:
    """Return what a script saw that uses picamera2 alone."""
    eyes = Eyes(tmp_path_factory.mktemp("eye"))
    eye = eyes.idle(scene="empty", frame_speed=2.0)
    script = Path(eye.feed.socket_path).with_suffix(".py")
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment(eye.feed.socket_path),
        capture_output=True,
        text=True,
        check=False,
    )
    eyes.close()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_opens_and_closes_the_camera(told: Dict[str, Any]) -> None:
    """Two sizes in two depths; opened a second time by the same program."""
    assert told["size"] == [416, 312]
    assert told["modes"] == 4
    assert told["again"]


def test_no_other_package_named_kms_is_taken(told: Dict[str, Any]) -> None:
    """The one on the package index is something else."""
    assert told["kms"] is False


def test_pictures_have_their_shapes(told: Dict[str, Any]) -> None:
    """Main in three colours, the small one in planes with padding, packed raw data."""
    assert told["shapes"] == [[312, 416, 3], [234, 256]]
    assert told["bright"] > 100
    shape, largest = told["raw"]
    assert shape == [312, 576]
    assert largest > 16


def test_exposures_are_lines_and_come_late(told: Dict[str, Any]) -> None:
    """Set in the configuration they hold at once, later after some frames."""
    assert told["first"] == 9998
    assert told["fresh"]
    assert 4 <= told["delay"] <= 9


def test_held_requests_starve_the_stream(told: Dict[str, Any]) -> None:
    """All four held is no frame at all, until they are given back."""
    assert told["starved"]
    assert told["fed"] == 4989
