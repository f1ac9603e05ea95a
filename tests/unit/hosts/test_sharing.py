"""The verbs around sharing: the record, what stands in the way, bundles, names."""

import json
import threading
import zipfile
from pathlib import Path
from typing import Any, Dict

import pytest
from cases.gallery import shared_run
from cases.services import PATIENCE_S, jsonable, made, record, run_of

from openflexure_timelapse.errors import (
    ConfirmationError,
    DamagedRunError,
    InvalidRecordError,
    InvalidShareError,
    NotFoundError,
    NotReadyError,
)
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.share_job import ShareJob
from openflexure_timelapse.share import taxon_index
from openflexure_timelapse.share.archive import check_archive
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.order import DESTINATION_NAMES
from openflexure_timelapse.store.survey import Survey

NORDIC = {"destination": "nordic-microalgae"}
KNOWN = {
    "title": "Kedjan växer",
    "photographer": "Åsa Öberg",
    "taxon": {"name": "Skeletonema marinoi"},
    "sampled_at": "2026-11-20",
}


@pytest.fixture(name="described")
def _described(service: Service) -> str:
    """Return a run of which everything is known that a gallery asks for."""
    run = shared_run(service.library.data_folder, None, count=2).name
    service.sharing.set_record(run, KNOWN)
    return run


def ended(service: Service, told: Dict[str, Any]) -> Dict[str, Any]:
    """Return a job when it has ended."""
    return service.queue.wait(told["job"]["job"], PATIENCE_S)


def test_every_destination_has_its_row() -> None:
    """What an order may name is there, by that name, and nothing else."""
    assert tuple(DESTINATIONS) == DESTINATION_NAMES


def test_the_record_of_a_run(finished: Service) -> None:
    """What nobody has told yet, and what the run knows by itself."""
    told = finished.sharing.record(run_of(finished))
    jsonable(told)
    assert told["record"]["title"] == ""
    assert (told["edited"], told["problem"]) == (False, "")
    assert told["imaged"]["begin"].startswith("2026-11-23T09:00:0")
    assert told["imaged"]["frames"] == 3
    assert told["scale"]["um_per_pixel"] > 0
    assert [each["name"] for each in told["destinations"]] == list(DESTINATION_NAMES)
    with pytest.raises(NotFoundError):
        finished.sharing.record("2026-01-01_000000_none")


def test_an_edited_record_counts(service: Service) -> None:
    """Over the plan's, for movies too; the sighting keeps its id."""
    sample = {"title": "as planned", "um_per_pixel": 0.5}
    run = record(service, frames=1, sample=sample)
    before = service.sharing.record(run)
    assert before["record"]["title"] == "as planned"
    assert before["scale"] == {"um_per_pixel": 0.5, "source": "as the person told it"}
    after = service.sharing.set_record(run, {"title": "as edited"})
    assert (after["edited"], after["record"]["title"]) == (True, "as edited")
    assert after["occurrence_id"] == before["occurrence_id"]
    assert after["scale"]["um_per_pixel"] != 0.5
    (job,) = service.make_movie(run, {"format": "gif", "width": 64})["jobs"]
    told = service.queue.wait(job["job"], PATIENCE_S)
    movie = (service.library.folder(run) / told["file"]).read_bytes()
    assert b"as edited" in movie
    assert b"as planned" not in movie


@pytest.mark.parametrize(
    "wrong",
    [
        {"sampled_at": "2026-11-24"},
        {"sampled_at": "2026-11-23T09:31:00+01:00"},
        {"sampled_at": "2026-11-23T09:31"},
        {"latitude": 91, "longitude": 0},
        {"licence": "mine!"},
    ],
    ids=["day", "time", "no zone", "place", "licence"],
)
def test_what_cannot_be_is_not_kept(
    described: str, service: Service, wrong: Any
) -> None:
    """A time that lies ahead, a place of nowhere; the record before is still there."""
    with pytest.raises(InvalidRecordError) as refused:
        service.sharing.set_record(described, {**KNOWN, **wrong})
    assert refused.value.fields[0]["field"] in wrong
    assert service.sharing.record(described)["record"]["title"] == KNOWN["title"]


