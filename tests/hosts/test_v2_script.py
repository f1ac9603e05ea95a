"""The script of every host, against server v2."""

import json
from pathlib import Path
from typing import Iterator

import pytest
from script import Visitor, drive

from hardware_sim.v2_server import RunningServer, create
from openflexure_timelapse.hosts.v2 import TimelapseExtension

ANSWERS = Path(__file__).with_name("answers.json")
SPEED = 20.0
SMALL = [832, 624]


@pytest.fixture(name="visitor")
def _visitor(tmp_path: Path) -> Iterator[Visitor]:
    extension = TimelapseExtension()
    server = create(tmp_path, "beads", 1, SPEED, extensions=[extension])
    server.microscope.camera.image_resolution = SMALL
    running = RunningServer(server.app)
    yield Visitor(f"{running.url}/api/v2/extensions/org.openflexure.timelapse")
    running.close()
    extension.verbs.close()
    server.close()


def test_the_script_gets_the_answers_of_every_host(visitor: Visitor) -> None:
    """Every verb of the design, the same form of answers under each server."""
    seen = json.loads(json.dumps(drive(visitor)))
    expected = json.loads(ANSWERS.read_text("utf-8"))
    assert sorted(seen) == sorted(expected)
    for name, answer in seen.items():
        assert answer == expected[name], name
