"""A silent, late, noisy, restarted or unplugged board is noticed and outlived."""

import threading
from pathlib import Path
from typing import Callable, Dict

import pytest
from board_rig import DIALECTS, Rig, kinds, rig
from sangaboard import Sangaboard

from hardware_sim import Fault
from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
)
from openflexure_timelapse.hosts.direct.board import Board
from openflexure_timelapse.hosts.direct.light import DirectLight
from openflexure_timelapse.hosts.direct.port import _not_opened
from openflexure_timelapse.ports import StagePosition

FAR = StagePosition(600, -400, 300)
BACK = StagePosition(0, 0, 0)
SHORT_S = 0.4
"""For an answer that never comes; one that comes is never waited for so long."""


def at(made: Rig, seconds: float, function: Callable[[], None]) -> None:
    """Do something when so much time has passed."""
    made.clock.call_at(made.clock.monotonic_ns() + int(seconds * 1e9), function)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_undisturbed_board_tells_no_incident(tmp_path: Path, dialect: str) -> None:
    """What follows would mean nothing if incidents were told at all times."""
    with rig(tmp_path, dialect) as made:
        made.stage.move_to(FAR)
        made.stage.move_to(BACK)
        assert kinds(made) == []
        assert made.true_steps() == [0, 0, 0]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", ["board_silent", "board_garbage"])
def test_one_bad_answer_to_a_question_loses_no_visit(
    tmp_path: Path, dialect: str, kind: str
) -> None:
    """A question is asked again, over a port that was opened anew, and that is told."""
    with rig(tmp_path, dialect, reply_s=SHORT_S) as made:
        made.wire._faults._faults = (Fault(kind, nth=(len(made.wire.heard),)),)
        assert made.stage.position() == BACK
        told = {"board_silent": "silent", "board_garbage": "garbage"}
        assert kinds(made) == [told[kind], "reconnected"]
        made.stage.move_to(FAR)
        assert made.true_steps() == [600, -400, 300]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_silent_board_is_not_waited_for_without_end(
    tmp_path: Path, dialect: str
) -> None:
    """The library would hang; we give up, and go on when the board speaks again."""
    with rig(tmp_path, dialect, reply_s=SHORT_S) as made:
        silence = Fault("board_silent", from_s=0.0)
        made.wire._faults._faults = (silence,)
        with pytest.raises(HardwareError, match="answer"):
            made.stage.move_to(FAR)
        made.wire._faults._faults = ()
        made.stage.move_to(FAR)
        assert made.stage.position() == FAR
        assert {"silent", "reconnected"} <= set(kinds(made))


@pytest.mark.parametrize("kind", ["board_silent", "board_garbage"])
def test_a_move_is_never_sent_twice(tmp_path: Path, kind: str) -> None:
    """Its answer lost, nobody knows whether it was heard: the visit fails."""
    with rig(tmp_path, reply_s=SHORT_S) as made:
        made.stage.move_to(FAR)
        asked = len(made.wire.heard)
        made.wire._faults._faults = (Fault(kind, nth=(asked + 1,)),)
        with pytest.raises(HardwareError):
            made.stage.move_to(StagePosition(900, 0, 600))
        moves = [word for word in made.wire.heard[asked:] if word.startswith("mr ")]
        assert len(moves) == 1
        made.stage.move_to(FAR)
        assert made.stage.position() == FAR
        assert made.true_steps() == [600, -400, 300]
        assert made.stage.state()["unsure_steps"] == {"x": 0, "y": 0, "z": 0}


def test_a_board_that_moves_has_not_started_anew(tmp_path: Path) -> None:
    """The answer to the first move from zero is noise; the board is seen to move."""
    with rig(tmp_path) as made:
        made.wire._faults._faults = (
            Fault("board_garbage", nth=(len(made.wire.heard) + 1,)),
        )
        with pytest.raises(HardwareError, match="noise"):
            made.stage.move_to(FAR)
        place = made.stage.position()
        assert made.true_steps() == [place.x, place.y, place.z]
        assert made.stage.state()["unsure_steps"] == {"x": 0, "y": 0, "z": 0}


