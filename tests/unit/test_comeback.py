"""A run comes back as it was, whatever it was doing when it was cut off."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from cases.rig import INTERVAL_S, NS_PER_S, PLACES, Rig, later, left_after

from hardware_sim import Fault
from openflexure_timelapse.errors import DiskFullError, HardwareTimeoutError
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.run_state import EndReason, Phase
from openflexure_timelapse.store.repair import repair
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify

STACK = {"count": 3, "step": 50}


class PowerCutError(BaseException):
    """Ends a process in the middle of whatever it does; nothing catches it."""


def cut_when(rig: Rig, owner: Any, name: str, nth: int) -> None:
    """Cut the power just before the n-th call of a method, counted from 0."""
    method, calls = getattr(owner, name), [0]

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] > nth:
            raise PowerCutError
        return method(*args, **kwargs)

    setattr(owner, name, counted)
    with pytest.raises(PowerCutError):
        rig.engine.run()
    rig.store.close()


def heights(rig: Rig) -> Dict[int, List[int]]:
    """Return the z of each slot's frames."""
    found: Dict[int, List[int]] = {}
    for frame in rig.frames():
        found.setdefault(frame.draft.slot, []).append(frame.draft.z)
    return found


# ------------------------------------------------------------------------------ places


def test_a_stack_that_was_cut_short_does_not_move_the_next_one(tmp_path: Path) -> None:
    """A plan without positions finds its way home after a bad picture in its stack."""
    fault = Fault("camera_truncated", from_s=60, to_s=64)
    rig = Rig(tmp_path, faults=[fault], planes=STACK)
    rig.run()
    assert "f" in rig.outcomes()
    whole = [zs for zs in heights(rig).values() if len(zs) == 3]
    assert whole == [[-50, 0, 50]] * len(whole)
    assert len(whole) >= 6


@pytest.mark.parametrize("exposure", ["lock", "auto"])
@pytest.mark.parametrize("captures", [1, 2, 5])
def test_a_stack_comes_home_after_a_power_cut(
    tmp_path: Path, captures: int, exposure: str
) -> None:
    """Also when the very first stack was cut off in its middle."""
    plan: Dict[str, Any] = {"planes": STACK, "exposure": exposure}
    first = Rig(tmp_path, **plan)
    cut_when(first, first.microscope.camera, "capture", captures)
    second = Rig(tmp_path, clock=later(first, 1, "boot-1"), **plan)
    second.microscope.stage.move_to(first.microscope.stage.position())
    second.run()
    whole = [zs for zs in heights(second).values() if len(zs) == 3]
    assert whole == [[-50, 0, 50]] * len(whole)
    assert len(whole) >= 6


@pytest.mark.parametrize(
    ("moved", "z"), [(0, 0), (7, -50)], ids=["left", "moved since"]
)
def test_a_stack_that_was_cut_short_in_the_last_slot_comes_home(
    tmp_path: Path, moved: int, z: int
) -> None:
    """Also when no visit follows; but a stage that somebody has moved is left there."""
    first = Rig(tmp_path, planes=STACK, frames=2)
    cut_when(first, first.microscope.camera, "capture", 3)
    left = first.microscope.stage.position()
    assert left.z == -50
    second = Rig(tmp_path, clock=later(first, 60, "boot-2"), planes=STACK, frames=2)
    second.microscope.stage.move_to(replace(left, x=left.x + moved))
    second.run()
    assert second.outcomes() == "cs"
    assert second.microscope.stage.position() == StagePosition(moved, 0, z)


def test_a_person_who_moves_the_stage_is_followed(tmp_path: Path) -> None:
    """A plan that stays takes each stack where the stage stands by then."""
    rig = Rig(tmp_path, planes=STACK)
    stage = rig.microscope.stage
    rig.at(45, lambda: stage.move_to(stage.position().at_z(700)))
    rig.run()
    assert heights(rig)[1] == [-50, 0, 50]
    assert heights(rig)[2] == [650, 700, 750]
    assert heights(rig)[7] == [650, 700, 750]


def test_a_stop_in_the_middle_of_a_stack_comes_home(tmp_path: Path) -> None:
    """The stage is not left at the edge of a stack."""
    rig = Rig(tmp_path, planes=STACK, settle_s=2.0)
    rig.at(62.1, rig.engine.stop)
    rig.run()
    assert rig.microscope.stage.position().z == 0


# ------------------------------------------------------------------- light and exposure


