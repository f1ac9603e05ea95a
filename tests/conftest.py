"""What holds for every test: no thread left behind, no hang, no chance of the draw."""

import faulthandler
import os
import threading
from typing import Iterator, List

import pytest
from hypothesis import HealthCheck, settings

# Long beyond any test on the slowest machine; a hang then shows every thread's stack
# and ends the run, since the tests after it would tell nothing.
HANG_S = 300

# Waits for the end of the process by design, once in it.
LIFELONG = ("timelapse-leave",)

# No test tells the people whom this computer's own file may name.
os.environ["OPENFLEXURE_TIMELAPSE_NOTIFY"] = ""

# A thread that was told to end may need a moment for its last line.
LAST_LINE_S = 5.0

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("developer", **COMMON)
settings.register_profile("ci", derandomize=True, print_blob=True, **COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the real standard error, which output capture hides during a test."""
    config.hang_report = os.fdopen(os.dup(2), "w")  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what `pytest_configure` opened."""
    config.hang_report.close()  # type: ignore[attr-defined]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Show where a test hangs, and end the run there."""
    report = item.config.hang_report  # type: ignore[attr-defined]
    faulthandler.dump_traceback_later(HANG_S, exit=True, file=report)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """Fail a test whose threads outlive it: they would work on during the next one."""
    before = set(threading.enumerate())
    yield
    left = _still_alive(before)
    if left:
        names = ", ".join(sorted(thread.name for thread in left))
        pytest.fail(f"The test left threads behind: {names}; end and join them.")


def _still_alive(before: "set[threading.Thread]") -> List[threading.Thread]:
    """Return the threads that are new and do not end by themselves."""
    new = [thread for thread in threading.enumerate() if thread not in before]
    new = [thread for thread in new if thread.name not in LIFELONG]
    for thread in new:
        thread.join(LAST_LINE_S)
    return [thread for thread in new if thread.is_alive()]
