"""The engine, on the simulated microscope and a clock that jumps."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
from cases.rig import (
    INTERVAL_S,
    NS_PER_S,
    PLACES,
    START_WALL_NS,
    Rig,
    later,
    left_after,
)

from hardware_sim import Fault
from hardware_sim.world import Drift
from openflexure_timelapse.errors import WrongPhaseError
from openflexure_timelapse.frame import Flag, Outcome
from openflexure_timelapse.run_state import EndReason, Phase
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify

HOUR_NS = 3600 * NS_PER_S
FIRST_VISIT_S = 0.6  # settling, and freezing the exposure


def whole_seconds(rig: Rig) -> List[int]:
    """Return the second in which each exposure began."""
    return [int(at_s) for _, at_s in rig.captured_at_s()]


def centre_um(rig: Rig) -> Tuple[float, float]:
    """Return the place of the sample that the camera looks at, from the truth."""
    now_ns = rig.clock.monotonic_ns()
    x_um, y_um, _ = rig.microscope.stage.physical_um(now_ns)
    world = rig.microscope.world
    dx_um, dy_um, _ = world.drift_um(world.world_s(now_ns))
    return x_um + dx_um, y_um + dy_um


# ------------------------------------------------------------------------------- time


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


# --------------------------------------------------------------------------- lateness

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


# ----------------------------------------------------------------------------- people


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


# --------------------------------------------------------------------------- hardware

EACH_FAULT_ENDS_THE_VISIT = [
    (Fault("camera_hung", nth=(6,)), "f", "timeout"),
    (Fault("camera_timed_out", nth=(6,), amount=5.0), "f", "timeout"),
    (Fault("camera_truncated", from_s=85, to_s=100), "f", "incomplete_image"),
    (Fault("in_use", from_s=85, to_s=115), "s", "busy"),
    (Fault("stage_hung", from_s=85, to_s=115), "f", "timeout"),
    (Fault("stage_timed_out", from_s=85, to_s=100, amount=2.0), "f", "timeout"),
    (Fault("stage_busy", from_s=85, to_s=100), "f", "busy"),
]


@pytest.mark.parametrize(
    ("fault", "letter", "reason"),
    EACH_FAULT_ENDS_THE_VISIT,
    ids=[fault.kind for fault, _, _ in EACH_FAULT_ENDS_THE_VISIT],
)
def test_a_fault_ends_the_visit_and_never_the_run(
    tmp_path: Path, fault: Fault, letter: str, reason: str
) -> None:
    """The slot has its reason, and the next one is captured."""
    place = {"name": "place", "x": 200, "y": 0, "z": 0}
    stack = {"count": 2, "step": 40}  # so that the stage has to move
    rig = Rig(tmp_path, faults=[fault], positions=[place], planes=stack)
    assert rig.run().end_reason is EndReason.COMPLETED
    assert rig.outcomes() == f"ccc{letter}cccc"
    assert rig.reasons()[3] == reason


def test_a_camera_that_hangs_for_good_is_recovered(tmp_path: Path) -> None:
    """After a call that never returned the next visit brings the camera back."""
    rig = Rig(tmp_path, faults=[Fault("camera_hung", from_s=85)])
    rig.run()
    assert rig.outcomes() == "cccfcccc"


def test_the_first_visit_approaches_a_place_where_the_stage_stands(
    tmp_path: Path,
) -> None:
    """The play of an unknown approach would shift the scene at the next move."""
    rig = Rig(tmp_path, positions=[{"name": "a", "x": 0, "y": 0, "z": 0}], frames=1)
    rig.run()
    assert rig.microscope.stage._engaged == [True, True, True]


def test_a_stage_that_refuses_fails_its_position_only(tmp_path: Path) -> None:
    """The slot names the position that failed; the other one has its frame."""
    fault = Fault("stage_busy", nth=(6,))
    rig = Rig(tmp_path, faults=[fault], positions=PLACES)
    rig.run()
    assert rig.outcomes().count("f") == 1
    bad = next(slot for slot in rig.slots() if slot.outcome is Outcome.FAILED)
    assert "left" in bad.detail or "right" in bad.detail
    assert len(rig.frames()) == 2 * 8 - 1


FLAGGED = [
    (Fault("camera_black", from_s=85, to_s=100), "dark"),
    (Fault("camera_repeated", from_s=85, to_s=100), "repeated"),
    (Fault("light_off", from_s=85, to_s=100), "dark"),
]


@pytest.mark.parametrize(
    ("fault", "flag"), FLAGGED, ids=[fault.kind for fault, _ in FLAGGED]
)
def test_a_picture_that_stays_wrong_is_kept_and_flagged(
    tmp_path: Path, fault: Fault, flag: str
) -> None:
    """A frame that decodes is always kept, and says what is wrong with it."""
    rig = Rig(tmp_path, faults=[fault])
    rig.run()
    flags = [[one.value for one in frame.draft.flags] for frame in rig.frames()]
    assert len(flags) == 8
    assert flag in flags[3]
    assert [index for index, told in enumerate(flags) if told] == [3]


@pytest.mark.parametrize("exposure", ["lock", "auto"])
def test_a_lamp_that_never_shone_is_told(tmp_path: Path, exposure: str) -> None:
    """However far the camera turns up its gain, each frame says that it is dark."""
    rig = Rig(tmp_path, faults=[Fault("light_off")], exposure=exposure, frames=3)
    rig.run()
    assert all(Flag.DARK in frame.draft.flags for frame in rig.frames())


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_an_injected_step_of_the_wall_clock_moves_nothing(
    tmp_path: Path, step_s: float
) -> None:
    """The frames keep their place on the grid; the step is an event."""
    rig = Rig(tmp_path, faults=[Fault("wall_step", from_s=75, amount=step_s)])
    rig.run()
    assert rig.outcomes() == "cccccccc"
    assert whole_seconds(rig) == [slot * INTERVAL_S for slot in range(8)]
    assert "wall_clock_stepped" in rig.kinds()


def test_lost_lens_shading_darkens_the_corners_and_loses_no_frame(
    tmp_path: Path,
) -> None:
    """No check looks for it yet: the frame is kept, without a flag."""
    fault = Fault("lens_shading_lost", from_s=85, to_s=100)
    rig = Rig(tmp_path, scene="empty", faults=[fault])
    rig.run()
    assert rig.outcomes() == "cccccccc"
    greys = [frame.draft.mean_grey for frame in rig.frames()]
    assert min(range(8), key=greys.__getitem__) == 3


def test_a_camera_that_hangs_during_a_sweep_ends_the_visit(tmp_path: Path) -> None:
    """Focus has its deadline, too; the next slot focuses again and is captured."""
    hang = Fault("camera_hung", to_s=100, previews=True)
    rig = Rig(tmp_path, faults=[hang], autofocus={"every": 1, "range": 800})
    assert rig.run().end_reason is EndReason.COMPLETED
    assert rig.reasons()[0] == "timeout"
    assert rig.outcomes().endswith("cccc")


def test_a_lamp_that_is_stuck_costs_no_frame(tmp_path: Path) -> None:
    """Light that cannot be switched is still light."""
    rig = Rig(tmp_path, faults=[Fault("light_stuck")], light="only_while_capturing")
    rig.run()
    assert rig.outcomes() == "cccccccc"


def test_a_picture_of_another_size_is_kept_as_it_is(tmp_path: Path) -> None:
    """A frame's record says how large it really is."""
    rig = Rig(
        tmp_path,
        faults=[Fault("camera_wrong_size", nth=(2, 3))],  # the retry as well
        camera_mode="half",
        frames=4,
    )
    rig.run()
    assert [frame.draft.width for frame in rig.frames()] == [1640, 1640, 832, 1640]