@pytest.mark.parametrize("exposure", ["lock", "auto"])
def test_what_was_before_is_on_disk_before_it_is_changed(
    tmp_path: Path, exposure: str
) -> None:
    """A kill in the first visit does not lose the light's level."""
    plan: Dict[str, Any] = {
        "positions": PLACES,
        "light": "only_while_capturing",
        "exposure": exposure,
    }
    first = Rig(tmp_path, **plan)
    before = first.microscope.light.level()
    cut_when(first, first.microscope.light, "set_level", 1)  # the first time dark
    second = Rig(tmp_path, clock=later(first, 1, "boot-1"), **plan)
    second.microscope.light.set_level(0.0)  # as the cut left it
    second.run()
    assert second.microscope.light.level() == before
    assert not any(frame.draft.flags for frame in second.frames())


def test_exposure_control_is_given_back_after_a_kill_in_the_first_slot(
    tmp_path: Path,
) -> None:
    """The camera that the killed process had locked is automatic again in the end."""
    first = Rig(tmp_path)
    cut_when(first, first.microscope.camera, "capture", 0)
    second = Rig(tmp_path, clock=later(first, 1, "boot-1"))
    second.microscope.camera.lock_exposure(first.microscope.camera.lock_exposure())
    second.run()
    assert second.microscope.camera.exposure() == {"auto": True}


def test_a_light_that_is_off_from_the_start_is_no_level(tmp_path: Path) -> None:
    """The run does not invent a brightness that the sample never had."""
    rig = Rig(tmp_path, light="only_while_capturing", frames=2)
    rig.microscope.light.set_level(0.0)
    rig.run()
    assert rig.outcomes() == "ff"
    assert "level" in rig.slots()[0].detail


# -------------------------------------------------------------------------------- time


def test_leaving_while_the_clock_is_unknown_forgets_nothing(tmp_path: Path) -> None:
    """A server that is restarted twice finds the grid once the time is known."""
    first = left_after(tmp_path, 65)
    unknown = later(first, -5000, "boot-2", trusted=False)
    second = Rig(tmp_path, clock=unknown)
    second.at(10, second.engine.leave)
    second.run()
    third = Rig(tmp_path, clock=later(first, 60, "boot-3"))
    third.run()
    assert third.outcomes() == "cccslccc"
    assert dict(third.captured_at_s())[7] == pytest.approx(210, abs=0.5)


def test_a_gap_of_unknown_length_after_a_pause_costs_no_hours(tmp_path: Path) -> None:
    """The slots that a pause has skipped are not waited for again."""
    first = Rig(tmp_path, frames=700)
    first.at(65, first.engine.pause)
    first.at(5 * 3600, first.engine.leave)
    first.run()
    clock = later(first, -20 * 3600, "boot-2", trusted=False)
    second = Rig(tmp_path, clock=clock, frames=700)
    second.at(1, second.engine.resume).at(400, second.engine.stop)
    second.run()
    assert second.outcomes().count("c") >= 3 + 5


def test_a_run_whose_index_was_lost_goes_on_with_its_grid(tmp_path: Path) -> None:
    """After a repair the frames themselves tell where the grid lies."""
    first = left_after(tmp_path, 65)
    for file in first.folder.glob("run.db*"):
        file.unlink()
    repair(first.folder)
    second = Rig(tmp_path, clock=later(first, 60, "boot-2"))
    second.run()
    times = dict(second.captured_at_s())
    assert sorted(times) == [0, 1, 2, 4, 5, 6, 7]
    assert times[7] == pytest.approx(210, abs=1.0)


def test_a_late_slot_that_was_cut_off_stays_late(tmp_path: Path) -> None:
    """Its lateness is told by its exposure, and `shift` moves the rest as it would."""
    plan: Dict[str, Any] = {"late": "shift", "frames": 5}
    first = left_after(tmp_path, 65, **plan)
    draft = replace(
        first.frames()[0].draft,
        slot=3,
        due_ns=90 * NS_PER_S,
        elapsed_ns=102 * NS_PER_S,
    )
    jpeg = first.microscope.camera.capture("preview").jpeg
    with RunStore.open(first.folder, first.disk) as store:
        store.add_frame(jpeg, draft, {})
    second = Rig(tmp_path, clock=later(first, 39, "boot-1"), **plan)
    second.run()
    assert second.outcomes() == "ccclc"
    slot = second.slots()[3]
    assert slot.lateness_ns == 12 * NS_PER_S
    assert dict(second.captured_at_s())[4] == pytest.approx(132, abs=1.0)
    assert [visit.slot for visit in second.visits()] == [0, 1, 2, 3, 4]


def test_a_visit_that_a_restart_cut_short_was_interrupted(tmp_path: Path) -> None:
    """Nobody stopped the run, so no slot says so."""
    rig = Rig(tmp_path, settle_s=5.0)
    rig.at(62, rig.engine.leave)
    rig.run()
    assert rig.reasons()[2:] == ["interrupted"]


# -------------------------------------------------------------------- a disk in the way


