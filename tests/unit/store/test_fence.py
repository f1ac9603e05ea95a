"""A run that somebody else has made reaches no further than its folder."""

import contextlib
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cases.stored import RUN_ID, draft, finished_run, new_run, tiny_jpeg

from openflexure_timelapse import cli
from openflexure_timelapse.errors import DamagedRunError, NotFoundError, StorageError
from openflexure_timelapse.hosts.footage import movie_frames
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.movie.render import sweep_renders
from openflexure_timelapse.store import exif, fence, rows
from openflexure_timelapse.store.catalogue import delete_run, list_runs
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.evidence import Verdict, judge_listed
from openflexure_timelapse.store.exif import read_frame_record, with_exif
from openflexure_timelapse.store.header import frame_record
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.recover import repair, verify
from openflexure_timelapse.store.run_store import RunStore

FIRST = "frames/here/0000000.jpeg"
LEFTOVER = ".x.0123456789ab.part"
TOP = ("run.json", "run.db", "frames", "movies", "previews", "frames.csv")


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Path:
    return finished_run(tmp_path / "runs", 3)


@pytest.fixture(name="secrets")
def _secrets(tmp_path: Path) -> Path:
    place = tmp_path / "secrets"
    place.mkdir()
    (place / "0000000.jpeg").write_bytes(tiny_jpeg(99))
    (place / LEFTOVER).mkdir()
    (place / "file.0123456789ab.part").write_bytes(b"kept")
    return place


def library(run: Path) -> Library:
    """Return the library of the folder that a run lies in."""
    return Library(run.parent, RealClock(), RealDisk())


def link(run: Path, name: str, target: Path) -> None:
    """Put a link in the place of a file or folder of a run."""
    path = run / name
    if path.is_dir():
        shutil.rmtree(str(path))
    elif path.exists():
        path.unlink()
    path.symlink_to(target)


@pytest.mark.parametrize("name", TOP)
def test_a_run_with_a_link_out_of_it_is_not_opened(
    run: Path, secrets: Path, name: str
) -> None:
    """Neither read nor repaired nor swept; the list says why."""
    link(run, name, secrets)
    for function in (RunStore.open_read, verify, repair, sweep_renders):
        with pytest.raises(DamagedRunError, match="link that leads out"):
            function(run)
    with pytest.raises(DamagedRunError, match="link that leads out"):
        library(run).files(RUN_ID)
    if name not in {"run.json", "frames"}:
        assert "leads out" in list_runs(run.parent)[0].problem
    assert (secrets / LEFTOVER).is_dir()


def test_a_link_inside_a_run_is_followed(run: Path) -> None:
    """Who has put the movies of a run beside its frames has not left it."""
    (run / "kept").mkdir()
    link(run, "movies", run / "kept")
    assert verify(run).ok


def test_a_frame_that_is_a_link_is_not_served(run: Path, secrets: Path) -> None:
    """Nor shown in a movie; verify names it."""
    link(run, FIRST, secrets / "0000000.jpeg")
    for width in (None, 160):
        with pytest.raises(NotFoundError, match="is gone"):
            library(run).frame(RUN_ID, 1, width)
    with pytest.raises(DamagedRunError, match="link that leads out"):
        list(movie_frames(library(run), RUN_ID, "here", 0))
    assert verify(run).missing == (FIRST,)


def test_a_folder_of_frames_that_is_a_link_takes_no_frame(
    tmp_path: Path, secrets: Path
) -> None:
    """A run goes on inside its folder or not at all."""
    with new_run(tmp_path / "other") as store:
        (store.folder / "frames" / "here").symlink_to(secrets)
        with pytest.raises(StorageError, match="link that leads out"):
            store.add_frame(tiny_jpeg(), draft(5), {})
    assert not (secrets / "0000005.jpeg").exists()


def test_a_movie_that_is_a_link_is_not_listed(run: Path, secrets: Path) -> None:
    """So it is not served; nor is one whose name no address can hold."""
    (run / "movies" / "here.mp4").symlink_to(secrets / "0000000.jpeg")
    (run / "movies" / "two\nlines.mp4").write_bytes(b"x")
    (run / "movies" / "<b>.mp4").write_bytes(b"x")
    movies = [file["name"] for file in library(run).files(RUN_ID)["files"][1:]]
    assert movies == ["movies/<b>.mp4"]


def test_a_linked_run_is_deleted_as_a_link(tmp_path: Path, run: Path) -> None:
    """What it leads to stays, and no link keeps the service from starting."""
    data = tmp_path / "data"
    data.mkdir()
    (data / RUN_ID).symlink_to(run)
    delete_run(data, RUN_ID, RUN_ID)
    assert list(data.iterdir()) == []
    assert verify(run).ok


