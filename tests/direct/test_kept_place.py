"""The place of the stage outlives a power cut, and says so when it does not."""

import json
from pathlib import Path

import pytest
from board_rig import DIALECTS, kinds, rig

from openflexure_timelapse.errors import (
    DiskFullError,
    HardwareError,
    HardwareTimeoutError,
    StorageError,
)
from openflexure_timelapse.hosts.direct.kept_place import KeptPlace
from openflexure_timelapse.hosts.direct.reckoning import Reckoning, Stretch
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.store.disk import RealDisk

FAR = StagePosition(600, -400, 300)
BACK = StagePosition(0, 0, 0)
PLACE = Reckoning((1, 2, 3), FAR, (0, 4, 0), Stretch.over(BACK, FAR))


class PowerCutError(Exception):
    """The program is no more."""


class Disk(RealDisk):
    """A disk that takes no new bytes, or lets nothing go, when it is told so."""

    is_full = False
    keeps_all = False

    def write(self, path: str, data: bytes) -> None:
        """Write, unless it is full."""
        if self.is_full:
            raise DiskFullError("No space is left; free some.")
        super().write(path, data)

    def remove(self, path: str) -> None:
        """Remove, unless it lets nothing go."""
        if self.keeps_all:
            raise StorageError("The disk is read-only; remount it.")
        super().remove(path)


def test_what_was_noted_is_read(tmp_path: Path) -> None:
    """Count, place, doubt, and where the stage was about to be."""
    KeptPlace(tmp_path / "new" / "place.json", RealDisk()).write(PLACE)
    assert KeptPlace(tmp_path / "new" / "place.json", RealDisk()).read() == PLACE


def test_nothing_noted_is_no_place(tmp_path: Path) -> None:
    """The first time, the board's count is all there is."""
    assert KeptPlace(tmp_path / "place.json", RealDisk()).read() is None


def test_a_damaged_note_is_an_error(tmp_path: Path) -> None:
    """A place is never guessed."""
    (tmp_path / "place.json").write_text('{"count": [1, 2]}', encoding="utf-8")
    with pytest.raises(StorageError, match="Remove it"):
        KeptPlace(tmp_path / "place.json", RealDisk()).read()


def test_a_full_disk_leaves_no_wrong_note(tmp_path: Path) -> None:
    """An old note would lie after a power cut; so it goes, and that is told."""
    disk, path = Disk(), tmp_path / "place.json"
    kept = KeptPlace(path, disk)
    assert kept.write(PLACE) == ""
    disk.is_full = True
    assert "space" in kept.write(PLACE.arrived((0, 0, 0), BACK))
    assert not path.exists()


def test_a_note_that_would_lie_stops_the_stage(tmp_path: Path) -> None:
    """Where the old note cannot be removed either, nothing may move."""
    disk = Disk()
    kept = KeptPlace(tmp_path / "place.json", disk)
    kept.write(PLACE)
    disk.is_full = disk.keeps_all = True
    with pytest.raises(HardwareError, match="writable"):
        kept.write(PLACE.arrived((0, 0, 0), BACK))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_power_cut_between_visits_loses_no_place(
    tmp_path: Path, dialect: str
) -> None:
    """Board and computer go out together; afterwards the stage is where it was."""
    with rig(tmp_path, dialect) as made:
        made.stage.move_to(FAR)
        made.board.close()
        made.wire.unplug()
        made.wire.plug()
        made.begin()
        assert made.stage.position() == FAR
        assert kinds(made) == (["place_restored"] if dialect == "v1.0" else [])
        made.stage.move_to(BACK)
        assert made.true_steps() == [0, 0, 0]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_power_cut_in_a_move_is_known(tmp_path: Path, dialect: str) -> None:
    """The note says that the stage was about to move; the truth is in what it tells."""
    with rig(tmp_path, dialect) as made:
        made.stage.move_to(StagePosition(500, 0, 0))

        def cut() -> None:
            made.wire.unplug()
            raise PowerCutError

        made.clock.call_at(made.clock.monotonic_ns() + 700_000_000, cut)
        with pytest.raises(PowerCutError):
            made.stage.move_to(StagePosition(2500, 0, 0))
        made.board.close()
        made.wire.plug()
        made.begin()
        assert kinds(made) == ["place_unsure"]
        place, unsure = made.stage.position(), made.stage.state()["unsure_steps"]
        true = made.true_steps()
        assert unsure["x"] >= abs(place.x - true[0])
        assert (true[1], true[2]) == (place.y, place.z) == (0, 0)
        made.stage.set_zero()
        made.stage.move_to(BACK)
        assert made.stage.state()["unsure_steps"] == {"x": 0, "y": 0, "z": 0}
        assert made.true_steps() == true


