"""Runs for the tests of the commands."""

import shutil
from pathlib import Path

import pytest
from command_line import written

from openflexure_timelapse.cli import main


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
