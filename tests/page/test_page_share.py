"""The page and sharing: what is known of the sample, what is missing, the bundle."""

import io
import zipfile
from pathlib import Path
from typing import Any

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
