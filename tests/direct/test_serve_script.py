"""The script of every host, against the server without OpenFlexure's."""

import json
from pathlib import Path

from script import drive
from serve_rig import Rig

ANSWERS = Path(__file__).resolve().parent.parent / "hosts" / "answers.json"


def test_the_script_gets_the_answers_of_every_host(tmp_path: Path) -> None:
    """Every verb of the design, the same form of answers as under each server."""
    rig = Rig(tmp_path)
    seen = json.loads(json.dumps(drive(rig.visitor)))
    rig.close()
    expected = json.loads(ANSWERS.read_text("utf-8"))
    assert sorted(seen) == sorted(expected)
    for name, answer in seen.items():
        assert answer == expected[name], name
