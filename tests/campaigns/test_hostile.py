"""Hostile input in short: every promise holds, and each that does not is seen."""

from pathlib import Path
from typing import Any

import pytest

from campaigns import hostile_runs
from campaigns.findings import Findings
from campaigns.hostile import _notes
from campaigns.hostile_documents import READERS, _read, attack_documents, pictures
from campaigns.hostile_folder import EVIL, small_run, told_evil
from campaigns.hostile_harms import HARMS
from campaigns.hostile_tally import CANARY, Reply, Tally, table_row
from openflexure_timelapse.console import printing
from openflexure_timelapse.store import evidence, exif

SEED = 20261126
NOSNIFF = {"x-content-type-options": "nosniff"}


def test_readers_take_anything() -> None:
    """Each refuses in a sentence or reads."""
    for tally in attack_documents(100, SEED):
        assert tally.tried > 0
        assert tally.falls == []


def test_copied_runs_do_no_harm(tmp_path: Path, monkeypatch: Any) -> None:
    """One of each kind, with the commands that are quick."""
    monkeypatch.setattr(hostile_runs, "COMMANDS", ("show", "verify", "repair"))
    tallies = hostile_runs.attack_runs(len(HARMS), SEED, tmp_path)
    assert [tally.falls for tally in tallies] == [[]] * len(HARMS)
    assert {tally.tried for tally in tallies} == {3}


def test_a_reader_that_raises_is_seen(monkeypatch: Any) -> None:
    """Its error stands in the findings, with what repeats it."""

    def broken(_jpeg: bytes) -> Any:
        raise IndexError("no such byte")

    monkeypatch.setattr("campaigns.hostile_documents.inspect", broken)
    tally = Tally("JPEG", "hypothesis")
    _read(tally, READERS["JPEG"], pictures(), 3, SEED)
    assert [kind for kind, _ in tally.falls] == ["traceback"] * 3
    told = Findings((), broken=tuple(told for _, told in tally.falls)).markdown()
    assert "no such byte" in told


def test_a_run_that_reaches_out_is_seen(tmp_path: Path, monkeypatch: Any) -> None:
    """Without the check of links a repair empties somebody else's folder."""
    monkeypatch.setattr(evidence, "check_links", lambda folder: folder)
    monkeypatch.setattr(hostile_runs, "COMMANDS", ("repair",))

    def linked(run: Path, secrets: Path, _luck: Any) -> None:
        for path in (run / "frames" / "here").iterdir():
            path.unlink()
        (run / "frames" / "here").rmdir()
        (run / "frames").rmdir()
        (run / "frames").symlink_to(secrets / "folder")

    tally = Tally("links", "repair")
    sound = small_run(tmp_path / "sound")
    hostile_runs._one(tally, linked, "luck", sound, tmp_path / "one")
    assert [kind for kind, _ in tally.falls] == ["escape"]


def test_a_text_that_commands_the_terminal_is_seen(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """Without the screen before it."""
    monkeypatch.setattr(printing, "harmless", lambda text: text)
    monkeypatch.setattr(hostile_runs, "COMMANDS", ("show",))
    tally = Tally("text", "show")
    sound = small_run(tmp_path / "sound")
    code = next(text for text in EVIL if "\x1b" in text)
    hostile_runs._one(
        tally, lambda run, *_: told_evil(run, code), "luck", sound, tmp_path / "one"
    )
    assert [kind for kind, _ in tally.falls] == ["other"]


def test_a_traceback_of_a_command_is_seen(tmp_path: Path, monkeypatch: Any) -> None:
    """Whatever a reader of files raises."""

    def deep(_text: str) -> Any:
        raise RecursionError("deep")

    monkeypatch.setattr(exif, "read_value", deep)
    monkeypatch.setattr(hostile_runs, "COMMANDS", ("repair",))
    tally = Tally("EXIF", "repair")
    sound = small_run(tmp_path / "sound")
    hostile_runs._one(
        tally, lambda run, *_: (run / "run.db").unlink(), "x", sound, tmp_path / "one"
    )
    assert [kind for kind, _ in tally.falls] == ["traceback"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(500, {}, b"Internal Server Error"), "5xx"),
        (Reply(500, {}, b'{"name": "StorageError"}'), "5xx"),
        (Reply(422, {}, b"Traceback (most recent call last):"), "traceback"),
        (Reply(200, NOSNIFF, b"..." + CANARY), "escape"),
        (Reply(200, NOSNIFF, b"root:x:0:0:root"), "escape"),
        (Reply(404, {"x-injected": "1"}, b""), "other"),
        (Reply(200, {}, b"<script>"), "other"),
        (Reply(503, {}, b'{"name": "HardwareBusyError"}'), ""),
        (Reply(422, {}, b'{"name": "InvalidPlanError"}'), ""),
    ],
)
def test_an_answer_is_judged(reply: Reply, kind: str) -> None:
    """By what is in it, whatever was asked."""
    tally = Tally("server", "hand")
    tally.judge("GET x", reply)
    assert [found for found, _ in tally.falls] == ([kind] if kind else [])
    assert sum(table_row(tally)[3:]) == len(tally.falls)


def test_what_was_not_attacked_is_told() -> None:
    """A table without a server says so."""
    assert len(_notes([])) == 3
    attacked = [Tally("server v2, x", "hypothesis"), Tally("server v3, x", "atheris")]
    assert _notes(attacked) == ()
