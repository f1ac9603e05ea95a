"""The page in a real browser, before the simulated server that this environment has.

Needed: playwright for Python and a ``chromium`` on the PATH; each test is skipped, and
says so, where one of them is missing. ``TIMELAPSE_SCREENSHOTS`` names a folder for
pictures; ``TIMELAPSE_AXE`` the file ``axe.min.js`` for the audit.
"""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Iterator, List

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "hosts"))

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 60_000
PANEL = {"width": 300, "height": 800}
"""The column of OpenFlexure Connect that shows the page."""


def _missing() -> str:
    """Return what keeps these tests from running; empty for nothing."""
    if find_spec("playwright") is None:
        return "needs playwright: pip install playwright"
    if CHROMIUM is None:
        return "needs a browser: apt install chromium"
    if find_spec("labthings") is None and find_spec("labthings_fastapi") is None:
        return "needs a server: pip install '.[server-v2]' or '.[server-v3]'"
    return ""


def pytest_configure(config: pytest.Config) -> None:
    """Let the libraries of server v2 warn of one another, where they are."""
    from old_libraries import let_warn  # noqa: PLC0415 - on the path by now

    let_warn(config)


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Skip the tests of this folder where they cannot run."""
    missing = _missing()
    here = Path(__file__).resolve().parent
    for item in items:
        if missing and here in Path(str(item.fspath)).parents:
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(name="browser", scope="session")
def _browser() -> Iterator[Any]:
    """Start the browser once."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - may be missing

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


class Stand:
    """A server, and how to end it and start it again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.data = folder / "openflexure" / "data" / "timelapse"
        self._rig: Any = None
        self.start()

    def start(self) -> None:
        """Start the server on its folder, at its address from before."""
        if find_spec("labthings") is not None:
            from v2_rig import started  # noqa: PLC0415 - one of both is missing
        else:
            from thing_rig import started  # noqa: PLC0415
        before = self._rig
        port = 0
        if before is not None:
            port = int(before.visitor.address.split(":")[2].split("/")[0])
        self._rig = started(self._folder, port=port)
        self.visitor = self._rig.visitor
        self.page_address = f"{self.visitor.address}/page/"

    def close(self) -> None:
        """End the server as a restart does."""
        self._rig.close()

    def ran(self, **plan: Any) -> str:
        """Return the id of a run that has ended."""
        run = self.begun(**plan)
        self.visitor.wait_for("ended")
        return run

    def begun(self, **plan: Any) -> str:
        """Return the id of a run that is under way."""
        usual = {"name": "beads", "interval_s": 5, "frames": 6, "movie": None}
        # On a slow machine too each slot has its frame.
        late = {"late": "catch_up", "catch_up_slots": 1000, "keep_free_mb": 0}
        run: str = self.visitor.post("start", {**usual, **late, **plan})["run"]
        return run


@pytest.fixture(name="stand")
def _stand(tmp_path: Path) -> Iterator[Stand]:
    """Start a server."""
    stand = Stand(tmp_path / "server")
    yield stand
    stand.close()


class Visit:
    """A browser's tab, and what its console said."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        options.setdefault("viewport", PANEL)
        self.context = browser.new_context(accept_downloads=True, **options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.address = address
        self.errors: List[str] = []
        self._expected: List[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _hear(self, message: Any) -> None:
        """Keep what the console says of errors."""
        where = str(message.location.get("url", ""))
        if message.type == "error":
            self.errors.append(f"{message.text} {where}")

    def expect(self, part: str = "Failed to load resource") -> None:
        """Have an error be what is wanted, also one that the browser tells late."""
        self._expected.append(part)

    def surprises(self) -> List[str]:
        """Return the errors that nobody expects."""
        expected = self._expected
        return [each for each in self.errors if not any(p in each for p in expected)]

    def open(self, view: str = "") -> Any:
        """Open the page, and one of its views."""
        self.page.goto(self.address)
        self.page.wait_for_selector("#first", state="hidden")
        if view:
            self.page.click(f"[data-view={view}]")
        return self.page

    def keep(self, name: str) -> None:
        """Take a picture, where pictures are wanted."""
        folder = os.environ.get("TIMELAPSE_SCREENSHOTS")
        if folder:
            Path(folder, f"{name}.png").write_bytes(self.page.screenshot())

    def until(self, expression: str, argument: Any = None) -> None:
        """Wait until something holds in the page."""
        self.page.wait_for_function(expression, arg=argument)

    def shows(self, selector: str, text: str) -> None:
        """Wait until an element shows a text."""
        self.until(
            "([s, t]) => { const e = document.querySelector(s);"
            " return e && e.getClientRects().length && e.textContent.includes(t); }",
            [selector, text],
        )


@pytest.fixture(name="visit")
def _visit(browser: Any, stand: Stand) -> Iterator[Visit]:
    """Open a tab of the panel's size; nothing in it may go wrong."""
    visit = Visit(browser, stand.page_address)
    yield visit
    visit.context.close()
    assert visit.surprises() == []
