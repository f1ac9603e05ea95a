"""``doctor --hardware``: what is there, how it is, and a report to paste."""

import getpass
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest

from hardware_sim import Fault
from hardware_sim.camera_feed import SensorShape
from hardware_sim.direct_rig import DirectRig
from openflexure_timelapse.hosts.direct import vitals
from openflexure_timelapse.hosts.direct.check_computer import (
    _throttled,
    check_computer,
)
from openflexure_timelapse.hosts.direct.checkup import _program, private_words
from openflexure_timelapse.hosts.direct.claims import HIDDEN
from openflexure_timelapse.hosts.direct.report import report_of
from openflexure_timelapse.hosts.finding import Finding

PATIENCE_S = 100
PARTS = [
    "OpenFlexure Timelapse",
    "Computer",
    "System",
    "picamera2",
    "sangaboard",
    "pyserial",
    "Disk",
    "Users",
    "Camera",
    "Stills",
    "Exposure",
    "Live view",
    "Raw data",
    "Board",
    "Board's answers",
    "Stage",
]


class Desk:
    """A world in this process, and the command in another one."""

    def __init__(
        self, folder: Path, shape: Optional[SensorShape] = None, **how: Any
    ) -> None:
        self.folder = folder
        shape = SensorShape(416, 312) if shape is None else shape
        self.rig = DirectRig(folder, "beads", shape=shape, **how)
        camera = {"stream_size": [208, 156]}
        config = json.dumps(self.rig.config(camera=camera))
        (folder / "direct.json").write_text(config, encoding="utf-8")

    def run(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run the check-up."""
        program = [sys.executable, "-m", "openflexure_timelapse", "doctor"]
        told = ["--hardware", "--stills", "1", str(self.folder / "runs")]
        return subprocess.run(
            [*program, *told, *words],
            env=self.rig.environ({**os.environ, **environ}),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def findings(self, *words: str) -> Dict[str, Dict[str, str]]:
        """Run it, and return what it found by topic."""
        done = self.run("--json", *words)
        assert done.stderr == ""
        told = json.loads(done.stdout)
        found = {each["topic"]: each for each in told["findings"]}
        assert done.returncode == any(
            each["level"] == "bad" for each in told["findings"]
        )
        for topic in found:
            assert f"| {topic} |" in told["report"]
        return found


@pytest.fixture(name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a short name: the kernel takes no long ones of sockets."""
    return tmp_path_factory.mktemp("d")


@pytest.fixture(name="desk")
def _desk(folder: Path) -> Iterator[Desk]:
    """Return a desk without faults."""
    desk = Desk(folder)
    yield desk
    desk.rig.close()


def test_all_parts_are_looked_at_and_nothing_moves(desk: Desk) -> None:
    """Unless that is asked for; each part has its line, in a fixed order."""
    found = desk.findings()
    assert list(found) == [*PARTS, "Moves", "Light"]
    assert found["Moves"]["level"] == "untried"
    assert "--move" in found["Moves"]["detail"]
    levels = {topic: each["level"] for topic, each in found.items()}
    assert {levels[topic] for topic in PARTS[9:11]} == {"good"}
    assert levels["Board"] == levels["Stage"] == "good"
    assert "libcamera" in found["Camera"]["detail"]
    assert "python3-pidng" in found["Raw data"]["detail"]
    place = desk.rig.sim.stage.position()
    assert (place.x, place.y, place.z) == (0, 0, 0)
    assert not [word for word in desk.rig.board.heard if word.startswith("mr ")]


def test_moves_are_tried_when_asked_for(desk: Desk) -> None:
    """A little way on each axis and back, measured and verified."""
    found = desk.findings("--move")
    for axis in "xyz":
        assert found[f"Moves of {axis}"]["level"] == "good"
    assert len([word for word in desk.rig.board.heard if word.startswith("mr ")]) > 6
    place = desk.rig.sim.stage.position()
    assert (place.x, place.y, place.z) == (0, 0, 0)


def test_a_person_gets_a_table_and_a_report(desk: Desk) -> None:
    """The report says nothing of who uses which computer, and where."""
    done = desk.run()
    table, _, report = done.stdout.partition("copy all of this into an issue:")
    assert "Check-up of the hardware" in table
    assert report.strip().startswith("### Hardware check-up")
    assert "| ok | Board |" in report
    for private in (platform.node(), str(desk.folder), str(Path.home())):
        assert private not in report


def test_the_folder_of_the_settings_is_not_named(desk: Desk) -> None:
    """A place that cannot be read is told with its file, and not with where that is."""
    (desk.folder / "stage_place.json").mkdir()
    report = json.loads(desk.run("--json").stdout)["report"]
    assert "the folder of the settings/stage_place.json" in report
    assert str(desk.folder) not in report


def test_who_asked_as_administrator_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of that person may be in the report of a check-up by ``sudo``."""
    monkeypatch.setenv("SUDO_USER", "ada")
    report = report_of([Finding("Disk", "bad", "/home/ada/x")], private_words())
    assert "ada" not in report


def test_a_camera_without_its_library_is_told_once(desk: Desk, tmp_path: Path) -> None:
    """With what to install, and not to look at a cable."""
    without = "import sys; sys.modules['picamera2'] = None"
    (tmp_path / "sitecustomize.py").write_text(without, "utf-8")
    done = desk.run("--json", PYTHONPATH=str(tmp_path))
    found = {each["topic"]: each for each in json.loads(done.stdout)["findings"]}
    assert "python3-picamera2" in found["Camera"]["detail"]
    assert "Camera's troubles" not in found


def test_a_board_in_use_is_not_opened(desk: Desk) -> None:
    """Its user is named by program and process, and nothing else that it was told."""
    hold = "import sys; f = open(sys.argv[1], 'rb'); print(1, flush=True); input()"
    words: List[str] = [sys.executable, "-c", hold, desk.rig.board.port, "--key=s3cret"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        heard = len(desk.rig.board.heard)
        found = desk.findings()
        process.communicate(b"\n")
    assert found["Board"]["level"] == "bad"
    assert f"process {process.pid}" in found["Board"]["detail"]
    assert "s3cret" not in found["Board"]["detail"]
    assert len(desk.rig.board.heard) == heard
    assert found["Stills"]["level"] == "good"


def test_a_running_server_is_told_and_nothing_is_opened(
    desk: Desk, tmp_path: Path
) -> None:
    """With what to type."""
    script = tmp_path / "openflexure-microscope-server"
    script.write_text("print(1, flush=True); input()", encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = desk.findings()
        process.communicate(b"\n")
    assert list(found)[-1] == "Users"
    assert found["Users"]["level"] == "bad"
    assert "systemctl stop" in found["Users"]["detail"]
    assert "Camera" not in found


def test_a_board_in_trouble_is_told(folder: Path) -> None:
    """What happened on the line, and what to look at."""
    desk = Desk(folder, faults=[Fault("board_garbage", nth=(12,))])
    try:
        found = desk.findings()
    finally:
        desk.rig.close()
    assert found["Board's line"]["level"] == "warning"
    assert "garbage" in found["Board's line"]["detail"]
    assert found["Stage"]["level"] == "good"


def test_an_old_board_is_told_as_it_is(folder: Path) -> None:
    """Without a light, which is no fault."""
    desk = Desk(folder, dialect="v0.5")
    try:
        found = desk.findings("--move")
    finally:
        desk.rig.close()
    assert "v0.5" in found["Board"]["detail"]
    assert found["Light"]["level"] == "good"
    assert found["Moves of x"]["level"] == "good"


@pytest.mark.parametrize("words", [("--stills", "0"), ("--stills", "many")])
def test_wrong_use_is_told(desk: Desk, words: "tuple[str, ...]") -> None:
    """With exit code 2, as everywhere."""
    done = desk.run(*words)
    assert done.returncode == 2
    assert "--stills" in done.stderr


@pytest.mark.parametrize(
    ("bits", "level", "word"),
    [
        (0x0, "good", "nothing"),
        (0x50000, "warning", "since the start"),
        (0x50005, "bad", "voltage"),
    ],
)
def test_a_weak_supply_is_told(bits: int, level: str, word: str) -> None:
    """As the Pi's firmware tells it, of now and of before."""
    finding = _throttled(bits)
    assert finding.level == level
    assert word in finding.detail


def test_another_port_can_be_named_and_the_supply_is_asked_for(
    desk: Desk, tmp_path: Path
) -> None:
    """Instead of the settings' port; the supply of the Pi's own program, if there."""
    program = tmp_path / "vcgencmd"
    program.write_text("#!/bin/sh\necho throttled=0x50005\n", encoding="utf-8")
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = desk.run("--json", "--port", str(desk.folder / "nothing"), PATH=path)
    assert done.returncode == 1
    found = {each["topic"]: each for each in json.loads(done.stdout)["findings"]}
    assert found["Power"]["level"] == found["Board"]["level"] == "bad"
    assert "nothing" in found["Board"]["detail"]
    assert found["Stills"]["level"] == "good"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("/usr/bin/minicom -D /dev/ttyUSB0", "minicom"),
        ("vim /home/ada/secret.txt", "vim"),
        (
            "/v/bin/python3 -m openflexure_timelapse serve",
            "python3 openflexure_timelapse",
        ),
        ("python3 /home/ada/scan.py --key=x", "python3 scan.py"),
        ("python3 -c secret()", "python3"),
        ("python3", "python3"),
        (HIDDEN, HIDDEN),
    ],
)
def test_a_program_is_told_by_its_name_alone(command: str, told: str) -> None:
    """Whoever reads the report must know what to end, and nothing else."""
    assert _program(command) == told


