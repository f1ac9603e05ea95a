"""The engine after a restart: the same grid, the same exposure, honest gaps."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
from cases.rig import (
    HOUR_NS,
    NS_PER_S,
    PLACES,
    START_WALL_NS,
    Rig,
    later,
    left_after,
)

from openflexure_timelapse.run_state import EndReason
from openflexure_timelapse.store.run_store import RunStore


@pytest.mark.parametrize("boot", ["boot-1", "boot-2"])
def test_a_restart_goes_on_with_the_same_grid(tmp_path: Path, boot: str) -> None:
    """Missed slots are interrupted; the others keep their times to the millisecond."""
    first = left_after(tmp_path, 65)
    second = Rig(tmp_path, clock=later(first, 60, boot))
    assert second.run().end_reason is EndReason.COMPLETED
    assert second.outcomes() == "cccslccc"
    assert second.reasons()[3] == "interrupted"
    times = dict(second.captured_at_s())
    assert times[7] == pytest.approx(210, abs=0.5)
    assert second.frames()[-1].draft.wall_ns == pytest.approx(
        START_WALL_NS + 210 * NS_PER_S, abs=NS_PER_S
    )


def test_an_unknown_clock_after_a_restart_leaves_a_gap_of_unknown_length(
    tmp_path: Path,
) -> None:
    """A Pi without a network goes on, and says that it cannot know the gap."""
    first = left_after(tmp_path, 65)
    clock = later(first, -HOUR_NS / NS_PER_S, "boot-2", trusted=False)
    second = Rig(tmp_path, clock=clock)
    second.run()
    assert second.outcomes() == "cccccccc"
    resumed = [e.details for e in second.events() if e.kind == "resumed"]
    assert resumed == [{"how": "unknown", "unknown_gap": True}]


def test_a_clock_that_is_synchronised_late_is_waited_for(tmp_path: Path) -> None:
    """The time service may need a minute after a power cut."""
    first = left_after(tmp_path, 65)
    clock = later(first, -5000, "boot-2", trusted=False)
    second = Rig(tmp_path, clock=clock)

    def synchronise() -> None:
        clock.step_wall(5060 * NS_PER_S - 30 * NS_PER_S)
        clock.trusted = True

    second.at(30, synchronise)
    second.run()
    assert second.outcomes() == "cccslccc"
    assert second.reasons()[3] == "interrupted"


def test_a_run_that_a_person_paused_stays_paused(tmp_path: Path) -> None:
    """A power cut resumes nothing that a person stopped."""
    first = Rig(tmp_path)
    first.at(65, first.engine.pause).at(70, first.engine.leave)
    first.run()
    second = Rig(tmp_path, clock=later(first, 10, "boot-1"))
    assert second.engine.status().state.label == "paused by the user"
    second.at(75, second.engine.resume)
    second.run()
    assert second.outcomes() == "cccssscc"


@pytest.mark.parametrize(
    ("places", "letter", "reason"),
    [(PLACES[:1], "c", None), (PLACES, "f", "interrupted")],
    ids=["all of its frames", "one of two frames"],
)
def test_a_slot_that_was_cut_off_is_closed_and_not_taken_again(
    tmp_path: Path, places: List[Dict[str, Any]], letter: str, reason: Optional[str]
) -> None:
    """Frames that were acknowledged before a power cut are the slot's frames."""
    first = left_after(tmp_path, 65, positions=places)
    draft = replace(first.frames()[0].draft, slot=3, due_ns=90 * NS_PER_S)
    jpeg = first.microscope.camera.capture("preview").jpeg
    with RunStore.open(first.folder, first.disk) as store:
        store.add_frame(jpeg, draft, {})
    second = Rig(tmp_path, clock=later(first, 27, "boot-1"), positions=places)
    second.run()
    assert second.outcomes() == f"ccc{letter}cccc"
    assert second.reasons()[3] == reason


def test_a_restart_locks_the_exposure_of_the_first_process(tmp_path: Path) -> None:
    """The brightness does not jump where the power went."""
    first = left_after(tmp_path, 65, scene="pond")
    second = Rig(tmp_path, clock=later(first, 10, "boot-2"), scene="pond")
    second.microscope.light.set_level(second.microscope.light.level() / 2)
    second.run()
    used = {frame.draft.metadata["exposure_us"] for frame in second.frames()}
    assert len(used) == 1
