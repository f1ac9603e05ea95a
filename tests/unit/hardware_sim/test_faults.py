"""Each fault does what it says, when it says, and nothing else."""

from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

from hardware_sim import Fault, Faults, FaultyDisk, VirtualClock, build
from hardware_sim.microscope import SimMicroscope
from openflexure_timelapse.errors import (
    DiskFullError,
    HardwareBusyError,
    HardwareTimeoutError,
    StorageError,
)
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.quality import inspect
from openflexure_timelapse.store.disk import RealDisk

S = 1_000_000_000
THERE = StagePosition(100, 0, 0)


def broken(*faults: Fault) -> Tuple[SimMicroscope, VirtualClock]:
    """Return a microscope with faults, and its clock."""
    clock = VirtualClock(0)
    return build(1, "diatoms", clock, faults), clock


def capture(microscope: SimMicroscope) -> bytes:
    """Take a small still, which faults meet like any other."""
    return microscope.camera.capture("preview").jpeg


def test_without_faults_nothing_happens() -> None:
    """A microscope without faults takes whole, different pictures."""
    microscope, _ = broken()
    first, second = capture(microscope), capture(microscope)
    assert inspect(first).complete
    assert first != second
    assert microscope.faults.active() == []


def test_a_late_capture_begins_later() -> None:
    """Exposure and answer come later by the amount, for the n-th still only."""
    microscope, clock = broken(Fault("camera_late", nth=(1,), amount=9.0))
    for slow in (False, True, False):
        asked_ns = clock.monotonic_ns()
        image = microscope.camera.capture("preview")
        assert image.exposed_ns is not None
        assert (image.exposed_ns - asked_ns > 9 * S) is slow
        assert (clock.monotonic_ns() - asked_ns > 9 * S) is slow


def test_a_hung_capture_ends_at_the_deadline_and_with_recover() -> None:
    """A hung camera answers no call until it is recovered."""
    microscope, clock = broken(Fault("camera_hung"))
    lane = clock.lane("test")
    for _ in range(2):
        began_ns = clock.monotonic_ns()
        with pytest.raises(HardwareTimeoutError, match="capture an image"):
            lane.call("capture an image", lambda: capture(microscope), began_ns + 4 * S)
        assert clock.monotonic_ns() == began_ns + 4 * S
    microscope.camera.recover()
    assert inspect(capture(microscope)).complete


def test_some_hangs_cannot_be_ended() -> None:
    """A hang of amount 0 outlives `recover`, until its window ends."""
    microscope, clock = broken(Fault("camera_hung", to_s=100.0, amount=0.0))
    lane = clock.lane("test")
    microscope.camera.recover()
    with pytest.raises(HardwareTimeoutError):
        lane.call("capture", lambda: capture(microscope), 4 * S)
    clock.advance(100 * S)
    assert inspect(capture(microscope)).complete


def test_recover_frees_a_real_thread() -> None:
    """On a real lane the stuck call comes to its end when the camera is recovered."""
    clock = RealClock()
    microscope = build(1, "empty", clock, [Fault("camera_hung")])
    lane = clock.lane("test")
    with pytest.raises(HardwareTimeoutError):
        lane.call("capture", lambda: capture(microscope), clock.monotonic_ns() + 10**6)
    microscope.camera.recover()
    lane.close()


def test_a_camera_may_give_up_by_itself() -> None:
    """The camera reports a timeout after the amount of seconds."""
    microscope, clock = broken(Fault("camera_timed_out", nth=(0,), amount=3.0))
    with pytest.raises(HardwareTimeoutError, match="3 s"):
        capture(microscope)
    assert clock.monotonic_ns() == 3 * S
    assert capture(microscope)


def test_a_truncated_capture_is_cut_short() -> None:
    """Only a share of the bytes arrives."""
    microscope, _ = broken(Fault("camera_truncated", nth=(1,), amount=0.25))
    whole, cut = capture(microscope), capture(microscope)
    assert inspect(whole).complete
    assert not inspect(cut).complete
    assert len(cut) == pytest.approx(0.25 * len(whole), rel=0.1)


