"""A disk that fails under a run: what it says, what it keeps, how it goes on."""

import errno
from pathlib import Path
from typing import Any, Callable, List

import pytest
from cases.rig import INTERVAL_S, NS_PER_S, PLACES, Rig

from openflexure_timelapse.errors import DamagedRunError, StorageError
from openflexure_timelapse.run_state import EndReason, RunStatus
from openflexure_timelapse.store.disk import storage_error
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify


class Device:
    """Refuses writes of a rig between two times, as the kernel would.

    Parameters
    ----------
    rig : Rig
        Its index and its frames are refused.
    from_s, to_s : float
        When.
    number : int
        The kernel's number of the error; 0 for one of the index alone.
    """

    def __init__(self, rig: Rig, from_s: float, to_s: float, number: int) -> None:
        self._rig = rig
        self._window = (from_s, to_s)
        self._number = number
        self._write = rig.disk.write
        rig.disk.write = self.write  # type: ignore[method-assign]

    @property
    def fails(self) -> bool:
        """Whether it does now."""
        rig = self._rig
        now_s = (rig.clock.monotonic_ns() - rig.origin_ns) / NS_PER_S
        return self._window[0] <= now_s < self._window[1]

    def write(self, path: str, data: bytes) -> None:
        """Write, or fail."""
        if self.fails and self._number:
            raise storage_error(OSError(self._number, "no"), "write", path)
        self._write(path, data)

    def index(self, monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
        """Let the index fail as well."""
        write: Callable[..., None] = RunStore.record

        def record(store: RunStore, **rows: Any) -> None:
            if self.fails:
                store.release()
                raise problem
            write(store, **rows)

        monkeypatch.setattr(RunStore, "record", record)


def looks(rig: Rig, *seconds: float) -> List[RunStatus]:
    """Look at the status at these times."""
    told: List[RunStatus] = []
    for second in seconds:
        rig.at(second, lambda: told.append(rig.engine.status()))
    return told


@pytest.mark.parametrize(
    ("number", "reason", "words"),
    [
        (errno.EIO, "disk_error", "reports an error"),
        (errno.EROFS, "disk_error", "read-only"),
        (errno.EDQUOT, "disk_full", "No space"),
        (0, "disk_error", "index failed"),
    ],
    ids=["error", "read-only", "quota", "the index alone"],
)
def test_a_disk_that_takes_nothing_pauses_the_run_and_the_status_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    reason: str,
    words: str,
) -> None:
    """SQLite says the same of all of them; the disk itself is asked."""
    rig = Rig(tmp_path)
    problem = StorageError("The index failed (disk I/O error); check the device.")
    Device(rig, 65, 155, number).index(monkeypatch, problem)
    told = looks(rig, 65 + INTERVAL_S + 1)
    assert rig.run().end_reason is EndReason.COMPLETED
    assert told[0].to_json()["pause_reason"] == reason
    assert any(words in warning for warning in told[0].warnings)
    assert rig.reasons()[4:6] == [reason, reason]
    assert rig.outcomes()[6:] == "cc"
    assert verify(rig.folder).ok


def test_an_index_that_seems_damaged_on_a_failing_disk_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that is gone makes SQLite say so."""
    rig = Rig(tmp_path)
    damaged = DamagedRunError("The index is damaged; run repair on its run.")
    Device(rig, 65, 155, errno.EIO).index(monkeypatch, damaged)
    assert rig.run().end_reason is EndReason.COMPLETED
    assert rig.outcomes()[6:] == "cc"


def test_a_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    """A pulled card leaves an empty place, where nothing may be written."""
    rig = Rig(tmp_path, positions=PLACES)
    away = tmp_path / "away"
    seen: List[List[str]] = []

    def put_back() -> None:
        seen.append(sorted(path.name for path in tmp_path.iterdir()))
        away.rename(rig.folder)

    rig.at(65, lambda: rig.folder.rename(away)).at(155, put_back)
    told = looks(rig, 65 + INTERVAL_S + 1)
    assert rig.run().end_reason is EndReason.COMPLETED
    assert seen == [["away"]]
    assert told[0].pause_reason is not None
    assert told[0].pause_reason.value == "disk_error"
    assert told[0].bytes_free is None
    assert "mount its disk again" in " ".join(told[0].warnings)
    assert rig.outcomes() == "cccssscc"
    assert verify(rig.folder).ok


def test_another_run_at_that_place_is_not_written_into(tmp_path: Path) -> None:
    """Somebody put another card in."""
    rig = Rig(tmp_path)
    other = Rig(tmp_path / "other")
    other.store.close()
    rig.at(65, lambda: rig.folder.rename(tmp_path / "away"))
    rig.at(66, lambda: other.folder.rename(rig.folder))
    rig.at(155, lambda: rig.folder.rename(tmp_path / "others"))
    rig.at(156, lambda: (tmp_path / "away").rename(rig.folder))
    told = looks(rig, 65 + INTERVAL_S + 1)
    assert rig.run().end_reason is EndReason.COMPLETED
    assert "Another run is in" in " ".join(told[0].warnings)
    with RunStore.open_read(tmp_path / "others") as store:
        assert store.totals().next_slot == 0


def test_a_commit_that_was_called_failed_and_was_not_is_no_second_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flush that fails says nothing about what is on the disk afterwards."""
    rig = Rig(tmp_path)
    write: Callable[..., None] = RunStore.record
    refused: List[int] = []

    def record(store: RunStore, **rows: Any) -> None:
        write(store, **rows)
        if rows.get("slots") and rows["slots"][0].first == 3 and not refused:
            refused.append(3)
            raise StorageError("The index failed (disk I/O error).")

    monkeypatch.setattr(RunStore, "record", record)
    assert rig.run().end_reason is EndReason.COMPLETED
    assert rig.outcomes() == "cccccccc"
    assert refused == [3]


def test_a_run_that_ends_on_a_failing_disk_is_told_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits in finishing, says why, and frames.csv is there in the end."""
    rig = Rig(tmp_path, frames=4)
    problem = StorageError("The index failed (disk I/O error); check the device.")
    Device(rig, 85, 500, errno.EROFS).index(monkeypatch, problem)
    told = looks(rig, 400)
    assert rig.run().end_reason is EndReason.COMPLETED
    assert told[0].phase.value == "finishing"
    assert any("read-only" in warning for warning in told[0].warnings)
    assert rig.engine.closed
    assert (rig.folder / "frames.csv").is_file()


def test_a_person_can_pause_and_resume_on_a_failing_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is asked again at the resume, and then it is no matter any more."""
    rig = Rig(tmp_path)
    problem = StorageError("The index failed (disk I/O error); check the device.")
    Device(rig, 65, 140, errno.EIO).index(monkeypatch, problem)
    rig.at(100, rig.engine.pause).at(130, rig.engine.resume).at(145, rig.engine.pause)
    rig.at(170, rig.engine.resume)
    told = looks(rig, 125, 135, 195)
    assert rig.run().end_reason is EndReason.COMPLETED
    assert [status.state.label for status in told] == [
        "paused by the user",
        "running",
        "running",
    ]
    assert told[2].warnings == ()
    assert verify(rig.folder).ok


def test_what_is_tried_leaves_nothing(tmp_path: Path) -> None:
    """A file that was written only to see is removed, by recovery at the latest."""
    rig = Rig(tmp_path)
    (rig.folder / ".try.0123456789ab.part").write_bytes(b"x")
    assert recover(rig.store).temporaries_removed == (".try.0123456789ab.part",)
    rig.store.close()
