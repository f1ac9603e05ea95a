"""Bad input on the command line: one sentence, and what to do next."""

import json
from pathlib import Path

import pytest
from command_line import called, is_one_sentence, written

from openflexure_timelapse.store.layout import INDEX_FILE


def test_wrong_use_is_one_line_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong words on the command line never show a traceback."""
    plan = written(tmp_path)
    out = ("--out", str(tmp_path / "runs"))
    for arguments in (
        (),
        ("film",),
        ("record", *out),
        ("record", plan, "--resume", *out),
        ("record", plan, *out, "--speed", "0"),
        ("record", plan, *out, "--speed", "fast"),
        ("record", plan, *out, "--scene", "nope"),
        ("record", plan, *out, "--scene", "pond+nope"),
        ("record", "--resume", *out),
        ("record", str(tmp_path / "no-plan.json"), *out),
        ("show", str(tmp_path / "no-run")),
        ("plan", "check", str(tmp_path / "no-plan.json")),
        ("runs", str(tmp_path), "--limit", "0"),
        ("serve", "--data", plan),
    ):
        code, _, complaint = called(capsys, *arguments)
        assert code == 2, arguments
        assert is_one_sentence(complaint), complaint
    assert not (tmp_path / "runs").exists()


BAD_PLANS = {
    "a misspelt field": '{"name": "a", "intervall_s": 3}',
    "no JSON": '{"name": "a", ',
    "a list": "[1]",
    "an interval that is no number": '{"name": "a", "interval_s": NaN}',
    "a negative interval": '{"name": "a", "interval_s": -3}',
    "no frames": '{"name": "a", "interval_s": 3, "frames": 0}',
    "a past start": (
        '{"name": "a", "interval_s": 3, "start_at": "2001-01-01T00:00:00+00:00"}'
    ),
    "an unreachable z": (
        '{"name": "a", "interval_s": 3,'
        ' "positions": [{"name": "a", "x": 0, "y": 0, "z": 9000000}]}'
    ),
    "an odd movie": '{"name": "a", "interval_s": 3, "movie": {"width": 101}}',
    "a movie without frames per second": (
        '{"name": "a", "interval_s": 3, "movie": {"fps": 0}}'
    ),
}


@pytest.mark.parametrize("text", BAD_PLANS.values(), ids=BAD_PLANS)
def test_a_bad_plan_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Code 2, one line, no run."""
    plan = tmp_path / "plan.json"
    plan.write_text(text, encoding="utf-8")
    out = tmp_path / "runs"
    code, printed, complaint = called(
        capsys, "record", str(plan), "--out", str(out), "--speed", "max"
    )
    assert (code, printed) == (2, "")
    assert is_one_sentence(complaint), complaint
    assert list(out.glob("*/run.json")) == []


def test_a_plan_that_starts_in_the_past_is_not_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checking a plan asks the clock, as starting it would."""
    plan = written(tmp_path, start_at="2001-01-01T00:00:00+00:00")
    code, _, complaint = called(capsys, "plan", "check", plan)
    assert code == 2
    assert is_one_sentence(complaint), complaint
    assert "is past" in complaint


def test_a_disk_or_folder_that_takes_nothing_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too little space, or a folder that cannot be made: code 1 and what to do."""
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    full = written(tmp_path, keep_free_mb=10**9)
    for out, words in ((tmp_path / "runs", "keep_free_mb"), (blocked / "a", "file")):
        code, _, complaint = called(
            capsys, "record", full, "--out", str(out), "--speed", "max"
        )
        assert code == 1
        assert is_one_sentence(complaint), complaint
        assert words in complaint
    assert list((tmp_path / "runs").glob("*/run.json")) == []


def test_a_bad_recipe_is_one_sentence(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An odd size, no frames per second, an unknown position: code 2, no file."""
    for wish in (("--width", "101"), ("--fps", "0"), ("--position", "nowhere")):
        code, _, complaint = called(capsys, "movie", str(recorded), *wish)
        assert code == 2
        assert is_one_sentence(complaint), complaint


def test_a_truncated_frame_is_named(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verify fails and names the file; the movie shows a gap instead of the damage."""
    frame = copied / "frames" / "here" / "0000001.jpeg"
    frame.write_bytes(frame.read_bytes()[:5000])
    code, printed, _ = called(capsys, "verify", str(copied))
    assert code == 1
    assert "0000001.jpeg" in printed
    assert called(capsys, "movie", str(copied), "--width", "120")[0] == 0


@pytest.mark.parametrize("damage", [b"", b"\0" * 4096, b"garbage" * 1000])
def test_a_damaged_index_is_repaired(
    copied: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    """Every frame is found again from its own EXIF."""
    (copied / INDEX_FILE).write_bytes(damage)
    for leftover in copied.glob(f"{INDEX_FILE}-*"):
        leftover.unlink()
    code, _, complaint = called(capsys, "show", str(copied))
    assert code == 1
    assert is_one_sentence(complaint), complaint
    assert "repair" in complaint
    assert called(capsys, "verify", str(copied))[0] == 1
    assert called(capsys, "repair", str(copied))[0] == 0
    assert called(capsys, "verify", str(copied))[0] == 0
    _, printed, _ = called(capsys, "show", str(copied), "--json")
    assert json.loads(printed)["frames"] == 3
