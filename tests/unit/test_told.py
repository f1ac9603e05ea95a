"""What a person must know of a run stands in its status within one slot."""

from pathlib import Path
from typing import Any, Dict, List, Sequence

import pytest
from cases.rig import INTERVAL_S, NS_PER_S, PLACES, Rig, later, left_after

from hardware_sim import Fault
from openflexure_timelapse.frame import Flag
from openflexure_timelapse.memory import UNKNOWN_GAPS
from openflexure_timelapse.run_state import EndReason, RunStatus
from openflexure_timelapse.store.run_store import RunStore

FROM_S, TO_S = 85.0, 160.0


def watched(rig: Rig, times_s: Sequence[float]) -> List[RunStatus]:
    """Return the list that a run will fill with what its status says at some times."""
    seen: List[RunStatus] = []
    for at_s in times_s:
        rig.at(at_s, lambda: seen.append(rig.engine.status()))
    return seen


def words(status: RunStatus) -> str:
    """Return all warnings."""
    return " / ".join(status.warnings)


# ---------------------------------------------------------------------------- hardware


def test_a_frame_that_failed_a_check_is_told_until_a_good_one(tmp_path: Path) -> None:
    """A night of black frames does not look like a night of good ones."""
    rig = Rig(tmp_path, faults=[Fault("camera_black", FROM_S, TO_S)])
    seen = watched(rig, [80, 95, 155, 190])
    rig.run()
    assert ["dark" in words(status) for status in seen] == [False, True, True, False]


def test_each_position_keeps_its_own_trouble(tmp_path: Path) -> None:
    """What goes well at one position does not hide what failed at the other."""
    rig = Rig(tmp_path, positions=PLACES)
    camera, capture = rig.microscope.camera, rig.microscope.camera.capture

    def broken(mode: Any) -> Any:
        now_s = (rig.clock.monotonic_ns() - rig.origin_ns) / NS_PER_S
        if FROM_S < now_s < TO_S and rig.microscope.stage.position().x == 0:
            raise OSError(5, "Input/output error")
        return capture(mode)

    camera.capture = broken  # type: ignore[method-assign]
    seen = watched(rig, [80, 110, 190])
    rig.run()
    assert ["left" in words(status) for status in seen] == [False, True, False]


def test_a_rejected_focus_is_told_at_once_and_for_its_position(tmp_path: Path) -> None:
    """An accepted focus elsewhere does not hide it."""
    rig = Rig(tmp_path, positions=PLACES, autofocus={"every": 1, "range": 800})
    sweep = rig.engine._instrument.sweep

    def flat(range_steps: int) -> Any:
        found = sweep(range_steps)
        if rig.microscope.stage.position().x == 0:
            return type(found)(found.z_steps, (1.0,) * len(found.z_steps), found.metric)
        return found

    rig.engine._instrument.sweep = flat  # type: ignore[method-assign]
    seen = watched(rig, [INTERVAL_S - 1, 2 * INTERVAL_S - 1])
    rig.run()
    assert "left: focus was rejected once" in words(seen[0])
    assert "left: focus was rejected 2 times in a row" in words(seen[1])
    assert "right: focus" not in words(seen[1])


@pytest.mark.parametrize("window", [(70.0, 1000.0), (65.0, 100.0)])
def test_a_light_that_is_stuck_is_told(tmp_path: Path, window: Any) -> None:
    """A sample in the light all night is a sample that dies."""
    fault = Fault("light_stuck", *window)
    rig = Rig(tmp_path, faults=[fault], light="only_while_capturing")
    seen = watched(rig, [59, 95, 200])
    rig.run()
    stuck = ["and stays at" in words(status) for status in seen]
    assert stuck == [False, True, window[1] > 200]
    events = [event.details for event in rig.events() if event.kind == "light"]
    assert "stays at" in events[0]["trouble"]
    assert len(events) == (1 if window[1] > 200 else 2)


def test_a_call_that_hangs_is_told_before_the_next_slot_is_due(tmp_path: Path) -> None:
    """The deadline of a call may be longer than the interval."""
    rig = Rig(tmp_path, faults=[Fault("camera_hung", nth=(4,))], interval_s=6)
    seen = watched(rig, [23.0, 29.9])
    rig.run()
    assert ["Slot 4 was due 6 s ago" in words(status) for status in seen] == [
        False,
        True,
    ]


def test_hardware_that_stays_as_the_run_had_it_is_told(tmp_path: Path) -> None:
    """Whoever works on after the run must know that the camera is not automatic."""
    rig = Rig(tmp_path, faults=[Fault("in_use", from_s=210.15)])
    rig.run()
    assert "Another user holds the microscope" in words(rig.engine.status())


# -------------------------------------------------------------------------------- time


