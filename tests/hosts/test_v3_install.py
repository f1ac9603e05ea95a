"""What the installer writes, as the real labthings-fastapi reads it."""

import inspect
import json
from pathlib import Path
from typing import Any

import labthings_fastapi as lt
import pytest
from labthings_fastapi.server import cli
from labthings_fastapi.server.config_model import ThingConfig, ThingServerConfig

from openflexure_timelapse.cli import main
from openflexure_timelapse.console.install_v3 import NAME
from openflexure_timelapse.console.v3_entry import ARGUMENTS, KEYS, SLOTS
from openflexure_timelapse.hosts.v3 import TimelapseThing

PREFIX = "/api/v3"


def merged(target: Any, patch: Any) -> Any:
    """Return a JSON document with a merge patch applied, as RFC 7396 has it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def whole(folder: Path, things: Any) -> dict[str, Any]:
    """Return a configuration that needs nothing else."""
    return {
        "things": things,
        "settings_folder": str(folder / "settings"),
        "api_prefix": PREFIX,
        "enable_global_lock": True,
        "application_config": {
            "data_folder": str(folder / "data"),
            "log_folder": str(folder / "logs"),
        },
    }


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """Return a whole configuration, as for a plain labthings-server."""
    path = tmp_path / "server.json"
    other = {"lamp": {"class": "labthings_fastapi:Thing"}}
    path.write_text(json.dumps(whole(tmp_path, other), indent=2), encoding="utf-8")
    return path


def of_file(path: Path) -> ThingServerConfig:
    """Return a configuration as the library's own command reads it."""
    return cli.config_from_args(cli.parse_args(["--config", str(path)]))


def check_served(config: ThingServerConfig) -> None:
    """Start a server and ask the Thing for its status and its page."""
    server = lt.ThingServer(config)
    assert list(server.things)[-1] == NAME
    assert isinstance(server.things[NAME], TimelapseThing)
    with server.test_client() as client:
        status = client.get(f"{PREFIX}/{NAME}/status")
        assert status.status_code == 200, status.text
        assert client.get(f"{PREFIX}/{NAME}/page/").status_code == 200


def test_a_plain_server_has_the_thing(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Installed, it is served; with undo the file is as it was, to the byte."""
    before = path.read_bytes()
    command = ["install", "--api", "v3", "--folder", str(path)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert f"{PREFIX}/{NAME}/page/" in printed
    check_served(of_file(path))
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == "unchanged"
    assert main([*command, "--undo"]) == 0
    assert path.read_bytes() == before
    assert list(of_file(path).things) == ["lamp"]


def test_a_patched_server_has_the_thing(path: Path) -> None:
    """The patch adds it after the base's Things, and takes it out again."""
    patch = path.with_name("ofm_config.json")
    text = json.dumps({"base_config_file": path.name, "patch": {"x": None}})
    patch.write_text(text, encoding="utf-8")
    base = path.read_bytes()
    command = ["install", "--api", "v3", "--folder", str(path.parent)]

    def config() -> Any:
        told = json.loads(patch.read_text(encoding="utf-8"))
        assert told["base_config_file"] == path.name
        return merged(json.loads(base), told["patch"])

    assert main(command) == 0
    check_served(ThingServerConfig.model_validate(config()))
    assert path.read_bytes() == base
    assert main([*command, "--undo"]) == 0
    assert config() == json.loads(base)
    assert patch.read_text(encoding="utf-8") == text


def test_the_installer_knows_the_things_names() -> None:
    """Its arguments, its slots, and what the library reads of an entry."""
    named = inspect.signature(TimelapseThing.__init__).parameters.values()
    only = [each.name for each in named if each.kind is each.KEYWORD_ONLY]
    assert sorted(only) == sorted(ARGUMENTS)
    slots = [
        name
        for name, value in vars(TimelapseThing).items()
        if type(value).__name__ == "ThingSlot"
    ]
    assert sorted(slots) == sorted(SLOTS)
    aliases = ThingConfig.model_fields["cls"].validation_alias.choices
    assert set(KEYS) == {*ThingConfig.model_fields, *aliases}
