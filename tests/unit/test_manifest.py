"""The manifest says what is true of the package."""

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any, Dict

import pytest

from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.manifest import HostEntry, load_manifest

try:
    import tomllib
except ImportError:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT: Dict[str, Any] = tomllib.loads(
    (ROOT / "pyproject.toml").read_text(encoding="utf-8")
)["project"]
TRUE: Dict[str, Any] = json.loads((ROOT / "manifest.json").read_text(encoding="utf-8"))
HOSTS = sorted(load_manifest().hosts.items())


def test_it_agrees_with_the_package() -> None:
    """Version, Python, licence and description are those of pyproject.toml."""
    manifest = load_manifest()
    assert manifest.version == PROJECT["version"]
    assert manifest.python == PROJECT["requires-python"]
    assert manifest.licence == PROJECT["license"]["text"]
    assert manifest.description == PROJECT["description"]


def test_it_names_both_servers_and_four_parts() -> None:
    """A host finds its own entry, and what of the microscope is used."""
    manifest = load_manifest()
    assert sorted(manifest.hosts) == ["v2", "v3"]
    assert sorted(manifest.uses) == ["autofocus", "camera", "illumination", "stage"]
    assert manifest.id == "org.openflexure.timelapse"


@pytest.mark.parametrize(("name", "host"), HOSTS)
def test_each_extra_brings_the_server(name: str, host: HostEntry) -> None:
    """The extra exists and asks for the server library at its minimum version."""
    library = {"v2": "labthings", "v3": "labthings-fastapi"}[name]
    requirement, *_ = PROJECT["optional-dependencies"][host.extra]
    version = host.minimum_versions[library]
    assert requirement.split(";")[0] in {
        f"{library}=={version}",
        f"{library}>={version}",
    }
    floor = host.python[len(">=") :]
    assert host.python == PROJECT["requires-python"] or f"'{floor}'" in requirement


@pytest.mark.parametrize(("name", "host"), HOSTS)
def test_planned_means_not_there_yet(name: str, host: HostEntry) -> None:
    """An entry is planned exactly as long as its module does not exist."""
    module = host.entry_point.split(":")[0]
    there = importlib.util.find_spec(module) is not None
    assert host.status == ("ready" if there else "planned"), name


@pytest.mark.parametrize(("name", "host"), HOSTS)
def test_a_ready_entry_point_is_a_class(name: str, host: HostEntry) -> None:
    """What a host is told to load can be loaded, where the host's library is."""
    module, class_name = host.entry_point.split(":")
    if host.status == "planned":
        assert class_name.startswith("Timelapse"), name
        return
    library = {"v2": "labthings", "v3": "labthings_fastapi"}[name]
    pytest.importorskip(library)
    assert isinstance(getattr(importlib.import_module(module), class_name), type)


BAD = {
    "missing key": {key: TRUE[key] for key in TRUE if key != "title"},
    "no hosts": {key: TRUE[key] for key in TRUE if key != "hosts"},
    "unknown key": dict(TRUE, titel="Time-lapse"),
    "unknown need": dict(TRUE, uses={"camera": "sometimes"}),
    "unknown status": dict(
        TRUE, hosts={"v2": dict(TRUE["hosts"]["v2"], status="soon")}
    ),
    "not an object": ["v2", "v3"],
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_a_bad_manifest_is_refused(case: str, tmp_path: Path) -> None:
    """A manifest with a wrong key or value is an error that names the file."""
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(BAD[case]), encoding="utf-8")
    with pytest.raises(TimelapseError, match=r"manifest\.json.*install the package"):
        load_manifest(path)


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    """A manifest that is not there is an error that says what to do."""
    with pytest.raises(TimelapseError, match="install the package again"):
        load_manifest(tmp_path / "manifest.json")
