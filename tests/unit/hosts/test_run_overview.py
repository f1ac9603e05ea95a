"""The verbs that show a run at a glance, and the check of one, on the simulator."""

import threading
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from hardware_sim import VirtualClock, build
from openflexure_timelapse.errors import InvalidRequestError, NotFoundError
from openflexure_timelapse.hosts import verify_job
from openflexure_timelapse.hosts.requests import Asked, json_bytes
from openflexure_timelapse.hosts.routes import ROUTES
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.verbs import Verbs
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.verify import verify

START_WALL_NS = 1_795_420_800_000_000_000
PATIENCE_S = 120
PLAN: Dict[str, Any] = {
    "name": "overview",
    "interval_s": 120,
    "frames": 3,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": None,
    "positions": [
        {"name": "rim", "x": 0, "y": 0, "z": 0},
        {"name": "centre", "x": 400, "y": 0, "z": 0},
    ],
    "autofocus": {"every": 2, "range": 1000},
    "drift_correction": {"every": 1, "max_step": 500},
}


@pytest.fixture(scope="module", name="service")
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    clock = VirtualClock(START_WALL_NS, utc_offset_s=3600)
    folder = tmp_path_factory.mktemp("data")
    service = Service(folder, build(3, "algae_growth", clock), clock, RealDisk())
    run_id = str(service.start(PLAN)["run"])
    assert service.wait(PATIENCE_S)
    service.queue.wait(service.verify(run_id)["job"]["job"], PATIENCE_S)
    yield service
    service.close()


@pytest.fixture(name="run")
def _run(service: Service) -> str:
    return str(service.status()["run_id"])


def ask(
    service: Service, rule: str, run: str, method: str = "GET", **query: str
) -> Any:
    """Ask for an address of the table."""
    (route,) = [route for route in ROUTES if route.rule == rule]
    verbs = Verbs(lambda: Path("unused"), lambda _: service)
    told = route.handlers[method](verbs, Asked({"run": run}, query))
    assert isinstance(told, dict)
    json_bytes(told)
    return told


def test_positions_come_in_the_plans_order(service: Service, run: str) -> None:
    """With their frames, and the newest of them."""
    told = ask(service, "runs/<run>/positions", run)["positions"]
    assert [(each["name"], each["frames"]) for each in told] == [
        ("rim", 3),
        ("centre", 3),
    ]
    assert [(each["last"]["n"], each["last"]["slot"]) for each in told] == [
        (5, 2),
        (6, 2),
    ]
    assert told[0]["last"]["time"].startswith("2026-11-23T09:04:")
    newest = service.frames(run, position="rim", slot=2)["frames"][0]
    assert told[0]["last"]["z"] == newest["z"]


def test_a_position_without_frames_has_no_last_one(tmp_path: Path) -> None:
    """As before the first slot."""
    clock = VirtualClock(START_WALL_NS)
    service = Service(tmp_path, build(3, "algae_growth", clock), clock, RealDisk())
    seen = []
    clock.call_at(
        clock.monotonic_ns() + 10**9,
        lambda: seen.append(
            (
                service.overview.positions(str(service.status()["run_id"])),
                service.overview.timeline(str(service.status()["run_id"]), 10),
            )
        ),
    )
    service.start({"name": "later", "interval_s": 5, "frames": 1, "start_in_s": 9})
    assert service.wait(PATIENCE_S)
    service.close()
    nothing = {"name": "here", "frames": 0, "last": None}
    assert seen == [({"positions": [nothing]}, {"slots": 1, "bins": []})]


def test_a_timeline_has_at_most_so_many_bins(service: Service, run: str) -> None:
    """200 when nobody says."""
    told = ask(service, "runs/<run>/timeline", run)
    assert told["slots"] == 3
    assert [each["first"] for each in told["bins"]] == [0, 1, 2]
    (whole,) = ask(service, "runs/<run>/timeline", run, bins="1")["bins"]
    counts = {"captured": 3, "late": 0, "skipped": 0, "failed": 0}
    assert sum(whole[name] for name in counts) == 3
    assert (whole["first"], whole["last"]) == (0, 2)
    for bins in ("0", "1001"):
        with pytest.raises(InvalidRequestError, match="bins"):
            ask(service, "runs/<run>/timeline", run, bins=bins)


