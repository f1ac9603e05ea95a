"""The attack on the hardware, in short, and that it sees what it looks for."""

from pathlib import Path
from typing import Any

import pytest

from campaigns import hardware, hardware_cases
from openflexure_timelapse import aim, instrument, quality, status, visit
from openflexure_timelapse.hosts import system

SEED = 4
SLOW = ("no focus for a day",)  # a minute each: only at full length


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the attack be of some kinds, without the calls that hang in real time."""
    kinds = {name: hardware_cases.CASES[name] for name in names}
    monkeypatch.setattr(hardware, "CASES", kinds)
    monkeypatch.setattr(hardware, "HANGS", {})
    monkeypatch.setattr(hardware, "STARVED", 0)


def test_the_hardware_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run of each kind: nothing falls."""
    names = [name for name in hardware_cases.CASES if name not in SLOW]
    only(monkeypatch, *names)
    findings = hardware.attack(len(names), SEED, tmp_path)
    assert findings.broken == ()
    assert len(findings.tables[0].rows) == len(names)


def test_calls_that_hang_pile_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real threads, a few of them; and a process that has no memory for a while."""
    monkeypatch.setattr(hardware, "CASES", {})
    findings = hardware.attack(0, SEED, tmp_path)
    assert findings.broken == ()


# Each falls when a promise is taken away.


def test_it_sees_threads_that_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lane that takes a new thread for each call that hangs."""
    monkeypatch.setattr(hardware, "CASES", {})
    monkeypatch.setattr(hardware, "HANGS", {"stubborn": False})
    monkeypatch.setattr(hardware, "STARVED", 0)
    monkeypatch.setattr(system, "MOST_STUCK", 1000)
    monkeypatch.setattr(hardware, "MOST_STUCK", 1)
    assert "pile up" in " ".join(hardware.attack(0, SEED, tmp_path).broken)


def test_it_sees_a_microscope_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release that a full lane refused, and nobody owes."""
    monkeypatch.setattr(hardware, "CASES", {})
    monkeypatch.setattr(hardware, "HANGS", {"stubborn": False})
    monkeypatch.setattr(hardware, "STARVED", 0)

    def give_back(self: instrument.Handle) -> None:
        self._call("release the hardware", self._microscope.release)

    monkeypatch.setattr(instrument.Handle, "give_back", give_back)
    assert "stubborn: left behind" in " ".join(
        hardware.attack(0, SEED, tmp_path).broken
    )


def test_it_sees_frames_that_pass_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks that find nothing."""
    only(monkeypatch, "pictures black")
    monkeypatch.setattr(quality, "judge", lambda *_: ())
    assert "should be flagged" in " ".join(hardware.attack(1, SEED, tmp_path).broken)


def test_it_sees_a_status_that_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings that nobody gets."""
    only(monkeypatch, "stage busy", "light stuck")
    monkeypatch.setattr(status.Troubles, "sentences", lambda _: [])
    assert "is told" in " ".join(hardware.attack(2, SEED, tmp_path).broken)


def test_it_sees_frames_that_are_off_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visit that takes the stage for where it should be."""
    only(monkeypatch, "somebody holds it and moves the stage")

    def go(self: aim.Aim, _task: Any) -> Any:
        return self._instrument.position()

    monkeypatch.setattr(aim.Aim, "go", go)
    assert "off its place" in " ".join(hardware.attack(2, SEED, tmp_path).broken)


def test_it_sees_exposure_that_stays_dark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values that were measured with the lamp off, and kept."""
    only(monkeypatch, "light off when the run begins")
    monkeypatch.setattr(visit, "BADLY_EXPOSED", frozenset())
    assert "after all was over" in " ".join(hardware.attack(2, SEED, tmp_path).broken)
