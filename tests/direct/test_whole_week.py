"""Some hours of the simulated week, and what its judge sees; at length a campaign."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Iterator, Tuple

import pytest

from campaigns.direct import drawn, judged
from campaigns.direct_week import FIRST_S, INTERVAL_S, Outcome, Week, run_week
from hardware_sim import Fault
from openflexure_timelapse.frame import Outcome as SlotOutcome
from openflexure_timelapse.frame import Reason

SLOTS = 8
Lived = Tuple[Week, Outcome]


def slot_s(number: float) -> float:
    """Return when a slot is due, in seconds of the rig's life."""
    return FIRST_S + number * INTERVAL_S


WEEK = Week(
    SLOTS,
    (
        Fault("camera_stalled", from_s=slot_s(0.4)),
        Fault("board_reset", from_s=slot_s(1.3), to_s=slot_s(1.3) + 1),
        Fault("camera_killed", from_s=slot_s(2.5)),
        Fault("board_unplugged", from_s=slot_s(3.5), to_s=slot_s(3.5) + 20),
        Fault("disk_full", from_s=slot_s(4.9), to_s=slot_s(5.1)),
        # In the middle of a visit: while it moves, and before its second picture.
        Fault("board_reset", from_s=slot_s(6) + 0.4, to_s=slot_s(6) + 1),
        Fault("camera_killed", from_s=slot_s(7) + 0.9),
    ),
)


@pytest.fixture(name="lived", scope="module")
def _lived() -> Iterator[Lived]:
    """Live through it once."""
    folder = Path(tempfile.mkdtemp(prefix="week-"))
    yield WEEK, run_week(WEEK, folder)
    shutil.rmtree(folder)


def test_no_slot_is_lost_that_could_be_taken(lived: Lived) -> None:
    """Stalls and resets cost none, also in a visit; a full disk costs its own."""
    week, outcome = lived
    verdicts, broken = judged(week, outcome)
    assert broken == []
    outcomes = [slot.outcome.value[0] for slot in outcome.slots]
    assert "".join(outcomes) == "cccccscc"
    assert outcome.slots[5].reason is Reason.DISK_FULL
    assert verdicts["disk_full"].lost == 1
    assert len(outcome.frames) == 2 * (SLOTS - 1)


def test_each_recovery_is_in_the_run_s_events(lived: Lived) -> None:
    """With what happened, and before the run goes on."""
    _, outcome = lived
    kinds = [kind for _, kind in outcome.incidents()]
    assert kinds.count("camera_restarted") == outcome.restarts == 3
    assert {"board_reset", "place_restored", "unplugged", "reconnected"} <= set(kinds)
    told = [event.kind for event in outcome.events]
    assert told.index("disk_full") < told.index("space_returned")


def test_the_judge_sees_a_slot_lost_without_need(lived: Lived) -> None:
    """And an exposure that moved, a stage elsewhere, a recovery that nobody told."""
    week, outcome = lived
    slots = list(outcome.slots)
    slots[2] = replace(slots[2], outcome=SlotOutcome.FAILED, reason=Reason.TIMEOUT)
    frames = list(outcome.frames)
    metadata = {**frames[0].draft.metadata, "exposure_us": 1.0}
    frames[0] = replace(frames[0], draft=replace(frames[0].draft, metadata=metadata))
    worse = replace(
        outcome,
        slots=tuple(slots),
        frames=tuple(frames),
        events=(),
        off_steps=7,
        unsure_steps=6,
    )
    _, broken = judged(week, worse)
    told = " ".join(broken)
    for sign in ("Slot 2 was lost", "exposure did not", "7 steps", "camera_stalled"):
        assert sign in told


def test_weeks_are_drawn_alike_from_one_seed() -> None:
    """Some faults strike in a visit, most between two, none after the last."""
    week = drawn(1008, 3)
    assert week == drawn(1008, 3) != drawn(1008, 4)
    assert {fault.kind for fault in week.faults} > {"board_reset", "disk_full"}
    assert len(week.faults) > 90
    after_s = [(fault.from_s - FIRST_S) % INTERVAL_S for fault in week.faults]
    aimed = sum(seconds < 2 for seconds in after_s)
    assert 5 < aimed < len(after_s) / 2
    assert all(fault.from_s < slot_s(1007) for fault in week.faults)
