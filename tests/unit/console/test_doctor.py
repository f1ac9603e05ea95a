"""The check-up: each finding is a sentence, whatever is wrong with the computer."""

from pathlib import Path

import pytest
from cases.stored import make_read_only, small_disk

from openflexure_timelapse.console.doctor import Finding, examine
from openflexure_timelapse.movie.ffmpeg import CHOICE


def found(folder: Path, topic: str) -> Finding:
    """Return what was found of one topic."""
    return next(item for item in examine(folder) if item.topic == topic)


def test_a_read_only_disk_is_told_in_words(tmp_path: Path) -> None:
    """No finding shows the operating system's own words and numbers."""
    with small_disk(tmp_path / "small") as small:
        make_read_only(small)
        finding = found(small, "Writing frames")
        assert finding.level == "bad"
        assert finding.detail.startswith(f"Cannot write to {small}: its file system")
        assert "Errno" not in finding.detail


def test_an_ffmpeg_that_does_not_start_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is no program is named, with what to do."""
    program = tmp_path / "ffmpeg"
    program.write_bytes(b"\x7fELF no program")
    program.chmod(0o755)
    monkeypatch.setenv(CHOICE, str(program))
    finding = found(tmp_path, "ffmpeg")
    assert finding.level == "bad"
    assert finding.detail.startswith(f"{program} cannot be started (Exec format error)")