def test_a_stage_that_stops_short_is_told(tmp_path: Path) -> None:
    """A switch at the end of the travel ends a move; the count says where."""
    with rig(tmp_path) as made:
        at(made, 0.5, lambda: made.wire._order(lambda: made.wire._firmware._stop([])))
        with pytest.raises(HardwareError, match="did not arrive"):
            made.stage.move_to(StagePosition(2000, 0, 0))
        place = made.stage.position()
        assert made.true_steps() == [place.x, place.y, place.z]
        made.stage.move_to(BACK)
        assert made.true_steps() == [0, 0, 0]


def test_who_was_overtaken_begins_no_further_leg(tmp_path: Path) -> None:
    """A thread that was given up may wake between two legs, when another one moves."""
    with rig(tmp_path) as made:
        motion = made.stage._motion
        turn = motion.ready()
        made.stage.move_to(FAR)
        with pytest.raises(HardwareError, match="another one"):
            motion.begin(BACK, turn)
        assert made.stage.position() == FAR


def test_a_late_answer_is_not_taken_for_another_one(tmp_path: Path) -> None:
    """Settings read their answer, however late, before anything else is asked."""
    with rig(tmp_path) as made:
        light = DirectLight(made.board)
        made.wire._faults._faults = (Fault("board_late", from_s=0.0, amount=0.02),)
        light.set_level(0.5)
        assert light.level() == 0.5
        made.stage.move_to(FAR)
        assert made.stage.position() == FAR
        assert kinds(made) == []


# -------------------------------------------------------------------------- restarts


def test_a_restart_between_moves_loses_no_place(tmp_path: Path) -> None:
    """Version 1 counts from zero then; the stage knows better, and the lamp is lit."""
    with rig(tmp_path) as made:
        light = DirectLight(made.board)
        light.set_level(0.5)
        made.stage.move_to(FAR)
        made.wire.restart()
        assert made.sim.light.level() == 0.0
        assert made.stage.position() == FAR
        assert made.sim.light.level() == 0.5
        assert kinds(made) == ["board_reset", "place_restored"]
        made.stage.move_to(BACK)
        assert made.true_steps() == [0, 0, 0]


def test_a_restart_that_nobody_heard_is_seen_in_the_count(tmp_path: Path) -> None:
    """The banner may be lost; a count of zero is not where we left the stage."""
    with rig(tmp_path) as made:
        DirectLight(made.board).set_level(0.5)
        made.stage.move_to(FAR)
        made.wire._firmware.restart()
        made.wire._firmware._told = []
        assert made.stage.position() == FAR
        assert made.sim.light.level() == 0.5
        assert kinds(made) == ["place_restored"]
        made.stage.move_to(BACK)
        assert made.true_steps() == [0, 0, 0]
        assert kinds(made) == []


