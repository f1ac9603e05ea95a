"""The rig as a program: it has the world while a command runs."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from hardware_sim.camera_feed import SensorShape
from hardware_sim.direct_rig import DirectRig, main


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    """Return a folder with a short name, as sockets need it."""
    folder = Path(tempfile.mkdtemp(prefix="rig-"))
    yield folder
    shutil.rmtree(folder)


def test_a_command_finds_its_configuration(folder: Path) -> None:
    """Beside the data, where every command looks; its exit code is the program's."""
    at = ["--folder", str(folder), "--sensor", "416x312", "--"]
    assert main([*at, "runs", str(folder)]) == 0
    assert main([*at, "show", str(folder / "no-run")]) != 0
    config = json.loads((folder / "direct.json").read_text("utf-8"))
    assert config["port"] == str(folder / "sangaboard")
    assert len(config["stage"]["step_um"]) == 3
    assert not (folder / "camera").exists()


def test_wrong_use_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A command is needed, and a sensor has two sides."""
    for words in ([], ["--sensor", "wide", "--", "runs"]):
        with pytest.raises(SystemExit) as caught:
            main(["--folder", str(folder), *words])
        assert caught.value.code == 2
    told = capsys.readouterr().err
    assert "after --" in told
    assert "for example 1640x1232" in told


def test_what_was_made_is_taken_away(folder: Path) -> None:
    """Neither socket nor port is left for the next one to stumble over."""
    for _ in range(2):
        rig = DirectRig(folder, "empty", shape=SensorShape(416, 312))
        assert (folder / "camera").is_socket()
        assert rig.environ({})["OPENFLEXURE_SIMULATED_CAMERA"] == str(folder / "camera")
        assert rig.config(light_on=0.5)["light_on"] == 0.5
        rig.close()
        assert not (folder / "camera").exists()
        assert not (folder / "sangaboard").exists()