def test_steps_that_the_stage_lost_show_in_the_truth(tmp_path: Path) -> None:
    """The engine cannot see them; the truth beside the run can, so tests notice."""
    fault = Fault("stage_lost_steps", nth=(3,), amount=0.5)
    rig = Rig(tmp_path, faults=[fault], positions=PLACES, frames=2)
    rig.run()
    assert rig.outcomes() == "cc"
    told = rig.microscope.truth.last
    assert told is not None
    assert abs(told["stage_um"][0] - 0.088 * told["commanded_steps"][0]) > 20


def test_a_write_that_lies_is_found_by_verify(tmp_path: Path) -> None:
    """A card that says it has written and has not is named with its frame."""
    rig = Rig(tmp_path, faults=[Fault("disk_torn", nth=(3,))])
    rig.run()
    report = verify(rig.folder)
    assert not report.ok
    assert any("000" in line and "_" not in line for line in report.lines())


@pytest.mark.parametrize("kind", ["camera_truncated", "camera_black"])
def test_one_bad_picture_is_taken_again_inside_its_slot(
    tmp_path: Path, kind: str
) -> None:
    """A retry saves the slot, and the visit says that there was one."""
    rig = Rig(tmp_path, faults=[Fault(kind, nth=(3,))])  # type: ignore[arg-type]
    rig.run()
    assert rig.outcomes() == "cccccccc"
    assert [visit.retries for visit in rig.visits()] == [0, 0, 0, 1, 0, 0, 0, 0]
    assert all(not frame.draft.flags for frame in rig.frames())


