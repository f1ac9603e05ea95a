"""Measure the page in Chromium: weight, first paint, scrubbing, and what it costs.

Run ``python benchmarks/page.py [--seconds S]`` where server v3's library and playwright
are installed (``pip install '.[server-v3]' playwright``) and a ``chromium`` is on the
PATH; prints a markdown table. The server is the simulated one in a process of its own.
"""

import argparse
import os
import platform
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from server_v3 import ServerV3, serving, start

import openflexure_timelapse

WEB = Path(openflexure_timelapse.__file__).parent / "web"
PANEL = {"width": 300, "height": 800}
LOADS = 10
FRAMES = 12
LOOK_S = 0.1
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
SEEK = """async ([slots]) => {
  const slider = document.querySelector('.player input[type=range]');
  const shown = () => document.querySelector('.player img').dataset.n;
  const times = [];
  for (const slot of slots) {
    const before = performance.now();
    slider.value = slot;
    slider.dispatchEvent(new Event('input'));
    while (shown() !== String(slot + 1)) await new Promise(requestAnimationFrame);
    times.push(performance.now() - before);
  }
  return times;
}"""


def recorded(server: ServerV3) -> None:
    """Have a run of some frames."""
    plan = {"late": "catch_up", "catch_up_slots": 1000, "camera_mode": "quick"}
    start(server, interval_s=0.5, frames=FRAMES, **plan)
    while server.status()["phase"] != "ended":
        time.sleep(LOOK_S)  # a poll


def first_paints(browser: Browser, address: str) -> list[float]:
    """Return the times to the first paint with content, in ms, of new visitors."""
    times = []
    for _ in range(LOADS):
        with browser.new_context(viewport=PANEL) as context:
            page = context.new_page()
            page.goto(address)
            page.wait_for_selector("#first", state="hidden")
            times.append(float(page.evaluate(PAINT)))
    return times


def scrubs(page: Page, address: str) -> tuple[list[float], list[float]]:
    """Return the times to a frame that is new and to one seen before, in ms."""
    page.goto(address)
    page.click("button[data-view=look]")
    page.click("#runs button")
    page.wait_for_selector(".player img[data-n]")
    there = [[*range(FRAMES - 1, 0, -1)]]
    new: list[float] = page.evaluate(SEEK, there)
    seen: list[float] = page.evaluate(SEEK, there)
    return new, seen


def share_of_a_core(server: ServerV3, seconds: float) -> float:
    """Return what the server uses of a core, in per cent."""
    before, since_s = server.cpu_s(), time.monotonic()
    time.sleep(seconds)  # the time that is measured
    return 100 * (server.cpu_s() - before) / (time.monotonic() - since_s)


def told(times: list[float]) -> str:
    """Return a median and the largest."""
    return f"{statistics.median(times):.0f} (largest {max(times):.0f})"


def measured(server: ServerV3, browser: Browser, seconds: float) -> list[str]:
    """Return the rows of the table."""
    address = f"{server.url}{server.ours}/page/"
    weight = sum(file.stat().st_size for file in WEB.iterdir())
    recorded(server)
    paints = first_paints(browser, address)
    with browser.new_context(viewport=PANEL) as context:
        new, seen = scrubs(context.new_page(), address)
    alone = share_of_a_core(server, seconds)
    with browser.new_context(viewport=PANEL) as context:
        context.new_page().goto(address)
        watched = share_of_a_core(server, seconds)
    rows: list[tuple[str, Any, str]] = [
        ("the whole page, kB", f"{weight / 1000:.0f}", "under 120"),
        (f"first paint with content, ms, {LOADS} visits", told(paints), "under 300"),
        ("scrubbing to a new frame, ms", told(new), ""),
        ("scrubbing to one seen before, ms", told(seen), "under 50"),
        ("the server without a page, % of a core", f"{alone:.1f}", ""),
        ("with the page open, more", f"{watched - alone:+.1f}", "under 1"),
    ]
    return [f"| {what} | {value} | {aim} |" for what, value, aim in rows]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args().seconds
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with serving(1.0) as server, sync_playwright() as playwright:
        options = {"executable_path": chromium, "args": ["--no-sandbox"]}
        browser = playwright.chromium.launch(**options)
        rows = measured(server, browser, seconds)
        browser.close()
    load = os.getloadavg()[1]
    print(f"Python {platform.python_version()}, load {load:.1f}\n")
    print("\n".join(["| what | measured | aim |", "|---|--:|--:|", *rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
