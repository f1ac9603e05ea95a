"""The engine, on the simulated microscope and a clock that jumps."""

from pathlib import Path
from typing import List

import pytest
from cases.rig import (
    HOUR_NS,
    INTERVAL_S,
    NS_PER_S,
    START_WALL_NS,
    Rig,
    whole_seconds,
)

from hardware_sim import Fault
from openflexure_timelapse.errors import WrongPhaseError
from openflexure_timelapse.run_state import EndReason, Phase

FIRST_VISIT_S = 0.6  # settling, and freezing the exposure


def test_every_slot_has_one_outcome_and_its_exact_time(tmp_path: Path) -> None:
    """Exposures follow the grid, and nothing adds up."""
    rig = Rig(tmp_path)
    state = rig.run()
    assert (state.phase, state.end_reason) == (Phase.ENDED, EndReason.COMPLETED)
    assert rig.outcomes() == "cccccccc"
    offsets = [at_s - slot * INTERVAL_S for slot, at_s in rig.captured_at_s()]
    assert max(offsets) < FIRST_VISIT_S
    assert max(offsets[1:]) - min(offsets[1:]) < 0.001


def test_phases_change_the_interval(tmp_path: Path) -> None:
    """Each phase has its own interval, laid end to end."""
    phases = [{"interval_s": 5, "frames": 3}, {"interval_s": 60, "duration_s": 180}]
    rig = Rig(tmp_path, interval_s=None, frames=None, phases=phases)
    rig.run()
    assert whole_seconds(rig) == [0, 5, 10, 15, 75, 135]


def test_a_later_start_waits_and_counts_from_there(tmp_path: Path) -> None:
    """Slot 0 is the origin of all recorded times."""
    rig = Rig(tmp_path, start_in_s=3600)
    phases: List[Phase] = []
    rig.at(1800, lambda: phases.append(rig.engine.status().phase))
    rig.run()
    assert phases == [Phase.WAITING]
    assert rig.captured_at_s()[0][1] < 1
    assert rig.frames()[0].draft.wall_ns == pytest.approx(
        START_WALL_NS + HOUR_NS, abs=NS_PER_S
    )


def test_a_start_at_a_time_of_day_follows_the_clock_until_then(tmp_path: Path) -> None:
    """A Pi that learns the time while it waits still starts at the right one."""
    rig = Rig(tmp_path, start_at="2026-11-23T10:00:00+01:00", frames=2)
    start_ns = 1_795_424_400 * NS_PER_S
    rig.at(60, lambda: rig.clock.step_wall(600 * NS_PER_S))
    rig.run()
    assert rig.frames()[0].draft.wall_ns == pytest.approx(start_ns, abs=NS_PER_S)


@pytest.mark.parametrize("step_s", [3600, -3600, 315_360_000, -1])
def test_a_step_of_the_wall_clock_moves_nothing(tmp_path: Path, step_s: int) -> None:
    """Only the recorded time of day changes, and the step is on record."""
    rig = Rig(tmp_path)
    rig.at(100, lambda: rig.clock.step_wall(step_s * NS_PER_S))
    rig.run()
    assert rig.outcomes() == "cccccccc"
    assert whole_seconds(rig) == list(range(0, 240, 30))
    steps = [e.details for e in rig.events() if e.kind == "wall_clock_stepped"]
    assert steps == [{"step_s": step_s}]


SLOW = Fault("camera_late", nth=(2,), amount=14.0)


def test_overdue_slots_are_skipped_by_default(tmp_path: Path) -> None:
    """Slots that pass during a slow capture are skipped, each with its reason."""
    rig = Rig(tmp_path, faults=[SLOW], interval_s=4)
    rig.run()
    assert rig.outcomes() == "cccssscc"
    assert rig.reasons()[3:6] == ["overdue"] * 3


def test_catching_up_is_limited(tmp_path: Path) -> None:
    """With catch_up the newest overdue slots are taken back to back."""
    rig = Rig(tmp_path, faults=[SLOW], interval_s=4, late="catch_up", catch_up_slots=1)
    rig.run()
    assert rig.outcomes() == "cccsslcc"


def test_shifting_moves_the_rest_of_the_grid(tmp_path: Path) -> None:
    """With shift no slot is skipped; the rest comes as much later."""
    rig = Rig(tmp_path, faults=[SLOW], interval_s=4, late="shift")
    rig.run()
    assert rig.outcomes() == "ccclcccc"
    times = dict(rig.captured_at_s())
    assert times[7] - times[3] == pytest.approx(16, abs=0.2)
    assert times[3] > 22


def test_a_pause_skips_slots_and_never_stretches_the_grid(tmp_path: Path) -> None:
    """Paused slots are recorded as such; the others keep their times."""
    rig = Rig(tmp_path)
    rig.at(65, rig.engine.pause).at(155, rig.engine.resume)
    rig.run()
    assert rig.outcomes() == "cccssscc"
    assert rig.reasons()[3:6] == ["paused"] * 3
    assert whole_seconds(rig) == [0, 30, 60, 180, 210]


