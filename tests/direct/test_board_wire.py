"""The simulated board speaks to the unmodified library, and shows it every trouble.

What the library does by itself is told here as it is: our own side exists because of
it, and a new version of the library may change it.
"""

import os
from pathlib import Path
from typing import Iterator, Tuple

import pytest
from sangaboard import Sangaboard

from hardware_sim import Fault, ScaledClock, SimMicroscope, build
from hardware_sim.faults import Faults
from hardware_sim.sangaboard_pty import SangaboardPty
from openflexure_timelapse.hosts.system import RealClock

SPEED = 50.0
DIALECTS = ("v0.5", "v1.0")
Wire = Tuple[SangaboardPty, SimMicroscope]


def wired(folder: Path, dialect: str, *faults: Fault) -> Wire:
    """Return a board at its cable, and the instrument behind it."""
    clock = ScaledClock(SPEED, RealClock())
    sim = build(1, "empty", clock, Faults(clock, faults))
    board = SangaboardPty(sim, clock, folder, dialect)
    hear_greeting(board)
    return board, sim


def hear_greeting(board: SangaboardPty) -> None:
    """Open a board that was just plugged in, and let it greet."""
    with Path(board.port).open("rb", buffering=0) as line:
        heard = b""
        while not heard.endswith(b"\n"):
            heard += line.read(1)
    assert heard.startswith(b"Sangaboard Firmware v")


@pytest.fixture(name="wire", params=DIALECTS)
def _wire(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wire]:
    """Return each kind of board."""
    board, sim = wired(tmp_path, request.param)
    yield board, sim
    board.close()


def test_the_library_greets_and_moves_it(wire: Wire) -> None:
    """Version, board, a move in one go, the count, zero: as on a microscope."""
    board, sim = wire
    with Sangaboard(board.port) as library:
        assert library.firmware.startswith("Sangaboard Firmware v")
        assert library.board.startswith("Sangaboard v0.")
        library.move_rel([300, -200, 100])
        assert library.position == [300, -200, 100]
        library.move_abs([0, 0, 0])
        library.move_rel(40, "z")
        place = sim.stage.position()
        assert (place.x, place.y, place.z) == (0, 0, 40)
        library.zero_position()
        assert library.position == [0, 0, 0]
        library.release_motors()
        assert library.step_time == 1000
        assert library.query("nonsense") == "Type 'help' for a list of commands."


def test_the_library_switches_the_lamp(tmp_path: Path) -> None:
    """Of version 1, whose module for that is listed; in 32 steps, rounded down."""
    board, sim = wired(tmp_path, "v1.0")
    with board, Sangaboard(board.port) as library:
        assert library.illumination.channels == [1, 2]
        library.query("led_cc 0.5")
        assert library.illumination.cc_led == 0.5
        library.query("led_cc 0.99")
        assert sim.light.level() == 31 / 32
        library.illumination.set_pwm_led(1, 0.25)
        assert library.illumination.get_pwm_led() == [0.0, 0.25]
        assert library.illumination.pwm_frequency == 64000


def test_an_old_board_has_no_lamp(tmp_path: Path) -> None:
    """Version 0.5 lists no module."""
    board, _ = wired(tmp_path, "v0.5")
    with board, Sangaboard(board.port) as library:
        assert library.list_modules() == []
        assert not hasattr(library, "illumination")


def test_version_1_moves_in_the_background(tmp_path: Path) -> None:
    """When it is told not to wait; it can be asked, and stopped, meanwhile."""
    board, _ = wired(tmp_path, "v1.0")
    with board, Sangaboard(board.port) as library:
        assert library.query("blocking_moves false") == "done."
        assert library.query("mr 60000 0 0") == "done."
        assert library.query("moving?") == "true"
        assert library.query("stop") == "Move aborted"
        assert library.query("moving?") == "false"
        assert 0 <= library.position[0] < 60000


def test_the_library_has_no_ramp_with_version_1(tmp_path: Path) -> None:
    """It looks for other words than the firmware's."""
    board, _ = wired(tmp_path, "v1.0")
    with board, Sangaboard(board.port) as library, pytest.raises(
        ValueError, match="Stage response"
    ):
        library.ramp_time  # noqa: B018 (asks the board)


def test_silence_is_no_error_for_the_library(tmp_path: Path) -> None:
    """With a time it returns nothing; without one it would wait for ever."""
    board, _ = wired(tmp_path, "v1.0")
    with board, Sangaboard(board.port) as library:
        board._faults._faults = (Fault("board_silent"),)
        assert library.query("p?", timeout=0.05) == ""


def test_a_setter_of_the_library_leaves_its_answer_behind(tmp_path: Path) -> None:
    """The next question gets it, where answers take their time."""
    board, _ = wired(tmp_path, "v1.0", Fault("board_late", nth=(8,), amount=0.05))
    with board, Sangaboard(board.port) as library:
        assert len(board.heard) < 8
        while len(board.heard) < 8:
            library.position  # noqa: B018 (asks the board)
        library.illumination.cc_led = 0.5
        assert library.query("version") == "CC LED:0.50"


def test_noise_is_an_error_of_text(tmp_path: Path) -> None:
    """As a loose contact makes it."""
    board, _ = wired(tmp_path, "v1.0")
    with board, Sangaboard(board.port) as library:
        board._faults._faults = (Fault("board_garbage"),)
        with pytest.raises(UnicodeDecodeError):
            library.query("p?")


def test_a_restart_is_taken_for_an_answer(tmp_path: Path) -> None:
    """The banner is a line like any other for the library."""
    board, _ = wired(tmp_path, "v0.5", Fault("board_reset", nth=(0,), amount=0.5))
    with board, Sangaboard(board.port) as library:
        library.move_rel([1000, 0, 0])
        assert library.position == [0, 0, 0]


def test_a_pulled_cable_is_an_error_and_its_name_is_gone(wire: Wire) -> None:
    """Put in again, it has the same name."""
    board, _ = wire
    with Sangaboard(board.port) as library:
        board.unplug()
        assert not os.path.lexists(board.port)
        with pytest.raises(OSError, match="rror"):
            library.query("p?")
    board.plug()
    hear_greeting(board)
    with Sangaboard(board.port) as library:
        assert library.position == [0, 0, 0]


def test_faults_come_at_their_time_on_a_running_clock(tmp_path: Path) -> None:
    """Unplugged from here to there, by the instrument's own time."""
    clock = ScaledClock(SPEED, RealClock())
    window = Fault("board_unplugged", from_s=5.0, to_s=100.0)
    faults = Faults(clock, [window])
    board = SangaboardPty(build(1, "empty", clock, faults), clock, tmp_path)
    with board:
        never = clock.signal()
        assert os.path.lexists(board.port)
        for is_there, until_s in ((False, 100.0), (True, 1000.0)):
            while os.path.lexists(board.port) != is_there:
                assert faults.now_s() < until_s
                clock.wait_until(clock.monotonic_ns() + 10**8, never)
