"""The page and a run: from the first click to its end, through whatever happens."""

import json
from pathlib import Path
from typing import Any, List

import pytest
from cases.receivers import WebReceiver

from openflexure_timelapse.hosts.notify_file import ENVIRONMENT

WIDTHS = ((300, 800), (768, 1000), (1440, 900))
PLAN = {
    "name": "kept",
    "interval_s": 5,
    "frames": 4,
    "late": "catch_up",
    "catch_up_slots": 1000,
    "keep_free_mb": 0,
    "movie": None,
}


@pytest.mark.parametrize("size", WIDTHS)
def test_a_run_by_clicking(visit: Any, stand: Any, size: Any) -> None:
    """Type, press Start, watch it finish; on a panel, a tablet and a desk."""
    stand.visitor.ask("PUT", "preferences", {"plan": PLAN})
    visit.page.set_viewport_size({"width": size[0], "height": size[1]})
    page = visit.open()
    visit.until("() => form.elements.name.value === 'kept'")
    page.fill("[name=name]", "clicked")
    page.fill("[name=frames]", "6")
    visit.shows("#estimate", "Frames6")
    visit.keep(f"setup_{size[0]}")
    page.click("#begin")
    visit.shows("#run-name", "clicked")
    visit.keep(f"run_{size[0]}")
    visit.shows("#phase", "Finished")
    visit.shows("#run-facts", "6 of 6")
    visit.until("() => document.querySelector('#last img').naturalWidth > 0")
    visit.keep(f"ended_{size[0]}")
    assert page.evaluate("document.activeElement.id") == "run-name"
    assert len(stand.visitor.get("runs")["runs"]) == 1


def test_stop_asks_once(visit: Any, stand: Any) -> None:
    """No goes on, and so does Escape; yes stops and keeps what is there."""
    stand.begun(frames=None, name="endless")
    page = visit.open()
    visit.shows("#run-name", "endless")
    for refused in ("dialog button:not(.stop)", "Escape"):
        page.click("#stop")
        if refused == "Escape":
            page.keyboard.press(refused)
        else:
            page.click(refused)
        page.wait_for_selector("dialog", state="detached")
        assert page.evaluate("document.activeElement.id") == "stop"
        assert stand.visitor.get("status")["phase"] == "running"
    page.click("#stop")
    visit.keep("stop_300")
    page.click("dialog button.stop")
    visit.shows("#phase", "Stopped. The frames until then are kept.")
    assert stand.visitor.get("status")["end_reason"] == "stopped"


def test_pause_and_go_on(visit: Any, stand: Any) -> None:
    """What a pause leaves out is told where one taps."""
    stand.begun(frames=None)
    page = visit.open()
    page.click("#pause")
    visit.shows("#phase", "Paused. Time points are left out until you go on.")
    stand.visitor.until("status", lambda told: told["counts"]["skipped"] > 2)
    page.click("#resume")
    visit.shows("#phase", "Recording")
    visit.until("() => document.querySelector('rect.skipped')")
    page.focus(".timeline")
    page.keyboard.press("Home")
    visit.until("""() => {
      const bar = document.querySelector('.timeline');
      if (bar.getAttribute('aria-valuetext').includes('skipped')) return true;
      bar.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
      return false;
    }""")
    visit.shows(".reason", "a pause leaves time points out and moves none")


def test_a_second_start_is_not_offered(visit: Any, stand: Any) -> None:
    """While a run is under way, the button says so instead of failing."""
    stand.begun(frames=None, name="the first")
    page = visit.open("setup")
    visit.shows("#busy", "the first")
    assert page.is_disabled("#begin")
    stand.visitor.post("stop")
    visit.until("() => !document.querySelector('#begin').disabled")


def test_a_restart_of_the_server(visit: Any, stand: Any) -> None:
    """The page says that nobody answers, and goes on by itself without a reload."""
    stand.begun(frames=None)
    page = visit.open()
    visit.shows("#phase", "Recording")
    page.evaluate("window.mark = 1")
    stand.close()
    visit.shows("#offline", "this page keeps trying")
    visit.keep("offline_300")
    stand.start()
    page.wait_for_selector("#offline", state="hidden")
    stand.visitor.wait_for("running")
    before = stand.visitor.get("status")["last_frame"]["n"]
    visit.until(
        "n => Number(document.querySelector('#last img')?.dataset.n) > n", before
    )
    visit.shows("#phase", "Recording")
    assert page.evaluate("window.mark") == 1
    visit.expect()  # the browser notes each request that was not answered


def test_a_run_that_waits_can_be_ended(visit: Any, stand: Any) -> None:
    """One that cannot go on keeps others from starting; the page offers the way out."""
    run = stand.begun(frames=None)
    stand.visitor.until("status", lambda told: told["last_frame"] is not None)
    stand.close()
    header = stand.data / run / "run.json"
    text = header.read_text("utf-8")  # as if another camera had been there
    header.write_text(text.replace('"simulated": true', '"simulated": false'), "utf-8")
    stand.start()
    stand.visitor.until(
        "status", lambda told: told["warnings"] and told["waiting_run"] == run
    )
    page = visit.open()
    visit.shows("#waiting-told", run)
    assert page.is_disabled("#begin")
    visit.keep("waiting_300")
    page.click("#waiting-on")
    visit.shows("#waiting-refused", "is not there now")
    page.click("#waiting-end")
    visit.shows("#phase", "Stopped")
    page.click("[data-view=setup]")
    page.wait_for_selector("#waiting", state="hidden")
    assert page.is_enabled("#begin")
    visit.expect()  # the browser notes the refusal


