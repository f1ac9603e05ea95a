"""The page as a thing: its weight, its texts, its shape, its arithmetic."""

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import openflexure_timelapse

WEB = Path(openflexure_timelapse.__file__).parent / "web"
HEAVIEST = 140_000
WIDTHS = (300, 768, 1440)
VIEWS = ("setup", "run", "look")
EVIL = (
    "<img src=x onerror='window.hit=1'><script>window.hit=1</script>",
    "\"'><svg onload=window.hit=1>&amp;{{7*7}}",
    "\u202egnp.eman\u202c \u200f\u05e9\u05dc\u05d5\u05dd\u200f",
    "W" * 10_000,
    "<b>" * 3_000,
)
AXE = os.environ.get("TIMELAPSE_AXE", "")


def test_it_is_light() -> None:
    """All of it together, as it is."""
    assert sum(path.stat().st_size for path in WEB.iterdir()) < HEAVIEST


def test_it_asks_nobody_else() -> None:
    """No address of another server, no storage, no cookie."""
    for path in WEB.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        found = re.findall(
            r"https?:|localStorage|sessionStorage|document\.cookie", text
        )
        assert found == [], path.name


def test_every_module_is_fetched_early() -> None:
    """The browser need not read one module to learn of the next."""
    head = (WEB / "index.html").read_text("utf-8")
    early = set(re.findall(r'rel="modulepreload" href="([^"]+)"', head))
    assert early == {path.name for path in WEB.glob("*.js")} - {"page.js"}


def _unfold(page: Any) -> None:
    """Open every fold of a view, also those that were in another one.

    Of sharing also what is shown for a destination that takes much.
    """
    for _ in range(2):
        for fold in page.query_selector_all("details:not([open]) summary"):
            if fold.is_visible():
                fold.click()
        if page.query_selector(".share[open]"):
            page.wait_for_selector(".share form")
            page.select_option("[name=destination]", "inaturalist")
            page.wait_for_selector(".stills li")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out(visit: Any, stand: Any, width: int, scheme: str) -> None:
    """No view scrolls sideways, with everything unfolded."""
    stand.ran(frames=2)
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.set_viewport_size({"width": width, "height": 800})
    page = visit.open()
    for view in VIEWS:
        page.click(f"[data-view={view}]")
        if view == "look":
            page.click("#runs button")
            page.wait_for_selector("#one .player")
        if view == "setup":
            page.click("text=Positions")
            page.click("#add-position")
            page.wait_for_selector("#positions li")
        _unfold(page)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, view
        visit.keep(f"{view}_{width}_{scheme}")
        assert page.evaluate("getComputedStyle(document.documentElement).color") == (
            "rgb(34, 34, 38)" if scheme == "light" else "rgb(241, 241, 243)"
        )


@pytest.mark.parametrize("name", EVIL, ids=["markup", "quotes", "rtl", "long", "tags"])
def test_names_are_text(visit: Any, stand: Any, name: str) -> None:
    """Whatever a run or a position is called: it is shown, and breaks nothing."""
    run = stand.ran(frames=2)
    status = {**stand.visitor.get("status"), "name": name, "warnings": [name]}
    runs = stand.visitor.get("runs")
    runs["runs"][0]["name"] = name
    whole = {**stand.visitor.get(f"runs/{run}"), "name": name}
    places = [{"name": f"{name}{each}", "x": 0, "y": 0, "z": 0} for each in "ab"]
    whole["header"]["plan"]["positions"] = places
    page = visit.page
    page.route("**/status", lambda route: route.fulfill(json=status))
    page.route("**/runs?*", lambda route: route.fulfill(json=runs))
    page.route(f"**/runs/{run}", lambda route: route.fulfill(json=whole))
    visit.open("run")
    visit.until("n => document.querySelector('#run-name').textContent === n", name)
    assert page.text_content("#warnings li") == name
    _holds(page)
    page.click("[data-view=look]")
    page.click("#runs button")
    page.wait_for_selector("#one .player")
    assert page.text_content("#one h2") == name
    _holds(page)
    page.click("text=Delete")
    assert name[:100] in str(page.text_content("dialog h2"))
    _holds(page)


