"""``record.json``: kept whole or not at all, read for a person who may mend it."""

from pathlib import Path

import pytest
from cases.any_record import records
from cases.stored import finished_run, make_read_only, small_disk
from hypothesis import HealthCheck, given, settings

from openflexure_timelapse.errors import DamagedRunError, StorageError
from openflexure_timelapse.record import Record
from openflexure_timelapse.share.record_file import read_record, write_record
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.repair import repair
from openflexure_timelapse.store.verify import verify


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(records())
def test_any_record_comes_back(tmp_path: Path, record: Record) -> None:
    """Whatever letters are in it."""
    write_record(tmp_path, record, RealDisk())
    assert read_record(tmp_path) == record


def test_nobody_has_edited_it(tmp_path: Path) -> None:
    """None where there is no file."""
    assert read_record(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b'{"title": 1}', b"\xff", b'{"title": "' + b"x" * 5_000_000],
    ids=["empty", "cut", "list", "wrong", "bytes", "huge"],
)
def test_a_damaged_one_is_told(tmp_path: Path, content: bytes) -> None:
    """With what to do; never a record that is half read."""
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(DamagedRunError, match=r"record\.json .* Write the record anew"):
        read_record(tmp_path)


def test_verify_and_repair_leave_it(tmp_path: Path) -> None:
    """It and the bundles are no part of what is checked, and nothing is wrong."""
    run = finished_run(tmp_path, 2)
    write_record(run, Record(title="Pond"), RealDisk())
    (run / "share").mkdir(exist_ok=True)
    (run / "share" / "bundle.zip").write_bytes(b"PK")
    assert verify(run).ok
    (run / "run.db").unlink()
    assert repair(run).frames == 2
    assert read_record(run) == Record(title="Pond")
    assert (run / "share" / "bundle.zip").exists()
    assert verify(run).ok


@pytest.mark.parametrize("name", ["record.json", "share"])
def test_a_link_out_of_the_run_is_not_followed(tmp_path: Path, name: str) -> None:
    """A stranger's run leads nobody to what lies beside it."""
    run = finished_run(tmp_path, 1)
    (tmp_path / "outside").mkdir()
    (run / name).symlink_to(tmp_path / "outside")
    with pytest.raises(DamagedRunError, match="leads out of the run"):
        verify(run)


def test_one_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    """On a card that has become read-only."""
    with small_disk(tmp_path / "card") as card:
        write_record(card, Record(title="before"), RealDisk())
        make_read_only(card)
        with pytest.raises(StorageError, match="read-only"):
            write_record(card, Record(title="after"), RealDisk())
        assert read_record(card) == Record(title="before")
