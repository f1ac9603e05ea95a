"""Tests against a server's own library: only where that is installed."""

from importlib.util import find_spec
from pathlib import Path
from typing import Iterator, Optional

import pytest
from old_libraries import let_warn
from somebody import Somebody

NEEDS = {
    "v2": ("labthings", "server-v2"),
    "v3": ("labthings_fastapi", "server-v3"),
}
"""By the second word of a test file's name: a module, and the extra that brings it."""


class _Skipped(pytest.File):
    """A test file whose library is not there; `extra` would bring it."""

    extra = ""

    def collect(self) -> Iterator[pytest.Item]:
        """Skip it as a whole, and say how to have it."""
        told = f"needs the extra of its server: pip install '.[{self.extra}]'"
        pytest.skip(told, allow_module_level=True)


def pytest_configure(config: pytest.Config) -> None:
    """Let the libraries of server v2 warn of one another, also while they load."""
    let_warn(config)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> Optional[pytest.File]:
    """Collect a file as usual where its library is, else say that it is skipped."""
    module, extra = NEEDS.get(module_path.stem.split("_")[1], ("", ""))
    if not module or find_spec(module) is not None:
        return None
    skipped: _Skipped = _Skipped.from_parent(parent, path=module_path)
    skipped.extra = extra
    return skipped


@pytest.fixture(name="somebody")
def _somebody() -> Iterator[Somebody]:
    """Return another thread."""
    somebody = Somebody()
    yield somebody
    somebody.ends()


@pytest.fixture(name="another")
def _another() -> Iterator[Somebody]:
    """Return a third thread."""
    another = Somebody()
    yield another
    another.ends()