def test_a_gap_of_unknown_length_is_told_and_kept(tmp_path: Path) -> None:
    """In this process, in the next one, and for the movie."""
    first = left_after(tmp_path, 65)
    second = Rig(tmp_path, clock=later(first, -5000, "boot-2", trusted=False))
    seen = watched(second, [190])
    second.at(195, second.engine.leave)
    second.run()
    assert "Before slot 3" in words(seen[0])
    third = Rig(tmp_path, clock=later(second, 1, "boot-2", trusted=False))
    seen = watched(third, [10])
    third.run()
    assert "for an unknown time" in words(seen[0])
    with RunStore.open_read(third.folder) as store:
        assert store.value(UNKNOWN_GAPS) == [3]


def test_a_run_that_waits_for_the_time_has_no_countdown(tmp_path: Path) -> None:
    """Nobody knows when the next slot is due before the grid is found."""
    first = left_after(tmp_path, 65)
    second = Rig(tmp_path, clock=later(first, -5000, "boot-2", trusted=False))
    seen = watched(second, [90, 200])
    second.run()
    assert seen[0].next_due_in_s is None
    assert "waits, for 3 minutes at most" in words(seen[0])
    assert 0 <= (seen[1].next_due_in_s or 0) <= INTERVAL_S
    assert "waits, for 3 minutes" not in words(seen[1])


# ----------------------------------------------------------- what a fault leaves behind


@pytest.mark.parametrize("light", ["leave", "only_while_capturing"])
def test_exposure_that_was_measured_in_the_dark_is_measured_again(
    tmp_path: Path, light: str
) -> None:
    """A lamp that came on late does not spoil the whole run."""
    plan: Dict[str, Any] = {"light": light}
    spoilt = Rig(tmp_path / "a", faults=[Fault("light_off", to_s=65)], **plan)
    usual = Rig(tmp_path / "b", **plan)
    spoilt.run()
    usual.run()
    assert Flag.DARK in spoilt.frames()[0].draft.flags
    greys = [frame.draft.mean_grey for frame in spoilt.frames()]
    wanted = usual.frames()[-1].draft.mean_grey
    assert greys[4:] == pytest.approx([wanted] * 4, rel=0.1)
    assert not any(frame.draft.flags for frame in spoilt.frames()[4:])
    assert spoilt.microscope.camera.exposure() == {"auto": True}


def test_a_night_of_black_frames_does_not_hide_blur(tmp_path: Path) -> None:
    """What was taken in the dark says nothing about the sharpness of the scene."""
    rig = Rig(tmp_path, faults=[Fault("camera_black", 200, 800)], frames=30)
    rig.run()
    recent = rig.engine._aim.knowledge["here"].recent[0].recent_sharpness
    assert min(recent) > 0.2 * max(recent)


def test_a_camera_that_repeats_itself_is_seen_from_one_position_to_the_next(
    tmp_path: Path,
) -> None:
    """The picture of the other place is a repeat, too."""
    rig = Rig(
        tmp_path, faults=[Fault("camera_repeated", FROM_S, 100)], positions=PLACES
    )
    rig.run()
    flagged = [
        (frame.draft.slot, frame.draft.position)
        for frame in rig.frames()
        if Flag.REPEATED in frame.draft.flags
    ]
    assert flagged == [(3, "left"), (3, "right")]


def test_the_size_that_the_camera_names_is_the_right_one(tmp_path: Path) -> None:
    """Also for the first frame, which has none before it to differ from."""
    fault = Fault("camera_wrong_size", to_s=20)
    rig = Rig(tmp_path, faults=[fault], camera_mode="half", frames=3)
    rig.run()
    flags = [frame.draft.flags for frame in rig.frames()]
    assert flags == [(Flag.WRONG_SIZE,), (), ()]


# ------------------------------------------------------------------------------- memory


@pytest.mark.parametrize("where", ["capture", "inspect", "with_exif", "record"])
def test_memory_that_is_short_costs_a_visit_and_never_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The slot says why, and the next one is captured."""
    rig = Rig(tmp_path)
    owner: Any = {
        "capture": rig.microscope.camera,
        "inspect": __import__("openflexure_timelapse.quality").quality,
        "with_exif": __import__(
            "openflexure_timelapse.store.run_store"
        ).store.run_store,
        "record": rig.store,
    }[where]
    work = getattr(owner, where)

    def short(*args: Any, **kwargs: Any) -> Any:
        if FROM_S < (rig.clock.monotonic_ns() - rig.origin_ns) / NS_PER_S < 100:
            raise MemoryError
        return work(*args, **kwargs)

    monkeypatch.setattr(owner, where, short)
    seen = watched(rig, [101])
    assert rig.run().end_reason is EndReason.COMPLETED
    if where == "record":
        assert rig.outcomes() == "cccccccc"
        assert "refused" in words(seen[0])
    else:
        assert rig.outcomes() == "cccfcccc"
        assert rig.reasons()[3] == "memory"
        assert "memory" in words(seen[0])
