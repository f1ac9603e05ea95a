"""The page and what was recorded: scrub, make, download, check, delete."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List
from urllib.parse import urljoin

from openflexure_timelapse.hosts.footage import movie_frames
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.movie.frames import MovieContext
from openflexure_timelapse.movie.rolling import RollingFilm
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.store.disk import RealDisk

FRAME = "document.querySelector('.player img')"
AT = f"n => {FRAME} && {FRAME}.dataset.n === String(n)"
MANY = 100_000


def _seek(page: Any, slot: int) -> None:
    """Move the slider as a hand does."""
    page.evaluate(
        """slot => {
          const slider = document.querySelector('.player input[type=range]');
          slider.value = slot;
          slider.dispatchEvent(new Event('input'));
        }""",
        slot,
    )


def _open_first(visit: Any) -> Any:
    """Open the newest run."""
    page = visit.open("look")
    page.click("#runs button")
    visit.until(f"() => {FRAME} && {FRAME}.naturalWidth > 0")
    return page


def test_scrub(visit: Any, stand: Any) -> None:
    """By hand, by key, frame by frame; what was seen once is not asked for again."""
    stand.ran(frames=6)
    asked: List[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    page = _open_first(visit)
    for slot in (5, 2, 4):
        _seek(page, slot)
        visit.until(AT, slot + 1)
    page.focus(".player input[type=range]")
    page.keyboard.press("Home")
    visit.until(AT, 1)
    page.click("[aria-label='Next frame']")
    visit.until(AT, 2)
    page.click("[aria-label='Frame before']")
    visit.until(AT, 1)
    visit.keep("look_300")
    asked.clear()
    for slot in (5, 0, 4, 1, 3, 2):
        _seek(page, slot)
        visit.until(AT, slot + 1)
    assert [
        url for url in asked if url.startswith("http") and "status" not in url
    ] == []
    visit.shows("#frame-told", "Time point 3 of 6")


def test_play(visit: Any, stand: Any) -> None:
    """To the last frame, and from the first again."""
    stand.ran(frames=4)
    page = _open_first(visit)
    page.select_option("[aria-label='Speed of playing']", "30")
    page.click("[aria-label=Play]")
    visit.until(AT, 4)
    visit.until(AT, 1)
    page.click("[aria-label=Pause]")
    page.wait_for_selector("[aria-label=Play]")


def test_a_gif_is_made_and_had(visit: Any, stand: Any) -> None:
    """Its look is tried before; then it is made, shown and downloaded."""
    stand.ran(frames=4, name="beads")
    page = _open_first(visit)
    page.click("text=Make a movie or GIF")
    page.select_option("[name=format]", "gif")
    page.fill("#one [name=fps]", "7")
    page.fill("#one [name=width]", "64")
    page.fill("#one [name=title]", "Beads <i>of glass</i>")
    visit.shows("#one details", "Plays for 0.57 s")
    page.click("text=Preview")
    visit.shows(".overlay", "Beads <i>of glass</i>")
    visit.keep("preview_300")
    page.click("text=End preview")
    page.wait_for_selector(".overlay", state="hidden")
    page.click("text=Make it")
    visit.shows("#one .shelf", "The movie is ready below.")
    with page.expect_download() as caught:
        page.click("text=Download here.gif")
    data = Path(caught.value.path()).read_bytes()
    assert data[:4] == b"GIF8"
    visit.keep("gif_300")


def test_a_picture_of_the_whole_run_is_made(visit: Any, stand: Any) -> None:
    """What a movie alone has is not asked for; the picture stands among the movies."""
    stand.ran(frames=3)
    page = _open_first(visit)
    page.click("text=Make a movie or GIF")
    page.select_option("#one [name=view]", "minimum")
    visit.shows("#one details", "One picture of the whole run.")
    assert page.is_hidden("#one [name=format]")
    assert page.is_hidden("#one [name=pace]")
    visit.keep("picture_300")
    page.click("text=Make it")
    visit.shows("#one .shelf", "The picture is ready below.")
    visit.until("() => document.querySelector('#one .movies img')?.naturalWidth > 99")
    page.select_option("#one [name=view]", "position")
    page.select_option("#one [name=pace]", "real")
    visit.shows("#one details", "The commonest interval is one frame of the movie.")
    assert page.is_hidden("text=Preview")


def test_rarer_choices_are_behind_more(visit: Any, stand: Any) -> None:
    """Each is asked for where it fits, and is in the recipe."""
    stand.ran(frames=2)
    page = _open_first(visit)
    page.click("text=Make a movie or GIF")
    assert page.is_hidden("#one [name=crop]")
    page.click("#one form summary")
    page.select_option("#one [name=view]", "kymograph")
    assert page.is_visible("#one [name=line]")
    page.select_option("#one [name=view]", "position")
    page.select_option("#one [name=pace]", "real")
    assert page.is_visible("#one [name=speed_up]")
    page.fill("#one [name=crop]", "0, 0, 64")
    visit.shows("#one details", "Part of the picture: four whole numbers.")
    page.fill("#one [name=crop]", "0, 0, 64, 48")
    page.select_option("#one [name=format]", "gif")
    assert page.is_hidden("#one [name=codec]")
    visit.keep("more_300")
    page.click("text=Make it")
    visit.shows("#one .shelf", "The movie is ready below.")
    (job,) = stand.visitor.get("jobs")["jobs"]
    assert job["recipe"]["crop"] == {"x": 0, "y": 0, "width": 64, "height": 48}


PLAYED = """async addresses => {
  const played = [];
  for (const src of addresses) {
    const isVideo = /(mp4|webm)$/.test(src);
    const shown = document.createElement(isVideo ? "video" : "img");
    shown.muted = true;
    const ready = new Promise((done) => {
      shown[isVideo ? "onended" : "onload"] = () => done(true);
      shown.onerror = () => done(false);
    });
    shown.src = src;
    document.body.append(shown);
    if (isVideo) await shown.play().catch(() => null);
    const whole = await ready;
    played.push(whole && (isVideo ? shown.videoWidth : shown.naturalWidth));
  }
  return played;
}"""


ALL_MADE = """async address => {
  const state = async () => (await (await fetch(address)).json()).jobs;
  while ((await state()).some((job) => ["queued", "running"].includes(job.state)));
}"""


def test_every_format_plays(visit: Any, stand: Any) -> None:
    """The browser plays each film to its end and shows each moving picture."""
    run = stand.ran(frames=3)
    page = visit.open()
    kinds = ("mp4", "webm", "webp", "apng")
    for kind in kinds:
        stand.visitor.post(f"runs/{run}/movies", {"format": kind, "width": 128})
    page.evaluate(ALL_MADE, f"{stand.visitor.address}/jobs")
    at = f"{stand.visitor.address}/runs/{run}/files/movies/here."
    assert page.evaluate(PLAYED, [at + kind for kind in kinds]) == [128] * 4


def test_a_film_so_far_plays_after_a_kill(visit: Any, stand: Any) -> None:
    """The page of a run under way leads to it; what was being added is passed over."""
    run = stand.begun(frames=None)
    stand.visitor.until("status", lambda told: told["last_frame"] is not None)
    library = Library(stand.data, RealClock(), RealDisk())
    film = library.folder(run) / "movies" / "here_so_far.mp4"
    context = MovieContext(10**9, 10**9, None, "", None)
    rolling = RollingFilm(film, Recipe(width=128), context)
    frames = list(movie_frames(library, run, "here", 0))[:1]
    rolling.give(replace(frames[0], slot=slot) for slot in range(40))
    rolling.step()
    rolling.close()
    data = film.read_bytes()
    last = data.rindex(b"moof")
    film.write_bytes(data[:last] + b"free" + data[last + 4 : -300])
    page = visit.open()
    at = page.get_attribute("text=Film so far: here", "href")
    assert page.evaluate(PLAYED, [urljoin(page.url, at)]) == [128]
    stand.visitor.post("stop")
    visit.shows("#phase", "Stopped")
    visit.until("() => !document.querySelector('#run-movies > a')")


def test_what_cannot_be_made_is_told_at_once(visit: Any, stand: Any) -> None:
    """Before anything is asked of the microscope."""
    stand.ran(frames=2)
    page = _open_first(visit)
    page.click("text=Make a movie or GIF")
    page.fill("#one [name=width]", "65")
    visit.shows("#one details", "Width: an even number; MP4 and WebM have no odd ones.")
    page.click("text=Make it")
    visit.shows("#one [role=alert]", "Width: an even number")
    assert stand.visitor.get("jobs")["jobs"] == []


def test_a_movie_can_be_cancelled(visit: Any, stand: Any) -> None:
    """Its progress shows, and the button ends it."""
    run = stand.ran(frames=2)
    page = _open_first(visit)
    job = {
        "job": "movie-9",
        "kind": "movie",
        "run": run,
        "position": "here",
        "state": "running",
        "fraction": 0.4,
        "message": "",
        "file": None,
    }
    gone: List[str] = []

    def answer(route: Any) -> None:
        if route.request.method == "DELETE":
            gone.append(route.request.url)
            job["state"] = "cancelled"
        route.fulfill(json={"jobs": [job]})

    page.route("**/jobs", answer)
    page.route("**/jobs/*", answer)
    page.click("text=All runs")
    page.click("#runs button")
    visit.shows("#one .shelf", "40 %")
    page.click("text=Cancel")
    visit.shows("#one .shelf", "was cancelled. The frames are untouched.")
    assert [url.rsplit("/", 1)[1] for url in gone] == ["movie-9"]


def test_delete_asks_with_the_name(visit: Any, stand: Any) -> None:
    """And does nothing before the answer."""
    stand.ran(frames=1, name="Dear pond")
    page = _open_first(visit)
    page.click("text=Delete")
    visit.shows("dialog", "Delete “Dear pond”?")
    visit.keep("delete_300")
    page.click("text=Keep it")
    assert len(stand.visitor.get("runs")["runs"]) == 1
    page.click("text=Delete")
    page.click("text=Delete it")
    visit.shows("#runs-told", "The run is deleted.")
    assert stand.visitor.get("runs")["runs"] == []
    assert page.evaluate("document.activeElement.id") == "look-title"


def test_check_the_files(visit: Any, stand: Any) -> None:
    """In words."""
    stand.ran(frames=1)
    page = _open_first(visit)
    page.click("text=Check the files")
    visit.shows("#one .shelf", "nothing is missing or damaged")


def test_back_to_the_list(visit: Any, stand: Any) -> None:
    """Focus returns to the run that one came from."""
    run = stand.ran(frames=1)
    page = _open_first(visit)
    assert page.evaluate("document.activeElement.tagName") == "H2"
    page.click("text=All runs")
    within = "document.activeElement.parentElement.dataset.run"
    assert page.evaluate(within) == run


# ------------------------------------------------------------------------- many of them


def _run(number: int, **more: Any) -> Dict[str, Any]:
    """Return a row of the list of runs."""
    return {
        "run": f"run-{number:05d}",
        "name": f"Pond {number}",
        "started": "2026-11-26T12:00:00+00:00",
        "active": False,
        "frames": 0,
        "bytes": 0,
        "counts": COUNTS,
        "problem": None,
        **more,
    }


COUNTS = {"captured": 0, "late": 0, "skipped": 0, "failed": 0}


def test_a_thousand_runs(visit: Any) -> None:
    """They come a page at a time, each once, down to the oldest."""
    runs = [_run(number) for number in range(1000)]

    def answer(route: Any) -> None:
        query = dict(
            pair.split("=") for pair in route.request.url.split("?")[1].split("&")
        )
        after = query.get("after")
        first = int(after[4:]) + 1 if after else 0
        route.fulfill(json={"runs": runs[first : first + int(query["limit"])]})

    visit.page.route("**/runs?*", answer)
    page = visit.open("look")
    visit.shows("#runs", "Pond 0")
    assert page.locator("#runs li").count() < 200
    visit.until(
        """() => {
          document.querySelector('#runs').lastChild.scrollIntoView();
          return document.querySelectorAll('#runs li').length >= 1000
            && document.querySelector('#more-runs').hidden;
        }"""
    )
    names = page.eval_on_selector_all(
        "#runs .name", "all => all.map(e => e.textContent)"
    )
    assert names == [run["name"] for run in runs]


def _frame(n: int) -> Dict[str, Any]:
    """Return a row of the list of frames; every third time point has none."""
    slot = (n - 1) + (n - 1) // 2
    return {
        "n": n,
        "slot": slot,
        "position": "here",
        "plane": 0,
        "time": "2026-11-26T12:00:00+00:00",
        "elapsed_ns": slot * 10**9,
        "z": 0,
        "sharpness": 1.0,
        "flags": [],
        "width": 832,
        "height": 624,
    }


def test_a_hundred_thousand_frames(visit: Any, stand: Any) -> None:
    """Any time point is found in a few small requests, whatever the run's length."""
    run = stand.ran(frames=1)
    whole = stand.visitor.get(f"runs/{run}")
    counts = {**COUNTS, "captured": MANY, "skipped": MANY // 2}
    page, asked = visit.page, []

    def frames(route: Any) -> None:
        asked.append(route.request.url)
        query = dict(
            pair.split("=") for pair in route.request.url.split("?")[1].split("&")
        )
        first = int(query["after"]) + 1
        rows = range(first, min(first + int(query["limit"]), MANY + 1))
        route.fulfill(json={"frames": [_frame(n) for n in rows]})

    picture = stand.visitor.ask("GET", "latest?width=160").body
    told = json.dumps({**whole, "frames": MANY, "counts": counts})
    page.route(
        f"**/runs/{run}",
        lambda route: route.fulfill(body=told, content_type="application/json"),
    )
    page.route("**/frames?*", frames)
    page.route(
        "**/frames/*",
        lambda route: route.fulfill(body=picture, content_type="image/jpeg"),
    )
    page = _open_first(visit)
    for n in (77_777, 3, MANY, 50_001):
        asked.clear()
        _seek(page, _frame(n)["slot"])
        visit.until(AT, n)
        assert len(asked) <= 5
