"""The attack on the clock, in short, and that it sees what it looks for."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from campaigns import clock, clock_cases, zones
from openflexure_timelapse import engine, origin, status
from openflexure_timelapse.movie.timeline import GapRule
from openflexure_timelapse.restart import Regained
from openflexure_timelapse.schedule import Capture, Progress
from openflexure_timelapse.store import exif

SEED = 4


def only(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let the attack be of one kind."""
    monkeypatch.setattr(clock, "CASES", {name: clock_cases.CASES[name]})


def test_the_clock_may_do_what_it_likes(tmp_path: Path) -> None:
    """One run of each kind: nothing falls."""
    findings = clock.attack(len(clock.CASES), SEED, tmp_path)
    assert findings.broken == ()
    assert len(findings.tables[0].rows) == len(clock.CASES)


def test_the_zones_of_the_attack_are_those_of_the_world() -> None:
    """The table that replaces the machine's zones is right where it is used."""
    zoneinfo = pytest.importorskip("zoneinfo")
    for zone in ("Europe/Stockholm", "Australia/Lord_Howe"):
        try:
            real = zoneinfo.ZoneInfo(zone)
        except zoneinfo.ZoneInfoNotFoundError:
            pytest.skip("this machine knows no zones")
        for at_s, _ in zones.ZONES[zone][1:]:
            for moment_s in (at_s - 1, at_s):
                local = datetime.fromtimestamp(moment_s, timezone.utc).astimezone(real)
                wanted = zones.offset_s(zone, moment_s * 10**9)
                assert local.utcoffset().total_seconds() == wanted


# Each falls when a promise is taken away.


def test_it_sees_a_burst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule that catches up whatever the plan says."""
    decide = engine.decide

    def hurry(grid: Any, policy: Any, progress: Any, now_ns: int) -> Any:
        slot, due_ns = progress.next_slot, grid.due_ns(min(progress.next_slot, 4))
        if slot < (grid.slots or 0) and now_ns >= due_ns:
            late_ns = max(0, now_ns - grid.due_ns(slot))
            return Capture(slot, due_ns, late_ns, late_ns > 0, Progress(slot + 1))
        return decide(grid, policy, progress, now_ns)

    def draw(random: Any) -> Any:
        plan = {"interval_s": 5, "frames": 8}
        part = clock_cases.Part(slow=(1,), slow_s=13.0)
        return clock_cases.Case(
            plan, clock_cases.TRUE_START_S + random.random(), (part,)
        )

    monkeypatch.setattr(clock, "CASES", {"slow": draw})
    assert clock.attack(1, SEED, tmp_path / "held").broken == ()
    monkeypatch.setattr(engine, "decide", hurry)
    assert "burst" in " ".join(clock.attack(1, SEED, tmp_path / "fell").broken)


def test_it_sees_a_wrong_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EXIF in universal time."""
    only(monkeypatch, "the zone is changed by hand")
    local = exif.local_time
    monkeypatch.setattr(exif, "local_time", lambda wall_ns, _offset: local(wall_ns, 0))
    assert "the clock [" in " ".join(clock.attack(1, SEED, tmp_path).broken)


def test_it_sees_a_gap_that_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart that claims to know the time, and has guessed it."""
    only(monkeypatch, "new boot, the clock is never set")

    def guess(
        _anchor: Any, last_ns: int, _wall: int, reading: Any, *_: int
    ) -> Regained:
        return Regained(
            reading.monotonic_ns - last_ns - 1, unknown_gap=False, how="wall_clock"
        )

    monkeypatch.setattr(origin, "regain", guess)
    assert "the run says [False]" in " ".join(clock.attack(1, SEED, tmp_path).broken)


def test_it_sees_a_status_that_keeps_a_gap_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that only the database knows."""
    only(monkeypatch, "new boot, the clock is never set")
    monkeypatch.setattr(status.StatusBoard, "see_unknown_gap", lambda *_: [])
    told = " ".join(clock.attack(1, SEED, tmp_path).broken)
    assert "not in the status" in told
    assert "closes a gap" in told


def test_it_sees_a_movie_whose_clock_runs_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels are what keeps a burned-in clock honest."""
    only(monkeypatch, "steps of ±1 h")
    rule = GapRule("hold", 0, 10**9)
    monkeypatch.setattr(GapRule, "of", lambda *_, **__: rule)
    assert "runs back" in " ".join(clock.attack(4, SEED, tmp_path).broken)
