"""What of a run is told: little, soon enough, and in plain words."""

from pathlib import Path
from typing import Any, List, Tuple

import pytest
from cases.rig import START_WALL_NS, Rig, later

from hardware_sim import Fault, VirtualClock
from hardware_sim.faults import FaultKind
from openflexure_timelapse.errors import InvalidPlanError
from openflexure_timelapse.hosts.news import News
from openflexure_timelapse.hosts.run_news import RunNews
from openflexure_timelapse.plan import parse_plan

HOUR_S = 3600


def told_by(rig: Rig, **counts: int) -> List[News]:
    """Have a run tell its news, and return where they are put."""
    told: List[News] = []
    teller = RunNews(rig.plan, "the-run", counts, "lab", rig.clock, told.append)
    rig.engine._ledger._observers = [teller]
    return told


def heard(told: List[News]) -> List[Tuple[str, str]]:
    """Return the kinds and what comes after the names."""
    return [(news.kind, news.title.replace("rig on lab ", "")) for news in told]


def test_a_good_run_tells_its_end_only(tmp_path: Path) -> None:
    """With name, computer, counts and time, in lines that any mail shows."""
    rig = Rig(tmp_path)
    told = told_by(rig)
    rig.run()
    (news,) = told
    assert heard(told) == [("ended", "has ended: completed")]
    assert (
        news.text.splitlines()[0] == "The time-lapse rig on lab has ended: completed."
    )
    assert "Time points: 8 captured, of 8" in news.text
    assert "When: 2026-11-23T09:" in news.text
    assert "Run: the-run" in news.text
    assert (news.run, news.name, news.host) == ("the-run", "rig", "lab")
    assert news.counts == {"captured": 8}
    assert "<" not in news.text


def test_a_pause_by_a_person_is_not_told(tmp_path: Path) -> None:
    """They know."""
    rig = Rig(tmp_path)
    told = told_by(rig)
    rig.at(40, rig.engine.pause).at(130, rig.engine.resume).run()
    assert heard(told) == [("ended", "has ended: completed")]


def test_a_full_disk_is_told_and_so_is_the_room_after_it(tmp_path: Path) -> None:
    """With what to do."""
    rig = Rig(tmp_path, faults=[Fault("disk_full", 50, 150)])
    told = told_by(rig)
    rig.run()
    assert heard(told) == [
        ("paused", "is paused: the disk is full"),
        ("paused", "goes on: there is room again"),
        ("ended", "has ended: completed"),
    ]
    assert "Make room on the microscope's disk" in told[0].text


def test_a_run_that_is_taken_up_again_says_so(tmp_path: Path) -> None:
    """Its counts are those of the whole run."""
    first = Rig(tmp_path)
    first.at(100, first.engine.leave).run()
    second = Rig(tmp_path, clock=later(first, 60, "boot-1"))
    told = told_by(second, captured=4)
    second.run()
    assert heard(told)[0] == ("resumed", "was taken up again after an interruption")
    assert sum(told[-1].counts.values()) == 8


def test_an_error_is_told_once(tmp_path: Path) -> None:
    """Not again as an end."""
    rig = Rig(tmp_path)
    told = told_by(rig)

    def broken(_task: Any) -> Any:
        raise ZeroDivisionError("a defect")

    rig.engine._visitor.visit = broken  # type: ignore[method-assign]
    rig.run()
    assert heard(told) == [("failed", "has failed")]
    assert "a defect" in told[0].text


# --------------------------------------------------------------- slots without a frame


@pytest.mark.parametrize("kind", ["camera_timed_out", "camera_truncated", "in_use"])
def test_a_run_that_captures_nothing_says_so(tmp_path: Path, kind: FaultKind) -> None:
    """At the third missed slot in a row, once; and once when it captures again."""
    interval_s = 120
    fault = Fault(kind, 1.5 * interval_s, 7.5 * interval_s)
    rig = Rig(tmp_path, interval_s=interval_s, frames=10, faults=[fault])
    told = told_by(rig)
    rig.run()
    assert heard(told)[:2] == [
        ("missed", "captures nothing"),
        ("missed", "captures again"),
    ]
    assert len(told) == 3
    assert "3 time points in a row have no frame" in told[0].text
    assert told[0].time < f"2026-11-23T09:{2 * (2 + 3)}:30"