def full_between(rig: Rig, from_s: float, to_s: float) -> None:
    """Let the index refuse every row for a while."""
    write: Callable[..., None] = rig.store.record

    def record(**rows: Any) -> None:
        now_s = (rig.clock.monotonic_ns() - rig.origin_ns) / NS_PER_S
        if from_s <= now_s < to_s:
            raise DiskFullError("no space is left")
        write(**rows)

    rig.store.record = record  # type: ignore[method-assign]


def test_a_run_that_ends_on_a_full_disk_waits_until_its_end_is_on_record(
    tmp_path: Path,
) -> None:
    """No outcome dies with the process: ended means written down."""
    rig = Rig(tmp_path, frames=4)
    full_between(rig, 65, 1000)
    told = []
    rig.at(500, lambda: told.append(rig.engine.status()))
    assert rig.run().end_reason is EndReason.COMPLETED
    assert rig.engine.closed
    assert told[0].phase is Phase.FINISHING
    assert any("refused" in warning for warning in told[0].warnings)
    assert rig.clock.monotonic_ns() - rig.origin_ns >= 1000 * NS_PER_S
    assert len(rig.outcomes()) == 4
    assert rig.kinds()[-1] == "ended"


def test_a_run_that_is_left_on_a_full_disk_is_not_closed(tmp_path: Path) -> None:
    """The next process finds a run that goes on, not one that is over."""
    rig = Rig(tmp_path, frames=4)
    full_between(rig, 65, 10**9)
    rig.at(500, rig.engine.leave)
    rig.run()
    assert not rig.engine.closed
    second = Rig(tmp_path, clock=later(rig, 1, "boot-1"), frames=4)
    assert second.run().end_reason is EndReason.COMPLETED
    assert len(second.outcomes()) == 4
    assert verify(second.folder).ok


# ------------------------------------------------------------------ drivers' own errors


def test_an_error_of_a_driver_ends_the_visit_and_never_the_run(tmp_path: Path) -> None:
    """What a camera's library raises is told with the slot."""
    rig = Rig(tmp_path)
    camera, capture = rig.microscope.camera, rig.microscope.camera.capture

    def broken(mode: Any) -> Any:
        if 85 < (rig.clock.monotonic_ns() - rig.origin_ns) / NS_PER_S < 100:
            raise OSError(5, "Input/output error")
        return capture(mode)

    camera.capture = broken  # type: ignore[method-assign]
    assert rig.run().end_reason is EndReason.COMPLETED
    assert rig.outcomes() == "cccfcccc"
    assert rig.reasons()[3] == "hardware"
    assert "Input/output error" in rig.slots()[3].detail


@pytest.mark.parametrize("error", [OSError(5, "gone"), HardwareTimeoutError("gone")])
def test_hardware_that_cannot_be_put_back_is_told_and_the_run_ends(
    tmp_path: Path, error: Exception
) -> None:
    """The light is put back even when the exposure cannot be."""
    rig = Rig(tmp_path, light="only_while_capturing")
    before = rig.microscope.light.level()

    def broken(_saved: Any) -> None:
        raise error

    rig.microscope.camera.restore_exposure = broken  # type: ignore[method-assign]
    assert rig.run().end_reason is EndReason.COMPLETED
    assert "hardware_not_restored" in rig.kinds()
    assert rig.microscope.light.level() == before
    assert (rig.folder / "frames.csv").exists()


def test_a_slot_that_an_error_of_our_own_cuts_off_is_told(tmp_path: Path) -> None:
    """It has frames, so it was not skipped; the rest says that the run failed."""
    rig = Rig(tmp_path, positions=PLACES)
    see_visit, visits = rig.engine._board.see_visit, [0]

    def broken(visit: Any) -> None:
        visits[0] += 1
        if visits[0] == 5:  # after the first of two positions of slot 2
            raise ZeroDivisionError
        see_visit(visit)

    rig.engine._board.see_visit = broken  # type: ignore[method-assign]
    assert rig.run().end_reason is EndReason.FAILED
    assert rig.outcomes() == "ccf" + "s" * 5
    assert rig.reasons()[2:4] == ["interrupted", "run_failed"]


def test_an_error_of_our_own_ends_the_run_with_every_slot_told(tmp_path: Path) -> None:
    """The slots before keep their outcomes, and the rest says that the run failed."""
    rig = Rig(tmp_path, positions=PLACES)
    room = rig.engine._room
    learn, slots = room.learn, [0]

    def broken(totals: Any) -> None:
        slots[0] += 1
        if slots[0] == 3:
            raise ZeroDivisionError
        learn(totals)

    room.learn = broken  # type: ignore[method-assign]
    assert rig.run().end_reason is EndReason.FAILED
    assert rig.outcomes() == "ccc" + "s" * 5
    assert set(rig.reasons()[3:]) == {"run_failed"}
    assert INTERVAL_S * 2 < rig.clock.monotonic_ns() / NS_PER_S < INTERVAL_S * 3 + 60