def test_an_old_board_keeps_its_count_through_a_restart(tmp_path: Path) -> None:
    """Version 0.5 has it in its memory, so nothing is to be restored."""
    with rig(tmp_path, "v0.5") as made:
        made.stage.move_to(FAR)
        made.wire.restart()
        assert made.stage.position() == FAR
        assert kinds(made) == ["board_reset"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_restart_in_a_move_fails_the_visit_and_says_how_unsure(
    tmp_path: Path, dialect: str
) -> None:
    """The next visit goes on from the best guess, whose error is told and true."""
    with rig(tmp_path, dialect) as made:
        made.stage.move_to(FAR)
        made.stage.move_to(StagePosition(1000, 0, 500))
        at(made, 0.47, made.wire.restart)
        with pytest.raises(HardwareError, match="anew"):
            made.stage.move_to(StagePosition(3000, 0, 500))
        place, unsure = made.stage.position(), made.stage.state()["unsure_steps"]
        true = dict(zip("xyz", made.true_steps()))
        for axis in "xyz":
            off = abs(getattr(place, axis) - true[axis])
            assert off <= unsure[axis] <= 120
        assert unsure["x"] > 0
        assert "place_unsure" in kinds(made)
        made.stage.move_to(BACK)
        for axis, steps in zip("xyz", made.true_steps()):
            assert abs(steps) <= unsure[axis]
        assert made.stage.state()["unsure_steps"] == unsure


def test_a_cautious_stage_moves_no_more_until_its_zero_is_set(tmp_path: Path) -> None:
    """Whoever asked for it is never moved by a guess."""
    with rig(tmp_path, move_when_unsure=False) as made:
        at(made, 0.3, made.wire.restart)
        with pytest.raises(HardwareError):
            made.stage.move_to(FAR)
        before = made.true_steps()
        with pytest.raises(HardwareError, match="unsure"):
            made.stage.move_to(BACK)
        assert made.true_steps() == before
        made.stage.set_zero()
        made.stage.move_to(BACK)
        assert made.stage.position() == BACK


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_board_reset_of_the_schedule_breaks_a_move(
    tmp_path: Path, dialect: str
) -> None:
    """The n-th move, at its share: the same trouble, for demonstrations."""
    fault = Fault("board_reset", nth=(1,), amount=0.5)
    with rig(tmp_path, dialect, [fault]) as made:
        with pytest.raises(HardwareError):
            made.stage.move_to(FAR)
        assert "board_reset" in kinds(made)
        made.stage.move_to(FAR)


# ------------------------------------------------------------------------- the cable


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_board_that_is_unplugged_is_told_and_found_again(
    tmp_path: Path, dialect: str
) -> None:
    """While it is out every visit fails at once; plugged in, the next one goes on."""
    with rig(tmp_path, dialect) as made:
        made.stage.move_to(FAR)
        made.wire.unplug()
        for _ in range(2):
            with pytest.raises(HardwareError, match="cable"):
                made.stage.move_to(BACK)
        made.wire.plug()
        assert made.stage.position() == FAR
        found = kinds(made)
        assert found[0] == "unplugged"
        assert "reconnected" in found
        assert ("place_restored" in found) == (dialect == "v1.0")
        made.stage.move_to(BACK)
        assert made.true_steps() == [0, 0, 0]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_cable_pulled_in_a_move_leaves_the_place_unsure(
    tmp_path: Path, dialect: str
) -> None:
    """The board lost its power on the way: only a stretch is known."""
    with rig(tmp_path, dialect) as made:
        at(made, 0.4, made.wire.unplug)
        with pytest.raises(HardwareError):
            made.stage.move_to(FAR)
        made.wire.plug()
        place, unsure = made.stage.position(), made.stage.state()["unsure_steps"]
        for axis, steps in zip("xyz", made.true_steps()):
            assert abs(getattr(place, axis) - steps) <= unsure[axis]
        assert "place_unsure" in kinds(made)


def test_noise_in_a_move_does_not_lose_it(tmp_path: Path) -> None:
    """The port is opened anew, the count shows that the board went on, and so do we."""
    with rig(tmp_path) as made:
        moves = iter(range(1))

        def spoil() -> None:
            next(moves)
            number = len(made.wire.heard)
            made.wire._faults._faults = (Fault("board_garbage", nth=(number,)),)

        at(made, 0.45, spoil)
        made.stage.move_to(FAR)
        assert made.stage.position() == FAR
        assert kinds(made) == ["garbage", "reconnected"]
        assert made.true_steps() == [600, -400, 300]


def test_a_port_in_use_is_refused_with_the_name_of_its_user(tmp_path: Path) -> None:
    """A second program would take half of the answers."""
    with rig(tmp_path) as made, pytest.raises(HardwareBusyError, match="in use by"):
        Board(made.wire.port)


def test_a_missing_port_is_told(tmp_path: Path) -> None:
    """With its name, and what to look at."""
    with pytest.raises(HardwareError, match="nowhere"):
        Board(str(tmp_path / "nowhere"))


def test_a_port_that_this_user_may_not_open_is_told(tmp_path: Path) -> None:
    """With the command that lets them."""
    error = PermissionError(13, "could not open port")
    with rig(tmp_path) as made:
        told = str(_not_opened("/dev/ttyUSB0", error))
        assert "usermod -aG dialout" in told
        assert made.wire.port not in told


def test_an_unknown_firmware_is_told(tmp_path: Path) -> None:
    """The library only says that it does not respond."""
    with rig(tmp_path) as made:
        made.board.close()
        made.wire._firmware._words["version"] = lambda _: "Sangaboard Firmware v1.1.0"
        with pytest.raises(HardwareError, match=r"v1\.1\.0"):
            Board(made.wire.port)


def test_settings_of_one_port_do_not_leak_into_another(tmp_path: Path) -> None:
    """The library keeps what it is given in its class."""
    before: Dict[str, object] = dict(Sangaboard.port_settings)
    with rig(tmp_path):
        assert Sangaboard.port_settings == before
    assert "exclusive" not in before


# --------------------------------------------------------------------------- stopping


def test_a_move_is_stopped_from_another_thread(tmp_path: Path) -> None:
    """At once, with the place known to the step."""
    with rig(tmp_path) as made:

        def stop() -> None:
            thread = threading.Thread(target=made.stage.stop)
            thread.start()
            thread.join()

        at(made, 1.0, stop)
        with pytest.raises(HardwareError, match="stopped"):
            made.stage.move_to(StagePosition(8000, 0, 0))
        place = made.stage.position()
        assert 500 < place.x < 1100
        assert made.true_steps() == [place.x, place.y, place.z]
        assert made.stage.state()["unsure_steps"] == {"x": 0, "y": 0, "z": 0}
        made.stage.move_to(BACK)
        assert made.true_steps() == [0, 0, 0]


def test_an_old_board_stops_between_two_parts_of_a_way(tmp_path: Path) -> None:
    """It hears nothing on the way; so a long way has parts."""
    with rig(tmp_path, "v0.5") as made:
        at(made, 1.0, made.stage.stop)
        with pytest.raises(HardwareError, match="stopped"):
            made.stage.move_to(StagePosition(8000, 0, 0))
        place = made.stage.position()
        assert 1000 < place.x < 2500
        assert made.true_steps() == [place.x, place.y, place.z]
        assert kinds(made) == []
        made.stage.move_to(BACK)
        assert made.true_steps() == [0, 0, 0]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_board_that_never_arrives_is_given_up(tmp_path: Path, dialect: str) -> None:
    """A move has a deadline of its own time and two seconds."""
    with rig(tmp_path, dialect, reply_s=SHORT_S) as made:
        made.wire._firmware._step_us = 100_000  # turns, but far too slowly
        begun_ns = made.clock.monotonic_ns()
        with pytest.raises(HardwareTimeoutError, match="not over"):
            made.stage.move_to(StagePosition(0, 0, 600))
        took_s = (made.clock.monotonic_ns() - begun_ns) / 1e9
        assert took_s < 5


def test_an_answer_that_comes_after_all_does_not_spoil_a_new_greeting(
    tmp_path: Path,
) -> None:
    """It arrives while the port is opened anew, in the place of the version."""
    with rig(tmp_path, reply_s=SHORT_S) as made:
        number = len(made.wire.heard)
        late = Fault("board_late", nth=(number,), amount=SHORT_S * 1.5)
        made.wire._faults._faults = (late,)
        assert made.stage.position() == BACK
        made.stage.move_to(FAR)
        assert made.stage.position() == FAR
        assert made.true_steps() == [600, -400, 300]
