"""The attacks on other ways, short: ours loses nothing, and a loss is seen."""

from pathlib import Path

import pytest
from cases.stored import finished_run

from campaigns import rivals
from campaigns.rival_disks import refusal
from campaigns.rival_recording import Recording, find_reader
from campaigns.rival_ways import OURS, WAYS

MP4 = "OpenCV, MPEG-4 in .mp4"
AT_ONCE = rivals.Pace(*[(0.5, 1.0)] * 3, after_full=(2.0, 2.0), again=(0.5, 0.5))
LOSES_ALL = (rivals.KILL, rivals.CUT)  # an .mp4 has its index at its end


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attack two ways only, and soon."""
    if not find_reader():
        pytest.skip("the videos of others are read with ffprobe, which is missing")
    monkeypatch.setattr(rivals, "PACE", AT_ONCE)
    monkeypatch.setattr(rivals, "WAYS", {way: WAYS[way] for way in (OURS, MP4)})


@pytest.mark.parametrize("name", sorted(rivals.ATTACKS))
def test_ours_loses_nothing_where_others_do(name: str, tmp_path: Path) -> None:
    """Attacked at the same moment, ours has all it told of, and goes on."""
    refused = "" if name == rivals.KILL else refusal(tmp_path / "probe")
    if refused:
        pytest.skip(refused)
    tallies = rivals.tried(name, 1, 5, tmp_path)
    ours, other = tallies[OURS], tallies[MP4]
    assert ours.broken == []
    assert ours.reported > 0
    assert (ours.lost, ours.damaged, ours.went_on) == (0, 0, 1)
    assert other.reported > 0
    if name in LOSES_ALL:
        assert other.lost == other.reported


def test_a_frame_that_is_lost_is_seen(tmp_path: Path) -> None:
    """One that was cut short, one that is gone: both are lost, and told of."""
    run = finished_run(tmp_path, 4)
    files = sorted(path.relative_to(tmp_path) for path in run.rglob("*.jpeg"))
    recording = Recording(OURS, tmp_path)
    recording.told = [file.as_posix() for file in files]
    (tmp_path / files[1]).write_bytes((tmp_path / files[1]).read_bytes()[:-50])
    (tmp_path / files[2]).unlink()
    tally, told = rivals.Tally(), {OURS: list(recording.told)}
    rivals._judge(recording, rivals.Told(told, told), tally, "now")
    assert (tally.reported, tally.lost, tally.damaged, tally.went_on) == (4, 2, 1, 0)
    assert any("lost 2 of 4 frames: now" in sentence for sentence in tally.broken)
    assert any("verify complains" in sentence for sentence in tally.broken)


def test_what_a_machine_cannot_attack_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ffprobe nothing is attacked, and the page says so."""
    monkeypatch.setattr(rivals, "find_reader", str)
    told = rivals.attack(1, 5, tmp_path)
    assert (told.tables, told.broken) == ((), ())
    assert "ffprobe is not installed" in told.markdown()