def test_a_black_capture_is_black() -> None:
    """The picture is whole and black."""
    microscope, _ = broken(Fault("camera_black"))
    facts = inspect(capture(microscope))
    assert facts.complete
    assert facts.mean_grey == 0.0


def test_a_repeated_capture_has_the_same_bytes() -> None:
    """The bytes are those of the picture before."""
    microscope, _ = broken(Fault("camera_repeated", nth=(1,)))
    pictures = [capture(microscope) for _ in range(3)]
    assert pictures[0] == pictures[1] != pictures[2]


def test_a_capture_may_have_the_wrong_size() -> None:
    """The still has the preview's size."""
    microscope, _ = broken(Fault("camera_wrong_size", nth=(0,)))
    sizes = []
    for _ in range(2):
        facts = inspect(microscope.camera.capture("half").jpeg)
        sizes.append((facts.width, facts.height))
    assert sizes == [(832, 624), (1640, 1232)]


def test_previews_are_met_only_when_asked() -> None:
    """A camera's fault leaves previews alone unless it says otherwise."""
    spared, _ = broken(Fault("camera_black"))
    met, _ = broken(Fault("camera_black", previews=True))
    assert inspect(spared.camera.preview().jpeg).mean_grey > 50
    assert inspect(met.camera.preview().jpeg).mean_grey == 0


def test_a_window_begins_and_ends() -> None:
    """A fault holds from its first to before its last second of the run."""
    microscope, clock = broken(Fault("camera_black", from_s=10.0, to_s=20.0))
    for at_s, dark in ((5, False), (11, True), (21, False)):
        clock.wait_until(at_s * S, clock.signal())
        assert ("camera_black" in microscope.faults.active()) is dark
        assert (inspect(capture(microscope)).mean_grey == 0) is dark


def test_a_busy_stage_refuses() -> None:
    """The n-th move is refused at once and moves nothing."""
    microscope, _ = broken(Fault("stage_busy", nth=(0,)))
    with pytest.raises(HardwareBusyError, match="busy"):
        microscope.stage.move_to(THERE)
    assert microscope.stage.position() == StagePosition(0, 0, 0)
    microscope.stage.move_to(THERE)
    assert microscope.stage.position() == THERE


def test_a_hung_stage_is_lost_at_the_deadline() -> None:
    """A move that never returns is ended by the lane."""
    microscope, clock = broken(Fault("stage_hung", nth=(0,)))
    lane, move = clock.lane("test"), microscope.stage.move_to
    with pytest.raises(HardwareTimeoutError, match="move"):
        lane.call("move", lambda: move(THERE), 5 * S)
    assert clock.monotonic_ns() == 5 * S


def test_a_stage_may_give_up_by_itself() -> None:
    """The stage reports a timeout after the amount of seconds."""
    microscope, clock = broken(Fault("stage_timed_out", amount=2.0))
    with pytest.raises(HardwareTimeoutError, match="2 s"):
        microscope.stage.move_to(THERE)
    assert clock.monotonic_ns() == 2 * S


def test_lost_steps_are_counted_but_not_made() -> None:
    """The stage believes that it arrived; the sample is short by the share."""
    places = []
    for faults in ((), (Fault("stage_lost_steps", amount=0.1),)):
        microscope, clock = broken(*faults)
        microscope.stage.move_to(StagePosition(10_000, 0, 0))
        assert microscope.stage.position().x == 10_000
        clock.advance(5 * S)
        places.append(microscope.stage.physical_um(clock.monotonic_ns())[0])
    assert places[0] - places[1] == pytest.approx(88.0, rel=0.05)


def test_a_dead_lamp_is_dark() -> None:
    """The lamp's level is as before, the picture is dark."""
    microscope, _ = broken(Fault("light_off"))
    microscope.camera.lock_exposure({"exposure_us": 9000.0, "analogue_gain": 1.0})
    assert microscope.light.level() > 0
    assert inspect(capture(microscope)).mean_grey < 8