def test_a_program_that_died_in_a_move_trusts_a_board_that_did_not(
    tmp_path: Path,
) -> None:
    """The board has counted the move to its end, with its own power."""
    with rig(tmp_path) as made:
        made.stage.glide(StagePosition(2500, 0, 0))
        made.board.close()  # as the kernel does for a process that was killed
        made.clock.advance(3_000_000_000)
        made.begin()
        assert made.stage.position() == StagePosition(2500, 0, 0)
        assert kinds(made) == []
        assert made.stage.state()["unsure_steps"] == {"x": 0, "y": 0, "z": 0}


def test_a_move_of_a_program_that_died_is_ended(tmp_path: Path) -> None:
    """The board goes on alone; who comes next finds it in the middle of its way."""
    with rig(tmp_path) as made:
        made.stage.move_to(FAR)
        made.stage.glide(StagePosition(7000, 0, 0))
        made.board.close()  # as the kernel does for a process that was killed
        made.clock.advance(1_000_000_000)
        made.begin()
        assert not made.wire._firmware.is_moving
        place = made.stage.position()
        assert made.true_steps() == [place.x, place.y, place.z]
        made.clock.advance(1_000_000_000)
        assert made.stage.position() == place
        made.stage.move_to(BACK)
        assert made.true_steps() == [0, 0, 0]
        assert kinds(made) == []


def test_somebody_else_has_moved_the_stage(tmp_path: Path) -> None:
    """Between two programs of ours a third one moved: the count tells how far."""
    from sangaboard import Sangaboard  # noqa: PLC0415 (that third program)

    with rig(tmp_path, inverted=(True, False, False)) as made:
        made.stage.move_to(FAR)
        made.board.close()
        with Sangaboard(made.wire.port) as other:
            other.query("blocking_moves false")
            other.move_rel([50, 60, 70])
            made.clock.advance(1_000_000_000)
            other.position  # noqa: B018 (lets the board see the time)
        made.begin()
        assert made.stage.position() == StagePosition(550, -340, 370)
        assert kinds(made) == ["moved"]


def test_the_stage_notes_that_it_is_about_to_move(tmp_path: Path) -> None:
    """From before the first step to after the last one."""
    seen = []

    with rig(tmp_path) as made:

        def look() -> None:
            text = (tmp_path / "place.json").read_text(encoding="utf-8")
            seen.append(json.loads(text)["moving"])

        made.clock.call_at(made.clock.monotonic_ns() + 100_000_000, look)
        made.stage.move_to(FAR)
        assert seen == [[[0, -600, 0], [600, 0, 300]]]
        text = (tmp_path / "place.json").read_text(encoding="utf-8")
        assert json.loads(text)["place"] == [600, -400, 300]


def test_a_full_disk_does_not_stop_the_stage(tmp_path: Path) -> None:
    """The place is lost with the power then, and the run's log says so."""
    with rig(tmp_path) as made:
        disk = Disk()
        made.stage._motion._kept._disk = disk
        disk.is_full = True
        made.stage.move_to(FAR)
        made.stage.move_to(BACK)
        assert kinds(made) == ["place_not_kept"]
        assert not (tmp_path / "place.json").exists()
        disk.is_full = False
        made.stage.move_to(FAR)
        text = (tmp_path / "place.json").read_text(encoding="utf-8")
        assert json.loads(text)["place"] == [600, -400, 300]


def test_a_lane_that_gives_up_stops_the_motors(tmp_path: Path) -> None:
    """A visit's own deadline ends the move as well: nothing turns on alone."""
    with rig(tmp_path) as made:
        lane = made.clock.lane("hardware")
        until_ns = made.clock.monotonic_ns() + 500_000_000
        with pytest.raises(HardwareTimeoutError):
            lane.call("move", lambda: made.stage.move_to(FAR.at_z(8000)), until_ns)
        assert not made.wire._firmware.is_moving
        place = made.stage.position()
        assert made.true_steps() == [place.x, place.y, place.z]
