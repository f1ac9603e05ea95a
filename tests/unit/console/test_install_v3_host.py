"""The installer for server v3: the Python it needs, its command and its check-up."""

import json
from dataclasses import replace
from pathlib import Path
from typing import List

import pytest
from v3_site import (
    ENTRY,
    LIBRARY,
    OTHER,
    PATCHED,
    SERVER,
    TRUE,
    said,
    with_package,
    without_package,
    written,
)

from openflexure_timelapse.cli import main
from openflexure_timelapse.console import doctor as doctor_module
from openflexure_timelapse.console.host_check import OWN, V3, check_host
from openflexure_timelapse.console.install_v3 import (
    NAME,
    install,
)
from openflexure_timelapse.errors import (
    TimelapseError,
)
from openflexure_timelapse.manifest import load_manifest

# -------------------------------------------------------------------- the right Python


@pytest.mark.parametrize("version", ["0.2.9", "0.3.0rc1"])
def test_an_old_library_is_refused(v3_site: Path, version: str) -> None:
    """Without the library, or with an old one, the right Python is told."""
    with_package(v3_site, LIBRARY, version)
    with pytest.raises(TimelapseError, match=r"needs 0\.3 or newer.*own Python"):
        check_host(ENTRY, V3)
    without_package(v3_site, LIBRARY)
    with pytest.raises(TimelapseError, match=r"has no labthings-fastapi.*--api v3"):
        check_host(ENTRY, V3)


@pytest.mark.parametrize("version", ["3.0.0a5", "3.0.0-alpha9", "3.0.0.dev4", "2.11.0"])
def test_an_old_server_is_refused(v3_site: Path, version: str) -> None:
    """A server before the first beta is told to be upgraded."""
    with_package(v3_site, SERVER, version)
    with pytest.raises(TimelapseError, match="upgrade the microscope"):
        check_host(ENTRY, V3)


@pytest.mark.parametrize(
    "version", ["3.0.0b1", "3.0.0-beta2", "3.0.0rc1", "3.0", "3.1"]
)
def test_a_newer_server_will_do(v3_site: Path, version: str) -> None:
    """The first beta and whatever comes after it is fine."""
    with_package(v3_site, SERVER, version)
    assert check_host(ENTRY, V3) == ()


def test_what_the_server_would_not_load_is_refused(
    v3_site: Path, tmp_path: Path
) -> None:
    """An old Python, no package, no class: said before the file is touched."""
    path = written(tmp_path / "ofm_config.json", PATCHED)
    old = replace(ENTRY, python=">=4.0")
    lost = replace(ENTRY, entry_point="openflexure_timelapse.manifest:No")
    for entry, told in ((old, "is too old"), (lost, "cannot be loaded")):
        with pytest.raises(TimelapseError, match=told):
            install(path, entry)
    without_package(v3_site, SERVER)
    (warning,) = check_host(ENTRY, V3)
    assert "right for development" in warning
    without_package(v3_site, OWN)
    with pytest.raises(TimelapseError, match="not installed"):
        install(path, ENTRY)
    assert said(path) == PATCHED


# ------------------------------------------------------- the command line, the check-up


def test_undo_on_the_command_line(
    v3_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is tolerant of absence, and needs nothing of the server."""
    command = ["install", "--api", "v3", "--undo"]
    assert main(command) == 0
    assert "There is nothing to undo" in capsys.readouterr().out
    path = v3_root / "settings" / "ofm_config.json"
    written(path, {"patch": {"things": {NAME: TRUE.entry_point}}})
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert f"Removed the Thing timelapse: {path}" in printed
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"done": "nothing", "path": str(path), "warnings": []}
    assert main(["install", "--api", "v3", "--folder", str(v3_root / "no.json")]) == 2
    assert "looked for" in capsys.readouterr().err


@pytest.mark.usefixtures("v3_site")
def test_the_check_up_tells_of_the_server(
    v3_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing without a server; else whether the Thing is there, ours, and loads."""
    entry = [ENTRY]

    def found() -> List[str]:
        findings = doctor_module.examine(tmp_path / "data")
        return [item.level for item in findings if item.topic == "Server v3"]

    monkeypatch.setattr(
        doctor_module,
        "load_manifest",
        lambda: replace(load_manifest(), hosts={"v3": entry[0]}),
    )
    monkeypatch.setattr(doctor_module, "extension_folders", lambda _: [])
    assert found() == []
    path = written(v3_root / "settings" / "ofm_config.json", PATCHED)
    assert found() == ["warning"]
    install(path, ENTRY)
    assert found() == ["good"]
    entry[0] = replace(ENTRY, python=">=4.0")
    assert found() == ["warning"]
    written(path, {"patch": {"things": {NAME: OTHER}}})
    assert found() == ["bad"]
    path.write_text("{", encoding="utf-8")
    assert found() == ["bad"]
