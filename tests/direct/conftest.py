"""Tests of the microscope without a server; they share rigs with those of the hosts."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Iterator, Optional

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "hosts"))

from somebody import Somebody

BOARD = ("sangaboard", "direct")
CAMERA = ("picamera2", "direct")
SERVER = ("labthings_fastapi", "server-v3")
NEEDS = {
    "board": (BOARD,),
    "direct": (BOARD,),
    "doctor": (BOARD, CAMERA),
    "kept": (BOARD,),
    "serve": (BOARD, SERVER),
    "whole": (BOARD, CAMERA, SERVER),
}
"""By the second word of a test file's name: modules, and the extras that bring them."""


class _Skipped(pytest.File):
    """A test file whose library is not there; `extra` would bring it."""

    extra = ""

    def collect(self) -> Iterator[pytest.Item]:
        """Skip it as a whole, and say how to have it."""
        told = f"needs an extra: pip install '.[{self.extra}]'"
        pytest.skip(told, allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> Optional[pytest.File]:
    """Collect a file as usual where its library is, else say that it is skipped."""
    needed = NEEDS.get(module_path.stem.split("_")[1], ())
    missing = [extra for module, extra in needed if find_spec(module) is None]
    if not missing:
        return None
    skipped: _Skipped = _Skipped.from_parent(parent, path=module_path)
    skipped.extra = ",".join(sorted(set(missing)))
    return skipped


@pytest.fixture(name="somebody")
def _somebody() -> Iterator[Somebody]:
    """Return another thread."""
    somebody = Somebody()
    yield somebody
    somebody.ends()
