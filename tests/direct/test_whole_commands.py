"""`record --microscope direct` and `serve`, whole, over the unmodified libraries.

Not on a Raspberry Pi: the camera is `hardware_sim.fake_libcamera`, the board a
pseudo-terminal.
"""

import contextlib
import json
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterator

import httpx2
import labthings_fastapi as lt
import piexif
import pytest
from whole_rig import Desk, Systemd

import openflexure_timelapse.console.serve as console
from openflexure_timelapse.cli import main
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify

PLAN: Dict[str, Any] = {
    "name": "whole",
    "interval_s": 1,
    "frames": 4,
    "settle_s": 0.1,
    "keep_free_mb": 0,
    "late": "catch_up",  # on a slow machine too each slot has its frame
    "catch_up_slots": 1000,
    "positions": [
        {"name": "a", "x": 0, "y": 0, "z": 0},
        {"name": "b", "x": 150, "y": 0, "z": 0},
    ],
    "light": "only_while_capturing",
    "movie": None,
}


@pytest.fixture(name="desk")
def _desk() -> Iterator[Desk]:
    """Return a microscope that is not there, in a folder with a short name."""
    folder = Path(tempfile.mkdtemp(prefix="desk-"))
    desk = Desk(folder)
    yield desk
    desk.close()
    shutil.rmtree(folder)


def plan_file(desk: Desk, **more: Any) -> str:
    """Write a plan."""
    path = desk.folder / "plan.json"
    path.write_text(json.dumps({**PLAN, **more}), "utf-8")
    return str(path)


def record(desk: Desk, *words: str) -> Any:
    """Run `record` on the direct microscope."""
    direct = ("--microscope", "direct", "--out", str(desk.runs))
    return desk.run("record", *words, *direct)


def test_record_makes_a_run(desk: Desk) -> None:
    """Every slot has its frames, and each frame what the camera told of it."""
    focus = {"every": 4, "range": 1600}
    how = {"frames": 2, "autofocus": focus, "positions": PLAN["positions"][:1]}
    done = record(desk, plan_file(desk, **how))
    assert done.returncode == 0, done.stderr
    folder = Path(json.loads(done.stdout)["folder"])
    assert verify(folder).ok
    with RunStore.open_read(folder) as store:
        header, frames = store.header, store.frames(0, 100)
        visits = store.visits(0, 100)
    assert header["microscope"]["host"] == "direct"
    assert header["microscope"]["board"]["firmware"]
    assert [frame.draft.slot for frame in frames] == [0, 1]
    assert len({frame.draft.metadata["exposure_us"] for frame in frames}) == 1
    assert all(frame.draft.metadata["libcamera"] for frame in frames)
    assert all(not frame.draft.flags for frame in frames)
    assert [visit.slot for visit in visits if visit.focus is not None] == [0]
    exif = piexif.load(str(folder / frames[0].file))["Exif"]
    told = json.loads(exif[piexif.ExifIFD.UserComment])
    assert told["instrument"]["state"]["stage"]["position"]["x"] == 0
    assert desk.rig.sim.light.level() > 0