def test_a_time_is_not_refused_by_a_clock_that_nobody_believes(
    described: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Pi that thinks it is 1970 knows nothing of what lies ahead."""
    monkeypatch.setattr(service._clock, "wall_is_trusted", lambda: False)
    told = service.sharing.set_record(described, {"sampled_at": "2031-01-01"})
    assert told["record"]["sampled_at"] == "2031-01-01"


def test_a_damaged_record_can_be_written_anew(described: str, service: Service) -> None:
    """It is told, what was planned is shown, and nothing else fails over it."""
    (service.library.folder(described) / "record.json").write_bytes(b"{")
    told = service.sharing.record(described)
    assert "cannot be understood" in told["problem"]
    assert told["record"]["title"] == ""
    assert service.sharing.set_record(described, KNOWN)["problem"] == ""


def test_what_is_missing_is_told_before_anything_is_written(service: Service) -> None:
    """By the check, and once more by the order, with an entry for each field."""
    run = record(service, frames=1)
    told = service.sharing.check(run, NORDIC)
    jsonable(told)
    blocking = {each["field"] for each in told["findings"] if each["blocks"]}
    assert (told["ready"], blocking) == (False, {"title", "photographer"})
    doubts = [each["reason"] for each in told["findings"] if each["field"] == "run"]
    assert ["drawn by a simulated" in doubt for doubt in doubts] == [True]
    with pytest.raises(InvalidShareError) as refused:
        service.sharing.share(run, NORDIC)
    assert {each["field"] for each in refused.value.fields} == blocking
    with pytest.raises(InvalidShareError, match="destination"):
        service.sharing.share(run, {"destination": "flickr"})
    with pytest.raises(InvalidShareError, match="perhaps 'frames' is meant"):
        service.sharing.check(run, {**NORDIC, "frame": 1})
    assert service.jobs()["jobs"] == []
    assert not list((service.library.folder(run) / "share").glob("*"))


def test_a_bundle_is_one_file_that_is_listed(described: str, service: Service) -> None:
    """Whole, under a name of its own, with what is doubtful; the run is untouched."""
    before = sorted((service.library.folder(described) / "frames").rglob("*"))
    told = ended(service, service.sharing.share(described, NORDIC))
    jsonable(told)
    assert (told["state"], told["message"]) == ("done", "")
    assert (told["kind"], told["fraction"]) == ("share", 1.0)
    assert told["file"] == f"share/{described}_nordic-microalgae.zip"
    path = service.file(described, told["file"])
    assert check_archive(path, lambda _done, _total: None) == ()
    with zipfile.ZipFile(str(path)) as found:
        about = found.read(f"{path.stem}/bundle.json")
    assert json.loads(about)["record"]["photographer"] == "Åsa Öberg"
    again = ended(service, service.sharing.share(described, NORDIC))
    assert again["file"] == f"share/{described}_nordic-microalgae_2.zip"
    names = [each["name"] for each in service.files(described)["files"]]
    assert names[-2:] == [told["file"], again["file"]]
    left = [item.name for item in path.parent.iterdir()]
    assert sorted(left) == sorted(["shared.json", path.name, Path(again["file"]).name])
    assert service.sharing.record(described)["shared_before"] == ["nordic-microalgae"]
    assert sorted((service.library.folder(described) / "frames").rglob("*")) == before


def test_a_bundle_is_deleted_alone(
    described: str, service: Service, tmp_path: Path
) -> None:
    """With its name once more, through no link, and nothing that is no bundle."""
    job = ended(service, service.sharing.share(described, NORDIC))
    folder, name = service.library.folder(described), job["file"]
    outside = tmp_path / "mine.zip"
    outside.write_bytes(b"mine")
    (folder / "share" / "linked.zip").symlink_to(outside)
    (folder / "share" / "deep.zip").mkdir()
    before = {path for path in folder.rglob("*") if path.name != Path(name).name}
    for wrong in ("", "yes", described, Path(name).name):
        with pytest.raises(ConfirmationError, match="needs its name as confirmation"):
            service.delete_bundle(described, name, wrong)
    others = ["share/linked.zip", "share/deep.zip", "share/shared.json", "run.json"]
    others += ["../mine.zip", str(outside), "movies/here.gif", f"./{name}", ""]
    for other in others:
        with pytest.raises(NotFoundError, match="no bundle"):
            service.delete_bundle(described, other, other)
    assert service.file(described, name).is_file()
    assert service.delete_bundle(described, name, name) == {"deleted": name}
    assert set(folder.rglob("*")) == before
    assert outside.read_bytes() == b"mine"
    assert service.sharing.record(described)["shared_before"] == ["nordic-microalgae"]
    with pytest.raises(NotFoundError, match="it has: none"):
        service.delete_bundle(described, name, name)


def test_a_bundle_behind_a_link_is_not_deleted(
    described: str, service: Service, tmp_path: Path
) -> None:
    """A folder of bundles that leads out of the run is damage."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine.zip").write_bytes(b"mine")
    (service.library.folder(described) / "share").symlink_to(outside)
    with pytest.raises(DamagedRunError, match="leads out of the run"):
        service.delete_bundle(described, "share/mine.zip", "share/mine.zip")
    assert (outside / "mine.zip").read_bytes() == b"mine"


