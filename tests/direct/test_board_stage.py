"""The stage's own promises: ways, glides, settings, coils, what frames say of it."""

from pathlib import Path
from typing import Any, Dict

import pytest
from board_rig import DIALECTS, kinds, rig

from hardware_sim import Fault
from openflexure_timelapse.document import parse
from openflexure_timelapse.errors import (
    HardwareError,
    HardwareTimeoutError,
    InvalidRequestError,
    OutOfReachError,
)
from openflexure_timelapse.hosts.direct.board import ANY
from openflexure_timelapse.hosts.direct.glide import Course
from openflexure_timelapse.hosts.direct.light import USUAL_LEVEL, DirectLight
from openflexure_timelapse.hosts.direct.stage_settings import StageSettings
from openflexure_timelapse.ports import StagePosition

FAR = StagePosition(600, -400, 300)
BACK = StagePosition(0, 0, 0)
NS_PER_S = 10**9


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_move_ends_upwards(tmp_path: Path, dialect: str) -> None:
    """The sample comes back to the same place from either side, play and all."""
    with rig(tmp_path, dialect) as made:
        found = []
        for far in (FAR, StagePosition(-700, 800, -900)):
            made.stage.move_to(far)
            made.stage.move_to(BACK)
            made.clock.advance(3 * NS_PER_S)
            found.append(made.sim.stage.physical_um(made.clock.monotonic_ns()))
        for first, second in zip(*found):
            assert first == pytest.approx(second, abs=0.05)


def test_inverted_axes_are_turned_round(tmp_path: Path) -> None:
    """In our steps all is as before; the last steps of the board go down."""
    with rig(tmp_path, inverted=(True, False, True)) as made:
        made.stage.move_to(FAR)
        assert made.stage.position() == FAR
        assert made.true_steps() == [-600, -400, -300]
        last = [word for word in made.wire.heard if word.startswith("mr ")][-1]
        assert last == "mr -600 200 -300"


def test_a_glide_returns_at_once_and_tells_where_it_is(tmp_path: Path) -> None:
    """Its course is what the motors really do, to a step."""
    with rig(tmp_path) as made:
        made.stage.move_to(StagePosition(0, 0, -500))
        glide = made.stage.glide(StagePosition(0, 0, 500))
        assert made.stage.moving
        assert glide.end_ns - glide.start_ns == NS_PER_S
        for part in (0.1, 0.25, 0.5, 0.9):
            now_ns = glide.start_ns + int(part * NS_PER_S)
            made.clock.advance(now_ns - made.clock.monotonic_ns())
            assert not glide.is_done()
            assert made.stage.position().z == pytest.approx(glide.z_at(now_ns), abs=1)
            made.sim.stage.physical_um(now_ns)
            assert made.true_steps()[2] == pytest.approx(glide.z_at(now_ns), abs=1)
        glide.wait(glide.end_ns + NS_PER_S)
        assert glide.is_done()
        assert not made.stage.moving
        assert made.stage.position() == StagePosition(0, 0, 500)


