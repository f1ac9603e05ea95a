"""A plan's file: what a person writes is read as meant, or refused in a sentence."""

from pathlib import Path
from typing import Dict, Tuple

import pytest

from openflexure_timelapse.console.plan_file import read_plan
from openflexure_timelapse.errors import InvalidPlanError, NotFoundError

REFUSED: Dict[str, Tuple[bytes, str]] = {
    "deep": (b"[" * 100_000, "nested too deeply"),
    "deep inside": (b'{"a":' * 100_000, "nested too deeply"),
    "a name twice": (b'{"name": "a", "frames": 3, "frames": 4}', "'frames' twice"),
    "a name twice below": (b'{"movie": {"fps": 1, "fps": 2}}', "'fps' twice"),
    "5000 digits": (b'{"interval_s": ' + b"9" * 5000 + b"}", "number of 5000 digits"),
    "a list": (b"[1]", "must be a JSON object"),
    "no text": (b"\xff\xfe{}", "is not JSON"),
    "no JSON": (b"{'a': 1}", "is not JSON"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """A file that has no one meaning is refused in our own words."""
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(InvalidPlanError, match=words):
        read_plan(path)


def test_a_byte_order_mark_is_no_part_of_the_plan(tmp_path: Path) -> None:
    """A plan saved by Windows' editor is read like any other."""
    path = tmp_path / "plan.json"
    path.write_bytes('\ufeff{"name": "Sjö"}'.encode())
    assert read_plan(path) == {"name": "Sjö"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A name that leads nowhere is told with the name."""
    with pytest.raises(NotFoundError, match=r"no-plan\.json cannot be read"):
        read_plan(tmp_path / "no-plan.json")
