"""The page over runs that a stranger has made: his texts stay text."""

import json
from typing import Any, Dict

import pytest

from campaigns.hostile_folder import EVIL, RUN_ID, small_run, told_evil
from openflexure_timelapse.hosts.requests import SAFE_HEADERS

TEXTS = [text for text in EVIL if "\ud800" not in text and "\x1b" not in text]
POLICY = SAFE_HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_strangers_run_runs_nothing(visit: Any, stand: Any, text: str) -> None:
    """Its name, its sample, its outcomes, its files: shown, and nothing else."""
    stand.visitor.get("status")
    run = small_run(stand.data)
    told_evil(run, text)
    name = text.replace("/", "_")[:100]
    (run / "movies" / f"{name}.gif").write_bytes(b"<script>window.hit=1</script>")
    page = visit.open("look")
    page.click("#runs button")
    page.wait_for_selector("#one .player")
    for fold in page.query_selector_all("#one details:not([open]) summary"):
        fold.click()
    visit.until("t => document.querySelector('#one h2').textContent === t", text)
    for link in page.query_selector_all("a[href]"):
        assert str(link.evaluate("e => e.protocol")) in {"http:", "blob:"}
    assert (
        page.evaluate(
            "document.querySelectorAll('#one script, #one img[onerror]').length"
        )
        == 0
    )
    assert page.evaluate("window.hit") is None
    # A plan with such a name is none, so what asks for it is refused.
    refused = "Failed to load resource: the server responded with a status of 422"
    visit.expect(refused)


def test_stored_markup_is_served_as_what_it_is_called(visit: Any, stand: Any) -> None:
    """A browser that is led to it shows a broken picture, and runs nothing."""
    stand.visitor.get("status")
    run = small_run(stand.data)
    (run / "movies" / "here.gif").write_bytes(
        b"<html><script>window.hit=1</script><body>found</body></html>"
    )
    page = visit.page
    answer = page.goto(f"{stand.visitor.address}/runs/{RUN_ID}/files/movies/here.gif")
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["content-security-policy"] == POLICY
    assert page.evaluate("window.hit") is None
    visit.expect("")  # of the picture that is none


def test_the_policy_holds_where_the_page_does_not(visit: Any, stand: Any) -> None:
    """Markup that got into the page after all still runs nothing and asks nobody."""
    stand.visitor.get("status")
    page = visit.open()
    found: Dict[str, Any] = json.loads(
        page.evaluate(
            """async () => {
            document.body.insertAdjacentHTML(
              'beforeend', "<img src='data:,' onerror='window.hit = 1'>");
            const script = document.createElement('script');
            script.textContent = 'window.hit = 2';
            document.body.append(script);
            await new Promise((done) => setTimeout(done, 50));
            let asked = 'asked';
            try { await fetch('http://127.0.0.1:9/'); } catch { asked = 'refused'; }
            return JSON.stringify({ hit: window.hit ?? null, asked });
        }"""
        )
    )
    assert found == {"hit": None, "asked": "refused"}
    assert any("Content Security Policy" in error for error in visit.errors)
    for wanted in ("Content Security Policy", "data:,"):
        visit.expect(wanted)


def test_another_page_may_show_it_in_a_frame(browser: Any, stand: Any) -> None:
    """As OpenFlexure Connect does."""
    page = browser.new_page()
    page.set_content(f"<iframe src='{stand.page_address}'></iframe>")
    frame = page.wait_for_selector("iframe").content_frame()
    frame.wait_for_selector("#first", state="hidden")
    assert frame.text_content("h1") == "Time-lapse"
    page.close()