@pytest.mark.parametrize("name", ["run.json", FIRST])
def test_no_file_is_read_without_end(
    run: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is larger than any of ours is damage, whatever is in it."""
    monkeypatch.setattr(fence, "LARGEST_TEXT_BYTES", 100)
    with (run / name).open("r+b") as stream:
        stream.truncate(fence.LARGEST_FRAME_BYTES + 10**9)
    report = verify(run)
    assert not report.ok
    if name == FIRST:
        assert report.unreadable == (FIRST,)
        seen = judge_listed(run, FIRST, "", 1)
        assert (seen.verdict, seen.content) == (Verdict.UNREADABLE, b"")
    else:
        assert "which no run has" in report.damage[0]


# -------------------------------------------------------------- the index of a stranger


def change(run: Path, script: str) -> None:
    """Change the index behind the store's back."""
    with closing(sqlite3.connect(str(run / "run.db"))) as database:
        database.executescript(script)
        database.commit()


STRANGE = {
    "view": """
    ALTER TABLE slots RENAME TO x;
    CREATE VIEW slots AS
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)
    SELECT n, n AS first, n AS last, 'captured' AS outcome, NULL AS reason,
    '' AS detail, 0 AS lateness_ns FROM c;
    """,
    "trigger": "CREATE TRIGGER t AFTER INSERT ON slots BEGIN DELETE FROM slots; END;",
    "table": "CREATE TABLE other (x);",
}


@pytest.mark.parametrize("script", STRANGE.values(), ids=list(STRANGE))
def test_an_index_of_other_making_is_damage(run: Path, script: str) -> None:
    """A view would compute for ever; nothing of it is asked, and repair rebuilds it."""
    change(run, script)
    with pytest.raises(DamagedRunError, match="is not as it should be"):
        Index(run / "run.db", writable=False)
    assert any("not as it should be" in damage for damage in verify(run).damage)
    assert repair(run).frames == 3
    assert verify(run).ok


CELLS = {
    "engine is a list": "REPLACE INTO meta VALUES ('engine', '[1]')",
    "engine is deep": "REPLACE INTO meta VALUES ('engine', '%s')" % ("[" * 2000),  # noqa: S608 - ours
    "a slot is text": "UPDATE slots SET last = 'x' WHERE first = 1",
    "a slot is huge": "UPDATE slots SET last = 9223372036854775807 WHERE first = 2",
    "a total is text": "UPDATE totals SET bytes = 'x', last_n = 'y'",
    "there are no totals": "DELETE FROM totals",
    "last number is huge": "UPDATE totals SET last_n = 9223372036854775807",
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_an_odd_cell_is_no_crash(run: Path, cell: str) -> None:
    """Each reader says something of ours or shows the rest; repair mends it."""
    change(run, cell)
    verify(run)
    cli.main(["show", str(run)])
    for look in ("run", "frames", "slots"):
        with contextlib.suppress(DamagedRunError):  # or no error at all
            getattr(library(run), look)(RUN_ID)
    repair(run)
    verify(run)


def test_a_row_that_no_frame_can_have_is_damage(run: Path) -> None:
    """Also with the right check sum: an offset of years is in no zone."""
    with closing(sqlite3.connect(str(run / "run.db"))) as database:
        database.execute("UPDATE frames SET utc_offset_s = 1000000000 WHERE n = 1")
        row = database.execute(rows.SELECT_FRAMES).fetchone()
        signed = "UPDATE frames SET crc = ? WHERE n = 1"
        database.execute(signed, (rows._crc(row[:-1]),))
        database.commit()
    with pytest.raises(DamagedRunError, match="says what no frame can"):
        library(run).frames(RUN_ID)
    assert verify(run).damage


# ----------------------------------------------------------- the frames of a stranger


def told(run: Path, **facts: Any) -> bytes:
    """Return a frame that says something else of itself."""
    header = json.loads((run / "run.json").read_text("utf-8"))
    record = read_frame_record((run / FIRST).read_bytes())
    assert record is not None
    odd = type(record.draft)(**{**vars(record.draft), **facts})
    return with_exif(tiny_jpeg(0), frame_record(header, 1, odd), {})


@pytest.mark.parametrize(
    "facts",
    [{"slot": 2**63 - 1}, {"width": -1}, {"mean_grey": "x"}, {"plane": 10**15}],
    ids=str,
)
def test_a_frame_says_nothing_impossible(run: Path, facts: Any) -> None:
    """What would not fit into an index is no record, and costs no repair."""
    content = told(run, **facts)
    assert read_frame_record(content) is None
    (run / FIRST).write_bytes(content)
    (run / "run.db").unlink()
    assert repair(run).frames == 2


def test_a_deep_comment_is_no_record(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its JSON would break whoever walks through it; ours never is."""
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    assert read_frame_record(told(run, metadata={"a": deep})) is not None
    monkeypatch.setattr(exif, "jsonable", lambda value: value)
    assert read_frame_record(told(run, metadata={"a": deep})) is None


@pytest.mark.parametrize("name", ["9" * 40, "0000001_z" + "9" * 30])
def test_a_number_of_a_name_has_an_end(run: Path, name: str) -> None:
    """A file that no frame can be called is only a file that is not listed."""
    file = f"frames/here/{name}.jpeg"
    (run / file).write_bytes(tiny_jpeg(1))
    assert verify(run).unlisted == (file,)


def test_what_is_no_file_is_missing(run: Path) -> None:
    """A pipe would be waited for, a device read without end."""
    (run / FIRST).unlink()
    os.mkfifo(str(run / FIRST))
    second = run / "frames/here/0000001.jpeg"
    second.unlink()
    second.symlink_to("/dev/zero")
    assert len(verify(run).missing) == 2