def test_names_are_taken_out_of_a_report() -> None:
    """Whole words only, and a table stays a table."""
    private = {"pi": "user", "/home/pi": "~", "lab-7": "this-computer"}
    told = "/home/pi/runs of pi on lab-7 | with picamera2\nand pi-gpio"
    report = report_of([Finding("Disk", "bad", told)], private)
    wanted = "~/runs of user on this-computer \\| with picamera2 and pi-gpio"
    assert f"| **bad** | Disk | {wanted} |" in report
    assert getpass.getuser()  # there is one to be taken out


@pytest.mark.parametrize(("total_mb", "level"), [(256, "good"), (64, "warning")])
def test_the_camera_s_memory_is_judged_by_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total_mb: int, level: str
) -> None:
    """What is not free may only be lent, and can be had back."""
    (tmp_path / "model").write_text("Raspberry Pi 4 Model B Rev 1.4\0")
    memory = f"CmaTotal: {total_mb * 1024} kB\nCmaFree: 3000 kB\n"
    (tmp_path / "memory").write_text(memory)
    monkeypatch.setattr(vitals, "MODEL", tmp_path / "model")
    monkeypatch.setattr(vitals, "MEMORY", tmp_path / "memory")
    findings = {each.topic: each for each in check_computer(tmp_path / "runs")}
    found = findings["Camera memory"]
    assert found.level == level
    assert "3 MB of it free" in found.detail


def test_a_sensor_that_is_slower_than_the_settings_is_well(folder: Path) -> None:
    """The HQ camera gives ten full frames in a second, whatever is wished for."""
    desk = Desk(folder, SensorShape(416, 312, shortest_frame_us=100_000))
    found = desk.findings("--stills", "12")["Live view"]
    desk.rig.close()
    assert found["level"] == "good"
    assert "10 wanted" in found["detail"]
