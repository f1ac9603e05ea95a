"""Places and runs for the tests of the commands."""

import shutil
from pathlib import Path

import pytest
from command_line import written

from openflexure_timelapse.cli import main
from openflexure_timelapse.console import install_v3 as install_module


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of a microscope without a server."""
    root = tmp_path / "var"
    (root / "settings").mkdir(parents=True)
    monkeypatch.setattr(install_module, "ROOT", root)
    return root


@pytest.fixture(scope="module", name="recorded")
def _recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record one run and return its folder."""
    folder = tmp_path_factory.mktemp("data")
    out = folder / "runs"
    arguments = ["record", written(folder), "--out", str(out), "--speed", "max"]
    assert main(arguments) == 0
    (run,) = (path.parent for path in out.glob("*/run.json"))
    return run


@pytest.fixture(name="copied")
def _copied(recorded: Path, tmp_path: Path) -> Path:
    """Return a copy of the run that a test may damage."""
    copy = tmp_path / recorded.name
    shutil.copytree(str(recorded), str(copy))
    return copy
