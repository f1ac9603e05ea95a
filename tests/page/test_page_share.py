"""The page and sharing: what is known of the sample, what is missing, the bundle."""

import io
import zipfile
from pathlib import Path
from typing import Any, List

ROWS = (
    "scientific_name\tauthority\trank\ttaxon_id\tstatus\n"
    "Skeletonema\tGreville\tGenus\t149073\taccepted\n"
    "Skeletonema marinoi\tSarno & Zingone\tSpecies\t376667\taccepted\n"
)


def _opened(visit: Any) -> Any:
    """Open what shares the newest run."""
    page = visit.open("look")
    page.click("#runs button")
    page.click(".share > summary")
    page.wait_for_selector(".share form")
    return page


def test_a_bundle_is_made_and_had(visit: Any, stand: Any) -> None:
    """What is missing is told as one types; what is typed is kept; then one click."""
    run = stand.ran(frames=2, name="Pond")
    (stand.data / "taxa.txt").write_text(ROWS, "utf-8")
    page = _opened(visit)
    page.select_option("[name=destination]", "nordic-microalgae")
    visit.shows(".share", "The photographer is missing")
    assert page.get_attribute("[name=photographer]", "aria-invalid") == "true"
    assert page.is_disabled(".share [type=submit]")
    page.locator(".share [type=submit]").scroll_into_view_if_needed()
    visit.keep("share_missing_300")
    page.fill(".share [name=title]", "Kedjan <b>växer</b>")
    page.fill(".share [name=photographer]", "Åsa Öberg")
    page.fill(".share [name=day]", "2020-10-20")
    page.focus("[name=taxon]")
    page.keyboard.type("skel")
    page.wait_for_selector("#taxa li")
    visit.keep("share_names_300")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.input_value("[name=taxon]") == "Skeletonema marinoi"
    visit.shows(".picker", "AphiaID 376667")
    assert page.is_hidden("#taxa")
    page.wait_for_selector(".share [type=submit]:enabled")
    visit.keep("share_ready_300")
    kept = stand.visitor.get(f"runs/{run}/record")["record"]
    assert kept["title"] == "Kedjan <b>växer</b>"
    assert (kept["taxon"]["aphia_id"], kept["sampled_at"]) == (376667, "2020-10-20")
    page.click(".share [type=submit]")
    visit.shows("#one .shelf", "The bundle is ready below.")
    visit.keep("share_done_300")
    with page.expect_download() as caught:
        page.click("text=Download nordic-microalgae.zip")
    assert caught.value.suggested_filename == f"{run}_nordic-microalgae.zip"
    data = Path(caught.value.path()).read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        assert any(name.endswith("LASMIG.txt") for name in found.namelist())


def test_what_cannot_be_is_told_and_not_kept(visit: Any, stand: Any) -> None:
    """A place that is half, a number that is none, a time that lies ahead."""
    run = stand.ran(frames=1)
    page = _opened(visit)
    page.set_viewport_size({"width": 1280, "height": 900})
    visit.expect("status of 422")  # each refusal, as the browser tells it
    page.fill(".share [name=place]", "Göteborg")
    visit.shows(".share", "Kept with the run.")
    page.fill(".share [name=latitude]", "57,7")
    visit.shows(".share", "latitude and longitude should be given both, or none")
    page.fill(".share [name=longitude]", "east")
    visit.shows(".share", "longitude should be a number")
    page.fill(".share [name=longitude]", "11.97")
    page.wait_for_selector(".share .stands", state="detached")
    page.fill(".share [name=day]", "2999-01-01")
    visit.shows(".share", "lies in the future")
    assert page.get_attribute(".share [name=day]", "aria-invalid") == "true"
    visit.keep("share_refused_1280")
    page.fill(".share [name=day]", "")
    page.click("text=More about it")
    page.fill(".share [name=water_body]", "Kattegatt")
    visit.keep("share_more_1280")
    page.click("[data-view=run]")  # at once: what was typed is kept all the same
    stand.visitor.until(
        f"runs/{run}/record", lambda told: told["record"]["water_body"] == "Kattegatt"
    )
    record = stand.visitor.get(f"runs/{run}/record")["record"]
    assert (record["latitude"], record["longitude"]) == (57.7, 11.97)
    assert record["sampled_at"] is None


KNOWN = {
    "title": "Kedjan",
    "photographer": "Åsa",
    "sampled_at": "2020-10-20",
    "latitude": 57.7,
    "longitude": 11.9,
}


