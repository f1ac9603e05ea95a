"""Runs for the tests of the commands."""

import shutil
import sys
import sysconfig
from pathlib import Path

import pytest
from command_line import written
from v3_site import LIBRARY, ROOT, SERVER, with_package

from openflexure_timelapse.cli import main
from openflexure_timelapse.console import install_v3 as install_module
from openflexure_timelapse.console.host_check import OWN


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


@pytest.fixture(name="v3_site")
def _v3_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a Python's package folder, of a microscope; the only one that counts."""
    site = tmp_path / "site"
    with_package(site, OWN, "0.1.0")
    with_package(site, LIBRARY, "0.3.0")
    with_package(site, SERVER, "3.0.0b1")
    standard = sysconfig.get_paths()["stdlib"]
    monkeypatch.setattr(sys, "path", [str(site), str(ROOT), standard])
    return site


@pytest.fixture(name="v3_root")
def _v3_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of a microscope without a server."""
    root = tmp_path / "var"
    (root / "settings").mkdir(parents=True)
    monkeypatch.setattr(install_module, "ROOT", root)
    return root