def _holds(page: Any) -> None:
    """Nothing ran, nothing sticks out, and a long name leaves room for the rest."""
    assert page.evaluate("window.hit") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    heights = "[...document.querySelectorAll('.name')].map(e => e.offsetHeight)"
    assert max(page.evaluate(heights)) < 100


def test_a_hostile_name_is_refused_where_it_is_typed(visit: Any) -> None:
    """By the form, in words, before anything is asked of the microscope."""
    page = visit.open("setup")
    page.fill("[name=name]", "   ")
    page.click("#begin")
    visit.shows("#refused", "Name: Give it a name")
    assert page.evaluate("document.activeElement.name") == "name"
    assert page.get_attribute("[name=name]", "aria-invalid") == "true"


def test_in_the_panel(visit: Any, stand: Any) -> None:
    """As OpenFlexure Connect shows it: in a frame of 300 pixels, by a relative path."""
    path = "/" + stand.page_address.split("/", 3)[3]
    origin = stand.page_address[: -len(path)]
    box = f'<iframe src="{path}" width=300 height=800 sandbox="SANDBOX"></iframe>'
    box = box.replace("SANDBOX", "allow-scripts allow-same-origin allow-forms")
    page = visit.page
    page.route(
        f"{origin}/panel",
        lambda route: route.fulfill(body=box, content_type="text/html"),
    )
    page.goto(f"{origin}/panel")
    panel = page.frame_locator("iframe")
    panel.locator("text=Two minutes to try").click()
    panel.locator("#begin").click()
    panel.locator("#phase", has_text="Recording").wait_for()
    assert stand.visitor.get("status")["slots"] == 24


def test_the_form_solves(visit: Any) -> None:
    """A day in a movie of twenty seconds: the interval follows."""
    page = visit.open("setup")
    page.click("text=Pond life")
    assert page.input_value("[name=interval]") == "2"
    page.select_option("[name=durationUnit]", "h")
    page.fill("[name=duration]", "24")
    page.fill("[name=playback]", "20")
    assert page.input_value("[name=frames]") == "300"
    assert page.input_value("[name=interval]") == "288"
    visit.shows("#estimate", "Frames300")
    page.check("[name=endless]")
    visit.shows("#estimate", "when you stop it")
    assert page.is_disabled("[name=frames]")


def test_a_start_at_a_time(visit: Any, stand: Any) -> None:
    """It is taken in the viewer's zone and waits."""
    page = visit.open("setup")
    page.click("text=Two minutes to try")
    page.check("[name=start][value=at]")
    page.fill("[name=startAt]", "2001-01-01T10:00")
    page.click("#begin")
    visit.shows("#refused", "This is past")
    page.check("[name=start][value=now]")
    page.click("#begin")
    visit.shows("#phase", "Recording")
    assert stand.visitor.get("status")["slots"] == 24


def test_positions_by_keyboard(visit: Any, stand: Any) -> None:
    """Add, name, reorder, remove; focus stays where one works."""
    page = visit.open("setup")
    page.click("text=Positions")
    for name in ("first", "second"):
        page.focus("#add-position")
        page.keyboard.press("Enter")
        visit.until("() => document.activeElement.closest('#positions')")
        page.keyboard.type(name)
        visit.until("n => document.activeElement.value === n", name)
    page.focus("[aria-label='Move up second']")
    page.keyboard.press("Enter")
    visit.shows("#position-told", "second is now number 1.")
    values = "[...document.querySelectorAll('#positions input')].map(e => e.value)"
    assert page.evaluate(values) == ["second", "first"]
    page.focus("[aria-label='Remove first']")
    page.keyboard.press("Enter")
    assert page.evaluate(values) == ["second"]
    page.click("#begin")
    visit.shows("#phase", "Recording")
    run = stand.visitor.get("status")["run_id"]
    plan = stand.visitor.get(f"runs/{run}")["header"]["plan"]
    assert [place["name"] for place in plan["positions"]] == ["second"]