def test_a_stop_ends_the_run_and_every_slot_has_its_outcome(tmp_path: Path) -> None:
    """What was not reached is skipped, reason stopped."""
    rig = Rig(tmp_path)
    rig.at(65, rig.engine.stop)
    assert rig.run().end_reason is EndReason.STOPPED
    assert rig.outcomes() == "cccsssss"
    assert set(rig.reasons()[3:]) == {"stopped"}
    assert (rig.folder / "frames.csv").is_file()


def test_a_stop_before_the_first_slot_is_heard(tmp_path: Path) -> None:
    """A run that waits can be stopped at once."""
    rig = Rig(tmp_path, start_in_s=3600)
    rig.at(10, rig.engine.stop)
    assert rig.run().end_reason is EndReason.STOPPED
    assert rig.clock.monotonic_ns() < 60 * NS_PER_S


def test_what_does_not_fit_the_phase_is_refused(tmp_path: Path) -> None:
    """Resuming a running run is refused and changes nothing."""
    rig = Rig(tmp_path)
    with pytest.raises(WrongPhaseError):
        rig.engine.resume()
    rig.run()
    with pytest.raises(WrongPhaseError):
        rig.engine.stop()
    assert rig.outcomes() == "cccccccc"


def test_a_full_disk_pauses_the_run_until_space_returns(tmp_path: Path) -> None:
    """Nothing is written into the reserve, and the run goes on by itself."""
    rig = Rig(tmp_path, faults=[Fault("disk_full", from_s=65, to_s=155)])
    phases: List[str] = []
    rig.at(100, lambda: phases.append(rig.engine.status().state.label))
    rig.run()
    assert phases == ["paused because the disk is full"]
    assert rig.outcomes() == "cccssscc"
    assert set(rig.reasons()[3:6]) == {"disk_full"}
    assert "space_returned" in rig.kinds()


def test_a_disk_that_fills_in_the_middle_of_a_write_loses_that_frame_only(
    tmp_path: Path,
) -> None:
    """The visit says why; earlier and later frames are there."""
    rig = Rig(tmp_path, faults=[Fault("disk_full", nth=(3,))])
    rig.run()
    assert rig.reasons()[3] == "disk_full"
    assert rig.outcomes()[3] == "f"
    assert rig.outcomes().count("c") >= 6


def test_an_io_error_fails_the_slot_and_not_the_run(tmp_path: Path) -> None:
    """A card that stumbles once costs one slot."""
    rig = Rig(tmp_path, faults=[Fault("disk_io_error", nth=(3,))])
    assert rig.run().end_reason is EndReason.COMPLETED
    assert rig.outcomes() == "cccfcccc"
    assert rig.reasons()[3] == "storage"


def test_status_tells_what_the_run_does(tmp_path: Path) -> None:
    """Counts, countdown, last frame, space and lateness are in every snapshot."""
    rig = Rig(tmp_path)
    told = []
    rig.at(100, lambda: told.append(rig.engine.status().to_json()))
    rig.run()
    (status,) = told
    assert status["phase"] == "running"
    assert status["slot"] == 3
    assert status["counts"]["captured"] == 4
    assert status["next_due_in_s"] == pytest.approx(20, abs=0.01)
    assert status["last_frame"]["slot"] == 3
    assert status["lateness_p99_ms"] < 1
    assert status["bytes_used"] > 0
    assert status["disk_full_at"] is None


def test_a_full_disk_is_foreseen(tmp_path: Path) -> None:
    """The status says when, hours ahead, and warns."""
    rig = Rig(tmp_path, frames=10**7)
    told = []
    rig.at(100, lambda: told.append(rig.engine.status()))
    rig.at(110, rig.engine.stop)
    rig.run()
    assert told[0].disk_full_at is not None
    assert any("disk will be full" in warning for warning in told[0].warnings)


@pytest.mark.parametrize("step_s", [1200, 315_360_000])
def test_a_start_that_the_clock_passes_loses_no_slot(
    tmp_path: Path, step_s: int
) -> None:
    """A clock that leaps over the start begins the run, with all of its slots."""
    rig = Rig(tmp_path, start_at="2026-11-23T09:10:00+01:00")
    rig.at(60, lambda: rig.clock.step_wall(step_s * NS_PER_S))
    rig.run()
    assert rig.outcomes() == "cccccccc"
    assert rig.captured_at_s()[0][1] < FIRST_VISIT_S
    assert "start_moved" in rig.kinds()


@pytest.mark.parametrize("step_s", [-3600, -1_600_000_000, 315_360_000])
def test_a_clock_that_nothing_vouches_for_moves_no_start(
    tmp_path: Path, step_s: int
) -> None:
    """Once the start was told by a synchronised clock, only such a one moves it."""
    rig = Rig(tmp_path, start_at="2026-11-23T09:10:00+01:00", frames=2)

    def lose() -> None:
        rig.clock.trusted = False
        rig.clock.step_wall(step_s * NS_PER_S)

    rig.at(60, lose)
    rig.run()
    assert rig.outcomes() == "cc"
    lasted_s = (rig.clock.monotonic_ns() - rig.origin_ns) / NS_PER_S
    assert lasted_s == pytest.approx(600 + INTERVAL_S, abs=2)
