"""The engine and its hardware: what fails, is locked, lit, focused, followed."""

from pathlib import Path
from typing import List, Sequence, Tuple

import pytest
from cases.rig import (
    INTERVAL_S,
    PLACES,
    Rig,
    whole_seconds,
)

from hardware_sim import Fault
from hardware_sim.world import Drift
from openflexure_timelapse.frame import Flag, Outcome
from openflexure_timelapse.ports import JsonDict
from openflexure_timelapse.run_state import EndReason
from openflexure_timelapse.store.verify import verify


def centre_um(rig: Rig) -> Tuple[float, float]:
    """Return the place of the sample that the camera looks at, from the truth."""
    now_ns = rig.clock.monotonic_ns()
    x_um, y_um, _ = rig.microscope.stage.physical_um(now_ns)
    world = rig.microscope.world
    dx_um, dy_um, _ = world.drift_um(world.world_s(now_ns))
    return x_um + dx_um, y_um + dy_um


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


def test_what_the_hardware_got_over_is_on_record_and_told(tmp_path: Path) -> None:
    """A restarted camera is an event of the run, and a warning of its status."""
    rig = Rig(tmp_path, faults=[Fault("camera_hung", from_s=85)])
    rig.run()
    (told,) = [event for event in rig.events() if event.kind == "hardware"]
    assert told.details["kind"] == "camera_restarted"
    (warning,) = [each for each in rig.engine.status().warnings if "incident" in each]
    assert "slot 4: camera restarted (The camera hung and was restarted);" in warning
    assert "incident 1 of this run" in warning


def test_what_was_before_the_run_is_none_of_it(tmp_path: Path) -> None:
    """What the hardware got over while nobody recorded is no event of a new run."""
    rig = Rig(tmp_path, frames=2)
    told = {"kind": "camera_restarted", "detail": "Long ago."}
    rig.microscope.camera._incidents.append(told)
    rig.run()
    assert "hardware" not in rig.kinds()


def test_a_host_that_cannot_tell_costs_no_frame(tmp_path: Path) -> None:
    """What is wrong with its incidents is itself on record."""
    rig = Rig(tmp_path, frames=2)

    def fail() -> Sequence[JsonDict]:
        raise LookupError("no word")

    rig.microscope.incidents = fail  # type: ignore[method-assign]
    rig.run()
    assert rig.outcomes() == "cc"
    told = [
        event.details["detail"] for event in rig.events() if event.kind == "hardware"
    ]
    assert all("no word" in each for each in told)
    assert told