def test_exposure_is_locked_for_the_run_and_given_back(tmp_path: Path) -> None:
    """Every frame has the first one's exposure; afterwards the camera is automatic."""
    rig = Rig(tmp_path, scene="pond")
    rig.run()
    used = {frame.draft.metadata["exposure_us"] for frame in rig.frames()}
    assert len(used) == 1
    assert not rig.microscope.camera._exposure.locked


def test_the_light_is_on_only_while_capturing(tmp_path: Path) -> None:
    """Between visits the sample rests in the dark; at the end the light is back."""
    rig = Rig(tmp_path, light="only_while_capturing")
    before = rig.microscope.light.level()
    levels: List[float] = []
    rig.at(45, lambda: levels.append(rig.microscope.light.level()))
    rig.run()
    assert levels == [0.0]
    assert rig.microscope.light.level() == before > 0
    assert rig.outcomes() == "cccccccc"
    assert all(not frame.draft.flags for frame in rig.frames())


def test_focus_is_found_followed_and_recorded(tmp_path: Path) -> None:
    """Frames after a focus are within the depth of field."""
    rig = Rig(tmp_path, autofocus={"every": 4, "range": 2000}, frames=5)
    rig.run()
    focused = [visit for visit in rig.visits() if visit.focus is not None]
    assert [visit.slot for visit in focused] == [0, 4]
    assert all(visit.focus["accepted"] for visit in focused)  # type: ignore[index]
    z_um = rig.frames()[0].draft.z * 0.05
    assert z_um == pytest.approx(rig.microscope.world.focus_um(0, 0, 0), abs=2.0)


def test_an_empty_field_keeps_the_height_it_had(tmp_path: Path) -> None:
    """No random z: focus is rejected and said to be."""
    rig = Rig(tmp_path, scene="empty", autofocus={"every": 2, "range": 2000}, frames=4)
    rig.run()
    assert {frame.draft.z for frame in rig.frames()} == {0}
    focused = [visit.focus for visit in rig.visits() if visit.focus is not None]
    assert [focus["accepted"] for focus in focused] == [False, False]
    assert all(focus["reason"] for focus in focused)


def test_positions_and_planes_are_all_captured(tmp_path: Path) -> None:
    """Every plane of every position is a frame at its own height."""
    rig = Rig(tmp_path, positions=PLACES, planes={"count": 3, "step": 40}, frames=2)
    rig.run()
    told = [(f.draft.slot, f.draft.position, f.draft.z) for f in rig.frames()]
    assert told == [
        (slot, name, z)
        for slot in (0, 1)
        for name in ("left", "right")
        for z in (-40, 0, 40)
    ]


CREEPING = Drift(xy_um_per_k=4.0, wander_um=1.0)


@pytest.mark.parametrize("corrected", [True, False], ids=["corrected", "control"])
def test_drift_is_followed_while_the_scene_grows(
    tmp_path: Path,
    corrected: bool,  # noqa: FBT001 (a case)
) -> None:
    """The same cells stay in view for a day; without correction they leave."""
    wish = {"every": 1, "max_step": 200} if corrected else None
    rig = Rig(
        tmp_path,
        seed=4,
        drift=CREEPING,
        interval_s=1200,
        frames=30,
        positions=[{"name": "a", "x": 0, "y": 0, "z": 0}],
        autofocus={"every": 6, "range": 1000},
        drift_correction=wish,
    )
    centres = []
    for slot in range(30):
        rig.at(slot * 1200 + 600, lambda: centres.append(centre_um(rig)))
    rig.run()
    away_um = [max(abs(x - centres[0][0]), abs(y - centres[0][1])) for x, y in centres]
    assert (max(away_um) < 3) is corrected
    assert (max(away_um) > 8) is not corrected
    measured = [visit.drift for visit in rig.visits() if visit.drift is not None]
    assert len(measured) == (29 if corrected else 0)


# ------------------------------------------------------------------------------- disk


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


# ---------------------------------------------------------------------------- restart


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


# ----------------------------------------------------------------------------- status


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
