"""What cut writes leave in a data folder goes away when a program starts there."""

from pathlib import Path
from typing import List

import pytest
from cases.stored import RUN_ID, finished_run, make_read_only, small_disk

from hardware_sim import VirtualClock, build
from openflexure_timelapse.hosts.leftovers import sweep
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.lock import DataLock
from openflexure_timelapse.store.verify import verify

PART = "0123456789ab.part"
LEFT = (
    f".2026-11-23_090000_never.{PART}/frames",
    f".preferences.json.{PART}",
    f"{RUN_ID}/movies/.left.mp4.{PART}/job.jsonl",
    f"{RUN_ID}/previews/.1_w160.jpeg.{PART}",
    f"{RUN_ID}/share/.{RUN_ID}_gbif.zip.{PART}/media/1.jpeg",
    ".deleted-2026-11-22_090000_old-0123456789ab/run.json",
)


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> Path:
    """Return a folder with a run that is over, and with what was cut off."""
    finished_run(tmp_path, 2)
    for name in LEFT:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix:
            path.write_bytes(b"half")
        else:
            path.mkdir()
    return tmp_path


def left(data: Path) -> List[str]:
    """Return what is still there of it."""
    return [name for name in LEFT if (data / name).exists()]


def test_a_start_removes_it_and_nothing_else(data: Path) -> None:
    """Hidden folders and files go, the run and what a user put there stay."""
    others = (data / "notes.part", data / RUN_ID / "movies" / "left.mp4")
    for other in others:
        other.write_bytes(b"whole")
    clock = VirtualClock(1)
    Service(data, build(3, "algae_growth", clock), clock, RealDisk()).close()
    assert left(data) == []
    assert all(other.exists() for other in others)
    assert sorted(item.name for item in data.iterdir()) == [RUN_ID, "notes.part"]
    assert verify(data / RUN_ID).ok


def test_what_another_program_is_making_stays(data: Path) -> None:
    """While somebody records there, only what was being deleted goes."""
    lock = DataLock(data)
    sweep(data)
    assert left(data) == list(LEFT[:-1])
    lock.release()
    sweep(data)
    assert left(data) == []


def test_a_read_only_card_can_still_be_looked_at(tmp_path: Path) -> None:
    """What cannot be removed now stays for a later start, and nobody fails over it."""
    with small_disk(tmp_path / "card") as card:
        finished_run(card, 1)
        (card / f".preferences.json.{PART}").write_bytes(b"half")
        make_read_only(card)
        sweep(card)
        assert (card / f".preferences.json.{PART}").exists()