def test_record_goes_on_after_a_kill(desk: Desk) -> None:
    """Killed with the lamp lit, the run is taken up by `record --resume`, whole."""
    words = ("--microscope", "direct", "--out", str(desk.runs))
    command = desk.command("record", plan_file(desk), *words)
    process = subprocess.Popen(
        command, env=desk.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    while len(list(desk.runs.glob("*/frames/*/*.jpeg"))) < 3:  # two are acknowledged
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    (folder,) = (path.parent for path in desk.runs.glob("*/run.json"))
    with RunStore.open_read(folder) as store:
        files = [folder / frame.file for frame in store.frames(0, 100)]
    before = {path: path.read_bytes() for path in files}
    done = record(desk, "--resume")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["status"]["end_reason"] == "completed"
    assert sum(told["status"]["counts"].values()) == PLAN["frames"]
    assert verify(Path(told["folder"])).ok
    assert len(before) >= 2
    assert all(path.read_bytes() == data for path, data in before.items())


def test_what_ctrl_c_tells_goes_on_with_the_run(desk: Desk) -> None:
    """The command is for this microscope; on a simulated one nothing goes on."""
    words = ("--microscope", "direct", "--out", str(desk.runs))
    *command, _ = desk.command("record", plan_file(desk), *words)
    process = subprocess.Popen(
        command, env=desk.environ(COLUMNS="1000"), stdout=subprocess.PIPE, text=True
    )
    while not list(desk.runs.glob("*/frames/*/*.jpeg")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate()
    assert process.returncode == 1
    simulated = desk.run("record", "--resume", "--out", str(desk.runs))
    assert (simulated.returncode, "direct" in simulated.stderr) == (2, True)
    _, _, advice = told.partition("go on with: openflexure-timelapse ")
    done = desk.run(*shlex.split(advice))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"]["end_reason"] == "completed"


def test_serve_leaves_a_run_to_the_next_start(desk: Desk) -> None:
    """SIGTERM ends it in order; the next server goes on with the run by itself."""
    systemd = Systemd(desk.folder / "notify")
    # Seldom: the kernel keeps ten messages that nobody has read.
    watched = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "20000000"}
    with contextlib.closing(systemd.line), desk.serving(**watched) as served:
        words = systemd.hears_until("READY=1")
        run = served.visitor.post("start", {**PLAN, "frames": 6})["run"]
        systemd.hears_until("WATCHDOG=1")
        served.visitor.until(
            f"runs/{run}/frames", lambda told: len(told["frames"]) >= 2
        )
        assert served.end(signal.SIGTERM) == 0
        assert "STOPPING=1" in systemd.hears_until("STOPPING=1")
    assert not any(word.startswith("STOPPING") for word in words)
    with desk.serving() as served:
        status = served.visitor.wait_for("ended")
        assert (status["run_id"], status["end_reason"]) == (run, "completed")
        counts = status["counts"]
        assert served.end() == 0
    assert counts["failed"] == 0
    assert sum(counts.values()) == 6
    assert verify(desk.runs / run).ok


def test_one_ctrl_c_ends_it_in_order(desk: Desk) -> None:
    """Nothing is broken off, and there is nothing to tell."""
    with desk.serving() as served:
        served.process.send_signal(signal.SIGINT)
        _, errors = served.process.communicate()
    assert (served.process.returncode, errors) == (0, b"")


def test_a_signal_while_the_hardware_is_opened_is_heard(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera may need long to start; the server then does not begin to serve."""
    served = []

    class Serving:
        def __init__(self, *_: object) -> None:
            pass

        def run(self) -> None:
            served.append(self)

    @contextlib.contextmanager
    def opened(*_: object) -> Iterator[Any]:
        signal.raise_signal(signal.SIGTERM)
        yield SimpleNamespace(microscope=None, clock=None, settings=None)

    server = SimpleNamespace(create=lambda *_: None, Serving=Serving)
    monkeypatch.setattr(console, "module_of", lambda _: server)
    monkeypatch.setattr(console, "opened", opened)
    assert main(["serve", "--data", str(desk.runs), "--port", "0"]) == 0
    assert served == []


def test_people_and_a_run_share_the_microscope(desk: Desk) -> None:
    """A script's client moves the stage between two visits, and the run goes on."""
    with desk.serving() as served, contextlib.closing(
        httpx2.Client(base_url=served.url, timeout=60)
    ) as client:
        at = f"{served.url}/api/v3"
        stage = lt.ThingClient.from_url(f"{at}/stage/", client)
        camera = lt.ThingClient.from_url(f"{at}/camera/", client)
        run = served.visitor.post("start", {**PLAN, "interval_s": 4, "frames": 2})[
            "run"
        ]
        served.visitor.until(
            f"runs/{run}/frames", lambda told: len(told["frames"]) == 2
        )
        stage.move_relative(z=30)
        assert camera.capture(retain_image=False).content.startswith(b"\xff\xd8")
        assert served.visitor.wait_for("ended")["end_reason"] == "completed"
        # What a person measured counts where the configuration says nothing.
        visitor = served.visitor
        assert visitor.get("microscope")["camera"]["um_per_pixel"] is None
        measured = {"um_per_pixel": 0.25}
        assert visitor.ask("PUT", "preferences", measured).code == 200
        assert visitor.get("microscope")["camera"]["um_per_pixel"] == 0.25
        frames = served.visitor.get(f"runs/{run}/frames")["frames"]
        assert [frame["metadata"]["exposure_us"] for frame in frames]
        assert {frame["z"] for frame in frames} == {0}
        assert served.end(signal.SIGINT) == 0


def test_one_program_has_the_hardware(desk: Desk) -> None:
    """A second one is refused, and told who has it."""
    with desk.serving() as served:
        done = record(desk, plan_file(desk))
        assert done.returncode == 1
        assert f"process {served.process.pid}" in done.stderr
        assert served.end() == 0


def test_a_board_that_is_not_there_is_a_sentence(desk: Desk) -> None:
    """With what to do; and nothing of a camera is left behind."""
    config = {**desk.rig.config(), "port": str(desk.folder / "nothing")}
    desk.configure(**config)
    done = record(desk, plan_file(desk))
    assert done.returncode == 1
    assert done.stderr.startswith("openflexure-timelapse: ")
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_real_microscope_has_no_speed(desk: Desk) -> None:
    """Whoever asks for one has forgotten which microscope it is."""
    done = record(desk, plan_file(desk), "--speed", "10")
    assert done.returncode == 2
    assert "--microscope sim" in done.stderr


def test_a_misspelt_setting_is_wrong_use(desk: Desk) -> None:
    """It is told before anything is opened, with the name that is meant."""
    desk.configure(camra={})
    for words in (
        ["serve", "--data"],
        ["record", "x", "--microscope", "direct", "--out"],
    ):
        plan = plan_file(desk)
        done = desk.run(
            *(plan if word == "x" else word for word in words), str(desk.runs)
        )
        assert done.returncode == 2
        assert "perhaps 'camera' is meant" in done.stderr


def test_the_unit_says_what_was_asked(desk: Desk) -> None:
    """A person saves it and has a server that starts with the computer."""
    done = desk.run("serve", "--data", str(desk.runs), "--host", "0.0.0.0", "--unit")  # noqa: S104 (what a person would type)
    unit = json.loads(done.stdout)["unit"]
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert command.endswith(f"--data {desk.runs} --host 0.0.0.0 --port 5000")
    for line in ("Type=notify", "WatchdogSec=60", "WantedBy=multi-user.target"):
        assert line in unit


def test_a_folder_with_signs_of_systemd_is_found(desk: Desk) -> None:
    """Per cent, dollar and backslash mean something to systemd, and a folder to us."""
    done = desk.run("serve", "--data", "/a 100%/${HOME}/b\\n", "--unit")
    unit = json.loads(done.stdout)["unit"]
    assert "--data '/a 100%%/$${HOME}/b\\\\n'" in unit