@pytest.mark.parametrize("kind", ["camera_black", "camera_repeated"])
def test_a_run_that_sees_nothing_says_so(tmp_path: Path, kind: FaultKind) -> None:
    """A lamp that died is told, though each slot has its frame."""
    interval_s = 120
    fault = Fault(kind, 1.5 * interval_s, 7.5 * interval_s)
    rig = Rig(tmp_path, interval_s=interval_s, frames=10, faults=[fault])
    told = told_by(rig)
    rig.run()
    assert rig.outcomes() == "c" * 10
    assert heard(told)[:2] == [("missed", "sees nothing"), ("missed", "sees again")]
    assert len(told) == 3
    assert "3 time points in a row show nothing" in told[0].text


def slots(teller: RunNews, outcome: str, reason: Any, count: int = 1) -> None:
    """Have a slot end, or a range of skipped ones."""
    details = {"outcome": outcome, "reason": reason, "slots": count}
    teller.notice("slot", details)


def teller_of(**plan: Any) -> "tuple[RunNews, List[News], VirtualClock]":
    """Return a teller for a plan, what it tells, and its clock."""
    told: List[News] = []
    clock = VirtualClock(START_WALL_NS)
    checked = parse_plan({"name": "rig", **plan})
    return RunNews(checked, "run", {}, "lab", clock, told.append), told, clock


def test_a_disk_that_fails_is_told_and_so_is_its_return() -> None:
    """With what is wrong, since a person must look after it."""
    teller, told, _ = teller_of(interval_s=30)
    teller.notice("disk_error", {"by": "engine", "problem": "The card is out."})
    teller.notice("disk_returned", {"by": "engine"})
    assert heard(told) == [
        ("paused", "is paused: its disk fails"),
        ("paused", "goes on: its disk is back"),
    ]
    assert "The card is out." in told[0].text


def test_at_long_intervals_one_missed_slot_is_told() -> None:
    """Three would be half a day at four hours, and three months at a month."""
    teller, told, _ = teller_of(interval_s=4 * HOUR_S)
    slots(teller, "captured", None)
    slots(teller, "failed", "timeout")
    assert heard(told) == [("missed", "captures nothing")]


def test_at_short_intervals_a_minute_passes_first() -> None:
    """Three slots of 50 ms are a hiccup."""
    teller, told, clock = teller_of(interval_s=0.05)
    for _ in range(1199):
        slots(teller, "failed", "hardware")
        clock.advance(50_000_000)
    assert told == []
    slots(teller, "failed", "hardware")
    assert heard(told) == [("missed", "captures nothing")]


def test_single_failures_are_not_told() -> None:
    """Every second slot is there, so the run is worth something."""
    teller, told, clock = teller_of(interval_s=60)
    for _ in range(100):
        slots(teller, "failed", "timeout")
        slots(teller, "late", "overdue")
        clock.advance(120_000_000_000)
    assert told == []


@pytest.mark.parametrize(
    "reason", ["paused", "disk_full", "overdue", "interrupted", "stopped", "run_failed"]
)
def test_slots_that_are_skipped_for_a_known_reason_do_not_count(reason: str) -> None:
    """They are told as what they are, or are somebody's wish."""
    teller, told, _ = teller_of(interval_s=HOUR_S)
    slots(teller, "skipped", reason, 1000)
    assert told == []


def test_slots_beyond_a_repaired_count_do_no_harm() -> None:
    """A repaired run may count more slots than its grid has."""
    teller, told, _ = teller_of(interval_s=HOUR_S, frames=2)
    for _ in range(5):
        slots(teller, "failed", "timeout")
    assert len(told) == 1


# ----------------------------------------------------------------- the plan's own wish


def test_a_plan_chooses_of_what(tmp_path: Path) -> None:
    """And with null of nothing."""
    rig = Rig(tmp_path / "a", faults=[Fault("disk_full", 50, 150)])
    rig.plan = parse_plan({**rig.plan.to_json(), "notify": {"on": ["paused"]}})
    told = told_by(rig)
    rig.run()
    assert {news.kind for news in told} == {"paused"}
    silent = Rig(tmp_path / "b", notify=None)
    told = told_by(silent)
    silent.run()
    assert told == []


@pytest.mark.parametrize(
    ("notify", "field"),
    [
        ({"on": ["everything"]}, "notify.on.0"),
        ({"webhooks": ["http://evil/"]}, "notify.webhooks"),
        ({"apprise": ["mailto://evil"]}, "notify.apprise"),
        ("http://evil/", "notify"),
        (True, "notify"),
    ],
)
def test_a_plan_names_no_target(notify: Any, field: str) -> None:
    """Whom to tell is the computer's own affair."""
    with pytest.raises(InvalidPlanError) as raised:
        parse_plan({"name": "x", "interval_s": 5, "notify": notify})
    assert [item["field"] for item in raised.value.fields] == [field]
