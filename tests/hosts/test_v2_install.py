"""The installed loader, as the real labthings finds and loads it."""

import json
import logging
import sys
from pathlib import Path

import pytest
from labthings.extensions import find_extensions

from openflexure_timelapse.cli import main
from openflexure_timelapse.console.install_v2 import LOADER, loader_text
from openflexure_timelapse.hosts.v2 import NAME, TimelapseExtension
from openflexure_timelapse.manifest import load_manifest

ENTRY = load_manifest().hosts["v2"]
OTHER = """
from labthings.extensions import BaseExtension

class Other(BaseExtension):
    def __init__(self):
        super().__init__("org.example.other")

LABTHINGS_EXTENSIONS = (Other,)
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an extension folder that has started once; without cached bytes in it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    # labthings puts each file it loads under this name.
    monkeypatch.setitem(sys.modules, "extensions", sys)
    folder = tmp_path / "extensions" / "microscope_extensions"
    folder.mkdir(parents=True)
    (folder / "defaults.py").write_text(OTHER, encoding="utf-8")
    return folder


def test_the_server_finds_what_was_installed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command writes a loader that labthings loads beside the server's own."""
    command = ["install", "--api", "v2", "--folder", str(tmp_path)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert f"Installed: {folder / LOADER}" in printed
    assert "there is a tab Time-lapse" in printed
    found = {extension.name: extension for extension in find_extensions(str(folder))}
    assert sorted(found) == ["org.example.other", NAME]
    assert isinstance(found[NAME], TimelapseExtension)
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == "unchanged"
    assert main([*command, "--undo"]) == 0
    (left,) = find_extensions(str(folder))
    assert left.name == "org.example.other"


BROKEN = {
    "ends the program": "raise SystemExit(1)",
    "lacks what it needs": "import no_such_module_at_all",
    "has no class": "",
    "is half written": "class TimelapseExtension(",
    "raises": "1 / 0",
}


@pytest.fixture(name="package")
def _package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put another package in the place of ours; return its module of server v2."""
    (folder / LOADER).write_text(loader_text(ENTRY), encoding="utf-8")
    package = folder.parent / "openflexure_timelapse"
    (package / "hosts").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "hosts" / "__init__.py").touch()
    for name in list(sys.modules):
        if name.split(".")[0] == "openflexure_timelapse":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(folder.parent))
    return package / "hosts" / "v2.py"


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_broken_package_does_not_stop_the_server(
    folder: Path, package: Path, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    """Whatever it does when it is imported, the log tells it and the others load."""
    package.write_text(BROKEN[case], encoding="utf-8")
    with caplog.at_level(logging.ERROR):
        (found,) = find_extensions(str(folder))
    assert found.name == "org.example.other"
    assert "everything else works" in caplog.text
    assert LOADER in caplog.text


def test_ctrl_c_is_not_eaten(folder: Path, package: Path) -> None:
    """A person who interrupts a server while it starts is obeyed."""
    package.write_text("raise KeyboardInterrupt", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        find_extensions(str(folder))