def test_pictures_are_chosen(visit: Any, stand: Any) -> None:
    """What is suggested, without one, with the next of another, and one more."""
    run = stand.ran(frames=16, name="Pond")
    assert stand.visitor.ask("PUT", f"runs/{run}/record", KNOWN).code == 200
    page = _opened(visit)
    page.select_option("[name=destination]", "nordic-microalgae")
    visit.shows(".share legend", "Pictures: 10, at most 10")
    suggested = _shown(page)
    assert len(set(suggested)) == 10
    page.locator(".stills li").first.scroll_into_view_if_needed()
    visit.keep("share_stills_300")
    page.wait_for_selector(".share [type=submit]:enabled")
    page.uncheck(".stills li:nth-child(2) [type=checkbox]")
    page.click(".stills li:nth-child(5) [title='Next frame']")
    visit.until(
        "(before) => document.querySelector('.stills li:nth-child(5) img').alt"
        " !== `Frame ${before}`",
        suggested[4],
    )
    free = next(n for n in range(1, 17) if n not in _shown(page))
    page.fill(".player [type=range]", str(free - 1))
    visit.until(
        "(n) => document.querySelector('.player img').dataset.n === String(n)", free
    )
    page.click("text=Add the frame that is shown above")
    visit.shows(".share legend", "Pictures: 10, at most 10")
    wanted = [n for at, n in enumerate(_shown(page)) if at != 1]
    assert len(wanted) == 10
    assert free in wanted
    page.set_viewport_size({"width": 1280, "height": 900})
    page.locator(".stills").scroll_into_view_if_needed()
    visit.keep("share_stills_1280")
    page.click("text=Add the frame that is shown above")
    assert page.locator(".stills li").count() == 11  # it is there already
    page.check(".stills li:nth-child(2) [type=checkbox]")
    visit.shows(".share", "11 stills of")
    page.uncheck(".stills li:nth-child(2) [type=checkbox]")
    page.click(".share [type=submit]:enabled")
    visit.shows("#one .shelf", "The bundle is ready below.")
    (bundle,) = stand.data.glob("*/share/*.zip")
    with zipfile.ZipFile(str(bundle)) as found:
        images = [Path(name).stem for name in found.namelist() if "/images/" in name]
    assert {int(stem.split("-")[1]) for stem in images} == set(wanted)


def test_a_movie_is_chosen_and_the_bundle_deleted(visit: Any, stand: Any) -> None:
    """The GIFs that the destination takes; a bundle goes when it is asked for twice."""
    run = stand.ran(frames=4, name="Pond")
    for recipe in ({"width": 64}, {"width": 32}):
        stand.visitor.post(f"runs/{run}/movies", {"format": "gif", **recipe})
    stand.visitor.until(
        "jobs", lambda told: all(job["state"] == "done" for job in told["jobs"])
    )
    assert stand.visitor.ask("PUT", f"runs/{run}/record", KNOWN).code == 200
    page = _opened(visit)
    page.select_option("[name=destination]", "inaturalist")
    visit.shows(".share legend", "Pictures: 4, at most 19")
    movies = "[...document.querySelector('.share [name=movie]').options]"
    texts = page.evaluate(f"{movies}.map((option) => option.text)")
    assert texts == ["what fits", "here.gif", "here_2.gif"]
    page.select_option(".share [name=movie]", "movies/here_2.gif")
    page.click(".share [type=submit]:enabled")
    visit.shows("#one .shelf", "The bundle is ready below.")
    (bundle,) = stand.data.glob("*/share/*.zip")
    gif = (bundle.parent.parent / "movies" / "here_2.gif").read_bytes()
    with zipfile.ZipFile(str(bundle)) as found:
        (name,) = (name for name in found.namelist() if name.endswith(".gif"))
        assert found.read(name) == gif
    page.select_option("[name=destination]", "artportalen")
    page.wait_for_selector(".share [name=movie]", state="hidden")
    page.click("[title='Delete inaturalist.zip']")
    visit.shows("dialog", "it can be made again")
    visit.keep("share_delete_300")
    page.click("text=Keep it")
    assert bundle.is_file()
    page.click("[title='Delete inaturalist.zip']")
    page.click("text=Delete it")
    page.wait_for_selector("text=Download inaturalist.zip", state="detached")
    assert not bundle.exists()


def test_a_bundle_without_a_picture_is_none(visit: Any, stand: Any) -> None:
    """Where all ticks are gone nothing is made, and it is told why."""
    run = stand.ran(frames=2)
    assert stand.visitor.ask("PUT", f"runs/{run}/record", KNOWN).code == 200
    page = _opened(visit)
    page.select_option("[name=destination]", "nordic-microalgae")
    page.wait_for_selector(".share [type=submit]:enabled")
    for number in (1, 2):
        page.uncheck(f".stills li:nth-child({number}) [type=checkbox]")
    visit.shows(".share", "No picture is chosen; tick at least one.")
    assert page.is_disabled(".share [type=submit]")
    page.select_option("[name=destination]", "ome-tiff")
    page.wait_for_selector(".stills", state="hidden")


def _shown(page: Any) -> List[int]:
    """Return the numbers of the frames that are shown, in order."""
    alts = "[...document.querySelectorAll('.stills img')].map((i) => i.alt)"
    return [int(alt.split()[1]) for alt in page.evaluate(alts)]