def test_what_was_counted_is_kept_between_checks(
    described: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page asks at each pause in typing."""
    asked = []
    briefs = Survey.briefs

    def counted(self: Survey, *limits: int) -> Any:
        asked.append(limits)
        return briefs(self, *limits)

    monkeypatch.setattr(Survey, "briefs", counted)
    first = service.sharing.check(described, {"destination": "ome-tiff"})
    assert asked
    del asked[:]
    assert service.sharing.check(described, {"destination": "ome-tiff"}) == first
    service.sharing.check(described, {"destination": "ome-zarr"})
    assert asked == []


def test_one_sighting_in_two_places_is_warned_of(
    described: str, service: Service
) -> None:
    """Both would reach GBIF."""
    there = {"latitude": 57.7, "longitude": 11.9, "place": "Göteborg"}
    service.sharing.set_record(described, {**KNOWN, **there, "origin": "wild"})
    order = {"destination": "inaturalist"}
    assert ended(service, service.sharing.share(described, order))["state"] == "done"
    findings = service.sharing.check(described, {"destination": "artportalen"})
    told = [each["reason"] for each in findings["findings"]]
    assert any("iNaturalist was made before" in each for each in told)


def test_a_cancelled_bundle_leaves_nothing(
    described: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while it waits nor while it is made; another one can be made."""
    begun, go_on = threading.Event(), threading.Event()
    look = ShareJob._look_up

    def held(job: ShareJob, done: int, total: int) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        look(job, done, total)

    monkeypatch.setattr(ShareJob, "_look_up", held)
    first = service.sharing.share(described, NORDIC)
    second = service.sharing.share(described, NORDIC)
    assert begun.wait(PATIENCE_S)
    for told in (second, first):
        service.cancel_job(told["job"]["job"])
    go_on.set()
    assert ended(service, first)["state"] == "cancelled"
    assert ended(service, second)["state"] == "cancelled"
    folder = service.library.folder(described) / "share"
    assert list(folder.iterdir()) == []
    assert ended(service, service.sharing.share(described, NORDIC))["state"] == "done"


def test_a_disk_without_room_is_told(
    described: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written, and while it is: what the plan keeps free stays."""
    whole, disk = service._disk.free_bytes, service._disk
    monkeypatch.setattr(disk, "free_bytes", lambda _path: 1000)
    told = ended(service, service.sharing.share(described, NORDIC))
    assert told["state"] == "failed"
    assert "MB are needed; delete something" in told["message"]
    free = iter([10**12, 10**12])
    monkeypatch.setattr(disk, "free_bytes", lambda _path: next(free, -1))
    told = ended(service, service.sharing.share(described, NORDIC))
    assert told["message"].startswith("The bundle was given up: The disk has")
    assert list((service.library.folder(described) / "share").iterdir()) == []
    monkeypatch.setattr(disk, "free_bytes", whole)
    assert ended(service, service.sharing.share(described, NORDIC))["state"] == "done"


def test_a_run_that_is_deleted_meanwhile_stays_deleted(
    described: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job fails in words, and no folder comes back."""
    look = ShareJob._look_up

    def gone(job: ShareJob, done: int, total: int) -> None:
        if service.library.runs()["runs"]:
            service.delete(described, described)
        look(job, done, total)

    monkeypatch.setattr(ShareJob, "_look_up", gone)
    told = ended(service, service.sharing.share(described, NORDIC))
    assert told["state"] == "failed"
    assert not (service.library.data_folder / described).exists()


def test_names_come_from_the_list_in_the_data_folder(
    described: str, service: Service
) -> None:
    """They are offered, and a name that two taxa have stops what goes to GBIF."""
    assert service.sharing.taxa("skel", 5) == {"source": None, "taxa": []}
    rows = "scientific_name\tauthority\trank\ttaxon_id\tstatus\n"
    for number, author in ((1, "Sarno"), (2, "Other")):
        rows += f"Skeletonema marinoi\t{author}\tSpecies\t{number}\taccepted\n"
    (service.library.data_folder / "taxa.txt").write_text(rows, "utf-8")
    told = service.sharing.taxa("SKEL", 5)
    jsonable(told)
    assert [each["aphia_id"] for each in told["taxa"]] == [1, 2]
    findings = service.sharing.check(described, {"destination": "inaturalist"})
    (twice,) = [each for each in findings["findings"] if "2 taxa" in each["reason"]]
    assert (twice["field"], twice["blocks"]) == ("taxon.name", True)


def test_a_bundle_waits_for_the_list_of_names(
    described: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who orders it need not; then a name that two taxa have stops it all the same."""
    rows = "scientific_name\ttaxon_id\nSkeletonema marinoi\t1\nSkeletonema marinoi\t2\n"
    (service.library.data_folder / "taxa.txt").write_text(rows, "utf-8")
    go_on = threading.Event()
    known = taxon_index.known_taxa

    def held(lines: Any) -> Any:
        assert go_on.wait(PATIENCE_S)
        return known(lines)

    monkeypatch.setattr(taxon_index, "known_taxa", held)
    monkeypatch.setattr(service.sharing._taxa, "_patience_s", 0.0)
    with pytest.raises(NotReadyError):
        service.sharing.taxa("skel", 5)
    there = {**KNOWN, "latitude": 57.7, "longitude": 11.9}
    service.sharing.set_record(described, there)
    ordered = service.sharing.share(described, {"destination": "inaturalist"})
    go_on.set()
    told = ended(service, ordered)
    assert told["state"] == "failed"
    assert "is the name of 2 taxa" in told["message"]


def test_a_stranger_s_link_keeps_no_service_from_starting(
    described: str, service: Service, tmp_path: Path
) -> None:
    """What lies behind it stays as it is."""
    service.close()
    folder = service.library.folder(described) / "share"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".x.0123456789ab.part").write_bytes(b"mine")
    folder.symlink_to(outside)
    made(service.library.data_folder).close()
    assert (outside / ".x.0123456789ab.part").read_bytes() == b"mine"