PLANS = (
    {"name": "a", "interval_s": 30, "frames": 120},
    {"name": "b", "interval_s": 0.1, "frames": 600, "light": "leave"},
    {"name": "c", "interval_s": 7},
    {
        "name": "d",
        "interval_s": 60,
        "frames": 3,
        "planes": {"count": 5, "step": 40},
        "autofocus": {"every": 4, "range": 900, "accept": {"min_gain": 1.2}},
        "positions": [{"name": "p", "x": 1, "y": -2, "z": 3}],
        "late": "shift",
        "exposure": "auto",
        "settle_s": 1.5,
        "keep_free_mb": 9,
        "drift_correction": {"every": 2, "max_step": 50},
        "movie": {"format": "gif", "fps": 5, "max_mb": 3},
        "sample": {"title": "Pond"},
    },
)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: str(plan["name"]))
def test_a_plan_goes_through_the_form(visit: Any, plan: Any) -> None:
    """What was started last comes back as it was, also what no field shows."""
    parse_plan = import_module("openflexure_timelapse.plan").parse_plan
    found = visit.open().evaluate(
        """async plan => {
          const { formOf, planOf } = await import('./plan.js');
          return planOf(formOf(plan), plan);
        }""",
        plan,
    )
    assert found["wrong"] == {}
    wanted = {**plan, "movie": {"format": "mp4", "fps": 15, **plan.get("movie", {})}}
    assert parse_plan(found["plan"]) == parse_plan(wanted)


def test_numbers_and_times(browser: Any, stand: Any) -> None:
    """With their units; the microscope's time beside the viewer's where they differ."""
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Stockholm")
    page = context.new_page()
    page.goto(stand.page_address)
    told = page.evaluate(
        """async () => {
          const { bytes, duration, moment, typed } = await import('./numbers.js');
          const now = new Date('2026-11-26T10:00:00Z');
          return [
            [0.25, 9, 60, 3599, 3600, 90061, 864000, null].map(duration),
            [0, 999, 1000, 2.5e9, null].map(bytes),
            moment('2026-11-26T13:30:00+01:00', now),
            moment('2026-11-26T13:30:00+02:00', now),
            moment('2026-11-27T00:30:00-05:30', now),
            ['1,5', ' 2 ', ''].map(typed),
          ];
        }"""
    )
    context.close()
    assert told[0] == [
        "0.25 s", "9 s", "1 min", "59 min 59 s", "1 h", "25 h 1 min", "10 d", "\u2013",
    ]  # fmt: skip
    assert told[1] == ["0 B", "999 B", "1.0 kB", "2.5 GB", "\u2013"]
    assert told[2] == "13:30"
    assert told[3] == "12:30 (13:30 at the microscope, UTC+2)"
    assert told[4].endswith("at the microscope, UTC\u22125:30)")
    assert told[5] == [1.5, 2, None]


def test_nothing_jumps(visit: Any, stand: Any) -> None:
    """What is there stays in its place while the rest arrives."""
    stand.ran(frames=2)
    visit.page.add_init_script(
        """window.shifts = 0;
        new PerformanceObserver(list => {
          for (const entry of list.getEntries()) {
            if (!entry.hadRecentInput) window.shifts += entry.value;
          }
        }).observe({ type: 'layout-shift', buffered: true });"""
    )
    page = visit.open()
    visit.until("() => document.querySelector('#last img')?.naturalWidth > 0")
    assert page.evaluate("window.shifts") < 0.1


@pytest.mark.skipif(not AXE, reason="TIMELAPSE_AXE does not name axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_audit(visit: Any, stand: Any, scheme: str) -> None:
    """Axe finds no violation in any view."""
    stand.ran(frames=2)
    visit.page.emulate_media(color_scheme=scheme)
    # The page's own policy lets no script of another's in later.
    visit.page.add_init_script(Path(AXE).read_text("utf-8"))
    page = visit.open()
    for view in VIEWS:
        page.click(f"[data-view={view}]")
        if view == "look":
            page.click("#runs button")
            visit.shows("#frame-told", "Time point")
        _unfold(page)
        found = page.evaluate("axe.run().then(found => found.violations)")
        told = [(each["id"], [n["html"] for n in each["nodes"]]) for each in found]
        assert told == [], view