def test_visits_tell_focus_and_drift(service: Service, run: str) -> None:
    """As they were decided; null where they were not due."""
    visits = ask(service, "runs/<run>/visits", run, position="rim")["visits"]
    assert [visit["slot"] for visit in visits] == [0, 1, 2]
    assert [visit["focus"] is None for visit in visits] == [False, True, False]
    assert {"accepted", "z", "reason"} <= set(visits[0]["focus"])
    assert visits[0]["drift"] is None  # the first one is what is compared with
    assert {"accepted", "reason"} <= set(visits[1]["drift"])
    assert visits[0]["z"] == visits[0]["focus"]["z"]
    assert visits[0]["time"].startswith("2026-11-23T09:00:")
    after = str(visits[0]["n"])
    both = ask(service, "runs/<run>/visits", run, after=after, limit="2")["visits"]
    assert [visit["position"] for visit in both] == ["centre", "rim"]
    with pytest.raises(InvalidRequestError, match="rim, centre"):
        ask(service, "runs/<run>/visits", run, position="edge")


def test_several_positions_have_a_curve_each(service: Service, run: str) -> None:
    """In the plan's order."""
    rule = "runs/<run>/series"
    for what, numbers, slots in (
        ("focus", 2, [0, 2]),
        ("drift", 3, [0, 1, 2]),
        ("lateness", 2, [0, 1, 2]),
    ):
        told = ask(service, rule, run, what=what)["series"]
        assert [each["position"] for each in told] == ["rim", "centre"]
        for each in told:
            assert [point[0] for point in each["points"]] == slots
            assert {len(point) for point in each["points"]} == {numbers}
    assert all(
        len(each["points"]) == 1
        for each in ask(service, rule, run, what="lateness", points="1")["series"]
    )


@pytest.mark.parametrize(
    "query", [{}, {"what": "mood"}, {"what": "focus", "points": "0"}]
)
def test_another_curve_is_refused(
    service: Service, run: str, query: Dict[str, str]
) -> None:
    """With what there is."""
    with pytest.raises(InvalidRequestError, match=r"focus, drift, lateness|points 0"):
        ask(service, "runs/<run>/series", run, **query)


# ------------------------------------------------------------------------------ verify


def test_a_check_runs_among_the_jobs(service: Service, run: str) -> None:
    """Its report says what ``verify`` says; the run's movies are others."""
    job = ask(service, "runs/<run>/verify", run, "POST")["job"]
    assert (job["kind"], job["run"], job["report"]) == ("verify", run, None)
    ended = service.queue.wait(job["job"], PATIENCE_S)
    assert (ended["state"], ended["fraction"]) == ("done", 1.0)
    assert ended["report"]["ok"]
    assert ended["report"]["lines"][-1] == "Nothing is wrong."
    assert job["job"] in [each["job"] for each in service.jobs()["jobs"]]
    assert service.status()["movie_jobs"] == []
    with pytest.raises(NotFoundError):
        service.verify("2026-01-01_000000_none")


def test_a_check_under_way_is_not_asked_for_twice_and_can_be_cancelled(
    service: Service, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second asker gets the first one's job."""
    begun, go_on = threading.Event(), threading.Event()
    check = verify

    def slow(folder: Path, progress: Any) -> Any:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return check(folder, progress)

    monkeypatch.setattr(verify_job, "verify", slow)
    job = service.verify(run)["job"]["job"]
    assert begun.wait(PATIENCE_S)
    assert service.verify(run)["job"]["job"] == job
    assert service.cancel_job(job)["state"] == "running"
    go_on.set()
    ended = service.queue.wait(job, PATIENCE_S)
    assert (ended["state"], ended["report"]) == ("cancelled", None)
    assert service.cancel_job(job)["state"] == "cancelled"


def test_a_damaged_frame_is_in_the_report(service: Service, run: str) -> None:
    """The job is done, the run is not as it was."""
    file = service.frame(run, 2)
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    job = service.verify(run)["job"]["job"]
    ended = service.queue.wait(job, PATIENCE_S)
    file.write_bytes(whole)
    assert ended["state"] == "done"
    assert not ended["report"]["ok"]
    assert file.name in "".join(ended["report"]["lines"])