def test_a_lost_network(visit: Any, stand: Any) -> None:
    """The run goes on without the page, and the page finds it again."""
    stand.begun(frames=None)
    page = visit.open()
    visit.shows("#phase", "Recording")
    visit.context.set_offline(True)
    visit.shows("#offline", "does not answer")
    page.click("#pause")
    visit.shows("#run-refused", "did not answer")
    visit.context.set_offline(False)
    page.wait_for_selector("#offline", state="hidden")
    page.click("#pause")
    visit.shows("#phase", "Paused")
    assert page.is_hidden("#run-refused")
    visit.expect()


def test_an_answer_that_never_comes(visit: Any, stand: Any) -> None:
    """A poll that hangs is given up; the page lives on."""
    if not hasattr(visit.page, "clock"):
        pytest.skip("needs playwright 1.45 or later, which has a clock")
    stand.begun(frames=None)
    visit.page.clock.install()
    page = visit.open()
    visit.shows("#phase", "Recording")
    held: List[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/status", hold)
    visit.page.clock.run_for(3_000)
    visit.page.clock.run_for(21_000)
    visit.page.clock.run_for(10_000)
    visit.page.clock.run_for(21_000)
    visit.shows("#offline", "does not answer")
    page.unroute("**/status")
    visit.page.clock.run_for(20_000)
    page.wait_for_selector("#offline", state="hidden")
    assert len(held) >= 2
    visit.expect()


def test_polling_slows_down(visit: Any) -> None:
    """A page that nobody looks at asks seldom; one before a slow run less often."""
    page = visit.open()
    pauses = page.evaluate("""async () => {
      const { Watch } = await import('./watch.js');
      const watch = new Watch(() => {}, () => {});
      const after = (status, failures = 0) => {
        Object.assign(watch, { status, failures });
        return watch.pause();
      };
      const busy = { phase: 'running', next_due_in_s: 1 };
      const shown = [after(busy), after({ ...busy, next_due_in_s: 99 }),
        after({ phase: 'idle' }), after(busy, 1), after(busy, 99)];
      Object.defineProperty(document, 'hidden', { value: true });
      return [...shown, after(busy)];
    }""")
    assert pauses == [1000, 2500, 2500, 1000, 8000, 15000]


def test_a_microscope_that_is_not_ready(visit: Any) -> None:
    """What is missing stands in words; nothing pretends to work."""
    told = "The server has no microscope."
    answer = {"phase": "unavailable", "run_id": None, "detail": told, "warnings": []}
    visit.page.route("**/status", lambda route: route.fulfill(json=answer))
    visit.open()
    visit.shows("#phase", told)


def test_a_new_run_is_seen_by_others(visit: Any, stand: Any) -> None:
    """Somebody else's run appears, and does not take the form away from under one."""
    page = visit.open("setup")
    page.fill("[name=name]", "my own")
    stand.begun(frames=None, name="another's")
    visit.shows("#busy", "another's")
    assert page.input_value("[name=name]") == "my own"
    page.click("[data-view=run]")
    visit.shows("#run-name", "another's")


def test_two_positions(visit: Any, stand: Any) -> None:
    """Each position has its newest frame, where the server tells them."""
    places = [
        {"name": "left", "x": 0, "y": 0, "z": 0},
        {"name": "right", "x": 100, "y": 0, "z": 0},
    ]
    run = stand.ran(frames=2, positions=places)
    lasts = [
        {"name": each["name"], "frames": 2, "last": {**LAST, "n": 3 + index}}
        for index, each in enumerate(places)
    ]
    address = f"**/runs/{run}/positions"
    answer = {"positions": lasts}
    visit.page.route(address, lambda route: route.fulfill(json=answer))
    page = visit.open("run")
    visit.shows("#last", "right")
    assert page.locator("#last img").count() == 2


LAST = {"slot": 1, "time": "2026-11-26T12:00:00+00:00", "z": 0}


def test_who_would_be_told_and_a_trial(
    visit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before one leaves the sample: nobody, or by what; and whether it arrives."""
    file = tmp_path / "notify.json"
    page = visit.open("setup")
    visit.shows("#tells", "Nobody is told if something goes wrong")
    assert page.is_hidden("#tell-test")
    with WebReceiver() as receiver:
        file.write_text(json.dumps({"webhooks": [receiver.url]}), "utf-8")
        file.chmod(0o600)
        monkeypatch.setenv(ENVIRONMENT, str(file))
        visit.shows("#tells", "people are told by webhook.")
        page.click("#tell-test")
        visit.shows("#tells", "A test message is on its way.")
        assert receiver.came.acquire(timeout=60)
        assert receiver.got[0]["kind"] == "test"
        assert "s3cret" not in page.content()