def test_a_stuck_lamp_keeps_its_level() -> None:
    """Setting the level changes nothing, without a word."""
    microscope, _ = broken(Fault("light_stuck"))
    before = microscope.light.level()
    microscope.light.set_level(0.0)
    assert microscope.light.level() == before


def test_another_user_is_waited_for() -> None:
    """The microscope is taken when the other user leaves, or not at all."""
    microscope, clock = broken(Fault("in_use", from_s=1.0, to_s=8.0))
    clock.advance(2 * S)
    with pytest.raises(HardwareBusyError, match="Another user"):
        microscope.acquire(5 * S)
    assert clock.monotonic_ns() == 5 * S
    microscope.acquire(20 * S)
    assert 8 * S <= clock.monotonic_ns() < 9 * S
    with pytest.raises(HardwareBusyError):
        microscope.acquire(10 * S)
    microscope.release()
    microscope.acquire(20 * S)


def test_the_time_of_day_steps() -> None:
    """The wall clock steps at its time; the world and the monotonic time do not."""
    microscope, clock = broken(Fault("wall_step", from_s=10.0, amount=-3600.0))
    clock.advance(9 * S)
    assert clock.wall_ns() == 9 * S
    clock.advance(2 * S)
    assert clock.wall_ns() == 11 * S - 3600 * S
    assert microscope.world.now_s() == 11.0


def test_a_real_clock_cannot_be_stepped() -> None:
    """Asking for it is a mistake that is told at once."""
    with pytest.raises(ValueError, match="RealClock"):
        build(1, "empty", RealClock(), [Fault("wall_step")])


def disk_of(*faults: Fault) -> Tuple[FaultyDisk, VirtualClock]:
    """Return a disk with faults around a real one, and its clock."""
    clock = VirtualClock(0)
    return FaultyDisk(RealDisk(), Faults(clock, faults)), clock


def test_a_full_disk_takes_nothing_until_there_is_room(tmp_path: Path) -> None:
    """Writes and folders fail and leave nothing; later all is well."""
    disk, clock = disk_of(Fault("disk_full", to_s=60.0))
    file = tmp_path / "frame"
    assert disk.free_bytes(str(tmp_path)) == 0
    with pytest.raises(DiskFullError, match="frame"):
        disk.write(str(file), b"bytes")
    with pytest.raises(DiskFullError):
        disk.make_folder(str(tmp_path / "folder"))
    assert list(tmp_path.iterdir()) == []
    clock.advance(60 * S)
    disk.make_folder(str(tmp_path / "folder"))
    disk.write(str(file), b"bytes")
    assert file.read_bytes() == b"bytes"
    assert disk.free_bytes(str(tmp_path)) > 0
    disk.remove(str(file))
    assert not file.exists()


def test_the_nth_write_fails(tmp_path: Path) -> None:
    """An input/output error meets one write and leaves nothing of it."""
    disk, _ = disk_of(Fault("disk_io_error", nth=(1,)))
    disk.write(str(tmp_path / "a"), b"1")
    with pytest.raises(StorageError, match="device reports an error"):
        disk.write(str(tmp_path / "b"), b"2")
    disk.write(str(tmp_path / "c"), b"3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


def test_a_torn_write_lies(tmp_path: Path) -> None:
    """It reports success and leaves a part: only a hash can find that out."""
    disk, _ = disk_of(Fault("disk_torn", nth=(0,), amount=0.5))
    disk.write(str(tmp_path / "a"), b"12345678")
    assert (tmp_path / "a").read_bytes() == b"1234"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kind": "camera_blak"}, "camera_black"),
        ({"kind": "camera_black", "from_s": 5.0, "to_s": 5.0}, "never"),
        ({"kind": "light_off", "nth": (1,)}, "not counted"),
    ],
)
def test_a_fault_that_would_never_happen_is_refused(
    wrong: Dict[str, Any], told: str
) -> None:
    """A misspelt kind, an empty window or a call that nobody counts is an error."""
    with pytest.raises(ValueError, match=told):
        Fault(**wrong)