def test_a_glide_on_an_old_board_tells_its_course(tmp_path: Path) -> None:
    """The board hears nothing meanwhile; the place is worked out."""
    with rig(tmp_path, "v0.5") as made:
        glide = made.stage.glide(StagePosition(0, 0, 1000))
        glide._mover.look(glide, 0.05)  # the board has taken the command by then
        made.clock.advance(NS_PER_S // 2)
        assert made.stage.position().z == 500
        with pytest.raises(HardwareError, match="moving"):
            made.board.ask("version", ".*")
        glide.wait()
        assert made.stage.position() == StagePosition(0, 0, 1000)


def test_a_glide_waits_no_longer_than_asked(tmp_path: Path) -> None:
    """At its deadline the motors are stopped, and the place is known."""
    with rig(tmp_path) as made:
        glide = made.stage.glide(StagePosition(0, 0, 5000))
        with pytest.raises(HardwareTimeoutError):
            glide.wait(glide.start_ns + NS_PER_S)
        assert not made.wire._firmware.is_moving
        assert made.true_steps()[2] == made.stage.position().z


def test_a_move_ends_a_glide_that_nobody_waited_for(tmp_path: Path) -> None:
    """A sweep that failed half way leaves no motor turning into the next move."""
    with rig(tmp_path) as made:
        glide = made.stage.glide(StagePosition(0, 0, 5000))
        made.clock.advance(NS_PER_S)
        made.stage.move_to(FAR)
        assert made.stage.position() == FAR
        assert made.true_steps() == [600, -400, 300]
        with pytest.raises(HardwareError, match="another one"):
            glide.wait()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_glide_beyond_the_travel_is_refused(tmp_path: Path, dialect: str) -> None:
    """As a move is."""
    with rig(tmp_path, dialect) as made, pytest.raises(OutOfReachError, match="z = "):
        made.stage.glide(StagePosition(0, 0, 9001))


def test_a_glide_further_than_a_board_counts_is_refused(tmp_path: Path) -> None:
    """Also by a stage without limits; it would wrap round, or go on for years."""
    with rig(tmp_path, lowest=None, highest=None) as made:
        for x in (10**12, -(10**12)):
            with pytest.raises(OutOfReachError, match="x = "):
                made.stage.glide(StagePosition(x, 0, 0))
        assert not made.stage.moving


def test_a_course_with_a_ramp_begins_and_ends_slowly() -> None:
    """A half of the speed on the average, in each ramp; the middle is half way."""
    course = Course(BACK, StagePosition(0, 0, 1000), 0, 1000, 200_000)
    assert course.end_ns == 1_200_000_000
    assert course.share_at(200_000_000) == pytest.approx(0.1)
    assert course.share_at(600_000_000) == pytest.approx(0.5)
    assert course.share_at(1_000_000_000) == pytest.approx(0.9)
    assert course.share_at(2_000_000_000) == 1.0
    assert course.deadline_ns == 3_400_000_000
    short = Course(BACK, StagePosition(0, 0, 100), 0, 1000, 200_000)
    assert 0.0 < short.share_at(150_000_000) < 1.0


def test_a_board_that_lags_is_not_taken_to_have_arrived() -> None:
    """By our clock the move is over; by the board's, some steps may be missing."""
    course = Course(BACK, StagePosition(0, 0, 1000), 0, 1000, 0)
    stretch = course.between(course.end_ns, course.end_ns + NS_PER_S)
    assert stretch.high.z == 1000
    assert stretch.low.z <= 950
    assert course.between(0, 0).high.z >= 50


def test_a_ramp_on_the_board_is_known(tmp_path: Path) -> None:
    """Version 1 spells it so that the library fails; the move is waited for in full."""
    with rig(tmp_path) as made:
        made.board.ask("ramp_time 300000", ".*")
        made.board.close()
        made.begin()
        glide = made.stage.glide(StagePosition(0, 0, 1000))
        assert glide.end_ns - glide.start_ns == 1_300_000_000
        half_ns = glide.start_ns + 650_000_000
        made.clock.advance(half_ns - made.clock.monotonic_ns())
        assert made.stage.position().z == pytest.approx(500, abs=1)
        glide.wait()


def test_the_speed_is_written_only_where_it_differs(tmp_path: Path) -> None:
    """The board keeps it in a memory that wears out."""
    with rig(tmp_path) as made:
        assert not [word for word in made.wire.heard if word.startswith("dt ")]
    with rig(tmp_path, step_us=2000) as made:
        assert "dt 2000" in made.wire.heard
        assert made.stage.describe().steps_per_s == 500
        before_ns = made.clock.monotonic_ns()
        made.stage.move_to(StagePosition(2000, 0, 0))
        assert made.clock.monotonic_ns() - before_ns >= 4 * NS_PER_S


def test_a_board_that_forgets_its_speed_is_told_it_again(tmp_path: Path) -> None:
    """A Pico has no memory for it; a move would last twice as long as it may."""
    with rig(tmp_path, step_us=400) as made:
        made.stage.move_to(FAR)
        made.wire.restart()
        made.stage.move_to(StagePosition(8000, 0, 0))
        assert made.true_steps() == [8000, 0, 0]
        made.wire.unplug()
        made.wire.plug()
        made.stage.move_to(BACK)
        assert made.true_steps() == [0, 0, 0]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_coils_are_released_after_a_visit_if_asked(
    tmp_path: Path, dialect: str
) -> None:
    """And every frame says whether they were."""
    with rig(tmp_path, dialect, release_after_visit=True) as made:
        made.stage.move_to(FAR)
        assert made.stage.state()["coils_released"] is False
        made.stage.end_visit()
        assert made.wire.heard[-1] == "release"
        assert made.stage.state()["coils_released"] is True
        made.stage.move_to(BACK)
        assert made.stage.state()["coils_released"] is False
    with rig(tmp_path, dialect) as made:
        made.stage.end_visit()
        assert "release" not in made.wire.heard


def test_the_state_needs_no_board(tmp_path: Path) -> None:
    """What EXIF keeps is there also while the cable is out."""
    with rig(tmp_path) as made:
        made.stage.move_to(FAR)
        made.wire.unplug()
        asked = len(made.wire.heard)
        state = made.stage.state()
        assert len(made.wire.heard) == asked
        assert state == {
            "position": {"x": 600, "y": -400, "z": 300},
            "unsure_steps": {"x": 0, "y": 0, "z": 0},
            "board": "Sangaboard v0.5.x",
            "firmware": "Sangaboard Firmware v1.0.4",
            "backlash": {"x": 200, "y": 200, "z": 200},
            "coils_released": False,
        }
        assert kinds(made) == []


def test_zero_is_where_a_person_says(tmp_path: Path) -> None:
    """From there the stage counts."""
    with rig(tmp_path, inverted=(True, False, False)) as made:
        made.stage.move_to(FAR)
        made.stage.set_zero()
        assert made.stage.position() == BACK
        made.stage.move_to(StagePosition(10, 20, 30))
        assert made.true_steps() == [-610, -380, 330]


def test_lost_steps_are_no_secret_of_the_simulator(tmp_path: Path) -> None:
    """A motor that slips is not seen by any board; the sample shows it."""
    with rig(tmp_path, "v1.0", [Fault("stage_lost_steps", nth=(1,))]) as made:
        made.stage.move_to(FAR)
        assert made.stage.position() == FAR
        x_um, _, _ = made.sim.stage.physical_um(made.clock.monotonic_ns())
        assert x_um < 0.7 * 600 * made.sim.stage.mechanics.step_um[0]


BAD_SETTINGS: Dict[str, Dict[str, Any]] = {
    "travel upside down": {"lowest": [0, 0, 0], "highest": [1, -1, 1]},
    "half a travel": {"lowest": [0, 0, 0]},
    "play": {"backlash_steps": [-1, 0, 0]},
    "speed": {"step_us": 0},
    "misspelt": {"backlash": [1, 1, 1]},
    "step size": {"step_um": [0.1, 0.0, 0.1]},
}


@pytest.mark.parametrize("case", sorted(BAD_SETTINGS))
def test_impossible_settings_are_refused(case: str) -> None:
    """With the name of the field."""
    with pytest.raises(InvalidRequestError):
        parse(StageSettings, BAD_SETTINGS[case], InvalidRequestError, "stage")


# ------------------------------------------------------------------------- the light


def test_a_dark_light_begins_at_the_usual_level(tmp_path: Path) -> None:
    """A board is dark after a power cut, and a run cannot know what was meant."""
    with rig(tmp_path) as made:
        assert DirectLight(made.board).level() == USUAL_LEVEL
        assert made.sim.light.level() == pytest.approx(USUAL_LEVEL)
    with rig(tmp_path) as made:
        assert DirectLight(made.board, first_level=None).level() == 0.0


def test_a_level_does_not_walk_down(tmp_path: Path) -> None:
    """Read back and set again, fifty times: the board's rounding is not taken over."""
    with rig(tmp_path) as made:
        light = DirectLight(made.board)
        light.set_level(0.1)  # 3 of 32 steps, told as 0.09, which is less than 3
        shown = made.sim.light.level()
        for _ in range(50):
            light.set_level(light.level())
        assert made.sim.light.level() == shown


@pytest.mark.parametrize("output", ["cc", "pwm0"])
def test_a_level_stays_over_many_starts_of_the_program(
    tmp_path: Path, output: str
) -> None:
    """Each start, and each check-up, finds the lamp as it was and leaves it so."""
    question = "led_cc?" if output == "cc" else "led_pwm?"
    with rig(tmp_path) as made:
        for level in (1 / 32, 0.1, 0.28, USUAL_LEVEL, 11 / 32, 0.59, 1.0):
            DirectLight(made.board, output).set_level(level)
            told = made.board.ask(question, ANY)[0]
            for _ in range(5):
                DirectLight(made.board, output)
            assert made.board.ask(question, ANY)[0] == told


def test_a_light_that_does_not_obey_is_shown_as_it_is(tmp_path: Path) -> None:
    """The visit compares, and warns."""
    with rig(tmp_path) as made:
        light = DirectLight(made.board)
        made.sim.faults._faults = (Fault("light_stuck"),)
        light.set_level(0.0)
        assert light.level() == pytest.approx(USUAL_LEVEL)


def test_the_other_outputs_can_be_used(tmp_path: Path) -> None:
    """A lamp on PWM, by its number."""
    with rig(tmp_path) as made:
        light = DirectLight(made.board, "pwm1")
        light.set_level(0.25)
        assert light.level() == 0.25
        assert made.wire._firmware._pwm == [0.0, 0.25]
        with pytest.raises(HardwareError, match="pwm0"):
            DirectLight(made.board, "pwm2")


def test_an_old_board_has_no_light(tmp_path: Path) -> None:
    """Its facts say so, and so does the error of who asks all the same."""
    with rig(tmp_path, "v0.5") as made:
        assert not made.board.facts.has_light
        with pytest.raises(HardwareError, match="no illumination"):
            DirectLight(made.board)


def test_other_words_of_a_firmware_are_understood(tmp_path: Path) -> None:
    """Only numbers, arrivals and refusals matter; the newest words are not known."""
    with rig(tmp_path) as made:
        words = made.wire._firmware._words
        words["dt?"] = lambda _: "step: 1000 us"
        words["ramp_time?"] = lambda _: "Type 'help' for a list of commands."
        made.board.close()
        made.begin()
        made.stage.move_to(FAR)
        assert made.stage.position() == FAR
        assert kinds(made) == []
