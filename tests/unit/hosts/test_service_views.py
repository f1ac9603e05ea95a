"""Views of a whole run through the service: from its plan to the files it lists."""

from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from cases.services import PATIENCE_S, made, record, run_of
from cases.stored import RUN_ID, captured, draft, new_run, tiny_jpeg
from PIL import Image

from openflexure_timelapse.errors import InvalidPlanError, InvalidRecipeError
from openflexure_timelapse.frame import Outcome, Reason, Visit
from openflexure_timelapse.hosts.footage import movie_frames
from openflexure_timelapse.hosts.jobs import JobQueue
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.recipe import parse_recipe
from openflexure_timelapse.store.disk import RealDisk

PLACES = [
    {"name": name, "x": 900 * index, "y": 0, "z": 0}
    for index, name in enumerate(("left", "middle", "right"))
]
STACK = {"count": 3, "step": 40}
SMALL = {"format": "gif", "width": 120}


@pytest.fixture(name="service", scope="module")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Record a run of three positions with three planes each."""
    service = made(tmp_path_factory.mktemp("views"))
    record(service, frames=2, positions=PLACES, planes=STACK)
    yield service
    service.close()


def ended(service: Service, recipe: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Make the movies of a recipe; return how they ended."""
    queue = JobQueue(service.library)
    try:
        jobs = queue.add_movies(run_of(service), parse_recipe(recipe))
        return [queue.wait(job["job"], PATIENCE_S) for job in jobs]
    finally:
        queue.close()


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        ({"view": "grid", **SMALL}, ["grid.gif"]),
        ({"view": "grid", "planes": "edf", **SMALL}, ["grid_2.gif"]),
        ({"view": "grid", "shape": "portrait", **SMALL}, ["grid_3.gif"]),
        ({"planes": "edf", "position": "left", **SMALL}, ["left.gif"]),
        (
            {"view": "average"},
            ["left_average.png", "middle_average.png", "right_average.png"],
        ),
        (
            {"view": "kymograph", "position": "middle", "planes": "sharpest"},
            ["middle_kymograph.png"],
        ),
    ],
    ids=str,
)
def test_a_view_is_made_and_listed(
    service: Service, recipe: Dict[str, Any], names: List[str]
) -> None:
    """Each has its own name, is a picture, and can be had like every movie."""
    run_id = run_of(service)
    jobs = ended(service, recipe)
    assert [(job["state"], job["message"]) for job in jobs] == [("done", "")] * len(
        jobs
    )
    assert [job["file"] for job in jobs] == [f"movies/{name}" for name in names]
    listed = [entry["name"] for entry in service.files(run_id)["files"]]
    for job in jobs:
        assert job["file"] in listed
        with Image.open(service.file(run_id, job["file"])) as picture:
            picture.verify()


def test_the_frames_of_a_grid(service: Service) -> None:
    """Each time has the files of all positions, in the plan's order."""
    names = tuple(place["name"] for place in PLACES)
    run_id = run_of(service)
    for plane, each in ((1, 1), (None, 3)):
        found = list(movie_frames(service.library, run_id, None, plane, names))
        assert [frame.slot for frame in found] == [0, 1]
        for frame in found:
            assert [len(paths) for paths in frame.cells] == [each] * 3
            folders = [Path(paths[0]).parent.name for paths in frame.cells]
            assert folders == list(names)
    (first, _) = movie_frames(service.library, run_id, "right", None)
    assert [Path(path).stem for path in first.files] == [
        "0000000",
        "0000000_z1",
        "0000000_z2",
    ]


def test_why_a_position_is_missing(tmp_path: Path) -> None:
    """A grid is told why one of its positions has no picture at a time."""
    visit = Visit(0, "right", Outcome.FAILED, Reason.INCOMPLETE_IMAGE, "", 0, 0)
    with new_run(tmp_path) as store:
        store.add_frame(tiny_jpeg(), draft(0, "left"), {})
        store.add_visit(visit)
        store.add_slot(captured(0))
    library = Library(tmp_path, RealClock(), RealDisk())
    names = ("left", "right", "never")
    (frame,) = movie_frames(library, RUN_ID, None, 0, names)
    assert [len(paths) for paths in frame.cells] == [1, 0, 0]
    assert frame.lacking == ("", "incomplete_image", "")


REFUSED = {
    "a grid of one": ({"movie": {"view": "grid"}}, "2 to 36 positions"),
    "planes of none": ({"movie": {"planes": "edf"}}, "the run has one"),
    "a grid of many": (
        {
            "positions": [{**PLACES[0], "name": f"p{index}"} for index in range(37)],
            "movie": {"view": "grid"},
        },
        "the run has 37",
    ),
}


@pytest.mark.parametrize(("plan", "words"), REFUSED.values(), ids=REFUSED)
def test_a_plan_whose_movie_cannot_be_is_refused(
    tmp_path: Path, plan: Dict[str, Any], words: str
) -> None:
    """It is told at the start, not after the run."""
    service = made(tmp_path)
    with pytest.raises(InvalidPlanError, match=words):
        record(service, **plan)
    service.close()


def test_a_view_that_the_run_cannot_give_is_refused(tmp_path: Path) -> None:
    """A run of one position has no grid, and one of one plane nothing to join."""
    service = made(tmp_path)
    run_id = record(service, frames=1)
    with pytest.raises(InvalidRecipeError, match="2 to 36 positions") as caught:
        service.make_movie(run_id, {"view": "grid"})
    assert caught.value.fields[0]["field"] == "view"
    with pytest.raises(InvalidRecipeError, match="several planes"):
        service.make_movie(run_id, {"planes": "sharpest"})
    service.close()


def test_a_planned_grid_is_made_once(tmp_path: Path) -> None:
    """What is there already is not made again when the run is taken up."""
    service = made(tmp_path)
    movie = {"view": "grid", **SMALL}
    run_id = record(service, frames=1, positions=PLACES[:2], movie=movie)
    (job,) = service.status()["movie_jobs"]
    assert service.queue.wait(job, PATIENCE_S)["file"] == "movies/grid.gif"
    told: List[str] = []
    recipe = parse_recipe(movie)
    assert service.queue.add_movies(run_id, recipe, lambda: told.append("made")) == []
    assert told == ["made"]
    service.close()
