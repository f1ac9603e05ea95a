"""The configuration file of a microscope without a server."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from openflexure_timelapse.errors import InvalidRequestError, NotFoundError
from openflexure_timelapse.hosts.direct.camera_settings import CameraSettings
from openflexure_timelapse.hosts.direct.config import (
    DirectSettings,
    config_path,
    parse_config,
    read_config,
)
from openflexure_timelapse.hosts.direct.stage_settings import StageSettings


def test_without_a_file_all_is_as_usual(tmp_path: Path) -> None:
    """Nobody has to write one."""
    assert read_config(tmp_path / "runs") == DirectSettings()


def test_the_file_is_looked_for_beside_the_data(tmp_path: Path) -> None:
    """So that it belongs to no run and is found by each command for that data."""
    data = tmp_path / "runs"
    assert config_path(data) == tmp_path / "direct.json"
    config_path(data).write_text('{"port": "/dev/ttyUSB7"}', "utf-8")
    assert read_config(data).port == "/dev/ttyUSB7"


def test_another_file_can_be_chosen_and_must_be_there(tmp_path: Path) -> None:
    """One that is missing is no reason to use other settings."""
    mine = tmp_path / "mine.json"
    mine.write_text('{"light_on": 0.5}', "utf-8")
    assert read_config(tmp_path / "runs", mine).light_on == 0.5
    with pytest.raises(NotFoundError, match="no configuration"):
        read_config(tmp_path / "runs", tmp_path / "other.json")


def test_every_setting_of_camera_and_stage_can_be_written() -> None:
    """In JSON, with lists for pairs; what is left out stays as usual."""
    found = parse_config(
        {
            "camera": {"size": [1640, 1232], "exposure_us": 10000, "buffers": 3},
            "stage": {
                "backlash_steps": [100, 150, 200],
                "inverted": [True, False, True],
            },
        }
    )
    assert found.camera == CameraSettings(
        size=(1640, 1232), exposure_us=10000.0, buffers=3
    )
    assert found.stage == StageSettings(
        backlash_steps=(100, 150, 200), inverted=(True, False, True)
    )


def test_all_usual_settings_written_out_are_the_usual_ones() -> None:
    """No field is forgotten between the file and the parts."""

    def told(part: Any) -> Any:
        return {each.name: getattr(part, each.name) for each in fields(part)}

    usual = DirectSettings()
    parts = {"camera": told(usual.camera), "stage": usual.stage.model_dump()}
    data = {**told(usual), **parts}
    assert parse_config(json.loads(json.dumps(data))) == usual


BAD = [
    ({"prot": "x"}, r"prot is not a known field; perhaps 'port' is meant"),
    ({"camera": {"bufers": 3}}, r"camera\.bufers .*perhaps 'buffers' is meant"),
    ({"stage": {"invert": []}}, r"stage\.invert .*perhaps 'inverted' is meant"),
    ({"light_on": 0}, r"light_on should be more than 0"),
    ({"camera": {"quality": "best"}}, r"camera\.quality should be a whole number"),
    ({"camera": {"stall_s": -1}}, r"stall_s is -1"),
    ({"stage": {"backlash_steps": [1, 2]}}, r"stage\.backlash_steps"),
]


@pytest.mark.parametrize(("data", "told"), BAD)
def test_what_is_wrong_is_told_by_its_name(data: Any, told: str) -> None:
    """A misspelt field is refused with the nearest one that is known."""
    with pytest.raises(InvalidRequestError) as caught:
        parse_config(data)
    assert re.search(told, str(caught.value)), caught.value


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"a": 1, "a": 2}', b"\xff", b"NaN"])
def test_what_is_no_json_object_is_told_with_the_file(
    tmp_path: Path, text: bytes
) -> None:
    """The message names the file, whatever is in it."""
    path = tmp_path / "direct.json"
    path.write_bytes(text)
    with pytest.raises(InvalidRequestError, match=re.escape(str(path))):
        read_config(tmp_path / "runs")
